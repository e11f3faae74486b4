"""Worked vouchers and found parcels, through HTTP."""

import pytest

from deploy.plans_check import Example
from tests.doors import Doors
from tests.http_examples.afterwards import redeemed, repaid
from tests.http_examples.doors import expected_of, only_expected
from tests.http_examples.marks import through_http


@pytest.mark.parametrize("example", through_http("voucher"))
async def test_a_voucher_covers_what_the_programme_says(doors: Doors, example: Example) -> None:
    answer = await redeemed(doors, example)

    assert only_expected(example, answer) == expected_of(example)


@pytest.mark.parametrize("example", through_http("found_after_payout"))
async def test_as_much_is_due_for_a_found_parcel_as_the_programme_says(
    doors: Doors, example: Example
) -> None:
    answer = {"repay": await repaid(doors, example)}

    assert only_expected(example, answer) == expected_of(example)
