"""A claim told from its first contact on, with the steps of each of its decisions."""

from collections.abc import Mapping
from dataclasses import dataclass

from libs.common.db import Tx
from libs.common.plans.wire import from_wire
from services.claims import store
from services.claims.domain.filing import Payout
from services.claims.domain.replay import Answer, Past
from services.claims.domain.trace import Trace, trace
from services.claims.store import FiledClaim, KeptDecision, Moment
from services.claims.usecases.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedDecision:
    """`agrees`: the steps come to the outcome and the reasons that were kept."""

    kept: KeptDecision
    trace: Trace
    agrees: bool
    payouts: tuple[Payout, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTrace:
    """`decisions` by their ids."""

    filed: FiledClaim
    moments: tuple[Moment, ...]
    decisions: Mapping[str, TracedDecision]


async def trace_claim(tx: Tx, rules: Rules, claim_id: str, *, tenant_id: str) -> ClaimTrace:
    """Nothing is written: each decision is made again step by step from the facts kept with it."""
    filed = await store.get_claim(tx, claim_id, tenant_id=tenant_id)
    moments = await store.list_moments(tx, filed)
    payouts = await store.list_payouts(tx, claim_id, tenant_id=tenant_id)
    decisions = await store.list_decisions(tx, claim_id, tenant_id=tenant_id)
    past = await store.list_past_of(tx, claim_id, tenant_id=tenant_id)
    return ClaimTrace(
        filed=filed,
        moments=tuple(moments),
        decisions={
            kept.decision_id: _traced(rules, kept, one, payouts)
            for kept, one in zip(decisions, past, strict=True)
        },
    )


def _traced(
    rules: Rules, kept: KeptDecision, past: Past, payouts: list[Payout]
) -> TracedDecision:
    plan = rules.plans.pinned(past.plan_sha256)
    facts = from_wire(past.facts, plan.zone)
    steps = trace(plan, past.decision["peril"], facts, past.overridden)
    said = Answer.of(past.decision)
    return TracedDecision(
        kept=kept,
        trace=steps,
        agrees=(steps.outcome.value, tuple(str(r) for r in steps.reasons))
        == (said.outcome, said.reasons),
        payouts=tuple(p for p in payouts if p.decision_id == kept.decision_id),
    )
