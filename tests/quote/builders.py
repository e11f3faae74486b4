"""A valid world for the quote service's tests; each test changes what it is about."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.plans.book import PlanBook
from libs.common.plans.reading import load
from libs.common.settings import PROGRAMMES
from services.quote.events import QuoteIssued
from services.quote.store.quotes import Quote, UsedKey

BOOK: PlanBook = load(PROGRAMMES)
NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
TENANT = "sbx-cssbuy-tests"

Json = dict[str, Any]


def cny(minor: int) -> Json:
    return {"amount_minor": minor, "currency": "CNY"}


def an_item(**changes: object) -> Json:
    """Shoes of CNY 500."""
    return {
        "item_id": "1",
        "item_class": "shoes",
        "quantity": 2,
        "unit_price": cny(25_000),
        "weight_kg": "1.850",
        **changes,
    }


def a_request(**changes: object) -> Json:
    """A parcel CSSBuy insures: goods of CNY 500, shipping CNY 120, insured at 620."""
    return {
        "plan": "cssecure",
        "point": "submit_to_ship",
        "customer": {"customer_id": "cust-4711", "kind": "consumer", "is_registered": True},
        "order": {
            "order_ref": "order-1042",
            "submitted_at": "2026-03-02T10:00:00Z",
            "options": ["waterproof"],
            "items_in_warehouse": True,
        },
        "parcel": {"line": "EMS", "destination": "DE", "scope": "international"},
        "items": [an_item()],
        "shipping_fee": cny(12_000),
        "insured_value": cny(62_000),
        **changes,
    }


def without(request: Mapping[str, Any], name: str) -> Json:
    return {key: value for key, value in request.items() if key != name}


def a_quote(**changes: Any) -> Quote:
    values: Json = {
        "quote_id": new_id("quo"),
        "tenant_id": TENANT,
        "state": "PRICED",
        "created_at": NOW,
        "valid_until": NOW + timedelta(days=7),
        "order_ref": "order-1042",
        "request": b"{}",
        **changes,
    }
    answer = (
        b'{"quote_id":"%b","state":"%b","created_at":"%b","valid_until":"%b","offers":[]}'
        % (
            values["quote_id"].encode(),
            values["state"].encode(),
            values["created_at"].isoformat().encode(),
            values["valid_until"].isoformat().encode(),
        )
    )
    return Quote(**{"answer": answer, **values})


def an_event(quote: Quote) -> QuoteIssued:
    return QuoteIssued(
        quote_id=quote.quote_id, state=quote.state, offers=(), valid_until=quote.valid_until
    )


def a_key(key: str = "key-1", body: bytes = b"a") -> UsedKey:
    return UsedKey(key=key, body_sha256=body * 32)


def wire(at: datetime) -> str:
    """The instant as answers and events write it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def said_of(
    db: Database, quote_id: str, tenant_id: str = TENANT
) -> list[tuple[str, Json]]:
    """What is kept of the quote: each event's name and what it said, the first one first."""
    async with db.transaction(tenant_id) as tx:
        rows = await tx.fetch(
            "SELECT type, data FROM history WHERE tenant_id = $1 AND key = $2 ORDER BY sequence",
            tenant_id,
            quote_id,
        )
    return [(row["type"].split(".")[2], json.loads(row["data"])) for row in rows]
