"""What the plan promises about time: decision clocks, payment clocks, and appeals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from libs.common.plans.clocks import Duration, Pause, due_on, first_late_instant, is_within
from libs.common.plans.facts import Facts, facts_of
from libs.common.plans.values import AppealTier, Plan, Rules, SlaCategory


@dataclass(frozen=True, slots=True, kw_only=True)
class SlaTerms:
    """The decision clock of a claim. Days are local; `breaches_at` and `misses_target_at` are the
    first instants too late.

    `until` says what stops it: the decision, or the confirmed payout. All None while the time it
    runs from is unset.
    """

    category: str
    due_on: date | None
    breaches_at: datetime | None
    target_on: date | None
    until: str
    is_priority: bool
    rule_ids: Rules
    starts_at: datetime | None
    misses_target_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealAnswer:
    """Whether this appeal is taken, by whom, and by when it is to be decided.

    `closes_at` is the first instant too late to file it, `breaches_at` too late to decide it.
    """

    accepted: bool
    reason: str
    tier: int
    body: str
    file_by: date | None
    decide_by: date | None
    is_final: bool
    rule_ids: Rules
    closes_at: datetime | None = None
    breaches_at: datetime | None = None


def sla(
    plan: Plan, facts: Mapping[str, object], pauses: Sequence[Pause] = ()
) -> SlaTerms | None:
    """The first category whose condition holds; None where the plan promises nothing.

    Priority shortens both clocks to `factor`, rounded up to whole units (BM-26). The clock
    stood still during `pauses`, while the claim waited for the claimant (G-08).
    """
    case = facts_of(plan, facts)
    rows = () if plan.sla is None else plan.sla.categories
    row = next((row for row in rows if row.when.evaluate(case)), None)
    if row is None:
        return None
    start, is_priority = _start(row, case), case.flag("priority")
    due = _hastened(row.due, plan) if is_priority else row.due
    target = (
        row.target if row.target is None or not is_priority else _hastened(row.target, plan)
    )
    return SlaTerms(
        category=row.name,
        due_on=_day(start, due, plan, pauses),
        breaches_at=_late(start, due, plan, pauses),
        target_on=_day(start, target, plan, pauses),
        until=row.until,
        is_priority=is_priority,
        rule_ids=(*row.rules, *(plan.priority.rules if is_priority and plan.priority else ())),
        starts_at=start,
        misses_target_at=_late(start, target, plan, pauses),
    )


def pay_by(plan: Plan, approved_at: datetime) -> date | None:
    """The local day by which an approved payout is sent; None where the plan promises none."""
    pay = None if plan.sla is None else plan.sla.pay
    return None if pay is None else due_on(approved_at, pay, plan.zone, plan.calendar)


def appeal(plan: Plan, facts: Mapping[str, object]) -> AppealAnswer:
    """Whether the appeal is taken: an existing tier, all before it used up, and in time.

    An unset `tier` is the next one; behind a final tier there is none.
    """
    case = facts_of(plan, facts)
    used = case["tiers_exhausted"]
    number = int(case.number("tier")) or len(set(used)) + 1
    is_decided = any(tier.is_final and tier.tier in used for tier in plan.appeal)
    if number > len(plan.appeal) or number in used or is_decided:
        return _refused("APPEAL_EXHAUSTED", number, plan)
    if any(earlier not in used for earlier in range(1, number)):
        return _refused("APPEAL_TIER_SKIPPED", number, plan)
    return _in_time(plan.appeal[number - 1], plan, case)


def _in_time(tier: AppealTier, plan: Plan, case: Facts) -> AppealAnswer:
    decided_at, filed_at = case.time("previous_decided_at"), case.time("filed_at")
    is_late = (
        decided_at is not None
        and filed_at is not None
        and not is_within(decided_at, filed_at, tier.file, plan.zone, plan.calendar)
    )
    return AppealAnswer(
        accepted=not is_late,
        reason="APPEAL_LATE" if is_late else "",
        tier=tier.tier,
        body=tier.body,
        file_by=_day(decided_at, tier.file, plan),
        decide_by=None if is_late else _day(filed_at, tier.decide, plan),
        is_final=tier.is_final or tier.tier == len(plan.appeal),
        rule_ids=tier.rules,
        closes_at=_late(decided_at, tier.file, plan),
        breaches_at=None if is_late else _late(filed_at, tier.decide, plan),
    )


def _refused(reason: str, number: int, plan: Plan) -> AppealAnswer:
    return AppealAnswer(
        accepted=False,
        reason=reason,
        tier=number,
        body="",
        file_by=None,
        decide_by=None,
        is_final=False,
        rule_ids=plan.appeal[0].rules if plan.appeal else (),
    )


def _start(row: SlaCategory, case: Facts) -> datetime | None:
    """Where the instant it runs from is unknown, the complete file starts it (TK-19)."""
    start = case.time(row.since)
    return case.time("complete_at") if start is None else start


def _hastened(duration: Duration, plan: Plan) -> Duration:
    if plan.priority is None:
        return duration
    count = max(plan.priority.minimum, math.ceil(duration.count * plan.priority.factor))
    return Duration(unit=duration.unit, count=count)


def _day(
    start: datetime | None, length: Duration | None, plan: Plan, pauses: Sequence[Pause] = ()
) -> date | None:
    if start is None or length is None:
        return None
    return due_on(start, length, plan.zone, plan.calendar, pauses)


def _late(
    start: datetime | None, length: Duration | None, plan: Plan, pauses: Sequence[Pause] = ()
) -> datetime | None:
    if start is None or length is None:
        return None
    return first_late_instant(start, length, plan.zone, plan.calendar, pauses)
