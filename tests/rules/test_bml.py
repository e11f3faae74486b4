"""Better Me Lab's rules of buying cover (domain.md 1.2), one by one, at the doors of its shop."""

from datetime import timedelta
from decimal import Decimal

import pytest

from libs.common.plans.codes import Verdict
from services.quote.domain import eligibility
from tests.buying import answered, refused
from tests.quote.builders import BOOK
from tests.rules.conftest import ShopOf
from tests.rules.shop import Shop, instant, minor_of

BML = BOOK.get("bml-shipping", 1)
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
MONDAY = "2024-05-06T09:00"


@pytest.fixture
def shop(shop_of: ShopOf) -> Shop:
    return shop_of("bml-shipping")


async def test_bm_01_dollars_are_insured(shop: Shop) -> None:
    offer = await shop.asked(200_000)
    assert (offer["premium"]["currency"], offer["premium"]["formatted"]) == ("USD", "$60.00")

    ringgit = {"amount_minor": 0, "currency": "MYR"}
    request = shop.request(200_000, shipping_fee=ringgit)
    refused(await shop.to_quotes("/v1/quotes", request), 422, "wrong-currency")


async def test_bm_02_shoppers_buy_at_the_checkout_and_never_later(shop: Shop) -> None:
    at_checkout = await shop.asked(20_000)
    later = await shop.asked(20_000, point="extra_service")
    seller = await shop.asked(20_000, customer={"customer_id": "bo", "kind": "seller"})

    assert (at_checkout["is_available"], shop.quote["consent"]) == (True, None)
    assert (later["reasons"], seller["reasons"]) == (["NOT_ON_OFFER"], ["BUYER_NOT_SERVED"])


async def test_bm_03_who_has_not_bought_it_has_no_cover(shop: Shop) -> None:
    unpaid = await shop.a_policy(20_000)
    await shop.asked(20_000)
    await shop.opt_out()

    refused(await shop.try_to_bind(), 409, "opted-out")

    assert (unpaid["state"], unpaid["cover_start"]) == ("PENDING", None)


@pytest.mark.parametrize(
    ("cents", "premium"),
    [
        (1, 100),
        (3_333, 100),
        (3_349, 100),  # 1.0047
        (3_350, 101),  # 1.005
        (200_000, 6_000),
        (499_900, 14_997),
        (500_000, 15_000),
        (500_001, 15_000),
        (900_000, 15_000),
    ],
)
async def test_bm_04_q1_three_percent_of_at_most_5000_dollars_and_at_least_one(
    shop: Shop, cents: int, premium: int
) -> None:
    offer = await shop.asked(cents)

    assert (offer["rate"], minor_of(offer["premium"])) == ("0.03", premium)
    # No premium on value above the last tier, which can never be paid, and no cover either.
    assert minor_of(offer["insured_value"]) == min(cents, 500_000)


async def test_bm_05_cover_starts_with_the_payment(shop: Shop) -> None:
    await shop.at(shop.time(MONDAY))
    await shop.a_policy(20_000)
    paid_at = shop.time(MONDAY) + HOUR + TICK
    await shop.at(paid_at)

    policy = answered(await shop.pay(600))

    assert (policy["state"], instant(policy["cover_start"])) == ("ACTIVE", paid_at)


async def test_bm_06_cover_ends_with_the_delivery_scan(shop: Shop) -> None:
    await shop.at(shop.time(MONDAY))
    await shop.a_paid_policy(20_000)
    delivered = shop.time(MONDAY) + 100 * HOUR

    await shop.at(delivered)
    await shop.deliver(delivered)

    policy = await shop.show_policy()
    assert policy["state"] == "RUN_OFF"
    assert instant(policy["tracking"]["delivered_at"]) == delivered


async def test_bm_07_an_order_cancelled_a_moment_before_the_dispatch_is_refunded_in_full(
    shop_of: ShopOf,
) -> None:
    early, late = shop_of("bml-shipping"), shop_of("bml-shipping")
    left = early.time(MONDAY) + HOUR
    for one in (early, late):
        await one.at(one.time(MONDAY))
        await one.a_paid_policy(20_000)
        await one.dispatch(left)

    await early.at(left - TICK)
    await late.at(left)

    answered(await early.cancel("ORDER_CANCELLED"))
    refused(await late.cancel("ORDER_CANCELLED"), 409, "policy-not-cancellable")
    assert [(await one.state(), await one.refunded()) for one in (early, late)] == [
        ("CANCELLED", "6.00"),
        ("ACTIVE", "0.00"),
    ]


@pytest.mark.parametrize("is_delivered", [False, True], ids=["on its way", "delivered"])
async def test_bm_07_cover_that_was_never_provided_is_refunded_after_the_dispatch_too(
    shop: Shop, is_delivered: bool
) -> None:
    await shop.at(shop.time(MONDAY))
    await shop.a_paid_policy(20_000)
    await shop.dispatch(shop.time(MONDAY))
    if is_delivered:
        await shop.deliver(shop.time(MONDAY))

    answered(await shop.cancel("COVER_NOT_PROVIDED"))

    assert (await shop.state(), await shop.refunded()) == ("CANCELLED", "6.00")


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ("mypoz-cargo", "CUSTOMER_CANCEL"),
        ("bml-shipping", "ORDER_CANCELLED"),
        ("tks-warehouse", "CUSTOMER_CANCEL"),
        ("jsx-cargo", "CUSTOMER_CANCEL"),
        ("cssecure", "CUSTOMER_CANCEL"),
    ],
)
async def test_bm_07_mp_24_tk_09_js_09_cs_11_a_delivered_parcel_is_not_cancelled(
    shop_of: ShopOf, plan: str, reason: str
) -> None:
    shop = shop_of(plan)
    start = shop.time(MONDAY)
    await shop.at(start)
    await shop.a_paid_policy(20_000)
    await shop.accept(start)
    await shop.dispatch(start)
    await shop.at(start + 100 * HOUR)
    await shop.deliver(start + 100 * HOUR)

    refused(await shop.cancel(reason), 409, "policy-not-cancellable")

    assert (await shop.state(), await shop.refunded()) == ("RUN_OFF", "0.00")


async def test_bm_07_there_is_no_other_reason(shop: Shop) -> None:
    await shop.a_paid_policy(20_000)

    for reason in ("CUSTOMER_CANCEL", "CHANGED_MY_MIND"):
        refused(await shop.cancel(reason), 422, "unknown-refund-reason")

    assert (await shop.state(), await shop.refunded()) == ("ACTIVE", "0.00")


@pytest.mark.parametrize(
    ("item_class", "verdict"),
    [
        ("prohibited", Verdict.DECLINE),
        ("jewellery", Verdict.DECLINE),
        ("cash", Verdict.DECLINE),
        ("live_animal", Verdict.DECLINE),
        ("perishable", Verdict.DECLINE),
        ("phone", Verdict.ACCEPT),
        ("vase", Verdict.ACCEPT),
        ("refrigerator", Verdict.ACCEPT),
        ("other", Verdict.ACCEPT),
    ],
)
def test_bm_31_jewellery_cash_animals_perishable_and_prohibited_goods_are_not_insured(
    item_class: str, verdict: Verdict
) -> None:
    items = ({"class": item_class, "value": Decimal(10)},)

    assert eligibility(BML, {"items": items}).verdicts == (verdict,)
