"""A claim decided from its plan and its facts: twelve steps, the first failure is the answer.

The steps and their order are those of domain.md 2.5. All are taken whatever comes of the first,
so that a claimant hears every reason at once and a person who overrides one sees the others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from libs.common.money import zero
from libs.common.plans.codes import GOODS_PERILS, Outcome
from libs.common.plans.facts import Facts, accepted_of_claimed, cover_start, facts_of
from libs.common.plans.values import Check, Peril, Plan
from services.claims.domain import evidence, timing
from services.claims.domain.assessment import assess
from services.claims.domain.decision import Assessment, Decision, Gap, Reason
from services.claims.domain.timing import Opening

STATE, PERIL, COVER, SCOPE, COUNT, CAUSES, GATES, HOLDS, PAYOUT = 1, 2, 3, 4, 5, 7, 8, 9, 12

# Claims are decided against the state at the event (2.7); the states not listed are in force.
_STATE_REASONS: Mapping[str, str] = {
    "NONE": "NOT_INSURED",
    "PENDING": "NOT_IN_FORCE",
    "SCHEDULED": "BEFORE_COVER_START",
    "INVALID": "POLICY_INVALID",
    "VOID": "POLICY_VOID",
    "CANCELLED": "POLICY_CANCELLED",
    "LAPSED": "POLICY_CANCELLED",
    "EXPIRED": "AFTER_COVER_END",
}

# Overriding the code sets this flag aside too: the plan reckons goods that were not marked at 0
# wherever the flag holds, and an override that left the amount at 0 would give nothing (CS-34).
_ASIDE: Mapping[str, str] = {"BIY_NOT_MARKED": "biy_misdeclared"}


def adjudicate(
    plan: Plan,
    peril: str,
    facts: Mapping[str, object],
    overridden: frozenset[str] = frozenset(),
) -> Decision:
    """What the plan says to this claim; the same facts always get the same decision.

    The discretionary reasons and notes whose codes people have `overridden` count as if they were
    not there, and are kept apart (G-13). BadFact where a fact is not one (see
    libs.common.plans.facts); every business outcome, denials included, is a Decision.
    """
    decision, codes = _adjudicate(plan, peril, facts, frozenset()), frozenset[str]()
    aside: tuple[Reason, ...] = ()
    # What is set aside may bring to light what it stood before, such as an approval's notes.
    while more := [r for r in decision.discretionary if r.code in overridden - codes]:
        aside = (*aside, *more)
        codes |= {reason.code for reason in more}
        decision = _adjudicate(plan, peril, facts, codes)
    return replace(decision, overridden=aside) if aside else decision


def _adjudicate(
    plan: Plan, peril: str, facts: Mapping[str, object], aside: frozenset[str]
) -> Decision:
    case = facts_of(plan, facts, peril=peril, **flags_aside(aside))
    terms = plan.perils.get(peril)
    reasons = list(state_reasons(case, peril))
    uncovered = list(peril_reasons(plan, peril))
    if uncovered or terms is None:
        return _unassessed(case, peril, reasons + uncovered)
    if reasons and reasons[0].code == "NOT_INSURED":
        return _unassessed(case, peril, reasons)
    return _decide(case, terms, reasons, aside)


def flags_aside(codes: Iterable[str]) -> dict[str, bool]:
    """The facts that are set aside together with these codes."""
    return {_ASIDE[code]: False for code in codes if code in _ASIDE}


def state_reasons(facts: Facts, peril: str) -> Iterator[Reason]:
    """Step 1: what the state of the policy at the event says."""
    state = facts.code("policy_state")
    if state == "EXHAUSTED" and peril in GOODS_PERILS:
        yield _denied("COVER_EXHAUSTED", STATE, facts.plan.claim_rule_rules)
    code = _STATE_REASONS.get(state)
    if code is not None:
        yield _denied(code, STATE, _state_rules(facts.plan, state))


def formal_reasons(peril: Peril, facts: Facts) -> Iterator[Reason]:
    """Steps 3 to 9: what stands against the claim before its time and its papers are looked at."""
    for step in FORMAL_STEPS.values():
        yield from step(peril, facts)


def peril_reasons(plan: Plan, peril: str) -> Iterator[Reason]:
    """Step 2: whether the plan pays for this at all."""
    terms = plan.perils.get(peril)
    if terms is None or not terms.enabled:
        rules = plan.perils_rules if terms is None else terms.rules
        yield _denied("PERIL_NOT_COVERED", PERIL, rules)


def opening_of(peril: Peril, facts: Facts) -> Opening:
    """Step 10: whether it is too early, by proof and waits."""
    return timing.opening(peril, facts, evidence.on_file(peril, facts))


def evidence_reasons(
    peril: Peril, facts: Facts, missing: tuple[Gap, ...]
) -> Iterator[Reason | None]:
    """Step 11. None asks for the evidence: it decides only if nothing before it does."""
    if missing:
        yield from evidence.judge(missing, peril, facts)
    yield from evidence.video_faults(peril, facts)
    yield from _checks(peril.refers, facts, evidence.EVIDENCE, Outcome.REFERRED)


def payout_reasons(peril: Peril, assessment: Assessment) -> Iterator[Reason]:
    """Step 12: nothing is left to pay."""
    if assessment.amount.amount_minor == 0:
        yield _denied("NO_RESIDUAL_LOSS", PAYOUT, peril.payout_rules)


def _decide(
    facts: Facts, peril: Peril, reasons: list[Reason], aside: frozenset[str]
) -> Decision:
    reasons.extend(_standing(formal_reasons(peril, facts), aside))
    opening = opening_of(peril, facts)
    reasons.extend(timing.opening_reasons(opening))
    missing = evidence.gaps(peril, facts, needs_proof=opening.needs_proof)
    verdicts = list(evidence_reasons(peril, facts, missing))
    asks = None in verdicts and not reasons
    reasons.extend(_standing((one for one in verdicts if one is not None), aside))
    assessment = assess(peril, facts)
    reasons.extend(payout_reasons(peril, assessment))
    outcome = outcome_of(reasons, asks=asks)
    is_approved = outcome is Outcome.APPROVED
    notes = tuple(_standing(_notes(peril, facts), aside)) if is_approved else ()
    return _decision(facts, peril, outcome, reasons, notes, opening, missing, assessment)


def _standing(reasons: Iterable[Reason], aside: frozenset[str]) -> Iterator[Reason]:
    """What is not set aside; a reason that nobody may override always stands."""
    return (r for r in reasons if not (r.is_discretionary and r.code in aside))


def outcome_of(reasons: Sequence[Reason], *, asks: bool) -> Outcome:
    """The first reason's; where evidence is asked for and nothing else stands before it, that."""
    if asks:
        return Outcome.INFO_REQUIRED
    return reasons[0].outcome if reasons else Outcome.APPROVED


def _decision(
    facts: Facts,
    peril: Peril,
    outcome: Outcome,
    reasons: list[Reason],
    notes: tuple[Reason, ...],
    opening: Opening,
    missing: tuple[Gap, ...],
    assessment: Assessment,
) -> Decision:
    plan, is_approved = facts.plan, outcome is Outcome.APPROVED
    is_deferred = outcome is Outcome.DEFERRED
    # What was looked at and found to be nothing was capped too; other denials owe no arithmetic.
    is_reckoned = is_approved or (bool(reasons) and reasons[0].step == PAYOUT)
    shown = () if outcome is Outcome.DENIED else missing
    asked = _windows(facts, peril, missing) if outcome is Outcome.INFO_REQUIRED else _NO_WINDOWS
    have = facts.codes("evidence")
    return Decision(
        plan=plan.plan,
        version=plan.version,
        sha256=plan.sha256,
        peril=peril.peril,
        outcome=outcome,
        reasons=tuple(reasons),
        payout=assessment.amount if is_approved else zero(plan.currency),
        assessment=assessment,
        caps=assessment.caps if is_reckoned else (),
        notes=notes,
        instrument=peril.instrument,
        eligible_on=opening.eligible_on if is_deferred else None,
        resume_at=timing.resume_at(opening.eligible_on, facts) if is_deferred else None,
        awaits=opening.awaits if is_deferred else "",
        missing=shown,
        info_until=asked[0],
        grace_until=asked[1],
        lapses_at=asked[2],
        supporting=tuple(kind for kind in peril.evidence.supporting if kind not in have),
        rule_ids=_rule_ids(outcome, reasons, peril),
    )


_Windows = tuple[date | None, date | None, datetime | None]
_NO_WINDOWS: _Windows = (None, None, None)


def _windows(facts: Facts, peril: Peril, missing: tuple[Gap, ...]) -> _Windows:
    """Until when the claimant may answer, until when papers may follow, and when either ends."""
    info, grace = evidence.info_window(facts), evidence.grace_window(peril, facts)
    asks_info = info.is_open and any(not gap.in_grace for gap in missing)
    asks_grace = grace.is_open and any(gap.in_grace for gap in missing)
    ends = [
        window.lapses_at
        for window, asks in ((info, asks_info), (grace, asks_grace))
        if asks and window.lapses_at is not None
    ]
    return (
        info.until if asks_info else None,
        grace.until if asks_grace else None,
        min(ends, default=None),
    )


def _state_rules(plan: Plan, state: str) -> tuple[str, ...]:
    if state == "NONE":
        return ("G-14",)
    return plan.cover.void_rules if state == "VOID" else plan.cover.rules


def _cover(_: Peril, facts: Facts) -> Iterator[Reason]:
    """The instants of start and end are both inside the cover."""
    event_at, cover = facts.time("event_at"), facts.plan.cover
    if event_at is None:
        return
    start = cover_start(facts.plan, facts)
    if start is not None and event_at < start:
        yield _denied("BEFORE_COVER_START", COVER, cover.rules)
    end = facts.time(cover.end) if cover.end else None
    if end is not None and event_at > end:
        yield _denied("AFTER_COVER_END", COVER, cover.rules)


def _scope(peril: Peril, facts: Facts) -> Iterator[Reason]:
    if peril.lines_excluded and not peril.lines_excluded.isdisjoint(facts.codes("line_tags")):
        yield _denied("LINE_EXCLUDED", SCOPE, peril.lines_rules)
    claims_items = bool(facts["items"]) and bool(
        facts["claimed_items"] or facts["whole_parcel"]
    )
    if claims_items and not accepted_of_claimed(facts):
        yield _denied("GOODS_EXCLUDED", SCOPE, facts.plan.goods.rules)


def _count(peril: Peril, facts: Facts) -> Iterator[Reason]:
    plan = facts.plan
    earlier = [claim for claim in facts.prior_claims if claim.counts]
    code = ""
    if plan.claim_rule == "per_item":
        code = "DUPLICATE_CLAIM" if _claims_paid_item(peril, facts) else ""
    elif earlier:
        is_other = earlier[0].peril != peril.peril
        one_peril = plan.claim_rule == "one_peril_per_parcel"
        code = "OTHER_PERIL_CLAIMED" if one_peril and is_other else "DUPLICATE_CLAIM"
    if code:
        yield _denied(code, COUNT, plan.claim_rule_rules)
    uses = sum(1 for claim in earlier if claim.peril == peril.peril)
    if peril.max_uses is not None and uses >= peril.max_uses:
        yield _denied("BENEFIT_USED", COUNT, peril.uses_rules)


def _claims_paid_item(peril: Peril, facts: Facts) -> bool:
    """An item is paid once; a delay or a return pays for no item."""
    paid = facts.codes("items_paid")
    return peril.peril in GOODS_PERILS and any(
        item in paid for item in facts.codes("claimed_items")
    )


def _causes(_: Peril, facts: Facts) -> Iterator[Reason]:
    plan, causes = facts.plan, facts.codes("causes")
    reported = (*causes, "fraud") if facts["fraud"] and "fraud" not in causes else causes
    for cause in reported:
        if cause in plan.excluded_causes:
            rules = plan.exclusion_rules if cause in plan.exclusions else _included(plan, cause)
            yield _denied("EXCLUDED_CAUSE", CAUSES, rules, detail=cause)


def _included(plan: Plan, cause: str) -> tuple[str, ...]:
    """Fraud needs no clause (G-15); the rest is part of an excluded force majeure."""
    return ("G-15",) if cause == "fraud" else plan.exclusion_rules


def _checks(
    checks: tuple[Check, ...], facts: Facts, step: int, outcome: Outcome
) -> Iterator[Reason]:
    for check in checks:
        if check.when.evaluate(facts):
            yield Reason(
                code=check.code,
                step=step,
                outcome=outcome,
                is_discretionary=check.is_discretionary,
                rule_ids=check.rules,
            )


def _gates(peril: Peril, facts: Facts) -> Iterator[Reason]:
    yield from _checks(peril.gates, facts, GATES, Outcome.DENIED)


def _holds(peril: Peril, facts: Facts) -> Iterator[Reason]:
    yield from _checks(peril.holds, facts, HOLDS, Outcome.ON_HOLD)


def _notes(peril: Peril, facts: Facts) -> Iterator[Reason]:
    yield from _checks(peril.notes, facts, PAYOUT, Outcome.APPROVED)


def _rule_ids(outcome: Outcome, reasons: list[Reason], peril: Peril) -> tuple[str, ...]:
    """The rules of an approval are all of its peril; else those of the reasons given."""
    if outcome is Outcome.APPROVED:
        return peril.all_rules
    asked = ("G-12", *peril.evidence.rules) if outcome is Outcome.INFO_REQUIRED else ()
    ids = (*asked, *(rule for reason in reasons for rule in reason.rule_ids))
    return tuple(dict.fromkeys(ids))


def _unassessed(facts: Facts, peril: str, reasons: list[Reason]) -> Decision:
    plan = facts.plan
    return Decision(
        plan=plan.plan,
        version=plan.version,
        sha256=plan.sha256,
        peril=peril,
        outcome=Outcome.DENIED,
        reasons=tuple(reasons),
        payout=zero(plan.currency),
        assessment=None,
        rule_ids=tuple(dict.fromkeys(rule for one in reasons for rule in one.rule_ids)),
    )


def _denied(code: str, step: int, rules: tuple[str, ...] = (), *, detail: str = "") -> Reason:
    return Reason(code=code, detail=detail, step=step, outcome=Outcome.DENIED, rule_ids=rules)


# Each with what it asks, in their order; the trace takes them one by one.
FORMAL_STEPS: Mapping[int, Callable[[Peril, Facts], Iterator[Reason]]] = {
    COVER: _cover,
    SCOPE: _scope,
    COUNT: _count,
    timing.DEADLINES: timing.late,
    CAUSES: _causes,
    GATES: _gates,
    HOLDS: _holds,
}
