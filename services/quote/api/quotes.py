"""Quotes: asked for on the hot route, shown and listed."""

import hashlib
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from fastapi import Depends, Query, Request, Response
from starlette.routing import Route

from libs.common.auth import QUOTES_READ, QUOTES_WRITE, Caller, requires
from libs.common.db import Database
from libs.common.errors import Refusal
from libs.common.idempotency import bare_key
from libs.common.ids import new_id
from libs.common.pagination import BadCursor, Listing, Page, Paging, paging
from libs.common.problems import problem_responses
from libs.common.service import Db, now_of, running_of
from libs.common.web import api_router, decode, read_json, require_json
from libs.common.wire import View
from services.quote import usecases
from services.quote.api.plans import sold_by
from services.quote.api.requests import QuoteRequest
from services.quote.api.views import QuoteView, answer_at
from services.quote.store import quotes
from services.quote.store.quotes import NEWEST, Quote, UnknownQuote, UsedKey
from services.quote.store.writer import QuoteWriter, Written, replay

router = api_router("/v1", tags=["quotes"])

_request = msgspec.json.Decoder(QuoteRequest)
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


async def ask_quote(request: Request) -> Response:
    """`POST /v1/quotes`. It goes round FastAPI: see `schema` for what the document says of it."""
    caller: Caller = await request.app.state.authenticator.authenticate(request.headers)
    caller.must(QUOTES_WRITE)
    require_json(request.headers)
    body = await request.body()
    # Twice: first for what has two readings, such as a name given twice, which msgspec lets pass.
    read_json(body)
    asked = decode(_request, body)
    understood = msgspec.json.encode(asked)
    key = _key(request, understood)
    parts = running_of(request)
    writer: QuoteWriter = request.app.state.quote_writer
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
        return _issued(earlier)
    answer = msgspec.json.encode(QuoteView.of(issued))
    quote = Quote(
        quote_id=issued.quote_id,
        tenant_id=caller.tenant_id,
        state=issued.state,
        created_at=issued.created_at,
        valid_until=issued.valid_until,
        order_ref=ask.order_ref,
        request=understood,
        answer=answer,
        key=key,
    )
    return _issued(await writer.write(quote, usecases.quote_issued(issued)))


ASK_QUOTE = Route("/v1/quotes", ask_quote, methods=["POST"])


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
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        quote = await quotes.get_quote(tx, quote_id, tenant_id=caller.tenant_id)
    return Response(answer_at(quote, now), media_type="application/json")


def _key(request: Request, understood: bytes) -> UsedKey | None:
    """The request's Idempotency-Key, which here may be missing.

    The fingerprint is of what was understood: the same request written otherwise is the same.
    """
    header = request.headers.get("idempotency-key")
    if header is None:
        return None
    return UsedKey(key=bare_key(header), body_sha256=hashlib.sha256(understood).digest())


async def _earlier(db: Database, tenant_id: str, key: UsedKey | None) -> Written | None:
    if key is None:
        return None
    async with db.transaction(tenant_id) as tx:
        found = await quotes.find_quotes_of_keys(tx, [(tenant_id, key.key)])
    return next((replay(key, quote) for quote in found.values()), None)


def _issued(written: Written) -> Response:
    """The answer as it was first given, whatever has become of the quote."""
    headers = {"location": f"/v1/quotes/{written.quote.quote_id}"}
    if written.is_replayed:
        headers["idempotency-replayed"] = "true"
    return Response(written.quote.answer, 201, headers, "application/json")
