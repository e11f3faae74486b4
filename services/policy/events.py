"""What the policy service says. Every event of a policy has the policy's id as its key."""

from datetime import datetime
from typing import ClassVar

from libs.common.events import Event
from libs.common.money import Money
from services.policy.domain.policies import PlanPin, Terms


class PolicyEvent(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "policies"
    source: ClassVar[str] = "/policy"

    policy_id: str


class PolicyIssued(PolicyEvent, frozen=True, kw_only=True):
    """A quote was bound; the premium is not complete yet.

    `confirmed_at` None: the amount waits for the quote's verification.
    """

    quote_id: str
    plan: PlanPin
    terms: Terms
    state: str
    confirmed_at: datetime | None = None
    # Where the parcel was named already.
    carrier: str = ""
    tracking_number: str = ""


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


class TopUpRequested(PolicyEvent, frozen=True, kw_only=True):
    """The amount is confirmed and more than the deposit: the rest is due before `lapses_at`."""

    premium: Money
    due: Money
    confirmed_at: datetime
    lapses_at: datetime | None = None


class PolicyLapsed(PolicyEvent, frozen=True, kw_only=True):
    """The top-up did not come in time; what was paid goes back."""

    state: str
    refund: Money
    lapsed_at: datetime


class TopUpWarned(PolicyEvent, frozen=True, kw_only=True):
    """24 hours are left for the top-up."""

    due: Money
    lapses_at: datetime


class DocumentsRequested(PolicyEvent, frozen=True, kw_only=True):
    """The proof of purchase does not show these fields; they are due before `lapses_at`."""

    missing: tuple[str, ...]
    lapses_at: datetime | None = None


class PolicyInvalidated(PolicyEvent, frozen=True, kw_only=True):
    """Its quote came to nothing before the premium was complete; what was paid goes back."""

    cause: str
    refund: Money
    invalidated_at: datetime


class PolicyVoided(PolicyEvent, frozen=True, kw_only=True):
    """What happened made it void; nothing goes back."""

    cause: str
    voided_at: datetime


class PaymentReceived(PolicyEvent, frozen=True, kw_only=True):
    """`applied` of it counts towards the premium; `returned` goes back, `standing` says why."""

    payment_id: str
    reference: str
    channel: str
    amount: Money
    applied: Money
    returned: Money
    standing: str
    premium_due: Money
    paid_at: datetime


class RefundRequested(PolicyEvent, frozen=True, kw_only=True):
    """This is owed back to the payer: whoever moves money is to send it."""

    refund_id: str
    amount: Money
    reason: str
    requested_at: datetime


class RefundSettled(PolicyEvent, frozen=True, kw_only=True):
    """`amount` of the refund has left, or (`state` FAILED) could not; DUE: some of it is still owed."""

    refund_id: str
    state: str
    amount: Money
    settled_at: datetime


class PremiumReversed(PolicyEvent, frozen=True, kw_only=True):
    """The payer was given premium back elsewhere. `state` PENDING: not in force until paid again."""

    state: str
    amount: Money
    premium_paid: Money
    premium_due: Money
    reason: str
    reversed_at: datetime


class PaymentDisputed(PolicyEvent, frozen=True, kw_only=True):
    """A payer disputes a payment (OPEN), or that was decided (WON: the money is ours; LOST)."""

    payment_id: str
    dispute_id: str
    amount: Money
    state: str
    changed_at: datetime


class ContactChanged(PolicyEvent, frozen=True, kw_only=True):
    """The customer is told things elsewhere from now on; where is asked of the policy service."""


class AddressChanged(PolicyEvent, frozen=True, kw_only=True):
    """The parcel goes to another address of the same country, which its plan allows."""

    changed_at: datetime


class PolicyActivated(PolicyEvent, frozen=True, kw_only=True):
    """Cover began. `state` is RUN_OFF where the parcel had been delivered already."""

    cover_start: datetime
    state: str = "ACTIVE"


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
    # The ship-out as it was reported by hand; the one above is the first movement where that is earlier.
    reported_dispatched_at: datetime | None = None
    last_update_at: datetime | None = None
    delivered_at: datetime | None = None
    returned_at: datetime | None = None
    loss_confirmed_at: datetime | None = None
    lost_at: datetime | None = None
    damaged_at: datetime | None = None
    destroyed_at: datetime | None = None
    seized_at: datetime | None = None


class BatchFinished(Event, frozen=True, kw_only=True):
    """All rows of a file are answered (DONE), or the rest of them never will be (CANCELLED)."""

    topic: ClassVar[str] = "policies"
    source: ClassVar[str] = "/policy"

    batch_id: str
    state: str
    rows: int
    booked: int
    repeated: int
    refused: int
    finished_at: datetime


class TestClockMoved(Event, frozen=True, kw_only=True):
    """A sandbox tenant's business time; its key is the tenant."""

    topic: ClassVar[str] = "policies"
    source: ClassVar[str] = "/policy"
    is_kept: ClassVar[bool] = False

    clock_id: str
    now: datetime


EVENTS = (
    PolicyIssued,
    DocumentsRequested,
    TopUpRequested,
    TopUpWarned,
    PaymentReceived,
    PolicyPaid,
    PolicyLapsed,
    PolicyInvalidated,
    PolicyActivated,
    PolicyCancelled,
    PolicyVoided,
    RefundRequested,
    RefundSettled,
    PremiumReversed,
    PaymentDisputed,
    ContactChanged,
    AddressChanged,
    TrackingUpdated,
    BatchFinished,
    TestClockMoved,
)
