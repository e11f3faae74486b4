"""What the claims service does: load, decide, save, announce; always inside the door's transaction.

There is one decision, `decide`: filing, new evidence, news of the parcel and deadlines all call it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from libs.common import ledger, outbox
from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadline, set_deadline
from libs.common.errors import NotHereYet
from libs.common.events import Announcement
from libs.common.ids import new_id
from libs.common.ledger import Account, move
from libs.common.money import Money
from libs.common.plans.book import PlanBook
from libs.common.plans.codes import Outcome
from libs.common.plans.tenants import Tenants
from services.claims import store
from services.claims.domain import adjudicate, filing, straight_through
from services.claims.domain.cases import Case, Claim, Cover, Statement
from services.claims.domain.decision import Decision
from services.claims.domain.facts_of_claim import facts
from services.claims.domain.filing import Payout
from services.claims.events import (
    ClaimDecided,
    ClaimEvent,
    ClaimFiled,
    Line,
    PayoutSent,
    PayoutSettled,
    Reason,
)
from services.claims.store import FiledClaim, KeptDecision

LOOK_AGAIN = "look_again_at_claim"
SEND_PAYOUT = "send_payout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What decisions rest on besides facts: the plans, and the tenants' limits."""

    plans: PlanBook
    tenants: Tenants

    def limit_of(self, tenant_id: str) -> Money:
        """Up to what a loss is paid without a person."""
        tenant = self.tenants.get(tenant_id)
        if tenant is None:
            raise NotHereYet(f"Tenant {tenant_id} is not in tenants.yaml here.")
        return tenant.straight_through_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class FileClaim:
    tenant_id: str
    policy_id: str
    statement: Statement
    filed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlePayout:
    tenant_id: str
    payout_id: str
    state: str
    reference: str


async def file_claim(tx: Tx, rules: Rules, command: FileClaim, *, now: datetime) -> FiledClaim:
    """The claim, filed and decided in one transaction: ClaimFiled first, ClaimDecided second."""
    cover = await store.lock_cover(tx, command.policy_id, tenant_id=command.tenant_id)
    filing.must_know(command.statement.item_ids, cover.terms)
    filed = FiledClaim(
        claim=Claim(
            claim_id=new_id("clm"), statement=command.statement, notified_at=now, filed_at=now
        ),
        tenant_id=command.tenant_id,
        policy_id=command.policy_id,
        state="SUBMITTED",
        filed_by=command.filed_by,
    )
    await store.insert_claim(tx, filed)
    await _announce(tx, filed, _claim_filed(filed), now=now)
    return await decide(tx, rules, cover, filed, now=now)


async def decide(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> FiledClaim:
    """Decide the claim on what is known now; nothing is written when nothing has changed."""
    plan = rules.plans.pinned(cover.plan_sha256)
    case = Case(
        cover=cover,
        claim=filed.claim,
        earlier=await store.list_earlier(tx, filed),
        order=await store.order_position(tx, cover),
    )
    known = facts(case, now)
    decision = adjudicate(plan, filed.claim.statement.peril, known)
    is_settled = straight_through(
        plan, decision, known, rules.limit_of(filed.tenant_id)
    ).settles
    latest = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    if latest is not None and _is_same(latest, decision, is_settled=is_settled):
        return filed
    return await _take_effect(
        tx, cover, filed, decision, known, latest, is_settled=is_settled, now=now
    )


async def look_again(
    tx: Tx, rules: Rules, claim_id: str, *, tenant_id: str, now: datetime
) -> None:
    """An instant has come at which an open claim may be decided otherwise."""
    filed = await store.get_claim(tx, claim_id, tenant_id=tenant_id)
    cover = await store.lock_cover(tx, filed.policy_id, tenant_id=tenant_id)
    # Read again behind the lock: somebody may have decided in between.
    filed = await store.get_claim(tx, claim_id, tenant_id=tenant_id)
    if filed.state in filing.OPEN_STATES:
        await decide(tx, rules, cover, filed, now=now)


async def decide_open_claims(tx: Tx, rules: Rules, cover: Cover, *, now: datetime) -> None:
    """There is news of the policy or its parcel."""
    claims = await store.list_claims_of_policy(tx, cover.policy_id, tenant_id=cover.tenant_id)
    for filed in claims:
        if filed.state in filing.OPEN_STATES:
            await decide(tx, rules, cover, filed, now=now)


async def remember_covers(tx: Tx, covers: Sequence[Cover]) -> None:
    """Keep copies of sold policies; of one policy's the last is the newest."""
    await store.upsert_covers(tx, list({cover.policy_id: cover for cover in covers}.values()))


async def send_payout(tx: Tx, payout_id: str, *, tenant_id: str, now: datetime) -> None:
    """Instruct the payment. It is out with the commit, and never a second time."""
    payout = await store.get_payout(tx, payout_id, tenant_id=tenant_id)
    filed = await store.get_claim(tx, payout.claim_id, tenant_id=tenant_id)
    await store.lock_cover(tx, payout.policy_id, tenant_id=tenant_id)
    payout = await store.get_payout(tx, payout_id, tenant_id=tenant_id)
    if payout.state != "CREATED":
        return
    await store.save_payout(tx, replace(payout, state="SENT", sent_at=now), tenant_id=tenant_id)
    await store.save_claim(tx, replace(filed, state="PAYING"))
    await _announce(
        tx,
        filed,
        PayoutSent(
            claim_id=filed.claim_id,
            policy_id=filed.policy_id,
            payout_id=payout_id,
            amount=payout.amount,
            instrument=payout.instrument,
            sent_at=now,
        ),
        now=now,
    )


async def settle_payout(tx: Tx, command: SettlePayout, *, now: datetime) -> Payout:
    """The payment system's answer, which may come twice; a CONFIRMED payout leaves the books."""
    payout = await store.get_payout(tx, command.payout_id, tenant_id=command.tenant_id)
    await store.lock_cover(tx, payout.policy_id, tenant_id=command.tenant_id)
    payout = await store.get_payout(tx, command.payout_id, tenant_id=command.tenant_id)
    if not filing.settle(payout, command.state, command.reference):
        return payout
    settled = replace(payout, state=command.state, reference=command.reference, settled_at=now)
    await store.save_payout(tx, settled, tenant_id=command.tenant_id)
    filed = await store.get_claim(tx, payout.claim_id, tenant_id=command.tenant_id)
    if settled.state == "CONFIRMED":
        await store.save_claim(tx, replace(filed, state="PAID"))
        paid = move(
            "payout-settled",
            payout.payout_id,
            payout.policy_id,
            payout.amount,
            debit=_owed(payout.instrument),
            credit=Account.CASH,
        )
        await ledger.book(tx, command.tenant_id, [paid], now=now)
    await _announce(tx, filed, _payout_settled(settled, now), now=now)
    return settled


async def _take_effect(
    tx: Tx,
    cover: Cover,
    filed: FiledClaim,
    decision: Decision,
    known: dict[str, Any],
    latest: KeptDecision | None,
    *,
    is_settled: bool,
    now: datetime,
) -> FiledClaim:
    decision_id = new_id("dec")
    await store.insert_decision(
        tx,
        filed,
        cover,
        decision,
        known,
        decision_id=decision_id,
        number=1 if latest is None else latest.number + 1,
        is_settled=is_settled,
        decided_by="engine",
        now=now,
    )
    decided = replace(filed, state=filing.state_after(decision, is_settled=is_settled))
    if decision.outcome is Outcome.INFO_REQUIRED and filed.claim.info_requested_at is None:
        decided = replace(decided, claim=replace(filed.claim, info_requested_at=now))
    await store.save_claim(tx, decided)
    await _announce(
        tx, decided, _claim_decided(decided, decision, decision_id, is_settled, now), now=now
    )
    await _watch(tx, decided, decision)
    if is_settled and decision.outcome is Outcome.APPROVED:
        await _create_payout(tx, decided, decision, decision_id, now=now)
    return decided


async def _watch(tx: Tx, filed: FiledClaim, decision: Decision) -> None:
    """Have the claim looked at again by itself when time alone may change the answer."""
    due_at = filing.look_again_at(decision)
    if due_at is None:
        await cancel_deadline(tx, filed.tenant_id, LOOK_AGAIN, filed.claim_id)
        return
    await set_deadline(
        tx,
        Deadline(
            tenant_id=filed.tenant_id, kind=LOOK_AGAIN, subject=filed.claim_id, due_at=due_at
        ),
    )


async def _create_payout(
    tx: Tx, filed: FiledClaim, decision: Decision, decision_id: str, *, now: datetime
) -> None:
    payout = Payout(
        payout_id=new_id("pyt"),
        claim_id=filed.claim_id,
        policy_id=filed.policy_id,
        decision_id=decision_id,
        amount=decision.payout,
        instrument=decision.instrument,
        state="CREATED",
    )
    await store.insert_payout(tx, payout, tenant_id=filed.tenant_id, now=now)
    owed = move(
        "payout",
        payout.payout_id,
        payout.policy_id,
        payout.amount,
        debit=Account.CLAIMS,
        credit=_owed(payout.instrument),
    )
    await ledger.book(tx, filed.tenant_id, [owed], now=now)
    await set_deadline(
        tx,
        Deadline(
            tenant_id=filed.tenant_id, kind=SEND_PAYOUT, subject=payout.payout_id, due_at=now
        ),
    )


def _owed(instrument: str) -> Account:
    return Account.VOUCHER if instrument == "voucher" else Account.PAYOUT


def _is_same(latest: KeptDecision, decision: Decision, *, is_settled: bool) -> bool:
    """Decided again with the same answer: arithmetic, reasons and all."""
    return latest.is_settled == is_settled and latest.decision == msgspec.to_builtins(decision)


async def _announce(tx: Tx, filed: FiledClaim, event: ClaimEvent, *, now: datetime) -> None:
    await outbox.append(
        tx, Announcement(tenant_id=filed.tenant_id, key=filed.policy_id, event=event), now=now
    )


def _claim_filed(filed: FiledClaim) -> ClaimFiled:
    return ClaimFiled(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id,
        peril=filed.claim.statement.peril,
        notified_at=filed.claim.notified_at,
        filed_at=filed.claim.filed_at,
        filed_by=filed.filed_by,
    )


def _claim_decided(
    filed: FiledClaim, decision: Decision, decision_id: str, is_settled: bool, now: datetime
) -> ClaimDecided:
    assessed = decision.assessment
    lines = (
        () if assessed is None or decision.outcome is not Outcome.APPROVED else assessed.lines
    )
    return ClaimDecided(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id,
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
        decided_at=now,
    )


def _payout_settled(payout: Payout, now: datetime) -> PayoutSettled:
    return PayoutSettled(
        claim_id=payout.claim_id,
        policy_id=payout.policy_id,
        payout_id=payout.payout_id,
        amount=payout.amount,
        state=payout.state,
        settled_at=now,
    )
