"""After the decision: who settles it, advances, vouchers, and what comes back later."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from libs.common.money import Money, money, zero
from libs.common.plans.clocks import due_on, is_within
from libs.common.plans.codes import CARRIER_LOSS_EVIDENCE, Outcome
from libs.common.plans.facts import Facts, facts_of
from libs.common.plans.values import Plan, Rules
from services.claims.domain.decision import Decision

# Up to this step a denial reads off the policy and the calendar; after it somebody has judged.
LAST_FORMAL_STEP = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class StraightThrough:
    """Whether the proposal stands without a person, and why or why not."""

    settles: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What is paid ahead of the insurer, and by which local day; nothing before the file is complete."""

    advance: Money
    due_on: date | None
    rule_ids: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Where the insurer's money goes once an advance was paid; what is still open, and who bears it."""

    to_seller: Money
    to_provider: Money
    provider_bears: Money
    clawback: Money
    rule_ids: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """A voucher against a second shipment: what the customer adds, what lapses, what it covers."""

    customer_pays: Money
    lapsed: Money
    covered: Money
    is_expired: bool
    expires_on: date | None
    rule_ids: Rules


def straight_through(
    plan: Plan, decision: Decision, facts: Mapping[str, object], limit: Money
) -> StraightThrough:
    """The rule of domain.md 2.5: what is settled without a person.

    Approved DELAY and RETURN; LOSS the carrier confirmed, with a complete file (supporting
    papers included, BM-15) and a payout of at most `limit`; requests, holds and deferrals; and
    denials that only read off policy, scope, count and dates. All else waits for a person.
    """
    if decision.outcome in (Outcome.DEFERRED, Outcome.INFO_REQUIRED, Outcome.ON_HOLD):
        return StraightThrough(settles=True, why="nothing is decided yet")
    if decision.outcome is Outcome.REFERRED:
        return StraightThrough(settles=False, why="it waits for a person or an outside party")
    if decision.outcome is Outcome.DENIED:
        return _denial(decision)
    if any(note.is_discretionary for note in decision.notes):
        return StraightThrough(settles=False, why="a discretionary code")
    if decision.peril in ("DELAY", "RETURN"):
        return StraightThrough(settles=True, why="a delay or a return voucher")
    return _loss(decision, facts_of(plan, facts), limit)


def advance(plan: Plan, facts: Mapping[str, object]) -> Advance:
    """The advance on the assessed payout (TK-20); nothing where the plan has none."""
    case, terms = facts_of(plan, facts), plan.advance
    if terms is None or not terms.when.evaluate(case):
        rules = () if terms is None else terms.rules
        return Advance(advance=zero(plan.currency), due_on=None, rule_ids=rules)
    complete_at = case.time("complete_at")
    return Advance(
        advance=money(case.number("assessed_payout") * terms.fraction, plan.currency),
        due_on=None
        if complete_at is None
        else due_on(complete_at, terms.due, plan.zone, plan.calendar),
        rule_ids=terms.rules,
    )


def settle_advance(plan: Plan, facts: Mapping[str, object]) -> Settlement:
    """The insurer's money pays the advance back; the excess is the seller's (TK-21).

    The provider bears a shortfall, unless the plan claws it back after fraud.
    """
    case, terms, nothing = facts_of(plan, facts), plan.advance, zero(plan.currency)
    advanced, received = _money(case, "advanced"), _money(case, "insurer_paid")
    back = min(advanced, received)
    shortfall = advanced - back
    claws_back = terms is not None and terms.clawback == "fraud_only" and case.flag("fraud")
    bears = terms is None or terms.shortfall == "provider"
    return Settlement(
        to_seller=received - back,
        to_provider=back,
        provider_bears=shortfall if bears and not claws_back else nothing,
        clawback=shortfall if claws_back or not bears else nothing,
        rule_ids=() if terms is None else terms.rules,
    )


def redeem_voucher(plan: Plan, facts: Mapping[str, object]) -> Redemption:
    """A return voucher used once for a second shipment; what is left over lapses (CS-29, CS-30)."""
    case, nothing = facts_of(plan, facts), zero(plan.currency)
    value, fee = _money(case, "voucher"), _money(case, "second_fee")
    issued_at, validity = case.time("issued_at"), plan.voucher_validity
    expires_on, is_expired = None, False
    if issued_at is not None and validity is not None:
        expires_on = due_on(issued_at, validity, plan.zone, plan.calendar)
        is_expired = not is_within(issued_at, case.as_of, validity, plan.zone, plan.calendar)
    covered = nothing if is_expired else min(value, fee)
    peril = plan.perils.get("RETURN")
    return Redemption(
        customer_pays=fee - covered,
        lapsed=value - covered,
        covered=covered,
        is_expired=is_expired,
        expires_on=expires_on,
        rule_ids=() if peril is None else peril.rules,
    )


def found_after_payout(plan: Plan, facts: Mapping[str, object]) -> Money:
    """What the customer repays for goods found after all: the plan's part, else everything (Q42)."""
    case, terms = facts_of(plan, facts), plan.found_after_payout
    paid = case.number("paid")
    return money(paid if terms is None else paid * terms.repay, plan.currency)


def _denial(decision: Decision) -> StraightThrough:
    reason = decision.reason
    if reason is None or reason.step > LAST_FORMAL_STEP:
        return StraightThrough(settles=False, why="denied on merit")
    if reason.is_discretionary:
        return StraightThrough(settles=False, why="a discretionary code")
    return StraightThrough(settles=True, why="denied by policy, scope, count or date")


def _loss(decision: Decision, case: Facts, limit: Money) -> StraightThrough:
    if decision.peril != "LOSS":
        return StraightThrough(settles=False, why="a person looks at this peril")
    if CARRIER_LOSS_EVIDENCE.isdisjoint(case.codes("evidence")):
        return StraightThrough(settles=False, why="the carrier has not confirmed the loss")
    if decision.supporting:
        return StraightThrough(settles=False, why="supporting evidence is missing")
    if decision.payout > limit:
        return StraightThrough(settles=False, why=f"more than {limit}")
    return StraightThrough(settles=True, why="a loss the carrier confirmed, within the limit")


def _money(case: Facts, name: str) -> Money:
    return money(case.number(name), case.plan.currency)
