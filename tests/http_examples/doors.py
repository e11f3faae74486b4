"""What every example has: its plan, facts, tenant and expected answer."""

from collections.abc import Mapping

from deploy.plans_check import Example
from libs.common.plans.facts import Facts
from libs.common.plans.reading import load
from libs.common.plans.values import Plan
from libs.common.plans.wire import from_wire
from libs.common.settings import PROGRAMMES
from tests.http_examples.not_by_http import NOT_SHOWN, key_of

BOOK = load(PROGRAMMES)
# For examples without any time: in the validity of every plan's newest version.
SOME_DAY = "2024-06-03T09:00:00"

# Results of a claim that are empty where an example does not name them.
_EMPTY_UNLESS_EXPECTED = ("caps", "notes")


def plan_of(example: Example) -> Plan:
    if example.version is None:
        return BOOK.newest(example.plan)
    return BOOK.get(example.plan, example.version)


def tenant_of(example: Example) -> str:
    """A sandbox of the plan's publisher for this example alone."""
    return f"sbx-{plan_of(example).tenant}-{example.id.lower()}"


def facts_given(example: Example, **more: object) -> Facts:
    """The example's facts, with what the plan language makes of those it leaves out."""
    plan = plan_of(example)
    given = from_wire({**example.given, **more}, plan.zone)
    return Facts(plan, {**given, "peril": example.peril} if example.peril else given)


def expected_of(example: Example) -> dict[str, object]:
    """The example's results, but for those that no answer shows."""
    hidden = NOT_SHOWN.get(key_of(example), frozenset())
    expected = {name: value for name, value in example.expect.items() if name not in hidden}
    if example.ask == "claim":
        for name in _EMPTY_UNLESS_EXPECTED:
            expected.setdefault(name, [])
    return expected


def only_expected(example: Example, answer: Mapping[str, object]) -> dict[str, object]:
    """Of the answer, the results that the example names."""
    return {name: answer[name] for name in expected_of(example)}
