"""Money of claims beyond one payout: reserves, answers that come late, and what is owed back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from libs.common.auth import CLAIMS_DECIDE, CLAIMS_MANAGE
from libs.common.ids import new_id
from tests.claims.desk import Desk, done, refused, tracked, way_of
from tests.claims.money import (
    NOW,
    a_dear_loss,
    a_paid_loss,
    a_voucher,
    accept,
    books_are_sound,
    minor,
    paid,
    recover,
    retry,
    sent,
    settle,
    usd,
)
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import Json, amount, at
from tests.policy.serving import fire_due, served

AT_ONCE = 50
BML = "sbx-bml-tests"


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> AsyncIterator[Desk]:
    """A desk on 2 March 2024, whose books are looked at when the test is over."""
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(app_of, db_of, token, policy_url=url)
        await desk.at(NOW)
        yield desk
        await books_are_sound(desk)


@pytest.fixture
async def dollars(desk: Desk) -> AsyncIterator[Desk]:
    """The same desk asked by BML, whose limits are in dollars."""
    theirs = desk.of(BML)
    await theirs.at(NOW)
    yield theirs
    await books_are_sound(theirs)


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
    dollars: Desk,
) -> None:
    claim = await a_dear_loss(dollars, new_id("pol"))
    assert (claim["state"], claim["reserve"]) == (
        "REFERRED",
        {**usd(200_000), "formatted": "$2,000.00"},
    )
    assert await dollars.balances() == {"claims": 200_000, "reserve": -200_000}

    done(await recover(dollars, claim, usd(50_000)))
    claim = await dollars.show(claim)
    assert minor(claim["reserve"]) == 150_000
    # Only the difference is booked.
    assert await dollars.balances() == {"claims": 150_000, "reserve": -150_000}

    claim = await paid(dollars, await accept(dollars, claim))
    assert (claim["state"], states(claim)) == ("PAID", [("CONFIRMED", 150_000)])
    assert minor(claim["reserve"]) == 0
    assert await dollars.balances() == {"claims": 150_000, "cash": -150_000}
    # Together no more than the product, whoever pays what then.
    refused(
        await recover(dollars, claim, usd(150_001), reference="c-2"), 422, "recovery-above-loss"
    )


async def test_bm_24_q43_a_courier_that_pays_after_the_insurer_lifts_nothing_above_the_product(
    dollars: Desk,
) -> None:
    claim = await paid(
        dollars, await accept(dollars, await a_dear_loss(dollars, new_id("pol")))
    )
    assert states(claim) == [("CONFIRMED", 200_000)]

    for _ in range(2):
        done(await recover(dollars, claim, usd(50_000)))
    done(await recover(dollars, claim, usd(20_000), reference="c-2"))

    claim = await dollars.show(claim)
    assert dues(claim) == [
        ("CARRIER_PAID_LATE", "OPEN", 50_000),
        ("CARRIER_PAID_LATE", "OPEN", 20_000),
    ]
    assert claim["state"] == "RECOVERY"
    assert await dollars.balances() == {
        "claims": 130_000,
        "cash": -200_000,
        "recovery": 70_000,
    }
    for due in claim["repayments"]:
        more = {"repayment_id": due["repayment_id"], "reference": due["repayment_id"]}
        done(await recover(dollars, claim, usd(minor(due["amount"])), "customer", **more))
    claim = await dollars.show(claim)
    assert (claim["state"], {due["state"] for due in claim["repayments"]}) == (
        "PAID",
        {"RECEIVED"},
    )
    assert await dollars.balances() == {"claims": 130_000, "cash": -130_000}


async def test_g_10_what_the_carrier_pays_lowers_a_payout_that_is_not_sent_yet(
    desk: Desk, dollars: Desk
) -> None:
    """A delay is 70.00 of a freight of 350.00: with 300.00 of the carrier's, 50.00 are left."""
    delay = await a_delay(desk)
    done(await recover(desk, delay, amount(30_000)))
    claim = await paid(desk, delay)
    assert states(claim) == [("VOID", 7_000), ("CONFIRMED", 5_000)]
    assert claim["decision"]["caps"] == ["CAP_TOTAL_VALUE"]
    assert await desk.balances() == {"claims": 5_000, "cash": -5_000}

    # A loss that a person accepted is for a person again.
    loss = await accept(dollars, await a_dear_loss(dollars, new_id("pol")))
    done(await recover(dollars, loss, usd(50_000)))
    claim = await sent(dollars, loss)
    assert (claim["state"], states(claim)) == ("REFERRED", [("VOID", 200_000)])
    claim = await paid(dollars, await accept(dollars, claim))
    assert (claim["state"], states(claim)) == (
        "PAID",
        [("VOID", 200_000), ("CONFIRMED", 150_000)],
    )
    assert claim["repayments"] == []


async def test_g_10_nothing_is_owed_back_of_money_that_may_still_fail(dollars: Desk) -> None:
    arrives = await sent(
        dollars, await accept(dollars, await a_dear_loss(dollars, new_id("pol")))
    )
    fails = await sent(
        dollars, await accept(dollars, await a_dear_loss(dollars, new_id("pol")))
    )
    for claim in (arrives, fails):
        done(await recover(dollars, claim, usd(50_000)))
        shown = await dollars.show(claim)
        assert (shown["state"], shown["repayments"]) == ("PAYING", [])

    done(await settle(dollars, arrives["payouts"][0]))
    arrives = await dollars.show(arrives)
    assert (arrives["state"], dues(arrives)) == (
        "RECOVERY",
        [("CARRIER_PAID_LATE", "OPEN", 50_000)],
    )

    done(await settle(dollars, fails["payouts"][0], "FAILED", "bank-2"))
    assert (done(await retry(dollars, fails["payouts"][0])))["state"] == "VOID"
    fails = await paid(dollars, await accept(dollars, await dollars.show(fails)))
    assert (fails["state"], states(fails), fails["repayments"]) == (
        "PAID",
        [("VOID", 200_000), ("CONFIRMED", 150_000)],
        [],
    )


async def test_g_10_what_the_carrier_pays_lowers_a_payout_that_failed(desk: Desk) -> None:
    delay = await sent(desk, await a_delay(desk))
    done(await settle(desk, delay["payouts"][0], "FAILED"))
    done(await recover(desk, delay, amount(30_000)))

    refused(await retry(desk, delay["payouts"][0]), 409, "payout-not-failed")
    claim = await paid(desk, delay)
    assert states(claim) == [("VOID", 7_000), ("CONFIRMED", 5_000)]

    # The sending that was said to have failed had not: it was not owed any more.
    late = await settle(desk, delay["payouts"][0], reference="bank-late", attempt=1)
    assert (done(late))["state"] == "VOID"
    claim = await desk.show(claim)
    assert (claim["state"], dues(claim)) == ("RECOVERY", [("PAID_TWICE", "OPEN", 7_000)])
    assert await desk.balances() == {"claims": 5_000, "cash": -12_000, "recovery": 7_000}


async def test_tk_23_what_carriers_pay_to_us_is_ours_up_to_what_we_paid(dollars: Desk) -> None:
    claim = await a_dear_loss(dollars, new_id("pol"))
    ours = {"paid_to": "operator"}
    refused(await recover(dollars, claim, usd(1), **ours), 422, "recovery-above-paid")
    claim = await paid(dollars, await accept(dollars, claim))

    done(await recover(dollars, claim, usd(60_000), **ours))
    refused(
        await recover(dollars, claim, usd(150_000), reference="c-2", **ours),
        422,
        "recovery-above-loss",
    )
    claim = await dollars.show(claim)
    # It is not the customer's: nothing is owed back.
    assert (claim["state"], claim["repayments"]) == ("PAID", [])
    assert claim["recoveries"][0]["paid_to"] == "operator"
    assert await dollars.balances() == {"claims": 140_000, "cash": -140_000}


# --- a payment system that answers twice, late, or never ----------------------------------------


async def test_a_late_confirmation_before_the_retry_goes_out_stops_it(desk: Desk) -> None:
    claim = await sent(desk, await a_delay(desk))
    (payout,) = claim["payouts"]
    done(await settle(desk, payout, "FAILED", "bank-1"))
    assert (done(await retry(desk, payout)))["state"] == "APPROVED"

    confirmed = done(await settle(desk, payout, "CONFIRMED", "bank-1"))

    assert (confirmed["state"], confirmed["attempt"]) == ("CONFIRMED", 1)
    await fire_due(desk.client, NOW)
    assert (await desk.show(claim))["state"] == "PAID"
    assert (await desk.said(claim["policy_id"])).count("PayoutSent") == 1
    assert await desk.balances() == {"claims": 7_000, "cash": -7_000}


async def test_money_that_went_out_twice_is_owed_back(desk: Desk) -> None:
    claim = await sent(desk, await a_delay(desk))
    (payout,) = claim["payouts"]
    done(await settle(desk, payout, "FAILED", "bank-1"))
    await retry(desk, payout)
    claim = await sent(desk, claim)
    told = await desk.told_last(claim["policy_id"])
    assert (told["attempt"], claim["payouts"][0]["attempt"]) == (2, 2)
    refused(await retry(desk, payout), 409, "payout-not-failed")

    # The old failure again is no answer to the new sending.
    assert (done(await settle(desk, payout, "FAILED", "bank-1")))["state"] == "SENT"
    refused(await settle(desk, payout, attempt=3), 409, "payout-not-sent")
    for _ in range(2):
        late = done(await settle(desk, payout, "CONFIRMED", "bank-9", attempt=1))
        assert late["state"] == "CONFIRMED"
    assert (await desk.show(claim))["state"] == "PAID"
    for _ in range(2):
        second = done(await settle(desk, payout, "CONFIRMED", "bank-2", attempt=2))
        assert (second["state"], second["reference"]) == ("CONFIRMED", "bank-9")

    claim = await desk.show(claim)
    assert (claim["state"], dues(claim)) == ("RECOVERY", [("PAID_TWICE", "OPEN", 7_000)])
    assert await desk.balances() == {"claims": 7_000, "cash": -14_000, "recovery": 7_000}
    # What was paid once stays paid: the carrier's money is reckoned against that alone.
    done(await recover(desk, claim, amount(30_000)))
    assert dues(await desk.show(claim))[1:] == [("CARRIER_PAID_LATE", "OPEN", 2_000)]


async def test_a_second_sending_that_fails_after_the_first_came_through_is_no_loss(
    desk: Desk,
) -> None:
    claim = await sent(desk, await a_delay(desk))
    (payout,) = claim["payouts"]
    await settle(desk, payout, "FAILED", "bank-1")
    await retry(desk, payout)
    await fire_due(desk.client, NOW)
    done(await settle(desk, payout, "CONFIRMED", "bank-1"))

    assert (done(await settle(desk, payout, "FAILED", "bank-2")))["state"] == "CONFIRMED"

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


# --- owed back ---------------------------------------------------------------------------------


async def found(desk: Desk, claim: Json, **more: Any) -> httpx.Response:
    body = {"found_at": "2024-03-02T08:00:00Z", "note": "It lay in the depot.", **more}
    return await desk.post(f"/v1/claims/{claim['claim_id']}/found", body)


async def repay(
    desk: Desk, claim: Json, minor_units: int, reference: str, repayment_id: str = ""
) -> httpx.Response:
    due = repayment_id or claim["repayments"][0]["repayment_id"]
    return await recover(
        desk, claim, amount(minor_units), "customer", repayment_id=due, reference=reference
    )


async def test_cs_39_q42_half_of_what_was_paid_for_a_found_parcel_is_due(desk: Desk) -> None:
    claim = await a_paid_loss(desk, new_id("pol"))

    claim = done(await found(desk, claim))

    assert (claim["state"], dues(claim)) == ("RECOVERY", [("PARCEL_FOUND", "OPEN", 60_000)])
    assert (await desk.said(claim["policy_id"]))[-1] == "RepaymentDue"
    assert await desk.balances() == {"claims": 60_000, "cash": -120_000, "recovery": 60_000}
    refused(await found(desk, claim), 409, "already-shown")

    # In parts, each told twice; never more than is due, nor in another currency.
    for _ in range(2):
        done(await repay(desk, claim, 25_000, "r-1"))
    refused(await repay(desk, claim, 35_001, "r-2"), 422, "repayment-above-due")
    refused(await repay(desk, claim, 0, "r-2"), 422, "repayment-above-due")
    dollars = {"repayment_id": claim["repayments"][0]["repayment_id"]}
    refused(await recover(desk, claim, usd(1), "customer", **dollars), 422, "wrong-currency")
    assert minor((await desk.show(claim))["repayments"][0]["received"]) == 25_000
    done(await repay(desk, claim, 35_000, "r-2"))
    refused(await repay(desk, claim, 1, "r-3"), 409, "repayment-settled")

    claim = await desk.show(claim)
    assert (claim["state"], dues(claim)) == ("PAID", [("PARCEL_FOUND", "RECEIVED", 60_000)])
    assert await desk.balances() == {"claims": 60_000, "cash": -60_000}


async def test_fifty_paying_a_repayment_back_at_once_pay_it_back_once(desk: Desk) -> None:
    claim = done(await found(desk, await a_paid_loss(desk, new_id("pol"))))

    answers = await asyncio.gather(
        *(repay(desk, claim, 60_000, f"r-{number}") for number in range(AT_ONCE))
    )

    assert Counter(r.status_code for r in answers) == {201: 1, 409: AT_ONCE - 1}
    assert await desk.balances() == {"claims": 60_000, "cash": -60_000}


async def test_q42_goods_that_are_given_back_are_not_repaid_too(desk: Desk) -> None:
    claim = await a_paid_loss(desk, new_id("pol"))

    claim = done(await found(desk, claim, goods_returned=True))

    assert (claim["state"], claim["repayments"]) == ("PAID", [])
    refused(await found(desk, claim), 409, "already-shown")


async def test_only_a_loss_that_was_paid_can_be_found(desk: Desk, dollars: Desk) -> None:
    delay = await a_delay(desk)
    refused(await found(desk, await paid(desk, delay)), 409, "not-a-loss")
    loss = await a_dear_loss(dollars, new_id("pol"))
    refused(await found(dollars, loss), 409, "claim-not-paid")
    loss = await accept(dollars, loss)
    refused(await found(dollars, loss), 409, "claim-not-paid")


async def test_a_closed_claim_waits_for_its_money_and_is_closed_again(desk: Desk) -> None:
    claim = await a_paid_loss(desk, new_id("pol"))
    await desk.rows(
        "UPDATE claims SET state = 'CLOSED', closed_at = $2 WHERE tenant_id = $1 RETURNING 1",
        at(NOW),
    )

    claim = done(await found(desk, claim))
    assert claim["state"] == "RECOVERY"
    listed = done(await desk.get("/v1/repayments?state=OPEN"))
    assert listed["items"] == claim["repayments"]
    due = claim["repayments"][0]["repayment_id"]
    done(await repay(desk, claim, 10_000, "r-1"))
    path = f"/v1/repayments/{due}/write-off"
    written = done(await desk.post(path, {"why": "They moved away."}))

    assert (written["state"], written["note"]) == ("WRITTEN_OFF", "They moved away. (tests)")
    refused(await desk.post(path, {"why": "Again."}), 409, "repayment-settled")
    refused(await repay(desk, claim, 1, "r-2"), 409, "repayment-settled")
    assert (await desk.show(claim))["state"] == "CLOSED"
    assert (done(await desk.get("/v1/repayments?state=OPEN")))["items"] == []
    assert await desk.balances() == {"claims": 110_000, "cash": -110_000}


async def test_after_fraud_all_is_due_that_was_paid_and_is_not_asked_back_yet(
    desk: Desk,
) -> None:
    claim = done(await found(desk, await a_paid_loss(desk, new_id("pol"))))
    path = f"/v1/claims/{claim['claim_id']}/fraud"

    claim = done(await desk.post(path, {"why": "The papers were made up."}))

    assert dues(claim) == [
        ("PARCEL_FOUND", "OPEN", 60_000),
        ("FRAUD", "OPEN", 60_000),
    ]
    assert await desk.balances() == {"cash": -120_000, "recovery": 120_000}
    refused(await desk.post(path, {"why": "Again."}), 409, "already-shown")
    # The other repayment, but under this claim alone.
    other = await a_paid_loss(desk, new_id("pol"))
    due = claim["repayments"][1]["repayment_id"]
    refused(await repay(desk, other, 1, "r-1", due), 404, "unknown-repayment")
    done(await repay(desk, claim, 60_000, "r-1", due))
    assert (await desk.show(claim))["state"] == "RECOVERY"


async def test_fraud_stops_what_is_not_out_yet_and_waits_for_what_is_on_its_way(
    desk: Desk, dollars: Desk
) -> None:
    claim = await accept(dollars, await a_dear_loss(dollars, new_id("pol")))
    body, path = {"why": "The papers were made up."}, f"/v1/claims/{claim['claim_id']}/fraud"
    refused(await dollars.post(path, body), 409, "claim-not-paid")
    claim = await sent(dollars, claim)
    refused(await dollars.post(path, body), 409, "payout-under-way")

    # A voucher that is not used yet is nobody's any more, and nothing is asked for it.
    voucher = await a_voucher(desk, new_id("pol"))
    returned = f"/v1/claims/{voucher['claim_id']}"
    shown = done(await desk.post(f"{returned}/fraud", body))
    assert (shown["state"], shown["repayments"]) == ("PAID", [])
    assert shown["vouchers"][0]["state"] == "EXPIRED"


async def test_a_found_parcel_and_fraud_want_their_scopes(desk: Desk) -> None:
    claim = await a_paid_loss(desk, new_id("pol"))
    path, poor = f"/v1/claims/{claim['claim_id']}", desk.token(desk.tenant, [CLAIMS_DECIDE])
    response = await desk.client.post(f"{path}/fraud", json={"why": "Why?"}, headers=poor)
    refused(response, 403, "forbidden")
    rich = desk.token(desk.tenant, [CLAIMS_MANAGE])
    body = {"found_at": "2024-03-02T08:00:00Z", "note": "It lay in the depot."}
    response = await desk.client.post(f"{path}/found", json=body, headers=rich)
    refused(response, 403, "forbidden")


# --- advances ----------------------------------------------------------------------------------


async def an_advanced_damage(desk: Desk) -> Json:
    """Of 400.00 of damage 350.00 are proven, and paid ahead of the insurer."""
    policy_id = new_id("pol")
    way = tracked(policy_id, state="RUN_OFF", delivered_at="2024-03-01T07:00")
    await desk.hears(*way_of(policy_id, "tks-warehouse", tenant=desk.tenant, tracking=way))
    kinds = (
        "delivery_record", "proof_of_insured_value", "delivery_certificate", "damage_photos",
        "dispute_or_refund_screenshot", "carrier_damage_report",
    )  # fmt: skip
    worth = amount(40_000)
    claim = await desk.a_claim(
        "DAMAGE",
        policy_id=policy_id,
        claimed_value=worth,
        refund_to_buyer=worth,
        evidence_ids=await desk.papers(*kinds, policy_id=policy_id),
    )
    path = f"/v1/claims/{claim['claim_id']}"
    done(
        await desk.post(
            f"{path}/decision",
            {"findings": {"proven_value": amount(35_000)}, "settles": False},
        )
    )
    done(await desk.post(f"{path}/advance", {}))
    return await paid(desk, claim)


async def test_tk_21_a_clawback_is_a_repayment(desk: Desk) -> None:
    claim = await an_advanced_damage(desk)
    response = await desk.post(
        f"/v1/claims/{claim['claim_id']}/recoveries",
        {
            "source": "insurer",
            "reference": "i-1",
            "amount": amount(10_000),
            "is_fraud": True,
        },
    )
    done(response)

    claim = await desk.show(claim)
    assert (claim["state"], dues(claim)) == ("RECOVERY", [("FRAUD", "OPEN", 25_000)])
    assert minor(claim["reserve"]) == 0
    assert await desk.balances() == {"cash": -25_000, "recovery": 25_000}
    done(await repay(desk, claim, 25_000, "r-1"))
    assert await desk.balances() == {}


async def test_tk_21_an_excess_and_a_difference_of_one_decision_are_paid_apart_and_once(
    desk: Desk,
) -> None:
    claim = await an_advanced_damage(desk)
    # More is proven, and paid before the insurer answers.
    claim = await paid(desk, await accept(desk, claim, proven_value=amount(40_000)))
    assert claim["state"] == "PAID"

    done(await recover(desk, claim, amount(42_000), "insurer"))

    claim = await paid(desk, claim)
    assert [(p["kind"], p["state"], minor(p["amount"])) for p in claim["payouts"]] == [
        ("ADVANCE", "CONFIRMED", 35_000),
        ("PAYOUT", "CONFIRMED", 5_000),
        # Of the insurer's 70.00 above the advance, 50.00 were with the seller already.
        ("EXCESS", "CONFIRMED", 2_000),
    ]
    assert claim["state"] == "PAID"
    assert await desk.balances() == {}


async def test_an_advance_is_asked_back_once_whoever_shows_the_fraud(desk: Desk) -> None:
    claim = await an_advanced_damage(desk)
    path = f"/v1/claims/{claim['claim_id']}"
    done(await desk.post(f"{path}/fraud", {"why": "The papers were made up."}))
    refusal = {"source": "insurer", "reference": "i-1", "amount": amount(0), "is_fraud": True}

    done(await desk.post(f"{path}/recoveries", refusal))

    claim = await desk.show(claim)
    assert (claim["state"], dues(claim)) == ("RECOVERY", [("FRAUD", "OPEN", 35_000)])
    assert await desk.balances() == {"cash": -35_000, "recovery": 35_000}
