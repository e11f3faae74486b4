"""Vouchers for a second shipment: issued once, used once, to the cent, or lapsed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from libs.common.auth import CLAIMS_READ
from libs.common.ids import new_id
from tests.claims.desk import Desk, done, refused
from tests.claims.money import (
    NOW,
    a_return,
    a_voucher,
    books_are_sound,
    minor,
    sent,
    settle,
    usd,
)
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import OTHER_TENANT, Json, amount
from tests.policy.serving import served

AT_ONCE = 50
# Twelve months from 2 March 2024, in Shanghai: the last instant, and the first that is too late.
LAST, TOO_LATE = "2025-03-02T15:59:59.999999", "2025-03-02T16:00:00"


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> AsyncIterator[Desk]:
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(app_of, db_of, token, policy_url=url)
        await desk.at(NOW)
        yield desk
        await books_are_sound(desk)


async def redeem(
    desk: Desk, voucher: Json, fee: Json, reference: str = "second-1"
) -> httpx.Response:
    path = f"/v1/vouchers/{voucher['voucher_id']}/redemption"
    return await desk.post(path, {"second_fee": fee, "reference": reference})


async def test_cs_29_a_return_is_paid_by_a_voucher_and_no_payment_system(desk: Desk) -> None:
    claim = await a_return(desk, new_id("pol"))
    claim = await sent(desk, claim)

    (voucher,), (payout,) = claim["vouchers"], claim["payouts"]
    assert (voucher["state"], minor(voucher["value"])) == ("ISSUED", 35_000)
    assert voucher["expires_on"] == "2025-03-02"
    assert (payout["state"], payout["reference"]) == ("CONFIRMED", voucher["voucher_id"])
    assert claim["state"] == "PAID"
    said = await desk.said(claim["policy_id"])
    assert said == ["ClaimFiled", "ClaimDecided", "VoucherIssued", "PayoutSettled"]
    refused(await settle(desk, payout), 409, "payout-not-sent")
    assert await desk.balances() == {"claims": 35_000, "voucher": -35_000}

    # Found again by what its owner says, and by nobody else.
    spoken = voucher["code"].replace("-", " ").lower()
    for asked in (voucher["code"], spoken):
        listed = await desk.client.get(
            "/v1/vouchers", params={"code": asked}, headers=desk.token(desk.tenant)
        )
        assert (done(listed))["items"] == [voucher]
    other = desk.of(OTHER_TENANT)
    assert (done(await other.get(f"/v1/vouchers?code={voucher['code']}")))["items"] == []
    path = f"/v1/vouchers/{voucher['voucher_id']}"
    assert done(await desk.get(path)) == voucher
    refused(await other.get(path), 404, "unknown-voucher")
    refused(await redeem(other, voucher, amount(1)), 404, "unknown-voucher")


async def test_cs_29_cs_30_the_customer_pays_the_difference_and_what_is_left_lapses(
    desk: Desk,
) -> None:
    cases = [
        # The second shipment; what is covered, added and lost.
        (35_000, (35_000, 0, 0)),
        (43_000, (35_000, 8_000, 0)),
        (25_000, (25_000, 0, 10_000)),
        (0, (0, 0, 35_000)),
    ]
    spent = lost = 0
    for fee, (covered, added, lapsed) in cases:
        voucher = await a_voucher(desk, new_id("pol"))
        used = done(await redeem(desk, voucher, amount(fee)))

        assert used["state"] == "USED"
        names = ("covered", "customer_pays", "lapsed")
        assert tuple(minor(used[name]) for name in names) == (covered, added, lapsed)
        told = await desk.told_last(voucher["policy_id"])
        assert tuple(minor(told[name]) for name in names) == (covered, added, lapsed)
        spent, lost = spent + covered, lost + lapsed
    # No cash for what is left: it costs nothing.
    assert lost == 45_000
    assert await desk.balances() == {"claims": spent, "cash": -spent}
    assert "lapse_voucher" not in await desk.deadlines()


async def test_cs_37_a_voucher_is_good_for_one_shipment(desk: Desk) -> None:
    voucher = await a_voucher(desk, new_id("pol"))
    refused(await redeem(desk, voucher, usd(1)), 422, "wrong-currency")

    first, again = [await redeem(desk, voucher, amount(30_000)) for _ in range(2)]

    assert (done(again)) == (done(first))
    for fee, reference in ((30_000, "second-2"), (29_999, "second-1")):
        refused(await redeem(desk, voucher, amount(fee), reference), 409, "voucher-used")
    poor = desk.token(desk.tenant, [CLAIMS_READ])
    path = f"/v1/vouchers/{voucher['voucher_id']}/redemption"
    body = {"second_fee": amount(1), "reference": "second-3"}
    refused(await desk.client.post(path, json=body, headers=poor), 403, "forbidden")


async def test_fifty_shipments_at_once_use_a_voucher_once(desk: Desk) -> None:
    voucher = await a_voucher(desk, new_id("pol"))

    answers = await asyncio.gather(
        *(redeem(desk, voucher, amount(30_000), f"second-{n}") for n in range(AT_ONCE))
    )

    assert Counter(r.status_code for r in answers) == {200: 1, 409: AT_ONCE - 1}
    assert (await desk.said(voucher["policy_id"])).count("VoucherUsed") == 1
    assert await desk.balances() == {"claims": 30_000, "cash": -30_000}


async def test_a_voucher_is_good_to_the_end_of_its_last_local_day(desk: Desk) -> None:
    used, unused = [await a_voucher(desk, new_id("pol")) for _ in range(2)]

    await desk.at(LAST)
    done(await redeem(desk, used, amount(35_000)))
    await desk.at(TOO_LATE)

    lapsed = done(await desk.get(f"/v1/vouchers/{unused['voucher_id']}"))
    assert (lapsed["state"], minor(lapsed["lapsed"])) == ("EXPIRED", 35_000)
    assert (await desk.said(unused["policy_id"]))[-1] == "VoucherLapsed"
    refused(await redeem(desk, unused, amount(35_000)), 409, "voucher-expired")
    assert await desk.balances() == {"claims": 35_000, "cash": -35_000}


async def test_a_voucher_is_too_late_before_its_deadline_has_fired_too(desk: Desk) -> None:
    voucher = await a_voucher(desk, new_id("pol"))
    await desk.rows("DELETE FROM deadlines WHERE tenant_id = $1 RETURNING 1")
    await desk.at(TOO_LATE)

    refused(await redeem(desk, voucher, amount(35_000)), 409, "voucher-expired")

    assert await desk.balances() == {"claims": 35_000, "voucher": -35_000}
