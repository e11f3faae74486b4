"""A parcel's history through the door: as it is known now, and as it was known at an instant."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from libs.common.auth import CLAIMS_READ
from libs.common.db import Database
from services.policy.store import ReceivedScan, insert_scans
from services.policy.tracking import StatusMap
from services.policy.usecases import MAX_SCANS
from tests.conftest import Token
from tests.policy.builders import OTHER_TENANT, Json, a_scan, at
from tests.policy.conftest import SetClock, Shop, answered, refused, shape_of
from tests.policy.posting import Sender, a_detail, a_tracker_event, read_waiting
from tests.policy.tracking.bodies import an_epcis_document, an_epcis_event

NUMBER = "EZ6000000006"
SSCC = "106141412345678908"
SUBMITTED = "2024-01-01T01:00:00"
NOW = "2024-03-10T00:00:00"
LATER = "2024-03-12T00:00:00"

ACCEPTED = a_detail("in_transit", "2024-01-04T09:00:00Z", "received_at_origin_facility")
DELAYED = a_detail("in_transit", "2024-01-06T12:00:00Z", "weather_delay")
DELIVERED = a_detail("delivered", "2024-01-09T15:00:00Z")


@pytest.fixture
async def policy(shop: Shop, set_clock: SetClock) -> Json:
    """Paid on 1 January; it is 10 March now, and nobody has reported a ship-out."""
    await set_clock(SUBMITTED)
    paid = await shop.a_paid_policy(carrier="usps", tracking_number=NUMBER)
    await set_clock(NOW)
    return paid


async def history_of(shop: Shop, policy: Json, as_of: str | None = None) -> Json:
    query = "" if as_of is None else f"?as_of={as_of}Z"
    return answered(await shop.get(f"/v1/policies/{policy['policy_id']}/tracking{query}"), 200)


def way_of(history: Json) -> list[str]:
    return [scan["status"] for scan in history["scans"]]


async def test_tells_what_happened_in_its_order_and_who_said_so(
    shop: Shop, policy: Json
) -> None:
    sender = await Sender.opened(shop)
    await sender.read(a_tracker_event(NUMBER, DELIVERED, ACCEPTED))

    history = await history_of(shop, policy)

    (notice,) = answered(await shop.get("/v1/tracking-notices"), 200)["items"]
    assert history["policy_id"] == policy["policy_id"]
    assert (history["carrier"], history["tracking_number"]) == ("usps", NUMBER)
    assert (history["as_of"], history["scans_left_out"]) == ("2024-03-10T00:00:00Z", 0)
    first, last = history["scans"]
    assert first.pop("scan_id") != last["scan_id"]
    assert first == {
        "happened_at": "2024-01-04T09:00:00Z",
        "occurred_at": "2024-01-04T09:00:00Z",
        "time_raw": "2024-01-04T09:00:00Z",
        "is_zoned": True,
        "status": "in_transit",
        "reason": "none",
        "is_trusted": True,
        "is_withdrawn": False,
        "provider": "easypost",
        "code": "in_transit/received_at_origin_facility",
        "location": "Testville, US",
        "description": "in_transit received_at_origin_facility",
        "received_at": "2024-03-10T00:00:00Z",
        "read_at": "2024-03-10T00:00:00Z",
        "notice_id": notice["notice_id"],
    }
    assert (last["status"], last["happened_at"]) == ("delivered", "2024-01-09T15:00:00Z")
    assert history["position"] == (await shop.show(policy))["tracking"]


async def test_a_parcel_nobody_spoke_of_has_an_empty_history(shop: Shop, policy: Json) -> None:
    history = await history_of(shop, policy)

    assert (history["scans"], history["tracking_number"]) == ([], NUMBER)
    assert history["position"] == (await shop.show(policy))["tracking"]


async def test_what_was_told_late_was_not_known_before(
    shop: Shop, policy: Json, set_clock: SetClock
) -> None:
    sender = await Sender.opened(shop)
    await sender.read(a_tracker_event(NUMBER, ACCEPTED))
    before = (await shop.show(policy))["tracking"]
    await set_clock(LATER)
    await sender.read(a_tracker_event(NUMBER, ACCEPTED, DELAYED, DELIVERED))

    then, now = await history_of(shop, policy, NOW), await history_of(shop, policy)

    assert (way_of(then), then["position"]) == (["in_transit"], before)
    assert way_of(now) == ["in_transit", "in_transit", "delivered"]
    assert now["position"] == (await shop.show(policy))["tracking"]
    # It happened in January, which we did not know before March.
    assert way_of(await history_of(shop, policy, "2024-01-31T00:00:00")) == []
    assert [scan["received_at"] for scan in now["scans"]] == [
        "2024-03-10T00:00:00Z", "2024-03-12T00:00:00Z", "2024-03-12T00:00:00Z",
    ]  # fmt: skip


async def test_what_was_read_otherwise_later_is_shown_as_it_was_read_then(
    shop: Shop, policy: Json, set_clock: SetClock, tmp_path: Path
) -> None:
    sender = await Sender.opened(shop)
    await sender.read(
        a_tracker_event(NUMBER, ACCEPTED, a_detail("gone", "2024-01-08T10:00:00Z"))
    )
    before = (await shop.show(policy))["tracking"]
    await set_clock(LATER)
    await read_again(shop, a_map(tmp_path, "easypost,status,gone,lost,lost"))

    then, now = await history_of(shop, policy, NOW), await history_of(shop, policy)

    assert (way_of(then), then["position"]) == (["in_transit", "unknown"], before)
    assert (way_of(now), now["position"]["status"]) == (["in_transit", "lost"], "lost")
    assert now["position"] == (await shop.show(policy))["tracking"]
    scan = now["scans"][-1]
    assert (scan["received_at"], scan["read_at"]) == (
        "2024-03-10T00:00:00Z", "2024-03-12T00:00:00Z",
    )  # fmt: skip


async def test_a_scan_without_a_time_keeps_its_place_when_it_is_read_again(
    shop: Shop, policy: Json, set_clock: SetClock, tmp_path: Path
) -> None:
    sender = await Sender.opened(shop)
    await sender.read(a_tracker_event(NUMBER, a_detail("gone", "")))
    await set_clock(LATER)
    await read_again(shop, a_map(tmp_path, "easypost,status,gone,lost,lost"))

    (scan,) = (await history_of(shop, policy))["scans"]

    assert (scan["status"], scan["occurred_at"], scan["time_raw"]) == ("lost", None, None)
    assert scan["happened_at"] == scan["received_at"] == "2024-03-10T00:00:00Z"
    assert (await shop.show(policy))["tracking"]["lost_at"] == "2024-03-10T00:00:00Z"


async def test_what_its_sender_took_back_was_known_until_then(
    shop: Shop, set_clock: SetClock
) -> None:
    await set_clock(SUBMITTED)
    policy = await shop.a_paid_policy(tracking_number=SSCC)
    await set_clock(NOW)
    sender = await Sender.opened(shop, "epcis")
    shipped = an_epcis_event("shipping", "", eventTime="2024-01-05T09:00:00Z")
    await sender.read(an_epcis_document(shipped))
    before = (await shop.show(policy))["tracking"]
    await set_clock(LATER)
    declaration = {"declarationTime": "2024-01-06T09:00:00Z", "reason": "incorrect_data"}
    await sender.read(an_epcis_document({**shipped, "errorDeclaration": declaration}))

    then, now = await history_of(shop, policy, NOW), await history_of(shop, policy)

    assert (then["position"], before["status"]) == (before, "in_transit")
    assert [(s["status"], s["is_withdrawn"]) for s in then["scans"]] == [("in_transit", False)]
    assert [(s["status"], s["is_withdrawn"]) for s in now["scans"]] == [("unknown", True)]
    assert now["position"] == (await shop.show(policy))["tracking"]
    assert now["position"]["dispatched_at"] is None


async def test_a_report_by_hand_is_known_from_the_instant_it_was_made(
    shop: Shop, policy: Json, set_clock: SetClock
) -> None:
    await set_clock("2024-03-11T00:00:00")
    sent = {"dispatched_at": "2024-01-03T08:00:00Z", "tracking_number": "EZ7", "carrier": "ems"}
    answered(await shop.dispatch(policy, **sent), 200)
    await set_clock(LATER)

    before, now = await history_of(shop, policy, NOW), await history_of(shop, policy)

    assert (before["carrier"], before["tracking_number"]) == ("usps", NUMBER)
    assert before["position"]["dispatched_at"] is None
    assert (now["carrier"], now["tracking_number"]) == ("ems", "EZ7")
    assert now["position"]["dispatched_at"] == "2024-01-03T08:00:00Z"


async def test_a_scan_dated_ahead_is_told_and_does_not_count_yet(
    shop: Shop, policy: Json
) -> None:
    ahead = a_scan("delivered", "2024-03-11T00:00:00Z", policy_id=policy["policy_id"])
    answered(await shop.track(ahead), 200)

    history = await history_of(shop, policy)

    assert (way_of(history), history["position"]["status"]) == (["delivered"], "unknown")
    (scan,) = history["scans"]
    assert (scan["provider"], scan["notice_id"]) == (None, None)


async def test_lists_a_thousand_scans_and_says_how_many_more_there_are(
    shop: Shop, db: Database, policy: Json
) -> None:
    scans = [
        ReceivedScan(
            policy_id=policy["policy_id"],
            scan_id=f"s-{number:05}",
            status="delivered" if number == MAX_SCANS + 1 else "in_transit",
            occurred_at=at(f"2024-02-01T{number // 60 % 24:02}:{number % 60:02}"),
        )
        for number in range(MAX_SCANS + 2)
    ]
    async with db.transaction(shop.tenant) as tx:
        await insert_scans(
            tx, [(scan, 1) for scan in scans], tenant_id=shop.tenant, now=at(NOW)
        )

    history = await history_of(shop, policy)

    assert (len(history["scans"]), history["scans_left_out"]) == (MAX_SCANS, 2)
    assert history["scans"][0]["happened_at"] == "2024-02-01T00:00:00Z"
    # The last of them all, which is not listed.
    assert history["position"]["delivered_at"] == "2024-02-01T16:41:00Z"


async def test_nobody_knows_yet_what_will_be_known(shop: Shop, policy: Json) -> None:
    path = f"/v1/policies/{policy['policy_id']}/tracking"

    problem = refused(await shop.get(f"{path}?as_of=2024-03-10T00:00:01Z"), 422, "as-of-ahead")
    refused(await shop.get(f"{path}?as_of=yesterday"), 422, "invalid-request")

    assert problem["errors"][0]["pointer"] == "#/query/as_of"


async def test_anothers_parcel_is_answered_as_one_that_is_not_there(
    shop: Shop, shop_of: Callable[..., Shop], policy: Json, token: Token
) -> None:
    theirs = await shop_of(tenant=OTHER_TENANT).a_policy()
    nobodys = "pol_01JQZX7Y5V0000000000000000"
    answers = [
        shape_of(
            refused(await shop.get(f"/v1/policies/{one}/tracking"), 404, "unknown-policy"), one
        )
        for one in (theirs["policy_id"], nobodys)
    ]

    assert answers[0] == answers[1]
    without: Any = await shop.policies.get(
        f"/v1/policies/{policy['policy_id']}/tracking",
        headers=token(shop.tenant, scopes=[CLAIMS_READ]),
    )
    assert without.status_code == 403


def a_map(folder: Path, row: str) -> StatusMap:
    file = folder / "codes.csv"
    file.write_text(f"provider,kind,code,status,reason\n{row}\n")
    return StatusMap.load(file)


async def read_again(shop: Shop, codes: StatusMap) -> None:
    again = answered(await shop.post("/v1/tracking-hooks/easypost/reading", {}), 200)
    assert again["notices"] == 1
    await read_waiting(shop.policies, codes)
