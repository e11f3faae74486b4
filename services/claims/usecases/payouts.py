"""Payouts until they go out: owed, scheduled, or void and booked back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from libs.common import ledger
from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadlines_of, set_deadline
from libs.common.ledger import Account, Entry, Transfer, move
from services.claims import store
from services.claims.domain import approvals
from services.claims.domain.approvals import Wanted
from services.claims.domain.filing import Payout
from services.claims.store import FiledClaim
from services.claims.usecases.rules import Rules
from services.claims.usecases.second_person import ask

SEND_PAYOUT = "send_payout"


async def create_payout(
    tx: Tx,
    rules: Rules,
    filed: FiledClaim,
    payout: Payout,
    *,
    debit: Account,
    by: str,
    now: datetime,
) -> Payout:
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
        return payout
    wanted = Wanted(
        why=f"{payout.amount} is more than {limit}: two people.", scope=approvals.CASHIER
    )
    await ask(tx, filed, approvals.PAYOUT, payout.payout_id, wanted, by=by, now=now)
    return payout


async def schedule(tx: Tx, payout: Payout, *, tenant_id: str, now: datetime) -> None:
    """Have the payout sent, as soon as this is committed."""
    await set_deadline(
        tx,
        Deadline(tenant_id=tenant_id, kind=SEND_PAYOUT, subject=payout.payout_id, due_at=now),
    )


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


async def void_waiting(
    tx: Tx, payouts: Sequence[Payout], *, tenant_id: str, now: datetime
) -> tuple[Payout, ...]:
    """The payouts, with the advances void that still wait for a second person.

    The decision itself pays now, or nothing.
    """
    waiting = [p for p in payouts if (p.kind, p.state) == ("ADVANCE", "CREATED")]
    for payout in waiting:
        await void_payout(tx, payout, "DECIDED", tenant_id=tenant_id, now=now)
    return tuple(replace(p, state="VOID") if p in waiting else p for p in payouts)


def list_unsent(payouts: Sequence[Payout]) -> list[Payout]:
    """Those that can still be stopped: to be approved, to be sent, or to be sent again."""
    return [p for p in payouts if p.state in ("CREATED", "APPROVED", "FAILED")]


def owed(instrument: str) -> Account:
    return Account.VOUCHER if instrument == "voucher" else Account.PAYOUT
