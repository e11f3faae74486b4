"""May a claim be made now, and with what: asked of the same steps that decide it, before filing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from libs.common.plans.codes import Outcome
from libs.common.plans.facts import Facts, facts_of
from libs.common.plans.values import Peril, Plan
from services.claims.domain import evidence, timing
from services.claims.domain.adjudication import formal_reasons, peril_reasons, state_reasons
from services.claims.domain.decision import Gap, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """One peril, seen from now.

    `earliest` and `latest` are local days, `opens_at` and `closes_at` their instants (`closes_at`
    is the first that is too late); None where nothing bounds it, or the time it runs from has not
    come. `reasons` say why it is closed, or what would hold it.
    """

    peril: str
    is_covered: bool
    is_open: bool
    reasons: tuple[Reason, ...]
    earliest: date | None = None
    opens_at: datetime | None = None
    awaits: str = ""
    latest: date | None = None
    closes_at: datetime | None = None
    # Labels such as `police_report|outer_packaging_photos+weight_photo`; those in grace included.
    required: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    missing: tuple[Gap, ...] = ()
    supporting: tuple[str, ...] = ()
    instrument: str = "cash"


def eligibility(plan: Plan, facts: Mapping[str, object]) -> tuple[Eligibility, ...]:
    """Each peril of the plan, as if the claim were made at `as_of`."""
    return tuple(eligibility_of(plan, peril, facts) for peril in plan.perils.values())


def eligibility_of(plan: Plan, peril: Peril, facts: Mapping[str, object]) -> Eligibility:
    """One peril of the plan, as `eligibility` sees it."""
    if not peril.enabled:
        closed = tuple(peril_reasons(plan, peril.peril))
        return Eligibility(peril=peril.peril, is_covered=False, is_open=False, reasons=closed)
    case = _as_if_made_now(plan, peril, facts)
    have = evidence.on_file(peril, case)
    opening = timing.opening(peril, case, have)
    reasons = [*state_reasons(case, peril.peril), *formal_reasons(peril, case)]
    reasons += timing.opening_reasons(opening)
    blocking = (Outcome.DENIED, Outcome.DEFERRED)
    earliest = opening.eligible_on or timing.earliest(peril, case)
    ends = [end for one in peril.deadlines if (end := timing.closes_on(one, case)) is not None]
    latest, closes_at = min(ends, key=lambda end: end[1], default=(None, None))
    return Eligibility(
        peril=peril.peril,
        is_covered=True,
        is_open=not any(reason.outcome in blocking for reason in reasons),
        reasons=tuple(reasons),
        earliest=earliest,
        opens_at=timing.resume_at(earliest, case),
        awaits=opening.awaits,
        latest=latest,
        closes_at=closes_at,
        required=evidence.required_kinds(peril, case),
        present=tuple(sorted(have)),
        missing=evidence.gaps(peril, case, needs_proof=opening.needs_proof),
        supporting=tuple(kind for kind in peril.evidence.supporting if kind not in have),
        instrument=peril.instrument,
    )


def _as_if_made_now(plan: Plan, peril: Peril, facts: Mapping[str, object]) -> Facts:
    case = facts_of(plan, facts)
    if not case.knows_now:
        return facts_of(plan, facts, peril=peril.peril)
    now: Mapping[str, object] = {
        act: case.as_of for act in ("notified_at", "filed_at") if case.time(act) is None
    }
    return facts_of(plan, facts, peril=peril.peril, **now)
