"""Money that goes out: sent once, settled once, and in the books to the cent."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from structlog.testing import capture_logs

from libs.common.auth import CLAIMS_WRITE
from libs.common.ids import new_id
from tests.claims.desk import Desk, refused, tracked, way_of
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import OTHER_TENANT, Json, amount
from tests.policy.serving import fire_due, served

NOW = "2024-03-02T09:00"
AT_ONCE = 50


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> AsyncIterator[Desk]:
    """A desk that has approved a delay of 70.00, whose payout is still to be sent."""
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(app_of, db_of, token, policy_url=url)
        late = tracked(state="RUN_OFF", delivered_at="2024-03-02T07:00")
        await desk.hears(*way_of(tracking=late))
        await desk.at(NOW)
        yield desk


@pytest.fixture
async def claim(desk: Desk) -> Json:
    filed = await desk.a_claim()
    assert [payout["state"] for payout in filed["payouts"]] == ["APPROVED"]
    return filed


@pytest.fixture
async def sent(desk: Desk, claim: Json) -> Json:
    """The claim once its payout is out."""
    await fire_due(desk.client, NOW)
    return await desk.show(claim)


async def settle(
    desk: Desk, claim: Json, state: str = "CONFIRMED", reference: str = "bank-1"
) -> httpx.Response:
    path = f"/v1/payouts/{claim['payouts'][0]['payout_id']}/settlement"
    return await desk.post(path, {"state": state, "reference": reference})


async def transfers(desk: Desk) -> Counter[str]:
    rows = await desk.rows("SELECT kind FROM ledger_transfers WHERE tenant_id = $1")
    return Counter(row["kind"] for row in rows)


async def test_an_approved_payout_is_owed_and_then_sent(desk: Desk, claim: Json) -> None:
    assert claim["state"] == "APPROVED"
    assert await desk.balances() == {"claims": 7_000, "payout": -7_000}

    await fire_due(desk.client, NOW)

    shown = await desk.show(claim)
    (payout,) = shown["payouts"]
    assert (shown["state"], payout["state"]) == ("PAYING", "SENT")
    assert payout["sent_at"] == claim["decision"]["decided_at"]
    assert await desk.said() == ["ClaimFiled", "ClaimDecided", "PayoutSent"]
    told = await desk.told_last()
    assert (told["payout_id"], told["amount"]) == (payout["payout_id"], amount(7_000))
    # An instruction moves no money yet.
    assert await desk.balances() == {"claims": 7_000, "payout": -7_000}


async def test_a_payout_is_sent_once(desk: Desk, sent: Json) -> None:
    payout_id = sent["payouts"][0]["payout_id"]
    async with desk.db.transaction(desk.tenant) as tx:
        # As if the process had died after the deadline was set again by somebody.
        await tx.execute(
            "INSERT INTO deadlines SELECT $1, 'send_payout', $2, decided_at FROM decisions "
            "WHERE tenant_id = $1 LIMIT 1",
            desk.tenant,
            payout_id,
        )

    await fire_due(desk.client, NOW)

    assert (await desk.said()).count("PayoutSent") == 1
    assert list(await desk.deadlines()) == ["close_claim"]


async def test_while_the_policys_owner_is_away_no_money_goes_out(
    app_of: AppOf, db_of: DbOf, token: Token
) -> None:
    desk = await Desk.open(app_of, db_of, token)
    await desk.hears(*way_of())
    await desk.at(NOW)
    claim = await desk.a_claim()

    with capture_logs() as log:
        await fire_due(desk.client, NOW)

    assert [line["event"] for line in log if line["log_level"] in ("warning", "error")] == [
        "deadline_waits"
    ]
    assert (await desk.show(claim))["payouts"][0]["state"] == "APPROVED"
    # It is tried again later.
    assert "send_payout" in await desk.deadlines()


async def test_a_confirmed_payout_is_paid_and_leaves_the_books(desk: Desk, sent: Json) -> None:
    response = await settle(desk, sent)

    assert response.status_code == 200
    payout = response.json()
    assert (payout["state"], payout["reference"]) == ("CONFIRMED", "bank-1")
    assert (await desk.show(sent))["state"] == "PAID"
    assert await desk.said() == ["ClaimFiled", "ClaimDecided", "PayoutSent", "PayoutSettled"]
    assert (await desk.told_last())["state"] == "CONFIRMED"
    assert await desk.balances() == {"claims": 7_000, "cash": -7_000}
    assert await transfers(desk) == {"payout": 1, "payout-settled": 1}


async def test_the_books_sum_to_zero_transfer_by_transfer(desk: Desk, sent: Json) -> None:
    await settle(desk, sent)

    unbalanced = await desk.rows(
        "SELECT transfer_id FROM ledger_entries WHERE tenant_id = $1 "
        "GROUP BY transfer_id, currency HAVING sum(amount_minor) <> 0"
    )
    assert unbalanced == []


async def test_the_same_settlement_again_is_no_news(desk: Desk, sent: Json) -> None:
    first, again = await settle(desk, sent), await settle(desk, sent)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert (await desk.said()).count("PayoutSettled") == 1
    assert (await transfers(desk))["payout-settled"] == 1


@pytest.mark.parametrize(
    ("state", "reference"), [("CONFIRMED", "bank-2"), ("FAILED", "bank-1")]
)
async def test_another_answer_to_a_settled_payout_is_refused(
    desk: Desk, sent: Json, state: str, reference: str
) -> None:
    await settle(desk, sent)

    refused(await settle(desk, sent, state, reference), 409, "payout-settled-otherwise")

    assert await desk.balances() == {"claims": 7_000, "cash": -7_000}


async def test_a_payout_that_was_not_sent_cannot_be_settled(desk: Desk, claim: Json) -> None:
    refused(await settle(desk, claim), 409, "payout-not-sent")

    assert await desk.balances() == {"claims": 7_000, "payout": -7_000}


async def test_a_failed_payout_moves_no_money(desk: Desk, sent: Json) -> None:
    response = await settle(desk, sent, "FAILED")

    assert response.json()["state"] == "FAILED"
    assert (await desk.told_last())["state"] == "FAILED"
    assert (await desk.show(sent))["state"] != "PAID"
    # It is still owed.
    assert await desk.balances() == {"claims": 7_000, "payout": -7_000}


async def test_twenty_confirming_a_payout_at_once_confirm_it_once(
    desk: Desk, sent: Json
) -> None:
    answers = await asyncio.gather(*(settle(desk, sent) for _ in range(AT_ONCE)))

    assert {r.status_code for r in answers} == {200}
    assert len({r.content for r in answers}) == 1
    assert (await desk.said()).count("PayoutSettled") == 1
    assert await transfers(desk) == {"payout": 1, "payout-settled": 1}
    assert await desk.balances() == {"claims": 7_000, "cash": -7_000}


async def test_of_twenty_different_answers_at_once_one_stands(desk: Desk, sent: Json) -> None:
    answers = await asyncio.gather(
        *(settle(desk, sent, reference=f"bank-{number}") for number in range(AT_ONCE))
    )

    assert Counter(r.status_code for r in answers) == {200: 1, 409: AT_ONCE - 1}
    (accepted,) = [r.json() for r in answers if r.status_code == 200]
    assert (await desk.show(sent))["payouts"] == [accepted]
    assert await desk.balances() == {"claims": 7_000, "cash": -7_000}


async def test_an_unknown_payout_and_anothers_get_the_same_answer(
    desk: Desk, sent: Json
) -> None:
    other = desk.of(OTHER_TENANT)
    unknown = new_id("pyt")
    mine = sent["payouts"][0]["payout_id"]

    problems = [
        refused(await settle(other, {"payouts": [{"payout_id": one}]}), 404, "unknown-payout")
        for one in (unknown, mine)
    ]

    assert str(problems[0]).replace(unknown, "<id>") == str(problems[1]).replace(mine, "<id>")


OF_WRONG_FORM: tuple[Json, ...] = (
    {"state": "CONFIRMED"},
    {"reference": "bank-1"},
    {"state": "SENT", "reference": "bank-1"},
    {"state": "CONFIRMED", "reference": ""},
    {"state": "CONFIRMED", "reference": "bank-1", "amount": amount(1)},
)


async def test_refuses_an_answer_of_the_wrong_form(desk: Desk, sent: Json) -> None:
    path = f"/v1/payouts/{sent['payouts'][0]['payout_id']}/settlement"

    for body in OF_WRONG_FORM:
        refused(await desk.post(path, body), 422, "invalid-request")


async def test_a_claimant_does_not_settle_payouts(desk: Desk, sent: Json) -> None:
    response = await desk.client.post(
        f"/v1/payouts/{sent['payouts'][0]['payout_id']}/settlement",
        json={"state": "CONFIRMED", "reference": "bank-1"},
        headers=desk.token(desk.tenant, [CLAIMS_WRITE]),
    )

    refused(response, 403, "forbidden")


CHANGES = (
    "UPDATE ledger_entries SET amount_minor = 1",
    "DELETE FROM ledger_transfers",
    "UPDATE decisions SET payout_minor = 1",
    "DELETE FROM decisions",
)


async def test_what_was_decided_and_booked_cannot_be_changed(desk: Desk, claim: Json) -> None:
    for statement in CHANGES:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with desk.db.transaction(desk.tenant) as tx:
                await tx.execute(statement)

    assert await desk.show(claim) == claim


async def test_a_failed_payout_is_sent_again_and_paid_once(desk: Desk, sent: Json) -> None:
    await settle(desk, sent, "FAILED", "bank-1")
    path = f"/v1/payouts/{sent['payouts'][0]['payout_id']}/retry"
    again = await desk.post(path, {})
    assert again.json()["state"] == "APPROVED"
    refused(await desk.post(path, {}), 409, "payout-not-failed")

    await fire_due(desk.client, NOW)
    await settle(desk, sent, "CONFIRMED", "bank-2")
    shown = await desk.show(sent)
    assert (shown["state"], [p["state"] for p in shown["payouts"]]) == ("PAID", ["CONFIRMED"])
    assert await desk.balances() == {"claims": 7_000, "cash": -7_000}


async def test_a_carrier_that_pays_after_the_insurance_owes_back_what_is_above_the_loss(
    desk: Desk, sent: Json
) -> None:
    """BM-24, and the same for a delay: 70 of a freight of 350 is paid, the carrier pays 300."""
    await settle(desk, sent)
    path = f"/v1/claims/{sent['claim_id']}/recoveries"
    body = {"source": "carrier", "reference": "c-1", "amount": amount(30_000)}
    assert (await desk.post(path, body)).status_code == 201
    assert (await desk.post(path, body)).status_code == 201

    assert (await desk.balances())["recovery"] == 2_000
    too_much = {"source": "carrier", "reference": "c-2", "amount": amount(5_001)}
    refused(await desk.post(path, too_much), 422, "recovery-above-loss")
