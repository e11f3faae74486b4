"""What claims knows of a parcel, a claim and its papers: frozen values, no behaviour but sums.

`Terms` and `Tracking` come from the policy service's events and keep the names of their fields;
the rest is this service's own.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from libs.common.money import Money, zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line of the parcel. `value` is price × quantity; `verdict` ACCEPT, DECLINE or REFER."""

    item_id: str
    item_class: str
    value: Money
    weight_kg: Decimal = Decimal(0)
    source: str = "agent"
    verdict: str = "ACCEPT"

    @property
    def is_insured(self) -> bool:
        return self.verdict == "ACCEPT"

    @property
    def is_buy_yourself(self) -> bool:
        return self.source == "buy_yourself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    kind: str
    sha256: str
    evidence_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was known when the policy was sold (PolicyPaid)."""

    insured_value: Money
    goods_value: Money
    eligible_goods_value: Money
    shipping_fee: Money
    premium: Money
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
    is_registered: bool = False
    is_vip: bool = False
    is_freight_paid: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Where the parcel is, as the policy service last said (TrackingUpdated, ParcelDispatched)."""

    status: str = ""
    accepted_at: datetime | None = None
    dispatched_at: datetime | None = None
    last_update_at: datetime | None = None
    delivered_at: datetime | None = None
    returned_at: datetime | None = None
    # When the carrier itself said that it is lost.
    loss_confirmed_at: datetime | None = None
    # What was said first of each kind. They suggest a claim, and decide none.
    lost_at: datetime | None = None
    damaged_at: datetime | None = None
    destroyed_at: datetime | None = None
    seized_at: datetime | None = None


# The states of a policy whose perils may be claimed.
IN_FORCE = frozenset({"ACTIVE", "RUN_OFF"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """Claims' own copy of a policy. `sequence` counts the policy's events up to this state."""

    policy_id: str
    tenant_id: str
    plan: str
    plan_version: int
    plan_sha256: str
    state: str
    terms: Terms
    tracking: Tracking = Tracking()
    paid_at: datetime | None = None
    confirmed_at: datetime | None = None
    carrier: str = ""
    tracking_number: str = ""
    sequence: int = 0

    @property
    def currency(self) -> str:
        return self.terms.insured_value.currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What an adjudicator, the insurer or the carrier established; unset until they did."""

    proven_value: Money | None = None
    refund_to_buyer: Money | None = None
    carrier_paid: Money | None = None
    insurer_approved: Money | None = None
    insurer_decided: bool | None = None
    video_elements: tuple[str, ...] = ()
    # Grade 0 to 1 by item id, for DAMAGE; an item without one counts whole.
    grades: dict[str, Decimal] = field(default_factory=dict)
    packing: str | None = None
    exception_noted: bool | None = None
    is_freight_paid: bool | None = None
    is_misdeclared: bool | None = None
    is_investigated: bool | None = None
    is_fraud: bool | None = None
    loss_confirmed_at: datetime | None = None
    # When a person recorded that the insurer took the case on (TK-19).
    insurer_accepted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What the claimant says happened."""

    peril: str
    is_whole_parcel: bool = False
    item_ids: tuple[str, ...] = ()
    claimed_value: Money | None = None
    causes: tuple[str, ...] = ()
    event_at: datetime | None = None
    exception_noted: bool = False
    carrier_paid: Money | None = None
    refund_to_buyer: Money | None = None
    # Kinds of evidence that can never be had.
    unavailable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    claim_id: str
    statement: Statement
    notified_at: datetime
    # None: a first notice that the claimant has not taken up.
    filed_at: datetime | None
    # Kinds on file for this claim, the platform's own included.
    evidence: tuple[str, ...] = ()
    findings: Findings = field(default_factory=Findings)
    info_requested_at: datetime | None = None
    # The first instant nothing was missing, and whether it was so from the first (BM-26).
    complete_at: datetime | None = None
    is_clean: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierClaim:
    """Another claim on the same policy. `outcome` is OPEN until it is decided."""

    peril: str
    outcome: str
    item_ids: tuple[str, ...] = ()
    goods_paid: Money | None = None
    buy_yourself_paid: Money | None = None
    shipping_paid: Money | None = None
    delay_paid: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPosition:
    """The parcels of one order together, where a cap is per order (JS-16)."""

    insured_value: Money
    delay_paid: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything a decision rests on, but the time."""

    cover: Cover
    claim: Claim
    earlier: tuple[EarlierClaim, ...] = ()
    order: OrderPosition | None = None


def total(amounts: list[Money | None], currency: str) -> Money:
    """The sum; unset amounts count nothing."""
    return sum((amount for amount in amounts if amount is not None), zero(currency))
