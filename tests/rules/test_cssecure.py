"""CSSecure's rules of buying cover (domain.md 1.5), one by one, at the doors of CSSBuy's shop."""

from datetime import timedelta

import pytest

from tests.buying import answered, refused
from tests.rules.conftest import ShopOf
from tests.rules.shop import Shop, instant, minor_of

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
MONDAY = "2024-05-06T09:00"
SAL_TO_GERMANY = {"line": "SAL", "destination": "DE"}


@pytest.fixture
def shop(shop_of: ShopOf) -> Shop:
    return shop_of("cssecure")


async def test_cs_01_yuan_are_insured(shop: Shop) -> None:
    offer = await shop.insured(20_000)
    assert (offer["premium"]["currency"], offer["premium"]["formatted"]) == ("CNY", "¥6.00")

    euros = {"amount_minor": 0, "currency": "EUR"}
    request = shop.request(20_000, shipping_fee=euros)
    refused(await shop.to_quotes("/v1/quotes", request), 422, "wrong-currency")


async def test_cs_02_the_new_policy_replaces_the_old_one_on_9_july_2021_in_shanghai(
    shop: Shop,
) -> None:
    begins = shop.time("2021-07-09T00:00")

    await shop.at(begins - TICK)
    old = await shop.asked(100_000)
    await shop.at(begins)
    new = await shop.asked(100_000)

    assert [(offer["version"], offer["rate"]) for offer in (old, new)] == [
        (1, "0.02"),
        (2, "0.03"),
    ]


async def test_cs_02_the_old_policy_was_sold_from_1_august_2018(shop: Shop) -> None:
    begins = shop.time("2018-08-01T00:00")

    await shop.at(begins - TICK)
    request = shop.request(100_000)
    refused(await shop.to_quotes("/v1/quotes", request), 404, "unknown-plan")
    await shop.at(begins)

    assert (await shop.asked(100_000))["version"] == 1


def an_order(**flags: bool) -> dict[str, object]:
    return {"order": {"order_ref": "order-1", **flags}}


@pytest.mark.parametrize(
    ("flags", "point", "is_offered"),
    [
        ({"items_in_warehouse": True}, "submit_to_ship", True),
        ({}, "submit_to_ship", False),
        ({"items_in_warehouse": True, "is_rehearsal": True}, "rehearsal_packed", False),
        (
            {"items_in_warehouse": True, "is_rehearsal": True, "is_packed": True},
            "rehearsal_packed",
            True,
        ),
        ({"items_in_warehouse": True}, "checkout", False),
    ],
    ids=[
        "in the warehouse",
        "not yet",
        "rehearsal, not packed",
        "rehearsal, packed",
        "checkout",
    ],
)
async def test_cs_03_it_is_selected_when_items_in_the_warehouse_are_submitted_to_ship(
    shop: Shop, flags: dict[str, bool], point: str, is_offered: bool
) -> None:
    offer = await shop.insured(20_000, point=point, **an_order(**flags))

    assert offer["reasons"] == ([] if is_offered else ["NOT_ON_OFFER"])
    # Optional: nobody has chosen for the customer.
    assert shop.quote["consent"] is None


@pytest.mark.parametrize(
    ("insured", "premium"), [(20_000, 600), (1, 0), (16, 0), (17, 1), (1_000_000, 30_000)]
)
async def test_cs_04_three_percent_of_the_insured_value_without_a_minimum(
    shop: Shop, insured: int, premium: int
) -> None:
    offer = await shop.insured(insured)

    assert (offer["rate"], minor_of(offer["premium"])) == ("0.03", premium)


async def test_cs_05_at_most_10_000_yuan_are_insured_and_not_a_fen_more(shop: Shop) -> None:
    at, above = await shop.insured(1_000_000), await shop.insured(1_000_001)

    assert (at["reasons"], above["reasons"]) == ([], ["OVER_LIMIT"])
    # What may be insured is shown when the parcel is submitted to ship.
    assert minor_of(at["limit"]) == minor_of(above["limit"]) == 1_000_000


@pytest.mark.parametrize("fee", [12_000, 0, 12_001])
async def test_cs_06_sal_to_germany_takes_2000_for_items_and_the_whole_shipping(
    shop: Shop, fee: int
) -> None:
    limit = 200_000 + fee

    at, above = [
        await shop.insured(sum_, worth=300_000, fee=fee, parcel=SAL_TO_GERMANY)
        for sum_ in (limit, limit + 1)
    ]

    assert (at["reasons"], above["reasons"]) == ([], ["OVER_LIMIT"])
    assert minor_of(at["goods_limit"]) == 200_000


@pytest.mark.parametrize(
    "parcel", [{"line": "SAL", "destination": "FR"}, {"line": "EMS", "destination": "DE"}]
)
async def test_cs_06_another_line_or_country_has_the_usual_limit(
    shop: Shop, parcel: dict[str, str]
) -> None:
    offer = await shop.insured(300_000, parcel=parcel)

    assert (offer["reasons"], minor_of(offer["limit"])) == ([], 1_000_000)


async def test_cs_07_goods_and_shipping_are_insured_together(shop: Shop) -> None:
    offer = await shop.insured(62_000, worth=50_000, fee=12_000)

    assert (offer["reasons"], offer["warnings"]) == ([], [])
    assert minor_of(offer["insured_value"]) == 62_000


async def test_cs_08_q40_above_the_sum_is_warned_of_and_above_half_as_much_again_refused(
    shop: Shop,
) -> None:
    """Worth 500.00 and shipped for 120.02: 620.02, and 930.03."""
    answers = []
    for insured in (62_002, 62_003, 93_003, 93_004):
        offer = await shop.insured(insured, worth=50_000, fee=12_002)
        answers.append((offer["reasons"], offer["warnings"]))

    assert answers == [
        ([], []),
        ([], ["OVER_VALUE"]),
        ([], ["OVER_VALUE"]),
        (["OVER_VALUE"], []),
    ]


async def test_cs_09_the_premium_on_the_excess_is_charged_and_kept(shop: Shop) -> None:
    """Worth 500, insured at 750."""
    await shop.at(shop.time(MONDAY))
    offer = await shop.insured(75_000, worth=50_000)
    policy = await shop.bind()
    answered(await shop.pay(minor_of(policy["premium"])))
    await shop.dispatch(shop.time(MONDAY))

    refused(await shop.cancel("CUSTOMER_CANCEL"), 409, "policy-not-cancellable")

    assert minor_of(offer["premium"]) == 2_250
    assert await shop.refunded() == "0.00"


async def test_cs_11_cancelled_before_the_ship_out_all_goes_back_and_at_it_nothing(
    shop_of: ShopOf,
) -> None:
    early, late = shop_of("cssecure"), shop_of("cssecure")
    left = early.time(MONDAY) + HOUR
    for one in (early, late):
        await one.at(one.time(MONDAY))
        await one.a_paid_policy(120_000)
        await one.dispatch(left)

    await early.at(left - TICK)
    await late.at(left)

    answered(await early.cancel("CUSTOMER_CANCEL"))
    refused(await late.cancel("CUSTOMER_CANCEL"), 409, "policy-not-cancellable")
    assert [(await one.state(), await one.refunded()) for one in (early, late)] == [
        ("CANCELLED", "36.00"),
        ("ACTIVE", "0.00"),
    ]


async def test_cs_12_cover_starts_with_the_ship_out_and_not_with_the_payment(
    shop: Shop,
) -> None:
    await shop.at(shop.time(MONDAY))
    await shop.a_paid_policy(120_000)
    left = shop.time(MONDAY) + 50 * HOUR
    await shop.at(left - TICK)
    waiting = await shop.show_policy()

    await shop.at(left)
    await shop.dispatch(left)

    policy = await shop.show_policy()
    assert (waiting["state"], waiting["cover_start"]) == ("SCHEDULED", None)
    assert (policy["state"], instant(policy["cover_start"])) == ("ACTIVE", left)


@pytest.mark.parametrize(
    "item_class", ["phone", "vase", "perishable", "clothing", "prohibited"]
)
async def test_cs_42_no_goods_are_excluded(shop: Shop, item_class: str) -> None:
    offer = await shop.asked(shop.goods(item_class, 50_000))

    assert (offer["reasons"], offer["items"][0]["verdict"]) == ([], "ACCEPT")
