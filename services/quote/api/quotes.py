"""Quotes: asked for on the hot route, shown and listed."""

import hashlib
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from fastapi import Depends, FastAPI, Query, Response
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from libs.common import history
from libs.common.auth import QUOTES_READ, QUOTES_WRITE, Caller, requires
from libs.common.db import Database
from libs.common.errors import Refusal
from libs.common.idempotency import bare_key
from libs.common.ids import new_id
from libs.common.pagination import BadCursor, Listing, Page, Paging, paging
from libs.common.problems import problem_responses
from libs.common.service import Db, Running, now_of
from libs.common.web import api_router, decode, read_json, require_json
from libs.common.wire import View
from services.quote import usecases
from services.quote.api.plans import sold_by
from services.quote.api.requests import QuoteRequest
from services.quote.api.views import QuoteView, answer_at
from services.quote.store import consents, quotes
from services.quote.store.quotes import NEWEST, Quote, UnknownQuote, UsedKey
from services.quote.store.writer import QuoteWriter, Written, replay

router = api_router("/v1", tags=["quotes"])

_request = msgspec.json.Decoder(QuoteRequest)
_any: msgspec.json.Decoder[object] = msgspec.json.Decoder()
_listing: Listing[quotes.Position] = Listing("quotes", tuple[datetime, str])

State = Literal[
    "DRAFT", "UNDER_VERIFICATION", "INFO_REQUIRED", "PRICED", "DECLINED", "INVALID", "BOUND",
    "EXPIRED",
]  # fmt: skip


class QuoteSummary(View):
    """A quote in a list; `GET /v1/quotes/{quote_id}` has its offers."""

    quote_id: str
    state: str
    created_at: datetime
    valid_until: datetime
    order_ref: str


class AskQuote:
    """`POST /v1/quotes`. It goes round FastAPI: see `schema` for what the document says of it.

    Written on ASGI itself: what Starlette builds for a request and its answer would be a tenth of
    what a quote costs.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = scope["app"]
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        caller: Caller = await app.state.authenticator.authenticate(headers)
        caller.must(QUOTES_WRITE)
        require_json(headers)
        asked = _read(await _body(receive))
        written = await _answer(app, caller, asked, headers.get("idempotency-key"))
        await _send(send, written)


async def _answer(
    app: FastAPI, caller: Caller, asked: QuoteRequest, header: str | None
) -> Written:
    """The quote that is stored now, or the one that was given to this key before."""
    understood = msgspec.json.encode(asked)
    key = None if header is None else _key(header, understood)
    parts: Running = app.state.running
    writer: QuoteWriter = app.state.quote_writer
    try:
        ask = asked.to_ask(caller.tenant_id)
        now = await now_of(parts.db, caller)
        plans = usecases.plans_asked(
            parts.plans, sold_by(parts, caller.tenant_id), ask, now=now
        )
        issued = usecases.issue_quote(ask, plans, quote_id=new_id("quo"), now=now)
    except Refusal:
        # Plans come and go; what was answered to this key before still stands.
        earlier = await _earlier(parts.db, caller.tenant_id, key)
        if earlier is None:
            raise
        return earlier
    quote = Quote(
        quote_id=issued.quote_id,
        tenant_id=caller.tenant_id,
        state=issued.state,
        created_at=issued.created_at,
        valid_until=issued.valid_until,
        order_ref=ask.order_ref,
        request=understood,
        answer=msgspec.json.encode(QuoteView.of(issued)),
        key=key,
    )
    return await writer.write(
        quote, usecases.quote_issued(issued), usecases.opened_with(issued)
    )


ASK_QUOTE = Route("/v1/quotes", AskQuote(), methods=["POST"])


@router.get("/quotes", responses=problem_responses(BadCursor))
async def list_quotes(
    caller: Annotated[Caller, requires(QUOTES_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    state: Annotated[State | None, Query(description="Only quotes in this state.")] = None,
) -> Page[QuoteSummary]:
    """Your quotes, newest first."""
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        found = await quotes.list_quotes(
            tx,
            tenant_id=caller.tenant_id,
            state=state,
            before=_listing.after(paging.cursor) or NEWEST,
            limit=paging.limit + 1,
            now=now,
        )
    return _listing.page(
        found,
        paging.limit,
        view=lambda quote: QuoteSummary(
            quote_id=quote.quote_id,
            state=quote.state_at(now),
            created_at=quote.created_at,
            valid_until=quote.valid_until,
            order_ref=quote.order_ref,
        ),
        position=lambda quote: (quote.created_at, quote.quote_id),
    )


@router.get(
    "/quotes/{quote_id}",
    response_class=Response,
    responses={200: {"description": "The quote"}, **problem_responses(UnknownQuote)},
)
async def show_quote(
    quote_id: str, caller: Annotated[Caller, requires(QUOTES_READ, or_service=True)], db: Db
) -> Response:
    """A quote as it was issued, with the state it has now. Unknown and another's are the same 404."""
    tenant_id, now = caller.tenant_id, await now_of(db, caller)
    async with db.transaction(tenant_id) as tx:
        quote = await quotes.get_quote(tx, quote_id, tenant_id=tenant_id)
        consent = await consents.find_latest(tx, quote_id, tenant_id=tenant_id)
        version = await history.version_of(tx, quote_id, tenant_id=tenant_id)
    return Response(
        answer_at(quote, consent, now),
        headers=history.etag(version),
        media_type="application/json",
    )


async def _body(receive: Receive) -> bytes:
    """All of the body; the door in front of us has bounded it."""
    body, is_whole = b"", False
    while not is_whole:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
    return body


def _read(body: bytes) -> QuoteRequest:
    """What the body asks, read as strictly as `read_json` reads, and mostly without it.

    msgspec lets a name pass that is given twice. But a body that is, but for its blanks, the very
    text that its own values are written as has no name twice, and one reading only.
    """
    if not _has_one_reading(body):
        read_json(body)
    try:
        return decode(_request, body)
    except Refusal:
        # Of two things that are wrong, what is no JSON at all is said first.
        read_json(body)
        raise


def _has_one_reading(body: bytes) -> bool:
    try:
        return msgspec.json.encode(_any.decode(body)) == msgspec.json.format(body, indent=-1)
    except (ValueError, RecursionError):
        return False


def _key(header: str, understood: bytes) -> UsedKey:
    """The fingerprint is of what was understood: the same request written otherwise is the same."""
    return UsedKey(key=bare_key(header), body_sha256=hashlib.sha256(understood).digest())


async def _earlier(db: Database, tenant_id: str, key: UsedKey | None) -> Written | None:
    if key is None:
        return None
    async with db.transaction(tenant_id) as tx:
        found = await quotes.find_quotes_of_keys(tx, [(tenant_id, key.key)])
    return next((replay(key, quote) for quote in found.values()), None)


async def _send(send: Send, written: Written) -> None:
    """The answer as it was first given, whatever has become of the quote."""
    body = written.quote.answer
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"location", b"/v1/quotes/" + written.quote.quote_id.encode()),
    ]
    if written.is_replayed:
        headers.append((b"idempotency-replayed", b"true"))
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": body})
