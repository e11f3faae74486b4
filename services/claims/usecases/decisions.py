"""Deciding: one function for filing, new papers, news of the parcel, deadlines and persons."""

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
from libs.common.money import Money, zero
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
    appeals,
    approvals,
    eligibility_of,
    filing,
    requests,
    straight_through,
)
from services.claims.domain.approvals import Override, Wanted
from services.claims.domain.cases import Case, Claim, Cover, Findings, Statement
from services.claims.domain.decision import Decision
from services.claims.domain.evidence import supplied
from services.claims.domain.facts_of_claim import facts
from services.claims.domain.filing import Payout
from services.claims.domain.requests import InformationRequest
from services.claims.domain.settlement import StraightThrough
from services.claims.domain.signals import Signal, held_back, signals_of
from services.claims.events import ClaimDecided, ClaimEvent, Line, Reason
from services.claims.store import FiledClaim, KeptDecision
from services.claims.usecases.closing import close_when_over, open_window
from services.claims.usecases.following import Decided, follow
from services.claims.usecases.reserves import reserve
from services.claims.usecases.second_person import ask, owed, void_payout, void_waiting

LOOK_AGAIN = "look_again_at_claim"
SEND_PAYOUT = "send_payout"
ATTACH_TRACKING = "attach_tracking"
ENGINE = requests.ENGINE


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
    # Discretionary reasons they set aside, each with why.
    overrides: tuple[Override, ...] = ()
    # The proposal they looked at, where they say so.
    decision_id: str | None = None
    is_manager: bool = False


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
    A proposal that a second person is asked about waits for them, as long as it would still be made.
    """
    if not is_accepted:
        latest = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
        if latest is not None and latest.awaits_approval:
            asked = await propose(tx, rules, cover, filed, now=now, asked=latest.overrides)
            if is_still(latest, asked.decision):
                return filed
    return await decide_anew(
        tx, rules, cover, filed, now=now, decided_by=decided_by, is_accepted=is_accepted
    )


async def decide_anew(
    tx: Tx,
    rules: Rules,
    cover: Cover,
    filed: FiledClaim,
    *,
    now: datetime,
    decided_by: str = ENGINE,
    is_accepted: bool = False,
    is_held: bool = False,
    asked: tuple[Override, ...] = (),
    authority: Money | None = None,
    approved_by: str | None = None,
) -> FiledClaim:
    """The same, whatever a second person is asked about the claim.

    `is_held`: an approval waits for a person, whatever its peril and amount. `asked` is what the
    person overrides, and `authority` what they may approve alone; `approved_by` has agreed to it.
    """
    proposal = await propose(tx, rules, cover, filed, now=now, asked=asked)
    decision, tenant = proposal.decision, rules.tenant(filed.tenant_id)
    approvals.must_be_overridable([override.code for override in asked], decision)
    limit = tenant.straight_through_limit
    around = await store.find_surroundings(tx, cover, filed)
    signals = signals_of(proposal.plan, proposal.facts, cover, around)
    straight = straight_through(proposal.plan, decision, proposal.facts, limit)
    answer = held_back(straight, decision, signals)
    settles = answer.settles
    if settles and decision.outcome is Outcome.APPROVED:
        settles = not (is_held or await _is_watched(tx, filed, decision, tenant))
    is_final = decision.outcome in filing.FINAL
    request = await store.find_open_request(tx, filed.claim_id, tenant_id=filed.tenant_id)
    # A person who asked for more is waited for; another may decide without it.
    settles = settles and not (is_final and request is not None and request.holds(now))
    second = approvals.second_person(decision, asked, None if settles else authority)
    is_settled = second is None and (settles or (is_accepted and is_final))
    why = None if is_settled else _why_it_waits(answer, second)
    return await record(
        tx,
        rules,
        filed,
        replace(proposal, signals=signals, waits_because=why),
        is_settled=is_settled,
        decided_by=decided_by,
        policy_sequence=cover.sequence,
        now=now,
        overrides=(*filed.overrides, *asked),
        second=second,
        approved_by=approved_by,
        request=request,
    )


def _why_it_waits(answer: StraightThrough, second: Wanted | None) -> str:
    if second is not None:
        return second.why
    return "somebody has to look at it first" if answer.settles else answer.why


async def _is_watched(tx: Tx, filed: FiledClaim, decision: Decision, tenant: Tenant) -> bool:
    """Whether somebody refused to have such an amount sent: the engine does not try it again."""
    return decision.payout > tenant.four_eyes_above and await store.has_refused_payout(
        tx, filed.claim_id, tenant_id=filed.tenant_id
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
    return await record(
        tx,
        rules,
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
    """An adjudicator adds findings, and lets the engine's answer on them stand or not yet.

    What they override, and what is above their authority, takes a second person (Q44).
    """
    cover, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    filing.must_be_open(filed.claim_id, filed.state)
    latest = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert latest is not None, "a claim is decided when it is filed"
    approvals.must_be_latest(command.decision_id, latest.decision_id)
    filing.must_know(tuple(command.findings.grades), cover.terms)
    found = filing.merged(filed.claim.findings, command.findings)
    examined = replace(filed, claim=replace(filed.claim, findings=found))
    await store.save_claim(tx, examined)
    if not command.settles:
        approvals.must_settle(command.overrides)
        return await decide(tx, rules, cover, examined, now=now, decided_by=command.decided_by)
    granted = {override.code for override in filed.overrides}
    limit = rules.tenant(filed.tenant_id).adjudicator_limit
    return await decide_anew(
        tx,
        rules,
        cover,
        examined,
        now=now,
        decided_by=command.decided_by,
        is_accepted=True,
        asked=tuple(one for one in command.overrides if one.code not in granted),
        authority=None if command.is_manager else limit,
    )


async def look_again(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> None:
    """An instant has come at which an open claim may be decided otherwise."""
    if filed.state in filing.OPEN_STATES:
        await decide(tx, rules, cover, filed, now=now)


async def reconsider(
    tx: Tx, rules: Rules, payout: Payout, *, tenant_id: str, now: datetime
) -> bool:
    """Decide once more on fresher copies, before the money goes; whether the payout stands.

    A payout that does not is void, booked back, and the new answer takes its place.
    """
    cover, filed = await lock_claim(tx, payout.claim_id, tenant_id=tenant_id)
    if await _still_pays(tx, rules, cover, filed, now=now):
        return True
    await void_payout(tx, payout, "PROPOSAL_CHANGED", tenant_id=tenant_id, now=now)
    await decide(tx, rules, cover, replace(filed, state="SUBMITTED"), now=now)
    return False


async def take_back_unsent(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> FiledClaim:
    """Where what is known now pays otherwise: no payout that is still here goes out as it is.

    They are void, and the claim is decided anew.
    """
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    unsent = list_unsent(payouts)
    if not unsent or await _still_pays(tx, rules, cover, filed, now=now):
        return filed
    for payout in unsent:
        await void_payout(tx, payout, "PROPOSAL_CHANGED", tenant_id=filed.tenant_id, now=now)
    if filed.state in filing.STANDING_STATES:
        filed = replace(filed, state="SUBMITTED")
    return await decide(tx, rules, cover, filed, now=now)


def list_unsent(payouts: Sequence[Payout]) -> list[Payout]:
    """Those that can still be stopped: to be approved, to be sent, or to be sent again."""
    return [p for p in payouts if p.state in ("CREATED", "APPROVED", "FAILED")]


async def _still_pays(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> bool:
    """Whether the latest decision would be made again, to the cent."""
    latest = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    proposal = await propose(tx, rules, cover, filed, now=now)
    assert latest is not None
    is_appealed = filed.state == "UNDER_APPEAL"
    return appeals.still_pays(latest.payout, proposal.decision, is_appealed=is_appealed)


async def lock_claim(tx: Tx, claim_id: str, *, tenant_id: str) -> tuple[Cover, FiledClaim]:
    """The claim and its cover, behind the cover's lock: read again there, as it is now."""
    filed = await store.get_claim(tx, claim_id, tenant_id=tenant_id)
    if filed.policy_id is None:
        raise filing.ClaimNotOpen(f"Claim {claim_id} is on no policy; it is answered.")
    cover = await store.lock_cover(tx, filed.policy_id, tenant_id=tenant_id)
    return cover, await store.get_claim(tx, claim_id, tenant_id=tenant_id)


async def restand(tx: Tx, filed: FiledClaim) -> FiledClaim:
    """The claim in the state that its decision and its money give it.

    One that is open, withdrawn or closed stays as it is; but a closed one may owe money back.
    """
    after = await store.get_aftermath(tx, filed.claim_id, tenant_id=filed.tenant_id)
    reopens = filed.state == "CLOSED" and after.owes
    if filed.state not in filing.STANDING_STATES and not reopens:
        return filed
    latest = await store.find_standing_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert latest is not None, "what is not open is decided"
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    appealed = await store.has_open_appeal(tx, filed.claim_id, tenant_id=filed.tenant_id)
    state = filing.standing(
        Outcome(latest.outcome),
        payouts,
        is_under_appeal=appealed,
        owes=after.owes,
        was_closed=after.was_closed,
    )
    stands = replace(filed, state=state)
    await store.save_claim(tx, stands)
    return stands


async def stand_or_close(tx: Tx, filed: FiledClaim, *, now: datetime) -> FiledClaim:
    """The same, and CLOSED where nothing more can come of it: its money has moved, or comes back."""
    return await close_when_over(tx, await restand(tx, filed), now=now)


async def announce(tx: Tx, filed: FiledClaim, event: ClaimEvent, *, now: datetime) -> None:
    await outbox.append(
        tx, Announcement(tenant_id=filed.tenant_id, key=filed.key, event=event), now=now
    )


async def create_payout(
    tx: Tx,
    rules: Rules,
    filed: FiledClaim,
    payout: Payout,
    *,
    debit: Account,
    by: str,
    now: datetime,
) -> None:
    """Owe the money and have it sent, or ask somebody else than `by` first where it is a lot.

    `debit` is what bears it.
    """
    limit = rules.tenant(filed.tenant_id).four_eyes_above
    if payout.amount > limit:
        payout = replace(payout, state="CREATED")
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
    if payout.state == "APPROVED":
        await schedule(tx, payout, tenant_id=filed.tenant_id, now=now)
        return
    wanted = Wanted(
        why=f"{payout.amount} is more than {limit}: two people.", scope=approvals.CASHIER
    )
    await ask(tx, filed, approvals.PAYOUT, payout.payout_id, wanted, by=by, now=now)


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


async def record(
    tx: Tx,
    rules: Rules,
    filed: FiledClaim,
    proposal: Proposal,
    *,
    is_settled: bool,
    decided_by: str,
    policy_sequence: int,
    now: datetime,
    overrides: tuple[Override, ...] = (),
    second: Wanted | None = None,
    approved_by: str | None = None,
    request: InformationRequest | None = None,
) -> FiledClaim:
    decision, awaits = proposal.decision, second is not None
    latest = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
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
        if is_asked_again and _is_same(latest, proposal, is_settled=is_settled):
            following = replace(following, decided_at=latest.decided_at)
            return await _stay(tx, filed, state, following, request, now=now)
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
        is_settled=is_settled,
        is_first=latest is None,
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
    await _watch(tx, decided, decision, request if is_held else None)
    if second is not None:
        about = approvals.DECISION
        await ask(tx, decided, about, decision_id, second, by=decided_by, now=now)
    if following.is_settled and latest is not None:
        await void_waiting(tx, decided, now=now)
    if is_settled and decision.outcome is Outcome.APPROVED:
        decided = await _pay(tx, rules, decided, decision, decision_id, by=decided_by, now=now)
    if decided.policy_id is None:
        return decided
    decided = await follow(tx, decided, following, request, now=now)
    if is_settled and decided.state in filing.STANDING_STATES:
        return await _await_appeal(tx, decided, proposal.plan, now=now)
    return decided


async def _stay(
    tx: Tx,
    filed: FiledClaim,
    state: str,
    following: Decided,
    request: InformationRequest | None,
    *,
    now: datetime,
) -> FiledClaim:
    """The same answer again: only what was asked beside it, or promised, may have moved."""
    if filed.policy_id is None:
        return filed
    if filed.state in filing.OPEN_STATES and state in filing.OPEN_STATES:
        filed = replace(filed, state=state)
        await store.save_claim(tx, filed)
    if request is not None:
        held = request if request.holds(now) else None
        await _watch(tx, filed, following.decision, held)
    return await follow(tx, filed, following, request, now=now)


async def _await_appeal(tx: Tx, filed: FiledClaim, plan: Plan, *, now: datetime) -> FiledClaim:
    """What stands may be appealed for a while, and the claim closes behind that.

    A claim on no policy has no programme to appeal to; one under appeal waits for its decision.
    """
    if filed.policy_id is None:
        return filed
    if await store.has_open_appeal(tx, filed.claim_id, tenant_id=filed.tenant_id):
        return await restand(tx, filed)
    await open_window(tx, filed, plan, decided_at=now)
    return await close_when_over(tx, filed, now=now)


async def _pay(
    tx: Tx,
    rules: Rules,
    filed: FiledClaim,
    decision: Decision,
    decision_id: str,
    *,
    by: str,
    now: datetime,
) -> FiledClaim:
    """Owe what the decision pays, less what went before it; PAID when nothing is left."""
    assert filed.policy_id is not None
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    # One that failed is owed still, and goes out again.
    gone = sum(
        (p.amount for p in payouts if p.state != "VOID"),
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
    await create_payout(tx, rules, filed, payout, debit=Account.CLAIMS, by=by, now=now)
    return filed


async def _watch(
    tx: Tx, filed: FiledClaim, decision: Decision, held: InformationRequest | None
) -> None:
    """Have the claim looked at again by itself when time alone may change the answer, or a
    person has waited long enough for theirs."""
    ends = (filing.look_again_at(decision), None if held is None else held.lapses_at)
    due_at = min((at for at in ends if at is not None), default=None)
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


def is_still(latest: KeptDecision, decision: Decision) -> bool:
    """What somebody was asked to agree to: outcome, amount and reasons, whatever the day."""
    return is_still_answer(latest.decision, decision)


def is_still_answer(kept: dict[str, Any], decision: Decision) -> bool:
    """The same of an answer that was kept without being a decision."""

    def agreed(one: dict[str, Any]) -> list[Any]:
        asked = [gap["label"] for gap in one["missing"]]
        return [asked, *(one[name] for name in _AGREED)]

    return agreed(kept) == agreed(as_kept(decision))


_AGREED = ("outcome", "payout", "instrument", "reasons", "notes", "caps", "overridden")


def _is_same(latest: KeptDecision, proposal: Proposal, *, is_settled: bool) -> bool:
    """Decided again with the same answer: arithmetic, reasons and all."""
    if latest.is_settled != is_settled or latest.decision != as_kept(proposal.decision):
        return False
    # New signals are news to whoever has an approval before them, and to nobody else.
    is_before_person = not is_settled and proposal.decision.outcome is Outcome.APPROVED
    return not is_before_person or latest.signals == proposal.signals


def as_kept(decision: Decision) -> dict[str, Any]:
    """Through JSON, as a stored one went: a tuple is read back as a list."""
    kept: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(decision))
    return kept


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
