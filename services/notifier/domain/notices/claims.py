"""What a customer is told of a claim, and of which decisions about it: facts, no words."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from libs.common.errors import Invalid
from libs.common.money import Money, money
from libs.common.plans.codes import Outcome

# What asks for papers is told by the request itself, which says until when. One that names a day is
# told before anybody settles it. Neither waits for a person.
_REQUEST, _DATED = Outcome.INFO_REQUIRED, Outcome.DEFERRED

_BREACH = "BREACH"
# Days that a claimant counts on; the others are between us, carriers and insurers.
_CLAIMANTS_CLOCKS = frozenset({"DECIDE", "PAY", "APPEAL_DECIDE"})


class UnknownOutcome(Invalid):
    code = "unknown-outcome"
    title = "The decision's outcome is not one that is known here"


SILENCE = "silence"
TOLD = "told"


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
class ClaimTold(ClaimEligible):
    """The same after the customer's own word: `seen_at` is when they gave it."""

    template: ClassVar[str] = "claim.told"


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
    """`rule_ids` are the programme's clauses it rests on; `appeal_until` the last local day to
    appeal to `appeal_body`, None where that is not known or there is none."""

    template: ClassVar[str] = "claim.decided"

    peril: str
    outcome: str
    payout: Money
    instrument: str
    reasons: tuple[str, ...] = ()
    caps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    rule_ids: tuple[str, ...] = ()
    eligible_on: date | None = None
    appeal_until: date | None = None
    appeal_body: str = ""

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
class ClaimInReview:
    """A person looks at it, or `awaits` says whose answer it waits for: a code of 2.4, or empty."""

    template: ClassVar[str] = "claim.in_review"

    peril: str
    awaits: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PapersWanted:
    """What is missing for a decision (G-12), all at once.

    `missing`: kinds of evidence, as `a|b+c` where a, or b and c together, will do; those of them in
    `may_follow` have until `grace_until`, the others until `info_until`. `message` is a person's.
    """

    template: ClassVar[str] = "claim.info_required"

    missing: tuple[str, ...]
    info_until: date | None = None
    grace_until: date | None = None
    may_follow: tuple[str, ...] = ()
    message: str = ""

    @property
    def at_once(self) -> tuple[str, ...]:
        return tuple(label for label in self.missing if label not in self.later)

    @property
    def later(self) -> tuple[str, ...]:
        """Those that may follow; none where nobody says until when."""
        return self.may_follow if self.grace_until is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PapersStillWanted:
    """The last days to answer have come."""

    template: ClassVar[str] = "claim.deadline_near"

    missing: tuple[str, ...]
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTakenBack:
    """`replaced_by` is the claim of another peril that took its place (JS-12)."""

    template: ClassVar[str] = "claim.withdrawn"

    peril: str
    withdrawn_at: datetime
    replaced_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealReceived:
    template: ClassVar[str] = "appeal.received"

    body: str
    filed_at: datetime
    decide_by: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealAnswered:
    """UPHELD: the decision stands; VARIED: the claim pays `payout` in all, more than before.

    The next one may be filed until `file_by`, to `next_body`, unless it `is_final`.
    """

    template: ClassVar[str] = "appeal.decided"

    result: str
    payout: Money
    is_final: bool
    file_by: date | None = None
    next_body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLate:
    """A day the claimant counted on has passed, and nothing was decided or paid."""

    template: ClassVar[str] = "claim.late_warning"

    clock: str
    due_on: date


def is_told(outcome: str, *, is_settled: bool) -> bool:
    """Whether a decision is a letter: never a proposal that waits for a person."""
    known = _known(outcome)
    if known is _DATED:
        return True
    return is_settled and known not in (_REQUEST, Outcome.REFERRED)


def is_in_review(outcome: str, *, is_settled: bool) -> bool:
    """Whether all there is to tell is that somebody looks at it, not what they were proposed."""
    known = _known(outcome)
    return known not in (_REQUEST, _DATED) and (not is_settled or known is Outcome.REFERRED)


def is_broken(level: str) -> bool:
    """Whether a promise is broken; a TARGET that passed is a matter of diligence, not of promises."""
    return level == _BREACH


def is_counted_on(clock: str) -> bool:
    """Whether the claimant is told when its last day has passed."""
    return clock in _CLAIMANTS_CLOCKS


def _known(outcome: str) -> Outcome:
    try:
        return Outcome(outcome)
    except ValueError:
        raise UnknownOutcome(f"{outcome!r} is none of {', '.join(Outcome)}.") from None
