"""Deciding: one function for filing, new papers, news of the parcel, deadlines and persons."""

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
from libs.common.money import zero
from libs.common.plans.book import PlanBook
from libs.common.plans.clocks import local_day
from libs.common.plans.codes import Outcome
from libs.common.plans.tenants import Tenant, Tenants
from libs.common.plans.values import Plan
from services.claims import store
from services.claims.domain import (
    Eligibility,
    adjudicate,
    appeal,
    eligibility_of,
    filing,
    straight_through,
)
from services.claims.domain.cases import Case, Claim, Cover, Findings, Statement
from services.claims.domain.decision import Decision
from services.claims.domain.evidence import supplied
from services.claims.domain.facts_of_claim import facts
from services.claims.domain.filing import Payout
from services.claims.events import ClaimDecided, ClaimEvent, Line, Reason
from services.claims.store import FiledClaim, KeptDecision

LOOK_AGAIN = "look_again_at_claim"
SEND_PAYOUT = "send_payout"
ATTACH_TRACKING = "attach_tracking"
ENGINE = "engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What decisions rest on besides facts: the plans, and the tenants' limits."""

    plans: PlanBook
    tenants: Tenants

    def tenant(self, tenant_id: str) -> Tenant:
        tenant = self.tenants.get(tenant_id)
        if tenant is None:
            raise NotHereYet(f"Tenant {tenant_id} is not in tenants.yaml here.")
        return tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideClaim:
    """A person's word: what they established, and whether the engine's answer on it stands."""

    tenant_id: str
    claim_id: str
    findings: Findings
    settles: bool
    decided_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The engine's answer and the facts it was made from."""

    plan: Plan
    decision: Decision
    facts: dict[str, Any]


async def propose(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> Proposal:
    """What the plan says to the claim on what is known now."""
    plan = rules.plans.pinned(cover.plan_sha256)
    known = facts(await _case(tx, cover, filed.claim), now)
    decision = adjudicate(plan, filed.claim.statement.peril, known)
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


def _notified(known: dict[str, Any], at: datetime | None) -> dict[str, Any]:
    return known if at is None else {**known, "notified_at": at, "reported_at": at}


async def _case(tx: Tx, cover: Cover, claim: Claim) -> Case:
    earlier = await store.list_earlier(
        tx, cover.policy_id, tenant_id=cover.tenant_id, besides=claim.claim_id
    )
    return Case(
        cover=cover, claim=claim, earlier=earlier, order=await store.order_position(tx, cover)
    )


async def decide(
    tx: Tx,
    rules: Rules,
    cover: Cover,
    filed: FiledClaim,
    *,
    now: datetime,
    decided_by: str = ENGINE,
    is_accepted: bool = False,
) -> FiledClaim:
    """Decide the claim on what is known now; nothing is written when the answer is the same.

    `is_accepted`: a person accepts the engine's answer, whatever it is, so that it stands.
    """
    proposal = await propose(tx, rules, cover, filed, now=now)
    limit = rules.tenant(filed.tenant_id).straight_through_limit
    settles = straight_through(proposal.plan, proposal.decision, proposal.facts, limit).settles
    is_final = proposal.decision.outcome in (Outcome.APPROVED, Outcome.DENIED)
    return await _record(
        tx,
        filed,
        proposal,
        is_settled=settles or (is_accepted and is_final),
        decided_by=decided_by,
        policy_sequence=cover.sequence,
        now=now,
    )


async def decide_uninsured(
    tx: Tx, rules: Rules, filed: FiledClaim, *, now: datetime
) -> FiledClaim:
    """No policy has this parcel: the attempt is answered NOT_INSURED (G-14)."""
    sold = rules.tenant(filed.tenant_id).plans[0]
    newest = rules.plans.newest(sold)
    plan = rules.plans.current(sold, local_day(now, newest.zone)) or newest
    known: dict[str, Any] = {"as_of": now, "policy_state": "NONE"}
    decision = adjudicate(plan, filed.claim.statement.peril, known)
    return await _record(
        tx,
        filed,
        Proposal(plan=plan, decision=decision, facts=known),
        is_settled=True,
        decided_by=ENGINE,
        policy_sequence=0,
        now=now,
    )


async def decide_by_person(
    tx: Tx, rules: Rules, command: DecideClaim, *, now: datetime
) -> FiledClaim:
    """An adjudicator adds findings, and lets the engine's answer on them stand or not yet."""
    cover, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    filing.must_be_open(filed.claim_id, filed.state)
    filing.must_know(tuple(command.findings.grades), cover.terms)
    found = filing.merged(filed.claim.findings, command.findings)
    examined = replace(filed, claim=replace(filed.claim, findings=found))
    await store.save_claim(tx, examined)
    return await decide(
        tx,
        rules,
        cover,
        examined,
        now=now,
        decided_by=command.decided_by,
        is_accepted=command.settles,
    )


async def look_again(
    tx: Tx, rules: Rules, claim_id: str, *, tenant_id: str, now: datetime
) -> None:
    """An instant has come at which an open claim may be decided otherwise."""
    cover, filed = await lock_claim(tx, claim_id, tenant_id=tenant_id)
    if filed.state in filing.OPEN_STATES:
        await decide(tx, rules, cover, filed, now=now)


async def reconsider(
    tx: Tx, rules: Rules, payout: Payout, *, tenant_id: str, now: datetime
) -> bool:
    """Decide once more on fresher copies, before the money goes; whether the payout stands.

    A payout that does not is void, booked back, and the new answer takes its place.
    """
    cover, filed = await lock_claim(tx, payout.claim_id, tenant_id=tenant_id)
    latest = await store.find_latest_decision(tx, filed.claim_id, tenant_id=tenant_id)
    proposal = await propose(tx, rules, cover, filed, now=now)
    assert latest is not None
    if (
        proposal.decision.outcome is Outcome.APPROVED
        and proposal.decision.payout == latest.payout
    ):
        return True
    await store.save_payout(tx, replace(payout, state="VOID"), tenant_id=tenant_id)
    back = move(
        "payout-void",
        payout.payout_id,
        payout.policy_id,
        payout.amount,
        debit=owed(payout.instrument),
        credit=Account.CLAIMS,
    )
    await ledger.book(tx, tenant_id, [back], now=now)
    await decide(tx, rules, cover, replace(filed, state="SUBMITTED"), now=now)
    return False


async def lock_claim(tx: Tx, claim_id: str, *, tenant_id: str) -> tuple[Cover, FiledClaim]:
    """The claim and its cover, behind the cover's lock: read again there, as it is now."""
    filed = await store.get_claim(tx, claim_id, tenant_id=tenant_id)
    if filed.policy_id is None:
        raise filing.ClaimNotOpen(f"Claim {claim_id} is on no policy; it is answered.")
    cover = await store.lock_cover(tx, filed.policy_id, tenant_id=tenant_id)
    return cover, await store.get_claim(tx, claim_id, tenant_id=tenant_id)


async def restand(tx: Tx, filed: FiledClaim) -> FiledClaim:
    """The claim in the state that its decision and its money give it.

    One that is open, withdrawn or closed stays as it is.
    """
    if filed.state not in filing.STANDING_STATES:
        return filed
    latest = await store.find_standing_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert latest is not None, "what is not open is decided"
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    stands = replace(filed, state=filing.standing(Outcome(latest.outcome), payouts))
    await store.save_claim(tx, stands)
    return stands


async def announce(tx: Tx, filed: FiledClaim, event: ClaimEvent, *, now: datetime) -> None:
    await outbox.append(
        tx, Announcement(tenant_id=filed.tenant_id, key=filed.key, event=event), now=now
    )


def owed(instrument: str) -> Account:
    return Account.VOUCHER if instrument == "voucher" else Account.PAYOUT


async def create_payout(
    tx: Tx, filed: FiledClaim, payout: Payout, *, debit: Account, now: datetime
) -> None:
    """Owe the money and have it sent. `debit` is what bears it."""
    await store.insert_payout(tx, payout, tenant_id=filed.tenant_id, now=now)
    entry = move(
        payout.kind.lower(),
        payout.payout_id,
        payout.policy_id,
        payout.amount,
        debit=debit,
        credit=owed(payout.instrument),
    )
    await ledger.book(tx, filed.tenant_id, [entry], now=now)
    await schedule(tx, payout, tenant_id=filed.tenant_id, now=now)


async def schedule(tx: Tx, payout: Payout, *, tenant_id: str, now: datetime) -> None:
    """Have the payout sent, as soon as this is committed."""
    await set_deadline(
        tx,
        Deadline(tenant_id=tenant_id, kind=SEND_PAYOUT, subject=payout.payout_id, due_at=now),
    )


async def await_tracking(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> None:
    """Have the platform's own evidence attached, where the plan says that it brings some.

    The decision need not wait for it: it counts as on file (BM-16).
    """
    plan = rules.plans.pinned(cover.plan_sha256)
    if supplied(plan, filed.peril):
        await set_deadline(
            tx,
            Deadline(
                tenant_id=filed.tenant_id,
                kind=ATTACH_TRACKING,
                subject=filed.claim_id,
                due_at=now,
            ),
        )


async def _record(
    tx: Tx,
    filed: FiledClaim,
    proposal: Proposal,
    *,
    is_settled: bool,
    decided_by: str,
    policy_sequence: int,
    now: datetime,
) -> FiledClaim:
    decision = proposal.decision
    latest = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    if latest is not None and _is_same(latest, decision, is_settled=is_settled):
        return filed
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
        now=now,
    )
    decided = replace(filed, state=filing.state_after(decision, is_settled=is_settled))
    if decision.outcome is Outcome.INFO_REQUIRED and filed.claim.info_requested_at is None:
        decided = replace(decided, claim=replace(filed.claim, info_requested_at=now))
    await store.save_claim(tx, decided)
    event = _claim_decided(
        decided, decision, decision_id, is_settled=is_settled, decided_by=decided_by, now=now
    )
    # Of one that an appeal brought, AppealDecided says what can be done next.
    if filed.state != "UNDER_APPEAL":
        event = _with_appeal(event, proposal.plan)
    await announce(tx, decided, event, now=now)
    await _watch(tx, decided, decision)
    if is_settled and decision.outcome is Outcome.APPROVED:
        return await _pay(tx, decided, decision, decision_id, now=now)
    return decided


async def _pay(
    tx: Tx, filed: FiledClaim, decision: Decision, decision_id: str, *, now: datetime
) -> FiledClaim:
    """Owe what the decision pays, less what went before it; PAID when nothing is left."""
    assert filed.policy_id is not None
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    gone = sum(
        (p.amount for p in payouts if p.state not in filing.UNPAID),
        zero(decision.payout.currency),
    )
    left = decision.payout - gone
    if left.amount_minor <= 0:
        return await restand(tx, filed)
    payout = Payout(
        payout_id=new_id("pyt"),
        claim_id=filed.claim_id,
        policy_id=filed.policy_id,
        decision_id=decision_id,
        amount=left,
        instrument=decision.instrument,
        state="APPROVED",
    )
    await create_payout(tx, filed, payout, debit=Account.CLAIMS, now=now)
    return filed


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


def _with_appeal(event: ClaimDecided, plan: Plan) -> ClaimDecided:
    """Until when and to whom a decision that stands may be appealed, where the plan has it."""
    is_final = event.outcome in (Outcome.APPROVED, Outcome.DENIED)
    if not (event.is_settled and is_final and event.policy_id):
        return event
    first = appeal(plan, {"previous_decided_at": event.decided_at})
    if not first.accepted:
        return event
    return msgspec.structs.replace(event, appeal_until=first.file_by, appeal_body=first.body)


def _is_same(latest: KeptDecision, decision: Decision, *, is_settled: bool) -> bool:
    """Decided again with the same answer: arithmetic, reasons and all."""
    # Through JSON, as the stored one went: a tuple is read back as a list.
    again = msgspec.json.decode(msgspec.json.encode(decision))
    return latest.is_settled == is_settled and bool(latest.decision == again)


def _claim_decided(
    filed: FiledClaim,
    decision: Decision,
    decision_id: str,
    *,
    is_settled: bool,
    decided_by: str,
    now: datetime,
) -> ClaimDecided:
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
    )
