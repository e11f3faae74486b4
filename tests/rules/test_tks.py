"""Takesendship's rules of buying cover (domain.md 1.3), one by one, at the doors of its shop."""

from datetime import timedelta

import pytest

from tests.buying import answered, refused
from tests.rules.conftest import ShopOf
from tests.rules.shop import Shop, instant, minor_of

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
MONDAY = "2024-05-06T09:00"


@pytest.fixture
def shop(shop_of: ShopOf) -> Shop:
    return shop_of("tks-warehouse")


async def test_tk_01_yuan_are_insured(shop: Shop) -> None:
    offer = await shop.insured(120_000)
    assert (offer["premium"]["currency"], offer["premium"]["formatted"]) == ("CNY", "¥24.00")

    dollars = {"amount_minor": 0, "currency": "USD"}
    request = shop.request(200_000, shipping_fee=dollars)
    refused(await shop.to_quotes("/v1/quotes", request), 422, "wrong-currency")


async def test_tk_02_registered_sellers_buy(shop: Shop) -> None:
    seller = {"customer_id": "ann", "kind": "seller", "is_registered": True}

    registered = await shop.insured(120_000, customer=seller)
    unregistered = await shop.insured(120_000, customer={**seller, "is_registered": False})
    consumer = await shop.insured(120_000, customer={**seller, "kind": "consumer"})

    assert registered["reasons"] == []
    assert unregistered["reasons"] == ["NOT_ON_OFFER"]
    assert consumer["reasons"] == ["BUYER_NOT_SERVED"]


async def test_tk_03_it_is_offered_with_the_order_for_shipment_and_voluntary(
    shop: Shop,
) -> None:
    elsewhere = await shop.insured(120_000, point="checkout")
    with_order = await shop.insured(120_000)

    assert (elsewhere["reasons"], with_order["reasons"]) == (["NOT_ON_OFFER"], [])
    assert shop.quote["consent"] is None


async def test_tk_04_goods_above_700_yuan_get_a_hint_that_blocks_nothing(shop: Shop) -> None:
    at = await shop.insured(10_000, worth=70_000)
    above = await shop.insured(10_000, worth=70_001)

    assert [(offer["reminder"], offer["state"]) for offer in (at, above)] == [
        (False, "PRICED"),
        (True, "PRICED"),
    ]


@pytest.mark.parametrize(
    ("insured", "premium"),
    [(1, 100), (5_024, 100), (5_025, 101), (120_000, 2_400), (1_000_000, 20_000)],
)
async def test_tk_05_q3_two_percent_of_the_insured_value_and_at_least_one_yuan(
    shop: Shop, insured: int, premium: int
) -> None:
    offer = await shop.insured(insured)

    assert (offer["rate"], minor_of(offer["premium"])) == ("0.02", premium)


async def test_tk_06_a_parcel_is_insured_up_to_10_000_yuan_and_not_a_fen_more(
    shop: Shop,
) -> None:
    at, above = await shop.insured(1_000_000), await shop.insured(1_000_001)

    assert (at["reasons"], above["reasons"]) == ([], ["OVER_LIMIT"])
    assert minor_of(above["limit"]) == 1_000_000


async def test_tk_07_an_item_list_with_values_is_enough_and_no_paper_is_asked_for(
    shop: Shop,
) -> None:
    offer = await shop.asked(40_000, shop.goods("toy", 1_000, quantity=3))

    assert (shop.quote["state"], minor_of(offer["insured_value"])) == ("PRICED", 43_000)
    request = shop.request()
    refused(await shop.to_quotes("/v1/quotes", request), 422, "invalid-request")


@pytest.mark.parametrize(
    ("paid", "accepted"),
    [(1, 2), (2, 1), (1, 1)],
    ids=["accepted last", "paid last", "at once"],
)
async def test_tk_08_cover_starts_with_payment_or_acceptance_whichever_is_later(
    shop: Shop, paid: int, accepted: int
) -> None:
    start = shop.time(MONDAY)
    await shop.at(start)
    await shop.a_policy(120_000)
    for hour in (1, 2):
        await shop.at(start + hour * HOUR)
        if accepted == hour:
            await shop.accept(start + hour * HOUR)
        if paid == hour:
            answered(await shop.pay(2_400))

    policy = await shop.show_policy()

    assert policy["state"] == "ACTIVE"
    assert instant(policy["cover_start"]) == start + max(paid, accepted) * HOUR


async def test_tk_08_paid_for_and_not_accepted_it_is_not_covered(shop: Shop) -> None:
    await shop.at(shop.time(MONDAY))
    await shop.a_paid_policy(120_000)

    await shop.at(shop.time(MONDAY) + 500 * HOUR)

    policy = await shop.show_policy()
    assert (policy["state"], policy["cover_start"]) == ("SCHEDULED", None)


async def test_tk_08_cover_ends_with_the_delivery(shop: Shop) -> None:
    start = shop.time(MONDAY)
    await shop.at(start)
    await shop.a_paid_policy(120_000)
    await shop.accept(start)
    await shop.at(start + 100 * HOUR)

    await shop.deliver(start + 100 * HOUR)

    assert await shop.state() == "RUN_OFF"


async def test_tk_09_accepted_or_not_all_goes_back_before_the_dispatch_and_nothing_at_it(
    shop_of: ShopOf,
) -> None:
    early, late = shop_of("tks-warehouse"), shop_of("tks-warehouse")
    left = early.time(MONDAY) + HOUR
    for one in (early, late):
        await one.at(one.time(MONDAY))
        await one.a_paid_policy(120_000)
        await one.accept(one.time(MONDAY))
        await one.dispatch(left)

    await early.at(left - TICK)
    await late.at(left)

    answered(await early.cancel("CUSTOMER_CANCEL"))
    refused(await late.cancel("CUSTOMER_CANCEL"), 409, "policy-not-cancellable")
    assert [(await one.state(), await one.refunded()) for one in (early, late)] == [
        ("CANCELLED", "24.00"),
        ("ACTIVE", "0.00"),
    ]


async def test_tk_24_prohibited_goods_are_not_insured(shop: Shop) -> None:
    declined = await shop.asked(shop.goods("prohibited", 50_000))
    mixed = await shop.asked(shop.goods("prohibited", 50_000), shop.goods("vase", 20_000))

    assert declined["reasons"] == ["GOODS_EXCLUDED"]
    assert (mixed["reasons"], minor_of(mixed["insured_value"])) == ([], 20_000)
