"""Money out and back: advances, recoveries, settlements."""

from typing import Annotated

from fastapi import Request, Response

from libs.common import web
from libs.common.auth import CLAIMS_DECIDE, PAYOUTS_SETTLE, Caller, requires
from libs.common.idempotency import key_of
from libs.common.service import Db, Parts, now_of
from services.claims import usecases
from services.claims.api.claim_views import ClaimView, claim_view
from services.claims.api.money_views import PayoutView, RecoveryView
from services.claims.api.parts import rules_of
from services.claims.api.requests import (
    AdvanceRequest,
    RecoveryRequest,
    RetryRequest,
    SettlementRequest,
)
from services.claims.domain.sendings import Answer

router = web.api_router(prefix="/v1", tags=["money"])


@router.post("/claims/{claim_id}/advance", response_model=ClaimView)
async def pay_advance(
    claim_id: str,
    body: AdvanceRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_DECIDE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Pay ahead of the insurer what the complete file is assessed at, once."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.PayAdvance(
        tenant_id=caller.tenant_id, claim_id=claim_id, asked_by=caller.subject
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        filed = await usecases.pay_advance(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 200, await claim_view(tx, filed))


@router.post("/claims/{claim_id}/recoveries", status_code=201, response_model=RecoveryView)
async def record_recovery(
    claim_id: str,
    body: RecoveryRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_DECIDE)],
    db: Db,
    parts: Parts,
) -> Response:
    """What the carrier paid for the loss, the insurer for what was advanced, the customer back."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.RecordRecovery(
        tenant_id=caller.tenant_id,
        claim_id=claim_id,
        source=body.source,
        reference=body.reference,
        amount=body.amount.to_money(),
        recorded_by=caller.subject,
        is_fraud=body.is_fraud,
        paid_to=body.paid_to,
        repayment_id=body.repayment_id,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        recovery = await usecases.record_recovery(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 201, RecoveryView.of(recovery))


@router.post("/payouts/{payout_id}/retry", response_model=PayoutView)
async def retry_payout(
    payout_id: str,
    body: RetryRequest,
    request: Request,
    caller: Annotated[Caller, requires(PAYOUTS_SETTLE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Send a failed payout again; VOID where it would not be paid like this any more."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        payout = await usecases.retry_payout(
            tx, rules_of(parts), payout_id, tenant_id=caller.tenant_id, now=now
        )
        return await key.keep(tx, 200, PayoutView.of(payout))


@router.post("/payouts/{payout_id}/settlement", response_model=PayoutView)
async def settle_payout(
    payout_id: str,
    body: SettlementRequest,
    request: Request,
    caller: Annotated[Caller, requires(PAYOUTS_SETTLE)],
    db: Db,
    parts: Parts,
) -> Response:
    """The payment system's answer to a payout it was sent. It may come twice, and late.

    An attempt that failed may be confirmed after all. If another one was too, that is money paid twice:
    the claim gets a repayment, so that it is asked back.
    """
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.SettlePayout(
        tenant_id=caller.tenant_id,
        payout_id=payout_id,
        answer=Answer(state=body.state, reference=body.reference, attempt=body.attempt),
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        payout = await usecases.settle_payout(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 200, PayoutView.of(payout))
