"""Quiet parcels through the door: under cover, on their way, and not moved for so many whole days."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest

from tests.policy.builders import OTHER_TENANT, Json, a_quote_request, a_scan
from tests.policy.conftest import SetClock, Shop, answered, refused

SUBMITTED = "2024-01-01T01:00:00"
NOW = "2024-03-10T00:00:00"
TEN_DAYS_AGO = "2024-02-29T00:00:00Z"

ParcelOf = Callable[..., Awaitable[Json]]


@pytest.fixture
def parcel_of(shop: Shop, set_clock: SetClock) -> ParcelOf:
    """`parcel_of("2024-01-04T00:00:00Z")`: a policy whose parcel moved then."""

    async def a_parcel(*moved_at: str, shop: Shop = shop, status: str = "in_transit") -> Json:
        await set_clock(SUBMITTED, tenant=shop.tenant)
        request = a_quote_request()
        request["order"]["order_ref"] = uuid4().hex
        bound = answered(
            await shop.bind(
                await shop.ask(request), carrier="ems", tracking_number=uuid4().hex[:20]
            ),
            201,
        )
        policy = answered(await shop.pay(bound), 201)
        await set_clock(NOW, tenant=shop.tenant)
        for instant in moved_at:
            scan = a_scan(status, instant, policy_id=policy["policy_id"])
            answered(await shop.track(scan), 200)
        return policy

    return a_parcel


async def quiet(shop: Shop, days: int = 10, query: str = "") -> Json:
    return answered(await shop.get(f"/v1/quiet-parcels?days={days}{query}"), 200)


async def ids_of(shop: Shop, days: int = 10) -> list[str]:
    return [item["policy_id"] for item in (await quiet(shop, days))["items"]]


async def test_the_longest_quiet_comes_first_with_where_it_was(
    shop: Shop, parcel_of: ParcelOf
) -> None:
    later = await parcel_of("2024-02-01T12:00:00Z")
    longest = await parcel_of("2024-01-04T09:00:00Z", status="customs_hold")

    first, second = (await quiet(shop))["items"]

    assert second["policy_id"] == later["policy_id"]
    assert first == {
        "policy_id": longest["policy_id"],
        "carrier": "ems",
        "tracking_number": longest["tracking_number"],
        "status": "customs_hold",
        "reason": "none",
        "moved_at": "2024-01-04T09:00:00Z",
        "quiet_days": 65,
        "destination": "US",
        "line": "EMS",
    }


async def test_days_are_whole_and_counted_to_the_instant(
    shop: Shop, parcel_of: ParcelOf
) -> None:
    exactly = await parcel_of(TEN_DAYS_AGO)
    await parcel_of("2024-02-29T00:00:00.000001Z")

    assert await ids_of(shop, 10) == [exactly["policy_id"]]
    assert len(await ids_of(shop, 9)) == 2
    assert await ids_of(shop, 11) == []


async def test_a_movement_ends_the_quiet_and_a_label_does_not(
    shop: Shop, parcel_of: ParcelOf
) -> None:
    policy = await parcel_of("2024-01-04T09:00:00Z")
    told = a_scan("pre_transit", "2024-03-09T00:00:00Z", policy_id=policy["policy_id"])
    answered(await shop.track(told), 200)
    assert await ids_of(shop) == [policy["policy_id"]]

    moved = a_scan("in_transit", "2024-03-09T00:00:00Z", policy_id=policy["policy_id"])
    answered(await shop.track(moved), 200)

    assert await ids_of(shop) == []


async def test_a_ship_out_by_hand_begins_the_quiet(shop: Shop, parcel_of: ParcelOf) -> None:
    policy = await parcel_of()
    assert await ids_of(shop) == []

    answered(await shop.dispatch(policy, dispatched_at="2024-01-03T08:00:00Z"), 200)

    (item,) = (await quiet(shop))["items"]
    assert (item["moved_at"], item["status"]) == ("2024-01-03T08:00:00Z", "unknown")


@pytest.mark.parametrize(
    ("status", "is_listed"), [("delivered", False), ("returned", True), ("lost", True)]
)
async def test_what_is_under_cover_is_listed_with_its_status(
    shop: Shop, parcel_of: ParcelOf, status: str, is_listed: bool
) -> None:
    await parcel_of("2024-01-04T09:00:00Z", status=status)

    assert [item["status"] for item in (await quiet(shop))["items"]] == [status] * is_listed


async def test_pages_follow_each_other(shop: Shop, parcel_of: ParcelOf) -> None:
    moved = [f"2024-01-{day:02}T09:00:00Z" for day in (4, 5, 5, 6)]
    for instant in moved:
        await parcel_of(instant)

    first = await quiet(shop, query="&limit=2")
    second = await quiet(shop, query=f"&limit=2&cursor={first['next_cursor']}")

    assert [item["moved_at"] for item in first["items"] + second["items"]] == moved
    assert len({item["policy_id"] for item in first["items"] + second["items"]}) == 4
    assert second["next_cursor"] is None


async def test_each_tenant_sees_its_own(
    shop: Shop, shop_of: Callable[..., Shop], parcel_of: ParcelOf
) -> None:
    other = shop_of(tenant=OTHER_TENANT)
    theirs = await parcel_of("2024-01-04T09:00:00Z", shop=other)

    assert await ids_of(shop) == []
    assert await ids_of(other) == [theirs["policy_id"]]


@pytest.mark.parametrize("query", ["", "?days=0", "?days=366", "?days=ten", "?days=5&cursor=x"])
async def test_refuses_what_it_cannot_list(shop: Shop, query: str) -> None:
    code = "bad-cursor" if "cursor" in query else "invalid-request"

    refused(await shop.get(f"/v1/quiet-parcels{query}"), 422, code)
