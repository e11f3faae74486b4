"""Worked appeals, through HTTP: denied, heard as often as the example says, and appealed again."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from deploy.plans_check import Example
from libs.common.plans.facts import Facts
from tests.claims.appealing import Hearing
from tests.doors import Doors, naive_utc
from tests.http_examples.claiming import Staged
from tests.http_examples.doors import expected_of, facts_given, only_expected
from tests.http_examples.marks import through_http
from tests.policy.builders import Json

# No plan covers it, so that it is denied in the instant in which it is claimed.
NOT_COVERED = "TAX"


@pytest.mark.parametrize("example", through_http("appeal"))
async def test_the_appeal_is_taken_or_refused_as_the_programme_says(
    doors: Doors, example: Example
) -> None:
    facts = facts_given(example)
    staged, claim = await denied(doors, example)
    hearing = Hearing(staged.desk)
    heard: Any = facts["tiers_exhausted"]
    for _ in heard:
        appeal = await hearing.an_appeal(claim)
        await hearing.heard(appeal, by=f"decider-{appeal['tier']}")
    await staged.desk.at(naive_utc(_time(facts, "filed_at")))

    tier = int(facts.number("tier")) or None
    response = await hearing.appeal(claim, tier=tier)

    answer = {
        "accepted": response.status_code == 201,
        "reason": response.json().get("reason"),
    }
    assert only_expected(example, answer) == expected_of(example)


async def denied(doors: Doors, example: Example) -> tuple[Staged, Json]:
    """A claim that was decided when the example's decision was."""
    decided_at = example.given["previous_decided_at"]
    given = {"delivered_at": decided_at, "notified_at": decided_at}
    staged = Staged(doors, replace(example, ask="claim", peril=NOT_COVERED, given=given))
    claim = (await staged.claimed()).claim
    assert claim["state"] == "DENIED", claim
    return staged, claim


def _time(facts: Facts, name: str) -> datetime:
    at = facts.time(name)
    assert at is not None
    return at
