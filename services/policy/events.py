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
    last_update_at: datetime | None = None
    delivered_at: datetime | None = None
    returned_at: datetime | None = None
    loss_confirmed_at: datetime | None = None


class TestClockMoved(Event, frozen=True, kw_only=True):
    """A sandbox tenant's business time; its key is the tenant."""

    topic: ClassVar[str] = "policies"
    source: ClassVar[str] = "/policy"
    is_kept: ClassVar[bool] = False

    clock_id: str
    now: datetime


EVENTS = (
    PolicyIssued,
    TopUpRequested,
    PolicyPaid,
    PolicyLapsed,
    PolicyActivated,
    PolicyCancelled,
    TrackingUpdated,
    TestClockMoved,
)
