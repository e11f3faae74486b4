"""Each rule of buying cover has a test that is named by its id, or a reason why no code decides it."""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from libs.common.plans.values import Plan
from tests.quote.builders import BOOK

TESTS = Path(__file__).parents[1]

# The rules of domain.md 1.1 to 1.5 by their topics; perils and claims are not among them.
RULES: Mapping[str, tuple[str, ...]] = {
    "currency": ("MP-01", "BM-01", "TK-01", "JS-01", "CS-01"),
    "buyer and offer": (
        "MP-02", "MP-03", "MP-04", "MP-05", "MP-06", "BM-02", "BM-03", "TK-02", "TK-03", "TK-04",
        "JS-02", "JS-03", "CS-02", "CS-03",
    ),
    "procedure": ("MP-07", "MP-12"),
    "documents": ("MP-08", "MP-09", "MP-11", "MP-13", "TK-07"),
    "verification": ("MP-10",),
    "auto payment": ("MP-14",),
    "premium": ("MP-15", "MP-16", "MP-17", "BM-04", "TK-05", "JS-04", "CS-04", "CS-09"),
    "deposit and top-up": ("MP-18", "MP-19", "MP-20"),
    "cover start and end": (
        "MP-21", "MP-22", "BM-05", "BM-06", "TK-08", "JS-06", "JS-07", "JS-08", "CS-12",
    ),
    "changes": ("MP-23",),
    "cancellation and refund": ("MP-24", "BM-07", "TK-09", "JS-09", "CS-11"),
    "limits": ("MP-25", "TK-06", "JS-05", "CS-05", "CS-06", "CS-07", "CS-08"),
    "goods": ("MP-26", "MP-27", "MP-28", "BM-31", "TK-24", "JS-29", "CS-42"),
    "conventions": (
        "G-01", "G-02", "G-03", "G-04", "G-05", "G-06", "G-07", "G-08", "G-09", "G-11",
    ),
    "contradictions and open questions": (
        "K1", "Q4", "Q14", "Q15", "Q16", "Q17", "Q20", "Q27", "Q28", "Q29", "Q45",
    ),
}  # fmt: skip

NO_CODE_DECIDES: Mapping[str, str] = {
    "JS-03": "who bears the risk behind JS Express: it changes no price, no cover and no answer",
}

_IDS = re.compile(r"test_((?:(?:mp|bm|tk|js|cs|g)_\d\d_|[kq]\d+_)+)")
_ID = re.compile(r"(mp|bm|tk|js|cs|g)_(\d\d)|([kq]\d+)")


def ids_of(test: str) -> set[str]:
    """MP-18 and Q16 of test_mp_18_q16_the_clock_begins."""
    named = _IDS.match(test)
    if named is None:
        return set()
    return {
        (short or f"{programme}-{number}").upper()
        for programme, number, short in _ID.findall(named[1])
    }


def named_in(source: str) -> list[str]:
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]


def faults_of(rules: Iterable[str], exempt: Iterable[str], tests: Iterable[str]) -> list[str]:
    """What is wrong with the list of rules, by these tests' names."""
    tried = {rule for test in tests for rule in ids_of(test)}
    untried = [f"{rule} has no test" for rule in rules if rule not in {*tried, *exempt}]
    idle = [f"{rule} has a test and needs no excuse" for rule in exempt if rule in tried]
    unknown = [f"{rule} is excused and not listed" for rule in exempt if rule not in rules]
    return [*untried, *idle, *unknown]


LISTED = [rule for rules in RULES.values() for rule in rules]


def test_every_rule_of_buying_has_a_test_or_a_reason() -> None:
    files = TESTS.rglob("test_*.py")
    tests = [test for file in files for test in named_in(file.read_text(encoding="utf-8"))]

    assert faults_of(LISTED, NO_CODE_DECIDES, tests) == []


def test_each_rule_is_listed_once() -> None:
    assert sorted(LISTED) == sorted(set(LISTED))


@pytest.mark.parametrize("plan", list(BOOK), ids=lambda plan: plan.name)
def test_what_a_plan_names_for_buying_is_listed(plan: Plan) -> None:
    terms = (
        plan.offer.rules, plan.goods.rules, plan.premium.rules, plan.cover.rules,
        plan.cover.void_rules,
        *(one.rules for one in (*plan.documents, *plan.limits, *plan.refunds)),
        *(one.rules for one in (plan.verification, plan.over_value, plan.premium.deposit) if one),
    )  # fmt: skip

    assert {rule for rules in terms for rule in rules} <= set(LISTED)


def test_a_rule_without_its_test_and_an_idle_excuse_are_found() -> None:
    source = "def test_mp_01_a(): ...\nasync def test_q16_mp_19_b(): ...\ndef mp_02_c(): ..."

    faults = faults_of(["MP-01", "MP-02", "MP-19", "Q1"], ["MP-01", "TK-09"], named_in(source))

    assert faults == [
        "MP-02 has no test",
        "Q1 has no test",
        "MP-01 has a test and needs no excuse",
        "TK-09 is excused and not listed",
    ]
