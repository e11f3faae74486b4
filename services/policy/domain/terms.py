"""The plan's terms for a policy: deposit and top-up, cover start, refunds, returned goods."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from libs.common.money import Money, money, zero
from libs.common.plans.clocks import due_on, end_of_day, first_late_instant, is_within
from libs.common.plans.facts import Facts, bounded, cover_start, facts_of
from libs.common.plans.values import Plan, Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUp:
    """What is still due, and where the payment stands.

    `state`: PAID, TOP_UP_DUE, or what the plan makes of a lapse (CANCELLED). `refund` is what
    goes back: the deposit and what came late, or what was paid above the premium.
    `lapses_at` is the first instant too late; None without a clock.
    """

    due: Money
    state: str
    refund: Money
    lapses_at: datetime | None
    rule_ids: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """What goes back; nothing where the plan has no such reason or its condition fails."""

    refund: Money
    is_granted: bool
    rule_ids: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeliverable:
    """Returned goods: the last day for the sender's instruction, and what it means by now."""

    instruct_by: date
    lapses_at: datetime
    state: str
    rule_ids: Rules


def top_up(plan: Plan, facts: Mapping[str, object]) -> TopUp:
    """Premium less deposit, and whether it came in time (MP-18 to MP-20).

    Reads `premium`, `deposit_paid`, `confirmed_at`, `paid_at`, `late_received`, `as_of`. A
    payment after the deadline is not accepted: it goes back with the deposit.
    """
    case, nothing = facts_of(plan, facts), zero(plan.currency)
    premium, paid = _money(case, "premium"), _money(case, "deposit_paid")
    due = max(nothing, premium - paid)
    lapses_at = _top_up_lapses_at(plan, case)
    if due == nothing:
        state, refund = "PAID", max(nothing, paid - premium)
    elif _has_lapsed(plan, case):
        assert plan.premium.deposit is not None
        terms = plan.premium.deposit
        back = paid + _money(case, "late_received")
        state, refund = terms.lapse_state, back if terms.refunds_all else nothing
    else:
        state, refund = "PAID" if case.has_happened("paid_at") else "TOP_UP_DUE", nothing
    rules = plan.premium.deposit.rules if plan.premium.deposit else plan.premium.rules
    return TopUp(due=due, state=state, refund=refund, lapses_at=lapses_at, rule_ids=rules)


def effective(plan: Plan, facts: Mapping[str, object]) -> datetime | None:
    """When cover starts, by the plan's start rule; None while a time it needs is unset.

    `not_before` delays it only once it is set: a parcel not yet dispatched has a start already
    (JS-07), which its dispatch may move.
    """
    return cover_start(plan, facts_of(plan, facts))


def refund(plan: Plan, facts: Mapping[str, object]) -> Refund:
    """What the plan gives back for that `reason`, at this moment (MP-24, BM-07, JS-09, CS-11)."""
    case = facts_of(plan, facts)
    row = next((row for row in plan.refunds if row.reason == case.code("reason")), None)
    if row is None or not row.when.evaluate(case):
        rules = () if row is None else row.rules
        return Refund(refund=zero(plan.currency), is_granted=False, rule_ids=rules)
    amount = money(bounded(row.amount.evaluate(case)), plan.currency)
    return Refund(refund=amount, is_granted=True, rule_ids=row.rules)


def undeliverable(plan: Plan, facts: Mapping[str, object]) -> Undeliverable | None:
    """What becomes of returned goods (JS-28); None where the plan says nothing or nothing returned."""
    case, terms = facts_of(plan, facts), plan.undeliverable
    start = None if terms is None else case.time(terms.since)
    if terms is None or start is None:
        return None
    last = due_on(start, terms.length, plan.zone, plan.calendar)
    return Undeliverable(
        instruct_by=last,
        lapses_at=end_of_day(last, plan.zone),
        state="AWAITING_INSTRUCTION" if case.today <= last else terms.then.upper(),
        rule_ids=terms.rules,
    )


def _money(case: Facts, name: str) -> Money:
    return money(case.number(name), case.plan.currency)


def _top_up_lapses_at(plan: Plan, case: Facts) -> datetime | None:
    terms = plan.premium.deposit
    start = None if terms is None else case.time(terms.top_up_from)
    if terms is None or start is None:
        return None
    return first_late_instant(start, terms.top_up, plan.zone, plan.calendar)


def _has_lapsed(plan: Plan, case: Facts) -> bool:
    """Whether the payment came too late, or has not come and it is too late by now.

    Where neither a payment nor the present time is given, nothing is known to have lapsed.
    """
    terms = plan.premium.deposit
    start = None if terms is None else case.time(terms.top_up_from)
    act = case.time("paid_at")
    if act is None and case.knows_now:
        act = case.as_of
    if terms is None or start is None or act is None:
        return False
    return not is_within(start, act, terms.top_up, plan.zone, plan.calendar)
