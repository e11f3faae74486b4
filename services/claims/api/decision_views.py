"""Decisions as they are shown, with what keeps them waiting and who agreed to them."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Literal

from libs.common.wire import MoneyView, View
from services.claims.domain.approvals import Approval
from services.claims.domain.signals import Signal
from services.claims.store import KeptDecision


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
