"""A second person's answer: what it lets happen, and what it ends."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from libs.common.db import Tx
from libs.common.ledger import Account
from services.claims import store
from services.claims.domain import appeals, approvals
from services.claims.domain.approvals import Approval
from services.claims.domain.cases import Cover
from services.claims.events import ApprovalAnswered
from services.claims.store import FiledClaim
from services.claims.usecases.appeals import (
    decide_as_proposed,
    drop_proposal,
    is_still_proposed,
)
from services.claims.usecases.decisions import (
    Rules,
    announce,
    decide_anew,
    is_still,
    lock_claim,
    propose,
    reconsider,
    schedule,
)
from services.claims.usecases.second_person import void_payout


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerApproval:
    tenant_id: str
    approval_id: str
    is_granted: bool
    note: str
    answered_by: str


async def answer_approval(
    tx: Tx, rules: Rules, command: AnswerApproval, *, now: datetime
) -> Approval:
    """Somebody else agrees or not, once; VOID where it could not be done any more.

    Whatever they agree to is decided anew on what is known now, and happens only if it is still
    the answer.
    """
    tenant_id = command.tenant_id
    known = await store.get_approval(tx, command.approval_id, tenant_id=tenant_id)
    cover, filed = await lock_claim(tx, known.claim_id, tenant_id=tenant_id)
    approval = await store.get_approval(tx, command.approval_id, tenant_id=tenant_id)
    is_news = approvals.is_news(approval, is_granted=command.is_granted, by=command.answered_by)
    if not is_news:
        return approval
    answered = replace(
        approval,
        state="GRANTED" if command.is_granted else "REFUSED",
        answered_by=command.answered_by,
        answered_at=now,
        note=command.note,
    )
    answer = _ANSWERS[approval.about]
    return await answer(tx, rules, cover, filed, answered, now=now)


async def _answer_decision(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, answered: Approval, *, now: datetime
) -> Approval:
    """Granted: the decision stands, with both names, and is paid. Refused: the engine's proposal."""
    if answered.state == "REFUSED":
        await _keep(tx, filed, answered, now=now)
        await decide_anew(tx, rules, cover, filed, now=now, is_held=True)
        return answered
    latest = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert latest is not None, "only a decision is approved"
    proposal = await propose(tx, rules, cover, filed, now=now, asked=latest.overrides)
    if not is_still(latest, proposal.decision):
        void = await _keep_void(tx, filed, answered)
        await decide_anew(tx, rules, cover, filed, now=now, is_held=True)
        return void
    await _keep(tx, filed, answered, now=now)
    agreed = replace(filed, overrides=latest.overrides)
    await store.save_claim(tx, agreed)
    await decide_anew(
        tx,
        rules,
        cover,
        agreed,
        now=now,
        decided_by=answered.asked_by,
        is_accepted=True,
        approved_by=answered.answered_by,
    )
    return answered


async def _answer_payout(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, answered: Approval, *, now: datetime
) -> Approval:
    """Granted: it is sent. Refused: it never is, and its claim waits for a person again."""
    tenant_id = filed.tenant_id
    payout = await store.get_payout(tx, answered.subject_id, tenant_id=tenant_id)
    if answered.state == "GRANTED":
        if not await reconsider(tx, rules, payout, tenant_id=tenant_id, now=now):
            return await _keep_void(tx, filed, answered)
        await _keep(tx, filed, answered, now=now)
        approved = replace(payout, state="APPROVED")
        await store.save_payout(tx, approved, tenant_id=tenant_id)
        await schedule(tx, approved, tenant_id=tenant_id, now=now)
        return answered
    await _keep(tx, filed, answered, now=now)
    back = await void_payout(tx, payout, "REFUSED", tenant_id=tenant_id, now=now)
    # An advance comes before any decision, and an insurer's excess is none of it.
    is_decided = any(entry.account == Account.CLAIMS for entry in back.entries)
    if is_decided:
        reopened = replace(filed, state="SUBMITTED")
        await decide_anew(tx, rules, cover, reopened, now=now, is_held=True)
    return answered


async def _answer_appeal(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, answered: Approval, *, now: datetime
) -> Approval:
    """Granted: the appeal is decided as proposed. Refused: it is open, for another verdict.

    Its decider proposed to override, and said nothing of what they would decide without that.
    """
    assert answered.answered_by is not None
    by, tenant_id = answered.answered_by, filed.tenant_id
    appeals.must_be_new(by, await store.list_deciders(tx, filed.claim_id, tenant_id=tenant_id))
    asked = await store.get_appeal(tx, answered.subject_id, tenant_id=tenant_id)
    if answered.state == "REFUSED":
        await _keep(tx, filed, answered, now=now)
        await drop_proposal(tx, filed, asked)
        return answered
    if not await is_still_proposed(tx, rules, cover, filed, asked, now=now):
        await drop_proposal(tx, filed, asked)
        return await _keep_void(tx, filed, answered)
    await _keep(tx, filed, answered, now=now)
    await decide_as_proposed(tx, rules, cover, filed, asked, approved_by=by, now=now)
    return answered


_ANSWERS: Final = {
    approvals.DECISION: _answer_decision,
    approvals.PAYOUT: _answer_payout,
    approvals.APPEAL: _answer_appeal,
}


async def _keep(tx: Tx, filed: FiledClaim, answered: Approval, *, now: datetime) -> None:
    assert answered.answered_by is not None
    await store.save_approval(tx, answered, tenant_id=filed.tenant_id)
    event = ApprovalAnswered(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        about=answered.about,
        subject_id=answered.subject_id,
        is_granted=answered.state == "GRANTED",
        answered_by=answered.answered_by,
        answered_at=now,
    )
    await announce(tx, filed, event, now=now)


async def _keep_void(tx: Tx, filed: FiledClaim, answered: Approval) -> Approval:
    """Agreed to, and too late: what follows is told by the new decision."""
    void = replace(answered, state="VOID", void_why="PROPOSAL_CHANGED")
    await store.save_approval(tx, void, tenant_id=filed.tenant_id)
    return void
