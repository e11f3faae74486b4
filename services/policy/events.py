"""What the policy service says. Every event of a policy has the policy's id as its key."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

import msgspec

from libs.common.events import Event
from libs.common.money import Money


class PolicyEvent(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "policies"
    source: ClassVar[str] = "/policy"

    policy_id: str


class PlanPin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The plan version a policy keeps for life (G-11)."""

    plan: str
    version: int
    sha256: str


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    item_id: str
    item_class: str
    quantity: int
    value: Money
    weight_kg: Decimal = Decimal(0)
    source: str = "agent"
    marks: tuple[str, ...] = ()
    verdict: str = "ACCEPT"


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: str
    sha256: str
    evidence_id: str


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every fact of domain.md 2.3 that is known at purchase."""

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


class PolicyIssued(PolicyEvent, frozen=True, kw_only=True):
    """A quote was bound; the premium is not complete yet."""

    quote_id: str
    plan: PlanPin
    terms: Terms
    state: str


class PolicyPaid(PolicyEvent, frozen=True, kw_only=True):
    """The premium is complete. `cover_start` is None while it waits for another event."""

    quote_id: str
    plan: PlanPin
    terms: Terms
    state: str
    premium_paid: Money
    paid_at: datetime
    confirmed_at: datetime | None = None
    cover_start: datetime | None = None


class PolicyActivated(PolicyEvent, frozen=True, kw_only=True):
    cover_start: datetime


class PolicyCancelled(PolicyEvent, frozen=True, kw_only=True):
    reason: str
    refund: Money
    cancelled_at: datetime


class TrackingUpdated(PolicyEvent, frozen=True, kw_only=True):
    """Where the parcel is now, computed from all its scans; each one replaces the one before."""

    state: str
    status: str
    reason: str = "none"
    carrier: str = ""
    tracking_number: str = ""
    accepted_at: datetime | None = None
    dispatched_at: datetime | None = None
    last_update_at: datetime | None = None
    delivered_at: datetime | None = None
    returned_at: datetime | None = None
    loss_confirmed_at: datetime | None = None


class TestClockMoved(Event, frozen=True, kw_only=True):
    """A sandbox tenant's business time; its key is the tenant."""

    topic: ClassVar[str] = "policies"
    source: ClassVar[str] = "/policy"

    clock_id: str
    now: datetime


EVENTS = (
    PolicyIssued,
    PolicyPaid,
    PolicyActivated,
    PolicyCancelled,
    TrackingUpdated,
    TestClockMoved,
)
