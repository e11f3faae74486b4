"""What the OpenAPI document says of the routes that read by msgspec, which FastAPI does not know.

The schemas are made from the very classes the routes decode and encode with.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from fastapi import FastAPI

from libs.common.auth import QUOTES_WRITE, NoToken
from libs.common.errors import Forbidden
from libs.common.idempotency import KeyReused
from libs.common.money import BadAmount, WrongCurrency
from libs.common.plans.book import UnknownPlan
from libs.common.problems import (
    BodyTooLarge,
    InvalidRequest,
    MalformedJson,
    UnsupportedMediaType,
    problem_responses,
)
from services.quote.api import batches
from services.quote.api.batches import QuotesRequest
from services.quote.api.requests import QuoteRequest
from services.quote.api.views import QuoteView

_REFERENCE: Final = "#/components/schemas/{name}"

_REFUSALS: Final = (
    MalformedJson,
    NoToken,
    Forbidden,
    UnknownPlan,
    BodyTooLarge,
    UnsupportedMediaType,
    InvalidRequest,
    WrongCurrency,
    BadAmount,
    KeyReused,
)

CSSECURE_REQUEST: Final[dict[str, Any]] = {
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
    "items": [
        {
            "item_id": "1",
            "item_class": "shoes",
            "description": "running shoes",
            "quantity": 2,
            "unit_price": {"amount_minor": 25_000, "currency": "CNY"},
            "weight_kg": "1.850",
        }
    ],
    "shipping_fee": {"amount_minor": 12_000, "currency": "CNY"},
    "insured_value": {"amount_minor": 62_000, "currency": "CNY"},
}

MYPOZ_REQUEST: Final[dict[str, Any]] = {
    "point": "order_submission",
    "customer": {"customer_id": "cust-9", "kind": "consumer"},
    "order": {
        "order_ref": "order-7",
        "order_value_usd": {"amount_minor": 34_000, "currency": "USD"},
    },
    "parcel": {"line": "SEA-MY", "destination": "MY"},
    "items": [
        {
            "item_id": "1",
            "item_class": "phone",
            "quantity": 1,
            "unit_price": {"amount_minor": 150_000, "currency": "MYR"},
        },
        {
            "item_id": "2",
            "item_class": "vase",
            "quantity": 1,
            "unit_price": {"amount_minor": 40_000, "currency": "MYR"},
        },
    ],
    "shipping_fee": {"amount_minor": 4_500, "currency": "MYR"},
}

REQUEST_EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "cssecure": {"summary": "One plan, priced at once", "value": CSSECURE_REQUEST},
    "mypoz-cargo": {"summary": "All your plans; papers to follow", "value": MYPOZ_REQUEST},
}


def _yuan(minor: int, formatted: str) -> dict[str, object]:
    return {"amount_minor": minor, "currency": "CNY", "formatted": formatted}


ANSWER_EXAMPLE: Final[dict[str, Any]] = {
    "quote_id": "quo_01KN5Q9V8T3D4W5XQ7Z2M6H0BC",
    "state": "PRICED",
    "created_at": "2026-03-02T10:00:00Z",
    "valid_until": "2026-03-09T10:00:00Z",
    "exchange_rate": None,
    "missing": [],
    "confirmed_at": None,
    "consent": None,
    "offers": [
        {
            "plan": "cssecure",
            "version": 2,
            "sha256": "0" * 64,
            "state": "PRICED",
            "is_available": True,
            "reasons": [],
            "reminder": False,
            "warnings": [],
            "premium": _yuan(1_860, "¥18.60"),
            "raw_premium": _yuan(1_860, "¥18.60"),
            "rate": "0.03",
            "insured_value": _yuan(62_000, "¥620.00"),
            "limit": _yuan(1_000_000, "¥10,000.00"),
            "goods_limit": None,
            "limit_when": "True",
            "limit_rules": ["CS-05", "CS-06"],
            "perils": ["LOSS", "SEIZURE", "DAMAGE", "SHORTAGE", "DELAY", "RETURN"],
            "exclusions": ["fraud"],
            "wordings": {
                "en": "cssecure.v2.en.000000000000",
                "zh-Hans": "cssecure.v2.zh-Hans.000000000000",
                "ms": "cssecure.v2.ms.000000000000",
            },
            "items": [
                {
                    "item_id": "1",
                    "verdict": "ACCEPT",
                    "reason": "",
                    "premium": _yuan(1_500, "¥15.00"),
                }
            ],
            "terms": {
                "insured_value": _yuan(62_000, "¥620.00"),
                "goods_value": _yuan(50_000, "¥500.00"),
                "eligible_goods_value": _yuan(50_000, "¥500.00"),
                "shipping_fee": _yuan(12_000, "¥120.00"),
                "premium": _yuan(1_860, "¥18.60"),
                "rate": "0.03",
                "goods_limit": None,
                "items": [
                    {
                        "item_id": "1",
                        "item_class": "shoes",
                        "quantity": 2,
                        "value": _yuan(50_000, "¥500.00"),
                        "weight_kg": "1.850",
                        "source": "agent",
                        "marks": [],
                        "verdict": "ACCEPT",
                    }
                ],
                "documents": [],
                "order_ref": "order-1042",
                "submitted_at": "2026-03-02T10:00:00Z",
                "line": "EMS",
                "line_tags": [],
                "mode": "air",
                "destination": "DE",
                "scope": "international",
                "packing": "",
                "options": ["waterproof"],
                "customer_id": "cust-4711",
                "customer_kind": "consumer",
                "is_registered": True,
                "is_vip": False,
                "is_freight_paid": True,
            },
        }
    ],
}


_KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Your own name for this request, quoted or bare.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 257},
    "example": '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
}


def add_quotes(app: FastAPI) -> None:
    """Let the application's document know the route and its schemas."""
    document_of_the_rest: Callable[[], dict[str, Any]] = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            _add(document_of_the_rest())
        return document_of_the_rest()

    app.openapi = document  # type: ignore[method-assign]


def _add(document: dict[str, Any]) -> None:
    (request, answer, batch), components = msgspec.json.schema_components(
        [QuoteRequest, QuoteView, QuotesRequest], ref_template=_REFERENCE
    )
    schemas = document["components"]["schemas"]
    if clash := schemas.keys() & components.keys():
        raise ValueError(f"Two schemas have one name: {', '.join(sorted(clash))}.")
    schemas.update(components)
    paths = document["paths"]
    paths["/v1/quotes"]["post"] = _ask_quote(request, answer)
    paths["/v1/quotes/{quote_id}"]["get"]["responses"]["200"]["content"] = _json(answer)
    _ask_quotes(paths[batches.PATH]["post"], batch, answer)


def _ask_quote(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "tags": ["quotes"],
        "summary": "Ask Quote",
        "description": (
            "What it costs to insure a parcel, by one of your plans or by each. The answer comes "
            "once the quote is stored. A plan that does not insure the parcel answers too, and says "
            "why; prices are binding until `valid_until` for a quote that is PRICED.\n\n"
            "With an `Idempotency-Key` the same request again is given the first answer, for as long "
            "as the quote is kept; another body with that key is refused."
        ),
        "operationId": "ask_quote",
        "security": [{"bearer": [QUOTES_WRITE]}],
        "parameters": [_KEY],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": request, "examples": REQUEST_EXAMPLES}},
        },
        "responses": {
            "201": {
                "description": "The quote",
                "headers": {
                    "Location": {"schema": {"type": "string", "format": "uri-reference"}},
                    "Idempotency-Replayed": {
                        "description": "`true` where this answer was given before.",
                        "schema": {"const": "true"},
                    },
                },
                "content": _json(answer),
            },
            **{str(status): one for status, one in problem_responses(*_REFUSALS).items()},
        },
    }


def _ask_quotes(
    operation: dict[str, Any], request: dict[str, Any], quote: dict[str, Any]
) -> None:
    """What FastAPI has not seen of the route: its key, its body and its answer."""
    operation["parameters"] = [_KEY]
    operation["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {"schema": request, "example": {"quotes": [CSSECURE_REQUEST]}}
        },
    }
    operation["responses"]["200"]["content"] = {
        "application/json": {
            "schema": _results(quote),
            "example": {"results": [{"index": 0, "quote": ANSWER_EXAMPLE, "problem": None}]},
        }
    }


def _results(quote: dict[str, Any]) -> dict[str, Any]:
    """Of each row either its quote or its problem, whose pointers lead into the whole body."""
    problem = {"$ref": _REFERENCE.format(name="Problem")}
    result = {
        "type": "object",
        "required": ["index", "quote", "problem"],
        "properties": {
            "index": {"type": "integer", "description": "Of the row, from 0."},
            "quote": {"anyOf": [quote, {"type": "null"}]},
            "problem": {"anyOf": [problem, {"type": "null"}]},
        },
    }
    return {
        "type": "object",
        "required": ["results"],
        "properties": {"results": {"type": "array", "items": result}},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema, "example": ANSWER_EXAMPLE}}
