"""The premium: what was paid for a policy, what goes back of it, and its ledger."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response

from libs.common import ledger, web
from libs.common.auth import PAYMENTS_WRITE, POLICIES_READ, Caller, requires
from libs.common.idempotency import key_of
from libs.common.money import Money
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
from libs.common.service import Db, Parts, now_of
from libs.common.wire import Body, Flag, MoneyIn, MoneyView, OneLine, Reference
from services.policy import store, usecases
from services.policy.api.parts import view_of
from services.policy.api.views import (
    DisputeView,
    LedgerView,
    PaidPolicyView,
    PaymentView,
    RefundView,
    TransferView,
)
from services.policy.domain.payments import AutopayBlocked, PaymentEmpty, WrongPaymentCurrency
from services.policy.store import UnknownPolicy, UnknownRefund
from services.policy.usecases.payments import PaymentDiffers
from services.policy.usecases.refunds import RefundSettledAlready

router = web.api_router("/v1", tags=["payments"])

_listing: Listing[Moment] = Listing("refunds", tuple[datetime, str])


class PaymentRequest(Body):
    reference: Reference
    """The payer's or the provider's own: the same payment told twice, by whomever, is one."""
    amount: MoneyIn
    is_automatic: Flag = False
    """Taken without the customer's doing: some plans refuse that before the amount is confirmed."""


class SettlementRequest(Body):
    state: Literal["CONFIRMED", "FAILED"]
    reference: Reference
    """The payment system's own."""
    failure: Annotated[str, OneLine(200)] | None = None
    """Why it did not go through."""


@router.post(
    "/policies/{policy_id}/payments",
    status_code=201,
    response_model=PaidPolicyView,
    responses=problem_responses(
        UnknownPolicy, AutopayBlocked, PaymentDiffers, PaymentEmpty, WrongPaymentCurrency
    ),
)
async def record_payment(
    policy_id: str,
    body: PaymentRequest,
    request: Request,
    caller: Annotated[Caller, requires(PAYMENTS_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """A payment that was made; the policy is paid when the premium is complete.

    What the policy has no use for (`returned`) is owed back to the payer at once, as a refund.
    """
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.RecordPayment(
        tenant_id=caller.tenant_id,
        policy_id=policy_id,
        reference=body.reference,
        amount=body.amount.to_money(),
        is_automatic=body.is_automatic,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        received = await usecases.record_payment(tx, parts.plans, command, now=now)
        view = await view_of(tx, received.policy)
        return await key.keep(tx, 201, PaidPolicyView.after(received.payment, view))


@router.get("/policies/{policy_id}/ledger", responses=problem_responses(UnknownPolicy))
async def show_ledger(
    policy_id: str, caller: Annotated[Caller, requires(POLICIES_READ)], db: Db
) -> LedgerView:
    """All money of the policy's premium: what came in, what is held, what goes back."""
    tenant_id = caller.tenant_id
    async with db.transaction(tenant_id) as tx:
        await store.get_policy(tx, policy_id, tenant_id=tenant_id)
        transfers = await ledger.list_transfers(tx, tenant_id, policy_id)
        balances = await ledger.balances(tx, tenant_id, policy_id)
        payments = await store.list_payments(tx, policy_id, tenant_id=tenant_id)
        refunds = await store.list_refunds_of(tx, policy_id, tenant_id=tenant_id)
        disputes = await store.list_disputes(tx, policy_id, tenant_id=tenant_id)
    return LedgerView(
        policy_id=policy_id,
        transfers=[TransferView.of(booked) for booked in transfers],
        balances={
            account.value: MoneyView.of(Money(minor, currency))
            for (account, currency), minor in sorted(balances.items())
        },
        payments=[PaymentView.of(payment) for payment in payments],
        refunds=[RefundView.of(refund) for refund in refunds],
        disputes=[DisputeView.of(dispute) for dispute in disputes],
    )


@router.get("/refunds", responses=problem_responses(BadCursor))
async def list_refunds(
    caller: Annotated[Caller, requires(POLICIES_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    span: Annotated[Span, Depends(span)],
    state: Annotated[
        Literal["DUE", "FAILED", "SETTLED"] | None, Query(description="Only these.")
    ] = None,
) -> Page[RefundView]:
    """What goes back to payers, the newest first; DUE and FAILED ones are still to be sent."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_refunds(
            tx,
            tenant_id=caller.tenant_id,
            state=state,
            since=span.since,
            until=span.until,
            before=_listing.after(paging.cursor) or NEWEST,
            limit=paging.limit + 1,
        )
    return _listing.page(
        found,
        paging.limit,
        view=RefundView.of,
        position=lambda refund: (refund.requested_at, refund.refund_id),
    )


@router.post(
    "/refunds/{refund_id}/settlement",
    response_model=RefundView,
    responses=problem_responses(UnknownRefund, RefundSettledAlready),
)
async def settle_refund(
    refund_id: str,
    body: SettlementRequest,
    request: Request,
    caller: Annotated[Caller, requires(PAYMENTS_WRITE)],
    db: Db,
) -> Response:
    """The payment system's answer: the refund was sent, or it failed and is still owed."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.SettleRefund(
        tenant_id=caller.tenant_id,
        refund_id=refund_id,
        state=body.state,
        reference=body.reference,
        failure=body.failure or "",
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        refund = await usecases.settle_refund(tx, command, now=now)
        return await key.keep(tx, 200, RefundView.of(refund))
