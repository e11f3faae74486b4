"""What a customer is told of a claim, and of which decisions about it: facts, no words."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from libs.common.errors import Invalid
from libs.common.money import Money, money
from libs.common.plans.codes import Outcome

# They ask something of the claimant or name a day, so they are told before anybody settles them.
_QUESTIONS = frozenset({Outcome.INFO_REQUIRED, Outcome.DEFERRED})


class UnknownOutcome(Invalid):
    code = "unknown-outcome"
    title = "The decision's outcome is not one that is known here"


SILENCE = "silence"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimEligible:
    """A first notice after what the carrier said: `seen_at` is when. It waits for the customer.

    `eligible_on`: the day from which it can be decided, where that is to come; `closes_at`: the
    first instant too late to file, where there is one.
    """

    template: ClassVar[str] = "claim.eligible"

    peril: str
    cause: str
    seen_at: datetime
    notified_at: datetime
    eligible_on: date | None = None
    closes_at: datetime | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelInterrupted(ClaimEligible):
    """The same after the carrier's silence: `seen_at` is when it last said anything."""

    template: ClassVar[str] = "parcel.interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeClosed:
    """A first notice is over: `reason` is why a claim would be denied, or PARCEL_FOUND."""

    template: ClassVar[str] = "claim.notice_closed"

    peril: str
    reason: str
    closed_at: datetime


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


def is_told(outcome: str, *, is_settled: bool) -> bool:
    """Whether the customer hears of a decision: never of a proposal that waits for a person."""
    try:
        known = Outcome(outcome)
    except ValueError:
        raise UnknownOutcome(f"{outcome!r} is none of {', '.join(Outcome)}.") from None
    return known in _QUESTIONS or (is_settled and known is not Outcome.REFERRED)
