"""Payouts on their way: sent, answered by the payment system, sent again."""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.common import ledger
from libs.common.db import Tx
from libs.common.ledger import Account, move
from services.claims import store
from services.claims.domain import filing
from services.claims.domain.filing import Payout
from services.claims.domain.repayments import Because
from services.claims.domain.sendings import Answer, Attempt, hear
from services.claims.domain.vouchers import VOUCHER
from services.claims.events import AdvancePaid, PayoutSent, PayoutSettled
from services.claims.store import FiledClaim
from services.claims.usecases.announcing import announce
from services.claims.usecases.following import follow_money
from services.claims.usecases.locking import lock_payout
from services.claims.usecases.payouts import owed, schedule
from services.claims.usecases.reconsidering import take_back_unsent
from services.claims.usecases.recoveries import ask_excess_back
from services.claims.usecases.repayments import owe
from services.claims.usecases.rules import Rules
from services.claims.usecases.standing import restand, stand_or_close
from services.claims.usecases.vouchers import issue_voucher


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlePayout:
    tenant_id: str
    payout_id: str
    answer: Answer


async def send_payout(
    tx: Tx, rules: Rules, payout_id: str, *, tenant_id: str, now: datetime
) -> None:
    """Instruct the payment, or issue the voucher. It is out with the commit, once an attempt."""
    payout, cover, filed = await lock_payout(tx, payout_id, tenant_id=tenant_id)
    if payout.state != "APPROVED":
        return
    if payout.instrument == VOUCHER:
        await issue_voucher(tx, rules, cover, filed, payout, now=now)
        return
    out = replace(payout, state="SENT", sent_at=now, attempt=payout.attempt + 1)
    attempt = Attempt(payout_id=payout_id, number=out.attempt, sent_at=now)
    await store.save_payout(tx, out, tenant_id=tenant_id)
    await store.insert_attempt(tx, attempt, tenant_id=tenant_id)
    await restand(tx, filed)
    sent = PayoutSent(
        claim_id=filed.claim_id,
        policy_id=payout.policy_id,
        payout_id=payout_id,
        amount=payout.amount,
        instrument=payout.instrument,
        sent_at=now,
        attempt=out.attempt,
        kind=payout.kind,
    )
    await announce(tx, filed, sent, now=now)


async def settle_payout(
    tx: Tx, rules: Rules, command: SettlePayout, *, now: datetime
) -> Payout:
    """The payment system's answer, which may come twice or late; a CONFIRMED payout leaves the books.

    Money that went out twice is owed back: it is lost neither for us nor from the books.
    """
    tenant_id = command.tenant_id
    payout, cover, filed = await lock_payout(tx, command.payout_id, tenant_id=tenant_id)
    attempts = await store.list_attempts(tx, payout.payout_id, tenant_id=tenant_id)
    heard = hear(payout, attempts, command.answer, now=now)
    if heard is None:
        return payout
    await store.save_attempt(tx, heard.attempt, tenant_id=tenant_id)
    if heard.is_paid_twice:
        await owe(tx, filed, Because.PAID_TWICE, payout.amount, credit=Account.CASH, now=now)
    if heard.payout == payout:
        return payout
    settled = heard.payout
    await store.save_payout(tx, settled, tenant_id=tenant_id)
    if settled.state == "CONFIRMED":
        await _confirmed(tx, filed, settled, now=now)
    event = PayoutSettled(
        claim_id=filed.claim_id,
        policy_id=payout.policy_id,
        payout_id=payout.payout_id,
        amount=payout.amount,
        state=settled.state,
        settled_at=now,
        attempt=heard.attempt.number,
    )
    await announce(tx, filed, event, now=now)
    if settled.state == "CONFIRMED":
        await ask_excess_back(tx, rules, cover, filed, now=now)
        await stand_or_close(tx, filed, now=now)
    return settled


async def retry_payout(
    tx: Tx, rules: Rules, payout_id: str, *, tenant_id: str, now: datetime
) -> Payout:
    """A payout that failed is sent again: the same one, in a new attempt.

    Where it would not be paid like this any more it is VOID instead, and the claim decided anew.
    """
    payout, cover, filed = await lock_payout(tx, payout_id, tenant_id=tenant_id)
    if payout.state != "FAILED":
        raise filing.PayoutNotFailed(f"Payout {payout_id} is {payout.state}.")
    await take_back_unsent(tx, rules, cover, filed, now=now)
    payout = await store.get_payout(tx, payout_id, tenant_id=tenant_id)
    if payout.state != "FAILED":
        return payout
    again = replace(payout, state="APPROVED", reference=None, sent_at=None, settled_at=None)
    await store.save_payout(tx, again, tenant_id=tenant_id)
    await schedule(tx, again, tenant_id=tenant_id, now=now)
    return again


async def _confirmed(tx: Tx, filed: FiledClaim, payout: Payout, *, now: datetime) -> None:
    left = move(
        f"{payout.kind.lower()}-settled",
        payout.payout_id,
        payout.policy_id,
        payout.amount,
        debit=owed(payout.instrument),
        credit=Account.CASH,
    )
    await ledger.book(tx, filed.tenant_id, [left], now=now)
    if payout.kind != "ADVANCE":
        filed = await restand(tx, filed)
    await follow_money(tx, filed, now=now)
    if payout.kind != "ADVANCE":
        return
    paid = AdvancePaid(
        claim_id=filed.claim_id,
        policy_id=payout.policy_id,
        payout_id=payout.payout_id,
        amount=payout.amount,
        paid_at=now,
    )
    await announce(tx, filed, paid, now=now)
