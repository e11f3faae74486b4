"""Worked offers, verdicts, premiums, limits and papers, asked of the quote service through HTTP."""

import pytest

from deploy.plans_check import Example
from tests.buying import shown
from tests.doors import Doors
from tests.http_examples.buying import Checkout
from tests.http_examples.doors import expected_of, facts_given, only_expected
from tests.http_examples.marks import through_http
from tests.http_examples.orders import some_day
from tests.policy.builders import Json


async def _offer(doors: Doors, example: Example) -> Json:
    checkout = Checkout(doors, example)
    await checkout.at(some_day(example))
    return await checkout.ask()


@pytest.mark.parametrize("example", through_http("offer"))
async def test_the_plan_is_offered_as_the_programme_says(
    doors: Doors, example: Example
) -> None:
    offer = await _offer(doors, example)

    # Nothing else about the parcel stands in the way.
    assert offer["reasons"] == ([] if example.expect["available"] else ["NOT_ON_OFFER"])
    answer = {"available": offer["is_available"], "reminder": offer["reminder"]}
    assert only_expected(example, answer) == expected_of(example)


@pytest.mark.parametrize("example", through_http("eligibility"))
async def test_goods_are_taken_as_the_programme_says(doors: Doors, example: Example) -> None:
    offer = await _offer(doors, example)

    answer = {
        "verdicts": [item["verdict"] for item in offer["items"]],
        # The plan insures the eligible goods at their own value.
        "eligible_goods_value": shown(offer["insured_value"]),
    }
    assert only_expected(example, answer) == expected_of(example)


@pytest.mark.parametrize("example", through_http("premium"))
async def test_the_premium_is_what_the_programme_says(doors: Doors, example: Example) -> None:
    offer = await _offer(doors, example)

    assert offer["version"] == (example.version or offer["version"])
    answer = {"premium": shown(offer["premium"]), "raw": shown(offer["raw_premium"])}
    assert only_expected(example, answer) == expected_of(example)


@pytest.mark.parametrize("example", through_http("quote_limit"))
async def test_the_limit_is_what_the_programme_says(doors: Doors, example: Example) -> None:
    offer = await _offer(doors, example)

    answer = {
        "accepted": offer["is_available"],
        "reason": next(iter(offer["reasons"]), None),
        "limit": shown(offer["limit"]),
        "warn": next(iter(offer["warnings"]), None),
    }
    assert only_expected(example, answer) == expected_of(example)


@pytest.mark.parametrize("example", through_http("documents"))
async def test_papers_are_judged_as_the_programme_says(doors: Doors, example: Example) -> None:
    checkout = Checkout(doors, example)
    await checkout.at(some_day(example))
    await checkout.ask()
    await checkout.prove()

    verified = await checkout.verify(facts_given(example).codes("shown"))

    answer = {"state": verified["state"], "missing": verified["missing"]}
    assert only_expected(example, answer) == expected_of(example)
