"""Scans through the policy service's door: counted once, whatever order they come in."""

from collections.abc import Callable

import msgspec
import pytest

from libs.common.db import Database
from libs.common.ids import new_id
from services.policy.api.parcels import MAX_SCANS
from tests.policy.builders import OTHER_TENANT, Json, a_scan, names, said
from tests.policy.conftest import SetClock, Shop, answered, refused

NOW = "2024-03-10T00:00:00"
SUBMITTED = "2024-01-01T01:00:00"


@pytest.fixture
async def policy(shop: Shop, set_clock: SetClock) -> Json:
    """Paid on 1 January; it is 10 March now, and nobody has reported a ship-out."""
    await set_clock(SUBMITTED)
    paid = await shop.a_paid_policy(carrier="ems", tracking_number="EZ1000000001CN")
    await set_clock(NOW)
    return paid


def of(policy: Json, status: str, occurred_at: str, **more: object) -> Json:
    return a_scan(status, occurred_at, policy_id=policy["policy_id"], **more)


def way_of(policy: Json) -> list[Json]:
    return [
        of(policy, "pre_transit", "2024-01-03T20:00:00Z"),
        of(policy, "in_transit", "2024-01-04T09:00:00+08:00"),
        of(policy, "customs_hold", "2024-02-01T01:00:00Z", reason="customs_inspection"),
        of(policy, "delivered", "2024-03-02T07:00:00Z"),
    ]


async def results_of(shop: Shop, *scans: Json) -> list[str]:
    answer = answered(await shop.track(*scans), 200)
    assert [result["index"] for result in answer["results"]] == list(range(len(scans)))
    return [result["result"] for result in answer["results"]]


async def updates_of(db: Database, policy: Json) -> list[Json]:
    told = await said(db, policy["policy_id"])
    return [
        msgspec.json.decode(event.data)
        for event in told
        if names([event]) == ["TrackingUpdated"]
    ]


async def test_scans_move_the_policy_and_are_told_as_one_position(
    shop: Shop, db: Database, policy: Json
) -> None:
    assert await results_of(shop, *way_of(policy)) == ["recorded"] * 4

    shown = await shop.show(policy)
    assert shown["state"] == "RUN_OFF"
    assert shown["cover_start"] == "2024-01-04T01:00:00Z"
    assert shown["tracking"]["delivered_at"] == "2024-03-02T07:00:00Z"
    (update,) = await updates_of(db, policy)
    assert (update["state"], update["status"]) == ("RUN_OFF", "delivered")
    assert update["dispatched_at"] == "2024-01-04T01:00:00Z"
    assert update["last_update_at"] == update["delivered_at"] == "2024-03-02T07:00:00Z"
    # A first scan that is the delivery begins the cover and ends it.
    assert names(await said(db, policy["policy_id"])) == [
        "PolicyIssued", "PaymentReceived", "PolicyPaid", "PolicyActivated", "TrackingUpdated",
    ]  # fmt: skip


async def test_a_scan_finds_its_policy_by_carrier_and_number(shop: Shop, policy: Json) -> None:
    scan = a_scan(
        "in_transit", "2024-01-04T01:00:00Z", carrier="ems", tracking_number="EZ1000000001CN"
    )

    (result,) = answered(await shop.track(scan), 200)["results"]

    assert result == {"index": 0, "result": "recorded", "policy_id": policy["policy_id"]}


async def test_a_batch_says_of_each_scan_what_became_of_it(
    shop: Shop, shop_of: Callable[..., Shop], policy: Json
) -> None:
    anothers = await shop_of(tenant=OTHER_TENANT).a_policy()
    known = of(policy, "in_transit", "2024-01-04T01:00:00Z")
    await shop.track(known)

    said_of_each = await results_of(
        shop,
        known,
        of(policy, "customs_hold", "2024-02-01T01:00:00Z"),
        of({"policy_id": new_id("pol")}, "delivered", "2024-02-02T01:00:00Z"),
        of(anothers, "delivered", "2024-02-02T01:00:00Z"),
        a_scan("delivered", "2024-02-02T01:00:00Z", carrier="ems", tracking_number="OTHER"),
        a_scan(
            "delivered", "2024-02-02T01:00:00Z", carrier="dhl", tracking_number="EZ1000000001CN"
        ),
        a_scan("delivered", "2024-02-02T01:00:00Z"),
    )

    assert said_of_each == ["repeated", "recorded", *["unmatched"] * 5]
    assert (await shop.show(policy))["tracking"]["delivered_at"] is None


async def test_another_tenants_parcel_does_not_move(
    shop: Shop, shop_of: Callable[..., Shop], db: Database
) -> None:
    other = shop_of(tenant=OTHER_TENANT)
    anothers = await other.a_paid_policy()
    told = len(await said(db))

    assert await results_of(shop, *way_of(anothers)) == ["unmatched"] * 4

    assert await other.show(anothers) == {k: anothers[k] for k in anothers if k != "payment"}
    assert len(await said(db)) == told


async def test_repeated_scans_change_nothing_and_say_nothing(
    shop: Shop, db: Database, policy: Json
) -> None:
    await shop.track(*way_of(policy))
    before, told = await shop.show(policy), len(await said(db))

    assert await results_of(shop, *way_of(policy)) == ["repeated"] * 4

    assert await shop.show(policy) == before
    assert len(await said(db)) == told


async def test_a_scan_keeps_the_senders_own_id(shop: Shop, policy: Json) -> None:
    scans = [
        of(policy, "in_transit", f"2024-01-0{day}T01:00:00Z", scan_id="s-1") for day in (4, 5)
    ]

    assert await results_of(shop, scans[0]) == ["recorded"]
    # Corrected by its sender under the same id, it is still the scan that was told first.
    assert await results_of(shop, scans[1]) == ["repeated"]
    assert (await shop.show(policy))["tracking"]["last_update_at"] == "2024-01-04T01:00:00Z"


@pytest.mark.parametrize("batches", [[3, 1, 0, 2], [1, 3, 3, 2, 0, 1]], ids=str)
async def test_told_late_twice_and_out_of_order_the_parcel_is_where_it_is(
    shop: Shop, policy: Json, set_clock: SetClock, batches: list[int]
) -> None:
    # The ship-out was reported, as shops do; scans then only say where the parcel is.
    answered(await shop.dispatch(policy, dispatched_at="2024-01-03T01:00:00Z"), 200)
    for number in batches:
        await shop.track(way_of(policy)[number])
    told_so = await shop.show(policy)

    other = await shop.a_paid_policy()
    answered(await shop.dispatch(other, dispatched_at="2024-01-03T01:00:00Z"), 200)
    await shop.track(*way_of(other))
    assert told_so["tracking"] == (await shop.show(other))["tracking"]
    assert told_so["state"] == "RUN_OFF"


async def test_a_late_scan_of_the_way_neither_undoes_a_delivery_nor_is_told(
    shop: Shop, db: Database, policy: Json
) -> None:
    await shop.track(*way_of(policy))
    before = await updates_of(db, policy)

    assert await results_of(shop, of(policy, "in_transit", "2024-02-20T01:00:00Z")) == [
        "recorded"
    ]

    assert (await shop.show(policy))["state"] == "RUN_OFF"
    assert await updates_of(db, policy) == before


async def test_a_return_undoes_a_delivery(shop: Shop, db: Database, policy: Json) -> None:
    await shop.track(*way_of(policy))

    await shop.track(of(policy, "returned", "2024-03-09T01:00:00Z"))

    update = (await updates_of(db, policy))[-1]
    assert (update["state"], update["delivered_at"]) == ("ACTIVE", None)
    assert update["returned_at"] == "2024-03-09T01:00:00Z"


async def test_a_scan_dated_in_the_future_does_not_count_until_then(
    shop: Shop, db: Database, policy: Json, set_clock: SetClock
) -> None:
    await shop.track(of(policy, "in_transit", "2024-01-04T01:00:00Z"))
    told = await updates_of(db, policy)

    assert await results_of(shop, of(policy, "delivered", "2024-03-10T00:00:00.000001Z")) == [
        "recorded"
    ]
    assert (await shop.show(policy))["tracking"]["delivered_at"] is None
    assert await updates_of(db, policy) == told

    await set_clock("2024-03-10T00:00:01")
    await shop.track(of(policy, "customs_hold", "2024-02-01T01:00:00Z"))
    assert (await shop.show(policy))["state"] == "RUN_OFF"


async def test_a_parcel_that_is_not_paid_for_moves_without_cover(
    shop: Shop, set_clock: SetClock
) -> None:
    await set_clock(SUBMITTED)
    policy = await shop.a_policy()
    await set_clock(NOW)

    await shop.track(*way_of(policy))

    shown = await shop.show(policy)
    assert (shown["state"], shown["cover_start"]) == ("PENDING", None)
    assert shown["tracking"]["delivered_at"] == "2024-03-02T07:00:00Z"


async def test_takes_a_batch_of_the_largest_size(shop: Shop, policy: Json) -> None:
    scans = [
        of(policy, "in_transit", "2024-01-04T01:00:00Z", scan_id=f"s-{number}")
        for number in range(MAX_SCANS)
    ]

    assert await results_of(shop, *scans) == ["recorded"] * MAX_SCANS


IN_TRANSIT = a_scan("in_transit", "2024-01-04T01:00:00Z", tracking_number="EZ1")


OF_WRONG_FORM: tuple[list[Json], ...] = (
    [],
    [IN_TRANSIT] * (MAX_SCANS + 1),
    [a_scan("teleported", "2024-01-04T01:00:00Z")],
    [a_scan("DELIVERED", "2024-01-04T01:00:00Z")],
    [a_scan("delivered", "2024-01-04T01:00:00")],
    [a_scan("delivered", "2024-01-04")],
    [a_scan("delivered", "0024-01-04T01:00:00Z")],
    [{**IN_TRANSIT, "occurred_at": 1_704_330_000}],
    [{**IN_TRANSIT, "policy_id": "pol_1"}],
    [{**IN_TRANSIT, "weather": "rain"}],
    [{**IN_TRANSIT, "description": "x" * 501}],
    [{**IN_TRANSIT, "location": "Shen\u202ezhen"}],
    [IN_TRANSIT, {"status": "delivered"}],
)


async def test_refuses_a_batch_of_the_wrong_form_as_a_whole(
    shop: Shop, db: Database, policy: Json
) -> None:
    for scans in OF_WRONG_FORM:
        problem = refused(await shop.track(*scans), 422, "invalid-request")
        assert problem["errors"], scans

    assert await updates_of(db, policy) == []


async def test_the_same_scan_twice_in_a_batch_is_recorded_once(
    shop: Shop, policy: Json
) -> None:
    scan = of(policy, "in_transit", "2024-01-04T01:00:00Z")

    assert await results_of(shop, scan, scan) == ["recorded", "repeated"]
