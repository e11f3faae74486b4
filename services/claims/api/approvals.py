"""Approvals: what waits for a second person, and their answer."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response

from libs.common import web
from libs.common.auth import CLAIMS_READ, Caller, requires
from libs.common.idempotency import key_of
from libs.common.pagination import NEWEST, BadCursor, Listing, Moment, Page, Paging, paging
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, now_of
from services.claims import store, usecases
from services.claims.api.parts import rules_of
from services.claims.api.requests import AnswerRequest
from services.claims.api.views import ApprovalView
from services.claims.domain.appeals import DecidedBefore
from services.claims.domain.approvals import AlreadyAnswered, SamePerson

router = web.api_router(prefix="/v1", tags=["approvals"])

_listing: Listing[Moment] = Listing("approvals", tuple[datetime, str])


@router.get("/approvals", responses=problem_responses(BadCursor))
async def list_approvals(
    caller: Annotated[Caller, requires(CLAIMS_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    state: Annotated[
        Literal["OPEN", "GRANTED", "REFUSED", "VOID"] | None, Query(description="Only these.")
    ] = None,
    about: Annotated[
        Literal["decision", "payout", "appeal"] | None,
        Query(description="Only those about one."),
    ] = None,
) -> Page[ApprovalView]:
    """What a second person is or was asked, the newest first."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_approvals(
            tx,
            store.WantedApprovals(state=state, about=about),
            tenant_id=caller.tenant_id,
            before=_listing.after(paging.cursor) or NEWEST,
            limit=paging.limit + 1,
        )
    return _listing.page(
        found,
        paging.limit,
        view=ApprovalView.of,
        position=lambda approval: (approval.asked_at, approval.approval_id),
    )


@router.post(
    "/approvals/{approval_id}/answer",
    response_model=ApprovalView,
    responses=problem_responses(SamePerson, AlreadyAnswered, DecidedBefore),
)
async def answer_approval(
    approval_id: str,
    body: AnswerRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_READ)],
    db: Db,
    parts: Parts,
) -> Response:
    """Agree or not, with the scope that the approval names besides: never who asked for it.

    What is granted is decided anew first. If the answer is another by then, nothing is paid: the
    approval is VOID, and the claim has a new proposal. About an appeal it is somebody who did not decide
    on the claim before; what is refused or void leaves it open.
    """
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.AnswerApproval(
        tenant_id=caller.tenant_id,
        approval_id=approval_id,
        is_granted=body.is_granted,
        note=body.note or "",
        answered_by=caller.subject,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        asked = await store.get_approval(tx, approval_id, tenant_id=caller.tenant_id)
        caller.must(asked.scope)
        answered = await usecases.answer_approval(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 200, ApprovalView.of(answered))
