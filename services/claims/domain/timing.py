"""When a claim may be made: its deadlines (step 6), its proof by waiting and its waits (step 10)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from libs.common.plans.clocks import (
    Duration,
    Unit,
    due_on,
    first_late_instant,
    is_within,
    local_day,
    start_of_day,
)
from libs.common.plans.codes import Outcome
from libs.common.plans.facts import Facts, extra_days
from libs.common.plans.values import Deadline, ElapsedProof, Peril, Proof, Wait
from services.claims.domain.decision import Reason

DEADLINES, TIMING = 6, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the proof and the waits come to: open, closed for good, or open on a day or event.

    `needs_proof` says that only a paper can prove it now, so evidence decides.
    """

    stopped: str = ""
    eligible_on: date | None = None
    awaits: str = ""
    needs_proof: bool = False
    rules: tuple[str, ...] = ()

    @property
    def is_pending(self) -> bool:
        return self.eligible_on is not None or bool(self.awaits)


OPEN = Opening()


def late(peril: Peril, facts: Facts) -> Iterator[Reason]:
    """LATE_NOTICE for each deadline the act has missed; an unset time makes no deadline."""
    plan = facts.plan
    for deadline in peril.deadlines:
        start, act = start_of(deadline, facts), _act(deadline, facts)
        if start is None or act is None:
            continue
        length = deadline.clock.length(facts)
        if not is_within(start, act, length, plan.zone, plan.calendar):
            yield Reason(
                code="LATE_NOTICE",
                step=DEADLINES,
                outcome=Outcome.DENIED,
                is_discretionary=deadline.is_discretionary,
                rule_ids=deadline.rules,
            )


def start_of(deadline: Deadline, facts: Facts) -> datetime | None:
    """The first of the deadline's times that is set."""
    return next((at for at in map(facts.time, deadline.since) if at is not None), None)


def closes_on(deadline: Deadline, facts: Facts) -> tuple[date, datetime] | None:
    """The last local day of a deadline and the first instant past it; None before it runs."""
    start, plan = start_of(deadline, facts), facts.plan
    if start is None:
        return None
    length = deadline.clock.length(facts)
    day = due_on(start, length, plan.zone, plan.calendar)
    return day, first_late_instant(start, length, plan.zone, plan.calendar)


def opening(peril: Peril, facts: Facts, on_file: frozenset[str]) -> Opening:
    """Whether the claim is too early, and until when."""
    proof = OPEN if peril.proof is None else _proof(peril.proof, facts, on_file)
    if proof.stopped:
        return proof
    days = [] if proof.eligible_on is None else [proof.eligible_on]
    awaits, rules = proof.awaits, proof.rules
    for wait in peril.waits:
        day, event = _wait(wait, facts)
        if day is not None:
            days.append(day)
        awaits = awaits or event
        if day is not None or event:
            rules = (*rules, *wait.rules)
    # An event nobody knows the day of: no day can be promised.
    eligible_on = max(days) if days and not awaits else None
    return Opening(
        eligible_on=eligible_on, awaits=awaits, needs_proof=proof.needs_proof, rules=rules
    )


def opening_reasons(opening: Opening) -> Iterator[Reason]:
    """Step 10: too early, or stopped for good by the event that came first."""
    if opening.stopped:
        yield Reason(
            code=opening.stopped, step=TIMING, outcome=Outcome.DENIED, rule_ids=opening.rules
        )
    elif opening.is_pending:
        yield Reason(
            code="TOO_EARLY",
            step=TIMING,
            outcome=Outcome.DEFERRED,
            rule_ids=("G-12", *opening.rules),
        )


def earliest(peril: Peril, facts: Facts) -> date | None:
    """The day proof by waiting and all waits are reached, past or future; None if none is known."""
    days = [day for wait in peril.waits if (day := _wait_day(wait, facts)) is not None]
    if peril.proof is not None:
        elapsed = [_reached_on(one, facts) for one in peril.proof.elapsed]
        known = [day for day in elapsed if day is not None]
        days += [min(known)] if known else []
    return max(days, default=None)


def resume_at(day: date | None, facts: Facts) -> datetime | None:
    return None if day is None else start_of_day(day, facts.plan.zone)


def _act(deadline: Deadline, facts: Facts) -> datetime | None:
    """The deed that is measured; a claim not yet filed is measured by its first contact."""
    act = facts.time(deadline.act)
    return facts.time("notified_at") if act is None else act


def _proof(proof: Proof, facts: Facts, on_file: frozenset[str]) -> Opening:
    if any(kind in on_file for kind in proof.kinds):
        return OPEN
    pending: list[date] = []
    stopped = ""
    for alternative in proof.elapsed:
        day = _reached_on(alternative, facts)
        if day is None:
            continue
        ended_on = _ended_on(alternative, facts)
        if (ended_on or facts.today) >= day:
            return OPEN
        if ended_on is None:
            pending.append(day)
        else:
            stopped = alternative.stopped
    if pending:
        return Opening(eligible_on=min(pending), rules=proof.rules)
    if stopped:
        return Opening(stopped=stopped, rules=proof.rules)
    if proof.kinds:
        return Opening(needs_proof=True, rules=proof.rules)
    # Proof by waiting only, and the time it waits from is not known yet.
    return Opening(awaits=proof.elapsed[0].since, rules=proof.rules)


def _reached_on(alternative: ElapsedProof, facts: Facts) -> date | None:
    start, plan = facts.time(alternative.since), facts.plan
    if start is None:
        return None
    return due_on(start, alternative.clock.length(facts), plan.zone, plan.calendar)


def _ended_on(alternative: ElapsedProof, facts: Facts) -> date | None:
    """The local day of the event that ends the clock, once it has happened."""
    if not alternative.until or not facts.has_happened(alternative.until):
        return None
    at = facts.time(alternative.until)
    return None if at is None else local_day(at, facts.plan.zone)


def _wait(wait: Wait, facts: Facts) -> tuple[date | None, str]:
    """The day it is reached if that is still to come, or the event it waits for."""
    if wait.clock is None:
        return None, "" if facts.has_happened(wait.fact) else wait.fact
    day = _wait_day(wait, facts)
    return (day, "") if day is not None and facts.today < day else (None, "")


def _wait_day(wait: Wait, facts: Facts) -> date | None:
    start, plan = facts.time(wait.fact), facts.plan
    if start is None or wait.clock is None:
        return None
    length = wait.clock.length(facts)
    if length.unit is Unit.DAYS:
        # A known disruption of the line makes everybody wait longer (TK-12).
        length = Duration(unit=Unit.DAYS, count=length.count + extra_days(facts))
    return due_on(start, length, plan.zone, plan.calendar)
