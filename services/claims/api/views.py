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
from services.claims.domain import Eligibility
from services.claims.domain.filing import Payout
from services.claims.domain.money_back import Recovery
from services.claims.domain.signals import Signal
from services.claims.store import Evidence, FiledClaim, KeptDecision


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
    """PAYOUT, or ADVANCE: paid ahead of the insurer."""
    amount: MoneyView
    instrument: str
    state: str
    reference: str | None
    sent_at: datetime | None
    settled_at: datetime | None

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
    submitted_by: str
    uploaded_at: datetime

    @classmethod
    def of(cls, evidence: Evidence) -> "EvidenceView":
        return cls(**asdict(evidence))


class RecoveryView(View):
    recovery_id: str
    claim_id: str
    source: str
    reference: str
    amount: MoneyView
    recorded_at: datetime

    @classmethod
    def of(cls, recovery: Recovery) -> "RecoveryView":
        return cls(
            recovery_id=recovery.recovery_id,
            claim_id=recovery.claim_id,
            source=recovery.source,
            reference=recovery.reference,
            amount=MoneyView.of(recovery.amount),
            recorded_at=recovery.recorded_at,
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
        )


async def claim_view(tx: Tx, filed: FiledClaim) -> ClaimView:
    decision = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert decision is not None or not filed.is_filed, "a claim is decided when it is filed"
    evidence = await store.list_evidence(tx, filed.claim_id, tenant_id=filed.tenant_id)
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    recoveries = await store.list_recoveries(tx, filed.claim_id, tenant_id=filed.tenant_id)
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
        signals=[SignalView.of(signal) for signal in (decision.signals if decision else ())],
    )
