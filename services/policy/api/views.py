"""A policy, and the money around it, as they are answered."""

from datetime import datetime
from typing import Any

import msgspec

from libs.common.ledger import Booked
from libs.common.wire import MoneyView, View
from services.policy.domain.endings import Cancellation, Step
from services.policy.domain.policies import Policy
from services.policy.store import Dispute, Payment, Refund


class PlanView(View):
    plan: str
    version: int
    sha256: str


class TrackingView(View):
    status: str
    reason: str
    accepted_at: datetime | None
    dispatched_at: datetime | None
    last_update_at: datetime | None
    delivered_at: datetime | None
    returned_at: datetime | None
    loss_confirmed_at: datetime | None
    lost_at: datetime | None
    damaged_at: datetime | None
    destroyed_at: datetime | None
    seized_at: datetime | None


class PolicyView(View):
    policy_id: str
    version: int
    """Counts its changes; also its ETag."""
    quote_id: str
    plan: PlanView
    state: str
    insured_value: MoneyView
    premium: MoneyView
    premium_paid: MoneyView
    premium_due: MoneyView
    refund: MoneyView
    """What of the premium went back, or is owed back, since the policy ended."""
    bound_at: datetime
    confirmed_at: datetime | None
    """When the amount was confirmed; null while the proof of purchase is being verified."""
    paid_at: datetime | None
    lapses_at: datetime | None
    """The first instant too late to complete the premium: the policy lapses then."""
    cover_start: datetime | None
    consent_id: str | None
    carrier: str
    tracking_number: str
    tracking: TrackingView
    terms: dict[str, Any]
    """Every fact known at purchase."""

    @classmethod
    def of(cls, policy: Policy, version: int) -> "PolicyView":
        return cls(
            policy_id=policy.policy_id,
            version=version,
            quote_id=policy.quote_id,
            plan=PlanView(**msgspec.to_builtins(policy.plan)),
            state=policy.state,
            insured_value=MoneyView.of(policy.terms.insured_value),
            premium=MoneyView.of(policy.terms.premium),
            premium_paid=MoneyView.of(policy.premium_paid),
            premium_due=MoneyView.of(policy.premium_due),
            refund=MoneyView.of(policy.refund),
            bound_at=policy.bound_at,
            confirmed_at=policy.confirmed_at,
            paid_at=policy.paid_at,
            lapses_at=policy.lapses_at,
            cover_start=policy.cover_start,
            consent_id=policy.consent_id or None,
            carrier=policy.carrier,
            tracking_number=policy.tracking_number,
            tracking=TrackingView(
                **msgspec.to_builtins(policy.tracking, builtin_types=(datetime,))
            ),
            terms=msgspec.to_builtins(policy.terms),
        )


class PolicySummary(View):
    """A policy in a list."""

    policy_id: str
    quote_id: str
    plan: str
    state: str
    insured_value: MoneyView
    premium: MoneyView
    premium_due: MoneyView
    bound_at: datetime
    cover_start: datetime | None
    order_ref: str
    carrier: str
    tracking_number: str

    @classmethod
    def of(cls, policy: Policy) -> "PolicySummary":
        return cls(
            policy_id=policy.policy_id,
            quote_id=policy.quote_id,
            plan=policy.plan.plan,
            state=policy.state,
            insured_value=MoneyView.of(policy.terms.insured_value),
            premium=MoneyView.of(policy.terms.premium),
            premium_due=MoneyView.of(policy.premium_due),
            bound_at=policy.bound_at,
            cover_start=policy.cover_start,
            order_ref=policy.terms.order_ref,
            carrier=policy.carrier,
            tracking_number=policy.tracking_number,
        )


# --- money -----------------------------------------------------------------------------------


class PaymentView(View):
    payment_id: str
    policy_id: str
    reference: str
    amount: MoneyView
    applied: MoneyView
    """What of it counts towards the premium."""
    returned: MoneyView
    """What of it goes back: see the policy's refunds."""
    standing: str
    """APPLIED, or why some goes back: OVERPAID, DUPLICATE_CHARGE, NOT_CONFIRMED, LATE, POLICY_ENDED."""
    channel: str
    """`shop`, or the payment hook it was told by."""
    paid_at: datetime
    received_at: datetime

    @classmethod
    def of(cls, payment: Payment) -> "PaymentView":
        return cls(
            payment_id=payment.payment_id,
            policy_id=payment.policy_id,
            reference=payment.reference,
            amount=MoneyView.of(payment.amount),
            applied=MoneyView.of(payment.applied),
            returned=MoneyView.of(payment.returned),
            standing=payment.standing,
            channel=payment.channel,
            paid_at=payment.paid_at,
            received_at=payment.received_at,
        )


class PaidPolicyView(PolicyView):
    """The policy after a payment, and what became of the payment."""

    payment: PaymentView

    @classmethod
    def after(cls, payment: Payment, policy: PolicyView) -> "PaidPolicyView":
        return cls(**dict(policy), payment=PaymentView.of(payment))


class RefundView(View):
    refund_id: str
    policy_id: str
    payment_id: str | None
    """The payment it gives back, where it is one payment's."""
    reason: str
    amount: MoneyView
    settled: MoneyView
    state: str
    """DUE, FAILED (still owed) or SETTLED."""
    requested_at: datetime
    settled_at: datetime | None
    reference: str
    failure: str

    @classmethod
    def of(cls, refund: Refund) -> "RefundView":
        return cls(
            refund_id=refund.refund_id,
            policy_id=refund.policy_id,
            payment_id=refund.payment_id,
            reason=refund.reason,
            amount=MoneyView.of(refund.amount),
            settled=MoneyView.of(refund.settled),
            state=refund.state,
            requested_at=refund.requested_at,
            settled_at=refund.settled_at,
            reference=refund.reference,
            failure=refund.failure,
        )


class DisputeView(View):
    dispute_id: str
    payment_id: str
    amount: MoneyView
    state: str
    opened_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, dispute: Dispute) -> "DisputeView":
        return cls(
            dispute_id=dispute.dispute_id,
            payment_id=dispute.payment_id,
            amount=MoneyView.of(dispute.amount),
            state=dispute.state,
            opened_at=dispute.opened_at,
            closed_at=dispute.closed_at,
        )


class EntryView(View):
    account: str
    amount: MoneyView
    """A debit is positive, a credit negative."""


class TransferView(View):
    transfer_id: str
    kind: str
    reference: str
    occurred_at: datetime
    entries: list[EntryView]

    @classmethod
    def of(cls, booked: Booked) -> "TransferView":
        transfer = booked.transfer
        return cls(
            transfer_id=booked.transfer_id,
            kind=transfer.kind,
            reference=transfer.reference,
            occurred_at=booked.occurred_at,
            entries=[
                EntryView(account=entry.account, amount=MoneyView.of(entry.amount))
                for entry in transfer.entries
            ],
        )


class LedgerView(View):
    """All money of a policy's premium. Every transfer sums to zero."""

    policy_id: str
    transfers: list[TransferView]
    balances: dict[str, MoneyView]
    payments: list[PaymentView]
    refunds: list[RefundView]
    disputes: list[DisputeView]


# --- endings ---------------------------------------------------------------------------------


class StepView(View):
    """A line of the refund's arithmetic."""

    label: str
    """PREMIUM_PAID, REFUND_BY_PLAN, CAP_PREMIUM_PAID."""
    amount: MoneyView
    formula: str
    """The plan's own, where it has one."""

    @classmethod
    def of(cls, step: Step) -> "StepView":
        return cls(label=step.label, amount=MoneyView.of(step.amount), formula=step.formula)


class CancellationPreview(View):
    """What a cancellation would do now; nothing is changed by looking."""

    policy_id: str
    version: int
    """Send it as If-Match, and the refund, to confirm exactly this."""
    reason: str
    is_granted: bool
    because: str
    """Why not, where it is not."""
    refund: MoneyView
    steps: list[StepView]
    rule_ids: list[str]

    @classmethod
    def of(cls, seen: Cancellation, version: int) -> "CancellationPreview":
        return cls(
            policy_id=seen.policy.policy_id,
            version=version,
            reason=seen.reason,
            is_granted=seen.is_granted,
            because=seen.because,
            refund=MoneyView.of(seen.refund),
            steps=[StepView.of(step) for step in seen.steps],
            rule_ids=list(seen.rule_ids),
        )
