"""The plans' expressions from the same facts: ours, CEL and zen; and whole decisions a second.

A case is a worked example of a claim: its facts, and the gates, the payout and the caps of its
peril. Each engine starts from a plain mapping of the facts those read and ends with their values.
The other two get numbers as floats, made beforehand; ours reckons in decimals. `CHECKED` is ours
from facts that are taken in first, each checked for its kind: as it is when a claim is decided.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from deploy.plans_check import Plans, read_examples
from libs.common.plans.expressions import Expression
from libs.common.plans.facts import Facts
from libs.common.plans.reading import load
from libs.common.plans.terms import NO_LIMIT
from libs.common.plans.values import Peril, Plan
from libs.common.plans.wire import from_wire
from libs.common.settings import PROGRAMMES
from services.claims.domain import adjudicate
from tests.bench import sampling
from tests.bench.orders import Order
from tests.bench.rounds import OURS, Round
from tests.bench.translate import CEL, ZEN, translated

EXAMPLES = Path(__file__).parents[1] / "plans" / "examples"
CEL_RUST, ZEN_ENGINE = "CEL (Rust)", "zen-engine"
CHECKED, DECISIONS = "ours, checked", "decisions"
# Stands for "no limit": the others know no infinite number.
_NO_LIMIT = 1e15

Values = Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One example: its claim's facts as given, and those that the expressions read."""

    plan: Plan
    peril: str
    given: Mapping[str, object]
    facts: Mapping[str, Any]
    expressions: tuple[Expression[Any], ...]

    @property
    def plain(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in self.facts.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """`ready(case)` prepares what is compiled once; what it returns is what is measured."""

    name: str
    ready: Callable[[Case], Callable[[], Values]]


async def rounds(order: Order) -> AsyncIterator[Round]:
    """Expressions a second of each engine in turn, and decisions a second; `count` is of cases."""
    cases = list(every_case())
    engines = [Engine(name=OURS, ready=_ours)]
    if not order.only_ours:
        engines += [*rivals(), Engine(name=CHECKED, ready=_ours_checked)]
    runs = {engine.name: [engine.ready(case) for case in cases] for engine in engines}
    _check(cases, runs)
    expressions = sum(len(case.expressions) for case in cases) / len(cases)
    for _ in range(order.repeats):
        for name, run in runs.items():
            with sampling.watched():
                per_second = _per_second(run, order.count)
            yield Round(variant=name, per_second=per_second * expressions)
        if not order.only_ours:
            decide = [_decision(case) for case in cases]
            yield Round(variant=DECISIONS, per_second=_per_second(decide, order.count // 4))


def every_case() -> Iterator[Case]:
    """The claims among the worked examples whose peril the plan insures."""
    plans = Plans(load(PROGRAMMES))
    for file in sorted(EXAMPLES.glob("*.yaml")):
        for example in read_examples(file):
            plan = plans.plan_of(example)
            peril = plan.perils.get(example.peril)
            if example.ask != "claim" or peril is None or not peril.enabled:
                continue
            given = from_wire(example.given, plan.zone)
            expressions = expressions_of(peril)
            names = sorted(frozenset().union(*(one.names for one in expressions)))
            facts = Facts(plan, given, peril=example.peril)
            yield Case(
                plan=plan,
                peril=example.peril,
                given=given,
                facts={name: facts[name] for name in names},
                expressions=expressions,
            )


def expressions_of(peril: Peril) -> tuple[Expression[Any], ...]:
    payout = () if peril.payout is None else (peril.payout,)
    return (
        *(gate.when for gate in peril.gates),
        *payout,
        *(cap.amount for cap in peril.caps),
    )


# --- the engines ------------------------------------------------------------------------------


class _Read(Facts):
    """Facts as they are read, without the check of what is given."""

    __slots__ = ()

    def __init__(self, plan: Plan, facts: Mapping[str, Any]) -> None:
        dict.__init__(self, facts)
        self.plan = plan


def _ours(case: Case) -> Callable[[], Values]:
    plan, facts = case.plan, dict(case.facts)
    evaluate = [expression.evaluate for expression in case.expressions]

    def run() -> Values:
        read = _Read(plan, facts)
        return [one(read) for one in evaluate]

    return run


def _ours_checked(case: Case) -> Callable[[], Values]:
    plan = case.plan
    # No limit is a limit that is not given.
    facts = {n: v for n, v in case.facts.items() if v != NO_LIMIT}
    evaluate = [expression.evaluate for expression in case.expressions]

    def run() -> Values:
        read = Facts(plan, facts)
        return [one(read) for one in evaluate]

    return run


def rivals() -> list[Engine]:
    """Those that are installed."""
    found = []
    for name, ready in ((CEL_RUST, _cel), (ZEN_ENGINE, _zen)):
        try:
            ready(next(every_case()))
        except ImportError:
            continue
        found.append(Engine(name=name, ready=ready))
    return found


def _cel(case: Case) -> Callable[[], Values]:
    import cel

    program = cel.compile(_list(case, CEL))
    facts = case.plain

    def run() -> Values:
        return program.execute(facts)  # type: ignore[no-any-return]

    return run


def _zen(case: Case) -> Callable[[], Values]:
    import zen

    # Compiled: `evaluate_expression` would parse each time.
    program = zen.compile_expression(_list(case, ZEN))
    facts = case.plain

    def run() -> Values:
        return program.evaluate(facts)  # type: ignore[no-any-return]

    return run


def _list(case: Case, words: Any) -> str:
    return f"[{', '.join(translated(case.plan, one, words) for one in case.expressions)}]"


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value) if value.is_finite() else _NO_LIMIT
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


def _decision(case: Case) -> Callable[[], Values]:
    def run() -> Values:
        return (adjudicate(case.plan, case.peril, case.given),)

    return run


# --- measuring --------------------------------------------------------------------------------


def _per_second(runs: Sequence[Callable[[], Values]], count: int) -> float:
    """Cases a second, all of them in turn so that none stays in the processor's caches."""
    laps = max(1, count // len(runs))
    began = time.perf_counter()
    for _ in range(laps):
        for run in runs:
            run()
    return laps * len(runs) / (time.perf_counter() - began)


def _check(cases: Sequence[Case], runs: Mapping[str, Sequence[Callable[[], Values]]]) -> None:
    """A number is worth nothing unless the engines agree on every value."""
    for name, of_engine in runs.items():
        for case, run, expected in zip(cases, of_engine, runs[OURS], strict=True):
            got, wanted = run(), expected()
            if not all(_is_same(a, b) for a, b in zip(got, wanted, strict=True)):
                raise AssertionError(
                    f"{name} says {got}, not {wanted}: {case.plan.name} {case.peril}"
                )


def _is_same(got: object, wanted: object) -> bool:
    if isinstance(wanted, bool) or isinstance(got, bool):
        return got is wanted
    number, other = _plain(wanted), _plain(got)
    assert isinstance(number, float)
    assert isinstance(other, int | float)
    return abs(other - number) < 1e-6 * max(1.0, abs(number))
