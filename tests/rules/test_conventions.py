"""What holds for buying under every programme (domain.md 0.3, and Q14 and Q45 of its questions)."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from tests.buying import answered, refused
from tests.policy.builders import Json
from tests.quote.builders import BOOK
from tests.rules.conftest import ShopOf
from tests.rules.shop import BUYERS, minor_of

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
MONDAY = "2024-05-06T09:00"
AT_ONCE = 20


# --- money and rates -------------------------------------------------------------------------


@pytest.mark.parametrize("plan", BUYERS)
async def test_g_01_money_is_whole_minor_units_and_rates_are_decimal_texts(
    shop_of: ShopOf, plan: str
) -> None:
    shop = shop_of(plan)

    offer = await shop.asked(100_000)

    assert all(
        type(offer[name]["amount_minor"]) is int for name in ("premium", "insured_value")
    )
    assert (type(offer["rate"]), offer["rate"]) == (str, f"{shop.plan.premium.rate:f}")


@pytest.mark.parametrize("amount_minor", [1000.0, 10.5, "1000"], ids=repr)
async def test_g_01_what_is_no_whole_number_is_no_money(
    shop_of: ShopOf, amount_minor: object
) -> None:
    shop = shop_of("cssecure")
    fee = {"amount_minor": amount_minor, "currency": "CNY"}
    request = shop.request(100_000, shipping_fee=fee)

    refused(await shop.to_quotes("/v1/quotes", request), 422, "invalid-request")


@pytest.mark.parametrize(
    ("insured", "premium"),
    [(49, 1), (50, 2), (149, 4), (150, 5), (8_349, 250), (8_350, 251)],
)
async def test_g_02_half_a_fen_of_premium_is_rounded_up(
    shop_of: ShopOf, insured: int, premium: int
) -> None:
    """3 % of 0.50 is 1.5 fen, of 1.50 it is 4.5, of 83.50 it is 250.5."""
    offer = await shop_of("cssecure").insured(insured)

    assert minor_of(offer["premium"]) == premium


async def test_g_09_q14_a_quote_and_its_policy_keep_the_rate_of_exchange(
    shop_of: ShopOf,
) -> None:
    """The reminder went by the rate of the day; what is corrected later changes neither."""
    shop = shop_of("mypoz-cargo")
    await shop.at(shop.time(MONDAY))
    path = "/v1/exchange-rates/MYR/2024-05-06"
    answered(await shop.put_to_quotes(path, {"rate": "0.20"}))
    await shop.asked(45_000)
    await shop.bind()

    answered(await shop.put_to_quotes(path, {"rate": "0.30"}))

    quote = await shop.show_quote()
    assert quote["exchange_rate"] == {"currency": "MYR", "rate": "0.20", "day": "2024-05-06"}
    assert quote["offers"][0]["reminder"] is False


# --- time ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "zone"),
    [
        ("mypoz-cargo", "Asia/Kuala_Lumpur"),
        ("bml-shipping", "UTC"),
        ("tks-warehouse", "Asia/Shanghai"),
        ("jsx-cargo", "Asia/Shanghai"),
        ("cssecure", "Asia/Shanghai"),
    ],
)
def test_g_03_a_day_is_that_of_the_plans_zone(plan: str, zone: str) -> None:
    zones = {one.zone.key for one in BOOK if one.plan == plan}

    assert zones == {zone}


# --- the plan's version ----------------------------------------------------------------------


async def test_g_11_a_policy_keeps_the_plan_version_of_its_quote(shop_of: ShopOf) -> None:
    """Quoted under CSSecure's predecessor at 2 %, bound and paid under the 3 % of today."""
    shop = shop_of("cssecure")
    await shop.at(shop.time("2021-07-08T12:00"))
    await shop.asked(100_000)
    await shop.at(shop.time("2021-07-10T12:00"))
    bound = await shop.bind()

    paid = answered(await shop.pay(2_000))

    assert (bound["plan"]["version"], minor_of(bound["premium"])) == (1, 2_000)
    assert (paid["plan"]["version"], paid["state"]) == (1, "SCHEDULED")
    assert (await shop.asked(100_000))["version"] == 2


@pytest.mark.parametrize("plan", ["bml-shipping", "tks-warehouse", "jsx-cargo", "cssecure"])
async def test_g_11_a_price_is_accepted_in_its_last_instant_and_not_one_later(
    shop_of: ShopOf, plan: str
) -> None:
    """Seven days to the microsecond."""
    shop, late = shop_of(plan), shop_of(plan)
    last = shop.time(MONDAY) + 7 * 24 * HOUR
    for one in (shop, late):
        await one.at(one.time(MONDAY))
        await one.asked(100_000)

    await shop.at(last)
    await late.at(last + TICK)

    assert (await shop.bind())["state"] == "PENDING"
    refused(await late.try_to_bind(), 409, "quote-expired")


# --- one policy a parcel ---------------------------------------------------------------------

PARCEL: Json = {"carrier": "ems", "tracking_number": "EZ1000000001CN"}


async def test_q45_a_parcel_that_is_on_its_way_is_insured_once(shop_of: ShopOf) -> None:
    shop = shop_of("cssecure")
    first = await shop.a_policy(**PARCEL)
    await shop.asked(100_000)

    problem = refused(await shop.try_to_bind(**PARCEL), 409, "parcel-insured-already")

    assert problem["policy_id"] == first["policy_id"]


async def test_q45_a_number_without_its_carrier_is_the_same_parcel(shop_of: ShopOf) -> None:
    shop = shop_of("cssecure")
    number: Json = {"tracking_number": PARCEL["tracking_number"]}
    await shop.a_policy(**PARCEL)
    await shop.asked(100_000)

    refused(await shop.try_to_bind(**number), 409, "parcel-insured-already")

    other = shop_of("cssecure")
    await other.a_policy(**number)
    await other.asked(100_000)
    refused(await other.try_to_bind(**PARCEL), 409, "parcel-insured-already")


async def test_q45_a_second_policy_is_not_given_the_number_later_either(
    shop_of: ShopOf,
) -> None:
    shop = shop_of("cssecure")
    await shop.a_policy(**PARCEL)
    await shop.a_policy()

    sent = await shop.on_policy("dispatch", PARCEL)
    named = await shop.name_parcel(PARCEL)

    for response in (sent, named):
        refused(response, 409, "parcel-insured-already")


@pytest.mark.parametrize("way", ["cancelled", "delivered"])
async def test_q45_a_number_is_free_again_once_its_parcel_is_over(
    shop_of: ShopOf, way: str
) -> None:
    shop = shop_of("cssecure")
    await shop.at(shop.time(MONDAY))
    await shop.a_paid_policy(**PARCEL)
    if way == "cancelled":
        answered(await shop.cancel("CUSTOMER_CANCEL"))
    else:
        await shop.dispatch(shop.time(MONDAY))
        await shop.deliver(shop.time(MONDAY))

    assert (await shop.a_policy(**PARCEL))["state"] == "PENDING"


async def test_q45_a_policy_may_be_told_its_own_carrier(shop_of: ShopOf) -> None:
    shop = shop_of("cssecure")
    await shop.a_policy(tracking_number=PARCEL["tracking_number"])

    named = answered(await shop.name_parcel(PARCEL))

    assert (named["carrier"], named["tracking_number"]) == tuple(PARCEL.values())


async def test_q45_two_carriers_may_use_one_number(shop_of: ShopOf) -> None:
    shop = shop_of("cssecure")
    await shop.a_policy(**PARCEL)

    assert (await shop.a_policy(**{**PARCEL, "carrier": "dhl"}))["state"] == "PENDING"


async def test_q45_another_tenants_parcel_has_its_own_numbers(shop_of: ShopOf) -> None:
    await shop_of("cssecure").a_policy(**PARCEL)

    assert (await shop_of("cssecure").a_policy(**PARCEL))["state"] == "PENDING"


async def test_q45_of_twenty_who_insure_one_parcel_at_once_one_does(shop_of: ShopOf) -> None:
    shop = shop_of("cssecure")
    quotes = []
    for _ in range(AT_ONCE):
        await shop.asked(100_000)
        quotes.append(shop.quote["quote_id"])

    answers = await asyncio.gather(
        *(shop.to_policies("/v1/policies", {"quote_id": one, **PARCEL}) for one in quotes)
    )

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: AT_ONCE - 1}
