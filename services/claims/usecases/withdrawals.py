"""Claims taken back, alone or for another peril of the same parcel (2.7, JS-12, Q35)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.db import Tx
from libs.common.deadlines import cancel_deadlines_of
from libs.common.ids import new_id
from services.claims import store
from services.claims.domain import filing, withdrawals
from services.claims.domain.cases import Claim, Cover, Statement
from services.claims.domain.filing import Payout
from services.claims.domain.withdrawals import Withdrawal
from services.claims.events import ClaimWithdrawn
from services.claims.store import FiledClaim
from services.claims.usecases.announcing import announce
from services.claims.usecases.claims import enter
from services.claims.usecases.closing import follow_end
from services.claims.usecases.following import end_following
from services.claims.usecases.locking import lock_claim
from services.claims.usecases.payouts import void_payout
from services.claims.usecases.reserves import release_reserve
from services.claims.usecases.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawClaim:
    tenant_id: str
    claim_id: str
    withdrawn_by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapClaim:
    """The same parcel, claimed for another peril in the old claim's place."""

    tenant_id: str
    claim_id: str
    statement: Statement
    swapped_by: str
    evidence_ids: tuple[str, ...] = ()
    reason: str = ""


async def withdraw_claim(tx: Tx, command: WithdrawClaim, *, now: datetime) -> FiledClaim:
    """The claimant takes the claim back; again is no news. It stands in no other claim's way."""
    _, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    if filed.state == withdrawals.WITHDRAWN:
        return filed
    payouts = await _withdrawable(tx, filed)
    withdrawal = Withdrawal(
        claim_id=filed.claim_id,
        withdrawn_by=command.withdrawn_by,
        withdrawn_at=now,
        reason=command.reason,
    )
    return await _withdraw(tx, filed, payouts, withdrawal, now=now)


async def swap_claim(tx: Tx, rules: Rules, command: SwapClaim, *, now: datetime) -> FiledClaim:
    """The claim withdrawn and another filed in its place; the new one, decided.

    The new claim has the old one's first contact, as that was about this parcel: who learns what
    happened to it later loses no day by it. Its files move over.
    """
    cover, old = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    payouts = await _withdrawable(tx, old)
    withdrawals.must_differ(old.peril, command.statement.peril)
    filing.must_know(command.statement.item_ids, cover.terms)
    filing.must_be_in(cover.currency, command.statement)
    new = await _in_its_place(tx, cover, old, command, now=now)
    withdrawal = Withdrawal(
        claim_id=old.claim_id,
        withdrawn_by=command.swapped_by,
        withdrawn_at=now,
        reason=command.reason,
        replaced_by=new.claim_id,
    )
    await _withdraw(tx, old, payouts, withdrawal, now=now)
    await store.move_evidence(tx, old, new)
    moved = await store.list_evidence(tx, new.claim_id, tenant_id=new.tenant_id)
    kinds = tuple(sorted({evidence.kind for evidence in moved}))
    new = replace(new, claim=replace(new.claim, evidence=kinds))
    return await enter(tx, rules, cover, new, command.evidence_ids, moved=moved, now=now)


async def _withdrawable(tx: Tx, filed: FiledClaim) -> list[Payout]:
    """The claim's payouts, none of which has gone out."""
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    withdrawals.must_be_withdrawable(filed.claim_id, filed.state, payouts)
    return payouts


async def _withdraw(
    tx: Tx,
    filed: FiledClaim,
    payouts: Sequence[Payout],
    withdrawal: Withdrawal,
    *,
    now: datetime,
) -> FiledClaim:
    for payout in payouts:
        if payout.state in withdrawals.UNSENT:
            await void_payout(tx, payout, "CLAIM_WITHDRAWN", tenant_id=filed.tenant_id, now=now)
    latest = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert latest is not None, "a claim is decided when it is filed"
    await store.void_approval(
        tx, latest.decision_id, "CLAIM_WITHDRAWN", tenant_id=filed.tenant_id
    )
    await release_reserve(tx, filed, now=now)
    await end_following(tx, filed, now=now)
    await cancel_deadlines_of(tx, filed.tenant_id, filed.claim_id)
    withdrawn = replace(filed, state=withdrawals.WITHDRAWN)
    await store.save_claim(tx, withdrawn)
    await store.insert_withdrawal(tx, withdrawal, tenant_id=filed.tenant_id)
    await follow_end(tx, withdrawn, now=now)
    event = ClaimWithdrawn(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        peril=filed.peril,
        withdrawn_at=now,
        replaced_by=withdrawal.replaced_by or "",
    )
    await announce(tx, withdrawn, event, now=now)
    return withdrawn


async def _in_its_place(
    tx: Tx, cover: Cover, old: FiledClaim, command: SwapClaim, *, now: datetime
) -> FiledClaim:
    """The new claim in the books, not decided yet: a first notice of its peril becomes it."""
    notice = await store.find_notice(
        tx, cover.policy_id, command.statement.peril, tenant_id=cover.tenant_id
    )
    first = old.claim.notified_at
    if notice is not None:
        first = min(first, notice.claim.notified_at)
    new = FiledClaim(
        claim=Claim(
            claim_id=new_id("clm") if notice is None else notice.claim_id,
            statement=command.statement,
            notified_at=first,
            filed_at=now,
        ),
        tenant_id=cover.tenant_id,
        policy_id=cover.policy_id,
        state="SUBMITTED",
        filed_by=command.swapped_by,
        cause=None if notice is None else notice.cause,
    )
    await (store.insert_claim if notice is None else store.save_claim)(tx, new)
    return new
