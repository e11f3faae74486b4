"""What the quote service says. The key is the quote's id."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

import msgspec

from libs.common.events import Event
from libs.common.money import Money


class QuoteEvent(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "quotes"
    source: ClassVar[str] = "/quote"

    quote_id: str


class Offer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`premium` None: the plan does not insure this parcel, or cannot price it yet."""

    plan: str
    version: int
    is_available: bool
    premium: Money | None = None
    insured_value: Money | None = None
    reasons: tuple[str, ...] = ()


class QuoteIssued(QuoteEvent, frozen=True, kw_only=True):
    # The quote's own row holds all of it, and is never changed in it.
    is_kept: ClassVar[bool] = False

    state: str
    offers: tuple[Offer, ...]
    valid_until: datetime


class PlanPin(msgspec.Struct, frozen=True, kw_only=True):
    plan: str
    version: int
    sha256: str


class Item(msgspec.Struct, frozen=True, kw_only=True):
    item_id: str
    item_class: str
    quantity: int
    value: Money
    weight_kg: Decimal
    source: str
    marks: tuple[str, ...]
    verdict: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    sha256: str
    evidence_id: str


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy that binds the offer is about, as its answer has it."""

    insured_value: Money
    goods_value: Money
    eligible_goods_value: Money
    shipping_fee: Money
    premium: Money
    rate: Decimal
    goods_limit: Money | None
    items: tuple[Item, ...]
    documents: tuple[Document, ...]
    order_ref: str
    submitted_at: datetime | None
    line: str
    line_tags: tuple[str, ...]
    mode: str
    destination: str
    scope: str
    packing: str
    options: tuple[str, ...]
    customer_id: str
    customer_kind: str
    is_registered: bool
    is_vip: bool
    is_freight_paid: bool


class QuoteVerified(QuoteEvent, frozen=True, kw_only=True):
    """The proof of purchase is sufficient: the final amount, told to the customer at `confirmed_at`."""

    plan: PlanPin
    terms: Terms
    confirmed_at: datetime


class QuoteBound(QuoteEvent, frozen=True, kw_only=True):
    policy_id: str
    bound_at: datetime


class QuoteDocumentAdded(QuoteEvent, frozen=True, kw_only=True):
    """A purchase paper came in; `state` is what its verification is in since."""

    evidence_id: str
    kind: str
    sha256: str
    state: str
    due_at: datetime | None


class QuoteInfoRequired(QuoteEvent, frozen=True, kw_only=True):
    """The papers do not suffice; at `lapses_at` it is too late for better ones (None: never)."""

    missing: tuple[str, ...]
    lapses_at: datetime | None


class ItemVerdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    item_id: str
    verdict: str


class QuoteReviewed(QuoteEvent, frozen=True, kw_only=True):
    """A person has said which of the referred goods are insured; `state` is what that led to."""

    plan: str
    verdicts: tuple[ItemVerdict, ...]
    state: str
    premium: Money
    insured_value: Money
    reviewed_at: datetime


class QuoteDeclined(QuoteEvent, frozen=True, kw_only=True):
    """A person has refused the goods: nothing of the parcel is insured."""

    cause: str
    declined_at: datetime


class QuoteInvalidated(QuoteEvent, frozen=True, kw_only=True):
    """The papers did not come in time: the quote has ended, and so has a policy that bound it."""

    cause: str
    invalidated_at: datetime


class VerificationAssigned(QuoteEvent, frozen=True, kw_only=True):
    """`assigned_to` None: given back to the queue."""

    assigned_to: str | None


class VerificationResumed(QuoteEvent, frozen=True, kw_only=True):
    """The papers suffice after all: it is with the staff again, who have until `due_at`."""

    due_at: datetime | None


class VerificationOverdue(QuoteEvent, frozen=True, kw_only=True):
    """The staff have not looked at the papers in time; nothing is approved by that (MP-10)."""

    due_at: datetime
    escalated_at: datetime


class ConsentRecorded(QuoteEvent, frozen=True, kw_only=True):
    consent_id: str
    choice: str
    plan: str
    wording_id: str
    locale: str
    box_state: str
    channel: str
    given_at: datetime


EVENTS = (
    QuoteIssued,
    QuoteBound,
    QuoteDocumentAdded,
    QuoteInfoRequired,
    QuoteReviewed,
    QuoteVerified,
    QuoteDeclined,
    QuoteInvalidated,
    VerificationAssigned,
    VerificationResumed,
    VerificationOverdue,
    ConsentRecorded,
)
