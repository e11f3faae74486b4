"""A decision written down: what is kept, said, asked, put by and paid of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadline, set_deadline
from libs.common.ids import new_id
from libs.common.ledger import Account
from libs.common.money import zero
from libs.common.plans.codes import Outcome
from libs.common.plans.values import Plan
from services.claims import store
from services.claims.domain import appeal, appeals, approvals, filing
from services.claims.domain.appeals import Appeal
from services.claims.domain.approvals import Override, Wanted
from services.claims.domain.decision import Decision
from services.claims.domain.filing import Payout
from services.claims.domain.requests import InformationRequest
from services.claims.events import ClaimDecided, Line, Reason
from services.claims.store import Beside, FiledClaim
from services.claims.usecases.announcing import announce
from services.claims.usecases.closing import close_when_over, open_window
from services.claims.usecases.following import Decided, follow
from services.claims.usecases.payouts import create_payout, void_waiting
from services.claims.usecases.proposing import Proposal, is_same
from services.claims.usecases.reserves import reserve
from services.claims.usecases.rules import Rules
from services.claims.usecases.second_person import ask
from services.claims.usecases.standing import restand

LOOK_AGAIN = "look_again_at_claim"


async def record(
    tx: Tx,
    rules: Rules,
    filed: FiledClaim,
    beside: Beside,
    proposal: Proposal,
    *,
    is_settled: bool,
    decided_by: str,
    policy_sequence: int,
    now: datetime,
    overrides: tuple[Override, ...] = (),
    second: Wanted | None = None,
    approved_by: str | None = None,
) -> FiledClaim:
    """`beside` is what the claim has before it."""
    decision, awaits = proposal.decision, second is not None
    latest, request = beside.latest, beside.request
    is_held = request is not None and request.holds(now)
    state = filing.state_after(decision, is_settled=is_settled, is_held=is_held)
    following = Decided(
        plan=proposal.plan,
        facts=proposal.facts,
        decision=decision,
        is_settled=is_settled and decision.outcome in filing.FINAL,
        decided_at=now,
        is_first=latest is None,
    )
    if latest is not None:
        is_asked_again = (latest.awaits_approval, latest.overrides) == (awaits, overrides)
        if is_asked_again and is_same(latest, proposal, is_settled=is_settled):
            following = replace(following, decided_at=latest.decided_at)
            return await _stay(tx, filed, state, following, beside, now=now)
        if latest.awaits_approval:
            await store.void_approval(
                tx, latest.decision_id, "DECIDED_ANEW", tenant_id=filed.tenant_id
            )
    decision_id = new_id("dec")
    await store.insert_decision(
        tx,
        filed,
        decision,
        proposal.facts,
        decision_id=decision_id,
        number=1 if latest is None else latest.number + 1,
        is_settled=is_settled,
        decided_by=decided_by,
        policy_sequence=policy_sequence,
        signals=proposal.signals,
        waits_because=proposal.waits_because,
        now=now,
        overrides=overrides,
        awaits_approval=awaits,
        approved_by=approved_by,
    )
    decided = replace(filed, state=state)
    asks = is_settled and decision.outcome is Outcome.INFO_REQUIRED
    if asks and filed.claim.info_requested_at is None:
        decided = replace(decided, claim=replace(filed.claim, info_requested_at=now))
    await store.save_claim(tx, decided)
    await reserve(
        tx,
        decided,
        decision,
        decision_id,
        beside.reserve,
        is_settled=is_settled,
        now=now,
    )
    event = _claim_decided(
        decided,
        proposal,
        decision_id,
        is_settled=is_settled,
        awaits_approval=awaits,
        decided_by=decided_by,
        now=now,
    )
    # Of one that an appeal brought, AppealDecided says what can be done next.
    if filed.state != "UNDER_APPEAL":
        event = _with_appeal(event, proposal.plan)
    await announce(tx, decided, event, now=now)
    await _watch(tx, decided, following, request if is_held else None)
    if second is not None:
        about = approvals.DECISION
        await ask(tx, decided, about, decision_id, second, by=decided_by, now=now)
    payouts = beside.payouts
    if following.is_settled:
        payouts = await void_waiting(tx, payouts, tenant_id=filed.tenant_id, now=now)
    if is_settled and decision.outcome is Outcome.APPROVED:
        decided, payouts = await _pay(
            tx, rules, decided, decision, decision_id, payouts, by=decided_by, now=now
        )
    if decided.policy_id is None:
        return decided
    decided = await follow(tx, decided, following, replace(beside, payouts=payouts), now=now)
    if is_settled and decided.state in filing.STANDING_STATES:
        return await _await_appeal(tx, decided, proposal.plan, beside.appeals, now=now)
    return decided


async def _stay(
    tx: Tx,
    filed: FiledClaim,
    state: str,
    following: Decided,
    beside: Beside,
    *,
    now: datetime,
) -> FiledClaim:
    """The same answer again: only what was asked beside it, or promised, may have moved."""
    if filed.policy_id is None:
        return filed
    if filed.state in filing.OPEN_STATES and state in filing.OPEN_STATES:
        filed = replace(filed, state=state)
        await store.save_claim(tx, filed)
    request = beside.request
    if request is not None:
        await _watch(tx, filed, following, request if request.holds(now) else None)
    return await follow(tx, filed, following, beside, now=now)


async def _await_appeal(
    tx: Tx, filed: FiledClaim, plan: Plan, heard: Sequence[Appeal], *, now: datetime
) -> FiledClaim:
    """What stands may be appealed for a while, and the claim closes behind that.

    A claim on no policy has no programme to appeal to; one under appeal waits for its decision.
    """
    if filed.policy_id is None:
        return filed
    if appeals.is_open(heard):
        return await restand(tx, filed)
    await open_window(tx, filed, plan, heard, decided_at=now)
    return await close_when_over(tx, filed, now=now)


async def _pay(
    tx: Tx,
    rules: Rules,
    filed: FiledClaim,
    decision: Decision,
    decision_id: str,
    payouts: tuple[Payout, ...],
    *,
    by: str,
    now: datetime,
) -> tuple[FiledClaim, tuple[Payout, ...]]:
    """Owe what the decision pays, less what went before it; PAID when nothing is left."""
    assert filed.policy_id is not None
    # One that failed is owed still, and goes out again.
    gone = sum(
        (p.amount for p in payouts if p.state != "VOID"),
        zero(decision.payout.currency),
    )
    left = decision.payout - gone
    if left.amount_minor <= 0:
        return await restand(tx, filed), payouts
    payout = Payout(
        payout_id=new_id("pyt"),
        claim_id=filed.claim_id,
        policy_id=filed.policy_id,
        decision_id=decision_id,
        amount=left,
        instrument=decision.instrument,
        state="APPROVED",
    )
    created = await create_payout(
        tx, rules, filed, payout, debit=Account.CLAIMS, by=by, now=now
    )
    return filed, (*payouts, created)


async def _watch(
    tx: Tx, filed: FiledClaim, decided: Decided, held: InformationRequest | None
) -> None:
    """Have the claim looked at again by itself when time alone may change the answer, or a
    person has waited long enough for theirs."""
    ends = (filing.look_again_at(decided.decision), None if held is None else held.lapses_at)
    due_at = min((at for at in ends if at is not None), default=None)
    if due_at is None:
        if not decided.is_first:
            await cancel_deadline(tx, filed.tenant_id, LOOK_AGAIN, filed.claim_id)
        return
    await set_deadline(
        tx,
        Deadline(
            tenant_id=filed.tenant_id, kind=LOOK_AGAIN, subject=filed.claim_id, due_at=due_at
        ),
    )


def _with_appeal(event: ClaimDecided, plan: Plan) -> ClaimDecided:
    """Until when and to whom a decision that stands may be appealed, where the plan has it."""
    is_final = event.outcome in (Outcome.APPROVED, Outcome.DENIED)
    if not (event.is_settled and is_final and event.policy_id):
        return event
    first = appeal(plan, {"previous_decided_at": event.decided_at})
    if not first.accepted:
        return event
    return msgspec.structs.replace(event, appeal_until=first.file_by, appeal_body=first.body)


def _claim_decided(
    filed: FiledClaim,
    proposal: Proposal,
    decision_id: str,
    *,
    is_settled: bool,
    awaits_approval: bool,
    decided_by: str,
    now: datetime,
) -> ClaimDecided:
    decision = proposal.decision
    assessed = decision.assessment
    lines = (
        () if assessed is None or decision.outcome is not Outcome.APPROVED else assessed.lines
    )
    return ClaimDecided(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        decision_id=decision_id,
        peril=decision.peril,
        outcome=decision.outcome.value,
        is_settled=is_settled,
        payout=decision.payout,
        instrument=decision.instrument,
        reasons=tuple(
            Reason(code=str(r), is_discretionary=r.is_discretionary) for r in decision.reasons
        ),
        caps=decision.caps,
        notes=tuple(str(note) for note in decision.notes),
        missing=tuple(str(gap) for gap in decision.missing),
        lines=tuple(
            Line(label=n.label, after=n.after, before=n.before, limit=n.limit) for n in lines
        ),
        rule_ids=decision.rule_ids,
        eligible_on=decision.eligible_on,
        plan=decision.plan,
        plan_version=decision.version,
        decided_by=decided_by,
        decided_at=now,
        awaits_approval=awaits_approval,
        signals=tuple(dict.fromkeys(signal.code for signal in proposal.signals)),
    )
