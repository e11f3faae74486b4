"""What customers owe back: why it is due, what comes in of it, and what is given up."""

from dataclasses import dataclass
from datetime import datetime

from libs.common import ledger
from libs.common.db import Tx
from libs.common.ids import new_id
from libs.common.ledger import Account, move
from libs.common.money import Money, zero
from services.claims import store
from services.claims.domain import repayments
from services.claims.domain.repayments import Because, LateNews, Repayment
from services.claims.events import RepaymentDue
from services.claims.store import FiledClaim
from services.claims.usecases.announcing import announce
from services.claims.usecases.locking import lock_claim
from services.claims.usecases.payouts import list_unsent, void_payout
from services.claims.usecases.rules import Rules
from services.claims.usecases.standing import stand_or_close
from services.claims.usecases.vouchers import lapse


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowFound:
    """The parcel came to light; `goods_returned` to whom they were paid by."""

    tenant_id: str
    claim_id: str
    found_at: datetime
    note: str
    goods_returned: bool
    told_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowFraud:
    tenant_id: str
    claim_id: str
    why: str
    told_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOff:
    tenant_id: str
    repayment_id: str
    why: str


async def show_found(tx: Tx, rules: Rules, command: ShowFound, *, now: datetime) -> FiledClaim:
    """A lost parcel that was paid for is there after all: the plan's part is owed back (CS-39)."""
    cover, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    repayments.must_be_a_paid_loss(filed.claim_id, filed.peril, filed.state)
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    repayments.must_be_paid(filed.claim_id, filed.state, payouts)
    news = LateNews(
        claim_id=filed.claim_id,
        what="FOUND",
        happened_at=command.found_at,
        note=command.note,
        told_by=command.told_by,
        told_at=now,
        goods_returned=command.goods_returned,
    )
    await _tell(tx, filed, news)
    due = repayments.due_for_found(
        rules.plans.pinned(cover.plan_sha256),
        await kept(tx, filed, cover.currency),
        goods_returned=command.goods_returned,
    )
    return await owe(tx, filed, Because.PARCEL_FOUND, due, credit=Account.CLAIMS, now=now)


async def show_fraud(tx: Tx, command: ShowFraud, *, now: datetime) -> FiledClaim:
    """All that was paid is owed back; what was not sent yet never is, nor is a voucher used."""
    cover, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    repayments.must_be_paid(filed.claim_id, filed.state, payouts)
    news = LateNews(
        claim_id=filed.claim_id,
        what="FRAUD",
        happened_at=now,
        note=command.why,
        told_by=command.told_by,
        told_at=now,
    )
    await _tell(tx, filed, news)
    for unsent in list_unsent(payouts):
        await void_payout(tx, unsent, "FRAUD", tenant_id=filed.tenant_id, now=now)
    for voucher in await store.list_vouchers(tx, filed.claim_id, tenant_id=filed.tenant_id):
        if voucher.state == "ISSUED":
            await lapse(tx, filed, voucher, now=now)
    due = await kept(tx, filed, cover.currency)
    filed = await owe(tx, filed, Because.FRAUD, due, credit=Account.CLAIMS, now=now)
    return await stand_or_close(tx, filed, now=now)


async def write_off(tx: Tx, command: WriteOff, *, now: datetime) -> Repayment:
    """Give up what is still due: it is a cost of the claim after all."""
    known = await store.get_repayment(tx, command.repayment_id, tenant_id=command.tenant_id)
    _, filed = await lock_claim(tx, known.claim_id, tenant_id=command.tenant_id)
    due = await store.get_repayment(tx, known.repayment_id, tenant_id=command.tenant_id)
    given_up = repayments.write_off(due, command.why, now=now)
    await store.save_repayment(tx, given_up, tenant_id=command.tenant_id)
    entry = move(
        "written-off",
        due.repayment_id,
        filed.key,
        due.left,
        debit=Account.CLAIMS,
        credit=Account.RECOVERY,
    )
    await ledger.book(tx, command.tenant_id, [entry], now=now)
    await stand_or_close(tx, filed, now=now)
    return given_up


async def receive(
    tx: Tx,
    filed: FiledClaim,
    repayment_id: str,
    amount: Money,
    recovery_id: str,
    *,
    now: datetime,
) -> None:
    """Money back from the customer, in part or in full."""
    due = await store.get_repayment(tx, repayment_id, tenant_id=filed.tenant_id)
    if due.claim_id != filed.claim_id:
        raise repayments.UnknownRepayment(f"Claim {filed.claim_id} has no {repayment_id}.")
    received = repayments.receive(due, amount, now=now)
    await store.save_repayment(tx, received, tenant_id=filed.tenant_id)
    entry = move(
        "repaid", recovery_id, filed.key, amount, debit=Account.CASH, credit=Account.RECOVERY
    )
    await ledger.book(tx, filed.tenant_id, [entry], now=now)
    await stand_or_close(tx, filed, now=now)


async def owe(
    tx: Tx,
    filed: FiledClaim,
    why: Because,
    amount: Money,
    *,
    credit: Account | None,
    now: datetime,
) -> FiledClaim:
    """The customer owes the amount back, and the claim waits for it; nothing changes for nothing.

    `credit` is the account it comes out of; None where it is booked as owed already.
    """
    if amount.amount_minor <= 0:
        return filed
    due = Repayment(
        repayment_id=new_id("rpy"),
        claim_id=filed.claim_id,
        why=why,
        amount=amount,
        received=zero(amount.currency),
        state="OPEN",
        due_at=now,
    )
    await store.insert_repayment(tx, due, tenant_id=filed.tenant_id)
    if credit is not None:
        entry = move(
            "repayment-due",
            due.repayment_id,
            filed.key,
            amount,
            debit=Account.RECOVERY,
            credit=credit,
        )
        await ledger.book(tx, filed.tenant_id, [entry], now=now)
    event = RepaymentDue(
        claim_id=filed.claim_id,
        policy_id=filed.key,
        repayment_id=due.repayment_id,
        why=why,
        amount=amount,
        due_at=now,
    )
    await announce(tx, filed, event, now=now)
    return await stand_or_close(tx, filed, now=now)


async def kept(
    tx: Tx, filed: FiledClaim, currency: str, *, states: frozenset[str] = repayments.GONE
) -> Money:
    """What the customer has of the claim and is not asked back yet."""
    claim_id, tenant_id = filed.claim_id, filed.tenant_id
    return repayments.kept(
        await store.list_payouts(tx, claim_id, tenant_id=tenant_id),
        await store.list_vouchers(tx, claim_id, tenant_id=tenant_id),
        await store.list_repayments(tx, claim_id, tenant_id=tenant_id),
        currency,
        states=states,
    )


async def asked_back(tx: Tx, filed: FiledClaim, currency: str) -> Money:
    """What the customer was asked back of it so far."""
    known = await store.list_repayments(tx, filed.claim_id, tenant_id=filed.tenant_id)
    return repayments.asked(known, currency)


async def _tell(tx: Tx, filed: FiledClaim, news: LateNews) -> None:
    if not await store.insert_late_news(tx, news, tenant_id=filed.tenant_id):
        raise repayments.AlreadyShown(f"{news.what} was said of claim {filed.claim_id} before.")
