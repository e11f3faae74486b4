"""What the OpenAPI document says of the route that goes round FastAPI: carriers' own door."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI

from libs.common.problems import BodyTooLarge, problem_responses
from libs.common.signatures import BadSignature
from services.policy.api.carriers import PATH, MalformedBody, UnknownProvider
from services.policy.tracking import PROVIDERS

_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["result", "notice_id"],
    "properties": {
        "result": {"enum": ["kept", "repeated"]},
        "notice_id": {"type": "string", "description": "Named by the hash of what was posted."},
    },
}

_PARAMETERS: Final[list[dict[str, Any]]] = [
    {
        "name": "provider",
        "in": "path",
        "required": True,
        "schema": {"enum": sorted(PROVIDERS)},
    },
    {
        "name": "tenant",
        "in": "query",
        "required": True,
        "description": "Whose parcels these are.",
        "schema": {"type": "string"},
    },
    {
        "name": "token",
        "in": "query",
        "required": False,
        "description": "For providers that do not sign; it is part of the hook's `path`.",
        "schema": {"type": "string"},
    },
]


def add_tracking(app: FastAPI) -> None:
    """Let the application's document know the route."""
    document_of_the_rest: Callable[[], dict[str, Any]] = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            document_of_the_rest()["paths"].setdefault(PATH, {})["post"] = _take_tracking()
        return document_of_the_rest()

    app.openapi = document  # type: ignore[method-assign]


def _take_tracking() -> dict[str, Any]:
    return {
        "tags": ["tracking"],
        "summary": "Take Tracking",
        "description": (
            "What a carrier or aggregator posts, in its own form and proven in its own way "
            "(`POST /v1/tracking-hooks` opens the address). It is kept as it came before the answer, "
            "and read within seconds: `GET /v1/tracking-notices` says what became of it. The same "
            "bytes again change nothing. A code that we do not know is no error: it is kept, listed "
            "(`GET /v1/tracking-codes`) and read again once the map has it."
        ),
        "operationId": "take_tracking",
        "security": [{"signature": []}],
        "parameters": _PARAMETERS,
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": {
            "200": {
                "description": "Kept",
                "content": {"application/json": {"schema": _ANSWER}},
            },
            **{
                str(status): one
                for status, one in problem_responses(
                    BadSignature, UnknownProvider, MalformedBody, BodyTooLarge
                ).items()
            },
        },
    }
