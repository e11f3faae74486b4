"""One realistic example of every event, made from its own shape: every member filled."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import inspect

from libs.common.events import Event
from libs.common.money import Money

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def example(event: type[Event]) -> Event:
    """An event of that class with every member set, optional ones too."""
    made = _value(inspect.type_info(event))
    assert isinstance(made, event)
    return made


def _value(kind: inspect.Type) -> Any:
    match kind:
        case (
            inspect.StructType(cls=cls, fields=fields)
            | inspect.DataclassType(cls=cls, fields=fields)
        ):
            if cls is Money:
                return Money(12_345, "CNY")
            return cls(**{field.name: _value(field.type) for field in fields})
        case inspect.UnionType(types=types):
            return _value(next(t for t in types if not isinstance(t, inspect.NoneType)))
        case inspect.VarTupleType(item_type=item):
            return (_value(item),)
        case inspect.StrType():
            return "text"
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
    raise TypeError(f"no example of {kind}")


def as_json(event: Event) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event))
    return made
