"""What the claims service says. Every event has the policy's id as its key; a claim on no policy
has its own."""

from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

import msgspec

from libs.common.events import Event
from libs.common.money import Money


class ClaimEvent(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "claims"
    source: ClassVar[str] = "/claims"

    claim_id: str
    # Empty for a claim that matches no policy.
    policy_id: str


class Reason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`code` as domain.md 2.4 has it, such as EXCLUDED_CAUSE:riot; a person may override some."""

    code: str
    is_discretionary: bool = False


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step of the payout's arithmetic, exact and in the plan's currency."""

    label: str
    after: Decimal
    before: Decimal | None = None
    limit: Decimal | None = None


class ClaimNotified(ClaimEvent, frozen=True, kw_only=True):
    """A first notice: what the carrier said, or its silence, suggests a claim. It waits for the
    claimant, whose filing takes it over.

    `seen_at` is when the carrier said it, or said anything last; `eligible_on` the day from which
    it can be decided, where that is to come; `closes_at` the first instant too late to file.
    """

    peril: str
    cause: str
    seen_at: datetime
    notified_at: datetime
    eligible_on: date | None = None
    closes_at: datetime | None = None
    missing: tuple[str, ...] = ()


class ClaimNoticeClosed(ClaimEvent, frozen=True, kw_only=True):
    """A first notice that nobody took up is over. `reason` is that of a denial, or PARCEL_FOUND."""

    peril: str
    cause: str
    reason: str
    closed_at: datetime


class ClaimFiled(ClaimEvent, frozen=True, kw_only=True):
    peril: str
    notified_at: datetime
    filed_at: datetime
    filed_by: str
    evidence_ids: tuple[str, ...] = ()


class ClaimDecided(ClaimEvent, frozen=True, kw_only=True):
    """The engine's or a person's decision; the latest one stands.

    `is_settled` False: it is a proposal that waits for a person.
    """

    decision_id: str
    peril: str
    outcome: str
    is_settled: bool
    payout: Money
    instrument: str
    reasons: tuple[Reason, ...] = ()
    caps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    rule_ids: tuple[str, ...] = ()
    eligible_on: date | None = None
    plan: str = ""
    plan_version: int = 0
    decided_by: str = "engine"
    decided_at: datetime


class EvidenceAdded(ClaimEvent, frozen=True, kw_only=True):
    evidence_id: str
    kind: str
    sha256: str


class PayoutSent(ClaimEvent, frozen=True, kw_only=True):
    """An instruction to pay: the tenant's payment system answers with a settlement."""

    payout_id: str
    amount: Money
    instrument: str
    sent_at: datetime


class PayoutSettled(ClaimEvent, frozen=True, kw_only=True):
    """The payment system's answer: CONFIRMED or FAILED."""

    payout_id: str
    amount: Money
    state: str
    settled_at: datetime


class AdvancePaid(ClaimEvent, frozen=True, kw_only=True):
    """The provider paid ahead of the insurer."""

    payout_id: str
    amount: Money
    paid_at: datetime


class RecoveryRecorded(ClaimEvent, frozen=True, kw_only=True):
    """Money for this loss from elsewhere: `paid_by` is carrier or insurer."""

    recovery_id: str
    paid_by: str
    amount: Money
    recorded_at: datetime


EVENTS = (
    ClaimNotified,
    ClaimNoticeClosed,
    ClaimFiled,
    ClaimDecided,
    EvidenceAdded,
    PayoutSent,
    PayoutSettled,
    AdvancePaid,
    RecoveryRecorded,
)
