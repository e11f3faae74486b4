"""A policy's life: bound, paid, dispatched, tracked; each step a pure function of policy and plan.

    bind -> PENDING -> (premium complete) SCHEDULED / ACTIVE -> (delivered) RUN_OFF

State and times follow domain.md 2.7; what the plan says of cover start and refunds is in `terms`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from libs.common.errors import Conflict
from libs.common.money import Money, zero
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


OPT_OUT = "OPT_OUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the customer last said to the offer, as the quote service recorded it."""

    consent_id: str
    choice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The offer of a quote that is being bound, as the quote service has it."""

    quote_id: str
    plan: PlanPin
    terms: Terms
    state: str
    valid_until: datetime
    confirmed_at: datetime | None = None
    consent: Consent | None = None


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
    # The carrier's own word that it is lost, where it is proven to be its word.
    loss_confirmed_at: datetime | None = None
    # What was said first of each kind. They suggest a claim, and decide none.
    lost_at: datetime | None = None
    damaged_at: datetime | None = None
    destroyed_at: datetime | None = None
    seized_at: datetime | None = None

    @property
    def moved_at(self) -> datetime | None:
        """When something last moved it, or it left; None while it is with the sender."""
        return self.last_update_at or self.dispatched_at


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
    # What of it went back, or is owed back, since the policy ended.
    refund: Money
    last_paid_at: datetime | None = None
    # The payment that completed the premium.
    paid_at: datetime | None = None
    # When the amount was confirmed to the customer; None while the quote is being verified.
    confirmed_at: datetime | None = None
    # The first instant too late to complete the premium: the top-up's (MP-18), or the price's own
    # (G-11). None where none is awaited; kept where it was missed.
    lapses_at: datetime | None = None
    cover_start: datetime | None = None
    carrier: str = ""
    tracking_number: str = ""
    tracking: Tracking = Tracking()
    # The customer's opt-in, where one was recorded.
    consent_id: str = ""

    @property
    def premium_due(self) -> Money:
        return self.terms.premium - self.premium_paid


PRICED = "PRICED"
# The proof of purchase is being looked at: the policy waits for the confirmed amount.
VERIFYING = ("DRAFT", "UNDER_VERIFICATION", "INFO_REQUIRED")
# Nothing is paid into these any more, and no cover begins.
ENDED = frozenset({"CANCELLED", "INVALID", "VOID", "EXPIRED"})
# Its parcel is still on its way, so no other policy may name it (Q45).
OPEN = ("PENDING", "SCHEDULED", "ACTIVE")


class QuoteExpired(Conflict):
    code = "quote-expired"
    title = "The quote is no longer valid"


class QuoteNotBindable(Conflict):
    code = "quote-not-bindable"
    title = "The quote's state does not allow binding"


class PremiumDiffers(Conflict):
    code = "premium-differs"
    title = "The premium is not the quote's"


class OptedOut(Conflict):
    code = "opted-out"
    title = "The customer has said no to this cover"


class ConsentMissing(Conflict):
    code = "consent-missing"
    title = "The customer has not said yes to this cover"


class ParcelInsured(Conflict):
    code = "parcel-insured-already"
    title = "The parcel is insured already"


def bind(
    offer: Offer,
    *,
    policy_id: str,
    tenant_id: str,
    premium: Money | None,
    now: datetime,
    needs_consent: bool = False,
) -> Policy:
    """A policy on the offer, its premium still to come.

    `premium`, where given, is what the customer was shown; PremiumDiffers when it is not the quote's.
    A price is valid up to and including `valid_until`. A quote that is being verified has none yet:
    it ends by the clock of its papers (MP-13), and then its state says so. OptedOut where the
    customer's last word was no; ConsentMissing where the tenant wants a word and there is none.
    """
    _must_be_wanted(offer, needs_consent=needs_consent)
    if offer.state not in VERIFYING and now > offer.valid_until:
        raise QuoteExpired(
            f"Quote {offer.quote_id} was valid until {offer.valid_until.isoformat()}. "
            "Ask for a new one.",
            valid_until=offer.valid_until.isoformat(),
        )
    if offer.state not in (PRICED, *VERIFYING):
        raise QuoteNotBindable(
            f"Quote {offer.quote_id} is {offer.state}; it binds while it is PRICED or being verified."
        )
    if premium is not None and premium != offer.terms.premium:
        raise PremiumDiffers(f"The quote's premium is {offer.terms.premium}, not {premium}.")
    confirmed_at = None if offer.state in VERIFYING else offer.confirmed_at or now
    return Policy(
        policy_id=policy_id,
        tenant_id=tenant_id,
        quote_id=offer.quote_id,
        plan=offer.plan,
        terms=offer.terms,
        state="PENDING",
        bound_at=now,
        premium_paid=zero(offer.terms.premium.currency),
        refund=zero(offer.terms.premium.currency),
        confirmed_at=confirmed_at,
        lapses_at=None if confirmed_at is None else after(offer.valid_until),
        consent_id="" if offer.consent is None else offer.consent.consent_id,
    )


def _must_be_wanted(offer: Offer, *, needs_consent: bool) -> None:
    if offer.consent is None:
        if needs_consent:
            raise ConsentMissing(
                f"Record the customer's opt-in first (POST /v1/quotes/{offer.quote_id}/consents)."
            )
    elif offer.consent.choice == OPT_OUT:
        raise OptedOut(
            f"The last consent to quote {offer.quote_id} is an opt-out. Record an opt-in if the "
            "customer has changed their mind."
        )


def after(last: datetime) -> datetime:
    """The first instant that is later than the last one in time."""
    return last + timedelta(microseconds=1)


def activate(policy: Policy, plan: Plan, now: datetime) -> Policy:
    """The policy once its scheduled cover start has come."""
    return covered(policy, plan, now)


def covered(policy: Policy, plan: Plan, now: datetime) -> Policy:
    """Cover start by the plan's rule, and ACTIVE once it is reached.

    Where the plan's start waits for a fact such as the dispatch (JS-06), it is not reached before.
    """
    if policy.state != "SCHEDULED":
        return policy
    facts = cover_facts(policy, now)
    starts_at = effective(plan, facts)
    awaits = plan.cover.not_before
    is_known = starts_at is not None and (not awaits or awaits in facts)
    is_reached = is_known and starts_at is not None and starts_at <= now
    state = _in_force(policy) if is_reached else policy.state
    return replace(policy, cover_start=starts_at, state=state)


def _in_force(policy: Policy) -> str:
    """ACTIVE, or RUN_OFF where the parcel has been delivered already."""
    return "ACTIVE" if policy.tracking.delivered_at is None else "RUN_OFF"


def cover_facts(policy: Policy, now: datetime) -> dict[str, object]:
    """The facts that the plan's cover and refund rules read."""
    times = {
        "paid_at": policy.paid_at,
        "confirmed_at": policy.confirmed_at,
        "accepted_at": policy.tracking.accepted_at,
        "dispatched_at": policy.tracking.dispatched_at,
        "delivered_at": policy.tracking.delivered_at,
    }
    return {"as_of": now, **{name: at for name, at in times.items() if at is not None}}
