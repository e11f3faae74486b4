"""What a claimant is asked for: once, with all that is missing, by the engine or by a person."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from libs.common.errors import Conflict, Fault, Invalid
from libs.common.plans.clocks import due_on, first_late_instant, last_in_time, local_day
from libs.common.plans.codes import Outcome
from libs.common.plans.values import Plan
from services.claims.domain.decision import Decision

# The claimant is reminded so long before the window closes, if it is open for longer than that.
REMIND_DAYS: Final = 2
MAX_REPLIES: Final = 20
ENGINE: Final = "engine"

# States in which a person has the claim before them, and may ask for more.
ASKED_IN = frozenset({"REFERRED", "ON_HOLD"})


class RequestOpen(Conflict):
    code = "request-open"
    title = "The claimant is asked already"


class ClaimNotBeforeStaff(Conflict):
    code = "claim-not-before-staff"
    title = "The claim does not wait for staff"


class NothingAsked(Conflict):
    code = "nothing-asked"
    title = "The claimant was asked nothing"


class TooManyReplies(Conflict):
    code = "too-many-replies"
    title = "The request has as many replies as it may have"


class NothingSaid(Invalid):
    code = "nothing-said"
    title = "The answer is empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationRequest:
    """A request for papers. `missing` as in a decision: `a|b+c`.

    `outstanding` are kinds that a person asked for beyond the plan and that have not come:
    as long as there are any, and the window is open, the claim waits for its claimant.
    """

    request_id: str
    missing: tuple[str, ...]
    asked_by: str
    asked_at: datetime
    outstanding: tuple[str, ...] = ()
    message: str = ""
    replies: tuple[str, ...] = ()
    info_until: date | None = None
    grace_until: date | None = None
    # The first instant at which the window that closes first is over.
    lapses_at: datetime | None = None
    reminded_at: datetime | None = None
    answered_at: datetime | None = None
    lapsed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.answered_at is None and self.lapsed_at is None

    def has_lapsed(self, now: datetime) -> bool:
        return self.lapses_at is not None and now >= self.lapses_at

    def holds(self, now: datetime) -> bool:
        """Whether a person waits for it, so that no engine's answer stands before it comes."""
        return self.is_open and bool(self.outstanding) and not self.has_lapsed(now)


def must_say(evidence_ids: tuple[str, ...], unavailable: tuple[str, ...], message: str) -> None:
    """NothingSaid for an answer without papers, without kinds that can't be had, and without words."""
    if not (evidence_ids or unavailable or message):
        detail = "Name evidence_ids, or unavailable_evidence, or write a message."
        raise NothingSaid(detail, faults=[Fault(detail, "#/evidence_ids")])


def must_be_askable(claim_id: str, state: str, request: InformationRequest | None) -> None:
    """RequestOpen while an answer is waited for; ClaimNotBeforeStaff where nobody has the claim."""
    if request is not None:
        raise RequestOpen(
            f"Claim {claim_id} waits for {', '.join(request.missing)} since "
            f"{request.asked_at.isoformat()}."
        )
    if state not in ASKED_IN:
        raise ClaimNotBeforeStaff(
            f"Claim {claim_id} is {state}; more is asked for while it is REFERRED or ON_HOLD."
        )


def asked_by_engine(decision: Decision, request_id: str, now: datetime) -> InformationRequest:
    """All that the decision misses, at once (G-12)."""
    asked = InformationRequest(request_id=request_id, missing=(), asked_by=ENGINE, asked_at=now)
    return _as_decided(asked, decision)


def asked_by_person(
    plan: Plan, kinds: Iterable[str], message: str, request_id: str, by: str, now: datetime
) -> InformationRequest:
    """What a person wants beyond the plan, to be answered in the plan's own window (MP-11)."""
    wanted, window = tuple(dict.fromkeys(kinds)), plan.info
    return InformationRequest(
        request_id=request_id,
        missing=wanted,
        outstanding=wanted,
        message=message,
        asked_by=by,
        asked_at=now,
        info_until=None if window is None else due_on(now, window, plan.zone, plan.calendar),
        lapses_at=None
        if window is None
        else first_late_instant(now, window, plan.zone, plan.calendar),
    )


def answered(
    request: InformationRequest, kinds: Iterable[str], reply: str
) -> InformationRequest:
    """With papers that came or never can, and what the claimant says to it. TooManyReplies."""
    if reply and len(request.replies) >= MAX_REPLIES:
        raise TooManyReplies(f"Request {request.request_id} has {MAX_REPLIES} replies.")
    come = frozenset(kinds)
    return replace(
        request,
        outstanding=tuple(kind for kind in request.outstanding if kind not in come),
        replies=(*request.replies, reply) if reply else request.replies,
    )


def moved_on(
    request: InformationRequest, decision: Decision, now: datetime, *, is_settled: bool
) -> InformationRequest:
    """The open request after a decision: changed in its window, answered, or lapsed.

    A settled decision ends it, whatever has come; so does all that was asked for.
    """
    asks = decision.outcome is Outcome.INFO_REQUIRED
    if not is_settled and request.holds(now):
        gaps = tuple(str(gap) for gap in decision.missing) if asks else ()
        return replace(request, missing=tuple(dict.fromkeys((*gaps, *request.outstanding))))
    # A person's own has no more to wait for; what the plan misses, the engine asks for.
    if asks and request.asked_by == ENGINE:
        return _as_decided(request, decision)
    if request.has_lapsed(now):
        return replace(request, lapsed_at=now)
    return replace(request, answered_at=now)


def remind_at(request: InformationRequest, decision: Decision) -> datetime | None:
    """When the claimant is reminded of it, once; None where they can bring nothing, or at once."""
    is_theirs = bool(request.outstanding) or any(
        not gap.awaits_provider for gap in decision.missing
    )
    if not request.is_open or request.reminded_at or request.lapses_at is None:
        return None
    at = request.lapses_at - timedelta(days=REMIND_DAYS)
    return at if is_theirs and at > request.asked_at else None


def last_day(request: InformationRequest, plan: Plan) -> date | None:
    """The last local day of the window that closes first."""
    if request.lapses_at is None:
        return None
    return local_day(last_in_time(request.lapses_at), plan.zone)


def _as_decided(request: InformationRequest, decision: Decision) -> InformationRequest:
    return replace(
        request,
        missing=tuple(str(gap) for gap in decision.missing),
        info_until=decision.info_until,
        grace_until=decision.grace_until,
        lapses_at=decision.lapses_at,
    )
