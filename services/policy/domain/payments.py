"""The premium's way in and out: whole, deposit and top-up; confirmation, lapse, cancellation.

A policy whose amount is not confirmed yet takes the plan's deposit and nothing else (MP-14, MP-18).
The first instant too late for a top-up is `top_up_lapses_at`; a payment then is not accepted (MP-20).
"""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.errors import Conflict, Invalid
from libs.common.money import Money, money
from libs.common.plans.values import Plan
from services.policy.domain.policies import PlanPin, Policy, Terms, cover_facts, covered
from services.policy.domain.terms import refund, top_up


class NothingDue(Conflict):
    code = "nothing-due"
    title = "The premium is paid"


class NotPayable(Conflict):
    code = "policy-not-payable"
    title = "The policy's state does not allow a payment"


class TopUpTooLate(Conflict):
    code = "top-up-too-late"
    title = "The time for the top-up is over"


class AmountNotConfirmed(Conflict):
    code = "amount-not-confirmed"
    title = "The premium is not confirmed yet"


class PaymentTooLarge(Invalid):
    code = "payment-too-large"
    title = "The payment is more than the premium due"


class PaymentEmpty(Invalid):
    code = "payment-empty"
    title = "The payment is of nothing"


class WrongPaymentCurrency(Invalid):
    code = "wrong-currency"
    title = "The payment is in another currency"


class NotCancellable(Conflict):
    code = "policy-not-cancellable"
    title = "The policy's state does not allow cancellation"


class UnknownReason(Invalid):
    code = "unknown-refund-reason"
    title = "The plan knows no such reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What the quote's verification confirmed: the final terms, and when the customer was told."""

    plan: PlanPin
    terms: Terms
    confirmed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """A cancelled policy and what goes back to the payer."""

    policy: Policy
    refund: Money


def pay(policy: Policy, plan: Plan, amount: Money, now: datetime) -> Policy:
    """The policy with this payment; in force or scheduled when the premium is complete."""
    _must_be_payable(policy, amount)
    if policy.confirmed_at is None:
        return _deposited(policy, plan, amount, now)
    lapses_at = policy.top_up_lapses_at
    if lapses_at is not None and now >= lapses_at:
        raise TopUpTooLate(
            f"The top-up was due before {lapses_at.isoformat()}. Send the payment back."
        )
    due = policy.premium_due
    if amount > due:
        raise PaymentTooLarge(f"{due} is due, {amount} is too much. Pay what is due.")
    received = replace(policy, premium_paid=policy.premium_paid + amount, last_paid_at=now)
    return completed(received, plan, now)


def confirm(policy: Policy, plan: Plan, verification: Verification, now: datetime) -> Policy:
    """The amount is confirmed: a held deposit may be all of it, or start the top-up's clock.

    A quote that was verified already when it was bound is confirmed from the start; again is nothing.
    """
    if policy.state != "PENDING" or policy.confirmed_at is not None:
        return policy
    confirmed = replace(
        policy,
        plan=verification.plan,
        terms=verification.terms,
        confirmed_at=verification.confirmed_at,
    )
    if confirmed.premium_paid.amount_minor == 0:
        return confirmed
    if confirmed.premium_due.amount_minor <= 0:
        return completed(confirmed, plan, now)
    answer = top_up(plan, _top_up_facts(confirmed))
    return replace(confirmed, top_up_lapses_at=answer.lapses_at)


def completed(policy: Policy, plan: Plan, now: datetime) -> Policy:
    """PAID, once nothing is due any more; `paid_at` is the payment that completed it."""
    if policy.premium_due.amount_minor > 0:
        return policy
    paid = replace(
        policy, paid_at=policy.last_paid_at, state="SCHEDULED", top_up_lapses_at=None
    )
    return covered(paid, plan, now)


def lapse(policy: Policy, plan: Plan) -> Cancellation:
    """The top-up did not come in time: cancelled, and the deposit goes back in full (MP-20)."""
    lapses_at = policy.top_up_lapses_at
    assert lapses_at is not None
    answer = top_up(plan, _top_up_facts(policy) | {"paid_at": lapses_at})
    return Cancellation(
        policy=replace(policy, state=answer.state, top_up_lapses_at=None), refund=answer.refund
    )


def cancel(policy: Policy, plan: Plan, reason: str, now: datetime) -> Cancellation:
    """Cancelled, with what the plan gives back for that reason at this moment.

    Before the premium is complete everything paid goes back: no cover ever attached.
    """
    known = [row.reason for row in plan.refunds]
    if reason not in known:
        raise UnknownReason(f"The plan's reasons are: {', '.join(known) or 'none'}.")
    if policy.state not in ("PENDING", "SCHEDULED", "ACTIVE"):
        raise NotCancellable(f"Policy {policy.policy_id} is {policy.state}.")
    cancelled = replace(policy, state="CANCELLED", top_up_lapses_at=None)
    if policy.state == "PENDING":
        return Cancellation(policy=cancelled, refund=policy.premium_paid)
    answer = refund(plan, refund_facts(policy, reason, now))
    if not answer.is_granted:
        raise NotCancellable(
            "The plan refunds nothing at this moment, so the policy stays in force."
        )
    # Never more than was paid, whatever the plan's formula says.
    return Cancellation(policy=cancelled, refund=min(answer.refund, policy.premium_paid))


def refund_facts(policy: Policy, reason: str, now: datetime) -> dict[str, object]:
    return cover_facts(policy, now) | {
        "reason": reason,
        "premium": policy.terms.premium.decimal,
        "premium_charged": policy.premium_paid.decimal,
    }


def deposit_of(plan: Plan) -> Money | None:
    """What may be paid before the amount is confirmed; None where the plan takes no deposit."""
    terms = plan.premium.deposit
    return None if terms is None else money(terms.amount, plan.currency)


def _must_be_payable(policy: Policy, amount: Money) -> None:
    due = policy.premium_due
    if amount.currency != due.currency:
        raise WrongPaymentCurrency(
            f"The premium is in {due.currency}, the payment in {amount.currency}."
        )
    if amount.amount_minor <= 0:
        raise PaymentEmpty(f"Pay what is due: {due}.")
    if policy.paid_at is not None:
        raise NothingDue(f"The premium of {policy.terms.premium} is paid already.")
    if policy.state != "PENDING":
        raise NotPayable(f"Policy {policy.policy_id} is {policy.state}. Send the payment back.")


def _deposited(policy: Policy, plan: Plan, amount: Money, now: datetime) -> Policy:
    deposit = deposit_of(plan)
    if deposit is None or policy.premium_paid >= deposit:
        raise AmountNotConfirmed("Wait until the amount is confirmed, then pay what is due.")
    if amount != deposit:
        raise AmountNotConfirmed(
            f"Before the amount is confirmed only the deposit of {deposit} may be paid."
        )
    return replace(policy, premium_paid=amount, last_paid_at=now)


def _top_up_facts(policy: Policy) -> dict[str, object]:
    return {
        "premium": policy.terms.premium.decimal,
        "deposit_paid": policy.premium_paid.decimal,
        "confirmed_at": policy.confirmed_at,
    }
