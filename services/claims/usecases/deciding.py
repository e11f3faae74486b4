"""Deciding: one function for filing, new papers, news of the parcel, deadlines and persons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from libs.common.db import Tx
from libs.common.money import Money
from libs.common.plans.clocks import local_day
from libs.common.plans.codes import Outcome
from libs.common.plans.tenants import Tenant
from services.claims import store
from services.claims.domain import adjudicate, approvals, filing, straight_through
from services.claims.domain.approvals import Approval, Override, Wanted
from services.claims.domain.cases import Cover, Findings
from services.claims.domain.decision import Decision
from services.claims.domain.requests import ENGINE
from services.claims.domain.settlement import StraightThrough
from services.claims.domain.signals import held_back, signals_of
from services.claims.store import Beside, FiledClaim
from services.claims.usecases.locking import lock_claim
from services.claims.usecases.proposing import Proposal, is_still, propose
from services.claims.usecases.recording import record
from services.claims.usecases.rules import Rules


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


async def decide(
    tx: Tx,
    rules: Rules,
    cover: Cover,
    filed: FiledClaim,
    *,
    now: datetime,
    decided_by: str = ENGINE,
    is_accepted: bool = False,
    beside: Beside | None = None,
) -> FiledClaim:
    """Decide the claim on what is known now; nothing is written when the answer is the same.

    `is_accepted`: a person accepts the engine's answer, whatever it is, so that it stands.
    A proposal that a second person is asked about waits for them, as long as it would still be made.
    `beside` is what the claim has, where it is known already.
    """
    if beside is None:
        beside = await store.get_beside(tx, filed)
    latest = beside.latest
    if not is_accepted and latest is not None and latest.awaits_approval:
        asked = await propose(tx, rules, cover, filed, now=now, asked=latest.overrides)
        if is_still(latest, asked.decision):
            return filed
    return await decide_anew(
        tx,
        rules,
        cover,
        filed,
        now=now,
        decided_by=decided_by,
        is_accepted=is_accepted,
        beside=beside,
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
    beside: Beside | None = None,
) -> FiledClaim:
    """The same, whatever a second person is asked about the claim.

    `is_held`: an approval waits for a person, whatever its peril and amount. `asked` is what the
    person overrides, and `authority` what they may approve alone; `approved_by` has agreed to it.
    """
    if beside is None:
        beside = await store.get_beside(tx, filed)
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
        settles = not (is_held or _is_watched(beside.approvals, decision, tenant))
    is_final, request = decision.outcome in filing.FINAL, beside.request
    # A person who asked for more is waited for; another may decide without it.
    settles = settles and not (is_final and request is not None and request.holds(now))
    second = approvals.second_person(decision, asked, None if settles else authority)
    is_settled = second is None and (settles or (is_accepted and is_final))
    why = None if is_settled else _why_it_waits(answer, second)
    return await record(
        tx,
        rules,
        filed,
        beside,
        replace(proposal, signals=signals, waits_because=why),
        is_settled=is_settled,
        decided_by=decided_by,
        policy_sequence=cover.sequence,
        now=now,
        overrides=(*filed.overrides, *asked),
        second=second,
        approved_by=approved_by,
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
        Beside(),
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
    beside = await store.get_beside(tx, filed)
    assert beside.latest is not None, "a claim is decided when it is filed"
    approvals.must_be_latest(command.decision_id, beside.latest.decision_id)
    filing.must_know(tuple(command.findings.grades), cover.terms)
    found = filing.merged(filed.claim.findings, command.findings)
    examined = replace(filed, claim=replace(filed.claim, findings=found))
    await store.save_claim(tx, examined)
    if not command.settles:
        approvals.must_settle(command.overrides)
        by = command.decided_by
        return await decide(tx, rules, cover, examined, now=now, decided_by=by, beside=beside)
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
        beside=beside,
    )


async def look_again(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> None:
    """An instant has come at which an open claim may be decided otherwise."""
    if filed.state in filing.OPEN_STATES:
        await decide(tx, rules, cover, filed, now=now)


def _why_it_waits(answer: StraightThrough, second: Wanted | None) -> str:
    if second is not None:
        return second.why
    return "somebody has to look at it first" if answer.settles else answer.why


def _is_watched(asked: Sequence[Approval], decision: Decision, tenant: Tenant) -> bool:
    """Whether somebody refused to have such an amount sent: the engine does not try it again."""
    return decision.payout > tenant.four_eyes_above and any(
        (one.about, one.state) == (approvals.PAYOUT, "REFUSED") for one in asked
    )
