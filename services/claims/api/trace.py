"""A claim's trace: what happened to it, and how each of its decisions came about."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from libs.common import web
from libs.common.auth import CLAIMS_READ, Caller, requires
from libs.common.service import Db, Parts
from libs.common.wire import MoneyView, View
from services.claims import usecases
from services.claims.api.decision_views import SignalView
from services.claims.api.money_views import PayoutView
from services.claims.api.parts import rules_of
from services.claims.domain.decision import Line, Reason
from services.claims.domain.trace import Result, Step
from services.claims.store import Moment
from services.claims.usecases import ClaimTrace, TracedDecision

router = web.api_router(prefix="/v1", tags=["claims"])


class TracedReasonView(View):
    code: str
    detail: str
    outcome: str
    """What this reason alone leads to."""
    is_discretionary: bool
    rule_ids: list[str]
    """The rules that fired."""

    @classmethod
    def of(cls, reason: Reason) -> "TracedReasonView":
        return cls(
            code=reason.code,
            detail=reason.detail,
            outcome=reason.outcome.value,
            is_discretionary=reason.is_discretionary,
            rule_ids=list(reason.rule_ids),
        )


class TracedLineView(View):
    label: str
    after: Decimal
    before: Decimal | None
    limit: Decimal | None

    @classmethod
    def of(cls, line: Line) -> "TracedLineView":
        return cls(label=line.label, after=line.after, before=line.before, limit=line.limit)


class StepView(View):
    """One of the twelve steps, in the order in which they are taken."""

    step: int
    name: str
    result: Result
    """DECISIVE: it made the outcome; SECONDARY: it says more against the claim. NOT_ASKED: the
    parcel is not insured or the peril not covered, so there is nothing to ask."""
    reasons: list[TracedReasonView]
    overridden: list[TracedReasonView]
    """What people set aside."""
    rule_ids: list[str]
    """The rules of the clauses it asked, whatever they said."""
    inputs: dict[str, Any]
    """The facts it read; null is unset."""
    missing: list[str]
    lines: list[TracedLineView]
    """The arithmetic, exact and in the plan's currency."""

    @classmethod
    def of(cls, step: Step) -> "StepView":
        return cls(
            step=step.number,
            name=step.name,
            result=step.result,
            reasons=[TracedReasonView.of(reason) for reason in step.reasons],
            overridden=[TracedReasonView.of(reason) for reason in step.overridden],
            rule_ids=list(step.rule_ids),
            inputs=dict(step.inputs),
            missing=list(step.missing),
            lines=[TracedLineView.of(line) for line in step.lines],
        )


class TracedDecisionView(View):
    decision_id: str
    number: int
    outcome: str
    is_settled: bool
    waits_because: str | None
    payout: MoneyView
    decided_by: str
    plan: str
    plan_version: int
    signals: list[SignalView]
    agrees: bool
    """Whether the steps, taken once more, come to the decision that was kept."""
    steps: list[StepView]
    payouts: list[PayoutView]
    """What it had paid, as that stands now."""

    @classmethod
    def of(cls, traced: TracedDecision) -> "TracedDecisionView":
        kept = traced.kept
        return cls(
            decision_id=kept.decision_id,
            number=kept.number,
            outcome=kept.outcome,
            is_settled=kept.is_settled,
            waits_because=kept.waits_because,
            payout=MoneyView.of(kept.payout),
            decided_by=kept.decided_by,
            plan=kept.plan,
            plan_version=kept.plan_version,
            signals=[SignalView.of(signal) for signal in kept.signals],
            agrees=traced.agrees,
            steps=[StepView.of(step) for step in traced.trace.steps],
            payouts=[PayoutView.of(payout) for payout in traced.payouts],
        )


class MomentView(View):
    at: datetime
    what: str
    """FirstContact, or the event that was said: ClaimFiled, EvidenceAdded, ClaimDecided, ..."""
    by: str
    """Who: a token's subject, `platform`, `service:<name>`, `event:<type>` or `deadline:<kind>`."""
    told: dict[str, Any]
    """What was said of it."""
    decision: TracedDecisionView | None
    """Of a ClaimDecided: how it came about."""


class TraceView(View):
    claim_id: str
    policy_id: str | None
    peril: str
    state: str
    moments: list[MomentView]
    """In the order in which they happened."""

    @classmethod
    def of(cls, traced: ClaimTrace) -> "TraceView":
        filed = traced.filed
        return cls(
            claim_id=filed.claim_id,
            policy_id=filed.policy_id,
            peril=filed.peril,
            state=filed.state,
            moments=[_moment(moment, traced) for moment in traced.moments],
        )


def _moment(moment: Moment, traced: ClaimTrace) -> MomentView:
    # Only a decision's own event has its steps; later events may name the decision too.
    is_decision = moment.what == "ClaimDecided"
    decision = traced.decisions[moment.told["decision_id"]] if is_decision else None
    return MomentView(
        at=moment.at,
        what=moment.what,
        by=moment.by,
        told=moment.told,
        decision=None if decision is None else TracedDecisionView.of(decision),
    )


@router.get("/claims/{claim_id}/trace")
async def trace_claim(
    claim_id: str, caller: Annotated[Caller, requires(CLAIMS_READ)], db: Db, parts: Parts
) -> TraceView:
    """Everything that happened to the claim; for each decision its steps, inputs and rules."""
    async with db.transaction(caller.tenant_id) as tx:
        traced = await usecases.trace_claim(
            tx, rules_of(parts), claim_id, tenant_id=caller.tenant_id
        )
    return TraceView.of(traced)
