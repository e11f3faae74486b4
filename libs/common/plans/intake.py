"""Facts taken in: checked for their kind, their words and their bounds before any plan reads them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from libs.common.plans.codes import Verdict
from libs.common.plans.registry import (
    FACTS,
    FIRST_INSTANT,
    LAST_INSTANT,
    MAX_DECIMALS,
    MAX_ENTRIES,
    MAX_NUMBER,
    MAX_TEXT_CHARACTERS,
    BadFact,
    FactKind,
    Item,
    PriorClaim,
)

_ZERO = Decimal(0)


def taken(name: str, value: object) -> object:
    """The value as plans read it; BadFact where it is not what that fact holds."""
    try:
        take = _TAKERS[name]
    except KeyError:
        raise BadFact(f"There is no fact {name!r}; see the registry of facts.") from None
    return take(name, value)


def _wrong(name: str, value: object, why: str = "") -> BadFact:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else shown[:77] + "…"
    return BadFact(f"{name} is {FACTS[name].kind.value}, not {shown}{why}.")


def _number(name: str, value: object) -> Decimal:
    if type(value) is int:
        value = Decimal(value)
    elif type(value) is not Decimal or not value.is_finite():
        raise _wrong(name, value)
    if not _ZERO <= value <= MAX_NUMBER or value.as_tuple().exponent < -MAX_DECIMALS:  # type: ignore[operator]
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
    if sum((item.value for item in items), _ZERO) > MAX_NUMBER:
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
    return Item(
        id=item_id,
        item_class=item_class,
        value=_number("goods_value", entry["value"]),
        verdict=_verdict(name, entry),
    )


_ITEM_KEYS = {"id", "class", "value", "verdict"}


def _verdict(name: str, entry: Mapping[str, object]) -> Verdict | None:
    given = entry.get("verdict")
    if given is None:
        return None
    if not isinstance(given, str) or given not in Verdict.__members__:
        raise _wrong(name, entry, f"; a verdict is one of {', '.join(Verdict)}")
    return Verdict(given)


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
