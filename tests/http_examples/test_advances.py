"""Worked advances and their settlement, through HTTP."""

import pytest

from deploy.plans_check import Example
from tests.doors import Doors
from tests.http_examples.advancing import Advance
from tests.http_examples.doors import expected_of, facts_given, only_expected
from tests.http_examples.marks import through_http


@pytest.mark.parametrize("example", through_http("advance"))
async def test_as_much_is_advanced_as_the_programme_says(
    doors: Doors, example: Example
) -> None:
    facts = facts_given(example)
    advance = await Advance.of(
        doors, example, facts.number("assessed_payout"), is_complete=facts.flag("file_complete")
    )

    answer = {"advance": await advance.paid()}
    if "due_on" in example.expect:
        answer["due_on"] = advance.due_on
    assert only_expected(example, answer) == expected_of(example)


@pytest.mark.parametrize("example", through_http("advance_settle"))
async def test_the_insurers_money_goes_where_the_programme_says(
    doors: Doors, example: Example
) -> None:
    facts = facts_given(example)
    advance = await Advance.of(doors, example, facts.number("advanced"))
    assert await advance.paid() == f"{facts.number('advanced'):.2f}"

    answer = await advance.settled(facts.number("insurer_paid"), is_fraud=facts.flag("fraud"))

    assert only_expected(example, answer) == expected_of(example)
