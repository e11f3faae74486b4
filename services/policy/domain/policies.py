"""A policy's life: bound, paid, dispatched, tracked; each step a pure function of policy and plan.

    bind -> PENDING -> (premium complete) SCHEDULED / ACTIVE -> (delivered) RUN_OFF

State and times follow domain.md 2.7; what the plan says of cover start and refunds is in `terms`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from libs.common.errors import Conflict, Invalid
from libs.common.money import Money
from libs.common.plans.values import Plan
from services.policy.domain.terms import effective


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPin:
    """The plan version a policy keeps for life (G-11)."""

    plan: str
    version: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line of the parcel. `value` is price × quantity; `verdict` ACCEPT, DECLINE or REFER."""

    item_id: str
    item_class: str
    quantity: int
    value: Money
    weight_kg: Decimal = Decimal(0)
    source: str = "agent"
    marks: tuple[str, ...] = ()
    verdict: str = "ACCEPT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    kind: str
    sha256: str
    evidence_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Every fact of domain.md 2.3 that is known at purchase, as the quote had it."""

    insured_value: Money
    goods_value: Money
    eligible_goods_value: Money
    shipping_fee: Money
    premium: Money
    rate: Decimal
    goods_limit: Money | None = None
    items: tuple[Item, ...] = ()
    documents: tuple[Document, ...] = ()
    order_ref: str = ""
    submitted_at: datetime | None = None
    line: str = ""
    line_tags: tuple[str, ...] = ()
    mode: str = ""
    destination: str = ""
    scope: str = ""
    packing: str = ""
    options: tuple[str, ...] = ()
    customer_id: str = ""
    customer_kind: str = ""
    is_registered: bool = False
    is_vip: bool = False
    is_freight_paid: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The offer of a quote that is being bound, as the quote service has it."""

    quote_id: str
    plan: PlanPin
    terms: Terms
    state: str
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Where the parcel is, computed from all its scans."""

    status: str = "unknown"
    reason: str = "none"
    accepted_at: datetime | None = None
    dispatched_at: datetime | None = None
    last_update_at: datetime | None = None
    delivered_at: datetime | None = None
    returned_at: datetime | None = None
    loss_confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    policy_id: str
    tenant_id: str
    quote_id: str
    plan: PlanPin
    terms: Terms
    state: str
    bound_at: datetime
    premium_paid: Money
    paid_at: datetime | None = None
    confirmed_at: datetime | None = None
    cover_start: datetime | None = None
    carrier: str = ""
    tracking_number: str = ""
    tracking: Tracking = Tracking()

    @property
    def premium_due(self) -> Money:
        return self.terms.premium - self.premium_paid


class QuoteExpired(Conflict):
    code = "quote-expired"
    title = "The quote is no longer valid"


class QuoteNotBindable(Conflict):
    code = "quote-not-bindable"
    title = "The quote's state does not allow binding"


class PremiumDiffers(Conflict):
    code = "premium-differs"
    title = "The premium is not the quote's"


class NothingDue(Conflict):
    code = "nothing-due"
    title = "The premium is paid"


class NotPayable(Conflict):
    code = "policy-not-payable"
    title = "The policy's state does not allow a payment"


class PaymentTooLarge(Invalid):
    code = "payment-too-large"
    title = "The payment is more than the premium due"


class PaymentEmpty(Invalid):
    code = "payment-empty"
    title = "The payment is of nothing"


class WrongPaymentCurrency(Invalid):
    code = "wrong-currency"
    title = "The payment is in another currency"


class NotDispatchable(Conflict):
    code = "policy-not-dispatchable"
    title = "The policy's state does not allow dispatch"


def bind(
    offer: Offer, *, policy_id: str, tenant_id: str, premium: Money | None, now: datetime
) -> Policy:
    """A policy on the offer, its premium still to come.

    `premium`, where given, is what the customer was shown; PremiumDiffers when it is not the quote's.
    The quote is valid up to and including `valid_until`.
    """
    if now > offer.valid_until:
        raise QuoteExpired(
            f"Quote {offer.quote_id} was valid until {offer.valid_until.isoformat()}. "
            "Ask for a new one.",
            valid_until=offer.valid_until.isoformat(),
        )
    if offer.state != "PRICED":
        raise QuoteNotBindable(
            f"Quote {offer.quote_id} is {offer.state}; only a PRICED quote binds."
        )
    if premium is not None and premium != offer.terms.premium:
        raise PremiumDiffers(f"The quote's premium is {offer.terms.premium}, not {premium}.")
    return Policy(
        policy_id=policy_id,
        tenant_id=tenant_id,
        quote_id=offer.quote_id,
        plan=offer.plan,
        terms=offer.terms,
        state="PENDING",
        bound_at=now,
        premium_paid=Money(0, offer.terms.premium.currency),
    )


def pay(policy: Policy, plan: Plan, amount: Money, now: datetime) -> Policy:
    """The policy with this payment; in force or scheduled when the premium is complete."""
    due = policy.premium_due
    if amount.currency != due.currency:
        raise WrongPaymentCurrency(
            f"The premium is in {due.currency}, the payment in {amount.currency}."
        )
    if amount.amount_minor <= 0:
        raise PaymentEmpty(f"Pay what is due: {due}.")
    if due.amount_minor == 0:
        raise NothingDue(f"The premium of {policy.terms.premium} is paid already.")
    if policy.state != "PENDING":
        raise NotPayable(f"Policy {policy.policy_id} is {policy.state}.")
    if amount > due:
        raise PaymentTooLarge(f"{due} is due, {amount} is too much. Pay what is due.")
    paid = replace(policy, premium_paid=policy.premium_paid + amount)
    if paid.premium_due.amount_minor > 0:
        return paid
    return _covered(replace(paid, paid_at=now, state="SCHEDULED"), plan, now)


def dispatch(policy: Policy, plan: Plan, at: datetime, now: datetime) -> Policy:
    """The parcel left: `at` is the ship-out. A second dispatch changes nothing."""
    if policy.tracking.dispatched_at is not None:
        return policy
    if policy.state in ("CANCELLED", "VOID", "INVALID"):
        raise NotDispatchable(f"Policy {policy.policy_id} is {policy.state}.")
    return _covered(
        replace(policy, tracking=replace(policy.tracking, dispatched_at=at)), plan, now
    )


def activate(policy: Policy, plan: Plan, now: datetime) -> Policy:
    """The policy once its scheduled cover start has come."""
    return _covered(policy, plan, now)


def _covered(policy: Policy, plan: Plan, now: datetime) -> Policy:
    """Cover start by the plan's rule, and ACTIVE once it is reached."""
    if policy.state != "SCHEDULED":
        return policy
    starts_at = effective(plan, cover_facts(policy, now))
    is_reached = starts_at is not None and starts_at <= now
    return replace(
        policy, cover_start=starts_at, state="ACTIVE" if is_reached else policy.state
    )


def cover_facts(policy: Policy, now: datetime) -> dict[str, object]:
    """The facts that the plan's cover and refund rules read."""
    times = {
        "paid_at": policy.paid_at,
        "confirmed_at": policy.confirmed_at or policy.bound_at,
        "accepted_at": policy.tracking.accepted_at,
        "dispatched_at": policy.tracking.dispatched_at,
        "delivered_at": policy.tracking.delivered_at,
    }
    return {"as_of": now, **{name: at for name, at in times.items() if at is not None}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a carrier says happened, in neutral words (status and reason)."""

    scan_id: str
    status: str
    occurred_at: datetime
    reason: str = "none"


STATUSES = frozenset(
    {
        "unknown", "pre_transit", "in_transit", "out_for_delivery", "available_for_pickup",
        "delivery_attempted", "delivered", "exception", "customs_hold", "damaged", "lost",
        "destroyed", "seized", "returning", "returned", "cancelled", "expired",
    }
)  # fmt: skip

# The carrier does not have the parcel yet, or nothing is known: no movement.
_NOT_MOVING = frozenset({"unknown", "pre_transit", "cancelled", "expired"})


def track(policy: Policy, plan: Plan, scans: Iterable[Scan], now: datetime) -> Policy:
    """The policy with its parcel's position computed from the whole set of scans.

    Order of arrival and repeats do not matter. The first movement stands for the ship-out where
    nobody reported it. A delivery ends the cover: RUN_OFF.
    """
    position = locate(scans, policy.tracking)
    covered = _covered(replace(policy, tracking=position), plan, now)
    if position.delivered_at is not None and covered.state == "ACTIVE":
        return replace(covered, state="RUN_OFF")
    if position.delivered_at is None and covered.state == "RUN_OFF":
        return replace(covered, state="ACTIVE")
    return covered


def locate(scans: Iterable[Scan], known: Tracking) -> Tracking:
    """The parcel's position: by when things happened, never by when they were told."""
    ordered = sorted(scans, key=lambda scan: (scan.occurred_at, scan.scan_id))
    moves = [scan for scan in ordered if scan.status not in _NOT_MOVING]
    if not ordered:
        return known
    return replace(
        known,
        status=ordered[-1].status,
        reason=ordered[-1].reason,
        dispatched_at=known.dispatched_at or (moves[0].occurred_at if moves else None),
        last_update_at=moves[-1].occurred_at if moves else None,
        delivered_at=_standing(moves, "delivered", undone_by=("returning", "returned")),
        returned_at=_standing(moves, "returned", undone_by=()),
        loss_confirmed_at=_standing(moves, "lost", undone_by=("in_transit", "delivered")),
    )


def _standing(moves: list[Scan], status: str, *, undone_by: tuple[str, ...]) -> datetime | None:
    """When the status was first reached, unless a later scan undid it."""
    since: datetime | None = None
    for scan in moves:
        if scan.status == status:
            since = since or scan.occurred_at
        elif scan.status in undone_by:
            since = None
    return since
