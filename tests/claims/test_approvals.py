"""Large approvals take a manager, large payouts a second person; each is asked for and answered once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from libs.common.ids import new_id
from libs.common.money import money
from services.policy.events import PolicyVoided
from tests.claims import people
from tests.claims.builders import at
from tests.claims.desk import Desk, told, tracked, way_of
from tests.claims.people import adjudicator, cashier, done, manager, refused
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import OTHER_TENANT, Json, amount
from tests.policy.serving import fire_due, served

AT_ONCE = 50
NOW = "2024-02-03T02:00"
TKS = "sbx-tks-tests"
# CSSBuy's and Takesendship's four_eyes_above, which is their adjudicators' limit too: 5,000.00.
LIMIT = 500_000


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> AsyncIterator[Desk]:
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        yield await Desk.open(app_of, db_of, token, policy_url=url)


async def a_damage(desk: Desk, claimed: int) -> Json:
    """A damage told in time on a parcel worth 9,000.00: proposed to be approved."""
    await people.deliver_parcel(desk, "9000", NOW)
    papers = await people.upload(desk, *people.PAPERS)
    return await desk.a_claim("DAMAGE", evidence_ids=papers, claimed_value=amount(claimed))


async def a_delay(desk: Desk) -> Json:
    """A fifth of a freight of 30,000.00, which no person decides: 6,000.00."""
    late = tracked(state="RUN_OFF", delivered_at="2024-03-02T07:00")
    await desk.hears(*way_of(tracking=late, shipping_fee=money(Decimal(30_000), "CNY")))
    await desk.at("2024-03-02T09:00")
    return await desk.a_claim()


async def settle(desk: Desk, claim: Json) -> Json:
    return done(await people.decide(desk, claim, findings=people.SEEN))


async def the_open(desk: Desk) -> Json:
    (approval,) = await people.open_approvals(desk)
    return approval


# --- authority -------------------------------------------------------------------------------


async def test_what_is_at_the_limit_an_adjudicator_approves_alone(desk: Desk) -> None:
    claim = await a_damage(desk, LIMIT)

    settled = await settle(adjudicator(desk), claim)

    assert (settled["state"], settled["approvals"]) == ("APPROVED", [])
    assert [payout["state"] for payout in settled["payouts"]] == ["APPROVED"]


async def test_more_than_the_limit_is_for_a_manager(desk: Desk) -> None:
    claim = await a_damage(desk, LIMIT + 1)

    asked = await settle(adjudicator(desk), claim)

    assert (asked["state"], asked["payouts"]) == ("REFERRED", [])
    approval = await the_open(desk)
    assert approval["scope"] == "claims:manage"
    assert "5,000.00" in approval["why"] or "5000.00" in approval["why"]
    assert (
        refused(await people.answer(adjudicator(desk, "bob"), approval), 403, "forbidden")[
            "scope"
        ]
        == "claims:manage"
    )
    done(await people.answer(manager(desk), approval))
    shown = await desk.show(claim)
    assert (shown["state"], shown["decision"]["approved_by"]) == ("APPROVED", "mia")


async def test_a_manager_needs_nobody_to_decide(desk: Desk) -> None:
    claim = await a_damage(desk, LIMIT + 1)

    settled = await settle(manager(desk), claim)

    assert (settled["state"], settled["decision"]["is_settled"]) == ("APPROVED", True)


async def test_a_refused_approval_above_the_limit_waits_for_a_person_again(desk: Desk) -> None:
    claim = await a_damage(desk, LIMIT + 1)
    asked = await settle(adjudicator(desk), claim)

    done(await people.answer(manager(desk), await the_open(desk), is_granted=False))

    shown = await desk.show(claim)
    assert shown["decision"]["number"] == asked["decision"]["number"] + 1
    assert (shown["state"], shown["decision"]["awaits_approval"]) == ("REFERRED", False)


# --- payouts ---------------------------------------------------------------------------------


async def test_a_payout_above_the_limit_waits_for_somebody_who_did_not_decide(
    desk: Desk,
) -> None:
    claim = await a_damage(desk, LIMIT + 1)
    settled = await settle(manager(desk), claim)
    assert [payout["state"] for payout in settled["payouts"]] == ["CREATED"]
    await fire_due(desk.client, NOW)
    approval = await the_open(desk)
    assert (approval["about"], approval["scope"]) == ("payout", "payouts:approve")
    assert (await desk.said())[-2:] == ["ClaimDecided", "ApprovalRequested"]
    both = manager(desk).as_("mia")
    refused(await people.answer(both, approval), 403, "same-person")
    refused(await people.answer(adjudicator(desk), approval), 403, "forbidden")

    done(await people.answer(cashier(desk), approval))
    await fire_due(desk.client, NOW)

    shown = await desk.show(claim)
    assert (shown["state"], [p["state"] for p in shown["payouts"]]) == ("PAYING", ["SENT"])
    assert (await desk.said())[-2:] == ["ApprovalAnswered", "PayoutSent"]


async def test_a_delay_above_the_limit_waits_too_though_nobody_decided_it(desk: Desk) -> None:
    claim = await a_delay(desk)

    assert (claim["state"], claim["decision"]["decided_by"]) == ("APPROVED", "engine")
    assert [payout["state"] for payout in claim["payouts"]] == ["CREATED"]
    assert (await the_open(desk))["asked_by"] == "engine"
    done(await people.answer(cashier(desk), await the_open(desk)))
    assert (await desk.show(claim))["payouts"][0]["state"] == "APPROVED"


async def test_a_refused_payout_is_booked_back_and_its_claim_waits_for_a_person(
    desk: Desk,
) -> None:
    claim = await a_delay(desk)
    assert await desk.balances() == {"claims": 600_000, "payout": -600_000}

    approval = await the_open(desk)
    done(await people.answer(cashier(desk), approval, is_granted=False, note="Which freight?"))

    shown = await desk.show(claim)
    assert (shown["state"], [p["state"] for p in shown["payouts"]]) == ("REFERRED", ["VOID"])
    assert [a["note"] for a in shown["approvals"]] == ["Which freight?"]
    # It is owed to nobody, and put by for whatever is decided.
    assert await desk.balances() == {"claims": 600_000, "reserve": -600_000}
    # The engine does not pay it by itself at the next news, and a person's word is asked about again.
    news = tracked(
        state="RUN_OFF", delivered_at="2024-03-02T07:00", returned_at="2024-03-03T07:00"
    )
    await desk.hears(told(news, 5))
    assert (await desk.show(claim))["state"] == "REFERRED"
    again = await settle(manager(desk), claim)
    assert [p["state"] for p in again["payouts"]] == ["VOID", "CREATED"]
    done(await people.answer(cashier(desk), await the_open(desk)))
    await fire_due(desk.client, "2024-03-02T09:00")
    assert (await desk.show(claim))["state"] == "PAYING"


async def test_a_payout_agreed_to_too_late_is_void(desk: Desk) -> None:
    """The cover was void before anybody had agreed: nothing told the claim, which was decided."""
    claim = await a_delay(desk)
    approval = await the_open(desk)
    event = PolicyVoided(
        policy_id=claim["policy_id"], cause="fraud", voided_at=at("2024-03-02T08:00")
    )
    await desk.hears(told(event, 5))

    said = done(await people.answer(cashier(desk), approval))

    assert (said["state"], said["void_why"]) == ("VOID", "PROPOSAL_CHANGED")
    shown = await desk.show(claim)
    assert (shown["state"], [p["state"] for p in shown["payouts"]]) == ("DENIED", ["VOID"])
    assert await desk.balances() == {}


async def test_an_advance_above_the_limit_waits_and_may_be_asked_for_again(desk: Desk) -> None:
    seller = desk.of(TKS)
    value = money(Decimal(8_000), "CNY")
    terms = {"insured_value": value, "goods_value": value, "eligible_goods_value": value}
    arrived = tracked(
        state="RUN_OFF", accepted_at="2024-01-03T01:00", delivered_at=people.DELIVERED
    )
    await seller.hears(*way_of(plan="tks-warehouse", tenant=TKS, tracking=arrived, **terms))
    await seller.at(NOW)
    kinds = (
        "delivery_record", "proof_of_insured_value", "delivery_certificate", "damage_photos",
        "dispute_or_refund_screenshot", "carrier_damage_report",
    )  # fmt: skip
    papers = await people.upload(seller, *kinds)
    claim = await seller.a_claim("DAMAGE", evidence_ids=papers, claimed_value=amount(600_000))
    found = {"proven_value": amount(600_000), "refund_to_buyer": amount(600_000)}
    done(await people.decide(seller, claim, findings=found, settles=False))
    path = f"/v1/claims/{claim['claim_id']}/advance"
    ada = adjudicator(seller)

    advanced = done(await ada.post(path, {}))
    assert [(p["kind"], p["state"]) for p in advanced["payouts"]] == [("ADVANCE", "CREATED")]
    insurers = {"source": "insurer", "reference": "i-1", "amount": amount(600_000)}
    early = await ada.post(f"/v1/claims/{claim['claim_id']}/recoveries", insurers)
    refused(early, 409, "nothing-advanced")
    done(await people.answer(cashier(seller), await the_open(seller), is_granted=False))

    assert await seller.balances() == {"claims": 600_000, "reserve": -600_000}
    assert (await seller.show(claim))["state"] == "REFERRED"
    again = done(await ada.post(path, {}))
    assert [p["state"] for p in again["payouts"]] == ["VOID", "CREATED"]
    # Once the claim itself is decided, it pays the whole, and no advance is left to agree to.
    settled = await settle(manager(seller), claim)
    assert Counter((p["kind"], p["state"]) for p in settled["payouts"]) == {
        ("ADVANCE", "VOID"): 2, ("PAYOUT", "CREATED"): 1,
    }  # fmt: skip
    asked = Counter((a["state"], a["void_why"]) for a in settled["approvals"])
    assert asked == {("REFUSED", ""): 1, ("VOID", "DECIDED"): 1, ("OPEN", ""): 1}
    assert await seller.balances() == {"claims": 600_000, "payout": -600_000}


# --- answers ---------------------------------------------------------------------------------


async def test_the_same_answer_again_is_no_news_and_another_is_refused(desk: Desk) -> None:
    claim = await a_damage(desk, LIMIT + 1)
    await settle(manager(desk), claim)
    approval = await the_open(desk)
    cai, dee = cashier(desk, "cai"), cashier(desk, "dee")

    first = done(await people.answer(cai, approval))

    assert done(await people.answer(cai, approval)) == first
    refused(await people.answer(cai, approval, is_granted=False), 409, "approval-answered")
    refused(await people.answer(dee, approval), 409, "approval-answered")
    assert (await desk.said()).count("ApprovalAnswered") == 1


async def test_of_fifty_answers_at_once_one_counts(desk: Desk) -> None:
    claim = await a_damage(desk, LIMIT + 1)
    await settle(manager(desk), claim)
    approval = await the_open(desk)

    answers = await asyncio.gather(
        *(
            people.answer(
                cashier(desk, f"person-{number}"), approval, is_granted=number % 2 == 0
            )
            for number in range(AT_ONCE)
        )
    )

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: AT_ONCE - 1}
    (said,) = [answer.json() for answer in answers if answer.status_code == 200]
    shown = await desk.show(claim)
    assert [a for a in shown["approvals"] if a["state"] != "VOID"] == [said]
    is_granted = said["state"] == "GRANTED"
    assert [p["state"] for p in shown["payouts"]] == ["APPROVED" if is_granted else "VOID"]
    # Refused, it waits for a person again, and is reserved for.
    owed = "payout" if is_granted else "reserve"
    assert await desk.balances() == {"claims": LIMIT + 1, owed: -LIMIT - 1}


async def test_approvals_are_listed_by_state_newest_first_and_for_nobody_else(
    desk: Desk,
) -> None:
    claim = await a_damage(desk, LIMIT + 1)
    await settle(adjudicator(desk), claim)
    first = await the_open(desk)
    done(await people.answer(manager(desk), first))
    second = await the_open(desk)

    page = done(await desk.get("/v1/approvals?limit=1"))
    rest = done(await desk.get(f"/v1/approvals?limit=1&cursor={page['next_cursor']}"))

    listed = [one["approval_id"] for one in (*page["items"], *rest["items"])]
    assert listed == [second["approval_id"], first["approval_id"]]
    assert rest["next_cursor"] is None
    granted = done(await desk.get("/v1/approvals?state=GRANTED&about=decision"))["items"]
    assert [one["approval_id"] for one in granted] == [first["approval_id"]]
    refused(await desk.get("/v1/approvals?state=open"), 422, "invalid-request")
    refused(await desk.get("/v1/approvals?cursor=nonsense"), 422, "bad-cursor")
    other = desk.of(OTHER_TENANT)
    assert done(await other.get("/v1/approvals"))["items"] == []
    for theirs in (second, {"approval_id": new_id("apr")}):
        refused(await people.answer(other, theirs), 404, "unknown-approval")
