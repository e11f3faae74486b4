"""The premium comes in: whole, in parts, deposit and top-up; or the top-up is warned of and lapses."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.common import ledger
from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadline, set_deadlines
from libs.common.errors import Conflict
from libs.common.ids import new_id
from libs.common.ledger import Account, Entry, Transfer, move
from libs.common.money import Money
from libs.common.plans.book import PlanBook
from services.policy import store
from services.policy.domain import payments
from services.policy.domain.payments import Receipt, Verification
from services.policy.domain.policies import Policy
from services.policy.events import (
    DocumentsRequested,
    PaymentReceived,
    PolicyInvalidated,
    PolicyLapsed,
    PolicyPaid,
    TopUpRequested,
    TopUpWarned,
)
from services.policy.store import SHOP, Payment
from services.policy.usecases import refunds
from services.policy.usecases.cover import watch_cover
from services.policy.usecases.refunds import LAPSE, WARN, account_of
from services.policy.usecases.saying import announce

# How long before a top-up lapses its customer is warned.
WARNING = timedelta(hours=24)


class PaymentDiffers(Conflict):
    code = "payment-reference-reused"
    title = "The payment's reference was used for another amount"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPayment:
    """`paid_at` is what a provider has signed; a shop's report counts from when it comes."""

    tenant_id: str
    policy_id: str
    reference: str
    amount: Money
    is_automatic: bool = False
    channel: str = SHOP
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    policy: Policy
    payment: Payment


async def receive_payment(
    tx: Tx, plans: PlanBook, command: RecordPayment, *, now: datetime
) -> Received:
    """The policy with the payment. The same reference again changes nothing."""
    policy = await store.lock_policy(tx, command.policy_id, tenant_id=command.tenant_id)
    known = await store.find_payment(
        tx, policy.policy_id, command.reference, tenant_id=command.tenant_id
    )
    if known is not None:
        _must_be_same(known, command)
        return Received(policy=policy, payment=known)
    plan = plans.pinned(policy.plan.sha256)
    paid_at = min(now, command.paid_at or now)
    receipt = payments.receive(
        policy, plan, command.amount, paid_at, is_automatic=command.is_automatic
    )
    payment = payment_of(command, receipt, paid_at=paid_at, now=now)
    await store.insert_payments(tx, [payment], tenant_id=command.tenant_id)
    await ledger.book(tx, command.tenant_id, [premium_received(policy, payment)], now=now)
    await announce(tx, policy, payment_received(receipt.policy, payment), now=now)
    await save_paid(tx, policy, receipt.policy, now=now)
    if payment.returned.amount_minor:
        await refunds.owe(
            tx,
            policy,
            payment.returned,
            reason=payment.standing,
            payment_id=payment.payment_id,
            now=now,
        )
    return Received(policy=receipt.policy, payment=payment)


def payment_of(
    command: RecordPayment, receipt: Receipt, *, paid_at: datetime, now: datetime
) -> Payment:
    return Payment(
        payment_id=new_id("pay"),
        policy_id=command.policy_id,
        reference=command.reference,
        amount=command.amount,
        applied=receipt.applied,
        standing=receipt.standing,
        channel=command.channel,
        paid_at=paid_at,
        received_at=now,
    )


def premium_received(policy: Policy, payment: Payment) -> Transfer:
    """All of a payment came in; what the policy does not take is owed back at once."""
    return Transfer(
        kind="premium-received",
        reference=payment.payment_id,
        policy_id=policy.policy_id,
        entries=(
            Entry(Account.CASH, payment.amount),
            Entry(account_of(policy), -payment.applied),
            Entry(Account.REFUND, -payment.returned),
        ),
    )


def payment_received(after: Policy, payment: Payment) -> PaymentReceived:
    return PaymentReceived(
        policy_id=payment.policy_id,
        payment_id=payment.payment_id,
        reference=payment.reference,
        channel=payment.channel,
        amount=payment.amount,
        applied=payment.applied,
        returned=payment.returned,
        standing=payment.standing,
        premium_due=after.premium_due,
        paid_at=payment.paid_at,
    )


async def confirm_amount(
    tx: Tx, plans: PlanBook, quote_id: str, verification: Verification, *, tenant_id: str
) -> None:
    """The quote's verification brought the final amount; a quote nobody bound concerns nobody here.

    `now` is the instant of the confirmation: the top-up's clock starts there (MP-19).
    """
    policy = await store.find_policy_of_quote(tx, quote_id, tenant_id=tenant_id)
    if policy is None:
        return
    now, plan = verification.confirmed_at, plans.pinned(verification.plan.sha256)
    confirmed = payments.confirm(policy, plan, verification, now)
    if confirmed == policy:
        return
    await _keep_deposit(tx, policy, now=now)
    await save_paid(tx, policy, confirmed, now=now)
    if confirmed.paid_at is None:
        await announce(tx, confirmed, _top_up_requested(confirmed), now=now)
    await set_deadlines(tx, premium_awaited(confirmed))


async def request_documents(
    tx: Tx,
    quote_id: str,
    missing: tuple[str, ...],
    lapses_at: datetime | None,
    *,
    tenant_id: str,
    now: datetime,
) -> None:
    """The proof of purchase was not sufficient (MP-11): whoever has bound the quote is told."""
    policy = await store.find_policy_of_quote(tx, quote_id, tenant_id=tenant_id)
    if policy is None or policy.state != "PENDING":
        return
    wanted = DocumentsRequested(
        policy_id=policy.policy_id, missing=missing, lapses_at=lapses_at
    )
    await announce(tx, policy, wanted, now=now)


async def invalidate_policy(
    tx: Tx, quote_id: str, cause: str, *, tenant_id: str, now: datetime
) -> None:
    """Its quote came to nothing (MP-13): INVALID, and all that was paid goes back."""
    policy = await store.find_policy_of_quote(tx, quote_id, tenant_id=tenant_id)
    if policy is None or policy.state != "PENDING":
        return
    ended = payments.invalidate(policy)
    event = PolicyInvalidated(
        policy_id=policy.policy_id, cause=cause, refund=ended.refund, invalidated_at=now
    )
    await announce(tx, policy, event, now=now)
    await refunds.end(tx, policy, ended, reason=cause, now=now)


async def warn_top_up(tx: Tx, policy_id: str, *, tenant_id: str, now: datetime) -> None:
    """The last day for the top-up has begun."""
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    if policy.state != "PENDING" or policy.lapses_at is None:
        return
    warned = TopUpWarned(
        policy_id=policy_id, due=policy.premium_due, lapses_at=policy.lapses_at
    )
    await announce(tx, policy, warned, now=now)


async def lapse_top_up(
    tx: Tx, plans: PlanBook, policy_id: str, *, tenant_id: str, now: datetime
) -> None:
    """The first instant too late has come: of the top-up (MP-20), or of the price (G-11)."""
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    if policy.state != "PENDING" or policy.lapses_at is None:
        return
    lapsed = payments.lapse(policy, plans.pinned(policy.plan.sha256))
    event = PolicyLapsed(
        policy_id=policy_id, state=lapsed.policy.state, refund=lapsed.refund, lapsed_at=now
    )
    await announce(tx, policy, event, now=now)
    await refunds.end(tx, policy, lapsed, reason="TOP_UP_LAPSED", now=now)


async def save_paid(tx: Tx, before: Policy, after: Policy, *, now: datetime) -> None:
    await store.save_policy(tx, after)
    if after.paid_at is not None and before.paid_at is None:
        for kind in (LAPSE, WARN):
            await cancel_deadline(tx, after.tenant_id, kind, after.policy_id)
        await announce(tx, after, policy_paid(after), now=now)
        await watch_cover(tx, before, after, now=now)


def policy_paid(policy: Policy) -> PolicyPaid:
    assert policy.paid_at is not None
    return PolicyPaid(
        policy_id=policy.policy_id,
        quote_id=policy.quote_id,
        plan=policy.plan,
        terms=policy.terms,
        state=policy.state,
        premium_paid=policy.premium_paid,
        paid_at=policy.paid_at,
        confirmed_at=policy.confirmed_at,
        cover_start=policy.cover_start,
    )


def premium_awaited(policy: Policy) -> list[Deadline]:
    """When it lapses unless it is paid, and for a top-up the warning before."""
    if policy.state != "PENDING" or policy.lapses_at is None:
        return []
    due = [(LAPSE, policy.lapses_at)]
    if policy.premium_paid.amount_minor:
        due.append((WARN, policy.lapses_at - WARNING))
    return [
        Deadline(tenant_id=policy.tenant_id, kind=kind, subject=policy.policy_id, due_at=due_at)
        for kind, due_at in due
    ]


async def _keep_deposit(tx: Tx, policy: Policy, *, now: datetime) -> None:
    """Once the amount is confirmed a held deposit is premium."""
    if policy.premium_paid.amount_minor == 0:
        return
    kept = move(
        "deposit-kept",
        policy.policy_id,
        policy.policy_id,
        policy.premium_paid,
        debit=Account.DEPOSIT,
        credit=Account.PREMIUM,
    )
    await ledger.book(tx, policy.tenant_id, [kept], now=now)


def _top_up_requested(policy: Policy) -> TopUpRequested:
    assert policy.confirmed_at is not None
    return TopUpRequested(
        policy_id=policy.policy_id,
        premium=policy.terms.premium,
        due=policy.premium_due,
        confirmed_at=policy.confirmed_at,
        lapses_at=policy.lapses_at,
    )


def _must_be_same(known: Payment, command: RecordPayment) -> None:
    if known.amount != command.amount:
        raise PaymentDiffers(
            f"Payment {known.reference} was of {known.amount}, not {command.amount}. "
            "Use a new reference for a new payment."
        )
