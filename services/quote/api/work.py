"""Verifications as work: the staff's queue, the whole file, and who has taken it."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from fastapi import Depends, Query, Request, Response

from libs.common import history
from libs.common.auth import QUOTES_VERIFY, Caller, requires
from libs.common.db import Tx
from libs.common.history import BadETag, ChangedMeanwhile, IfMatch
from libs.common.idempotency import key_of
from libs.common.pagination import BadCursor, Listing, Page, Paging, Span, paging, span
from libs.common.problems import problem_responses
from libs.common.service import Db, now_of
from libs.common.web import api_router
from libs.common.wire import (
    Body,
    Code,
    Flag,
    OneLine,
    View,
)
from services.quote import usecases
from services.quote.api.documents import DocumentView
from services.quote.store import quotes, verifications
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
    Json,
    NothingToVerify,
    offer_of,
)
from services.quote.usecases.work import AlreadyAssigned

router = api_router("/v1", tags=["quotes"])

State = Literal[
    "AWAITING_DOCUMENTS", "UNDER_VERIFICATION", "INFO_REQUIRED", "VERIFIED", "DECLINED", "INVALID",
]  # fmt: skip

_listing: Listing[Position] = Listing("verifications", tuple[datetime, datetime, str])


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
        return await with_etag(tx, answer, quote_id, caller.tenant_id)


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


async def with_etag(tx: Tx, answer: Response, quote_id: str, tenant_id: str) -> Response:
    version = await history.version_of(tx, quote_id, tenant_id=tenant_id)
    answer.headers.update(history.etag(version))
    return answer
