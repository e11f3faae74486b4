"""Money as it is shown: what goes out, what comes back, and what is owed."""

from datetime import date, datetime

from libs.common.wire import MoneyView, View
from services.claims.domain.filing import Payout
from services.claims.domain.money_back import Recovery
from services.claims.domain.repayments import Repayment
from services.claims.domain.vouchers import Voucher


class PayoutView(View):
    payout_id: str
    claim_id: str
    kind: str
    """PAYOUT; ADVANCE: paid ahead of the insurer; EXCESS: what the insurer paid above that."""
    amount: MoneyView
    instrument: str
    state: str
    reference: str | None
    sent_at: datetime | None
    settled_at: datetime | None
    attempt: int
    """How often it was sent."""

    @classmethod
    def of(cls, payout: Payout) -> "PayoutView":
        return cls(
            payout_id=payout.payout_id,
            claim_id=payout.claim_id,
            kind=payout.kind,
            amount=MoneyView.of(payout.amount),
            instrument=payout.instrument,
            state=payout.state,
            reference=payout.reference,
            sent_at=payout.sent_at,
            settled_at=payout.settled_at,
            attempt=payout.attempt,
        )


class RecoveryView(View):
    recovery_id: str
    claim_id: str
    source: str
    reference: str
    amount: MoneyView
    recorded_at: datetime
    paid_to: str
    repayment_id: str | None
    """What it pays back, where it came from the customer."""

    @classmethod
    def of(cls, recovery: Recovery) -> "RecoveryView":
        return cls(
            recovery_id=recovery.recovery_id,
            claim_id=recovery.claim_id,
            source=recovery.source,
            reference=recovery.reference,
            amount=MoneyView.of(recovery.amount),
            recorded_at=recovery.recorded_at,
            paid_to=recovery.paid_to,
            repayment_id=recovery.repayment_id,
        )


class VoucherView(View):
    """Good for one second shipment, never for cash."""

    voucher_id: str
    code: str
    """What its owner says at the counter."""
    claim_id: str
    payout_id: str
    policy_id: str
    state: str
    value: MoneyView
    issued_at: datetime
    expires_on: date | None
    """Its last local day."""
    used_at: datetime | None
    reference: str | None
    second_fee: MoneyView | None
    covered: MoneyView
    customer_pays: MoneyView
    lapsed: MoneyView

    @classmethod
    def of(cls, voucher: Voucher) -> "VoucherView":
        fee = voucher.second_fee
        return cls(
            voucher_id=voucher.voucher_id,
            code=voucher.code,
            claim_id=voucher.claim_id,
            payout_id=voucher.payout_id,
            policy_id=voucher.policy_id,
            state=voucher.state,
            value=MoneyView.of(voucher.value),
            issued_at=voucher.issued_at,
            expires_on=voucher.expires_on,
            used_at=voucher.used_at,
            reference=voucher.reference,
            second_fee=None if fee is None else MoneyView.of(fee),
            covered=MoneyView.of(voucher.covered),
            customer_pays=MoneyView.of(voucher.customer_pays),
            lapsed=MoneyView.of(voucher.lapsed),
        )


class RepaymentView(View):
    """What the customer owes back of a claim."""

    repayment_id: str
    claim_id: str
    why: str
    """CARRIER_PAID_LATE, PARCEL_FOUND, FRAUD or PAID_TWICE."""
    state: str
    amount: MoneyView
    received: MoneyView
    due_at: datetime
    settled_at: datetime | None
    note: str
    """Why it was written off."""

    @classmethod
    def of(cls, repayment: Repayment) -> "RepaymentView":
        return cls(
            repayment_id=repayment.repayment_id,
            claim_id=repayment.claim_id,
            why=repayment.why,
            state=repayment.state,
            amount=MoneyView.of(repayment.amount),
            received=MoneyView.of(repayment.received),
            due_at=repayment.due_at,
            settled_at=repayment.settled_at,
            note=repayment.note,
        )
