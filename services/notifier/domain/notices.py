"""What a customer is told of which event, and what becomes of a notification that is owed.

    event -> Notice (owed once an occasion) -> attempts -> SENT, SKIPPED or FAILED

Letters hold facts only; the words for them are in `words` and the templates.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Literal

from libs.common.errors import Invalid
from libs.common.money import Money, money
from libs.common.plans.codes import Outcome

State = Literal["PENDING", "SENT", "SKIPPED", "FAILED"]

MAIL = "mail"
CUSTOMER = "customer"

# Why nobody could be told: the cause of a SKIPPED notification.
NO_POLICY = "NO_POLICY"
UNKNOWN_POLICY = "UNKNOWN_POLICY"
NO_ADDRESS = "NO_ADDRESS"
BAD_ADDRESS = "BAD_ADDRESS"

_IN_FORCE = "ACTIVE"
# They ask something of the claimant or name a day, so they are told before anybody settles them.
_QUESTIONS = frozenset({Outcome.INFO_REQUIRED, Outcome.DEFERRED})


class UnknownOutcome(Invalid):
    code = "unknown-outcome"
    title = "The decision's outcome is not one that is known here"


# --- letters ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverBegan:
    template: ClassVar[str] = "policy.active"

    insured_value: Money
    premium: Money
    cover_start: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverCancelled:
    template: ClassVar[str] = "policy.cancelled"

    reason: str
    refund: Money
    cancelled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimReceived:
    template: ClassVar[str] = "claim.received"

    peril: str
    filed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A step of the payout's arithmetic, exact: `before` became `after`; the first has no before."""

    label: str
    after: Decimal
    before: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A line as it is told: what the amount was after it."""

    label: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAnswered:
    """`missing`: kinds of evidence, as `a|b+c` where a, or b and c together, will do."""

    template: ClassVar[str] = "claim.decided"

    peril: str
    outcome: str
    payout: Money
    instrument: str
    reasons: tuple[str, ...] = ()
    caps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    eligible_on: date | None = None

    @property
    def shown(self) -> str:
        """The outcome as it is shown: an approval with any cap is PARTIAL (domain.md 2.4)."""
        is_capped = any(code.startswith("CAP_") for code in (*self.caps, *self.notes))
        is_partial = self.outcome == Outcome.APPROVED and is_capped
        return "PARTIAL" if is_partial else self.outcome

    @property
    def steps(self) -> list[Step]:
        """The lines that explain the outcome: what is paid, or why nothing is left to pay.

        A cap that did not bind, or a rounding that nobody can see, is no step.
        """
        explains = self.outcome == Outcome.APPROVED or "NO_RESIDUAL_LOSS" in self.reasons[:1]
        return [step for line in self.lines if (step := self._step(line))] if explains else []

    def _step(self, line: Line) -> Step | None:
        amount = money(line.after, self.payout.currency)
        if line.before is not None and money(line.before, self.payout.currency) == amount:
            return None
        return Step(label=line.label, amount=amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneySent:
    template: ClassVar[str] = "payout.sent"

    amount: Money
    instrument: str
    sent_at: datetime


Letter = CoverBegan | CoverCancelled | ClaimReceived | ClaimAnswered | MoneySent
LETTERS: tuple[type[Letter], ...] = (
    CoverBegan,
    CoverCancelled,
    ClaimReceived,
    ClaimAnswered,
    MoneySent,
)


# --- what is told ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The notifier's own copy of a policy; `plan_sha256` pins the plan that it keeps for life."""

    tenant_id: str
    policy_id: str
    plan_sha256: str
    insured_value: Money
    premium: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to be told to the customer once an `occasion`: the id of what happened."""

    tenant_id: str
    event_id: str
    occasion: str
    caused_at: datetime
    letter: Letter
    policy_id: str | None
    claim_id: str | None = None


def is_in_force(state: str) -> bool:
    """Whether a policy that was just paid is covered already; else its activation tells it."""
    return state == _IN_FORCE


def cover_began(cover: Cover, cover_start: datetime) -> CoverBegan:
    return CoverBegan(
        insured_value=cover.insured_value, premium=cover.premium, cover_start=cover_start
    )


def is_told(outcome: str, *, is_settled: bool) -> bool:
    """Whether the customer hears of a decision: never of a proposal that waits for a person."""
    try:
        known = Outcome(outcome)
    except ValueError:
        raise UnknownOutcome(f"{outcome!r} is none of {', '.join(Outcome)}.") from None
    return known in _QUESTIONS or (is_settled and known is not Outcome.REFERRED)


# --- what becomes of it ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A notice that is owed. `address` is where it went; `cause` why it did not, or not yet."""

    notification_id: str
    notice: Notice
    channel: str = MAIL
    recipient: str = CUSTOMER
    state: State = "PENDING"
    attempts: int = 0
    cause: str | None = None
    sent_at: datetime | None = None
    address: str | None = None

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
