"""Which evidence is still to come, from whom and until when (step 11 of the evaluation)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from libs.common.errors import Invalid
from libs.common.plans.clocks import Duration, due_on, first_late_instant, is_within
from libs.common.plans.codes import Outcome, Supplier, supplier
from libs.common.plans.facts import Facts
from libs.common.plans.values import Peril, Plan
from services.claims.domain.decision import Gap, Reason

EVIDENCE = 11
VIDEO = "unboxing_video"
# Kinds that are looked at as pictures; a PDF holds pictures too.
PHOTOS = frozenset(
    {"damage_photos", "outer_packaging_photos", "weight_photo", "product_images"}
)


class WrongKindOfFile(Invalid):
    code = "wrong-kind-of-file"
    title = "The file cannot be evidence of this kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How long a gap may stay open: `until` is its last day, `lapses_at` the instant after."""

    is_open: bool
    until: date | None
    lapses_at: datetime | None


def must_fit(kind: str, media_type: str) -> None:
    """A video is a film, and photos are pictures; any other kind may be whatever shows it."""
    is_film = media_type.startswith("video/")
    if kind == VIDEO and not is_film:
        raise WrongKindOfFile(f"An {kind} is a film, not {media_type}: send MP4, MOV or WebM.")
    if kind in PHOTOS and is_film:
        raise WrongKindOfFile(
            f"{kind} are pictures, not {media_type}: send JPEG, PNG, WebP or PDF."
        )


def supplied(plan: Plan, peril: str) -> frozenset[str]:
    """The kinds that the platform attaches itself to a claim of this peril."""
    terms = plan.perils.get(peril)
    return frozenset() if terms is None else terms.evidence.platform_supplies


def on_file(peril: Peril, facts: Facts) -> frozenset[str]:
    """The kinds on file, with what the platform attaches itself."""
    return peril.evidence.platform_supplies.union(facts.codes("evidence"))


def required_kinds(peril: Peril, facts: Facts) -> tuple[str, ...]:
    """What this claim needs, as labels: `a|b+c` for alternatives, those in grace included."""
    terms = peril.evidence
    grace = () if terms.grace is None else terms.grace.kinds
    return (
        *terms.required,
        *([_label(terms.any_of)] if terms.any_of else ()),
        *(one.kind for one in terms.conditional if one.when.evaluate(facts)),
        *grace,
    )


def gaps(peril: Peril, facts: Facts, *, needs_proof: bool) -> tuple[Gap, ...]:
    """All evidence still to come, in the order of the plan: required, any, if, then in grace."""
    terms, have = peril.evidence, on_file(peril, facts)
    wanted: list[Sequence[tuple[str, ...]]] = []
    if needs_proof and peril.proof is not None:
        wanted.append([(kind,) for kind in peril.proof.kinds])
    wanted += [[(kind,)] for kind in terms.required if kind not in have]
    if terms.any_of and not any(have.issuperset(one) for one in terms.any_of):
        wanted.append(terms.any_of)
    wanted += [
        [(one.kind,)]
        for one in terms.conditional
        if one.kind not in have and one.when.evaluate(facts)
    ]
    late = () if terms.grace is None else terms.grace.kinds
    in_grace = [[(kind,)] for kind in late if kind not in have]
    if not wanted and not in_grace:
        return ()
    info, grace = info_window(facts), grace_window(peril, facts)
    return (
        *(_gap(peril, have, sets, info, in_grace=False) for sets in wanted),
        *(_gap(peril, have, sets, grace, in_grace=True) for sets in in_grace),
    )


def info_window(facts: Facts) -> Window:
    """The answer window: it runs from the request, or from now where nothing was asked yet."""
    asked_at = facts.time("info_requested_at")
    if asked_at is None:
        start = facts.as_of if facts.knows_now else None
        return _window(start, facts.plan.info, facts, was_asked=False)
    return _window(asked_at, facts.plan.info, facts)


def grace_window(peril: Peril, facts: Facts) -> Window:
    grace = peril.evidence.grace
    if grace is None:
        return Window(is_open=True, until=None, lapses_at=None)
    return _window(facts.time(grace.since), grace.clock.length(facts), facts)


def judge(missing: tuple[Gap, ...], peril: Peril, facts: Facts) -> Iterator[Reason | None]:
    """What the gaps lead to: reasons to deny or refer, or None, which asks for them.

    A gap of the claimant's whose window is over, or that they say can never be filled, denies. A
    gap of the provider's never does: the claim waits with the carrier. As long as any gap is
    inside its window the claimant is asked for all of them.
    """
    unavailable = frozenset(facts.codes("evidence_unavailable"))
    lost = [gap for gap in missing if not gap.awaits_provider and _is_lost(gap, unavailable)]
    for gap in lost:
        yield Reason(
            code="EVIDENCE_NOT_PROVIDED",
            detail=gap.label,
            step=EVIDENCE,
            outcome=Outcome.DENIED,
            rule_ids=_rules(peril, gap),
        )
    if lost or not missing:
        return
    if any(gap.is_open for gap in missing):
        yield None
    else:
        yield Reason(
            code="AWAITING_CARRIER",
            step=EVIDENCE,
            outcome=Outcome.REFERRED,
            rule_ids=tuple(
                dict.fromkeys(rule for gap in missing for rule in _rules(peril, gap))
            ),
        )


def video_faults(peril: Peril, facts: Facts) -> Iterator[Reason]:
    """Elements the unboxing video on file does not show: it cannot be made again (BM-18)."""
    if not peril.video or VIDEO not in facts.codes("evidence"):
        return
    shown = facts.codes("video_elements")
    for element in peril.video:
        if element not in shown:
            yield Reason(
                code="VIDEO_ELEMENT_MISSING",
                detail=element,
                step=EVIDENCE,
                outcome=Outcome.DENIED,
                rule_ids=peril.video_rules,
            )


def _gap(
    peril: Peril,
    have: frozenset[str],
    sets: Sequence[tuple[str, ...]],
    window: Window,
    *,
    in_grace: bool,
) -> Gap:
    still = [tuple(kind for kind in one if kind not in have) for one in sets]
    return Gap(
        label=_label(still),
        kinds=tuple(dict.fromkeys(kind for one in still for kind in one)),
        alternatives=tuple(still),
        awaits_provider=any(_is_providers(one, peril) for one in still),
        in_grace=in_grace,
        until=window.until,
        is_open=window.is_open,
    )


def _rules(peril: Peril, gap: Gap) -> tuple[str, ...]:
    terms = peril.evidence
    return terms.grace.rules if gap.in_grace and terms.grace is not None else terms.rules


def _is_providers(kinds: tuple[str, ...], peril: Peril) -> bool:
    supplies = peril.evidence.platform_supplies
    return all(supplier(kind, supplies) is not Supplier.CLAIMANT for kind in kinds)


def _is_lost(gap: Gap, unavailable: frozenset[str]) -> bool:
    if not gap.is_open:
        return True
    return bool(unavailable) and all(
        not unavailable.isdisjoint(one) for one in gap.alternatives
    )


def _label(sets: Sequence[tuple[str, ...]]) -> str:
    return "|".join("+".join(one) for one in sets)


def _window(
    start: datetime | None, length: Duration | None, facts: Facts, *, was_asked: bool = True
) -> Window:
    if start is None or length is None:
        return Window(is_open=True, until=None, lapses_at=None)
    zone, calendar = facts.plan.zone, facts.plan.calendar
    return Window(
        is_open=not was_asked or is_within(start, facts.as_of, length, zone, calendar),
        until=due_on(start, length, zone, calendar),
        lapses_at=first_late_instant(start, length, zone, calendar),
    )
