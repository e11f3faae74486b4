"""A claimant's first contact before they file: it waits for them, and deadlines go by it."""

import asyncio

import pytest

from libs.common.ids import new_id
from tests.claims.desk import POLICY_ID, Desk, told, tracked, way_of
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import Json

JSX = "sbx-jsx-tests"
AT_ONCE = 20


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> Desk:
    """A parcel that was delivered on 1 February 2024 at 10:00 in China; it is the next day."""
    desk = await Desk.open(app_of, db_of, token)
    delivered = tracked(state="RUN_OFF", delivered_at="2024-02-01T02:00")
    await desk.hears(*way_of(tracking=delivered))
    await desk.at("2024-02-02T02:00")
    return desk


async def notice(desk: Desk, peril: str = "DAMAGE", **more: object) -> Json:
    response = await desk.post(
        "/v1/claims/notices", {"policy_id": POLICY_ID, "peril": peril, **more}
    )
    assert response.status_code == 201, response.text
    given: Json = response.json()
    return given


async def test_cs_21_who_tells_in_time_may_file_later(desk: Desk) -> None:
    """Contact within three days of delivery; the papers may take longer."""
    first = await notice(desk)
    assert (first["state"], first["filed_at"], first["decision"]) == ("NOTIFIED", None, None)
    assert first["cause"] == "told"
    await desk.at("2024-02-20T02:00")

    filed = await desk.a_claim("DAMAGE", item_ids=["i1"])

    assert (filed["claim_id"], filed["notified_at"]) == (
        first["claim_id"],
        "2024-02-02T02:00:00Z",
    )
    codes = [reason["code"] for reason in filed["decision"]["reasons"]]
    assert "LATE_NOTICE" not in codes
    # Who had not told is late.
    other = new_id("pol")
    late = tracked(other, state="RUN_OFF", delivered_at="2024-02-01T02:00")
    await desk.hears(*way_of(other, tracking=late))
    untold = await desk.a_claim("DAMAGE", policy_id=other, item_ids=["i1"])
    assert untold["decision"]["reasons"][0]["code"] == "LATE_NOTICE"


async def test_the_first_contact_stays_the_first(desk: Desk) -> None:
    first = await notice(desk)
    await desk.at("2024-02-03T02:00")

    again = await asyncio.gather(*(notice(desk) for _ in range(AT_ONCE)))

    assert {one["claim_id"] for one in again} == {first["claim_id"]}
    assert {one["notified_at"] for one in again} == {first["notified_at"]}
    assert (await desk.said()).count("ClaimNotified") == 1
    assert (await notice(desk, "SHORTAGE"))["claim_id"] != first["claim_id"]


async def test_no_news_of_the_parcel_ends_what_a_claimant_told(desk: Desk) -> None:
    """A carrier's scan makes and ends notices of its own; this one is the claimant's."""
    first = await notice(desk, "LOSS")
    heard = tracked(state="RUN_OFF", delivered_at="2024-02-01T02:00")
    await desk.hears(told(heard, 5))

    assert (await desk.show(first))["state"] == "NOTIFIED"
    assert "ClaimNoticeClosed" not in await desk.said()


async def test_what_the_carrier_said_first_is_the_claimants_once_they_tell_it_too(
    desk: Desk,
) -> None:
    policy_id = new_id("pol")
    damaged = {"damaged_at": "2024-02-01T02:00", "delivered_at": "2024-02-01T02:00"}
    await desk.hears(
        *way_of(policy_id, tracking=tracked(policy_id, state="RUN_OFF", **damaged))
    )
    made = await notice(desk, policy_id=policy_id)
    assert made["cause"] == "damaged"

    await desk.hears(told(tracked(policy_id, state="VOID", **damaged), 5))

    shown = await desk.show(made)
    assert (shown["state"], shown["filed_by"]) == ("NOTIFIED", "tests")


async def test_js_26_the_written_application_counts_and_not_the_call(
    app_of: AppOf, db_of: DbOf, token: Token
) -> None:
    desk = (await Desk.open(app_of, db_of, token)).of(JSX)
    delivered = tracked(state="RUN_OFF", delivered_at="2024-05-01T01:00")
    await desk.hears(*way_of(plan="jsx-cargo", tenant=JSX, tracking=delivered))
    await desk.at("2024-05-06T01:00")
    await notice(desk)
    await desk.at("2024-05-31T16:00")

    filed = await desk.a_claim("DAMAGE", item_ids=["i1"])

    assert (filed["state"], filed["decision"]["reasons"][0]["code"]) == (
        "DENIED",
        "LATE_NOTICE",
    )


async def test_a_notice_on_nothing_or_on_anothers_policy_is_refused(desk: Desk) -> None:
    theirs = desk.of("sbx-cssbuy-others")
    response = await theirs.post(
        "/v1/claims/notices", {"policy_id": POLICY_ID, "peril": "DAMAGE"}
    )
    assert response.status_code in (404, 503), response.text
    nothing = await desk.post("/v1/claims/notices", {"peril": "DAMAGE"})
    assert (nothing.status_code, nothing.json()["code"]) == (422, "which-policy")


async def test_a_peril_the_plan_does_not_pay_may_be_told_and_is_denied_when_filed(
    desk: Desk,
) -> None:
    assert (await notice(desk, "TAX"))["state"] == "NOTIFIED"
    assert (await desk.a_claim("TAX"))["state"] == "DENIED"
