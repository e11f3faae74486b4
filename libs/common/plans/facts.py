"""Every fact a plan may ask for (domain.md 2.3), and `Facts`: those of one case, ready to be read.

A fact that is given stands, even where it could be derived. What is not given is derived once,
when first read, or has its default: money 0, flags false, codes empty, times unset. An unset
`as_of` lies after everything: no clock is still running then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, cast

from libs.common.errors import Invalid
from libs.common.plans import codes
from libs.common.plans.clocks import days_between, local_day, start_of_day
from libs.common.plans.codes import Verdict
from libs.common.plans.expressions import NO_LIMIT, Kind, Name
from libs.common.plans.values import Line, Plan

# Far above any parcel, and small enough that no expression leaves what Decimal can hold.
MAX_NUMBER = Decimal(10) ** 9
MAX_DECIMALS = 12
MAX_TEXT_CHARACTERS = 200
MAX_ENTRIES = 1_000
FIRST_INSTANT = datetime(1970, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(2999, 12, 31, tzinfo=UTC)
# What an unset `as_of` is: later than any fact and any clock that starts at one.
FAR = datetime(9999, 12, 30, tzinfo=UTC)

# What a fact may be given as; None is the same as not giving it.
Value = Decimal | int | bool | str | datetime | Sequence[str] | Sequence[Mapping[str, object]]

_NO_FACT = Decimal(0)


class BadFact(Invalid):
    code = "bad-fact"
    title = "A fact of the case is not one a plan can be asked about"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line of the parcel: its class decides whether it is insured; `value` is of the line."""

    id: str
    item_class: str
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorClaim:
    """An earlier claim on the same policy."""

    peril: str
    outcome: str

    @property
    def counts(self) -> bool:
        """Whether it stands in the way of another: a withdrawn or denied claim does not."""
        return self.outcome not in ("WITHDRAWN", "DENIED")


class FactKind(Enum):
    NUMBER = "a decimal, zero or more"
    LIMIT = "a decimal, zero or more, or unset"
    COUNT = "a whole number, zero or more"
    FLAG = "true or false"
    CODE = "a text"
    CODES = "a list of texts"
    NUMBERS = "a list of numbers"
    TIME = "an instant with its zone"
    ITEMS = "a list of items {id, class, value}"
    CLAIMS = "a list of claims {peril, outcome}"


_KINDS = {
    FactKind.NUMBER: Kind.NUMBER,
    FactKind.COUNT: Kind.NUMBER,
    FactKind.LIMIT: Kind.LIMIT,
    FactKind.FLAG: Kind.BOOL,
    FactKind.CODE: Kind.TEXT,
    FactKind.CODES: Kind.TEXTS,
    FactKind.NUMBERS: Kind.NUMBERS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One name of the registry. `words` are all the texts it may hold."""

    name: str
    kind: FactKind
    words: frozenset[str] | None = None


def _register() -> dict[str, Fact]:
    names = {
        FactKind.NUMBER: """goods_value eligible_goods_value shipping_fee insured_value premium
            claimed_value claimed_biy_value claimed_biy_weight_kg biy_value biy_weight_kg
            proven_value refund_to_buyer carrier_paid paid biy_paid shipping_paid delay_paid
            order_insured_value order_delay_paid order_value_usd premium_charged deposit_paid
            late_received assessed_payout advanced insurer_paid voucher second_fee""",
        FactKind.LIMIT: "insurer_approved goods_limit",
        FactKind.COUNT: "transit_days days_over_standard quiet_days tier",
        FactKind.FLAG: """carrier_investigation whole_parcel freight_paid exception_noted
            biy_misdeclared registered_user items_in_warehouse rehearsal packed dispatched
            delivered cover_started insurer_decided priority vip clean_first_submission
            file_complete fraud""",
        FactKind.CODE: """line destination mode scope point cause packing peril policy_state
            quote_state reason""",
        FactKind.CODES: """line_tags causes options evidence evidence_unavailable
            video_elements shown claimed_items items_paid""",
        FactKind.NUMBERS: "tiers_exhausted",
        FactKind.TIME: """submitted_at paid_at confirmed_at accepted_at dispatched_at
            last_update_at delivered_at returned_at event_at loss_confirmed_at reported_at
            notified_at filed_at info_requested_at complete_at insurer_accepted_at
            previous_decided_at issued_at as_of""",
        FactKind.ITEMS: "items",
        FactKind.CLAIMS: "prior_claims",
    }
    words = {
        "scope": codes.SCOPES,
        "cause": codes.CAUSES,
        "causes": codes.CAUSES,
        "peril": codes.PERILS,
        "policy_state": codes.POLICY_STATES,
        "quote_state": codes.FILE_STATES | {"PAID", "CANCELLED"},
        "evidence": codes.EVIDENCE,
        "evidence_unavailable": codes.EVIDENCE,
    }
    return {
        name: Fact(name=name, kind=kind, words=words.get(name))
        for kind, text in names.items()
        for name in text.split()
    }


FACTS: Mapping[str, Fact] = _register()
TIME_FACTS = frozenset(name for name, fact in FACTS.items() if fact.kind is FactKind.TIME)
CODE_FACTS = frozenset(name for name, fact in FACTS.items() if fact.kind is FactKind.CODE)
FLAG_FACTS = frozenset(name for name, fact in FACTS.items() if fact.kind is FactKind.FLAG)

# What an expression may read, and why it may not read the rest.
EXPRESSION_FACTS: Mapping[str, Name] = {
    name: Name(kind=_KINDS[fact.kind], words=fact.words)
    for name, fact in FACTS.items()
    if fact.kind in _KINDS
}
BARRED_FACTS: Mapping[str, str] = {
    name: "it is a time; use a clock (proof, wait, notice, latest), or dispatched, delivered, …"
    if fact.kind is FactKind.TIME
    else "it is a list of things; use the sums the engine makes of it, such as claimed_value"
    for name, fact in FACTS.items()
    if fact.kind not in _KINDS
}

_EMPTY: Mapping[FactKind, object] = {
    FactKind.NUMBER: _NO_FACT,
    FactKind.COUNT: _NO_FACT,
    FactKind.LIMIT: NO_LIMIT,
    FactKind.FLAG: False,
    FactKind.CODE: "",
    FactKind.CODES: (),
    FactKind.NUMBERS: (),
    FactKind.TIME: None,
    FactKind.ITEMS: (),
    FactKind.CLAIMS: (),
}


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
            try:
                take = _TAKERS[name]
            except KeyError:
                raise BadFact(
                    f"There is no fact {name!r}; see the registry of facts."
                ) from None
            self[name] = take(name, value)


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
    "on_dispatch": lambda f: f.time("dispatched_at"),
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
    verdict = facts.plan.goods.verdict
    return sum(
        (i.value for i in facts.items_of if verdict(i.item_class) is Verdict.ACCEPT), _NO_FACT
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
    claimed, verdict = facts.codes("claimed_items"), facts.plan.goods.verdict
    return tuple(
        item
        for item in facts.items_of
        if (item.id in claimed if claimed else facts["whole_parcel"])
        and verdict(item.item_class) is Verdict.ACCEPT
    )


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
    name: _EMPTY[fact.kind] for name, fact in FACTS.items() if name not in _DERIVED
} | {"policy_state": "ACTIVE", "freight_paid": True, "insurer_decided": True, "as_of": FAR}


# --- What is taken in --------------------------------------------------------------------------


def _wrong(name: str, value: object, why: str = "") -> BadFact:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else shown[:77] + "…"
    return BadFact(f"{name} is {FACTS[name].kind.value}, not {shown}{why}.")


def _number(name: str, value: object) -> Decimal:
    if type(value) is int:
        value = Decimal(value)
    elif type(value) is not Decimal or not value.is_finite():
        raise _wrong(name, value)
    if not _NO_FACT <= value <= MAX_NUMBER or value.as_tuple().exponent < -MAX_DECIMALS:  # type: ignore[operator]
        raise _wrong(name, value, f"; at most {MAX_NUMBER:f} with {MAX_DECIMALS} decimals")
    return value


def _count(name: str, value: object) -> Decimal:
    number = _number(name, value)
    if number != number.to_integral_value():
        raise _wrong(name, value)
    return number


def _flag(name: str, value: object) -> bool:
    if type(value) is not bool:
        raise _wrong(name, value)
    return value


def _code(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARACTERS:
        raise _wrong(name, value)
    words = FACTS[name].words
    if words is not None and value and value not in words:
        raise _wrong(name, value, f"; one of {', '.join(sorted(words))}")
    return value


def _codes(name: str, value: object) -> tuple[str, ...]:
    return tuple(_code(name, entry) for entry in _entries(name, value))


def _numbers(name: str, value: object) -> tuple[Decimal, ...]:
    return tuple(_count(name, entry) for entry in _entries(name, value))


def _time(name: str, value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _wrong(name, value)
    if not FIRST_INSTANT <= value <= LAST_INSTANT:
        raise _wrong(name, value, " (years 1970 to 2999)")
    return value


def _items(name: str, value: object) -> tuple[Item, ...]:
    items = tuple(_item(name, entry) for entry in _entries(name, value))
    if sum((item.value for item in items), _NO_FACT) > MAX_NUMBER:
        raise BadFact(f"The {name} are worth more than {MAX_NUMBER:f} together.")
    return items


def _item(name: str, entry: object) -> Item:
    if isinstance(entry, Item):
        return entry
    if not isinstance(entry, Mapping) or not {"class", "value"} <= set(entry) <= _ITEM_KEYS:
        raise _wrong(name, entry)
    item_id, item_class = entry.get("id", ""), entry["class"]
    if not isinstance(item_id, str) or not isinstance(item_class, str):
        raise _wrong(name, entry)
    return Item(id=item_id, item_class=item_class, value=_number("goods_value", entry["value"]))


_ITEM_KEYS = {"id", "class", "value"}


def _claims(name: str, value: object) -> tuple[PriorClaim, ...]:
    return tuple(_claim(name, entry) for entry in _entries(name, value))


def _claim(name: str, entry: object) -> PriorClaim:
    if isinstance(entry, PriorClaim):
        return entry
    if not isinstance(entry, Mapping) or set(entry) != {"peril", "outcome"}:
        raise _wrong(name, entry)
    if not isinstance(entry["outcome"], str):
        raise _wrong(name, entry)
    return PriorClaim(peril=_code("peril", entry["peril"]), outcome=entry["outcome"])


def _entries(name: str, value: object) -> Sequence[object]:
    if isinstance(value, str) or not isinstance(value, tuple | list | frozenset | set):
        raise _wrong(name, value)
    if len(value) > MAX_ENTRIES:
        raise _wrong(name, value, f"; at most {MAX_ENTRIES} entries")
    return sorted(value) if isinstance(value, frozenset | set) else value


_TAKE_KIND: Mapping[FactKind, Callable[[str, object], object]] = {
    FactKind.NUMBER: _number,
    FactKind.LIMIT: _number,
    FactKind.COUNT: _count,
    FactKind.FLAG: _flag,
    FactKind.CODE: _code,
    FactKind.CODES: _codes,
    FactKind.NUMBERS: _numbers,
    FactKind.TIME: _time,
    FactKind.ITEMS: _items,
    FactKind.CLAIMS: _claims,
}
_TAKERS: Mapping[str, Callable[[str, object], object]] = {
    name: _TAKE_KIND[fact.kind] for name, fact in FACTS.items()
}
