"""Many quotes in one call: for a checkout with several parcels, and for our own services.

Each row is read, decided and written by itself: what is wrong with one is told beside the others.
"""

import asyncio
from typing import Annotated, Final

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from msgspec import Meta

from libs.common.auth import INTERNAL_QUOTE, QUOTES_WRITE, Caller, requires
from libs.common.db import is_away
from libs.common.errors import Refusal
from libs.common.idempotency import BadKey, MissingKey, bare_key
from libs.common.problems import (
    BodyTooLarge,
    InvalidRequest,
    MalformedJson,
    UnsupportedMediaType,
    instance_of,
    problem_of,
    problem_responses,
)
from libs.common.service import now_of
from libs.common.web import INTERNAL_PATHS, decode_frame, raw_router, read_json, require_json
from services.quote.api.issuing import issue_quote, read_request
from services.quote.api.requests import Asked, QuoteRequest

MAX_ROWS: Final = 100
MAX_INTERNAL_ROWS: Final = 500
MAX_BODY_BYTES: Final = 2 * 1_048_576
MAX_INTERNAL_BODY_BYTES: Final = 8 * 1_048_576
# Enough to fill the writer's transactions, and a fraction of what may wait there for all callers.
MAX_ROWS_AT_ONCE: Final = 64

PATH: Final = "/v1/quotes/batch"
INTERNAL_PATH: Final = f"{INTERNAL_PATHS}quotes"

# Their bodies are read here, row by row.
router = raw_router(tags=["quotes"])

_log = structlog.get_logger()


# As the document has it; `_Rows` reads it without reading its rows.
class QuotesRequest(Asked, frozen=True, kw_only=True):
    """Several parcels to be insured, each as in `POST /v1/quotes`."""

    quotes: Annotated[tuple[QuoteRequest, ...], Meta(min_length=1, max_length=MAX_ROWS)]


class _Rows(Asked, frozen=True, kw_only=True):
    quotes: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=MAX_ROWS)]


class _InternalRows(_Rows, frozen=True, kw_only=True):
    quotes: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=MAX_INTERNAL_ROWS)]


class QuoteResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a row: its quote as `POST /v1/quotes` answers it, or its problem."""

    index: int
    quote: msgspec.Raw | None = None
    problem: msgspec.Raw | None = None


class QuotesView(msgspec.Struct, frozen=True, kw_only=True):
    results: list[QuoteResult]


_rows: msgspec.json.Decoder[_Rows] = msgspec.json.Decoder(_Rows)
_internal_rows: msgspec.json.Decoder[_Rows] = msgspec.json.Decoder(_InternalRows)


@router.post(
    PATH,
    response_class=Response,
    responses={
        200: {"description": "What became of each row, in their order"},
        **problem_responses(
            MalformedJson, BodyTooLarge, UnsupportedMediaType, InvalidRequest, BadKey
        ),
    },
)
async def ask_quotes(
    request: Request, caller: Annotated[Caller, requires(QUOTES_WRITE)]
) -> Response:
    """Ask for up to 100 quotes at once. A row that is refused does not stop the others.

    With an `Idempotency-Key` each row has a key of its own, `<key>#<index>`: the same request again
    is given the same quotes, and rows that were refused are tried again.
    """
    header = request.headers.get("idempotency-key")
    key = None if header is None else bare_key(header)
    return await _answer(request, caller, _rows, key)


@router.post(INTERNAL_PATH, response_class=Response, include_in_schema=False)
async def ask_quotes_for_tenant(
    request: Request, caller: Annotated[Caller, requires(INTERNAL_QUOTE)]
) -> Response:
    """As `ask_quotes`, for one of our services on the tenant's behalf: up to 500 rows, with a key."""
    header = request.headers.get("idempotency-key")
    if header is None:
        raise MissingKey("Send an Idempotency-Key: each row's key is made from it.")
    return await _answer(request, caller, _internal_rows, bare_key(header))


async def _answer(
    request: Request,
    caller: Caller,
    decoder: msgspec.json.Decoder[_Rows],
    key: str | None,
) -> Response:
    require_json(request.headers)
    body = await request.body()
    rows = [bytes(row) for row in decode_frame(decoder, body).quotes]
    if not _frames(body, rows):
        read_json(body)
    results = await _issue(request, caller, rows, key)
    return Response(
        msgspec.json.encode(QuotesView(results=results)), media_type="application/json"
    )


def _frames(body: bytes, rows: list[bytes]) -> bool:
    """Whether the body is, but for its blanks, these rows and nothing beside them, such as others
    under the same name.
    """
    inside = b",".join(msgspec.json.format(row, indent=-1) for row in rows)
    return msgspec.json.format(body, indent=-1) == b'{"quotes":[%b]}' % inside


async def _issue(
    request: Request, caller: Caller, rows: list[bytes], key: str | None
) -> list[QuoteResult]:
    app: FastAPI = request.app
    now = await now_of(app.state.running.db, caller)
    at_once = asyncio.Semaphore(MAX_ROWS_AT_ONCE)

    async def answer(index: int, row: bytes) -> QuoteResult:
        own_key = None if key is None else f"{key}#{index}"
        try:
            asked = read_request(row)
            written = await issue_quote(app, caller.tenant_id, asked, own_key, now=now)
        except Exception as failure:  # noqa: BLE001  whatever it is, it is this row's alone
            return _refused(request, index, failure)
        finally:
            at_once.release()
        return QuoteResult(index=index, quote=msgspec.Raw(written.quote.answer))

    async with asyncio.TaskGroup() as group:
        tasks = []
        for index, row in enumerate(rows):
            await at_once.acquire()
            tasks.append(group.create_task(answer(index, row)))
            # A row is a fraction of a millisecond of reckoning; other requests come in between.
            await asyncio.sleep(0)
    return [task.result() for task in tasks]


def _refused(request: Request, index: int, failure: Exception) -> QuoteResult:
    if not isinstance(failure, Refusal):
        if is_away(failure):
            _log.warning("quote_row_unavailable", index=index, cause=repr(failure))
        else:
            _log.error("quote_row_failed", index=index, exc_info=failure)
    problem = problem_of(failure, instance_of(request.scope)).within("quotes", index)
    return QuoteResult(index=index, problem=msgspec.Raw(problem.body()))
