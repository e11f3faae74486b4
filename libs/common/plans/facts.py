"""The facts of one case under one plan, ready to be read.

A fact that is given stands, even where it could be derived. What is not given is derived once,
when first read, or has its default: money 0, flags false, codes empty, times unset. An unset
`as_of` lies after everything: no clock is still running then.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from libs.common.plans.clocks import days_between, local_day, start_of_day
from libs.common.plans.codes import Verdict
from libs.common.plans.intake import taken
from libs.common.plans.registry import (
    EMPTY,
    FACTS,
    FAR,
    MAX_NUMBER,
    BadFact,
    Item,
    PriorClaim,
    Value,
)
from libs.common.plans.terms import NO_LIMIT
from libs.common.plans.values import Line, Plan

_NO_FACT = Decimal(0)


class Facts(dict[str, Any]):
    """The facts of one case under one plan; reading a name also answers a plan's `let` names.

    It is read by one decision on one thread: what is derived is kept, so a name costs once.
    """

    __slots__ = ("given", "plan")

    def __init__(self, plan: Plan, given: Mapping[str, object], **more: object) -> None:
        super().__init__(_DEFAULTS)
        self.plan = plan
        # As they came, to be taken again under another name of the peril or another `as_of`.
        self.given: Mapping[str, object] = {**given, **more} if more else given
        self._take(self.given)
        if self["cause"] and "causes" in self and self["cause"] not in self["causes"]:
            self["causes"] = (*self["causes"], self["cause"])

    def __missing__(self, name: str) -> Any:
        let = self.plan.lets.get(name)
        value = _DERIVED[name](self) if let is None else let.evaluate(self)
        self[name] = value
        return value

    def number(self, name: str) -> Decimal:
        return cast(Decimal, self[name])

    def flag(self, name: str) -> bool:
        return cast(bool, self[name])

    def code(self, name: str) -> str:
        return cast(str, self[name])

    def codes(self, name: str) -> tuple[str, ...]:
        return cast(tuple[str, ...], self[name])

    def time(self, name: str) -> datetime | None:
        return cast("datetime | None", self[name])

    @property
    def as_of(self) -> datetime:
        return cast(datetime, self["as_of"])

    @property
    def knows_now(self) -> bool:
        """Whether `as_of` was given: only then has a window an end that can be told."""
        return self["as_of"] is not FAR

    @property
    def today(self) -> date:
        return local_day(self.as_of, self.plan.zone)

    @property
    def items_of(self) -> tuple[Item, ...]:
        return cast(tuple[Item, ...], self["items"])

    @property
    def prior_claims(self) -> tuple[PriorClaim, ...]:
        return cast(tuple[PriorClaim, ...], self["prior_claims"])

    def has_happened(self, name: str) -> bool:
        """Whether that time is set and not after `as_of`."""
        at = self[name]
        return at is not None and at <= self["as_of"]

    def _take(self, given: Mapping[str, object]) -> None:
        for name, value in given.items():
            # An empty code is an unset one: where it can be derived it still is.
            if value is None or (name in _DERIVED and value in ("", (), [])):
                continue
            self[name] = taken(name, value)


def facts_of(plan: Plan, given: Mapping[str, object], **more: object) -> Facts:
    """The facts under that plan. Facts already made for it are taken as they are.

    BadFact for an unknown name, a value of another kind, a negative or absurd number, an
    instant without a zone, or a code outside its vocabulary.
    """
    if not isinstance(given, Facts):
        return Facts(plan, given, **more)
    if given.plan is plan and all(given[name] == value for name, value in more.items()):
        return given
    return Facts(plan, given.given, **more)


def cover_start(plan: Plan, facts: Facts) -> datetime | None:
    """When cover begins by the plan's start rule; None while a time it needs is unset (2.5)."""
    start = _START_RULES[plan.cover.start](facts)
    if start is None or not plan.cover.not_before:
        return start
    not_before = facts.time(plan.cover.not_before)
    return start if not_before is None else max(start, not_before)


def premium_base(plan: Plan, facts: Facts) -> Decimal:
    """What the rate applies to, never negative; MAX_NUMBER stands for anything above it."""
    return bounded(plan.premium.base.evaluate(facts))


def bounded(amount: Decimal) -> Decimal:
    """The amount of an expression as a fact may be: from zero to MAX_NUMBER."""
    return max(_NO_FACT, min(MAX_NUMBER, amount))


def line_of(facts: Facts) -> Line | None:
    return facts.plan.lines.get(facts.code("line"))


def extra_days(facts: Facts) -> int:
    """Days a known disruption of the line adds (TK-12), by the day of dispatch."""
    line, dispatched_at = line_of(facts), facts.time("dispatched_at")
    if line is None or dispatched_at is None or not line.extra_days:
        return 0
    return line.extra(local_day(dispatched_at, facts.plan.zone))


# --- What is derived where it is not given -----------------------------------------------------


def _later(first: datetime | None, second: datetime | None) -> datetime | None:
    return None if first is None or second is None else max(first, second)


def _on_dispatch(facts: Facts) -> datetime | None:
    dispatched_at = facts.time("dispatched_at")
    paid_at = facts.time("paid_at")
    return dispatched_at if paid_at is None else _later(paid_at, dispatched_at)


def _midnight_after(facts: Facts) -> datetime | None:
    paid_at, zone = facts.time("paid_at"), facts.plan.zone
    if paid_at is None:
        return None
    return start_of_day(local_day(paid_at, zone) + timedelta(days=1), zone)


_START_RULES: Mapping[str, Callable[[Facts], datetime | None]] = {
    "on_payment": lambda f: f.time("paid_at"),
    "on_full_premium": lambda f: _later(f.time("confirmed_at"), f.time("paid_at")),
    "on_acceptance": lambda f: _later(f.time("paid_at"), f.time("accepted_at")),
    "next_local_midnight": _midnight_after,
    # A premium paid after the ship-out covers from then on, never backwards.
    "on_dispatch": _on_dispatch,
}
START_RULES = frozenset(_START_RULES)


def _cover_started(facts: Facts) -> bool:
    start = cover_start(facts.plan, facts)
    return start is not None and start <= facts.as_of


def _days_since(facts: Facts, name: str, until: datetime) -> Decimal:
    start = facts.time(name)
    if start is None:
        return _NO_FACT
    return Decimal(max(0, days_between(start, until, facts.plan.zone)))


def _arrival_or_now(facts: Facts) -> datetime:
    delivered_at = facts.time("delivered_at")
    return facts.as_of if delivered_at is None else min(delivered_at, facts.as_of)


def _days_over_standard(facts: Facts) -> Decimal:
    """Zero without a standard: a line that promises no time has no delay to insure."""
    line = line_of(facts)
    standard = None if line is None else line.standard(facts.code("destination"))
    if standard is None:
        return _NO_FACT
    taken = _days_since(facts, "dispatched_at", _arrival_or_now(facts))
    return max(_NO_FACT, taken - standard - extra_days(facts))


def _sum_of_items(facts: Facts) -> Decimal:
    return sum((item.value for item in facts.items_of), _NO_FACT)


def _eligible_goods_value(facts: Facts) -> Decimal:
    if not facts.items_of:
        return facts.number("goods_value")
    return sum(
        (i.value for i in facts.items_of if verdict_of(facts.plan, i) is Verdict.ACCEPT),
        _NO_FACT,
    )


def _insured_value(facts: Facts) -> Decimal:
    """Where the premium base does not ask for it, the base is the sum insured (MP-17, BM-04)."""
    base = facts.plan.premium.base
    return _NO_FACT if "insured_value" in base.names else premium_base(facts.plan, facts)


def _claimed_value(facts: Facts) -> Decimal:
    if facts.items_of and facts["claimed_items"]:
        return sum((item.value for item in accepted_of_claimed(facts)), _NO_FACT)
    return facts.number("eligible_goods_value") if facts["whole_parcel"] else _NO_FACT


def accepted_of_claimed(facts: Facts) -> tuple[Item, ...]:
    """The claimed items that the plan insures; all of the parcel where the whole is claimed."""
    claimed = facts.codes("claimed_items")
    return tuple(
        item
        for item in facts.items_of
        if (item.id in claimed if claimed else facts["whole_parcel"])
        and verdict_of(facts.plan, item) is Verdict.ACCEPT
    )


def verdict_of(plan: Plan, item: Item) -> Verdict:
    """What was decided of this line stands (MP-28); else the plan says by its class."""
    return plan.goods.verdict(item.item_class) if item.verdict is None else item.verdict


def _goods_limit(facts: Facts) -> Decimal:
    row = next((row for row in facts.plan.limits if row.when.evaluate(facts)), None)
    if row is None or row.goods_maximum is None:
        return NO_LIMIT
    return bounded(row.goods_maximum.evaluate(facts))


def _priority(facts: Facts) -> bool:
    terms = facts.plan.priority
    return terms is not None and any(when.evaluate(facts) for when in terms.any_of)


def _line_tags(facts: Facts) -> tuple[str, ...]:
    line = line_of(facts)
    return () if line is None else line.tags


def _mode(facts: Facts) -> str:
    line = line_of(facts)
    return "" if line is None else line.mode


_DERIVED: Mapping[str, Callable[[Facts], object]] = {
    "goods_value": _sum_of_items,
    "eligible_goods_value": _eligible_goods_value,
    "insured_value": _insured_value,
    "order_insured_value": lambda f: f["insured_value"],
    "claimed_value": _claimed_value,
    "claimed_biy_value": lambda f: f["biy_value"] if f["whole_parcel"] else _NO_FACT,
    "claimed_biy_weight_kg": lambda f: f["biy_weight_kg"] if f["whole_parcel"] else _NO_FACT,
    "goods_limit": _goods_limit,
    "transit_days": lambda f: _days_since(f, "submitted_at", _arrival_or_now(f)),
    "days_over_standard": _days_over_standard,
    "quiet_days": lambda f: _days_since(f, "last_update_at", f.as_of),
    "dispatched": lambda f: f.has_happened("dispatched_at"),
    "delivered": lambda f: f.has_happened("delivered_at"),
    "cover_started": _cover_started,
    "priority": _priority,
    "line_tags": _line_tags,
    "mode": _mode,
    "causes": lambda f: (f["cause"],) if f["cause"] else (),
}
_DEFAULTS: Mapping[str, object] = {
    name: EMPTY[fact.kind] for name, fact in FACTS.items() if name not in _DERIVED
} | {"policy_state": "ACTIVE", "freight_paid": True, "insurer_decided": True, "as_of": FAR}

__all__ = [
    "FACTS",
    "FAR",
    "MAX_NUMBER",
    "START_RULES",
    "BadFact",
    "Facts",
    "Item",
    "PriorClaim",
    "Value",
    "accepted_of_claimed",
    "bounded",
    "cover_start",
    "extra_days",
    "facts_of",
    "line_of",
    "premium_base",
    "verdict_of",
]
