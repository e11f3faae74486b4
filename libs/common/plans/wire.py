"""Facts as JSON: how a decision's inputs are stored, and how an example writes them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from libs.common.plans.registry import FACTS, BadFact, FactKind, Item, PriorClaim

_DECIMAL_KINDS = frozenset({FactKind.NUMBER, FactKind.LIMIT, FactKind.COUNT})


def to_wire(facts: Mapping[str, object]) -> dict[str, object]:
    """Decimals as strings, instants as ISO 8601 in UTC, lists as lists. Unset facts are left out."""
    return {name: _write(value) for name, value in facts.items() if value is not None}


def from_wire(stored: Mapping[str, object], zone: ZoneInfo) -> dict[str, object]:
    """The facts again; a time without an offset is local to the plan's zone. BadFact where wrong."""
    return {
        name: _read(name, value, zone) for name, value in stored.items() if value is not None
    }


def _write(value: object) -> object:
    if isinstance(value, Decimal):
        return _written(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Item):
        decided = {} if value.verdict is None else {"verdict": value.verdict.value}
        return {
            "id": value.id,
            "class": value.item_class,
            "value": _written(value.value),
            **decided,
        }
    if isinstance(value, PriorClaim):
        return {"peril": value.peril, "outcome": value.outcome}
    if isinstance(value, Mapping):
        return {key: _write(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_write(entry) for entry in value]
    if isinstance(value, frozenset | set):
        return sorted(value)
    return value


def _written(number: Decimal) -> str:
    """As it comes back digit for digit: 1E+3 is not written out, since 1000 has other digits."""
    exponent = number.as_tuple().exponent
    return str(number) if isinstance(exponent, int) and exponent > 0 else f"{number:f}"


def _read(name: str, value: object, zone: ZoneInfo) -> object:
    fact = FACTS.get(name)
    if fact is None:
        raise BadFact(f"There is no fact {name!r}; see the registry of facts.")
    if fact.kind in _DECIMAL_KINDS and isinstance(value, str):
        return _decimal(name, value)
    if fact.kind is FactKind.TIME and isinstance(value, str):
        return _instant(name, value, zone)
    if fact.kind is FactKind.NUMBERS and isinstance(value, list | tuple):
        return tuple(_decimal(name, one) if isinstance(one, str) else one for one in value)
    if fact.kind is FactKind.ITEMS and isinstance(value, list | tuple):
        return tuple(_item(entry) for entry in value)
    return tuple(value) if isinstance(value, list) else value


def _item(entry: object) -> object:
    if isinstance(entry, Mapping) and isinstance(entry.get("value"), str):
        return {**entry, "value": _decimal("items", entry["value"])}
    return entry


def _decimal(name: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BadFact(f'{name} is a decimal such as "12.50", not {text[:40]!r}.') from None


def _instant(name: str, text: str, zone: ZoneInfo) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadFact(
            f'{name} is a time such as "2024-05-06T10:00:00", not {text[:40]!r}.'
        ) from None
    return at.replace(tzinfo=zone) if at.tzinfo is None else at
