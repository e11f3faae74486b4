"""Every worked example is run through HTTP or listed with a reason, and each reason holds."""

from collections import Counter
from collections.abc import Callable, Mapping
from types import ModuleType

import pytest

from deploy.plans_check import Example
from tests.doors import Doors
from tests.http_examples import (
    test_advances,
    test_appeals,
    test_claims,
    test_money,
    test_policies,
    test_quotes,
    test_sla,
)
from tests.http_examples.not_by_http import (
    ANSWERED_OTHERWISE,
    EXAMPLES,
    NOT_BY_HTTP,
    NOT_SHOWN,
    WITHOUT_ENDPOINT,
    Listed,
    Why,
    key_of,
)

Key = tuple[str, str]

BY_KEY: Mapping[Key, Example] = {key_of(example): example for example in EXAMPLES}


def _run_by(module: ModuleType) -> list[Key]:
    """The examples that pytest is given in a module, as its marks have them."""
    return [
        key_of(param.values[0])
        for test in vars(module).values()
        for mark in getattr(test, "pytestmark", ())
        if mark.name == "parametrize" and mark.args[0] == "example"
        for param in mark.args[1]
    ]


RUN = [
    key
    for module in (
        test_advances,
        test_appeals,
        test_claims,
        test_money,
        test_policies,
        test_quotes,
        test_sla,
    )
    for key in _run_by(module)
]


def test_every_example_is_run_once_or_listed() -> None:
    assert Counter(RUN) + Counter(NOT_BY_HTTP.keys()) == Counter(map(key_of, EXAMPLES))


def test_says_how_many_are_run() -> None:
    by_reason = Counter(listed.why for listed in NOT_BY_HTTP.values())
    print(f"\n{len(RUN)} of {len(EXAMPLES)} worked examples run through HTTP, the rest not:")
    for why, number in by_reason.most_common():
        print(f"  {number:3} {why}")

    assert len(RUN) + by_reason.total() == len(EXAMPLES)


@pytest.mark.parametrize("key", NOT_BY_HTTP, ids="-".join)
def test_the_reason_given_for_an_example_holds(key: Key) -> None:
    listed = NOT_BY_HTTP[key]

    assert _HOLDS[listed.why](BY_KEY[key], listed)


def test_no_example_is_run_on_another_plan_than_its_own() -> None:
    assert [key for key in RUN if BY_KEY[key].overrides] == []


async def test_what_is_said_to_have_no_endpoint_has_none(doors: Doors) -> None:
    paths = {
        path
        for client in (doors.quotes, doors.policies, doors.claims)
        for path in client.app.openapi()["paths"]
    }

    assert "/v1/claims/{claim_id}/advance" in paths
    assert [p for word in WITHOUT_ENDPOINT.values() for p in paths if word in p] == []


def test_what_is_not_shown_or_answered_otherwise_is_of_examples_that_are_run() -> None:
    assert {*NOT_SHOWN, *ANSWERED_OTHERWISE} <= set(RUN)
    for key, results in NOT_SHOWN.items():
        assert results < set(BY_KEY[key].expect), "something is left to compare"


_HOLDS: Mapping[Why, Callable[[Example, Listed], bool]] = {
    Why.OTHER_PARAMS: lambda example, _: bool(example.overrides),
    Why.NO_ENDPOINT: lambda example, _: example.ask in WITHOUT_ENDPOINT,
    Why.FACT_NOT_TAKEN: lambda example, listed: listed.fact in example.given,
}
