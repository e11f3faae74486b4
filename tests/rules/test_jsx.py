"""JS Express's rules of buying cover (domain.md 1.4), one by one, at the doors of its sales."""

from datetime import timedelta

import pytest

from tests.buying import answered, refused
from tests.rules.conftest import ShopOf
from tests.rules.shop import Shop, instant, minor_of

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
NOON = "2024-06-01T12:00"
MIDNIGHT = "2024-06-02T00:00"


@pytest.fixture
def shop(shop_of: ShopOf) -> Shop:
    return shop_of("jsx-cargo")


async def test_js_01_q4_yuan_are_insured(shop: Shop) -> None:
    offer = await shop.insured(500_000)
    assert (offer["premium"]["currency"], offer["premium"]["formatted"]) == ("CNY", "¥50.00")

    dollars = {"amount_minor": 0, "currency": "USD"}
    request = shop.request(200_000, shipping_fee=dollars)
    refused(await shop.to_quotes("/v1/quotes", request), 422, "wrong-currency")


async def test_js_02_contract_customers_buy_from_their_sales_contact_or_by_qq(
    shop: Shop,
) -> None:
    reasons = [
        (await shop.insured(500_000, point=point))["reasons"]
        for point in ("sales_contact", "qq", "checkout")
    ]
    consumer = {"customer_id": "bo", "kind": "consumer"}
    stranger = await shop.insured(500_000, customer=consumer)

    # No self-checkout.
    assert reasons == [[], [], ["NOT_ON_OFFER"]]
    assert stranger["reasons"] == ["BUYER_NOT_SERVED"]


@pytest.mark.parametrize(
    ("insured", "premium"),
    [(1, 1_000), (100_000, 1_000), (100_049, 1_000), (100_050, 1_001), (10_000_000, 100_000)],
)
async def test_js_04_q4_one_percent_of_the_insured_value_and_at_least_ten_yuan(
    shop: Shop, insured: int, premium: int
) -> None:
    offer = await shop.insured(insured)

    assert (offer["rate"], minor_of(offer["premium"])) == ("0.01", premium)


async def test_js_05_q4_the_customer_declares_the_value_up_to_100_000_yuan(shop: Shop) -> None:
    at, above = await shop.insured(10_000_000), await shop.insured(10_000_001)
    # Declared, not reckoned from the goods.
    declared = await shop.insured(300_000, worth=200_000)

    assert (at["reasons"], above["reasons"]) == ([], ["OVER_LIMIT"])
    assert minor_of(declared["insured_value"]) == 300_000


@pytest.mark.parametrize(
    ("mode", "reasons"),
    [("air", []), ("sea", []), ("rail", []), ("road", ["NOT_ON_OFFER"])],
)
async def test_js_06_cargo_goes_by_air_sea_or_rail(
    shop: Shop, mode: str, reasons: list[str]
) -> None:
    parcel = {"line": "OTHER-LINE", "destination": "US", "mode": mode}

    assert (await shop.insured(500_000, parcel=parcel))["reasons"] == reasons


async def test_js_06_nothing_is_covered_before_it_leaves_the_origin_warehouse(
    shop: Shop,
) -> None:
    await shop.at(shop.time(NOON))
    await shop.a_paid_policy(500_000)
    left = shop.time(MIDNIGHT) + 9 * HOUR
    await shop.at(left - TICK)
    waiting = await shop.state()

    await shop.at(left)
    await shop.dispatch(left)

    policy = await shop.show_policy()
    assert (waiting, policy["state"]) == ("SCHEDULED", "ACTIVE")
    assert instant(policy["cover_start"]) == left


@pytest.mark.parametrize(
    ("paid", "starts"),
    [
        ("2024-06-01T00:00", "2024-06-02T00:00"),
        ("2024-06-01T23:59:59.999998", "2024-06-02T00:00"),
        ("2024-06-02T00:00", "2024-06-03T00:00"),
    ],
    ids=["at 00:00:00 a whole day before", "a moment before midnight", "at midnight"],
)
async def test_js_07_q20_cover_starts_at_the_midnight_after_the_day_of_payment(
    shop: Shop, paid: str, starts: str
) -> None:
    await shop.at(shop.time(paid))
    await shop.a_paid_policy(500_000)
    await shop.dispatch(shop.time(paid))

    await shop.at(shop.time(starts) - TICK)
    before = await shop.state()
    await shop.at(shop.time(starts))

    policy = await shop.show_policy()
    assert (before, policy["state"]) == ("SCHEDULED", "ACTIVE")
    assert instant(policy["cover_start"]) == shop.time(starts)


async def test_js_08_cover_ends_with_the_arrival(shop: Shop) -> None:
    await shop.at(shop.time(NOON))
    await shop.a_paid_policy(500_000)
    await shop.dispatch(shop.time(NOON))
    arrived = shop.time(NOON) + 500 * HOUR

    await shop.at(arrived)
    await shop.deliver(arrived)

    policy = await shop.show_policy()
    assert policy["state"] == "RUN_OFF"
    assert instant(policy["tracking"]["delivered_at"]) == arrived


async def cancelled_at(shop: Shop, left: str, at: str, moment: timedelta) -> tuple[str, str]:
    """Paid at noon, on its way since `left`, cancelled then: the state, and what went back."""
    await shop.at(shop.time(NOON))
    await shop.a_paid_policy(500_000)
    await shop.dispatch(shop.time(left))
    await shop.at(shop.time(at) + moment)
    response = await shop.cancel("CUSTOMER_CANCEL")
    assert response.status_code == 200 or response.json()["code"] == "policy-not-cancellable"
    return await shop.state(), await shop.refunded()


KEPT, GONE_BACK = ("ACTIVE", "0.00"), ("CANCELLED", "50.00")


@pytest.mark.parametrize(("moment", "end"), [(-TICK, GONE_BACK), (TICK * 0, KEPT)])
async def test_js_09_on_its_way_it_is_refunded_until_the_very_instant_cover_starts(
    shop: Shop, moment: timedelta, end: tuple[str, str]
) -> None:
    assert await cancelled_at(shop, "2024-06-01T20:00", MIDNIGHT, moment) == end


@pytest.mark.parametrize(("moment", "end"), [(-TICK, GONE_BACK), (TICK * 0, KEPT)])
async def test_js_09_after_the_midnight_it_is_refunded_until_the_very_instant_of_dispatch(
    shop: Shop, moment: timedelta, end: tuple[str, str]
) -> None:
    left = "2024-06-03T09:00"

    assert await cancelled_at(shop, left, left, moment) == end


async def test_js_09_not_dispatched_it_is_refunded_after_the_midnight_too(shop: Shop) -> None:
    await shop.at(shop.time(NOON))
    await shop.a_paid_policy(500_000)
    await shop.at(shop.time(MIDNIGHT) + 9 * HOUR)

    answered(await shop.cancel("CUSTOMER_CANCEL"))

    assert (await shop.state(), await shop.refunded()) == GONE_BACK


@pytest.mark.parametrize("item_class", ["contraband", "counterfeit"])
async def test_js_29_counterfeit_and_contraband_are_not_accepted(
    shop: Shop, item_class: str
) -> None:
    offer = await shop.asked(shop.goods(item_class, 50_000))

    assert offer["reasons"] == ["GOODS_EXCLUDED"]
