"""Each rule has a test that is named by its id, or a reason why no code decides it."""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import yaml

from libs.common.plans.values import Plan
from tests.quote.builders import BOOK

TESTS = Path(__file__).parents[1]

# The rules of domain.md 0.3 and 1.1 to 1.5 by their topics, and the questions of its section 3.
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
    "perils": (
        "MP-29", "BM-08", "BM-09", "BM-30", "TK-10", "JS-10", "JS-11", "JS-12", "JS-34", "CS-13",
    ),
    "exclusions and conditions": (
        "MP-30", "MP-31", "BM-19", "JS-22", "JS-23", "JS-24", "JS-25", "JS-27", "JS-28", "JS-30",
        "CS-23", "CS-24", "CS-27", "CS-31",
    ),
    "proof and waiting": ("MP-33", "BM-10", "TK-11", "TK-12", "JS-14", "CS-14", "CS-16", "CS-26"),
    "notice and deadlines": ("MP-32", "BM-11", "BM-12", "TK-28", "JS-26", "CS-21", "CS-38"),
    "evidence": (
        "BM-13", "BM-14", "BM-15", "BM-16", "BM-18", "TK-13", "TK-14", "TK-15", "TK-16", "TK-17",
        "TK-18", "TK-27", "JS-18", "JS-19", "CS-19", "CS-20", "CS-25", "CS-35", "CS-43",
    ),
    "payout": (
        "MP-34", "BM-21", "BM-22", "BM-23", "BM-25", "TK-22", "JS-13", "JS-15", "JS-16", "JS-31",
        "JS-32", "CS-10", "CS-15", "CS-17", "CS-18", "CS-22", "CS-28", "CS-29", "CS-30", "CS-32",
        "CS-33", "CS-34", "CS-36", "CS-41",
    ),
    "number of claims": ("MP-35", "BM-28", "TK-25", "CS-37"),
    "advance": ("MP-36", "BM-29", "TK-20", "TK-21"),
    "decision clocks and priority": ("MP-38", "BM-20", "BM-26", "TK-19", "JS-20", "CS-40"),
    "appeal": ("MP-37", "BM-27", "TK-26", "JS-33"),
    "money back": ("BM-24", "TK-23", "CS-39"),
    "uninsured": ("MP-39", "JS-21"),
    "procedure of a claim": ("BM-17", "JS-17"),
    "conventions of claims": ("G-10", "G-12", "G-13", "G-14", "G-15", "G-16"),
    "contradictions": ("K1", "K2", "K3", "K4", "K5", "K6", "K7", "K8", "K9", "K10"),
    "money the seeds do not give": (
        "Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8", "Q9", "Q10", "Q11", "Q12", "Q13", "Q14",
    ),
    "questions of time": (
        "Q15", "Q16", "Q17", "Q18", "Q19", "Q20", "Q21", "Q22", "Q23", "Q24", "Q25", "Q26",
    ),
    "questions of scope and procedure": (
        "Q27", "Q28", "Q29", "Q30", "Q31", "Q32", "Q33", "Q34", "Q35", "Q36", "Q37", "Q38", "Q39",
        "Q40", "Q41", "Q42", "Q43", "Q44", "Q45", "Q46", "Q47", "Q48",
    ),
}  # fmt: skip

NO_CODE_DECIDES: Mapping[str, str] = {
    "JS-03": "who bears the risk behind JS Express: it changes no price, no cover and no answer",
    "JS-17": "where in JS Express's own pages a customer clicks",
    "Q12": "no tax is charged on a premium: there is nothing to decide",
    "Q41": "to which account the shop's payment system pays is its own affair",
    "Q46": "the statutory outer bounds lie beyond every plan's own clocks",
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


def test_every_rule_has_a_test_or_a_reason() -> None:
    files = TESTS.rglob("test_*.py")
    tests = [test for file in files for test in named_in(file.read_text(encoding="utf-8"))]

    assert faults_of(LISTED, NO_CODE_DECIDES, tests) == []


def test_each_rule_is_listed_once() -> None:
    assert sorted(LISTED) == sorted(set(LISTED))


@pytest.mark.parametrize("plan", list(BOOK), ids=lambda plan: plan.name)
def test_what_a_plan_names_is_listed(plan: Plan) -> None:
    named = yaml.safe_load(plan.source)["rules"]

    assert {rule for rules in named.values() for rule in rules} <= set(LISTED)


def test_a_rule_without_its_test_and_an_idle_excuse_are_found() -> None:
    source = "def test_mp_01_a(): ...\nasync def test_q16_mp_19_b(): ...\ndef mp_02_c(): ..."

    faults = faults_of(["MP-01", "MP-02", "MP-19", "Q1"], ["MP-01", "TK-09"], named_in(source))

    assert faults == [
        "MP-02 has no test",
        "Q1 has no test",
        "MP-01 has a test and needs no excuse",
        "TK-09 is excused and not listed",
    ]
