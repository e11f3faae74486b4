"""Claims taken back, or swapped for another peril."""

from typing import Annotated

from fastapi import Request, Response

from libs.common import web
from libs.common.auth import CLAIMS_WRITE, Caller, requires
from libs.common.idempotency import key_of
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, now_of
from services.claims import usecases
from services.claims.api.claim_views import ClaimView, claim_view
from services.claims.api.parts import rules_of
from services.claims.api.requests import SwapRequest, WithdrawalRequest
from services.claims.domain.withdrawals import ClaimPaid

router = web.api_router(prefix="/v1", tags=["claims"])


@router.post(
    "/claims/{claim_id}/withdrawal",
    response_model=ClaimView,
    responses=problem_responses(ClaimPaid),
)
async def withdraw_claim(
    claim_id: str,
    body: WithdrawalRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_WRITE)],
    db: Db,
) -> Response:
    """Take a claim back, until money has gone out for it. A payout that waits is void."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.WithdrawClaim(
        tenant_id=caller.tenant_id,
        claim_id=claim_id,
        withdrawn_by=caller.subject,
        reason=body.reason or "",
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        filed = await usecases.withdraw_claim(tx, command, now=now)
        return await key.keep(tx, 200, await claim_view(tx, filed))


@router.post(
    "/claims/{claim_id}/swap",
    status_code=201,
    response_model=ClaimView,
    responses=problem_responses(ClaimPaid),
)
async def swap_claim(
    claim_id: str,
    body: SwapRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Claim another peril of the same parcel instead: one is withdrawn, the other filed and decided.

    The new claim keeps the first contact, as that was about this parcel, and takes the files over.
    """
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.SwapClaim(
        tenant_id=caller.tenant_id,
        claim_id=claim_id,
        statement=body.to_statement(),
        swapped_by=caller.subject,
        evidence_ids=body.evidence_ids,
        reason=body.reason or "",
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        filed = await usecases.swap_claim(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 201, await claim_view(tx, filed))
