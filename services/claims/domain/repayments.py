"""What a customer owes back: a carrier paid late, a parcel found, fraud, money that went out twice.

Nobody repays more than was paid, and what is owed, repaid or forgiven is not asked for again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.money import Money, zero
from libs.common.plans.values import Plan
from services.claims.domain.filing import Payout
from services.claims.domain.settlement import found_after_payout
from services.claims.domain.vouchers import VOUCHER, Voucher

# Money that is with the customer, or on its way there.
GONE = frozenset({"SENT", "CONFIRMED"})
# What the payment system says has arrived: the rest may still fail.
ARRIVED = frozenset({"CONFIRMED"})
# The claim was paid, and something may come of it still.
PAID_STATES = frozenset({"PAID", "CLOSED", "RECOVERY"})


class Because(StrEnum):
    CARRIER_PAID_LATE = "CARRIER_PAID_LATE"
    PARCEL_FOUND = "PARCEL_FOUND"
    FRAUD = "FRAUD"
    PAID_TWICE = "PAID_TWICE"


class UnknownRepayment(NotFound):
    code = "unknown-repayment"
    title = "There is no such repayment in your account"


class RepaymentSettled(Conflict):
    code = "repayment-settled"
    title = "Nothing is owed of this repayment any more"


class RepaymentAboveDue(Invalid):
    code = "repayment-above-due"
    title = "The money is more than what is due"


class ClaimNotPaid(Conflict):
    code = "claim-not-paid"
    title = "Nothing was paid for this claim"


class PayoutUnderWay(Conflict):
    code = "payout-under-way"
    title = "A payout waits for the payment system's answer"


class NotALoss(Conflict):
    code = "not-a-loss"
    title = "Only a lost parcel can be found"


class AlreadyShown(Conflict):
    code = "already-shown"
    title = "That was said of this claim before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repayment:
    """OPEN until it is RECEIVED in full, or WRITTEN_OFF by a person, whose `note` says why."""

    repayment_id: str
    claim_id: str
    why: str
    amount: Money
    received: Money
    state: str
    due_at: datetime
    settled_at: datetime | None = None
    note: str = ""

    @property
    def left(self) -> Money:
        return self.amount - self.received


@dataclass(frozen=True, slots=True, kw_only=True)
class LateNews:
    """What became known once the claim was paid: FOUND or FRAUD."""

    claim_id: str
    what: str
    happened_at: datetime
    note: str
    told_by: str
    told_at: datetime
    goods_returned: bool = False


def kept(
    payouts: Sequence[Payout],
    vouchers: Sequence[Voucher],
    repayments: Sequence[Repayment],
    currency: str,
    *,
    states: frozenset[str] = GONE,
) -> Money:
    """What the customer has of this claim, and is not asked back yet.

    A payment made twice is not among the payouts, nor is its repayment subtracted.
    """
    worth = {voucher.payout_id: voucher.worth for voucher in vouchers}
    paid = [
        worth[p.payout_id] if p.instrument == VOUCHER and p.payout_id in worth else p.amount
        for p in payouts
        if p.state in states
    ]
    return sum(paid, zero(currency)) - asked(repayments, currency)


def asked(repayments: Sequence[Repayment], currency: str) -> Money:
    """What the customer was asked back of what they were owed: not of money that went out twice."""
    back = [r.amount for r in repayments if r.why != Because.PAID_TWICE]
    return sum(back, zero(currency))


def must_be_paid(claim_id: str, state: str, payouts: Sequence[Payout]) -> None:
    """ClaimNotPaid, or PayoutUnderWay while an answer is awaited that may change it."""
    if any(payout.state == "SENT" for payout in payouts):
        raise PayoutUnderWay(f"Settle the payout of claim {claim_id} first.")
    if not any(payout.state == "CONFIRMED" for payout in payouts):
        raise ClaimNotPaid(f"Claim {claim_id} is {state}; nothing was paid for it.")


def must_be_a_paid_loss(claim_id: str, peril: str, state: str) -> None:
    if peril != "LOSS":
        raise NotALoss(f"Claim {claim_id} is about {peril}.")
    if state not in PAID_STATES:
        raise ClaimNotPaid(
            f"Claim {claim_id} is {state}: a found parcel counts once it is paid."
        )


def due_for_found(plan: Plan, paid: Money, *, goods_returned: bool) -> Money:
    """The plan's part of what was paid, or everything; nothing where the goods are given back (Q42)."""
    if goods_returned:
        return zero(paid.currency)
    return min(paid, found_after_payout(plan, {"paid": paid.decimal}))


def receive(repayment: Repayment, amount: Money, *, now: datetime) -> Repayment:
    """With that much of it paid back, in part or in full."""
    _must_be_open(repayment)
    if amount.amount_minor <= 0 or amount > repayment.left:
        raise RepaymentAboveDue(
            f"Of repayment {repayment.repayment_id} {repayment.left} is due, not {amount}."
        )
    received = repayment.received + amount
    if received < repayment.amount:
        return replace(repayment, received=received)
    return replace(repayment, received=received, state="RECEIVED", settled_at=now)


def write_off(repayment: Repayment, note: str, *, now: datetime) -> Repayment:
    _must_be_open(repayment)
    return replace(repayment, state="WRITTEN_OFF", settled_at=now, note=note)


def _must_be_open(repayment: Repayment) -> None:
    if repayment.state != "OPEN":
        raise RepaymentSettled(f"Repayment {repayment.repayment_id} is {repayment.state}.")
