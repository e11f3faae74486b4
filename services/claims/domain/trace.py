"""How a decision came about: each of its twelve steps, what it read, and what it said to that.

The claim is decided once more from the facts it was decided on, step by step, by the very
functions that decide claims (`adjudication`); what each of them reads is noted. There is no
second set of rules, and nothing is written.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from libs.common.plans.codes import Outcome
from libs.common.plans.facts import Facts
from libs.common.plans.registry import FAR
from libs.common.plans.terms import NO_LIMIT
from libs.common.plans.values import Peril, Plan, Rules
from libs.common.plans.wire import to_wire
from services.claims.domain import adjudication, evidence, timing
from services.claims.domain.adjudication import FORMAL_STEPS
from services.claims.domain.assessment import assess
from services.claims.domain.decision import Line, Reason

# domain.md 2.5, evaluation order of a claim.
NAMES: Final[Mapping[int, str]] = {
    adjudication.STATE: "policy state",
    adjudication.PERIL: "peril enabled",
    adjudication.COVER: "cover period",
    adjudication.SCOPE: "line and goods excluded",
    adjudication.COUNT: "earlier claims and uses",
    timing.DEADLINES: "deadlines",
    adjudication.CAUSES: "excluded causes",
    adjudication.GATES: "gates",
    adjudication.HOLDS: "holds",
    timing.TIMING: "proof and waits",
    evidence.EVIDENCE: "evidence",
    adjudication.PAYOUT: "payout",
}


class Result(StrEnum):
    """What a step came to. NOT_ASKED: the answer stood before anything could be asked of it."""

    PASSED = "PASSED"
    DECISIVE = "DECISIVE"
    SECONDARY = "SECONDARY"
    NOT_ASKED = "NOT_ASKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `rule_ids` are those of the clauses it asked, fired or not.

    `inputs` are the facts it read, as they are stored: None is unset. `missing` are the papers
    still to come; `lines` the arithmetic; `overridden` what it said that people set aside (G-13).
    """

    number: int
    result: Result
    reasons: tuple[Reason, ...] = ()
    overridden: tuple[Reason, ...] = ()
    rule_ids: Rules = ()
    inputs: Mapping[str, object] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def name(self) -> str:
        return NAMES[self.number]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    outcome: Outcome
    steps: tuple[Step, ...]

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All of them, the decisive one first: those of the decision."""
        return tuple(reason for step in self.steps for reason in step.reasons)


class Recorder(Facts):
    """Facts that note what is read of them."""

    __slots__ = ("read",)

    def __init__(self, plan: Plan, given: Mapping[str, object], **more: object) -> None:
        self.read: dict[str, Any] = {}
        super().__init__(plan, given, **more)
        self.read.clear()

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        self.read[name] = value
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What one step said, before it is known which of them decides."""

    number: int
    reasons: tuple[Reason, ...]
    rule_ids: Rules
    read: Mapping[str, Any]
    asks: bool = False
    missing: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    overridden: tuple[Reason, ...] = ()


def trace(
    plan: Plan,
    peril: str,
    facts: Mapping[str, object],
    overridden: frozenset[str] = frozenset(),
) -> Trace:
    """The steps of `adjudicate` on the same, with the same outcome and the same reasons."""
    aside = adjudication.adjudicate(plan, peril, facts, overridden).overridden
    flags = adjudication.flags_aside(reason.code for reason in aside)
    said = [_without(one, aside) for one in _said(plan, peril, {**facts, **flags})]
    reasons = [reason for one in said for reason in one.reasons]
    before = [r for one in said if one.number < evidence.EVIDENCE for r in one.reasons]
    asks = any(one.asks for one in said) and not before
    decides = evidence.EVIDENCE if asks else (reasons[0].step if reasons else 0)
    asked = {one.number: _step(one, decides) for one in said}
    return Trace(
        outcome=adjudication.outcome_of(reasons, asks=asks),
        steps=tuple(
            asked.get(number, Step(number=number, result=Result.NOT_ASKED)) for number in NAMES
        ),
    )


def _without(said: _Said, aside: tuple[Reason, ...]) -> _Said:
    """What people set aside is still told, and counts no more."""
    codes = frozenset(reason.code for reason in aside)
    return replace(
        said,
        reasons=tuple(r for r in said.reasons if not (r.is_discretionary and r.code in codes)),
        overridden=tuple(reason for reason in aside if reason.step == said.number),
    )


def _said(plan: Plan, peril: str, facts: Mapping[str, object]) -> Iterator[_Said]:
    """Step by step, each on facts of its own, so that what it reads is all its own."""
    state = Recorder(plan, facts, peril=peril)
    of_state = tuple(adjudication.state_reasons(state, peril))
    rules = tuple(rule for reason in of_state for rule in reason.rule_ids) or plan.cover.rules
    yield _Said(number=adjudication.STATE, reasons=of_state, rule_ids=rules, read=state.read)
    terms, uncovered = plan.perils.get(peril), tuple(adjudication.peril_reasons(plan, peril))
    rules = plan.perils_rules if terms is None else terms.rules
    yield _Said(
        number=adjudication.PERIL, reasons=uncovered, rule_ids=rules, read={"peril": peril}
    )
    is_uninsured = bool(of_state) and of_state[0].code == "NOT_INSURED"
    if terms is None or uncovered or is_uninsured:
        return
    for number, asks in FORMAL_STEPS.items():
        case = Recorder(plan, facts, peril=peril)
        reasons = tuple(asks(terms, case))
        yield _Said(
            number=number, reasons=reasons, rule_ids=_rules(plan, terms, number), read=case.read
        )
    yield from _last_three(plan, terms, facts)


def _last_three(plan: Plan, terms: Peril, facts: Mapping[str, object]) -> Iterator[_Said]:
    case = Recorder(plan, facts, peril=terms.peril)
    opening = adjudication.opening_of(terms, case)
    yield _Said(
        number=timing.TIMING,
        reasons=tuple(timing.opening_reasons(opening)),
        rule_ids=_rules(plan, terms, timing.TIMING),
        read=case.read,
    )
    case = Recorder(plan, facts, peril=terms.peril)
    missing = evidence.gaps(terms, case, needs_proof=opening.needs_proof)
    verdicts = tuple(adjudication.evidence_reasons(terms, case, missing))
    yield _Said(
        number=evidence.EVIDENCE,
        reasons=tuple(reason for reason in verdicts if reason is not None),
        rule_ids=_rules(plan, terms, evidence.EVIDENCE),
        read=case.read,
        asks=None in verdicts,
        missing=tuple(str(gap) for gap in missing),
    )
    case = Recorder(plan, facts, peril=terms.peril)
    assessment = assess(terms, case)
    yield _Said(
        number=adjudication.PAYOUT,
        reasons=tuple(adjudication.payout_reasons(terms, assessment)),
        rule_ids=_rules(plan, terms, adjudication.PAYOUT),
        read=case.read,
        lines=assessment.lines,
    )


def _step(said: _Said, decides: int) -> Step:
    result = Result.PASSED
    if said.reasons or said.asks:
        result = Result.DECISIVE if said.number == decides else Result.SECONDARY
    return Step(
        number=said.number,
        result=result,
        reasons=said.reasons,
        overridden=said.overridden,
        rule_ids=tuple(dict.fromkeys(said.rule_ids)),
        inputs={name: _shown(name, value) for name, value in said.read.items()},
        missing=said.missing,
        lines=said.lines,
    )


def _rules(plan: Plan, peril: Peril, number: int) -> Rules:
    """The rules of the clauses that this step asks."""
    return tuple(_ASKED[number](plan, peril))


def _all(clauses: Iterable[Any]) -> Iterator[str]:
    return (rule for clause in clauses if clause is not None for rule in clause.rules)


_ASKED: Final[Mapping[int, Any]] = {
    adjudication.COVER: lambda plan, _: plan.cover.rules,
    adjudication.SCOPE: lambda plan, peril: (*peril.lines_rules, *plan.goods.rules),
    adjudication.COUNT: lambda plan, peril: (*plan.claim_rule_rules, *peril.uses_rules),
    timing.DEADLINES: lambda _, peril: _all(peril.deadlines),
    adjudication.CAUSES: lambda plan, _: plan.exclusion_rules,
    adjudication.GATES: lambda _, peril: _all(peril.gates),
    adjudication.HOLDS: lambda _, peril: _all(peril.holds),
    timing.TIMING: lambda _, peril: _all((peril.proof, *peril.waits)),
    evidence.EVIDENCE: lambda _, peril: (
        *_all((peril.evidence, peril.evidence.grace)),
        *peril.video_rules,
        *_all(peril.refers),
    ),
    adjudication.PAYOUT: lambda _, peril: (*peril.payout_rules, *_all(peril.caps)),
}


def _shown(name: str, value: object) -> object:
    """As it is stored; None for what is unset, and for what has no limit."""
    if value is FAR or value == NO_LIMIT:
        return None
    return to_wire({name: value}).get(name)
