"""Worked decision clocks, through HTTP: what a claim is promised once its file is complete."""

from datetime import datetime

import pytest

from deploy.plans_check import Example
from tests.doors import Doors
from tests.http_examples.clocking import Clocked
from tests.http_examples.doors import expected_of, only_expected
from tests.http_examples.marks import through_http


@pytest.mark.parametrize("example", through_http("sla"))
async def test_the_claim_is_promised_what_the_programme_says(
    doors: Doors, example: Example
) -> None:
    clocked = await Clocked.of(doors, example)

    assert datetime.fromisoformat(clocked.claim["complete_at"]) == clocked.complete_at
    assert only_expected(example, clocked.answer) == expected_of(example)
