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

    `is_settled` False: it is a proposal that waits for a person. `appeal_until`: the last local day
    to appeal to `appeal_body`, where the plan has it and the decision stands.
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
    # Codes that made the engine hand an approval to a person; they deny nothing.
    signals: tuple[str, ...] = ()
    # A person has proposed it, and another has to agree.
    awaits_approval: bool = False
    appeal_until: date | None = None
    appeal_body: str = ""


class EvidenceAdded(ClaimEvent, frozen=True, kw_only=True):
    evidence_id: str
    kind: str
    sha256: str


class EvidenceRequested(ClaimEvent, frozen=True, kw_only=True):
    """What the claimant is asked for, all at once. `missing` as in ClaimDecided: `a|b+c`.

    `info_until` is the last local day to answer, `grace_until` the last one for papers that may
    follow, `may_follow` of what is missing; `asked_by` is the engine or a person, who may say more
    in `message`.
    """

    request_id: str
    missing: tuple[str, ...]
    asked_by: str
    asked_at: datetime
    info_until: date | None = None
    grace_until: date | None = None
    message: str = ""
    may_follow: tuple[str, ...] = ()


class EvidenceReminded(ClaimEvent, frozen=True, kw_only=True):
    """The last days of an unanswered request have come."""

    request_id: str
    missing: tuple[str, ...]
    until: date


class ClaimWithdrawn(ClaimEvent, frozen=True, kw_only=True):
    """`replaced_by` is the claim of another peril that took its place (JS-12)."""

    peril: str
    withdrawn_at: datetime
    replaced_by: str = ""


class ApprovalRequested(ClaimEvent, frozen=True, kw_only=True):
    """A second person has to agree: `about` a decision, a payout or an appeal, by its id."""

    about: str
    subject_id: str
    why: str
    asked_by: str
    asked_at: datetime


class ApprovalAnswered(ClaimEvent, frozen=True, kw_only=True):
    about: str
    subject_id: str
    is_granted: bool
    answered_by: str
    answered_at: datetime


class ClaimOverdue(ClaimEvent, frozen=True, kw_only=True):
    """A promised day has passed, for staff: `level` TARGET or BREACH of a `clock`.

    DECIDE, PAY, ADVANCE, CARRIER_REPLY or APPEAL_DECIDE; `category` is the plan's for DECIDE.
    """

    clock: str
    level: str
    due_on: date
    category: str = ""
    is_priority: bool = False


class ClaimAppealed(ClaimEvent, frozen=True, kw_only=True):
    """`body` decides it, by `decide_by`: the last local day."""

    appeal_id: str
    tier: int
    body: str
    filed_at: datetime
    decide_by: date | None = None


class AppealDecided(ClaimEvent, frozen=True, kw_only=True):
    """UPHELD: the decision stands; VARIED: `decision_id` is a new one, `payout` what it pays in all.

    The next tier may be filed until `file_by`, to `next_body`, unless it `is_final`.
    """

    appeal_id: str
    tier: int
    result: str
    payout: Money
    is_final: bool
    decided_by: str
    decided_at: datetime
    decision_id: str = ""
    file_by: date | None = None
    next_body: str = ""


class ClaimClosed(ClaimEvent, frozen=True, kw_only=True):
    """Nothing more can come of it: no appeal is possible, and its money is settled."""

    outcome: str
    paid: Money
    closed_at: datetime


class VoucherIssued(ClaimEvent, frozen=True, kw_only=True):
    """For one second shipment (CS-29); `expires_on` is its last local day, `code` what the customer
    shows."""

    voucher_id: str
    amount: Money
    issued_at: datetime
    expires_on: date | None = None
    code: str = ""


class VoucherUsed(ClaimEvent, frozen=True, kw_only=True):
    """`second_fee` = `covered` + `customer_pays`; what was left of the voucher `lapsed`."""

    voucher_id: str
    second_fee: Money
    covered: Money
    customer_pays: Money
    lapsed: Money
    used_at: datetime


class VoucherLapsed(ClaimEvent, frozen=True, kw_only=True):
    voucher_id: str
    amount: Money
    lapsed_at: datetime


class RepaymentDue(ClaimEvent, frozen=True, kw_only=True):
    """The customer owes money back. `why`: CARRIER_PAID_LATE, PARCEL_FOUND, FRAUD or PAID_TWICE."""

    repayment_id: str
    why: str
    amount: Money
    due_at: datetime


class PayoutSent(ClaimEvent, frozen=True, kw_only=True):
    """An instruction to pay: the tenant's payment system answers with a settlement.

    `attempt` counts the sendings of this payout: one that failed goes out again. Vouchers are issued
    instead, see VoucherIssued.
    `kind` ADVANCE: ahead of the insurer, so AdvancePaid follows.
    """

    payout_id: str
    amount: Money
    instrument: str
    sent_at: datetime
    attempt: int = 1
    kind: str = "PAYOUT"


class PayoutSettled(ClaimEvent, frozen=True, kw_only=True):
    """The payment system's answer to an attempt, CONFIRMED or FAILED; a voucher's issue is CONFIRMED."""

    payout_id: str
    amount: Money
    state: str
    settled_at: datetime
    attempt: int = 1


class AdvancePaid(ClaimEvent, frozen=True, kw_only=True):
    """The provider paid ahead of the insurer."""

    payout_id: str
    amount: Money
    paid_at: datetime


class RecoveryRecorded(ClaimEvent, frozen=True, kw_only=True):
    """Money for this loss from elsewhere: `paid_by` is carrier or insurer; or back from the customer."""

    recovery_id: str
    paid_by: str
    amount: Money
    recorded_at: datetime


EVENTS = (
    ClaimNotified,
    ClaimNoticeClosed,
    ClaimFiled,
    ClaimDecided,
    ClaimWithdrawn,
    ClaimAppealed,
    AppealDecided,
    ClaimOverdue,
    ClaimClosed,
    EvidenceAdded,
    EvidenceRequested,
    EvidenceReminded,
    ApprovalRequested,
    ApprovalAnswered,
    VoucherIssued,
    VoucherUsed,
    VoucherLapsed,
    RepaymentDue,
    PayoutSent,
    PayoutSettled,
    AdvancePaid,
    RecoveryRecorded,
)
