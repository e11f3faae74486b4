"""The customer's choice, recorded beside the quote it is about."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Request, Response

from libs.common.auth import QUOTES_READ, QUOTES_WRITE, Caller, requires
from libs.common.idempotency import key_of
from libs.common.pagination import NEWEST, BadCursor, Listing, Moment, Page, Paging, paging
from libs.common.problems import problem_responses
from libs.common.service import Db, now_of
from libs.common.web import api_router
from libs.common.wire import Body, Code, Instant, Matching, OneLine, View
from services.quote import usecases
from services.quote.store import consents, quotes
from services.quote.store.consents import Consent
from services.quote.store.quotes import UnknownQuote
from services.quote.usecases.consents import ConsentAhead, ConsentNotGiven, PlanNotAsked

router = api_router("/v1", tags=["quotes"])

_listing: Listing[Moment] = Listing("consents", tuple[datetime, str])

Choice = Literal["OPT_IN", "OPT_OUT"]
BoxState = Literal["UNTICKED", "TICKED_BY_CUSTOMER", "PRE_TICKED", "NONE"]


class ConsentRequest(Body):
    choice: Choice
    plan: Code
    """One of the quote's plans."""
    wording_id: Annotated[str, OneLine(120)]
    """Which text the customer was shown."""
    locale: Annotated[
        str,
        Matching(
            r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}", "a language such as en or zh-Hans"
        ),
    ]
    box_state: BoxState
    """Of the box beside the text; NONE where there was no box, as on the phone."""
    channel: Code
    """Where it was: checkout, phone, ..."""
    given_at: Instant | None = None
    """When the customer chose; now if unset."""


class ConsentView(View):
    consent_id: str
    quote_id: str
    choice: str
    plan: str
    wording_id: str
    locale: str
    box_state: str
    channel: str
    given_at: datetime
    recorded_at: datetime
    recorded_by: str

    @classmethod
    def of(cls, consent: Consent) -> "ConsentView":
        members = asdict(consent)
        del members["tenant_id"]
        return cls(**members)


@router.post(
    "/quotes/{quote_id}/consents",
    status_code=201,
    response_model=ConsentView,
    responses=problem_responses(UnknownQuote, ConsentNotGiven, ConsentAhead, PlanNotAsked),
)
async def record_consent(
    quote_id: str,
    body: ConsentRequest,
    request: Request,
    caller: Annotated[Caller, requires(QUOTES_WRITE)],
    db: Db,
) -> Response:
    """What the customer chose, with the text and the box as they were. The latest given stands.

    Nobody is opted in by default: an OPT_IN takes a box that the customer ticked, or a word to the
    staff where there is no box.
    """
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.RecordConsent(
        tenant_id=caller.tenant_id,
        quote_id=quote_id,
        recorded_by=caller.subject,
        **dict(body),
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        consent = await usecases.record_consent(tx, command, now=now)
        return await key.keep(tx, 201, ConsentView.of(consent))


@router.get("/quotes/{quote_id}/consents", responses=problem_responses(UnknownQuote, BadCursor))
async def list_consents(
    quote_id: str,
    caller: Annotated[Caller, requires(QUOTES_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
) -> Page[ConsentView]:
    """All choices of the quote's customer, the latest given first."""
    async with db.transaction(caller.tenant_id) as tx:
        quote = await quotes.get_quote(tx, quote_id, tenant_id=caller.tenant_id)
        found = await consents.list_consents(
            tx,
            quote.quote_id,
            tenant_id=caller.tenant_id,
            before=_listing.after(paging.cursor) or NEWEST,
            limit=paging.limit + 1,
        )
    return _listing.page(
        found,
        paging.limit,
        view=ConsentView.of,
        position=lambda consent: (consent.given_at, consent.consent_id),
    )
