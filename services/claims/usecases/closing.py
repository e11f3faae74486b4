"""The end of a claim: the window for its next appeal, and its close behind that."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadline, set_deadline
from libs.common.money import zero
from libs.common.plans.values import Plan
from services.claims import store
from services.claims.domain import appeals, filing
from services.claims.domain.appeals import Appeal, Window
from services.claims.domain.retention import has_ended
from services.claims.events import ClaimClosed
from services.claims.store import FiledClaim
from services.claims.usecases.announcing import announce
from services.claims.usecases.following import end_following

CLOSE_CLAIM = "close_claim"
FORGET_CLAIMS_FILES = "forget_claims_files"


async def open_window(
    tx: Tx, filed: FiledClaim, plan: Plan, heard: Sequence[Appeal], *, decided_at: datetime
) -> Window:
    """Let the decision that stands be appealed for as long as the plan says; at its end it closes."""
    window = appeals.window(plan, heard, decided_at=decided_at)
    await store.save_window(tx, filed.claim_id, window, tenant_id=filed.tenant_id)
    await set_deadline(
        tx,
        Deadline(
            tenant_id=filed.tenant_id,
            kind=CLOSE_CLAIM,
            subject=filed.claim_id,
            due_at=window.closes_at,
        ),
    )
    return window


async def close_when_over(tx: Tx, filed: FiledClaim, *, now: datetime) -> FiledClaim:
    """The claim, CLOSED where its last window is past and its money is settled (2.7)."""
    closed = await _closed_when_over(tx, filed, now=now)
    await follow_end(tx, closed, now=now)
    return closed


async def follow_end(tx: Tx, filed: FiledClaim, *, now: datetime) -> None:
    """Have a claim's files forgotten where it has ended, and kept where it goes on after all (Q47).

    The job is due at once: it knows the tenant's years, and when these are over.
    """
    ended_at = now if has_ended(filed.state) else None
    if not await store.note_end(tx, filed.claim_id, ended_at, tenant_id=filed.tenant_id):
        return
    if ended_at is None:
        await cancel_deadline(tx, filed.tenant_id, FORGET_CLAIMS_FILES, filed.claim_id)
        return
    await set_deadline(
        tx,
        Deadline(
            tenant_id=filed.tenant_id,
            kind=FORGET_CLAIMS_FILES,
            subject=filed.claim_id,
            due_at=ended_at,
        ),
    )


async def end_window(tx: Tx, filed: FiledClaim, *, now: datetime) -> None:
    """The window is past: no appeal is offered any more, and the claim closes, now or once paid."""
    await store.save_window(
        tx, filed.claim_id, Window(closes_at=now), tenant_id=filed.tenant_id
    )
    await close_when_over(tx, filed, now=now)


async def _closed_when_over(tx: Tx, filed: FiledClaim, *, now: datetime) -> FiledClaim:
    if filed.state not in appeals.ENDED:
        return filed
    window = await store.find_window(tx, filed.claim_id, tenant_id=filed.tenant_id)
    if window is None:
        return filed
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    if not appeals.is_over(filed.state, window, payouts, now):
        return filed
    stands = await store.find_standing_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert stands is not None, "what can be over is decided"
    closed = replace(filed, state=filing.CLOSED, closed_at=now)
    await store.save_claim(tx, closed)
    await cancel_deadline(tx, filed.tenant_id, CLOSE_CLAIM, filed.claim_id)
    await end_following(tx, filed, now=now)
    paid = [payout.amount for payout in payouts if payout.state == "CONFIRMED"]
    event = ClaimClosed(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        outcome=stands.outcome,
        paid=sum(paid, zero(stands.payout.currency)),
        closed_at=now,
    )
    await announce(tx, filed, event, now=now)
    return closed
