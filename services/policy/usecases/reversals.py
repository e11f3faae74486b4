"""Money that a payment provider gave back by itself, or holds back in a dispute.

What is owed back to the payer counts first, then the premium that is held. Whatever is beyond both
is the payer's debt: the refund account says so. Cover whose premium is incomplete by it is not in
force any more.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.common import ledger
from libs.common.db import Tx
from libs.common.deadlines import cancel_deadline
from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.ids import new_id
from libs.common.ledger import Account, Entry, Transfer, move
from libs.common.money import Money
from services.policy import store
from services.policy.domain import payments
from services.policy.domain.policies import Policy
from services.policy.events import PaymentDisputed, PremiumReversed
from services.policy.store import Dispute, Payment
from services.policy.usecases import refunds
from services.policy.usecases.cover import ACTIVATE
from services.policy.usecases.refunds import account_of
from services.policy.usecases.saying import announce

REFUNDED = "REFUNDED"
DISPUTE_LOST = "DISPUTE_LOST"


class UnknownPayment(NotFound):
    code = "unknown-payment"
    title = "The policy has no such payment"


class ReversedTooMuch(Invalid):
    code = "reversed-too-much"
    title = "More would be given back than was paid"


class AlreadyDisputed(Conflict):
    code = "already-disputed"
    title = "The payment is in dispute"


class NotDisputed(Conflict):
    code = "not-disputed"
    title = "The payment is not in dispute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Something a provider did with a payment; `event_id` is its own, and happens once."""

    tenant_id: str
    policy_id: str
    reference: str
    amount: Money
    event_id: str


async def reverse_payment(tx: Tx, movement: Movement, *, now: datetime) -> Policy:
    """The provider has given that much of the payment back to the payer."""
    policy, payment = await _locked(tx, movement)
    await _must_be_left(tx, payment, movement)
    reference = f"{payment.payment_id}:{movement.event_id}"
    return await _take_back(
        tx,
        policy,
        movement.amount,
        Account.CASH,
        ("payment-reversed", reference, REFUNDED),
        now,
    )


async def open_dispute(tx: Tx, movement: Movement, *, now: datetime) -> Policy:
    """The provider holds the money back until the dispute is decided; cover goes on meanwhile."""
    policy, payment = await _locked(tx, movement)
    tenant_id = movement.tenant_id
    if await store.find_open_dispute(tx, payment.payment_id, tenant_id=tenant_id) is not None:
        raise AlreadyDisputed(f"Payment {payment.reference} is in dispute already.")
    await _must_be_left(tx, payment, movement)
    dispute = Dispute(
        dispute_id=new_id("dsp"),
        payment_id=payment.payment_id,
        policy_id=policy.policy_id,
        amount=movement.amount,
        state="OPEN",
        opened_at=now,
    )
    await store.insert_dispute(tx, dispute, tenant_id=tenant_id)
    held_back = move(
        "dispute-opened",
        f"{payment.payment_id}:{dispute.dispute_id}",
        policy.policy_id,
        movement.amount,
        debit=Account.DISPUTE,
        credit=Account.CASH,
    )
    await ledger.book(tx, tenant_id, [held_back], now=now)
    await _say(tx, policy, payment, dispute, now=now)
    return policy


async def close_dispute(tx: Tx, movement: Movement, *, is_won: bool, now: datetime) -> Policy:
    """Won: the money is ours again. Lost: it is the payer's."""
    policy, payment = await _locked(tx, movement)
    dispute = await store.find_open_dispute(
        tx, payment.payment_id, tenant_id=movement.tenant_id
    )
    if dispute is None:
        raise NotDisputed(f"Payment {payment.reference} is not in dispute.")
    closed = replace(dispute, state="WON" if is_won else "LOST", closed_at=now)
    await store.save_dispute(tx, closed, tenant_id=movement.tenant_id)
    await _say(tx, policy, payment, closed, now=now)
    reference = f"{payment.payment_id}:{dispute.dispute_id}"
    if not is_won:
        booking = ("dispute-lost", reference, DISPUTE_LOST)
        return await _take_back(tx, policy, dispute.amount, Account.DISPUTE, booking, now)
    back = move(
        "dispute-won",
        reference,
        policy.policy_id,
        dispute.amount,
        debit=Account.CASH,
        credit=Account.DISPUTE,
    )
    await ledger.book(tx, movement.tenant_id, [back], now=now)
    return policy


async def _locked(tx: Tx, movement: Movement) -> tuple[Policy, Payment]:
    policy = await store.lock_policy(tx, movement.policy_id, tenant_id=movement.tenant_id)
    payment = await store.find_payment(
        tx, policy.policy_id, movement.reference, tenant_id=movement.tenant_id
    )
    if payment is None:
        raise UnknownPayment(
            f"Policy {policy.policy_id} has no payment {movement.reference} yet."
        )
    return policy, payment


async def _must_be_left(tx: Tx, payment: Payment, movement: Movement) -> None:
    if movement.amount.currency != payment.amount.currency:
        raise payments.WrongPaymentCurrency(
            f"The payment was in {payment.amount.currency}, not {movement.amount.currency}."
        )
    gone = await store.reversed_of(tx, payment, tenant_id=movement.tenant_id)
    if not 0 < movement.amount.amount_minor <= (payment.amount - gone).amount_minor:
        raise ReversedTooMuch(
            f"Of payment {payment.reference} {payment.amount - gone} is left, not "
            f"{movement.amount}."
        )


async def _take_back(
    tx: Tx,
    policy: Policy,
    amount: Money,
    source: Account,
    booking: tuple[str, str, str],
    now: datetime,
) -> Policy:
    kind, reference, reason = booking
    rest = await refunds.settle_oldest(tx, policy, amount, reference=reference, now=now)
    held = policy.premium_paid - policy.refund
    premium = min(rest, held)
    taken = Transfer(
        kind=kind,
        reference=reference,
        policy_id=policy.policy_id,
        entries=(
            Entry(Account.REFUND, amount - premium),
            Entry(account_of(policy), premium),
            Entry(source, -amount),
        ),
    )
    await ledger.book(tx, policy.tenant_id, [taken], now=now)
    after = payments.take_back(policy, premium)
    await store.save_policy(tx, after)
    if after.state == "PENDING":
        await cancel_deadline(tx, policy.tenant_id, ACTIVATE, policy.policy_id)
    if premium.amount_minor:
        event = PremiumReversed(
            policy_id=policy.policy_id,
            state=after.state,
            amount=premium,
            premium_paid=after.premium_paid,
            premium_due=after.premium_due,
            reason=reason,
            reversed_at=now,
        )
        await announce(tx, after, event, now=now)
    return after


async def _say(
    tx: Tx, policy: Policy, payment: Payment, dispute: Dispute, *, now: datetime
) -> None:
    event = PaymentDisputed(
        policy_id=policy.policy_id,
        payment_id=payment.payment_id,
        dispute_id=dispute.dispute_id,
        amount=dispute.amount,
        state=dispute.state,
        changed_at=now,
    )
    await announce(tx, policy, event, now=now)
