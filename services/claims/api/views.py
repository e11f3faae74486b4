"""What the claims service answers."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Literal

from libs.common.db import Tx
from libs.common.wire import (
    MoneyView,
    View,
)
from services.claims import store
from services.claims.api.appeal_views import AppealView
from services.claims.domain import Eligibility
from services.claims.domain.appeals import APPEALABLE
from services.claims.domain.approvals import Approval
from services.claims.domain.clocks import Clock
from services.claims.domain.filing import Payout
from services.claims.domain.money_back import Recovery
from services.claims.domain.repayments import Repayment
from services.claims.domain.requests import InformationRequest
from services.claims.domain.signals import Signal
from services.claims.domain.vouchers import Voucher
from services.claims.domain.withdrawals import Withdrawal
from services.claims.store import Evidence, FiledClaim, KeptDecision


class OverrideView(View):
    code: str
    why: str
    by: str


class DecisionView(View):
    decision_id: str
    number: int
    outcome: str
    is_settled: bool
    """False: a proposal that waits for a person."""
    payout: MoneyView
    instrument: str
    reasons: list[dict[str, Any]]
    """The decisive one first; a discretionary one may be overridden by a person."""
    caps: list[str]
    notes: list[dict[str, Any]]
    missing: list[dict[str, Any]]
    lines: list[dict[str, Any]]
    """The arithmetic, exact and in the plan's currency."""
    eligible_on: date | None
    info_until: date | None
    grace_until: date | None
    rule_ids: list[str]
    plan: str
    plan_version: int
    decided_by: str
    decided_at: datetime
    overridden: list[dict[str, Any]]
    """Reasons that do not count, by people's word."""
    overrides: list[OverrideView]
    """That word: who set them aside, and why."""
    awaits_approval: bool
    """A second person has to agree: GET /v1/approvals."""
    approved_by: str | None
    waits_because: str | None
    """Why the proposal waits for a person."""

    @classmethod
    def of(cls, kept: KeptDecision) -> "DecisionView":
        decision = kept.decision
        return cls(
            decision_id=kept.decision_id,
            number=kept.number,
            outcome=kept.outcome,
            is_settled=kept.is_settled,
            payout=MoneyView.of(kept.payout),
            instrument=decision["instrument"],
            reasons=decision["reasons"],
            caps=decision["caps"],
            notes=decision["notes"],
            missing=decision["missing"],
            lines=(decision["assessment"] or {}).get("lines", []),
            eligible_on=decision["eligible_on"],
            info_until=decision["info_until"],
            grace_until=decision["grace_until"],
            rule_ids=decision["rule_ids"],
            plan=kept.plan,
            plan_version=kept.plan_version,
            decided_by=kept.decided_by,
            decided_at=kept.decided_at,
            overridden=decision["overridden"],
            overrides=[OverrideView(**asdict(override)) for override in kept.overrides],
            awaits_approval=kept.awaits_approval,
            approved_by=kept.approved_by,
            waits_because=kept.waits_because,
        )


class SignalView(View):
    """Why a person should look before it is paid. It denies nothing."""

    code: Literal["SAME_FILE", "SAME_PARCEL", "EARLY_CLAIM", "MANY_CLAIMS"]
    detail: str
    references: list[str]
    """The ids of the other claims or policies."""

    @classmethod
    def of(cls, signal: Signal) -> "SignalView":
        return cls(
            code=signal.code,
            detail=signal.detail,
            references=list(signal.references),
        )


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


class ApprovalView(View):
    approval_id: str
    claim_id: str
    about: str
    """decision, payout or appeal"""
    subject_id: str
    """Its id."""
    why: str
    scope: str
    """What whoever answers must be allowed; never the one who asked."""
    asked_by: str
    asked_at: datetime
    state: str
    """OPEN, GRANTED, REFUSED, or VOID: not needed any more, or too late."""
    answered_by: str | None
    answered_at: datetime | None
    note: str
    void_why: str
    """PROPOSAL_CHANGED: what was agreed to is no longer the answer, and the claim has a new one."""

    @classmethod
    def of(cls, approval: Approval) -> "ApprovalView":
        return cls(**asdict(approval))


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


class EvidenceView(View):
    evidence_id: str
    policy_id: str
    claim_id: str | None
    kind: str
    name: str
    sha256: str
    size_bytes: int
    media_type: str
    """What the file is by its content."""
    width: int | None
    height: int | None
    """In pixels, of a picture or film."""
    duration_ms: int | None
    pages: int | None
    scan_state: str
    """WAITING for the virus scanner, CLEAN, INFECTED (it is not handed out and counts as not on file),
    or SKIPPED: no scanner is set."""
    submitted_by: str
    uploaded_at: datetime
    also_in: list[str]
    """Your other claims that have the same bytes."""
    forgotten_at: datetime | None
    """When its bytes and name were removed, years after its claim had ended; null: they are here."""

    @classmethod
    def of(cls, evidence: Evidence) -> "EvidenceView":
        return cls(**{**asdict(evidence), "also_in": list(evidence.also_in)})


class EvidenceLinkView(View):
    url: str
    """At this API's address. Whoever has it gets the file, until it expires."""
    expires_at: datetime


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


class PerilView(View):
    """One peril as if it were claimed now."""

    peril: str
    is_covered: bool
    is_open: bool
    reasons: list[str]
    earliest: date | None
    opens_at: datetime | None
    awaits: str
    """The event that must come first, where it is not a date."""
    latest: date | None
    closes_at: datetime | None
    required: list[str]
    present: list[str]
    missing: list[str]
    supporting: list[str]
    instrument: str

    @classmethod
    def of(cls, peril: Eligibility) -> "PerilView":
        return cls(
            peril=peril.peril,
            is_covered=peril.is_covered,
            is_open=peril.is_open,
            reasons=[str(reason) for reason in peril.reasons],
            earliest=peril.earliest,
            opens_at=peril.opens_at,
            awaits=peril.awaits,
            latest=peril.latest,
            closes_at=peril.closes_at,
            required=list(peril.required),
            present=list(peril.present),
            missing=[str(gap) for gap in peril.missing],
            supporting=list(peril.supporting),
            instrument=peril.instrument,
        )


class EligibilityView(View):
    policy_id: str
    as_of: datetime
    perils: list[PerilView]


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


class InformationRequestView(View):
    request_id: str
    missing: list[str]
    """As in the decision: `a|b+c` is a, or both b and c."""
    message: str
    asked_by: str
    asked_at: datetime
    info_until: date | None
    grace_until: date | None
    replies: list[str]

    @classmethod
    def of(cls, request: InformationRequest) -> "InformationRequestView":
        told = asdict(request)
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
    """`platform`: nobody has filed it yet."""
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
    decision = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert decision is not None or not filed.is_filed, "a claim is decided when it is filed"
    evidence = await store.list_evidence(tx, filed.claim_id, tenant_id=filed.tenant_id)
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    recoveries = await store.list_recoveries(tx, filed.claim_id, tenant_id=filed.tenant_id)
    asked = await store.list_approvals_of(tx, filed.claim_id, tenant_id=filed.tenant_id)
    withdrawal, replaces = await store.find_withdrawals(
        tx, filed.claim_id, tenant_id=filed.tenant_id
    )
    appeals = await store.list_appeals(tx, filed.claim_id, tenant_id=filed.tenant_id)
    window = None
    if filed.state in APPEALABLE:
        window = await store.find_window(tx, filed.claim_id, tenant_id=filed.tenant_id)
    clocks = await store.list_clocks(tx, filed.claim_id, tenant_id=filed.tenant_id)
    request = await store.find_open_request(tx, filed.claim_id, tenant_id=filed.tenant_id)
    reserve = await store.find_reserve(tx, filed.claim_id, tenant_id=filed.tenant_id)
    vouchers = await store.list_vouchers(tx, filed.claim_id, tenant_id=filed.tenant_id)
    repayments = await store.list_repayments(tx, filed.claim_id, tenant_id=filed.tenant_id)
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
        evidence=[EvidenceView.of(file) for file in evidence],
        payouts=[PayoutView.of(payout) for payout in payouts],
        recoveries=[RecoveryView.of(recovery) for recovery in recoveries],
        approvals=[ApprovalView.of(approval) for approval in asked],
        withdrawal=None if withdrawal is None else WithdrawalView.of(withdrawal),
        replaces=replaces,
        replaced_by=None if withdrawal is None else withdrawal.replaced_by,
        closed_at=filed.closed_at,
        appeals=[AppealView.of(appeal) for appeal in appeals],
        appeal_until=window.file_by if window else None,
        appeal_tier=window.tier if window else None,
        appeal_body=(window.body or None) if window else None,
        is_priority=filed.is_priority,
        complete_at=filed.claim.complete_at,
        escalated_at=filed.escalated_at,
        clocks=[ClockView.of(clock) for clock in clocks.values()],
        request=None if request is None else InformationRequestView.of(request),
        reserve=None if reserve is None else MoneyView.of(reserve),
        vouchers=[VoucherView.of(voucher) for voucher in vouchers],
        repayments=[RepaymentView.of(repayment) for repayment in repayments],
        signals=[SignalView.of(signal) for signal in (decision.signals if decision else ())],
    )
