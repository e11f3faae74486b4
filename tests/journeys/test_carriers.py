"""What carriers tell moves policies on the real stack: a sandbox's magic numbers play their stories."""

from datetime import datetime
from zoneinfo import ZoneInfo

from deploy.local.shop import Json, Shop, yuan
from deploy.local.stories import asked
from tests.journeys.conftest import ShopOf

SUBMITTED = datetime(2024, 1, 1, 9, tzinfo=ZoneInfo("Asia/Shanghai"))


async def insured(shop: Shop, number: str) -> Json:
    """Shoes in a parcel of that number, insured and paid."""
    quote = await shop.quote(
        asked(
            "cssecure",
            item_class="shoes",
            value=yuan("850.00"),
            shipping_fee=yuan("350.00"),
            insured_value=yuan("1200.00"),
            order={"order_ref": number, "submitted_at": SUBMITTED.isoformat()},
        )
    )
    policy = await shop.bind(quote, carrier="ems", tracking_number=number)
    return await shop.pay(policy, quote["offers"][0]["premium"])


async def shown(shop: Shop, policy: Json) -> Json:
    return await shop.get("policy", f"/v1/policies/{policy['policy_id']}")


async def positions(shop: Shop, policy: Json) -> int:
    """How often it was said where the parcel is."""
    path = f"/v1/policies/{policy['policy_id']}/history?limit=200"
    changes = (await shop.get("policy", path))["items"]
    return [change["type"] for change in changes].count("TrackingUpdated")


async def test_magic_numbers_play_their_stories_as_the_test_clock_goes_forward(
    shop_of: ShopOf,
) -> None:
    shop = shop_of("cssbuy")
    await shop.at(SUBMITTED)
    numbers = ("SBX-LOST-1", "SBX-DELIVERED-1", "SBX-DISORDER-1", "SBX-REPEATED-1")
    policies = [await insured(shop, number) for number in numbers]

    # Forty days at once: whatever is told until then is read before the clock is `ready`.
    await shop.later(days=40)

    lost, usual, disorder, repeated = [await shown(shop, policy) for policy in policies]
    assert (lost["state"], lost["tracking"]["status"]) == ("ACTIVE", "lost")
    assert lost["tracking"]["loss_confirmed_at"] == "2024-01-31T01:00:00Z"
    assert (usual["state"], usual["tracking"]["status"]) == ("RUN_OFF", "delivered")
    assert disorder["tracking"] == repeated["tracking"] == usual["tracking"]
    notices = await shop.get("policy", "/v1/tracking-notices?limit=200")
    assert {(n["state"], n["matched"] == n["scans"]) for n in notices["items"]} == {
        ("READ", True)
    }
    # Eighteen notices tell of six scans.
    assert 1 <= await positions(shop, policies[3]) <= 6
