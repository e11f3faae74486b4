"""What a checkout asks. Read by msgspec: this is the hot route, and pydantic would halve it.

Nothing unknown, nothing converted: "25", 25.0 and true are no amounts. Every text and list has a
bound, and no text a control character.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from libs.common.errors import Fault
from libs.common.money import MAX_MINOR, Money, WrongCurrency
from libs.common.plans.codes import ITEM_CLASSES
from libs.common.problems import InvalidRequest
from libs.common.wire import FIRST_YEAR, LAST_YEAR
from services.quote.usecases import AskedItem, AskQuote

MAX_ITEMS: Final = 100
MAX_QUANTITY: Final = 10_000


def _whole(pattern: str) -> str:
    """The pattern for all of a text: Python's `$` alone lets a line break follow."""
    return rf"^(?:{pattern})$(?!\n)"


# As in libs.common.wire: control characters, half characters, and what turns the writing around.
_PRINTABLE: Final = _whole(
    r"[^\u0000-\u001f\u007f-\u009f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]*"
)

Code = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=_whole("[A-Za-z0-9][A-Za-z0-9._:-]*"))
]
Reference = Annotated[str, Meta(min_length=1, max_length=128, pattern=_PRINTABLE)]
ItemId = Annotated[str, Meta(min_length=1, max_length=64, pattern=_PRINTABLE)]
Description = Annotated[str, Meta(max_length=200, pattern=_PRINTABLE)]
Country = Annotated[
    str,
    Meta(
        pattern=_whole("[A-Z]{2}"),
        description="ISO 3166-1 alpha-2: a line's limits and times go by it.",
        examples=["DE"],
    ),
]
Kilograms = Annotated[
    str,
    Meta(
        pattern=_whole(r"[0-9]{1,6}(?:\.[0-9]{1,3})?"),
        description="A decimal, to the gram.",
        examples=["1.250"],
    ),
]
Instant = Annotated[datetime, Meta(tz=True)]
Codes = Annotated[tuple[Code, ...], Meta(max_length=20)]

if TYPE_CHECKING:
    ItemClass = str
else:
    ItemClass = Literal[tuple(sorted(ITEM_CLASSES))]


class Asked(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The base of everything that comes in."""


class MoneyAsked(Asked, frozen=True, kw_only=True):
    """An amount: `{"amount_minor": 2500, "currency": "MYR"}` is RM 25.00."""

    amount_minor: Annotated[
        int, Meta(ge=0, le=MAX_MINOR, description="In the smallest unit: sen, cents, fen.")
    ]
    currency: Annotated[
        str, Meta(pattern=_whole("[A-Z]{3}"), description="ISO 4217.", examples=["MYR"])
    ]

    def to_money(self) -> Money:
        return Money(self.amount_minor, self.currency)


class CustomerAsked(Asked, frozen=True, kw_only=True):
    """Who would be insured, by your own id: no name or address is needed here."""

    customer_id: Reference
    kind: Literal["consumer", "seller", "account"] = "consumer"
    is_registered: bool = False
    is_vip: bool = False


class OrderAsked(Asked, frozen=True, kw_only=True):
    """The order the parcel is of."""

    order_ref: Reference
    submitted_at: Annotated[
        Instant | None,
        Meta(description="When it was submitted to ship. Delays are counted from here."),
    ] = None
    options: Annotated[
        Codes, Meta(description="Services chosen for the parcel, such as `waterproof`.")
    ] = ()
    items_in_warehouse: bool = False
    is_rehearsal: bool = False
    is_packed: bool = False
    order_value_usd: Annotated[
        MoneyAsked | None,
        Meta(
            description="The order's value in USD: some reminders go by it. Where it is not said, "
            "the items' at the exchange rate you have entered."
        ),
    ] = None


class ParcelAsked(Asked, frozen=True, kw_only=True):
    """The way the parcel goes. Tags and mode are the plan's own where it knows the line."""

    line: Code
    destination: Country
    line_tags: Codes = ()
    mode: Annotated[Code | None, Meta(description="air, sea, rail, ...")] = None
    scope: Literal["domestic", "international"] | None = None
    packing: Code | None = None


class ItemAsked(Asked, frozen=True, kw_only=True):
    """A line of the parcel."""

    item_id: ItemId
    item_class: ItemClass
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
    unit_price: MoneyAsked
    description: Description = ""
    weight_kg: Annotated[
        Kilograms | None, Meta(description="Of the line, all its pieces together.")
    ] = None
    source: Literal["agent", "buy_yourself"] = "agent"
    marks: Annotated[
        tuple[Literal["branded", "electronic", "liquid"], ...], Meta(max_length=3)
    ] = ()


class QuoteRequest(Asked, frozen=True, kw_only=True):
    """A parcel to be insured. All money is in the plan's currency, but for `order_value_usd`."""

    customer: CustomerAsked
    order: OrderAsked
    parcel: ParcelAsked
    items: Annotated[tuple[ItemAsked, ...], Meta(min_length=1, max_length=MAX_ITEMS)]
    shipping_fee: MoneyAsked
    plan: Annotated[
        Code | None, Meta(description="One of your plans; without it each answers.")
    ] = None
    point: Annotated[
        Code | None, Meta(description="Where it is asked, such as `checkout`: see the plan.")
    ] = None
    insured_value: Annotated[
        MoneyAsked | None,
        Meta(
            description="The sum to insure; where it is not said, the value of the goods that the "
            "plan insures. A plan that insures the goods at their own value "
            "(`takes_insured_value` false) goes by that."
        ),
    ] = None

    def to_ask(self, tenant_id: str) -> AskQuote:
        """WrongCurrency or InvalidRequest (422), each with the place, where parts don't fit."""
        self._check_currencies()
        self._check_item_ids()
        order, parcel, customer = self.order, self.parcel, self.customer
        return AskQuote(
            tenant_id=tenant_id,
            plan=self.plan,
            point=self.point or "",
            customer_id=customer.customer_id,
            customer_kind=customer.kind,
            is_registered=customer.is_registered,
            is_vip=customer.is_vip,
            order_ref=order.order_ref,
            submitted_at=_instant(order.submitted_at),
            options=order.options,
            items_in_warehouse=order.items_in_warehouse,
            is_rehearsal=order.is_rehearsal,
            is_packed=order.is_packed,
            order_value_usd=order.order_value_usd.to_money() if order.order_value_usd else None,
            line=parcel.line,
            line_tags=parcel.line_tags,
            mode=parcel.mode or "",
            destination=parcel.destination,
            scope=parcel.scope or "",
            packing=parcel.packing or "",
            items=tuple(_item(item) for item in self.items),
            shipping_fee=self.shipping_fee.to_money(),
            insured_value=self.insured_value.to_money() if self.insured_value else None,
        )

    def _check_currencies(self) -> None:
        """One currency throughout: that of the shipping fee."""
        wanted = self.shipping_fee.currency
        for index, item in enumerate(self.items):
            _must_be(item.unit_price, wanted, f"#/items/{index}/unit_price/currency")
        if self.insured_value is not None:
            _must_be(self.insured_value, wanted, "#/insured_value/currency")
        if self.order.order_value_usd is not None:
            _must_be(self.order.order_value_usd, "USD", "#/order/order_value_usd/currency")

    def _check_item_ids(self) -> None:
        seen: set[str] = set()
        for index, item in enumerate(self.items):
            if item.item_id in seen:
                fault = Fault(
                    f"Item {item.item_id!a} is there already: give each line an id of its own.",
                    f"#/items/{index}/item_id",
                )
                raise InvalidRequest(fault.detail, faults=[fault])
            seen.add(item.item_id)


def _must_be(amount: MoneyAsked, currency: str, pointer: str) -> None:
    if amount.currency != currency:
        fault = Fault(f"This is in {amount.currency}; {currency} is wanted here.", pointer)
        raise WrongCurrency(fault.detail, faults=[fault])


def _instant(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    if not FIRST_YEAR < at.year < LAST_YEAR:
        fault = Fault(
            f"An instant lies between {FIRST_YEAR + 1} and {LAST_YEAR - 1}.",
            "#/order/submitted_at",
        )
        raise InvalidRequest(fault.detail, faults=[fault])
    return at.astimezone(UTC)


def _item(item: ItemAsked) -> AskedItem:
    price = item.unit_price
    return AskedItem(
        item_id=item.item_id,
        item_class=item.item_class,
        quantity=item.quantity,
        value=Money(price.amount_minor * item.quantity, price.currency),
        weight_kg=Decimal(item.weight_kg or 0),
        source=item.source,
        marks=item.marks,
    )
