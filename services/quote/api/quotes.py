"""Quotes: asked for on the hot route, shown and listed."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Query, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from libs.common import history
from libs.common.auth import QUOTES_READ, QUOTES_WRITE, Caller, requires
from libs.common.idempotency import bare_key
from libs.common.pagination import (
    NEWEST,
    BadCursor,
    Listing,
    Moment,
    Page,
    Paging,
    Span,
    paging,
    span,
)
from libs.common.problems import problem_responses
from libs.common.service import Db, now_of
from libs.common.web import api_router, require_json, whole_body
from libs.common.wire import Code, View
from services.quote.api.issuing import issue_quote, read_request
from services.quote.api.views import answer_at
from services.quote.store import consents, quotes
from services.quote.store.quotes import QuotesWanted, UnknownQuote
from services.quote.store.writer import Written

router = api_router("/v1", tags=["quotes"])

_listing: Listing[Moment] = Listing("quotes", tuple[datetime, str])

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
        asked = read_request(await whole_body(receive))
        header = headers.get("idempotency-key")
        key = None if header is None else bare_key(header)
        now = await now_of(app.state.running.db, caller)
        await _send(send, await issue_quote(app, caller.tenant_id, asked, key, now=now))


ASK_QUOTE = Route("/v1/quotes", AskQuote(), methods=["POST"])


@router.get("/quotes", responses=problem_responses(BadCursor))
async def list_quotes(
    caller: Annotated[Caller, requires(QUOTES_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    span: Annotated[Span, Depends(span)],
    state: Annotated[State | None, Query(description="Only quotes in this state.")] = None,
    plan: Annotated[
        Code | None, Query(description="Only quotes with an offer of this plan.")
    ] = None,
    order_ref: Annotated[
        str | None,
        Query(min_length=1, max_length=128, description="Only quotes for this order."),
    ] = None,
) -> Page[QuoteSummary]:
    """Your quotes, newest first."""
    now = await now_of(db, caller)
    wanted = QuotesWanted(state=state, plan=plan, order_ref=order_ref, span=span)
    async with db.transaction(caller.tenant_id) as tx:
        found = await quotes.list_quotes(
            tx,
            wanted,
            tenant_id=caller.tenant_id,
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
