"""What the engine would say to a claim now, and whether it is what was said before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from libs.common.db import Tx
from libs.common.plans.codes import Outcome
from libs.common.plans.values import Plan
from services.claims import store
from services.claims.domain import Eligibility, adjudicate, eligibility_of, filing
from services.claims.domain.approvals import Override
from services.claims.domain.cases import Case, Claim, Cover, Statement
from services.claims.domain.decision import Decision
from services.claims.domain.facts_of_claim import facts
from services.claims.domain.signals import Signal
from services.claims.store import FiledClaim, KeptDecision
from services.claims.usecases.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The engine's answer, the facts it was made from, and what keeps it waiting for a person."""

    plan: Plan
    decision: Decision
    facts: dict[str, Any]
    signals: tuple[Signal, ...] = ()
    waits_because: str | None = None


async def propose(
    tx: Tx,
    rules: Rules,
    cover: Cover,
    filed: FiledClaim,
    *,
    now: datetime,
    asked: Sequence[Override] = (),
) -> Proposal:
    """What the plan says to the claim on what is known now, and on what people have overridden.

    `asked` is what somebody would override besides.
    """
    plan = rules.plans.pinned(cover.plan_sha256)
    known = facts(await _case(tx, cover, filed.claim), now)
    overridden = frozenset(override.code for override in (*filed.overrides, *asked))
    decision = adjudicate(plan, filed.claim.statement.peril, known, overridden)
    return Proposal(plan=plan, decision=decision, facts=known)


async def list_perils(
    tx: Tx, rules: Rules, cover: Cover, *, now: datetime
) -> tuple[Eligibility, ...]:
    """What the plan would say to a claim made now, peril by peril, on the facts that decide it.

    Where a first notice waits, it is the first contact of that claim.
    """
    plan = rules.plans.pinned(cover.plan_sha256)
    asked = Claim(claim_id="", statement=Statement(peril="LOSS"), notified_at=now, filed_at=now)
    known = facts(await _case(tx, cover, asked), now)
    del known["peril"]
    policy = (cover.tenant_id, cover.policy_id)
    claims = (await store.list_claims_of(tx, [policy])).get(policy, ())
    notified = {c.peril: c.claim.notified_at for c in claims if c.state == filing.NOTIFIED}
    return tuple(
        eligibility_of(plan, peril, _notified(known, notified.get(peril.peril)))
        for peril in plan.perils.values()
    )


def is_still(latest: KeptDecision, decision: Decision) -> bool:
    """What somebody was asked to agree to: outcome, amount and reasons, whatever the day."""
    return is_still_answer(latest.decision, decision)


def is_still_answer(kept: dict[str, Any], decision: Decision) -> bool:
    """The same of an answer that was kept without being a decision."""

    def agreed(one: dict[str, Any]) -> list[Any]:
        asked = [gap["label"] for gap in one["missing"]]
        return [asked, *(one[name] for name in _AGREED)]

    return agreed(kept) == agreed(as_kept(decision))


def is_same(latest: KeptDecision, proposal: Proposal, *, is_settled: bool) -> bool:
    """Decided again with the same answer: arithmetic, reasons and all."""
    if latest.is_settled != is_settled or latest.decision != as_kept(proposal.decision):
        return False
    # New signals are news to whoever has an approval before them, and to nobody else.
    is_before_person = not is_settled and proposal.decision.outcome is Outcome.APPROVED
    return not is_before_person or latest.signals == proposal.signals


def _notified(known: dict[str, Any], at: datetime | None) -> dict[str, Any]:
    return known if at is None else {**known, "notified_at": at, "reported_at": at}


async def _case(tx: Tx, cover: Cover, claim: Claim) -> Case:
    earlier = await store.list_earlier(
        tx, cover.policy_id, tenant_id=cover.tenant_id, besides=claim.claim_id
    )
    return Case(
        cover=cover, claim=claim, earlier=earlier, order=await store.order_position(tx, cover)
    )


_AGREED = ("outcome", "payout", "instrument", "reasons", "notes", "caps", "overridden")


def as_kept(decision: Decision) -> dict[str, Any]:
    """Through JSON, as a stored one went: a tuple is read back as a list."""
    kept: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(decision))
    return kept
