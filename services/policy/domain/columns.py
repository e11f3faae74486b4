"""The columns of a CSV of parcels, and where each one's cell stands in a row's JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["text", "list", "whole", "flag", "amount"]
Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`steps` lead to the cell's place in the JSON of a row; `example` is a cell that works."""

    steps: Steps
    example: str
    kind: Kind = "text"
    is_required: bool = False


_ITEM: Final[Steps] = ("quote", "items", 0)

COLUMNS: Final[Mapping[str, Column]] = {
    "reference": Column(steps=("reference",), example="CSS-1001", is_required=True),
    "plan": Column(steps=("quote", "plan"), example="cssecure"),
    "point": Column(steps=("quote", "point"), example="submit_to_ship"),
    "customer_id": Column(
        steps=("quote", "customer", "customer_id"), example="ann", is_required=True
    ),
    "customer_kind": Column(steps=("quote", "customer", "kind"), example="consumer"),
    "is_registered": Column(
        steps=("quote", "customer", "is_registered"), example="true", kind="flag"
    ),
    "is_vip": Column(steps=("quote", "customer", "is_vip"), example="false", kind="flag"),
    # The row's own reference where it is not said.
    "order_ref": Column(steps=("quote", "order", "order_ref"), example="order-1"),
    "submitted_at": Column(
        steps=("quote", "order", "submitted_at"), example="2026-03-02T10:00:00Z"
    ),
    "options": Column(
        steps=("quote", "order", "options"), example="waterproof;corners", kind="list"
    ),
    "items_in_warehouse": Column(
        steps=("quote", "order", "items_in_warehouse"), example="true", kind="flag"
    ),
    "is_rehearsal": Column(
        steps=("quote", "order", "is_rehearsal"), example="false", kind="flag"
    ),
    "is_packed": Column(steps=("quote", "order", "is_packed"), example="false", kind="flag"),
    "line": Column(steps=("quote", "parcel", "line"), example="EMS", is_required=True),
    "destination": Column(
        steps=("quote", "parcel", "destination"), example="DE", is_required=True
    ),
    "scope": Column(steps=("quote", "parcel", "scope"), example="international"),
    "mode": Column(steps=("quote", "parcel", "mode"), example="air"),
    "packing": Column(steps=("quote", "parcel", "packing"), example="carton"),
    "item_class": Column(steps=(*_ITEM, "item_class"), example="shoes", is_required=True),
    "quantity": Column(steps=(*_ITEM, "quantity"), example="2", kind="whole"),
    "unit_price": Column(
        steps=(*_ITEM, "unit_price"), example="250.00", kind="amount", is_required=True
    ),
    "weight_kg": Column(steps=(*_ITEM, "weight_kg"), example="1.250"),
    "source": Column(steps=(*_ITEM, "source"), example="agent"),
    "marks": Column(steps=(*_ITEM, "marks"), example="branded;liquid", kind="list"),
    "currency": Column(
        steps=("quote", "shipping_fee", "currency"), example="CNY", is_required=True
    ),
    "shipping_fee": Column(
        steps=("quote", "shipping_fee"), example="120.00", kind="amount", is_required=True
    ),
    "insured_value": Column(steps=("quote", "insured_value"), example="620.00", kind="amount"),
    "carrier": Column(steps=("carrier",), example="ems"),
    "tracking_number": Column(steps=("tracking_number",), example="EZ1000000001CN"),
    "contact_email": Column(steps=("contact", "email"), example="ann@example.com"),
    "contact_locale": Column(steps=("contact", "locale"), example="en"),
    "payment_reference": Column(steps=("payment_reference",), example="card-801"),
}

REQUIRED: Final = tuple(name for name, column in COLUMNS.items() if column.is_required)


def in_csv(pointer: str) -> str:
    """The column that a pointer into the row's JSON means; `#/unit_price` for `.../unit_price/...`."""
    steps = tuple(pointer.removeprefix("#/").split("/"))
    found = [
        name for name, column in COLUMNS.items() if _leads(tuple(map(str, column.steps)), steps)
    ]
    # Of `shipping_fee` and its currency the nearer one.
    nearest = max(found, key=lambda name: len(COLUMNS[name].steps), default="")
    return f"#/{nearest}" if nearest else pointer


def _leads(steps: tuple[str, ...], further: tuple[str, ...]) -> bool:
    return further[: len(steps)] == steps
