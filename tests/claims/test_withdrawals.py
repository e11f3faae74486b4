"""Claims taken back until money has gone, alone or for another peril (2.7, JS-12, Q35)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.policy.events import TrackingUpdated
from tests.claims import people
from tests.claims.desk import POLICY_ID, Desk, done, refused, tracked, way_of
from tests.claims.people import adjudicator, manager
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import Json, amount
from tests.policy.serving import fire_due, served

AT_ONCE = 50
NOW = "2024-03-02T09:00"
JSX, TKS = "sbx-jsx-tests", "sbx-tks-tests"


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> AsyncIterator[Desk]:
    """A desk that can send payouts, and knows a parcel that came late."""
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(app_of, db_of, token, policy_url=url)
        await desk.hears(*way_of(tracking=late()))
        await desk.at(NOW)
        yield desk


@pytest.fixture
async def shop(desk: Desk) -> Desk:
    """JS Express's sandbox at the same desk, with a parcel of one peril."""
    shop = desk.of(JSX)
    await shop.hears(*way_of(JSX_POLICY, "jsx-cargo", tenant=JSX, tracking=late(JSX_POLICY)))
    await shop.at(NOW)
    return shop


JSX_POLICY = "pol_01JQZX7Y5V0000000000000002"


def late(policy_id: str = POLICY_ID) -> TrackingUpdated:
    return tracked(policy_id, state="RUN_OFF", delivered_at="2024-03-02T07:00")


async def withdraw(desk: Desk, claim: Json, **body: Any) -> httpx.Response:
    return await desk.post(f"/v1/claims/{claim['claim_id']}/withdrawal", body)


async def swap(desk: Desk, claim: Json, peril: str, **body: Any) -> httpx.Response:
    return await desk.post(f"/v1/claims/{claim['claim_id']}/swap", {"peril": peril, **body})


# --- taken back ------------------------------------------------------------------------------


async def test_an_open_claim_is_taken_back_with_all_that_waits_for_it(desk: Desk) -> None:
    claim = await desk.a_claim("DAMAGE", claimed_value=amount(85_000))
    assert (claim["state"], set(await desk.deadlines())) == (
        "INFO_REQUIRED",
        {"look_again_at_claim", "remind_claimant"},
    )

    withdrawn = done(await withdraw(desk, claim, reason="It was the neighbour's."))

    assert (withdrawn["state"], withdrawn["withdrawal"]["reason"]) == (
        "WITHDRAWN", "It was the neighbour's.",
    )  # fmt: skip
    assert withdrawn["withdrawal"]["withdrawn_by"] == "tests"
    assert set(await desk.deadlines()) == {"forget_claims_files"}
    assert await desk.said() == [
        "ClaimFiled", "ClaimDecided", "EvidenceRequested", "ClaimWithdrawn",
    ]  # fmt: skip
    assert (await desk.told_last())["replaced_by"] == ""
    # Again is no news; nor can anything be done with it.
    assert done(await withdraw(desk, claim)) == withdrawn
    refused(await people.decide(desk, claim), 409, "claim-not-open")
    refused(await swap(desk, claim, "SHORTAGE"), 409, "claim-not-open")
    assert len(await desk.said()) == 4


async def test_an_approved_payout_that_has_not_gone_is_void(desk: Desk) -> None:
    claim = await desk.a_claim()
    assert claim["state"] == "APPROVED"

    withdrawn = done(await withdraw(desk, claim))

    assert (withdrawn["state"], [p["state"] for p in withdrawn["payouts"]]) == (
        "WITHDRAWN",
        ["VOID"],
    )
    assert await desk.balances() == {}
    await fire_due(desk.client, NOW)
    assert set(await desk.deadlines()) == {"forget_claims_files"}
    assert "PayoutSent" not in await desk.said()


async def test_once_money_has_gone_a_claim_stays(desk: Desk, shop: Desk) -> None:
    """JS-12: after payment never; nor while it is under way, nor where it failed."""
    claim = await desk.a_claim()
    await fire_due(desk.client, NOW)
    payout_id = claim["payouts"][0]["payout_id"]
    for state in ("", "FAILED"):
        if state:
            answer = {"state": state, "reference": "bank-1"}
            done(await desk.post(f"/v1/payouts/{payout_id}/settlement", answer))
        refused(await withdraw(desk, claim), 409, "claim-paid")
        refused(await swap(desk, claim, "DAMAGE"), 409, "claim-paid")
    done(await desk.post(f"/v1/payouts/{payout_id}/retry", {}))
    await fire_due(desk.client, NOW)
    answer = {"state": "CONFIRMED", "reference": "bank-2"}
    done(await desk.post(f"/v1/payouts/{payout_id}/settlement", answer))
    refused(await withdraw(desk, claim), 409, "claim-paid")
    assert (await desk.show(claim))["state"] == "PAID"


async def test_what_is_denied_or_not_filed_is_not_taken_back(desk: Desk) -> None:
    denied = await desk.a_claim("LOSS")
    denied = (
        done(await people.decide(desk, denied)) if denied["state"] == "REFERRED" else denied
    )
    assert denied["state"] == "DENIED"
    refused(await withdraw(desk, denied), 409, "claim-not-open")

    lost = "pol_01JQZX7Y5V0000000000000003"
    sign = tracked(lost, lost_at="2024-03-01T01:00")
    await desk.hears(*way_of(lost, tracking=sign))
    (notice,) = done(await desk.get("/v1/claims?state=NOTIFIED"))["items"]
    refused(await withdraw(desk, notice), 409, "claim-not-filed")
    refused(await swap(desk, notice, "DAMAGE"), 409, "claim-not-filed")

    nobodys = await desk.post(
        "/v1/claims", {"tracking_number": "EZ9", "carrier": "ems", "peril": "LOSS"}
    )
    refused(await withdraw(desk, done(nobodys)), 409, "claim-not-open")


async def test_a_claim_taken_back_is_in_no_other_claims_way(desk: Desk) -> None:
    seller = desk.of(TKS)
    policy_id = "pol_01JQZX7Y5V0000000000000004"
    way = tracked(policy_id, accepted_at="2024-01-03T01:00")
    await seller.hears(*way_of(policy_id, "tks-warehouse", tenant=TKS, tracking=way))
    await seller.at(NOW)
    first = await seller.a_claim("LOSS", policy_id=policy_id)
    second = await seller.a_claim("LOSS", policy_id=policy_id)
    assert second["decision"]["reasons"][0]["code"] == "DUPLICATE_CLAIM"

    done(await withdraw(seller, first))
    third = await seller.a_claim("LOSS", policy_id=policy_id)

    codes = [reason["code"] for reason in third["decision"]["reasons"]]
    assert "DUPLICATE_CLAIM" not in codes


async def test_an_open_approval_ends_with_its_claim(desk: Desk) -> None:
    late_policy = "pol_01JQZX7Y5V0000000000000005"
    came = tracked(late_policy, state="RUN_OFF", delivered_at="2024-02-20T07:00")
    await desk.hears(*way_of(late_policy, tracking=came))
    papers = await desk.papers(*people.PAPERS, policy_id=late_policy)
    claim = await desk.a_claim(
        "DAMAGE", policy_id=late_policy, evidence_ids=papers, claimed_value=amount(85_000)
    )
    done(await people.override(adjudicator(desk), claim))
    (approval,) = await people.open_approvals(desk)

    withdrawn = done(await withdraw(desk, claim))

    assert [a["void_why"] for a in withdrawn["approvals"]] == ["CLAIM_WITHDRAWN"]
    refused(await people.answer(manager(desk), approval), 409, "approval-answered")


# --- swapped ---------------------------------------------------------------------------------


async def test_js_12_before_any_payment_another_peril_may_be_chosen(shop: Desk) -> None:
    papers = await shop.papers("value_document", policy_id=JSX_POLICY)
    delay = await shop.a_claim("DELAY", policy_id=JSX_POLICY, evidence_ids=papers)
    blocked = await shop.a_claim("DAMAGE", policy_id=JSX_POLICY)
    assert blocked["decision"]["reasons"][0]["code"] == "OTHER_PERIL_CLAIMED"
    await shop.at("2024-03-05T09:00")
    (photos,) = await shop.papers("damage_photos", policy_id=JSX_POLICY)

    response = await swap(
        shop, delay, "DAMAGE", evidence_ids=[photos], claimed_value=amount(50_000)
    )

    assert response.status_code == 201
    damage = done(response)
    assert damage["peril"] == "DAMAGE"
    assert damage["replaces"] == delay["claim_id"]
    codes = [reason["code"] for reason in damage["decision"]["reasons"]]
    assert "OTHER_PERIL_CLAIMED" not in codes
    # The first contact was about this parcel, whatever was thought to have happened to it.
    assert damage["notified_at"] == delay["notified_at"]
    assert damage["filed_at"] == "2024-03-05T09:00:00Z"
    assert sorted(file["kind"] for file in damage["evidence"]) == [
        "damage_photos",
        "value_document",
    ]
    old = await shop.show(delay)
    assert (old["state"], old["replaced_by"]) == ("WITHDRAWN", damage["claim_id"])
    assert old["evidence"] == []
    assert (await shop.said(JSX_POLICY))[-6:] == [
        "ClaimWithdrawn", "ClaimFiled", "EvidenceAdded", "EvidenceAdded", "ClaimDecided",
        "EvidenceRequested",
    ]  # fmt: skip


async def test_a_swap_is_for_another_peril_and_all_or_nothing(shop: Desk) -> None:
    delay = await shop.a_claim("DELAY", policy_id=JSX_POLICY)
    refused(await swap(shop, delay, "DELAY"), 422, "same-peril")
    refused(await swap(shop, delay, "DAMAGE", item_ids=["i9"]), 422, "unknown-item")
    foreign = {"amount_minor": 1, "currency": "USD"}
    refused(await swap(shop, delay, "DAMAGE", claimed_value=foreign), 422, "wrong-currency")
    missing = ["evd_01JQZX7Y5V0000000000000000"]
    refused(await swap(shop, delay, "DAMAGE", evidence_ids=missing), 422, "unknown-evidence")

    assert await shop.show(delay) == delay
    assert len(done(await shop.get("/v1/claims"))["items"]) == 1


async def test_a_first_notice_of_the_other_peril_becomes_the_new_claim(desk: Desk) -> None:
    policy_id = "pol_01JQZX7Y5V0000000000000006"
    damaged = tracked(policy_id, damaged_at="2024-02-01T01:00")
    await desk.hears(*way_of(policy_id, tracking=damaged))
    (notice,) = done(await desk.get("/v1/claims?state=NOTIFIED"))["items"]
    await desk.at("2024-03-03T09:00")
    shortage = await desk.a_claim("SHORTAGE", policy_id=policy_id, claimed_value=amount(1_000))

    swapped = done(await swap(desk, shortage, notice["peril"], claimed_value=amount(1_000)))

    assert (swapped["claim_id"], swapped["cause"]) == (notice["claim_id"], "damaged")
    # The notice came first: it was the first contact.
    assert swapped["notified_at"] == notice["notified_at"] < shortage["notified_at"]
    assert done(await desk.get("/v1/claims?state=NOTIFIED"))["items"] == []


# --- at once ---------------------------------------------------------------------------------


async def test_of_fifty_withdrawals_at_once_one_has_an_effect(desk: Desk) -> None:
    claim = await desk.a_claim()

    answers = await asyncio.gather(*(withdraw(desk, claim) for _ in range(AT_ONCE)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert (await desk.said()).count("ClaimWithdrawn") == 1
    assert await desk.balances() == {}


async def test_of_fifty_swaps_at_once_one_claim_comes(shop: Desk) -> None:
    delay = await shop.a_claim("DELAY", policy_id=JSX_POLICY)

    answers = await asyncio.gather(*(swap(shop, delay, "DAMAGE") for _ in range(AT_ONCE)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: AT_ONCE - 1}
    assert len(done(await shop.get("/v1/claims"))["items"]) == 2


async def test_a_withdrawal_and_a_decision_at_once_leave_nothing_owed(desk: Desk) -> None:
    """Whichever comes first, the claim ends withdrawn: a decision cannot follow, and pays nobody."""
    policy_id = "pol_01JQZX7Y5V0000000000000007"
    came = tracked(policy_id, state="RUN_OFF", delivered_at="2024-03-02T07:00")
    await desk.hears(*way_of(policy_id, tracking=came))
    papers = await desk.papers(*people.PAPERS, policy_id=policy_id)
    claim = await desk.a_claim(
        "DAMAGE", policy_id=policy_id, evidence_ids=papers, claimed_value=amount(10_000)
    )
    assert claim["state"] == "REFERRED"

    answers = await asyncio.gather(
        *(people.decide(desk, claim, findings=people.SEEN) for _ in range(10)),
        *(withdraw(desk, claim) for _ in range(10)),
    )
    await fire_due(desk.client, NOW)

    assert Counter(answer.status_code for answer in answers[10:]) == {200: 10}
    assert {answer.status_code for answer in answers[:10]} <= {200, 409}
    shown = await desk.show(claim)
    assert (shown["state"], {p["state"] for p in shown["payouts"]} <= {"VOID"}) == (
        "WITHDRAWN",
        True,
    )
    assert await desk.balances() == {}


async def test_a_withdrawal_as_the_payout_is_sent_has_the_one_or_the_other(desk: Desk) -> None:
    for number in range(10):
        policy_id = f"pol_01JQZX7Y5V00000000000001{number:02d}"
        await desk.hears(*way_of(policy_id, tracking=late(policy_id), customer_id=policy_id))
        claim = await desk.a_claim(policy_id=policy_id)

        answer, _ = await asyncio.gather(withdraw(desk, claim), fire_due(desk.client, NOW))

        shown = await desk.show(claim)
        end = (answer.status_code, shown["state"], shown["payouts"][0]["state"])
        assert end in ((200, "WITHDRAWN", "VOID"), (409, "PAYING", "SENT"))
        assert (await desk.said(policy_id))[-1] == (
            "ClaimWithdrawn" if end[0] == 200 else "PayoutSent"
        )


async def test_js_16_a_delay_taken_back_uses_up_nothing_of_its_orders_cap(shop: Desk) -> None:
    policies = [f"pol_01JQZX7Y5V00000000000002{number:02d}" for number in range(2)]
    for policy_id in policies:
        way = {"plan": "jsx-cargo", "tenant": JSX, "tracking": late(policy_id)}
        await shop.hears(*way_of(policy_id, order_ref="order-1", **way))
    papers = await shop.papers("value_document", "logistics_document", policy_id=policies[0])
    first = await shop.a_claim("DELAY", policy_id=policies[0], evidence_ids=papers)
    assert (first["state"], first["decision"]["payout"]["amount_minor"]) == ("APPROVED", 55_200)

    async def counted() -> object:
        second = await shop.a_claim("DELAY", policy_id=policies[1])
        (row,) = await shop.rows(
            "SELECT facts ->> 'order_delay_paid' AS paid FROM decisions "
            "WHERE tenant_id = $1 AND claim_id = $2",
            second["claim_id"],
        )
        return row["paid"]

    assert await counted() == "552.00"
    done(await withdraw(shop, first))
    assert await counted() in ("0", "0.00")
