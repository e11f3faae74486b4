"""What follows from where a claim stands: its claimant is asked, and its clocks are kept in step."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadline, set_deadline
from libs.common.ids import new_id
from libs.common.plans.codes import Outcome
from libs.common.plans.values import Plan
from services.claims import store
from services.claims.domain import clocks, filing, requests
from services.claims.domain.clocks import Clock, Missed, Position
from services.claims.domain.decision import Decision
from services.claims.domain.requests import InformationRequest
from services.claims.events import ClaimOverdue, EvidenceReminded, EvidenceRequested
from services.claims.store import Beside, FiledClaim
from services.claims.usecases.announcing import announce

NOTE_OVERDUE = "note_overdue"
REMIND_CLAIMANT = "remind_claimant"

# A claim in one of these is over: nothing is asked and nothing promised any more.
_OVER = frozenset({"WITHDRAWN", "CLOSED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The answer a claim has now, what it was made from, and whether it is the claim's first."""

    plan: Plan
    facts: Mapping[str, Any]
    decision: Decision
    is_settled: bool
    decided_at: datetime
    is_first: bool


async def follow(
    tx: Tx,
    filed: FiledClaim,
    decided: Decided,
    beside: Beside,
    *,
    now: datetime,
) -> FiledClaim:
    """Ask for what is missing, and move the clocks; writes only what changed.

    `beside` has what the claimant was asked for so far, and the payouts as they are now.
    """
    timed = await _timed(tx, filed, decided, now=now)
    await _ask(tx, timed, decided, beside.request, now=now)
    known = {clock.name: clock for clock in beside.clocks}
    # What passed before this is said, though the clock may stop with it.
    misses = clocks.missed(known, now)
    position = Position(
        plan=decided.plan,
        facts=_with_timing(timed, decided.facts),
        decision=decided.decision,
        is_settled=decided.is_settled,
        decided_at=decided.decided_at,
        complete_at=timed.claim.complete_at,
        pauses=timed.pauses,
        payouts=beside.payouts,
        known=clocks.noted(known, misses),
    )
    timed = await _keep(tx, timed, known, clocks.reckon(position, now), misses, now=now)
    if timed != filed:
        await store.save_timing(tx, timed)
    return timed


async def follow_money(tx: Tx, filed: FiledClaim, *, now: datetime) -> None:
    """Money has arrived: the clocks that ran until then stop."""
    known = await store.list_clocks(tx, filed.claim_id, tenant_id=filed.tenant_id)
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    misses = clocks.missed(known, now)
    after = clocks.stopped_by_money(
        clocks.noted(known, misses),
        payouts,
        now,
        is_settled=filed.state not in filing.OPEN_STATES,
    )
    await _escalate(tx, filed, await _keep(tx, filed, known, after, misses, now=now))


async def end_following(tx: Tx, filed: FiledClaim, *, now: datetime) -> None:
    """The claim is withdrawn or closed: what is asked for is not waited for, and no clock runs."""
    request = await store.find_open_request(tx, filed.claim_id, tenant_id=filed.tenant_id)
    if request is not None:
        ended = replace(request, answered_at=now)
        await store.save_request(tx, ended, tenant_id=filed.tenant_id)
        await cancel_deadline(tx, filed.tenant_id, REMIND_CLAIMANT, filed.claim_id)
    known = await store.list_clocks(tx, filed.claim_id, tenant_id=filed.tenant_id)
    await _keep(tx, filed, known, clocks.all_stopped(known, now), [], now=now)


async def note_overdue(tx: Tx, filed: FiledClaim, *, now: datetime) -> None:
    """A promised day has passed: say so once. Staff see it; nothing is decided by it."""
    if filed.state in _OVER:
        await end_following(tx, filed, now=now)
        return
    known = await store.list_clocks(tx, filed.claim_id, tenant_id=filed.tenant_id)
    misses = clocks.missed(known, now)
    after = clocks.noted(known, misses)
    await _escalate(tx, filed, await _keep(tx, filed, known, after, misses, now=now))


async def remind_claimant(tx: Tx, filed: FiledClaim, plan: Plan, *, now: datetime) -> None:
    """The last days of what the claimant was asked for, once."""
    request = await store.find_open_request(tx, filed.claim_id, tenant_id=filed.tenant_id)
    if request is None or request.reminded_at is not None or filed.state in _OVER:
        return
    until = requests.last_day(request, plan)
    if until is None:
        return
    reminded = replace(request, reminded_at=now)
    await store.save_request(tx, reminded, tenant_id=filed.tenant_id)
    event = EvidenceReminded(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        request_id=request.request_id,
        missing=request.missing,
        until=until,
    )
    await announce(tx, filed, event, now=now)


async def take_answer(
    tx: Tx, filed: FiledClaim, *, kinds: Iterable[str], unavailable: Iterable[str], reply: str
) -> FiledClaim:
    """What the claimant brings, can never bring, and says to what was asked. NothingAsked."""
    request = await store.find_open_request(tx, filed.claim_id, tenant_id=filed.tenant_id)
    if request is None and reply:
        raise requests.NothingAsked(f"Claim {filed.claim_id} waits for nothing of yours.")
    never = tuple(unavailable)
    if request is not None:
        answered = requests.answered(request, (*kinds, *never), reply)
        if answered != request:
            await store.save_request(tx, answered, tenant_id=filed.tenant_id)
    said = filed.claim.statement
    told = tuple(dict.fromkeys((*said.unavailable, *never)))
    if told == said.unavailable:
        return filed
    claim = replace(filed.claim, statement=replace(said, unavailable=told))
    stated = replace(filed, claim=claim)
    await store.save_claim(tx, stated)
    return stated


async def open_request(
    tx: Tx,
    filed: FiledClaim,
    request: InformationRequest,
    *,
    may_follow: tuple[str, ...] = (),
    now: datetime,
) -> None:
    """Keep it and say it; the claimant is reminded where there is time for it."""
    await store.insert_request(tx, filed, request)
    event = EvidenceRequested(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        request_id=request.request_id,
        missing=request.missing,
        asked_by=request.asked_by,
        asked_at=request.asked_at,
        info_until=request.info_until,
        grace_until=request.grace_until,
        message=request.message,
        may_follow=may_follow,
    )
    await announce(tx, filed, event, now=now)


async def _timed(tx: Tx, filed: FiledClaim, decided: Decided, *, now: datetime) -> FiledClaim:
    """When its file was complete, whether it comes first, and since when it waits."""
    claim, plan = filed.claim, decided.plan
    is_complete = clocks.is_complete(decided.decision)
    if claim.complete_at is None and is_complete:
        claim = replace(claim, complete_at=now)
    # Whatever it lacks then, it lacks at its first submission.
    if decided.is_first and plan.priority is not None and not decided.decision.missing:
        since = clocks.clean_since(plan, now)
        is_clean = (
            decided.decision.outcome is not Outcome.INFO_REQUIRED
            and not await store.has_claimed_since(tx, filed, since)
        )
        claim = replace(claim, is_clean=is_clean)
    timed = replace(filed, claim=claim)
    waits = claim.complete_at is not None and filed.state == "INFO_REQUIRED"
    return replace(
        timed,
        is_priority=clocks.is_priority(plan, _with_timing(timed, decided.facts)),
        pauses=clocks.paused(filed.pauses, now, is_waiting=waits),
    )


async def _ask(
    tx: Tx,
    filed: FiledClaim,
    decided: Decided,
    request: InformationRequest | None,
    *,
    now: datetime,
) -> None:
    """The open request as the decision leaves it, and a new one where something is missing."""
    decision = decided.decision
    after = request
    if request is not None:
        after = requests.moved_on(request, decision, now, is_settled=decided.is_settled)
        if after != request:
            await store.save_request(tx, after, tenant_id=filed.tenant_id)
    is_open = after is not None and after.is_open
    if decision.outcome is Outcome.INFO_REQUIRED and not is_open:
        after = requests.asked_by_engine(decision, new_id("inf"), now)
        later = tuple(gap.label for gap in decided.decision.missing if gap.in_grace)
        await open_request(tx, filed, after, may_follow=later, now=now)
    if after is None or (after == request and after.asked_at != now):
        return
    remind_at = requests.remind_at(after, decision)
    if remind_at is None:
        await cancel_deadline(tx, filed.tenant_id, REMIND_CLAIMANT, filed.claim_id)
    else:
        await _set(tx, filed, REMIND_CLAIMANT, remind_at)


async def _keep(
    tx: Tx,
    filed: FiledClaim,
    before: Mapping[str, Clock],
    after: Mapping[str, Clock],
    misses: Sequence[Missed],
    *,
    now: datetime,
) -> FiledClaim:
    """The clocks that moved, their next instant, and what is said of those missed."""
    moved = [clock for name, clock in after.items() if clock != before.get(name)]
    await store.save_clocks(tx, filed, moved)
    for one in misses:
        await announce(tx, filed, _overdue(filed, one), now=now)
    due_at = clocks.next_at(after)
    if due_at != clocks.next_at(before):
        if due_at is None:
            await cancel_deadline(tx, filed.tenant_id, NOTE_OVERDUE, filed.claim_id)
        else:
            await _set(tx, filed, NOTE_OVERDUE, due_at)
    breaches = [one.at for one in misses if one.level == clocks.BREACH]
    return replace(filed, escalated_at=filed.escalated_at or min(breaches, default=None))


async def _escalate(tx: Tx, filed: FiledClaim, kept: FiledClaim) -> None:
    if kept != filed:
        await store.save_timing(tx, kept)


def _overdue(filed: FiledClaim, one: Missed) -> ClaimOverdue:
    return ClaimOverdue(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        clock=one.clock.name,
        level=one.level,
        due_on=one.due_on,
        category=one.clock.category,
        is_priority=filed.is_priority,
    )


def _with_timing(filed: FiledClaim, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts of a decision are those before it: with what it made of the claim."""
    claim = filed.claim
    timing = {"complete_at": claim.complete_at, "clean_first_submission": claim.is_clean}
    return {**facts, **timing}


async def _set(tx: Tx, filed: FiledClaim, kind: str, due_at: datetime) -> None:
    await set_deadline(
        tx,
        Deadline(tenant_id=filed.tenant_id, kind=kind, subject=filed.claim_id, due_at=due_at),
    )
