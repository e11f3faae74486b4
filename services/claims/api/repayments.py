"""Money owed back: found parcels, fraud, what is open, what is written off; and a claim's statement."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response

from libs.common import statements, web
from libs.common.auth import CLAIMS_DECIDE, CLAIMS_MANAGE, CLAIMS_READ, Caller, requires
from libs.common.idempotency import key_of
from libs.common.pagination import NEWEST, BadCursor, Listing, Moment, Page, Paging, paging
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, now_of
from libs.common.statements_api import StatementView
from services.claims import store, usecases
from services.claims.api.claim_views import ClaimView, claim_view
from services.claims.api.money_views import RepaymentView
from services.claims.api.parts import rules_of
from services.claims.api.requests import FoundRequest, FraudRequest, WriteOffRequest

router = web.api_router(prefix="/v1", tags=["money"])

_listing: Listing[Moment] = Listing("repayments", tuple[datetime, str])


@router.post("/claims/{claim_id}/found", response_model=ClaimView)
async def show_found(
    claim_id: str,
    body: FoundRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_DECIDE)],
    db: Db,
    parts: Parts,
) -> Response:
    """A lost parcel came to light after it was paid for: the plan's part of the money is due."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.ShowFound(
        tenant_id=caller.tenant_id,
        claim_id=claim_id,
        found_at=body.found_at,
        note=body.note,
        goods_returned=body.goods_returned,
        told_by=caller.subject,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        filed = await usecases.show_found(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 200, await claim_view(tx, filed))


@router.post("/claims/{claim_id}/fraud", response_model=ClaimView)
async def show_fraud(
    claim_id: str,
    body: FraudRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_MANAGE)],
    db: Db,
) -> Response:
    """Fraud was shown after the claim was paid: all that was paid is due."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.ShowFraud(
        tenant_id=caller.tenant_id, claim_id=claim_id, why=body.why, told_by=caller.subject
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        filed = await usecases.show_fraud(tx, command, now=now)
        return await key.keep(tx, 200, await claim_view(tx, filed))


@router.get("/repayments", responses=problem_responses(BadCursor))
async def list_repayments(
    caller: Annotated[Caller, requires(CLAIMS_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    state: Annotated[
        Literal["OPEN", "RECEIVED", "WRITTEN_OFF"] | None, Query(description="Only these.")
    ] = None,
) -> Page[RepaymentView]:
    """What customers owe back, the newest first."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_all_repayments(
            tx,
            tenant_id=caller.tenant_id,
            state=state,
            before=_listing.after(paging.cursor) or NEWEST,
            limit=paging.limit + 1,
        )
    return _listing.page(
        found,
        paging.limit,
        view=RepaymentView.of,
        position=lambda due: (due.due_at, due.repayment_id),
    )


@router.post("/repayments/{repayment_id}/write-off", response_model=RepaymentView)
async def write_off_repayment(
    repayment_id: str,
    body: WriteOffRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_MANAGE)],
    db: Db,
) -> Response:
    """Give up what is still due of it."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.WriteOff(
        tenant_id=caller.tenant_id,
        repayment_id=repayment_id,
        why=f"{body.why} ({caller.subject})",
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        repayment = await usecases.write_off(tx, command, now=now)
        return await key.keep(tx, 200, RepaymentView.of(repayment))


@router.get("/claims/{claim_id}/statement")
async def show_claim_statement(
    claim_id: str, caller: Annotated[Caller, requires(CLAIMS_READ)], db: Db
) -> StatementView:
    """All money of the claim: reserve, payouts, vouchers, what came back; with running balances."""
    tenant_id = caller.tenant_id
    async with db.transaction(tenant_id) as tx:
        filed = await store.get_claim(tx, claim_id, tenant_id=tenant_id)
        references = await store.list_references(tx, claim_id, tenant_id=tenant_id)
        booked = await statements.list_of_references(tx, tenant_id, filed.key, references)
    return StatementView.of(statements.statement_of(booked))
