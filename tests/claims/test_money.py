"""Money of claims beyond one payout: reserves, answers that come late, and what is owed back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.common.ids import new_id
from tests.claims.desk import Desk, tracked, way_of
from tests.claims.money import (
    NOW,
    a_dear_loss,
    accept,
    books_are_sound,
    done,
    minor,
    paid,
    recover,
    refused,
    retry,
    sent,
    settle,
    usd,
)
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import Json, amount
from tests.policy.serving import fire_due, served

AT_ONCE = 50


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> AsyncIterator[Desk]:
    """A desk on 2 March 2024, whose books are looked at when the test is over."""
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(app_of, db_of, token, policy_url=url)
        await desk.at(NOW)
        yield desk
        await books_are_sound(desk)


async def a_delay(desk: Desk) -> Json:
    """A fifth of the freight, 70.00, approved at once and not sent yet."""
    policy_id = new_id("pol")
    late = tracked(policy_id, state="RUN_OFF", delivered_at="2024-03-02T07:00")
    await desk.hears(*way_of(policy_id, tracking=late))
    return await desk.a_claim("DELAY", policy_id=policy_id)


def states(claim: Json) -> list[tuple[str, int]]:
    return [(payout["state"], minor(payout["amount"])) for payout in claim["payouts"]]


def dues(claim: Json) -> list[tuple[str, str, int]]:
    return [(due["why"], due["state"], minor(due["amount"])) for due in claim["repayments"]]


# --- reserves, and the carrier's money ---------------------------------------------------------


async def test_bm_22_q8_an_open_claim_is_reserved_for_and_the_courier_lowers_it(
    desk: Desk,
) -> None:
    claim = await a_dear_loss(desk, new_id("pol"))
    assert (claim["state"], claim["reserve"]) == (
        "REFERRED",
        {**usd(200_000), "formatted": "$2,000.00"},
    )
    assert await desk.balances() == {"claims": 200_000, "reserve": -200_000}

    await done(await recover(desk, claim, usd(50_000)))
    claim = await desk.show(claim)
    assert minor(claim["reserve"]) == 150_000
    # Only the difference is booked.
    assert await desk.balances() == {"claims": 150_000, "reserve": -150_000}

    claim = await paid(desk, await accept(desk, claim))
    assert (claim["state"], states(claim)) == ("PAID", [("CONFIRMED", 150_000)])
    assert minor(claim["reserve"]) == 0
    assert await desk.balances() == {"claims": 150_000, "cash": -150_000}
    # Together no more than the product, whoever pays what then.
    refused(
        await recover(desk, claim, usd(150_001), reference="c-2"), 422, "recovery-above-loss"
    )


async def test_bm_24_q43_a_courier_that_pays_after_the_insurer_lifts_nothing_above_the_product(
    desk: Desk,
) -> None:
    claim = await paid(desk, await accept(desk, await a_dear_loss(desk, new_id("pol"))))
    assert states(claim) == [("CONFIRMED", 200_000)]

    for _ in range(2):
        await done(await recover(desk, claim, usd(50_000)))
    await done(await recover(desk, claim, usd(20_000), reference="c-2"))

    claim = await desk.show(claim)
    assert dues(claim) == [
        ("CARRIER_PAID_LATE", "OPEN", 50_000),
        ("CARRIER_PAID_LATE", "OPEN", 20_000),
    ]
    assert claim["state"] == "RECOVERY"
    assert await desk.balances() == {
        "claims": 130_000,
        "cash": -200_000,
        "recovery": 70_000,
    }
    for due in claim["repayments"]:
        more = {"repayment_id": due["repayment_id"], "reference": due["repayment_id"]}
        await done(await recover(desk, claim, usd(minor(due["amount"])), "customer", **more))
    claim = await desk.show(claim)
    assert (claim["state"], {due["state"] for due in claim["repayments"]}) == (
        "PAID",
        {"RECEIVED"},
    )
    assert await desk.balances() == {"claims": 130_000, "cash": -130_000}


async def test_g_10_what_the_carrier_pays_lowers_a_payout_that_is_not_sent_yet(
    desk: Desk,
) -> None:
    """A delay is 70.00 of a freight of 350.00: with 300.00 of the carrier's, 50.00 are left."""
    delay = await a_delay(desk)
    await done(await recover(desk, delay, amount(30_000)))
    claim = await paid(desk, delay)
    assert states(claim) == [("VOID", 7_000), ("CONFIRMED", 5_000)]
    assert claim["decision"]["caps"] == ["CAP_TOTAL_VALUE"]
    assert await desk.balances() == {"claims": 5_000, "cash": -5_000}

    # A loss that a person accepted is for a person again.
    loss = await accept(desk, await a_dear_loss(desk, new_id("pol")))
    await done(await recover(desk, loss, usd(50_000)))
    claim = await sent(desk, loss)
    assert (claim["state"], states(claim)) == ("REFERRED", [("VOID", 200_000)])
    claim = await paid(desk, await accept(desk, claim))
    assert (claim["state"], states(claim)) == (
        "PAID",
        [("VOID", 200_000), ("CONFIRMED", 150_000)],
    )
    assert claim["repayments"] == []


async def test_g_10_what_the_carrier_pays_lowers_a_payout_that_failed(desk: Desk) -> None:
    delay = await sent(desk, await a_delay(desk))
    await done(await settle(desk, delay["payouts"][0], "FAILED"))
    await done(await recover(desk, delay, amount(30_000)))

    refused(await retry(desk, delay["payouts"][0]), 409, "payout-not-failed")
    claim = await paid(desk, delay)
    assert states(claim) == [("VOID", 7_000), ("CONFIRMED", 5_000)]

    # The sending that was said to have failed had not: it was not owed any more.
    late = await settle(desk, delay["payouts"][0], reference="bank-late", attempt=1)
    assert (await done(late))["state"] == "VOID"
    claim = await desk.show(claim)
    assert (claim["state"], dues(claim)) == ("RECOVERY", [("PAID_TWICE", "OPEN", 7_000)])
    assert await desk.balances() == {"claims": 5_000, "cash": -12_000, "recovery": 7_000}


async def test_tk_23_what_carriers_pay_to_us_is_ours_up_to_what_we_paid(desk: Desk) -> None:
    claim = await a_dear_loss(desk, new_id("pol"))
    ours = {"paid_to": "operator"}
    refused(await recover(desk, claim, usd(1), **ours), 422, "recovery-above-paid")
    claim = await paid(desk, await accept(desk, claim))

    await done(await recover(desk, claim, usd(60_000), **ours))
    refused(
        await recover(desk, claim, usd(150_000), reference="c-2", **ours),
        422,
        "recovery-above-loss",
    )
    claim = await desk.show(claim)
    # It is not the customer's: nothing is owed back.
    assert (claim["state"], claim["repayments"]) == ("PAID", [])
    assert claim["recoveries"][0]["paid_to"] == "operator"
    assert await desk.balances() == {"claims": 140_000, "cash": -140_000}


# --- a payment system that answers twice, late, or never ----------------------------------------


async def test_a_late_confirmation_before_the_retry_goes_out_stops_it(desk: Desk) -> None:
    claim = await sent(desk, await a_delay(desk))
    (payout,) = claim["payouts"]
    await done(await settle(desk, payout, "FAILED", "bank-1"))
    assert (await done(await retry(desk, payout)))["state"] == "APPROVED"

    confirmed = await done(await settle(desk, payout, "CONFIRMED", "bank-1"))

    assert (confirmed["state"], confirmed["attempt"]) == ("CONFIRMED", 1)
    await fire_due(desk.client, NOW)
    assert (await desk.show(claim))["state"] == "PAID"
    assert (await desk.said(claim["policy_id"])).count("PayoutSent") == 1
    assert await desk.balances() == {"claims": 7_000, "cash": -7_000}


async def test_money_that_went_out_twice_is_owed_back(desk: Desk) -> None:
    claim = await sent(desk, await a_delay(desk))
    (payout,) = claim["payouts"]
    await done(await settle(desk, payout, "FAILED", "bank-1"))
    await retry(desk, payout)
    claim = await sent(desk, claim)
    told = await desk.told_last(claim["policy_id"])
    assert (told["attempt"], claim["payouts"][0]["attempt"]) == (2, 2)
    refused(await retry(desk, payout), 409, "payout-not-failed")

    # The old failure again is no answer to the new sending.
    assert (await done(await settle(desk, payout, "FAILED", "bank-1")))["state"] == "SENT"
    refused(await settle(desk, payout, attempt=3), 409, "payout-not-sent")
    for _ in range(2):
        late = await done(await settle(desk, payout, "CONFIRMED", "bank-9", attempt=1))
        assert late["state"] == "CONFIRMED"
    assert (await desk.show(claim))["state"] == "PAID"
    for _ in range(2):
        second = await done(await settle(desk, payout, "CONFIRMED", "bank-2", attempt=2))
        assert (second["state"], second["reference"]) == ("CONFIRMED", "bank-9")

    claim = await desk.show(claim)
    assert (claim["state"], dues(claim)) == ("RECOVERY", [("PAID_TWICE", "OPEN", 7_000)])
    assert await desk.balances() == {"claims": 7_000, "cash": -14_000, "recovery": 7_000}
    # What was paid once stays paid: the carrier's money is reckoned against that alone.
    await done(await recover(desk, claim, amount(30_000)))
    assert dues(await desk.show(claim))[1:] == [("CARRIER_PAID_LATE", "OPEN", 2_000)]


async def test_a_second_sending_that_fails_after_the_first_came_through_is_no_loss(
    desk: Desk,
) -> None:
    claim = await sent(desk, await a_delay(desk))
    (payout,) = claim["payouts"]
    await settle(desk, payout, "FAILED", "bank-1")
    await retry(desk, payout)
    await fire_due(desk.client, NOW)
    await done(await settle(desk, payout, "CONFIRMED", "bank-1"))

    assert (await done(await settle(desk, payout, "FAILED", "bank-2")))["state"] == "CONFIRMED"

    claim = await desk.show(claim)
    assert (claim["state"], claim["repayments"]) == ("PAID", [])
    assert await desk.balances() == {"claims": 7_000, "cash": -7_000}


async def test_fifty_answers_and_retries_of_one_payout_at_once_have_one_effect(
    desk: Desk,
) -> None:
    claim = await sent(desk, await a_delay(desk))
    (payout,) = claim["payouts"]

    answers = await asyncio.gather(
        *(
            settle(desk, payout, "FAILED", "bank-1") if number % 2 else retry(desk, payout)
            for number in range(AT_ONCE)
        )
    )
    assert Counter(r.status_code for r in answers)[500] == 0
    claim = await sent(desk, claim)
    attempts = claim["payouts"][0]["attempt"]
    assert attempts <= 2
    confirmations = await asyncio.gather(
        *(settle(desk, payout, "CONFIRMED", "bank-2") for _ in range(AT_ONCE))
    )
    assert {r.status_code for r in confirmations} == {200}
    said = Counter(await desk.said(claim["policy_id"]))
    assert (said["PayoutSent"], said["PayoutSettled"]) == (attempts, 2)
    assert await desk.balances() == {"claims": 7_000, "cash": -7_000}
