"""Money that comes from elsewhere: the carrier's compensation, the insurer's settlement of an advance.

Carrier and insurer together never pay more than the loss (G-10).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from libs.common.errors import Conflict, Invalid
from libs.common.money import Money, money, zero
from libs.common.plans.facts import facts_of
from libs.common.plans.values import Plan
from services.claims.domain.settlement import Settlement, settle_advance


class RecoveryAboveLoss(Invalid):
    code = "recovery-above-loss"
    title = "The recovery is more than the loss"


class NothingAdvanced(Conflict):
    code = "nothing-advanced"
    title = "No advance was paid on this claim"


class AlreadyAdvanced(Conflict):
    code = "already-advanced"
    title = "The claim has its advance already"


class NoAdvance(Conflict):
    code = "no-advance"
    title = "There is nothing to advance on this claim"


class InsurerAnsweredOtherwise(Conflict):
    code = "insurer-answered-otherwise"
    title = "The insurer has answered already, and otherwise"


class RecoveryAbovePaid(Invalid):
    code = "recovery-above-paid"
    title = "The recovery is more than you have paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """`paid_to`: a carrier pays the customer, or the operator for what was paid before (TK-23).

    A customer pays back a repayment.
    """

    recovery_id: str
    claim_id: str
    source: str
    reference: str
    amount: Money
    is_fraud: bool
    recorded_at: datetime
    paid_to: str = "customer"
    repayment_id: str | None = None


def loss_of(plan: Plan, known: dict[str, object]) -> Money:
    """What was lost: the claimed goods, with their freight where the plan counts it as lost with
    them (CS-15, CS-17); for a delay or return the freight."""
    case = facts_of(plan, known)
    if case.code("peril") in ("DELAY", "RETURN"):
        return money(case.number("shipping_fee"), plan.currency)
    peril = plan.perils.get(case.code("peril"))
    shipping = None if peril is None else peril.parts.shipping
    freight = Decimal(0) if shipping is None else max(Decimal(0), shipping.evaluate(case))
    return money(case.number("claimed_value") + freight, plan.currency)


def must_fit(loss: Money, recovered: Money, amount: Money) -> None:
    """RecoveryAboveLoss when carriers together would pay more than was lost."""
    if recovered + amount > loss:
        raise RecoveryAboveLoss(
            f"The loss is {loss}; with the {recovered} recovered before, {amount} is too much."
        )


def overpaid(loss: Money, paid: Money, recovered: Money) -> Money:
    """What lifts the total above the loss once the carrier paid as well (BM-24)."""
    return max(zero(loss.currency), paid + recovered - loss)


def must_be_ours(paid: Money, recovered: Money, amount: Money) -> None:
    """RecoveryAbovePaid: rights pass to the payer up to the amount paid (TK-23); the rest is theirs."""
    if recovered + amount > paid:
        raise RecoveryAbovePaid(
            f"You have paid {paid} and got {recovered} of it back; {amount} is too much."
        )


def asked_once(settled: Settlement, left: Money) -> Settlement:
    """No more is clawed back than is `left` to ask the customer for; what that leaves is borne."""
    asked = max(zero(left.currency), min(settled.clawback, left))
    borne = settled.provider_bears + (settled.clawback - asked)
    return replace(settled, clawback=asked, provider_bears=borne)


def split(plan: Plan, advanced: Money, received: Money, *, is_fraud: bool) -> Settlement:
    """Where the insurer's money goes (TK-21)."""
    return settle_advance(
        plan,
        {"advanced": advanced.decimal, "insurer_paid": received.decimal, "fraud": is_fraud},
    )
