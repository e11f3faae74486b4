"""A notice that is owed, and what becomes of it."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Literal

from services.notifier.domain.notices.claims import (
    AppealAnswered,
    AppealReceived,
    ClaimAnswered,
    ClaimEligible,
    ClaimInReview,
    ClaimLate,
    ClaimReceived,
    ClaimTakenBack,
    ClaimTold,
    NoticeClosed,
    PapersStillWanted,
    PapersWanted,
    ParcelInterrupted,
)
from services.notifier.domain.notices.money import (
    AdvanceArrived,
    MoneyNotSent,
    MoneySent,
    RepaymentAsked,
    VoucherGiven,
    VoucherOver,
)
from services.notifier.domain.notices.policies import (
    CoverBegan,
    CoverCancelled,
    CoverInvalidated,
    CoverVoided,
    PapersAsked,
    PremiumTakenBack,
    RefundPromised,
    TopUpAsked,
    TopUpLapsed,
    TopUpStillDue,
)
from services.notifier.domain.notices.staff import ApprovalWanted, PromiseBroken, StaffLetter

State = Literal["PENDING", "SENT", "SKIPPED", "FAILED"]

MAIL = "mail"
CUSTOMER, STAFF = "customer", "staff"

# Why nobody could be told: the cause of a SKIPPED notification.
NO_POLICY = "NO_POLICY"
UNKNOWN_POLICY = "UNKNOWN_POLICY"
NO_ADDRESS = "NO_ADDRESS"
BAD_ADDRESS = "BAD_ADDRESS"

Letter = (
    PapersAsked
    | TopUpAsked
    | TopUpStillDue
    | TopUpLapsed
    | CoverBegan
    | CoverCancelled
    | CoverInvalidated
    | CoverVoided
    | RefundPromised
    | PremiumTakenBack
    | ClaimEligible
    | ClaimTold
    | ParcelInterrupted
    | NoticeClosed
    | ClaimReceived
    | ClaimInReview
    | PapersWanted
    | PapersStillWanted
    | ClaimAnswered
    | ClaimTakenBack
    | ClaimLate
    | AppealReceived
    | AppealAnswered
    | MoneySent
    | MoneyNotSent
    | AdvanceArrived
    | VoucherGiven
    | VoucherOver
    | RepaymentAsked
    | StaffLetter
)
LETTERS: tuple[type[Letter], ...] = (
    PapersAsked,
    TopUpAsked,
    TopUpStillDue,
    TopUpLapsed,
    CoverBegan,
    CoverCancelled,
    CoverInvalidated,
    CoverVoided,
    RefundPromised,
    PremiumTakenBack,
    ClaimEligible,
    ClaimTold,
    ParcelInterrupted,
    NoticeClosed,
    ClaimReceived,
    ClaimInReview,
    PapersWanted,
    PapersStillWanted,
    ClaimAnswered,
    ClaimTakenBack,
    ClaimLate,
    AppealReceived,
    AppealAnswered,
    MoneySent,
    MoneyNotSent,
    AdvanceArrived,
    VoucherGiven,
    VoucherOver,
    RepaymentAsked,
    PromiseBroken,
    ApprovalWanted,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to be told to its recipient once an `occasion`: the id of what happened."""

    tenant_id: str
    event_id: str
    occasion: str
    caused_at: datetime
    letter: Letter
    policy_id: str | None
    claim_id: str | None = None

    @property
    def recipient(self) -> str:
        """Who reads it: the letter's kind says."""
        return STAFF if isinstance(self.letter, StaffLetter) else CUSTOMER


def occasion_at(thing_id: str, at: datetime) -> str:
    """The occasion of what comes about more than once for a thing, each time at an instant."""
    return f"{thing_id}@{at.astimezone(UTC).isoformat()}"


def occasion_on(thing_id: str, day: date) -> str:
    """The occasion of what comes about more than once for a thing, each time on a day."""
    return f"{thing_id}@{day.isoformat()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A notice that is owed. `address` is where it went; `cause` why it did not, or not yet."""

    notification_id: str
    notice: Notice
    channel: str = MAIL
    state: State = "PENDING"
    attempts: int = 0
    cause: str | None = None
    sent_at: datetime | None = None
    address: str | None = None

    @property
    def recipient(self) -> str:
        return self.notice.recipient

    @property
    def key(self) -> str:
        """What orders its events: the policy's id, or the claim's where there is no policy."""
        return self.notice.policy_id or self.notice.claim_id or self.notification_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The channel took it."""

    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """There is nobody to tell; trying again would not change that."""

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The channel will never take it."""

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delayed:
    """Something needed is away; later may do."""

    cause: str


Attempt = Delivered | Unreachable | Refused | Delayed


def settle(
    notification: Notification, attempt: Attempt, *, most_attempts: int, now: datetime
) -> Notification:
    """The notification after an attempt: given up at a refusal, or when `most_attempts` failed."""
    tried = replace(notification, attempts=notification.attempts + 1)
    match attempt:
        case Delivered(address=address):
            return replace(tried, state="SENT", sent_at=now, address=address, cause=None)
        case Unreachable(cause=cause):
            return replace(tried, state="SKIPPED", cause=cause)
        case Refused(cause=cause):
            return replace(tried, state="FAILED", cause=cause)
        case Delayed(cause=cause):
            is_over = tried.attempts >= most_attempts
            return replace(tried, state="FAILED" if is_over else "PENDING", cause=cause)
