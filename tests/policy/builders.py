"""A valid world for policies: offers of every plan, requests for quotes, scans, and what was said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from libs.common.db import Database
from libs.common.events import Envelope, decode, with_sequence
from libs.common.money import Money, money
from libs.common.plans.book import PlanBook
from libs.common.plans.reading import load
from libs.common.plans.values import Plan
from libs.common.settings import PROGRAMMES
from services.policy.domain.policies import Item, Offer, PlanPin, Policy, Terms, bind

BOOK: PlanBook = load(PROGRAMMES)
TENANT = "sbx-cssbuy-tests"
OTHER_TENANT = "sbx-cssbuy-others"
QUOTE_ID = "quo_01JQZX7Y5V0000000000000000"

Json = dict[str, Any]


def at(text: str) -> datetime:
    """An instant in UTC, from `2024-05-01T08:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


BOUND_AT = at("2024-01-01T01:00")
VALID_UNTIL = BOUND_AT + timedelta(days=7)
MOMENT = timedelta(microseconds=1)


def plan_of(policy: Policy) -> Plan:
    return BOOK.pinned(policy.plan.sha256)


# --- the domain ------------------------------------------------------------------------------


def some_terms(currency: str = "CNY", **changes: Any) -> Terms:
    """Shoes of 850.00 insured with their freight of 350.00, for a premium of 36.00."""

    def amount(text: str) -> Money:
        return money(Decimal(text), currency)

    standard = Terms(
        insured_value=amount("1200"),
        goods_value=amount("850"),
        eligible_goods_value=amount("850"),
        shipping_fee=amount("350"),
        premium=amount("36"),
        rate=Decimal("0.03"),
        items=(Item(item_id="i1", item_class="shoes", quantity=2, value=amount("850")),),
        order_ref="order-1",
        submitted_at=BOUND_AT,
        line="EMS",
        destination="US",
        scope="international",
        customer_id="ann",
        customer_kind="consumer",
    )
    return replace(standard, **changes)


def an_offer(plan: str = "cssecure", **changes: Any) -> Offer:
    newest = BOOK.newest(plan)
    standard = Offer(
        quote_id=QUOTE_ID,
        plan=PlanPin(plan=newest.plan, version=newest.version, sha256=newest.sha256),
        terms=some_terms(newest.currency),
        state="PRICED",
        valid_until=VALID_UNTIL,
    )
    return replace(standard, **changes)


def bound(plan: str = "cssecure", **changes: Any) -> Policy:
    """A policy as binding makes it: PENDING, its premium of 36.00 still to come."""
    policy = bind(
        an_offer(plan), policy_id="pol_1", tenant_id=TENANT, premium=None, now=BOUND_AT
    )
    return replace(policy, **changes)


def premium_of(policy: Policy, minor: int | None = None) -> Money:
    """The premium, or another amount in its currency."""
    whole = policy.terms.premium
    return whole if minor is None else Money(minor, whole.currency)


# --- the API ---------------------------------------------------------------------------------


def amount(minor: int, currency: str = "CNY") -> Json:
    return {"amount_minor": minor, "currency": currency}


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """How a sandbox of a tenant asks for the quote that its plan offers."""

    tenant: str
    currency: str
    changes: Json
    premium_minor: int


PROGRAMMES_BY_PLAN = {
    "cssecure": Programme(
        tenant=TENANT,
        currency="CNY",
        changes={"plan": "cssecure", "point": "submit_to_ship"},
        premium_minor=3_600,
    ),
    "bml-shipping": Programme(
        tenant="sbx-bml-tests",
        currency="USD",
        changes={"plan": "bml-shipping", "point": "checkout"},
        premium_minor=2_550,
    ),
    "jsx-cargo": Programme(
        tenant="sbx-jsx-tests",
        currency="CNY",
        changes={
            "plan": "jsx-cargo",
            "point": "sales_contact",
            "customer": {"customer_id": "ann", "kind": "account"},
        },
        premium_minor=1_200,
    ),
    "tks-warehouse": Programme(
        tenant="sbx-tks-tests",
        currency="CNY",
        changes={
            "plan": "tks-warehouse",
            "point": "shipment_order",
            "customer": {"customer_id": "ann", "kind": "seller", "is_registered": True},
        },
        premium_minor=2_400,
    ),
}


def a_quote_request(plan: str = "cssecure") -> Json:
    """Shoes of 850.00 with freight of 350.00, insured at 1,200.00 where that can be chosen."""
    programme = PROGRAMMES_BY_PLAN[plan]
    currency = programme.currency
    request = {
        "customer": {"customer_id": "ann", "kind": "consumer"},
        "order": {
            "order_ref": "order-1",
            "submitted_at": "2024-01-01T01:00:00Z",
            "items_in_warehouse": True,
        },
        "parcel": {"line": "EMS", "destination": "US", "scope": "international"},
        "items": [
            {
                "item_id": "i1",
                "item_class": "shoes",
                "quantity": 2,
                "unit_price": amount(42_500, currency),
                "weight_kg": "1.200",
            }
        ],
        "shipping_fee": amount(35_000, currency),
        **programme.changes,
    }
    if plan != "bml-shipping":
        request["insured_value"] = amount(120_000, currency)
    return request


def a_scan(status: str, occurred_at: str, **more: Any) -> Json:
    return {"status": status, "occurred_at": occurred_at, **more}


# --- what was said ---------------------------------------------------------------------------


async def said(db: Database, key: str | None = None) -> list[Envelope]:
    """The events waiting in the outbox, in their order; of that key alone where one is named."""
    async with db.worker() as connection:
        rows = await connection.fetch("SELECT key, sequence, envelope FROM outbox ORDER BY id")
    return [
        decode(with_sequence(row["envelope"], row["sequence"]))
        for row in rows
        if key in (None, row["key"])
    ]


def names(envelopes: Sequence[Envelope]) -> list[str]:
    """`PolicyPaid` for io.parcelcover.PolicyPaid.v1."""
    return [envelope.type.split(".")[2] for envelope in envelopes]


async def relayed(db: Database) -> None:
    """As if the broker had taken all that waits."""
    async with db.worker() as connection:
        await connection.execute("DELETE FROM outbox")
