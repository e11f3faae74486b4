"""A policy's end before its time: cancelled with the plan's refund, or void. Seen first, then done."""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.errors import Conflict, Invalid
from libs.common.money import Money, zero
from libs.common.plans.values import Plan, RefundRow, Rules
from services.policy.domain.payments import Ended
from services.policy.domain.policies import OPEN, Policy, cover_facts
from services.policy.domain.terms import refund

# G-15: a false declaration is excluded in every programme, stated or not.
FRAUD = "fraud"
ADDRESS_CHANGED = "address_changed"
# Paid for and not over: the plan's row says whether it still gives back. After a delivery too, for
# that cover was never provided may come out only then (BM-07).
_REFUNDABLE = ("SCHEDULED", "ACTIVE", "RUN_OFF")


class NotCancellable(Conflict):
    code = "policy-not-cancellable"
    title = "The policy cannot be cancelled now"


class UnknownReason(Invalid):
    code = "unknown-refund-reason"
    title = "The plan knows no such reason"


class NotVoided(Conflict):
    code = "policy-not-voided"
    title = "The event does not make the policy void"


class DestinationDiffers(Conflict):
    code = "destination-differs"
    title = "The parcel would go to another country"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A line of the refund's arithmetic. `formula` is the plan's own text where it has one."""

    label: str
    amount: Money
    formula: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What a cancellation would do now: granted or not, what goes back, and how that comes about."""

    policy: Policy
    reason: str
    refund: Money
    is_granted: bool
    because: str
    steps: tuple[Step, ...]
    rule_ids: Rules

    def granted(self) -> Ended:
        """What it does; NotCancellable with what stands against it."""
        if not self.is_granted:
            raise NotCancellable(self.because)
        return Ended(policy=replace(self.policy, state="CANCELLED"), refund=self.refund)


def cancellation(policy: Policy, plan: Plan, reason: str, now: datetime) -> Cancellation:
    """What the plan gives back for that reason at this moment (MP-24, BM-07, TK-09, JS-09, CS-11).

    Before the premium is complete everything paid goes back: no cover ever attached.
    """
    row = _row(plan, reason)
    if policy.state == "PENDING":
        return _before_cover(policy, reason, row)
    if policy.state not in _REFUNDABLE:
        return _kept(policy, reason, row, f"Policy {policy.policy_id} is {policy.state}.")
    answer = refund(plan, refund_facts(policy, reason, now))
    if not answer.is_granted:
        return _kept(
            policy,
            reason,
            row,
            f"The plan refunds while {row.when.text}; that does not hold now, so the policy stays "
            "in force.",
        )
    # Never more than is held, whatever the plan's formula says.
    amount = min(answer.refund, policy.premium_paid)
    steps = [
        Step(label="PREMIUM_PAID", amount=policy.premium_paid),
        Step(label="REFUND_BY_PLAN", amount=answer.refund, formula=row.amount.text),
    ]
    if amount != answer.refund:
        steps.append(Step(label="CAP_PREMIUM_PAID", amount=amount))
    return Cancellation(
        policy=policy,
        reason=reason,
        refund=amount,
        is_granted=True,
        because="",
        steps=tuple(steps),
        rule_ids=answer.rule_ids,
    )


def void(policy: Policy, plan: Plan, cause: str) -> Policy:
    """The policy once something made it void: nothing goes back (MP-23, G-15).

    NotVoided where the plan says nothing of the cause, or no cover was bought yet or is over.
    """
    if not is_voiding(plan, cause):
        causes = ", ".join((*plan.cover.void_on, FRAUD))
        raise NotVoided(f"This plan's policies become void by: {causes}; not by {cause}.")
    if policy.state not in ("SCHEDULED", "ACTIVE"):
        raise NotVoided(
            f"Policy {policy.policy_id} is {policy.state}; only cover that is bought becomes void."
        )
    return replace(policy, state="VOID")


def is_voiding(plan: Plan, cause: str) -> bool:
    return cause == FRAUD or cause in plan.cover.void_on


def is_voided_by_address(policy: Policy, plan: Plan) -> bool:
    """Whether another address makes it void: only once cover is bought (MP-23)."""
    return is_voiding(plan, ADDRESS_CHANGED) and policy.state in ("SCHEDULED", "ACTIVE")


def must_keep_country(policy: Policy, destination: str) -> None:
    """Limits and times go by the country: DestinationDiffers where it is another (CS-06)."""
    if policy.state not in OPEN:
        raise NotVoided(
            f"Policy {policy.policy_id} is {policy.state}: its parcel is not moved."
        )
    if destination != policy.terms.destination:
        raise DestinationDiffers(
            f"The policy is for {policy.terms.destination}. Cancel it and insure the parcel to "
            f"{destination} anew."
        )


def reasons_to_cancel(plan: Plan) -> tuple[str, ...]:
    return tuple(row.reason for row in plan.refunds if not corrects_charge(row))


def corrects_charge(row: RefundRow) -> bool:
    """A row about what was charged, such as a duplicate (BM-07): it gives back and ends nothing.

    What is charged above the premium goes back by itself, when it is paid.
    """
    return "premium_charged" in row.amount.names


def refund_facts(policy: Policy, reason: str, now: datetime) -> dict[str, object]:
    return cover_facts(policy, now) | {
        "reason": reason,
        "premium": policy.terms.premium.decimal,
        "premium_charged": policy.premium_paid.decimal,
    }


def _row(plan: Plan, reason: str) -> RefundRow:
    row = next((row for row in plan.refunds if row.reason == reason), None)
    if row is None:
        known = ", ".join(reasons_to_cancel(plan)) or "none"
        raise UnknownReason(f"The plan's reasons to cancel are: {known}.")
    if corrects_charge(row):
        raise UnknownReason(
            f"{reason} ends no policy: what is paid above the premium goes back by itself."
        )
    return row


def _before_cover(policy: Policy, reason: str, row: RefundRow) -> Cancellation:
    return Cancellation(
        policy=policy,
        reason=reason,
        refund=policy.premium_paid,
        is_granted=True,
        because="",
        steps=(Step(label="PREMIUM_PAID", amount=policy.premium_paid),),
        rule_ids=row.rules,
    )


def _kept(policy: Policy, reason: str, row: RefundRow, because: str) -> Cancellation:
    nothing = zero(policy.terms.premium.currency)
    return Cancellation(
        policy=policy,
        reason=reason,
        refund=nothing,
        is_granted=False,
        because=because,
        steps=(Step(label="PREMIUM_PAID", amount=policy.premium_paid),),
        rule_ids=row.rules,
    )
