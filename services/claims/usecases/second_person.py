"""Asking a second person, and what becomes of payouts that nobody is to have."""

from dataclasses import replace
from datetime import datetime

from libs.common import ledger, outbox
from libs.common.db import Tx
from libs.common.deadlines import cancel_deadlines_of
from libs.common.events import Announcement
from libs.common.ids import new_id
from libs.common.ledger import Account, Entry, Transfer
from services.claims import store
from services.claims.domain.approvals import Approval, Wanted
from services.claims.domain.filing import Payout
from services.claims.events import ApprovalRequested
from services.claims.store import FiledClaim


async def ask(
    tx: Tx,
    filed: FiledClaim,
    about: str,
    subject_id: str,
    wanted: Wanted,
    *,
    by: str,
    now: datetime,
) -> None:
    """Ask somebody else than `by` to agree."""
    approval = Approval(
        approval_id=new_id("apr"),
        claim_id=filed.claim_id,
        about=about,
        subject_id=subject_id,
        why=wanted.why,
        scope=wanted.scope,
        asked_by=by,
        asked_at=now,
    )
    await store.insert_approval(tx, approval, tenant_id=filed.tenant_id)
    event = ApprovalRequested(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        about=about,
        subject_id=subject_id,
        why=wanted.why,
        asked_by=by,
        asked_at=now,
    )
    await outbox.append(
        tx, Announcement(tenant_id=filed.tenant_id, key=filed.key, event=event), now=now
    )


def owed(instrument: str) -> Account:
    return Account.VOUCHER if instrument == "voucher" else Account.PAYOUT


async def void_payout(
    tx: Tx, payout: Payout, why: str, *, tenant_id: str, now: datetime
) -> Transfer:
    """It is never sent, and booked back to whatever bore it; nobody is asked about it any more."""
    await store.save_payout(tx, replace(payout, state="VOID"), tenant_id=tenant_id)
    await store.void_approval(tx, payout.payout_id, why, tenant_id=tenant_id)
    await cancel_deadlines_of(tx, tenant_id, payout.payout_id)
    kind = payout.kind.lower()
    booked = next(
        one.transfer
        for one in await ledger.list_transfers(tx, tenant_id, payout.policy_id)
        if (one.transfer.kind, one.transfer.reference) == (kind, payout.payout_id)
    )
    back = Transfer(
        kind=f"{kind}-void",
        reference=payout.payout_id,
        policy_id=payout.policy_id,
        entries=tuple(Entry(entry.account, -entry.amount) for entry in booked.entries),
    )
    await ledger.book(tx, tenant_id, [back], now=now)
    return back


async def void_waiting(tx: Tx, filed: FiledClaim, *, now: datetime) -> None:
    """The advances that still wait for a second person: the decision itself pays now, or nothing."""
    for payout in await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id):
        if (payout.kind, payout.state) == ("ADVANCE", "CREATED"):
            await void_payout(tx, payout, "DECIDED", tenant_id=filed.tenant_id, now=now)
