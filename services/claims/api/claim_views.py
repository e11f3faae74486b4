"""A claim as it is shown, by itself and in a list."""

from dataclasses import asdict
from datetime import date, datetime

from libs.common.db import Tx
from libs.common.wire import MoneyView, View
from services.claims import store
from services.claims.api.appeal_views import AppealView
from services.claims.api.decision_views import ApprovalView, DecisionView, SignalView
from services.claims.api.evidence_views import EvidenceView, InformationRequestView
from services.claims.api.money_views import PayoutView, RecoveryView, RepaymentView, VoucherView
from services.claims.domain.appeals import APPEALABLE
from services.claims.domain.clocks import Clock
from services.claims.domain.withdrawals import Withdrawal
from services.claims.store import FiledClaim


class WithdrawalView(View):
    withdrawn_by: str
    withdrawn_at: datetime
    reason: str

    @classmethod
    def of(cls, withdrawal: Withdrawal) -> "WithdrawalView":
        return cls(
            withdrawn_by=withdrawal.withdrawn_by,
            withdrawn_at=withdrawal.withdrawn_at,
            reason=withdrawal.reason,
        )


class ClockView(View):
    """A promised day: DECIDE, PAY, ADVANCE or CARRIER_REPLY. Days are local, and the last ones."""

    name: str
    category: str
    state: str
    """RUNNING, PAUSED while the claim waits for its claimant, or STOPPED."""
    started_at: datetime
    target_on: date | None
    due_on: date | None
    """Null while it stands still: then nobody can tell."""
    breach_at: datetime | None
    """The first instant too late."""
    target_missed_at: datetime | None
    breached_at: datetime | None
    stopped_at: datetime | None

    @classmethod
    def of(cls, clock: Clock) -> "ClockView":
        told = asdict(clock)
        return cls(**{name: told[name] for name in cls.model_fields})


class ClaimView(View):
    claim_id: str
    policy_id: str | None
    """Null: no policy of yours has this parcel."""
    peril: str
    state: str
    """NOTIFIED: a first notice. It waits for the claimant, and has no decision."""
    cause: str | None
    """What suggested it, where it began as a first notice: what the carrier said, or its silence."""
    notified_at: datetime
    filed_at: datetime | None
    filed_by: str
    """`platform`: nobody has told of it, or filed it, yet."""
    decision: DecisionView | None
    evidence: list[EvidenceView]
    payouts: list[PayoutView]
    recoveries: list[RecoveryView]
    approvals: list[ApprovalView]
    """What a second person was asked about it."""
    withdrawal: WithdrawalView | None
    replaces: str | None
    """The claim of another peril whose place it took."""
    replaced_by: str | None
    closed_at: datetime | None
    appeals: list[AppealView]
    appeal_until: date | None
    """The last local day to appeal to `appeal_tier`, which `appeal_body` decides; null: none can be."""
    appeal_tier: int | None
    appeal_body: str | None
    is_priority: bool
    """Staff take it first, and its clock is shorter."""
    complete_at: datetime | None
    """Since when nothing is missing."""
    escalated_at: datetime | None
    """When a promised day first passed."""
    clocks: list[ClockView]
    request: InformationRequestView | None
    """What the claimant is asked for now."""
    reserve: MoneyView | None
    """What the undecided claim is expected to cost; null where nothing was ever put by."""
    vouchers: list[VoucherView]
    repayments: list[RepaymentView]
    signals: list[SignalView]
    """As they were when it was last decided."""


class ClaimSummary(View):
    """A claim in a list."""

    claim_id: str
    policy_id: str | None
    peril: str
    state: str
    cause: str | None
    notified_at: datetime
    filed_at: datetime | None
    is_priority: bool

    @classmethod
    def of(cls, filed: FiledClaim) -> "ClaimSummary":
        return cls(
            claim_id=filed.claim_id,
            policy_id=filed.policy_id,
            peril=filed.peril,
            state=filed.state,
            cause=filed.cause,
            notified_at=filed.claim.notified_at,
            filed_at=filed.claim.filed_at,
            is_priority=filed.is_priority,
        )


async def claim_view(tx: Tx, filed: FiledClaim) -> ClaimView:
    beside = await store.get_beside(tx, filed)
    decision = beside.latest
    assert decision is not None or not filed.is_filed, "a claim is decided when it is filed"
    window = beside.window if filed.state in APPEALABLE else None
    withdrawal, request, reserve = beside.withdrawal, beside.request, beside.reserve
    return ClaimView(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id,
        peril=filed.peril,
        state=filed.state,
        cause=filed.cause,
        notified_at=filed.claim.notified_at,
        filed_at=filed.claim.filed_at,
        filed_by=filed.filed_by,
        decision=None if decision is None else DecisionView.of(decision),
        evidence=[EvidenceView.of(file) for file in beside.evidence],
        payouts=[PayoutView.of(payout) for payout in beside.payouts],
        recoveries=[RecoveryView.of(recovery) for recovery in beside.recoveries],
        approvals=[ApprovalView.of(approval) for approval in beside.approvals],
        withdrawal=None if withdrawal is None else WithdrawalView.of(withdrawal),
        replaces=beside.replaces,
        replaced_by=None if withdrawal is None else withdrawal.replaced_by,
        closed_at=filed.closed_at,
        appeals=[AppealView.of(appeal) for appeal in beside.appeals],
        appeal_until=window.file_by if window else None,
        appeal_tier=window.tier if window else None,
        appeal_body=(window.body or None) if window else None,
        is_priority=filed.is_priority,
        complete_at=filed.claim.complete_at,
        escalated_at=filed.escalated_at,
        clocks=[ClockView.of(clock) for clock in beside.clocks],
        request=None if request is None else InformationRequestView.of(request),
        reserve=None if reserve is None else MoneyView.of(reserve),
        vouchers=[VoucherView.of(voucher) for voucher in beside.vouchers],
        repayments=[RepaymentView.of(repayment) for repayment in beside.repayments],
        signals=[SignalView.of(signal) for signal in (decision.signals if decision else ())],
    )
