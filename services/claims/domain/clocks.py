"""The days promised on a claim: which clocks it has now, what they stand at, and which were missed.

A clock is for staff: it tells that a day has passed, and never decides anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final

from libs.common.plans.clocks import (
    Pause,
    add_months,
    due_on,
    first_late_instant,
    local_day,
    start_of_day,
)
from libs.common.plans.codes import Outcome, Supplier, supplier
from libs.common.plans.facts import facts_of
from libs.common.plans.values import Plan
from services.claims.domain.decision import Decision, Gap
from services.claims.domain.filing import Payout
from services.claims.domain.service_terms import pay_by, sla
from services.claims.domain.settlement import advance

DECIDE, PAY, ADVANCE, CARRIER_REPLY = "DECIDE", "PAY", "ADVANCE", "CARRIER_REPLY"
RUNNING, PAUSED, STOPPED = "RUNNING", "PAUSED", "STOPPED"
TARGET, BREACH = "TARGET", "BREACH"

# What ends a clock; the plan's own words for DECIDE.
PAYOUT_CONFIRMED, ADVANCE_PAID, PAPER = "payout_confirmed", "advance_paid", "paper"

# A customer without another claim in so many months before comes first (BM-26).
CLEAN_MONTHS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Standstill:
    """A time in which the decision clock stood still; `until` None while it does."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One promise. Days are the last local ones; instants the first too late. None: stands still.

    `target_missed_at` and `breached_at` are when it was said that they had passed.
    """

    name: str
    started_at: datetime
    runs_until: str
    state: str = RUNNING
    category: str = ""
    target_on: date | None = None
    due_on: date | None = None
    target_at: datetime | None = None
    breach_at: datetime | None = None
    target_missed_at: datetime | None = None
    breached_at: datetime | None = None
    stopped_at: datetime | None = None

    @property
    def next_at(self) -> datetime | None:
        """The next instant at which something is to be said of it."""
        if self.state != RUNNING:
            return None
        target = self.target_at if self.target_missed_at is None else None
        breach = self.breach_at if self.breached_at is None else None
        return min((at for at in (target, breach) if at is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A promised day that passed: `level` TARGET or BREACH."""

    clock: Clock
    level: str
    due_on: date
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a claim stands: what its clocks go by. `decided_at` is when `decision` was made."""

    plan: Plan
    facts: Mapping[str, Any]
    decision: Decision
    is_settled: bool
    decided_at: datetime
    complete_at: datetime | None
    pauses: tuple[Standstill, ...] = ()
    payouts: Sequence[Payout] = ()
    known: Mapping[str, Clock] = field(default_factory=dict)

    @property
    def is_approved(self) -> bool:
        return self.decision.outcome is Outcome.APPROVED

    @property
    def is_waiting(self) -> bool:
        return bool(self.pauses) and self.pauses[-1].until is None

    @property
    def owes(self) -> bool:
        """Whether money of the decision is still to arrive."""
        return any(
            p.kind == "PAYOUT" and p.state not in ("VOID", "CONFIRMED") for p in self.payouts
        )


def is_complete(decision: Decision) -> bool:
    """Whether nothing is missing, and nothing but the insurer is waited for."""
    return not decision.missing and decision.outcome not in (
        Outcome.INFO_REQUIRED,
        Outcome.DEFERRED,
    )


def clean_since(plan: Plan, now: datetime) -> datetime:
    """From when on another claim of the customer counts against them (BM-26)."""
    return start_of_day(add_months(local_day(now, plan.zone), -CLEAN_MONTHS), plan.zone)


def is_priority(plan: Plan, facts: Mapping[str, Any]) -> bool:
    return facts_of(plan, facts).flag("priority")


def paused(
    pauses: tuple[Standstill, ...], now: datetime, *, is_waiting: bool
) -> tuple[Standstill, ...]:
    """The pauses now: one begins when the claim comes to wait for its claimant, and ends with it."""
    lasts = bool(pauses) and pauses[-1].until is None
    if is_waiting == lasts:
        return pauses
    if is_waiting:
        return (*pauses, Standstill(since=now))
    return (*pauses[:-1], replace(pauses[-1], until=now))


def reckon(position: Position, now: datetime) -> dict[str, Clock]:
    """All clocks of the claim, by name, as they should be now."""
    found = (_decide, _pay, _advance, _carrier_reply)
    clocks = (clock(position, now) for clock in found)
    return {clock.name: clock for clock in clocks if clock is not None}


def stopped_by_money(
    clocks: Mapping[str, Clock],
    payouts: Sequence[Payout],
    now: datetime,
    *,
    is_settled: bool,
) -> dict[str, Clock]:
    """The clocks when money has arrived: those that ran until then stand."""
    # An insurer's excess is nobody's promise.
    states: dict[str, set[str]] = {"PAYOUT": set(), "ADVANCE": set(), "EXCESS": set()}
    for payout in payouts:
        if payout.state != "VOID":
            states[payout.kind].add(payout.state)
    is_over = {
        PAYOUT_CONFIRMED: is_settled and states["PAYOUT"] == {"CONFIRMED"},
        ADVANCE_PAID: states["ADVANCE"] == {"CONFIRMED"},
    }
    return {
        name: _stopped(clock, now) if is_over.get(clock.runs_until) else clock
        for name, clock in clocks.items()
    }


def all_stopped(clocks: Mapping[str, Clock], now: datetime) -> dict[str, Clock]:
    return {name: _stopped(clock, now) for name, clock in clocks.items()}


def missed(clocks: Mapping[str, Clock], now: datetime) -> list[Missed]:
    """The promises that have passed and of which nothing was said yet, in their order."""
    found = [one for clock in clocks.values() for one in _missed(clock) if one.at <= now]
    return sorted(found, key=lambda one: (one.at, one.clock.name))


def noted(clocks: Mapping[str, Clock], misses: Sequence[Missed]) -> dict[str, Clock]:
    """The clocks with those misses said."""
    known = dict(clocks)
    for one in misses:
        clock = known[one.clock.name]
        known[clock.name] = (
            replace(clock, breached_at=one.at)
            if one.level == BREACH
            else replace(clock, target_missed_at=one.at)
        )
    return known


def next_at(clocks: Mapping[str, Clock]) -> datetime | None:
    """The next instant at which one of them is to be looked at."""
    return min((at for c in clocks.values() if (at := c.next_at) is not None), default=None)


def _missed(clock: Clock) -> Iterator[Missed]:
    if clock.state != RUNNING:
        return
    if clock.target_at and clock.target_on and clock.target_missed_at is None:
        yield Missed(clock=clock, level=TARGET, due_on=clock.target_on, at=clock.target_at)
    if clock.breach_at and clock.due_on and clock.breached_at is None:
        yield Missed(clock=clock, level=BREACH, due_on=clock.due_on, at=clock.breach_at)


def _decide(position: Position, now: datetime) -> Clock | None:
    """From the complete file to the decision, or as far as the plan says (TK-19)."""
    known = position.known.get(DECIDE)
    closed = [Pause(since=one.since, until=one.until) for one in position.pauses if one.until]
    terms = sla(position.plan, {**position.facts, "complete_at": position.complete_at}, closed)
    # The insurer's acceptance of a file that is not complete yet starts nothing.
    if terms is None or terms.starts_at is None or position.complete_at is None:
        return known
    awaits_money = terms.until == PAYOUT_CONFIRMED and position.is_approved and position.owes
    is_over = position.is_settled and not awaits_money
    if is_over and known is not None and known.state == STOPPED:
        return known
    clock = Clock(
        name=DECIDE,
        category=terms.category,
        started_at=terms.starts_at,
        runs_until=terms.until,
        target_on=terms.target_on,
        due_on=terms.due_on,
        target_at=terms.misses_target_at,
        breach_at=terms.breaches_at,
    )
    clock = _as_said(clock, known)
    if is_over:
        return _stopped(clock, now)
    return _still(clock) if position.is_waiting else clock


def _pay(position: Position, now: datetime) -> Clock | None:
    """From the approval that stands to the money's arrival."""
    plan, known = position.plan, position.known.get(PAY)
    length = None if plan.sla is None else plan.sla.pay
    is_owed = position.is_settled and position.is_approved and position.owes
    if length is None or not is_owed:
        return None if known is None else _stopped(known, now)
    runs = known is not None and known.state != STOPPED
    start = known.started_at if runs and known else position.decided_at
    clock = Clock(
        name=PAY,
        started_at=start,
        runs_until=PAYOUT_CONFIRMED,
        due_on=pay_by(plan, start),
        breach_at=first_late_instant(start, length, plan.zone, plan.calendar),
    )
    # Money approved anew, after an appeal, is a new promise.
    return _as_said(clock, known) if runs else clock


def _advance(position: Position, now: datetime) -> Clock | None:
    """From the complete file to the advance on what it is assessed at (TK-20)."""
    plan, known, terms = position.plan, position.known.get(ADVANCE), position.plan.advance
    is_paid = any(p.kind == "ADVANCE" and p.state == "CONFIRMED" for p in position.payouts)
    is_due = position.is_approved and not position.is_settled and not is_paid
    if terms is None or position.complete_at is None or not is_due:
        return None if known is None else _stopped(known, now)
    facts = {
        "file_complete": True,
        "assessed_payout": position.decision.payout.decimal,
        "complete_at": position.complete_at,
    }
    day = advance(plan, facts).due_on
    if day is None:
        return known
    start = position.complete_at
    clock = Clock(
        name=ADVANCE,
        started_at=start,
        runs_until=ADVANCE_PAID,
        due_on=day,
        breach_at=first_late_instant(start, terms.due, plan.zone, plan.calendar),
    )
    return _as_said(clock, known)


def _carrier_reply(position: Position, now: datetime) -> Clock | None:
    """From the day a paper is waited for that the provider brings: asked for at once (TK-13)."""
    plan, known, length = (
        position.plan,
        position.known.get(CARRIER_REPLY),
        position.plan.carrier_reply,
    )
    if length is None or not any(map(_is_carriers, position.decision.missing)):
        return None if known is None else _stopped(known, now)
    start = now if known is None else known.started_at
    clock = Clock(
        name=CARRIER_REPLY,
        started_at=start,
        runs_until=PAPER,
        due_on=due_on(start, length, plan.zone, plan.calendar),
        breach_at=first_late_instant(start, length, plan.zone, plan.calendar),
    )
    return _as_said(clock, known)


def _is_carriers(gap: Gap) -> bool:
    return gap.awaits_provider and any(supplier(k) is Supplier.PROVIDER for k in gap.kinds)


def _as_said(clock: Clock, known: Clock | None) -> Clock:
    """What was said of a clock stays said, however it moves."""
    if known is None:
        return clock
    return replace(
        clock, target_missed_at=known.target_missed_at, breached_at=known.breached_at
    )


def _stopped(clock: Clock, now: datetime) -> Clock:
    return clock if clock.state == STOPPED else replace(clock, state=STOPPED, stopped_at=now)


def _still(clock: Clock) -> Clock:
    """When it ends can't be told while it stands still (G-08)."""
    return replace(
        clock, state=PAUSED, target_on=None, due_on=None, target_at=None, breach_at=None
    )
