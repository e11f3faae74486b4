"""Proof of purchase and referred goods: papers by the customer, verdicts by the staff."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote as quoted

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from libs.common import history
from libs.common.auth import QUOTES_VERIFY, QUOTES_WRITE, Caller, requires
from libs.common.db import Tx
from libs.common.files import Files, examine
from libs.common.history import BadETag, ChangedMeanwhile, IfMatch
from libs.common.idempotency import key_of
from libs.common.pagination import BadCursor, Listing, Page, Paging, Span, paging, span
from libs.common.plans.codes import EVIDENCE, Verdict
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, now_of
from libs.common.web import api_router
from libs.common.wire import (
    Body,
    Code,
    Flag,
    Matching,
    MoneyIn,
    MoneyView,
    OneLine,
    Prose,
    View,
)
from services.quote import usecases
from services.quote.api.requests import MAX_ITEMS, QuoteRequest
from services.quote.api.views import OfferView
from services.quote.store import quotes, verifications
from services.quote.store.quotes import Document, Quote, UnknownDocument, UnknownQuote
from services.quote.store.verifications import (
    FIRST,
    Position,
    UnknownVerification,
    Verification,
    Wanted,
    Work,
    position_of,
)
from services.quote.usecases.held import (
    AlreadyVerified,
    DocumentsTooLate,
    Json,
    NothingToVerify,
    offer_of,
)
from services.quote.usecases.quotes import AskQuote, IssuedQuote, Offer
from services.quote.usecases.reviews import AlreadyReviewed, NothingToReview, VerdictsDiffer
from services.quote.usecases.verification import (
    MAX_DOCUMENTS,
    AlreadyAssigned,
    GoodsNotReviewed,
    NoDocuments,
    NothingInsured,
    TooManyDocuments,
    VerifiedInOtherCurrency,
)

router = api_router("/v1", tags=["quotes"])
# Bodies that are files, not JSON.
raw = APIRouter(prefix="/v1", tags=["quotes"])

Kind = Annotated[
    str, Matching("|".join(sorted(EVIDENCE)), f"one of {', '.join(sorted(EVIDENCE))}")
]
State = Literal[
    "AWAITING_DOCUMENTS", "UNDER_VERIFICATION", "INFO_REQUIRED", "VERIFIED", "DECLINED", "INVALID",
]  # fmt: skip
ItemId = Annotated[str, OneLine(64)]

_listing: Listing[Position] = Listing("verifications", tuple[datetime, datetime, str])
_request = msgspec.json.Decoder(QuoteRequest)


class DocumentView(View):
    evidence_id: str
    quote_id: str
    kind: str
    name: str
    sha256: str
    size_bytes: int
    media_type: str
    uploaded_at: datetime

    @classmethod
    def of(cls, document: Document) -> "DocumentView":
        return cls(**asdict(document))


class DocumentsView(View):
    items: Annotated[list[DocumentView], Field(max_length=MAX_DOCUMENTS)]


class VerificationRequest(Body):
    shown: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    """The fields that are legible on the papers; what is missing is asked of the customer."""
    verified_value: MoneyIn | None = None
    """The eligible goods' value by the papers."""
    actual_payment: MoneyIn | None = None
    """What was really paid: the lower of the two counts."""


class VerificationView(View):
    quote_id: str
    state: str
    missing: list[str]
    confirmed_at: datetime | None
    verified_value: MoneyView | None

    @classmethod
    def of(cls, quote: Quote, body: VerificationRequest) -> "VerificationView":
        is_confirmed = quote.confirmed_at is not None and body.verified_value is not None
        value = body.verified_value.to_money() if body.verified_value and is_confirmed else None
        return cls(
            quote_id=quote.quote_id,
            state=quote.state,
            missing=list(quote.missing),
            confirmed_at=quote.confirmed_at,
            verified_value=None if value is None else MoneyView.of(value),
        )


class ReviewRequest(Body):
    verdicts: Annotated[
        dict[ItemId, Literal["ACCEPT", "DECLINE"]], Field(min_length=1, max_length=MAX_ITEMS)
    ]
    """One for each line that the plan refers, by its `item_id`."""
    note: Annotated[str, Prose(1_000)] | None = None
    """For the staff: it is not told to the customer."""


class ReviewView(View):
    quote_id: str
    state: str
    """PRICED: it can be bound. DRAFT, UNDER_VERIFICATION, INFO_REQUIRED: papers are still wanted."""
    confirmed_at: datetime | None
    premium: MoneyView | None
    insured_value: MoneyView | None


class AssignmentRequest(Body):
    is_taken: Flag
    """True: you take it. False: it goes back to the queue, whoever had it."""


class WorkView(View):
    """A quote that waits for papers or a person, as a piece of work."""

    quote_id: str
    plan: str
    state: str
    kinds: list[str]
    """What is to be seen: `documents`, `goods` that the plan refers, or both."""
    order_ref: str
    policy_id: str | None
    """The policy that has bound the quote already."""
    missing: list[str]
    opened_at: datetime
    submitted_at: datetime | None
    due_at: datetime | None
    """The last instant in time for the staff, who have the papers since `submitted_at`."""
    is_overdue: bool
    escalated_at: datetime | None
    lapses_at: datetime | None
    """From this instant on it is too late for the customer's papers: the quote is INVALID."""
    assigned_to: str | None
    decided_by: str | None

    @classmethod
    def of(cls, work: Work, now: datetime) -> "WorkView":
        found = work.verification
        return cls(
            quote_id=found.quote_id,
            plan=found.plan,
            state=found.state,
            kinds=list(found.kinds),
            order_ref=work.order_ref,
            policy_id=work.policy_id,
            missing=list(work.missing),
            opened_at=found.opened_at,
            submitted_at=found.submitted_at,
            due_at=found.due_at,
            is_overdue=found.is_overdue(now),
            escalated_at=found.escalated_at,
            lapses_at=found.lapses_at,
            assigned_to=found.assigned_to,
            decided_by=found.decided_by,
        )


class GoodsReviewView(View):
    verdicts: dict[str, str]
    note: str | None
    reviewed_by: str
    reviewed_at: datetime

    @classmethod
    def of(cls, verification: Verification) -> "GoodsReviewView | None":
        if verification.reviewed_at is None:
            return None
        assert verification.reviewed_by is not None
        return cls(
            verdicts=dict(verification.verdicts or {}),
            note=verification.note,
            reviewed_by=verification.reviewed_by,
            reviewed_at=verification.reviewed_at,
        )


class FileView(WorkView):
    """All that the staff need to decide."""

    quote_state: str
    request: Json
    """As the quote was asked."""
    offer: Json
    """The one that waits, as it is answered now."""
    documents: list[DocumentView]
    review: GoodsReviewView | None
    confirmed_at: datetime | None


# --- papers ----------------------------------------------------------------------------------


@raw.post(
    "/quotes/{quote_id}/documents",
    status_code=201,
    response_model=DocumentView,
    responses=problem_responses(
        UnknownQuote, NothingToVerify, AlreadyVerified, DocumentsTooLate, TooManyDocuments
    ),
)
async def upload_document(
    quote_id: str,
    request: Request,
    kind: Annotated[Kind, Query(description="What it is, such as proof_of_purchase.")],
    name: Annotated[str, OneLine(120), Query(description="The file's name, for people.")],
    caller: Annotated[Caller, requires(QUOTES_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Upload a purchase paper: its bytes are the body."""
    content = await request.body()
    file = examine(content)
    key = await key_of(request, caller.tenant_id)
    files: Files = request.app.state.files
    # Bytes before row: a row never names a file that is not there.
    await files.keep(caller.tenant_id, file, content)
    now = await now_of(db, caller)
    command = usecases.KeepDocument(
        tenant_id=caller.tenant_id, quote_id=quote_id, kind=kind, name=name, file=file
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        document = await usecases.keep_document(tx, parts.plans, command, now=now)
        return await key.keep(tx, 201, DocumentView.of(document))


@router.get("/quotes/{quote_id}/documents", responses=problem_responses(UnknownQuote))
async def list_documents(
    quote_id: str, caller: Annotated[Caller, requires(QUOTES_VERIFY)], db: Db
) -> DocumentsView:
    """The quote's papers, the first one first."""
    async with db.transaction(caller.tenant_id) as tx:
        quote = await quotes.get_quote(tx, quote_id, tenant_id=caller.tenant_id)
        papers = await quotes.list_documents(tx, quote.quote_id, tenant_id=caller.tenant_id)
    return DocumentsView(items=[DocumentView.of(paper) for paper in papers])


@router.get(
    "/quotes/{quote_id}/documents/{evidence_id}",
    response_class=Response,
    responses={
        200: {"description": "The file's bytes, of the type they are", "content": {"*/*": {}}},
        **problem_responses(UnknownDocument),
    },
)
async def download_document(
    quote_id: str,
    evidence_id: str,
    request: Request,
    caller: Annotated[Caller, requires(QUOTES_VERIFY)],
    db: Db,
) -> Response:
    """A paper's bytes, to be saved and never shown in our name."""
    async with db.transaction(caller.tenant_id) as tx:
        paper = await quotes.get_document(tx, quote_id, evidence_id, tenant_id=caller.tenant_id)
    files: Files = request.app.state.files
    content = await files.read(caller.tenant_id, paper.sha256)
    return Response(
        content,
        media_type=paper.media_type,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quoted(paper.name, safe='')}",
            "X-Content-Type-Options": "nosniff",
        },
    )


# --- the staff's word ------------------------------------------------------------------------


@router.post(
    "/quotes/{quote_id}/verification",
    response_model=VerificationView,
    responses=problem_responses(
        UnknownQuote,
        NothingToVerify,
        AlreadyVerified,
        DocumentsTooLate,
        NoDocuments,
        GoodsNotReviewed,
        NothingInsured,
        VerifiedInOtherCurrency,
        ChangedMeanwhile,
        BadETag,
    ),
)
async def verify_quote(
    quote_id: str,
    body: VerificationRequest,
    request: Request,
    caller: Annotated[Caller, requires(QUOTES_VERIFY)],
    db: Db,
    parts: Parts,
    if_match: IfMatch = None,
) -> Response:
    """The staff's word on the papers: what is missing, or the amount, confirmed to the customer now."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.VerifyQuote(
        tenant_id=caller.tenant_id,
        quote_id=quote_id,
        shown=body.shown,
        value=None if body.verified_value is None else body.verified_value.to_money(),
        paid=None if body.actual_payment is None else body.actual_payment.to_money(),
        verified_by=caller.subject,
        if_match=if_match,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        quote = await usecases.verify_quote(tx, parts.plans, command, now=now)
        answer = await key.keep(tx, 200, VerificationView.of(quote, body))
        return await _with_etag(tx, answer, quote.quote_id, caller.tenant_id)


@router.post(
    "/quotes/{quote_id}/review",
    response_model=ReviewView,
    responses=problem_responses(
        UnknownQuote,
        NothingToVerify,
        AlreadyVerified,
        DocumentsTooLate,
        NothingToReview,
        AlreadyReviewed,
        VerdictsDiffer,
        ChangedMeanwhile,
        BadETag,
    ),
)
async def review_quote(
    quote_id: str,
    body: ReviewRequest,
    request: Request,
    caller: Annotated[Caller, requires(QUOTES_VERIFY)],
    db: Db,
    parts: Parts,
    if_match: IfMatch = None,
) -> Response:
    """Which of the goods that the plan refers are insured; the offer is priced anew with that."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        asked = await quotes.get_quote(tx, quote_id, tenant_id=caller.tenant_id)
        command = usecases.ReviewQuote(
            tenant_id=caller.tenant_id,
            quote_id=quote_id,
            ask=_ask_of(asked),
            verdicts={item_id: Verdict(one) for item_id, one in body.verdicts.items()},
            note=body.note,
            reviewed_by=caller.subject,
            if_match=if_match,
        )
        quote = await usecases.review_quote(tx, parts.plans, command, _shown, now=now)
        reviewed = await verifications.get_verification(
            tx, quote_id, tenant_id=caller.tenant_id
        )
        answer = await key.keep(tx, 200, _review_view(quote, reviewed))
        return await _with_etag(tx, answer, quote_id, caller.tenant_id)


# --- the work queue --------------------------------------------------------------------------


@router.get("/verifications", responses=problem_responses(BadCursor))
async def list_verifications(
    caller: Annotated[Caller, requires(QUOTES_VERIFY)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    opened: Annotated[Span, Depends(span)],
    state: Annotated[
        State | None, Query(description="In this state; all that are open if unset.")
    ] = None,
    plan: Annotated[Code | None, Query(description="Of this plan.")] = None,
    assigned_to: Annotated[
        str | None, OneLine(255), Query(description="Taken by this person, a token's subject.")
    ] = None,
    is_overdue: Annotated[
        bool | None, Query(description="Whether the staff's time is over.")
    ] = None,
) -> Page[WorkView]:
    """The staff's work queue: what is due first comes first, then what was opened first.

    `since` and `until` are of when they were opened.
    """
    now = await now_of(db, caller)
    wanted = Wanted(
        state=state, plan=plan, assigned_to=assigned_to, is_overdue=is_overdue, opened=opened
    )
    async with db.transaction(caller.tenant_id) as tx:
        found = await verifications.list_verifications(
            tx,
            wanted,
            tenant_id=caller.tenant_id,
            after=_listing.after(paging.cursor) or FIRST,
            limit=paging.limit + 1,
            now=now,
        )
    return _listing.page(
        found, paging.limit, view=lambda work: WorkView.of(work, now), position=position_of
    )


@router.get("/verifications/{quote_id}", responses=problem_responses(UnknownVerification))
async def show_verification(
    quote_id: str,
    response: Response,
    caller: Annotated[Caller, requires(QUOTES_VERIFY)],
    db: Db,
) -> FileView:
    """The whole file: request, papers, offer, what is missing and the clocks."""
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        view = await _file_view(tx, quote_id, caller.tenant_id, now)
        version = await history.version_of(tx, quote_id, tenant_id=caller.tenant_id)
    response.headers.update(history.etag(version))
    return view


@router.post(
    "/verifications/{quote_id}/assignment",
    response_model=FileView,
    responses=problem_responses(
        UnknownVerification, NothingToVerify, AlreadyAssigned, ChangedMeanwhile, BadETag
    ),
)
async def assign_verification(
    quote_id: str,
    body: AssignmentRequest,
    request: Request,
    caller: Annotated[Caller, requires(QUOTES_VERIFY)],
    db: Db,
    if_match: IfMatch = None,
) -> Response:
    """Take it, or give it back to the queue."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.AssignVerification(
        tenant_id=caller.tenant_id,
        quote_id=quote_id,
        is_taken=body.is_taken,
        assigned_by=caller.subject,
        if_match=if_match,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        await usecases.assign_verification(tx, command, now=now)
        view = await _file_view(tx, quote_id, caller.tenant_id, now)
        answer = await key.keep(tx, 200, view)
        return await _with_etag(tx, answer, quote_id, caller.tenant_id)


async def _file_view(tx: Tx, quote_id: str, tenant_id: str, now: datetime) -> FileView:
    found = await verifications.get_verification(tx, quote_id, tenant_id=tenant_id)
    quote = await quotes.get_quote(tx, quote_id, tenant_id=tenant_id)
    papers = await quotes.list_documents(tx, quote_id, tenant_id=tenant_id)
    work = Work(
        verification=found,
        order_ref=quote.order_ref,
        missing=quote.missing,
        policy_id=quote.policy_id,
    )
    return FileView(
        **WorkView.of(work, now).model_dump(),
        quote_state=quote.state_at(now),
        request=msgspec.json.decode(quote.request),
        offer=offer_of(quote, found.plan) or {},
        documents=[DocumentView.of(paper) for paper in papers],
        review=GoodsReviewView.of(found),
        confirmed_at=quote.confirmed_at,
    )


async def _with_etag(tx: Tx, answer: Response, quote_id: str, tenant_id: str) -> Response:
    version = await history.version_of(tx, quote_id, tenant_id=tenant_id)
    answer.headers.update(history.etag(version))
    return answer


def _ask_of(quote: Quote) -> AskQuote:
    """The parcel as it was understood when the quote was asked."""
    return _request.decode(quote.request).to_ask(quote.tenant_id)


def _shown(issued: IssuedQuote, offer: Offer) -> Json:
    shown: Json = msgspec.json.decode(msgspec.json.encode(OfferView.of(issued, offer)))
    return shown


def _review_view(quote: Quote, reviewed: Verification) -> ReviewView:
    offer = offer_of(quote, reviewed.plan) or {}
    is_available = offer["state"] != "DECLINED"
    return ReviewView(
        quote_id=quote.quote_id,
        state=quote.state,
        confirmed_at=quote.confirmed_at,
        premium=_money_view(offer["premium"]),
        insured_value=_money_view(offer["insured_value"]) if is_available else None,
    )


def _money_view(amount: object) -> MoneyView | None:
    return None if amount is None else MoneyView.model_validate(amount)
