"""Every worked claim, filed through HTTP: the same facts reach the engine, and its answer comes back."""

import pytest

from deploy.plans_check import Example
from tests.doors import Doors
from tests.http_examples.claiming import Staged
from tests.http_examples.doors import expected_of, only_expected
from tests.http_examples.marks import through_http


@pytest.mark.parametrize("example", through_http("claim"))
async def test_the_claim_is_answered_as_the_programme_says(
    doors: Doors, example: Example
) -> None:
    claimed = await Staged(doors, example).claimed()

    if claimed.policy_id is not None:
        assert await claimed.facts_that_differ() == {}
    assert claimed.decided_at <= claimed.parcel.seen_at
    assert only_expected(example, claimed.answer) == expected_of(example)
