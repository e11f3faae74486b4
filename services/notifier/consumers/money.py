"""What is told of a claim's money: sent, failed, advanced, owed back, and as a voucher."""

from collections.abc import Sequence
from datetime import date, datetime

from libs.common.consumer import Handlers, Received, reads
from libs.common.db import Tx
from libs.common.money import Money
from services.notifier import usecases
from services.notifier.consumers.claims import ClaimReading, about_claim
from services.notifier.domain import notices
from services.notifier.domain.notices import (
    AdvanceArrived,
    MoneyNotSent,
    MoneySent,
    RepaymentAsked,
    VoucherGiven,
    VoucherOver,
)


class PayoutSent(ClaimReading, frozen=True, kw_only=True):
    payout_id: str
    amount: Money
    instrument: str
    sent_at: datetime
    kind: str = "PAYOUT"


class PayoutSettled(ClaimReading, frozen=True, kw_only=True):
    payout_id: str
    amount: Money
    state: str
    settled_at: datetime


class AdvancePaid(ClaimReading, frozen=True, kw_only=True):
    payout_id: str
    amount: Money
    paid_at: datetime


class VoucherIssued(ClaimReading, frozen=True, kw_only=True):
    voucher_id: str
    amount: Money
    expires_on: date | None = None
    code: str = ""


class VoucherLapsed(ClaimReading, frozen=True, kw_only=True):
    voucher_id: str
    amount: Money
    lapsed_at: datetime


class RepaymentDue(ClaimReading, frozen=True, kw_only=True):
    repayment_id: str
    why: str
    amount: Money
    due_at: datetime


async def on_payout_sent(tx: Tx, events: Sequence[Received[PayoutSent]]) -> None:
    """Each sending is told: one that failed goes out again under the same id."""
    for received in events:
        sent = received.event
        if not notices.is_sending_told(kind=sent.kind, instrument=sent.instrument):
            continue
        letter = MoneySent(amount=sent.amount, instrument=sent.instrument, sent_at=sent.sent_at)
        occasion = notices.occasion_at(sent.payout_id, sent.sent_at)
        await usecases.owe(tx, about_claim(received, letter, occasion=occasion))


async def on_payout_settled(tx: Tx, events: Sequence[Received[PayoutSettled]]) -> None:
    for received in events:
        settled = received.event
        if not notices.is_settlement_told(settled.state):
            continue
        letter = MoneyNotSent(amount=settled.amount, failed_at=settled.settled_at)
        occasion = notices.occasion_at(settled.payout_id, settled.settled_at)
        await usecases.owe(tx, about_claim(received, letter, occasion=occasion))


async def on_advance_paid(tx: Tx, events: Sequence[Received[AdvancePaid]]) -> None:
    for received in events:
        paid = received.event
        letter = AdvanceArrived(amount=paid.amount, paid_at=paid.paid_at)
        await usecases.owe(tx, about_claim(received, letter, occasion=paid.payout_id))


async def on_voucher_issued(tx: Tx, events: Sequence[Received[VoucherIssued]]) -> None:
    for received in events:
        issued = received.event
        letter = VoucherGiven(
            number=issued.code or issued.voucher_id,
            amount=issued.amount,
            expires_on=issued.expires_on,
        )
        await usecases.owe(tx, about_claim(received, letter, occasion=issued.voucher_id))


async def on_voucher_lapsed(tx: Tx, events: Sequence[Received[VoucherLapsed]]) -> None:
    for received in events:
        lapsed = received.event
        letter = VoucherOver(amount=lapsed.amount, lapsed_at=lapsed.lapsed_at)
        await usecases.owe(tx, about_claim(received, letter, occasion=lapsed.voucher_id))


async def on_repayment_due(tx: Tx, events: Sequence[Received[RepaymentDue]]) -> None:
    for received in events:
        due = received.event
        letter = RepaymentAsked(amount=due.amount, why=due.why, due_at=due.due_at)
        await usecases.owe(tx, about_claim(received, letter, occasion=due.repayment_id))


HANDLERS: Handlers = dict(
    [
        reads(PayoutSent, on_payout_sent),
        reads(PayoutSettled, on_payout_settled),
        reads(AdvancePaid, on_advance_paid),
        reads(VoucherIssued, on_voucher_issued),
        reads(VoucherLapsed, on_voucher_lapsed),
        reads(RepaymentDue, on_repayment_due),
    ]
)
