"""What is sent: the same bodies and the same events for both sides of a row."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from libs.common.events import Announcement
from libs.common.money import Money
from libs.common.plans.book import PlanBook
from services.policy.domain.policies import Item, PlanPin, Terms
from services.policy.events import PolicyPaid

# No sandbox: those ask for their test clock with every request.
TENANT = "cssbuy"
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
_CLASSES = ("shoes", "clothing", "phone", "bag", "toy")
_DESTINATIONS = ("DE", "US", "FR", "AU", "GB", "CA", "PL")


def bodies(number: int = 64) -> list[str]:
    """Requests for a quote of three items, about a kilobyte each and no two the same."""
    return [json.dumps(_body(i)) for i in range(number)]


def _body(i: int) -> dict[str, Any]:
    price, shipping = 10_000 + 517 * i, 12_000 + 31 * i
    items = [
        {
            "item_id": f"{i}-{place}",
            "item_class": _CLASSES[(i + place) % len(_CLASSES)],
            "description": f"Bought for customer {i}, line {place} of the parcel",
            "quantity": 1 + place,
            "unit_price": {"amount_minor": price + place, "currency": "CNY"},
            "weight_kg": f"{1 + place}.{i % 10}50",
        }
        for place in range(3)
    ]
    goods = sum(item["quantity"] * (price + place) for place, item in enumerate(items))
    return {
        "plan": "cssecure",
        "point": "submit_to_ship",
        "customer": {
            "customer_id": f"cust-{4711 + i}",
            "kind": "consumer",
            "is_registered": True,
        },
        "order": {
            "order_ref": f"order-{1042 + i}",
            "submitted_at": "2026-03-02T10:00:00Z",
            "options": ["waterproof"],
            "items_in_warehouse": True,
        },
        "parcel": {
            "line": "EMS",
            "destination": _DESTINATIONS[i % len(_DESTINATIONS)],
            "scope": "international",
        },
        "items": items,
        "shipping_fee": {"amount_minor": shipping, "currency": "CNY"},
        "insured_value": {"amount_minor": goods + shipping, "currency": "CNY"},
    }


def policies_paid(plans: PlanBook, number: int, *, run: str) -> Iterator[Announcement]:
    """PolicyPaid of as many policies; `run` sets their ids apart from other rounds'."""
    plan = plans.newest("cssecure")
    pin = PlanPin(plan=plan.plan, version=plan.version, sha256=plan.sha256)
    whole = terms()
    for i in range(number):
        policy_id = f"pol_{run}{i:08d}"
        yield Announcement(
            tenant_id=TENANT,
            key=policy_id,
            event=PolicyPaid(
                policy_id=policy_id,
                quote_id=f"quo_{run}{i:08d}",
                plan=pin,
                terms=replace(whole, order_ref=f"order-{run}{i}"),
                state="SCHEDULED",
                premium_paid=_cny(4_860),
                paid_at=NOW,
                confirmed_at=NOW,
            ),
        )


def terms() -> Terms:
    return Terms(
        insured_value=_cny(162_000),
        goods_value=_cny(150_000),
        eligible_goods_value=_cny(150_000),
        shipping_fee=_cny(12_000),
        premium=_cny(4_860),
        rate=Decimal("0.03"),
        items=tuple(
            Item(
                item_id=str(place),
                item_class=_CLASSES[place],
                quantity=2,
                value=_cny(50_000),
                weight_kg=Decimal("1.850"),
                verdict="ACCEPT",
            )
            for place in range(3)
        ),
        submitted_at=NOW,
        line="EMS",
        mode="air",
        destination="DE",
        scope="international",
        options=("waterproof",),
        customer_id="cust-4711",
        is_registered=True,
    )


def _cny(minor: int) -> Money:
    return Money(minor, "CNY")
