"""The premium's way in: whole, in parts, deposit and top-up; and what of it is not taken.

A payment that was made is a fact: it is kept, and what the policy has no use for goes back. A policy
whose amount is not confirmed yet takes the plan's deposit and nothing else (MP-14, MP-18). The first
instant too late to complete a premium is `lapses_at`; what is paid then goes back (G-11, MP-20).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from libs.common.errors import Conflict, Invalid
from libs.common.money import Money, money, zero
from libs.common.plans.values import Plan
from services.policy.domain.policies import ENDED, PlanPin, Policy, Terms, after, covered
from services.policy.domain.terms import top_up


class AutopayBlocked(Conflict):
    code = "autopay-blocked"
    title = "The plan takes no automatic payment before the amount is confirmed"


class PaymentEmpty(Invalid):
    code = "payment-empty"
    title = "The payment is of nothing"


class WrongPaymentCurrency(Invalid):
    code = "wrong-currency"
    title = "The payment is in another currency"


class Standing(StrEnum):
    """What became of a payment; all but APPLIED mean that some or all of it goes back."""

    APPLIED = "APPLIED"
    OVERPAID = "OVERPAID"
    DUPLICATE_CHARGE = "DUPLICATE_CHARGE"
    NOT_CONFIRMED = "NOT_CONFIRMED"
    LATE = "LATE"
    POLICY_ENDED = "POLICY_ENDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The policy with a payment: how much of it counts, and why the rest goes back."""

    policy: Policy
    applied: Money
    returned: Money
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What the quote's verification confirmed: the final terms, and when the customer was told."""

    plan: PlanPin
    terms: Terms
    confirmed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A policy that is over before its time, and what of its premium goes back."""

    policy: Policy
    refund: Money


def receive(
    policy: Policy, plan: Plan, amount: Money, at: datetime, *, is_automatic: bool = False
) -> Receipt:
    """The policy with a payment made `at`; in force or scheduled when the premium is complete.

    WrongPaymentCurrency, PaymentEmpty; AutopayBlocked where nobody decided to pay (MP-14).
    """
    _must_be_money_for(policy, amount)
    if is_automatic and is_autopay_blocked(policy, plan):
        raise AutopayBlocked(
            "The amount is not confirmed yet. Let the customer pay once it is, or pay the deposit."
        )
    useful, standing = _useful(policy, plan, at)
    applied = min(amount, useful)
    if applied == amount:
        standing = Standing.APPLIED
    paid = replace(policy, premium_paid=policy.premium_paid + applied, last_paid_at=at)
    return Receipt(
        policy=completed(paid, plan, at) if applied.amount_minor else policy,
        applied=applied,
        returned=amount - applied,
        standing=standing,
    )


def is_autopay_blocked(policy: Policy, plan: Plan) -> bool:
    return policy.confirmed_at is None and plan.premium.blocks_autopay_before_confirmed


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
    if confirmed.premium_due.amount_minor <= 0:
        return completed(confirmed, plan, now)
    if confirmed.premium_paid.amount_minor == 0:
        return replace(confirmed, lapses_at=_price_lapses_at(plan, verification.confirmed_at))
    answer = top_up(plan, _top_up_facts(confirmed))
    return replace(confirmed, lapses_at=answer.lapses_at)


def completed(policy: Policy, plan: Plan, now: datetime) -> Policy:
    """PAID, once the amount is confirmed and nothing is due; `paid_at` is the completing payment."""
    if policy.confirmed_at is None or policy.premium_due.amount_minor > 0:
        return policy
    paid = replace(policy, paid_at=policy.last_paid_at, state="SCHEDULED", lapses_at=None)
    return covered(paid, plan, now)


def lapse(policy: Policy, plan: Plan) -> Ended:
    """The premium was not complete in time: cancelled, and what was paid goes back.

    A held deposit by the plan's own terms (MP-20); without one the price has just run out (G-11).
    """
    if plan.premium.deposit is None or policy.premium_paid.amount_minor == 0:
        return Ended(policy=replace(policy, state="CANCELLED"), refund=policy.premium_paid)
    answer = top_up(plan, _top_up_facts(policy) | {"paid_at": policy.lapses_at})
    return Ended(policy=replace(policy, state=answer.state), refund=answer.refund)


def invalidate(policy: Policy) -> Ended:
    """The quote came to nothing (MP-13): no cover ever attached, and all that was paid goes back."""
    return Ended(policy=replace(policy, state="INVALID"), refund=policy.premium_paid)


def take_back(policy: Policy, amount: Money) -> Policy:
    """Premium that its payer was given back elsewhere, or won in a dispute, is not held any more.

    A policy whose premium is incomplete by it is PENDING again: what is paid anew covers from then
    on, never backwards.
    """
    left = replace(policy, premium_paid=policy.premium_paid - amount)
    if policy.paid_at is None or policy.state in ENDED or left.premium_due.amount_minor <= 0:
        return left
    return replace(left, state="PENDING", paid_at=None, cover_start=None)


def deposit_of(plan: Plan) -> Money | None:
    """What may be paid before the amount is confirmed; None where the plan takes no deposit."""
    terms = plan.premium.deposit
    return None if terms is None else money(terms.amount, plan.currency)


def _must_be_money_for(policy: Policy, amount: Money) -> None:
    wanted = policy.terms.premium.currency
    if amount.currency != wanted:
        raise WrongPaymentCurrency(
            f"The premium is in {wanted}, the payment in {amount.currency}."
        )
    if amount.amount_minor <= 0:
        raise PaymentEmpty(f"Report what was paid; {policy.premium_due} is due.")


def _useful(policy: Policy, plan: Plan, at: datetime) -> tuple[Money, Standing]:
    """How much the policy could take at that time, and why no more."""
    nothing = zero(policy.terms.premium.currency)
    lapses_at = policy.lapses_at
    if lapses_at is not None and at >= lapses_at:
        return nothing, Standing.LATE
    if policy.state in ENDED:
        return nothing, Standing.POLICY_ENDED
    if policy.confirmed_at is None:
        deposit = deposit_of(plan) or nothing
        return max(nothing, deposit - policy.premium_paid), Standing.NOT_CONFIRMED
    due = max(nothing, policy.premium_due)
    is_paid = policy.paid_at is not None
    return due, Standing.DUPLICATE_CHARGE if is_paid else Standing.OVERPAID


def _price_lapses_at(plan: Plan, confirmed_at: datetime) -> datetime | None:
    length = plan.quote_validity
    return None if length is None else after(confirmed_at + timedelta(days=length.count))


def _top_up_facts(policy: Policy) -> dict[str, object]:
    return {
        "premium": policy.terms.premium.decimal,
        "deposit_paid": policy.premium_paid.decimal,
        "confirmed_at": policy.confirmed_at,
    }
