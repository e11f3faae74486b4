"""One realistic example of every event, made from its own shape: every member filled."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import inspect

from libs.common.events import Event
from libs.common.money import Money

NOW = datetime(2026, 3, 2, 10, 0, 0, 123_000, tzinfo=UTC)

Json = dict[str, Any]

# What a member of that name says; a name that is not here says itself.
_WORDS = {
    "plan": "cssecure",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "peril": "DELAY",
    "outcome": "APPROVED",
    "state": "ACTIVE",
    "status": "in_transit",
    "instrument": "cash",
    "carrier": "ems",
    "tracking_number": "EZ1000000001CN",
    "item_class": "shoes",
    "order_ref": "CSS-1001",
    "template": "claim.decided",
    "channel": "mail",
    "decided_by": "engine",
}
_NUMBER = "01JQZX7Y5V0000000000000000"
_PREFIXES = {
    "quote_id": "quo", "policy_id": "pol", "claim_id": "clm", "decision_id": "dec",
    "payout_id": "pyt", "evidence_id": "evd", "notification_id": "ntf", "event_id": "evt",
    "clock_id": "clk", "batch_id": "bat",
}  # fmt: skip


def example(event: type[Event]) -> Event:
    """An event of that class with every member set, optional ones too."""
    made = _value(inspect.type_info(event), "")
    assert isinstance(made, event)
    return made


def as_json(event: Event) -> Json:
    """The event's data as it travels."""
    made: Json = msgspec.json.decode(msgspec.json.encode(event))
    return made


def of_yesterday(event: type[Event]) -> Json:
    """The example as it was said before any optional member came to be."""
    made: Json = _least(as_json(example(event)), inspect.type_info(event))
    return made


def of_tomorrow(said: Any) -> Any:
    """The data with a member more in each of its objects."""
    if isinstance(said, dict):
        inner = {name: of_tomorrow(value) for name, value in said.items()}
        return {**inner, "of_tomorrow": {"is": ["unknown"]}}
    if isinstance(said, list):
        return [of_tomorrow(value) for value in said]
    return said


def _value(kind: inspect.Type, name: str) -> Any:
    match kind:
        case (
            inspect.StructType(cls=cls, fields=fields)
            | inspect.DataclassType(cls=cls, fields=fields)
        ):
            if cls is Money:
                return Money(12_345, "CNY")
            return cls(**{field.name: _value(field.type, field.name) for field in fields})
        case inspect.UnionType(types=types):
            return _value(next(t for t in types if not isinstance(t, inspect.NoneType)), name)
        case inspect.VarTupleType(item_type=item):
            return (_value(item, name.removesuffix("s")),)
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.StrType():
            return _text(name)
        case inspect.BoolType():
            return True
        case inspect.IntType():
            return 7
        case inspect.DecimalType():
            return Decimal("0.038")
        case inspect.DateTimeType():
            return NOW
        case inspect.DateType():
            return date(2026, 3, 2)
    raise TypeError(f"Say in tests/contracts/examples.py what an example of {kind} is.")


def _text(name: str) -> str:
    if name.endswith("_id"):
        return f"{_PREFIXES.get(name, name.removesuffix('_id'))}_{_NUMBER}"
    return _WORDS.get(name, name)


def _least(said: Any, kind: inspect.Type) -> Any:
    if isinstance(said, dict):
        return {
            field.encode_name: _least(said[field.encode_name], field.type)
            for field in _fields(kind)
            if field.required
        }
    if isinstance(said, list) and isinstance(kind, inspect.VarTupleType):
        return [_least(value, kind.item_type) for value in said]
    return said


def _fields(kind: inspect.Type) -> Iterator[inspect.Field]:
    """The members of an object, or of the object that an optional one may be."""
    match kind:
        case inspect.StructType(fields=fields) | inspect.DataclassType(fields=fields):
            yield from fields
        case inspect.UnionType(types=types):
            for one in types:
                yield from _fields(one)
