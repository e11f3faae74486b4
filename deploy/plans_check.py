"""Worked examples run against the plans: what a plan author asks before publishing.

An example names a plan, an operation (`ask`), facts (`given`) and results (`expect`); all three
domains answer. Exit codes: 0 all as expected, 1 some not, 2 a file that cannot be read.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.table import Table

from libs.common.errors import Refusal
from libs.common.money import Money
from libs.common.plans.book import PlanBook
from libs.common.plans.documents import Entry, hint, read_file
from libs.common.plans.draft import read_param
from libs.common.plans.expressions import Param
from libs.common.plans.reading import load, read_plan, read_plan_bytes
from libs.common.plans.values import Plan
from libs.common.plans.wire import from_wire
from libs.common.settings import Settings
from services.claims import domain as claims
from services.policy import domain as policy
from services.quote import domain as quote

Given = Mapping[str, object]
Answer = Mapping[str, object]
# Results an example without them expects to be empty.
_EMPTY_UNLESS_EXPECTED = ("caps", "notes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One worked example and where it stands."""

    id: str
    plan: str
    version: int | None
    ask: str
    peril: str
    overrides: Mapping[str, Param]
    given: Mapping[str, object]
    expect: Mapping[str, object]
    entry: Entry

    @property
    def place(self) -> str:
        return f"{self.entry.file}:{self.entry.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A result that is not as expected."""

    result: str
    expected: object
    got: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An example with what came out; it passed when nothing differs."""

    example: Example
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


class Plans:
    """The plan an example is about, its params overridden for that example alone."""

    def __init__(self, shipped: PlanBook, own: Plan | None = None) -> None:
        self._shipped = shipped
        self._own = own

    def plan_of(self, example: Example) -> Plan:
        try:
            plan = self._find(example.plan, example.version)
        except Refusal as refusal:
            example.entry.mapping()["plan"].fail(refusal.detail.rstrip("."))
        if not example.overrides:
            return plan
        try:
            return read_plan_bytes(plan.source.encode(), plan.name, example.overrides)
        except Refusal as refusal:
            example.entry.mapping()["with"].fail(refusal.detail.rstrip("."))

    def _find(self, plan: str, version: int | None) -> Plan:
        """The author's own file for its plan and version, else what is shipped."""
        own = self._own
        if own is not None and own.plan == plan and version in (None, own.version):
            return own
        return (
            self._shipped.newest(plan) if version is None else self._shipped.get(plan, version)
        )


def run(files: Sequence[Path], plan: Path | None, as_json: bool) -> int:
    """Checks the files, prints the outcome, and returns the exit code."""
    console = Console(highlight=False, soft_wrap=as_json)
    try:
        results = check(files, plan_file=plan)
    except Refusal as refusal:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            refusal.detail, markup=False
        )
        return 2
    if as_json:
        for line in as_json_lines(results):
            print(line)
    else:
        render(results, console)
    return 0 if all(result.passed for result in results) else 1


def check(files: Sequence[Path], plan_file: Path | None = None) -> list[Result]:
    """Every example of the files, answered; BrokenDocument where a file or a plan is broken.

    With `plan_file`, examples for its plan are answered by that file, unless they name another
    version.
    """
    book = load(Settings().plans)
    own = None if plan_file is None else read_plan(plan_file)
    plans = Plans(book, own)
    return [answer_of(example, plans) for file in files for example in read_examples(file)]


def read_examples(file: Path) -> list[Example]:
    """The examples of one file; BrokenDocument with the line of what is wrong."""
    _, document = read_file(file)
    return [_example(entry) for entry in document.sequence()]


def answer_of(example: Example, plans: Plans) -> Result:
    plan = plans.plan_of(example)
    try:
        given = from_wire(example.given, plan.zone)
        answer = ASKS[example.ask](plan, given, example)
    except Refusal as refusal:
        example.entry.mapping()["given"].fail(refusal.detail.rstrip("."))
    return Result(example=example, differences=tuple(_differences(example, answer)))


def as_json_lines(results: Iterable[Result]) -> Iterable[str]:
    """One object an example, and the counts as the last line."""
    passed = failed = 0
    for result in results:
        passed, failed = passed + result.passed, failed + (not result.passed)
        yield json.dumps(
            {
                "id": result.example.id,
                "plan": result.example.plan,
                "ask": result.example.ask,
                "place": result.example.place,
                "passed": result.passed,
                "differences": [
                    {"result": one.result, "expected": one.expected, "got": one.got}
                    for one in result.differences
                ],
            },
            ensure_ascii=False,
        )
    yield json.dumps({"passed": passed, "failed": failed})


def render(results: Sequence[Result], console: Console) -> None:
    """A table by plan, then every failure with what was expected and what came."""
    table = Table("plan", "passed", "failed")
    for name in dict.fromkeys(result.example.plan for result in results):
        of_plan = [result for result in results if result.example.plan == name]
        passed = sum(result.passed for result in of_plan)
        table.add_row(name, str(passed), str(len(of_plan) - passed))
    console.print(table)
    for result in results:
        if result.passed:
            continue
        example = result.example
        console.print(
            f"{example.place} {example.id} ({example.ask})", markup=False, soft_wrap=True
        )
        for one in result.differences:
            console.print(
                f"    {one.result}: expected {_shown(one.expected)}, got {_shown(one.got)}",
                markup=False,
                soft_wrap=True,
            )


def _example(entry: Entry) -> Example:
    fields = entry.fields(required="id plan ask given expect", optional="peril with version")
    ask = fields["ask"].word(ASKS, "an operation")
    if (ask == "claim") != ("peril" in fields) and "peril" not in fields:
        entry.fail("a claim names its peril beside given")
    given, expect = fields["given"].mapping(), fields["expect"].mapping()
    for name, result in expect.items():
        if name not in RESULTS[ask]:
            result.fail(
                f"{ask} has no result {name!r}{hint(name, RESULTS[ask])};"
                f" there are {', '.join(RESULTS[ask])}"
            )
    overrides = fields["with"].mapping() if "with" in fields else {}
    return Example(
        id=str(fields["id"].value),
        plan=fields["plan"].text(),
        version=fields["version"].integer(least=1) if "version" in fields else None,
        ask=ask,
        peril=fields["peril"].text() if "peril" in fields else "",
        overrides={name: read_param(value) for name, value in overrides.items()},
        given={name: value.plain() for name, value in given.items()},
        expect={name: value.plain() for name, value in expect.items()},
        entry=entry,
    )


def _differences(example: Example, answer: Answer) -> Iterable[Difference]:
    expected = dict(example.expect)
    for name in _EMPTY_UNLESS_EXPECTED:
        if name in RESULTS[example.ask]:
            expected.setdefault(name, [])
    for name, value in expected.items():
        got = _plain(answer.get(name))
        if _plain(value) != got:
            yield Difference(result=name, expected=value, got=got)


def _plain(value: object) -> object:
    """As an example writes it: money and days as texts, lists as lists."""
    if isinstance(value, Money):
        return f"{value.decimal:f}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | dict) else str(value)


def _shown(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


# --- What is asked -----------------------------------------------------------------------------


def _offer(plan: Plan, given: Given, _: Example) -> Answer:
    offered = quote.offer(plan, given)
    return {"available": offered.available, "reminder": offered.reminder}


def _eligibility(plan: Plan, given: Given, _: Example) -> Answer:
    goods = quote.eligibility(plan, given)
    return {"verdicts": goods.verdicts, "eligible_goods_value": goods.eligible_goods_value}


def _documents(plan: Plan, given: Given, _: Example) -> Answer:
    papers = quote.documents(plan, given)
    return {"state": papers.state, "missing": papers.missing}


def _premium(plan: Plan, given: Given, _: Example) -> Answer:
    price = quote.price(plan, given)
    return {"premium": price.premium, "raw": price.raw}


def _autopay(plan: Plan, given: Given, _: Example) -> Answer:
    return {"charged": quote.autopay(plan, given)}


def _top_up(plan: Plan, given: Given, _: Example) -> Answer:
    # The policy service is told the premium by the quote; an example may leave it to be priced.
    premium = given.get("premium", quote.price(plan, given).premium.decimal)
    answer = policy.top_up(plan, {**given, "premium": premium})
    return {"due": answer.due, "state": answer.state, "refund": answer.refund}


def _quote_limit(plan: Plan, given: Given, _: Example) -> Answer:
    checked = quote.quote_limit(plan, given)
    return {
        "accepted": checked.accepted,
        "reason": checked.reason or None,
        "limit": checked.limit,
        "warn": checked.warn or None,
    }


def _effective(plan: Plan, given: Given, _: Example) -> Answer:
    start = policy.effective(plan, given)
    return {"cover_start": None if start is None else start.astimezone(plan.zone)}


def _refund(plan: Plan, given: Given, _: Example) -> Answer:
    return {"refund": policy.refund(plan, given).refund}


def _claim(plan: Plan, given: Given, example: Example) -> Answer:
    decision = claims.adjudicate(plan, example.peril, given)
    return {
        "outcome": decision.outcome,
        "reason": decision.reason and str(decision.reason),
        "discretionary": decision.is_discretionary,
        "payout": decision.payout,
        "caps": decision.caps,
        "notes": decision.notes,
        "instrument": decision.instrument,
        "eligible_on": decision.eligible_on,
        "missing": decision.missing,
        "grace_until": decision.grace_until,
    }


def _undeliverable(plan: Plan, given: Given, _: Example) -> Answer:
    answer = policy.undeliverable(plan, given)
    if answer is None:
        return {"instruct_by": None, "state": None}
    return {"instruct_by": answer.instruct_by, "state": answer.state}


def _sla(plan: Plan, given: Given, _: Example) -> Answer:
    terms = claims.sla(plan, given)
    if terms is None:
        return {"category": None, "due_on": None, "target_on": None}
    return {"category": terms.category, "due_on": terms.due_on, "target_on": terms.target_on}


def _advance(plan: Plan, given: Given, _: Example) -> Answer:
    answer = claims.advance(plan, given)
    return {"advance": answer.advance, "due_on": answer.due_on}


def _advance_settle(plan: Plan, given: Given, _: Example) -> Answer:
    answer = claims.settle_advance(plan, given)
    return {
        "to_seller": answer.to_seller,
        "to_provider": answer.to_provider,
        "provider_bears": answer.provider_bears,
        "clawback": answer.clawback,
    }


def _appeal(plan: Plan, given: Given, _: Example) -> Answer:
    answer = claims.appeal(plan, given)
    return {"accepted": answer.accepted, "reason": answer.reason or None}


def _voucher(plan: Plan, given: Given, _: Example) -> Answer:
    answer = claims.redeem_voucher(plan, given)
    return {"customer_pays": answer.customer_pays, "lapsed": answer.lapsed}


def _found(plan: Plan, given: Given, _: Example) -> Answer:
    return {"repay": claims.found_after_payout(plan, given)}


ASKS: Mapping[str, Callable[[Plan, Given, Example], Answer]] = {
    "offer": _offer,
    "eligibility": _eligibility,
    "documents": _documents,
    "premium": _premium,
    "autopay": _autopay,
    "topup": _top_up,
    "quote_limit": _quote_limit,
    "effective": _effective,
    "refund": _refund,
    "claim": _claim,
    "undeliverable": _undeliverable,
    "sla": _sla,
    "advance": _advance,
    "advance_settle": _advance_settle,
    "appeal": _appeal,
    "voucher": _voucher,
    "found_after_payout": _found,
}
RESULTS: Mapping[str, tuple[str, ...]] = {
    "offer": ("available", "reminder"),
    "eligibility": ("verdicts", "eligible_goods_value"),
    "documents": ("state", "missing"),
    "premium": ("premium", "raw"),
    "autopay": ("charged",),
    "topup": ("due", "state", "refund"),
    "quote_limit": ("accepted", "reason", "limit", "warn"),
    "effective": ("cover_start",),
    "refund": ("refund",),
    "claim": (
        "outcome",
        "reason",
        "discretionary",
        "payout",
        "caps",
        "notes",
        "instrument",
        "eligible_on",
        "missing",
        "grace_until",
    ),
    "undeliverable": ("instruct_by", "state"),
    "sla": ("category", "due_on", "target_on"),
    "advance": ("advance", "due_on"),
    "advance_settle": ("to_seller", "to_provider", "provider_bears", "clawback"),
    "appeal": ("accepted", "reason"),
    "voucher": ("customer_pays", "lapsed"),
    "found_after_payout": ("repay",),
}


def main() -> int:
    return run([Path(one) for one in sys.argv[1:]], None, as_json=False)


if __name__ == "__main__":
    sys.exit(main())
