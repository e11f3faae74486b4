"""First notices: what a parcel's way suggests before anybody claims (domain.md 2.4).

A notice waits for the claimant and decides nothing. Whether it may be, and when silence is long
enough for one, is asked of the steps that decide a claim: there is no second set of rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from libs.common.plans.codes import Outcome
from libs.common.plans.facts import Facts, facts_of
from libs.common.plans.values import Peril, Plan
from services.claims.domain import timing
from services.claims.domain.cases import (
    IN_FORCE,
    Case,
    Claim,
    Cover,
    EarlierClaim,
    Statement,
    Tracking,
)
from services.claims.domain.eligibility import Eligibility, eligibility_of
from services.claims.domain.facts_of_claim import facts

LOSS: Final = "LOSS"
SILENCE: Final = "silence"
# The claimant told it, and has not filed yet.
TOLD: Final = "told"
# Why a notice is over where the plan has nothing against it: the parcel was heard of again.
FOUND: Final = "PARCEL_FOUND"

# Cause and peril of each scan that suggests one (carriers.md 3.1); of two the earlier scan counts.
_SCANS: Final = (
    ("lost", LOSS),
    ("destroyed", LOSS),
    ("damaged", "DAMAGE"),
    ("seized", "SEIZURE"),
    ("returned", "RETURN"),
)
# It lies with its recipient's post office or with customs: somebody knows where it is.
_HELD: Final = frozenset({"available_for_pickup", "customs_hold"})
# What a clock of silence runs from; one that runs from a report waits for the claimant (MP-33).
_OF_THE_WAY: Final = frozenset({"accepted_at", "dispatched_at", "last_update_at"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What first notices of a policy rest on, but the time.

    `waiting` are its notices by peril; `claimed` the perils that somebody has claimed already.
    """

    cover: Cover
    waiting: Mapping[str, Claim] = field(default_factory=dict)
    claimed: frozenset[str] = frozenset()
    earlier: tuple[EarlierClaim, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What suggests a claim: a scan, or silence. `seen_at`: when it was said, or anything last."""

    peril: str
    cause: str
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstNotice:
    """A claim that is suggested, with what the claimant has to know of it.

    `eligible_on` is the day from which it can be decided, where that is still to come;
    `closes_at` the first instant that is too late to file, where filing has a deadline that runs.
    """

    sign: Sign
    eligible_on: date | None
    closes_at: datetime | None
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What becomes of a policy's first notices now.

    `closed` says by peril why a notice is over: a reason code of domain.md 2.4, or PARCEL_FOUND.
    `silent_at` is when the loss opens if nothing more is heard; None where silence opens nothing.
    """

    notices: tuple[FirstNotice, ...] = ()
    closed: Mapping[str, str] = field(default_factory=dict)
    silent_at: datetime | None = None


NOTHING: Final = Outlook()


def look(plan: Plan, watched: Watched, now: datetime) -> Outlook:
    """First notices as the parcel's way suggests them now; the same again suggests nothing new."""
    if watched.cover.state not in IN_FORCE and not watched.waiting:
        return NOTHING
    signs = _scanned(watched.cover.tracking)
    silent_at = None if LOSS in signs else _silent_at(plan, watched, now)
    if silent_at is not None and silent_at <= now:
        signs[LOSS] = Sign(
            peril=LOSS, cause=SILENCE, seen_at=_last_heard(watched.cover.tracking)
        )
        silent_at = None
    notices = (
        _notice(plan, watched, sign, now)
        for peril, sign in signs.items()
        if peril not in watched.claimed and peril not in watched.waiting
    )
    closed = {
        peril: why
        for peril in watched.waiting
        if (why := _why_over(plan, watched, peril, signs.get(peril), now))
    }
    return Outlook(
        notices=tuple(notice for notice in notices if notice is not None),
        closed=closed,
        silent_at=silent_at,
    )


def _scanned(tracking: Tracking) -> dict[str, Sign]:
    """By peril, what the carrier said; the first where several say one."""
    signs: dict[str, Sign] = {}
    for cause, peril in _SCANS:
        seen_at: datetime | None = getattr(tracking, f"{cause}_at")
        if seen_at is None or (peril in signs and signs[peril].seen_at <= seen_at):
            continue
        signs[peril] = Sign(peril=peril, cause=cause, seen_at=seen_at)
    return signs


def _silent_at(plan: Plan, watched: Watched, now: datetime) -> datetime | None:
    """When the loss opens, or opened, by silence alone."""
    peril, tracking = plan.perils.get(LOSS), watched.cover.tracking
    if peril is None or not _opens_by_silence(peril) or not _is_on_its_way(tracking):
        return None
    if LOSS in watched.claimed or tracking.status in _HELD:
        return None
    answer = eligibility_of(plan, peril, _asked(plan, watched, LOSS, None, now))
    return None if _denial(answer) else answer.opens_at


def _opens_by_silence(peril: Peril) -> bool:
    elapsed = () if peril.proof is None else peril.proof.elapsed
    clocks = {wait.fact for wait in peril.waits} | {one.since for one in elapsed}
    return bool(clocks) and clocks <= _OF_THE_WAY


def _is_on_its_way(tracking: Tracking) -> bool:
    """Not heard of as arrived or gone."""
    ends = (
        tracking.delivered_at,
        tracking.returned_at,
        tracking.destroyed_at,
        tracking.seized_at,
    )
    return not any(ends)


def _last_heard(tracking: Tracking) -> datetime:
    known = (tracking.accepted_at, tracking.dispatched_at, tracking.last_update_at)
    return max(at for at in known if at is not None)


def _notice(plan: Plan, watched: Watched, sign: Sign, now: datetime) -> FirstNotice | None:
    """None where the plan does not cover it, or would deny it whatever the claimant says."""
    peril = plan.perils.get(sign.peril)
    if peril is None:
        return None
    known = _asked(plan, watched, sign.peril, sign, now)
    answer = eligibility_of(plan, peril, known)
    return None if _denial(answer) else _first_notice(sign, peril, known, answer, now)


def told(plan: Plan, watched: Watched, peril: str, now: datetime) -> FirstNotice:
    """The claimant's first contact, whatever the plan would say: it is theirs to file or not."""
    sign = Sign(peril=peril, cause=TOLD, seen_at=now)
    terms = plan.perils.get(peril)
    if terms is None:
        return FirstNotice(sign=sign, eligible_on=None, closes_at=None, missing=())
    known = _asked(plan, watched, peril, None, now)
    return _first_notice(sign, terms, known, eligibility_of(plan, terms, known), now)


def _first_notice(
    sign: Sign, peril: Peril, known: Facts, answer: Eligibility, now: datetime
) -> FirstNotice:
    is_early = answer.opens_at is not None and answer.opens_at > now
    return FirstNotice(
        sign=sign,
        eligible_on=answer.earliest if is_early else None,
        closes_at=_filing_closes_at(peril, known),
        missing=tuple(str(gap) for gap in answer.missing),
    )


def _why_over(
    plan: Plan, watched: Watched, peril: str, sign: Sign | None, now: datetime
) -> str | None:
    """Why the notice that waits is over; None while it stands."""
    answer = eligibility_of(plan, plan.perils[peril], _asked(plan, watched, peril, sign, now))
    return _denial(answer) or (FOUND if sign is None else None)


def _asked(plan: Plan, watched: Watched, peril: str, sign: Sign | None, now: datetime) -> Facts:
    """The facts of a claim made now, on the first contact of the notice that waits.

    What only the claimant can say is taken to be said in their favour: a note on the delivery
    receipt. What a scan says has happened by then, and in transit at the latest.
    """
    said = Statement(
        peril=peril,
        event_at=_happened_at(watched.cover.tracking, sign),
        exception_noted=True,
    )
    notice = watched.waiting.get(peril)
    claim = Claim(
        claim_id="",
        statement=said,
        notified_at=now if notice is None else notice.notified_at,
        filed_at=now,
    )
    case = Case(cover=watched.cover, claim=claim, earlier=watched.earlier)
    return facts_of(plan, facts(case, now))


def _happened_at(tracking: Tracking, sign: Sign | None) -> datetime | None:
    if sign is None or sign.cause == SILENCE:
        return None
    delivered_at = tracking.delivered_at
    return sign.seen_at if delivered_at is None else min(sign.seen_at, delivered_at)


def _denial(answer: Eligibility) -> str | None:
    return next((str(r) for r in answer.reasons if r.outcome is Outcome.DENIED), None)


def _filing_closes_at(peril: Peril, known: Facts) -> datetime | None:
    """The notice is the first contact: only deadlines of the filing itself still run."""
    ends = (timing.closes_on(one, known) for one in peril.deadlines if one.act == "filed_at")
    return min((end[1] for end in ends if end is not None), default=None)
