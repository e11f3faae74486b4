"""The claims service through its door: filed, deferred, decided by itself, paid; and decided again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from libs.common.auth import CLAIMS_READ
from libs.common.ids import new_id
from libs.common.money import MAX_MINOR
from libs.common.plans.wire import from_wire
from services.claims.domain import adjudicate
from services.policy.domain.policies import Item
from tests.claims.builders import BOOK
from tests.claims.desk import POLICY_ID, Desk, issued, paid, refused, told, tracked, way_of
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import OTHER_TENANT, Json, amount, at, bound, premium_of, said
from tests.policy.serving import served

AT_ONCE = 10
BEFORE_DAY_61 = "2024-03-01T15:59:59.999999"
DAY_61 = "2024-03-01T16:00:00"
TKS = "sbx-tks-tests"


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> Desk:
    """The claims desk of CSSBuy's sandbox. What it needs of policies it has heard."""
    return await Desk.open(app_of, db_of, token)


@pytest.fixture
async def asking_desk(app_of: AppOf, db_of: DbOf, token: Token) -> AsyncIterator[Desk]:
    """A desk that can ask the policy service, which knows nothing more."""
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        yield await Desk.open(app_of, db_of, token, policy_url=url)


def shape_of(problem: Json, policy_id: str) -> str:
    return msgspec.json.encode(problem).decode().replace(policy_id, "<id>")


# --- one late parcel -------------------------------------------------------------------------


async def test_a_claim_too_early_waits_for_its_day(desk: Desk) -> None:
    await desk.at("2024-02-20T00:00")
    await desk.hears(*way_of())

    claim = await desk.a_claim()

    assert (claim["policy_id"], claim["peril"]) == (POLICY_ID, "DELAY")
    assert claim["filed_at"] == claim["notified_at"] == "2024-02-20T00:00:00Z"
    assert (claim["state"], claim["payouts"]) == ("DEFERRED", [])
    decision = claim["decision"]
    assert (decision["outcome"], decision["eligible_on"]) == ("DEFERRED", "2024-03-02")
    assert decision["reasons"][0]["code"] == "TOO_EARLY"
    assert decision["payout"]["amount_minor"] == 0
    assert (await desk.deadlines())["look_again_at_claim"] == at(DAY_61)
    assert await desk.said() == ["ClaimFiled", "ClaimDecided"]
    assert await desk.show(claim) == claim


async def test_a_claim_that_waited_is_decided_by_itself_on_its_day(asking_desk: Desk) -> None:
    desk = asking_desk
    await desk.at("2024-02-20T00:00")
    await desk.hears(*way_of())
    claim = await desk.a_claim()

    await desk.at(BEFORE_DAY_61)
    assert (await desk.show(claim))["state"] == "DEFERRED"
    # However late the clock is looked at, the claim is decided as of its own instant.
    await desk.at("2024-03-05T00:00")

    decision = (await desk.show(claim))["decision"]
    assert (decision["outcome"], decision["number"]) == ("APPROVED", 2)
    assert decision["decided_at"] == "2024-03-01T16:00:00Z"
    assert decision["payout"] == {**amount(7_000), "formatted": "¥70.00"}
    assert await desk.said() == ["ClaimFiled", "ClaimDecided", "ClaimDecided", "PayoutSent"]
    assert (await desk.deadlines()).keys() == {"notice_silence", "close_claim"}


@pytest.mark.parametrize(
    ("now", "outcome"), [(BEFORE_DAY_61, "DEFERRED"), (DAY_61, "APPROVED")]
)
async def test_day_61_begins_at_midnight_in_shanghai(
    desk: Desk, now: str, outcome: str
) -> None:
    await desk.at(now)
    await desk.hears(*way_of())

    assert (await desk.a_claim())["decision"]["outcome"] == outcome


async def test_a_parcel_delivered_on_day_61_is_paid_a_fifth_of_its_freight(desk: Desk) -> None:
    await desk.hears(
        *way_of(tracking=tracked(state="RUN_OFF", delivered_at="2024-03-02T07:00"))
    )
    await desk.at("2024-03-02T09:00")

    claim = await desk.a_claim()

    decision = claim["decision"]
    assert (decision["outcome"], decision["is_settled"]) == ("APPROVED", True)
    assert decision["payout"]["amount_minor"] == 7_000
    assert [line["label"] for line in decision["lines"]] == ["GROSS", "ROUNDED"]
    assert decision["lines"][-1]["after"] == "70.00"
    assert "CS-26" in decision["rule_ids"]
    assert (decision["plan"], decision["plan_version"]) == ("cssecure", 2)
    (payout,) = claim["payouts"]
    assert (payout["state"], payout["amount"]["amount_minor"]) == ("APPROVED", 7_000)
    assert await desk.balances() == {"claims": 7_000, "payout": -7_000}


async def test_a_parcel_delivered_on_day_60_is_not_late(desk: Desk) -> None:
    await desk.hears(
        *way_of(tracking=tracked(state="RUN_OFF", delivered_at="2024-03-01T07:00"))
    )
    await desk.at("2024-03-02T09:00")

    claim = await desk.a_claim()

    decision = claim["decision"]
    assert (decision["outcome"], decision["reasons"][0]["code"]) == ("DENIED", "NOT_DELAYED")
    # On merit: a person has the last word.
    assert (claim["state"], decision["is_settled"]) == ("REFERRED", False)
    # It would cost a fifth of the freight, if that person says otherwise.
    assert await desk.balances() == {"claims": 7_000, "reserve": -7_000}


async def test_says_what_was_decided_in_full(desk: Desk) -> None:
    await desk.hears(*way_of())
    await desk.at("2024-03-02T09:00")

    claim = await desk.a_claim()

    filed, decided = await said(desk.db, POLICY_ID)
    assert [int(filed.sequence), int(decided.sequence)] == [1, 2]
    event = msgspec.json.decode(decided.data)
    decision = claim["decision"]
    assert event["claim_id"] == claim["claim_id"]
    assert event["decision_id"] == decision["decision_id"]
    assert (event["outcome"], event["payout"]) == ("APPROVED", amount(7_000))
    assert event["rule_ids"] == decision["rule_ids"]
    assert [line["after"] for line in event["lines"]] == ["70.0000", "70.00"]


# --- the state of the policy -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([told(issued(), 1)], "NOT_IN_FORCE"),
        ([told(issued(), 1), told(paid(), 2)], "BEFORE_COVER_START"),
    ],
    ids=["not paid", "not dispatched"],
)
async def test_a_claim_on_a_policy_not_in_force_is_denied(
    desk: Desk, steps: list[Any], code: str
) -> None:
    await desk.at("2024-03-02T09:00")
    await desk.hears(*steps)

    claim = await desk.a_claim()

    assert (claim["state"], claim["decision"]["outcome"]) == ("DENIED", "DENIED")
    assert claim["decision"]["reasons"][0]["code"] == code
    assert await desk.balances() == {}


async def test_a_peril_that_the_plan_does_not_pay_is_denied(desk: Desk) -> None:
    await desk.at("2024-03-02T09:00")
    await desk.hears(*way_of())

    claim = await desk.a_claim("TAX")

    assert claim["state"] == "DENIED"
    assert claim["decision"]["reasons"][0]["code"] == "PERIL_NOT_COVERED"


# --- what is no claim ------------------------------------------------------------------------


async def test_an_unknown_policy_and_anothers_get_the_same_answer(asking_desk: Desk) -> None:
    desk = asking_desk
    await desk.hears(*way_of())
    unknown = new_id("pol")
    other = desk.of(OTHER_TENANT)

    problems = [
        refused(await other.file(policy_id=policy_id), 404, "unknown-policy")
        for policy_id in (unknown, POLICY_ID)
    ]

    assert shape_of(problems[0], unknown) == shape_of(problems[1], POLICY_ID)
    assert await desk.said() == []


async def test_eligibility_is_told_before_filing_by_the_rules_that_decide(
    asking_desk: Desk,
) -> None:
    desk = asking_desk
    await desk.at("2024-02-20T00:00")
    await desk.hears(*way_of())

    before = await eligible(desk)
    claim = await desk.a_claim()
    await desk.at(DAY_61)
    after = await eligible(desk)

    assert list(before) == [*BOOK.newest("cssecure").perils]
    delay = before["DELAY"]
    assert (delay["is_open"], delay["earliest"]) == (False, claim["decision"]["eligible_on"])
    assert delay["reasons"] == [claim["decision"]["reasons"][0]["code"]]
    assert delay["opens_at"] == f"{DAY_61}Z"
    assert before["SEIZURE"]["is_open"]
    # The delay has been decided by now, and is not paid a second time (CS-35).
    assert after["DELAY"]["reasons"] == ["BENEFIT_USED"]


async def test_eligibility_of_an_unknown_policy_and_of_anothers_is_the_same_answer(
    asking_desk: Desk,
) -> None:
    desk = asking_desk
    await desk.hears(*way_of())
    unknown = new_id("pol")
    other = desk.of(OTHER_TENANT)

    problems = [
        refused(await other.get(f"/v1/policies/{one}/claim-eligibility"), 404, "unknown-policy")
        for one in (unknown, POLICY_ID)
    ]

    assert shape_of(problems[0], unknown) == shape_of(problems[1], POLICY_ID)


async def eligible(desk: Desk) -> dict[str, Json]:
    response = await desk.get(f"/v1/policies/{POLICY_ID}/claim-eligibility")
    assert response.status_code == 200, response.text
    return {peril["peril"]: peril for peril in response.json()["perils"]}


async def test_an_unknown_claim_and_anothers_get_the_same_answer(desk: Desk) -> None:
    await desk.hears(*way_of())
    claim_id, unknown = (await desk.a_claim())["claim_id"], new_id("clm")
    other = desk.of(OTHER_TENANT)

    problems = [
        refused(await other.get(f"/v1/claims/{one}"), 404, "unknown-claim")
        for one in (unknown, claim_id)
    ]

    assert shape_of(problems[0], unknown) == shape_of(problems[1], claim_id)


async def test_an_item_that_the_parcel_does_not_have_is_named(desk: Desk) -> None:
    await desk.hears(*way_of())

    problem = refused(await desk.file("DAMAGE", item_ids=["i1", "i9"]), 422, "unknown-item")

    assert "i9" in problem["detail"]
    assert "i1" in problem["detail"]
    assert await desk.said() == []


async def test_an_amount_in_another_currency_is_refused(desk: Desk) -> None:
    await desk.hears(*way_of())

    for field in ("claimed_value", "carrier_paid", "refund_to_buyer"):
        more: Json = {field: amount(100, "USD")}
        refused(await desk.file("LOSS", **more), 422, "wrong-currency")

    assert await desk.said() == []


OF_WRONG_FORM: tuple[Json, ...] = (
    {"peril": "BOREDOM"},
    {"peril": "delay"},
    {"peril": None},
    {"causes": ["bad luck"]},
    {"causes": ["water"] * 11},
    {"item_ids": ["i1"] * 101},
    {"event_at": "2024-03-01T00:00:00"},
    {"claimed_value": {"amount_minor": 1.5, "currency": "CNY"}},
    {"claimed_value": amount(-1)},
    {"claimed_value": amount(MAX_MINOR + 1)},
    {"is_whole_parcel": "yes"},
    {"is_whole_parcel": 1},
    {"payout": amount(7_000)},
    {"decision": "APPROVED"},
    {"policy_id": "pol_1"},
)


async def test_a_request_of_the_wrong_form_is_refused(desk: Desk) -> None:
    await desk.hears(*way_of())

    for wrong in OF_WRONG_FORM:
        body = {"policy_id": POLICY_ID, "peril": "DELAY", **wrong}
        refused(await desk.post("/v1/claims", body), 422, "invalid-request")

    assert await desk.said() == []


async def test_reading_does_not_permit_filing(desk: Desk) -> None:
    await desk.hears(*way_of())

    response = await desk.client.post(
        "/v1/claims",
        json={"policy_id": POLICY_ID, "peril": "DELAY"},
        headers=desk.token(desk.tenant, [CLAIMS_READ]),
    )

    refused(response, 403, "forbidden")


# --- requests that come twice, and at once ----------------------------------------------------


async def test_the_same_claim_sent_again_gets_the_first_answer(desk: Desk) -> None:
    await desk.at("2024-03-02T09:00")
    await desk.hears(*way_of())
    body = {"policy_id": POLICY_ID, "peril": "DELAY"}
    first = await desk.post("/v1/claims", body, **{"idempotency-key": "key-1"})

    again = await desk.post("/v1/claims", body, **{"idempotency-key": "key-1"})

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert await desk.said() == ["ClaimFiled", "ClaimDecided"]
    assert await desk.balances() == {"claims": 7_000, "payout": -7_000}


async def test_a_claims_key_does_not_stand_for_another(desk: Desk) -> None:
    await desk.hears(*way_of())
    body = {"policy_id": POLICY_ID, "peril": "DELAY"}
    await desk.post("/v1/claims", body, **{"idempotency-key": "key-1"})

    other = {**body, "peril": "LOSS"}
    response = await desk.post("/v1/claims", other, **{"idempotency-key": "key-1"})

    refused(response, 422, "idempotency-key-reused")


async def test_a_claim_without_a_key_is_not_taken(desk: Desk) -> None:
    await desk.hears(*way_of())
    headers = desk.token(desk.tenant)
    del headers["idempotency-key"]

    response = await desk.client.post(
        "/v1/claims", json={"policy_id": POLICY_ID, "peril": "DELAY"}, headers=headers
    )

    refused(response, 400, "idempotency-key-required")
    assert await desk.said() == []


async def test_twenty_of_the_same_claim_at_once_are_one(desk: Desk) -> None:
    await desk.at("2024-03-02T09:00")
    await desk.hears(*way_of())
    body = {"policy_id": POLICY_ID, "peril": "DELAY"}

    answers = await asyncio.gather(
        *(desk.post("/v1/claims", body, **{"idempotency-key": "key-1"}) for _ in range(20))
    )

    done = [r for r in answers if r.status_code == 201]
    others = [r for r in answers if r.status_code != 201]
    assert len({r.content for r in done}) == 1
    assert {(r.status_code, r.json()["code"]) for r in others} <= {
        (409, "request-still-running")
    }
    assert await desk.said() == ["ClaimFiled", "ClaimDecided"]
    assert await desk.balances() == {"claims": 7_000, "payout": -7_000}


async def test_of_many_delays_claimed_at_once_one_is_paid(desk: Desk) -> None:
    await desk.at("2024-03-02T09:00")
    await desk.hears(*way_of())

    claims = await asyncio.gather(*(desk.a_claim() for _ in range(AT_ONCE)))

    outcomes = Counter(claim["decision"]["outcome"] for claim in claims)
    assert outcomes == {"APPROVED": 1, "DENIED": AT_ONCE - 1}
    refusals = {
        claim["decision"]["reasons"][0]["code"]
        for claim in claims
        if claim["decision"]["outcome"] == "DENIED"
    }
    assert refusals == {"BENEFIT_USED"}
    assert await desk.balances() == {"claims": 7_000, "payout": -7_000}


async def test_where_a_parcel_has_one_claim_one_of_many_at_once_is_it(desk: Desk) -> None:
    seller = desk.of(TKS)
    await seller.at("2024-02-01T00:00")
    await seller.hears(
        *way_of(
            plan="tks-warehouse",
            tenant=TKS,
            tracking=tracked(accepted_at="2024-01-03T01:00"),
        )
    )

    claims = await asyncio.gather(
        *(seller.a_claim("LOSS", is_whole_parcel=True) for _ in range(AT_ONCE))
    )

    first = [claim["decision"]["reasons"][:1] for claim in claims]
    codes = Counter(reasons[0]["code"] if reasons else "" for reasons in first)
    assert codes["DUPLICATE_CLAIM"] == AT_ONCE - 1, codes


async def test_two_parcels_items_are_claimed_apart(desk: Desk) -> None:
    items = tuple(
        Item(item_id=f"i{n}", item_class="shoes", quantity=1, value=premium_of(bound(), 42_500))
        for n in (1, 2)
    )
    await desk.at("2024-03-02T09:00")
    delivered = tracked(state="RUN_OFF", delivered_at="2024-03-02T07:00")
    await desk.hears(*way_of(tracking=delivered, items=items))

    claims = [await desk.a_claim("SHORTAGE", item_ids=[item]) for item in ("i1", "i2")]

    # Each waits for its own video; neither is in the other's way.
    assert [claim["state"] for claim in claims] == ["INFO_REQUIRED"] * 2


# --- decided again ---------------------------------------------------------------------------


async def test_every_stored_decision_is_made_again_from_its_stored_facts(desk: Desk) -> None:
    await desk.at("2024-02-20T00:00")
    await desk.hears(*way_of())
    await desk.a_claim()
    await desk.a_claim("LOSS", is_whole_parcel=True, causes=["unknown"])
    await desk.a_claim("SHORTAGE", item_ids=["i1"], carrier_paid=amount(1_000))
    await desk.at("2024-03-02T09:00")
    await desk.a_claim()

    rows = await desk.rows("SELECT * FROM decisions WHERE tenant_id = $1 ORDER BY decision_id")

    assert len(rows) >= 5
    for row in rows:
        plan = BOOK.pinned(row["plan_sha256"])
        facts = from_wire(msgspec.json.decode(row["facts"]), plan.zone)
        decision = adjudicate(plan, str(facts["peril"]), facts)
        remade = msgspec.json.decode(msgspec.json.encode(decision))
        assert remade == msgspec.json.decode(row["decision"])
        assert decision.payout.amount_minor == row["payout_minor"]


async def test_q39_a_second_shipment_needs_a_policy_of_its_own(asking_desk: Desk) -> None:
    await asking_desk.at("2024-03-05T01:00")
    first = tracked(returned_at="2024-03-01T01:00", last_update_at="2024-03-01T01:00")
    await asking_desk.hears(*way_of(tracking=first))
    returned = await asking_desk.a_claim("RETURN")
    assert returned["decision"]["outcome"] == "APPROVED"

    body = {"tracking_number": "SECOND-SHIPMENT", "carrier": "ems", "peril": "LOSS"}
    lost = (await asking_desk.post("/v1/claims", body)).json()

    assert (lost["policy_id"], lost["state"]) == (None, "DENIED")
    assert lost["decision"]["reasons"][0]["code"] == "NOT_INSURED"
