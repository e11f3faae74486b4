"""MyPoz's rules of buying cover (domain.md 1.1), one by one, at the doors of its shop and staff."""

from datetime import timedelta
from decimal import Decimal

import pytest

from libs.common.plans.codes import Verdict
from services.quote.domain import documents, eligibility, price
from tests.buying import answered, refused
from tests.quote.builders import BOOK
from tests.rules.conftest import ShopOf
from tests.rules.shop import AT_35, WITH_HOLIDAYS, Shop, instant, minor_of

MYPOZ = BOOK.get("mypoz-cargo", 1)
MONDAY = "2024-05-06T09:00"
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
FIELDS = ("product_name", "picture", "price", "quantity", "actual_payment_amount")
DEPOSIT, PREMIUM, TOP_UP = 2_500, 3_800, 1_300


@pytest.fixture
def shop(shop_of: ShopOf) -> Shop:
    return shop_of("mypoz-cargo")


def usd(cents: int) -> dict[str, object]:
    """The order's value, as the shop says it."""
    value = {"amount_minor": cents, "currency": "USD"}
    return {"order": {"order_ref": "order-1", "order_value_usd": value}}


# --- currency, buyer, offer ------------------------------------------------------------------


async def test_mp_01_ringgit_are_insured_and_dollars_only_decide_on_the_reminder(
    shop: Shop,
) -> None:
    offer = await shop.asked(100_000)
    assert (offer["premium"]["currency"], offer["premium"]["formatted"]) == ("MYR", "RM 38.00")

    yuan = {"amount_minor": 4_500, "currency": "CNY"}
    request = shop.request(100_000, shipping_fee=yuan)
    refused(await shop.to_quotes("/v1/quotes", request), 422, "wrong-currency")
    ringgit = {"order": {"order_ref": "order-1", "order_value_usd": shop.amount(10_001)}}
    request = shop.request(100_000, **ringgit)
    refused(await shop.to_quotes("/v1/quotes", request), 422, "wrong-currency")


async def test_mp_02_customers_of_the_forwarder_buy_if_they_want_to(shop: Shop) -> None:
    seller = await shop.asked(100_000, customer={"customer_id": "bo", "kind": "seller"})
    assert seller["reasons"] == ["BUYER_NOT_SERVED"]

    await shop.asked(100_000)

    # Voluntary: nobody has chosen for the customer.
    assert shop.quote["consent"] is None


async def test_mp_03_above_usd_100_there_is_a_reminder_and_no_compulsion(shop: Shop) -> None:
    offer = await shop.asked(100_000, **usd(10_001))
    assert (offer["reminder"], offer["is_available"]) == (True, True)

    await shop.opt_out()
    refused(await shop.try_to_bind(), 409, "opted-out")


async def test_mp_04_below_usd_100_it_is_to_be_had_as_an_extra_service(shop: Shop) -> None:
    offer = await shop.asked(30_000, point="extra_service", **usd(9_999))
    assert (offer["reminder"], offer["is_available"]) == (False, True)

    elsewhere = await shop.asked(30_000, point="checkout", **usd(9_999))
    assert elsewhere["reasons"] == ["NOT_ON_OFFER"]


async def test_mp_05_q27_exactly_usd_100_is_no_reminder_and_still_an_extra_service(
    shop: Shop,
) -> None:
    offer = await shop.asked(30_000, point="extra_service", **usd(10_000))

    assert (offer["reminder"], offer["is_available"]) == (False, True)


async def test_mp_06_q27_all_lines_and_pieces_of_the_order_count_together(shop: Shop) -> None:
    """MyPoz goes by the total: three phones and a watch, none of them worth USD 100."""
    await shop.at(shop.time(MONDAY))
    path = "/v1/exchange-rates/MYR/2024-05-06"
    answered(await shop.put_to_quotes(path, {"rate": "0.25"}))
    watch = shop.goods("smart_watch", 10_000)

    exactly = await shop.asked(shop.goods("phone", 10_000, quantity=3), watch)
    more = await shop.asked(shop.goods("phone", 10_001, quantity=3), watch)

    # 400.00 and 400.03 at 0.25.
    assert (exactly["reminder"], more["reminder"]) == (False, True)


# --- procedure and papers --------------------------------------------------------------------


async def test_mp_07_chosen_proven_calculated_paid_insured(shop: Shop) -> None:
    await shop.at(shop.time(MONDAY))
    states = []
    await shop.asked(100_000)
    states.append(shop.quote["state"])
    await shop.prove()
    states.append((await shop.show_quote())["state"])
    await shop.confirm(Decimal(1000))
    states.append((await shop.show_quote())["state"])
    states.append((await shop.bind())["state"])
    states.append(answered(await shop.pay(PREMIUM))["state"])

    assert states == ["DRAFT", "UNDER_VERIFICATION", "PRICED", "PENDING", "ACTIVE"]


@pytest.mark.parametrize("hidden", FIELDS)
def test_mp_08_the_paper_must_show_all_five(hidden: str) -> None:
    shown = tuple(field for field in FIELDS if field != hidden)

    checked = documents(MYPOZ, {"shown": shown})

    assert (checked.state, checked.missing) == ("INFO_REQUIRED", (hidden,))
    assert documents(MYPOZ, {"shown": FIELDS}).state == "UNDER_VERIFICATION"


async def test_mp_09_parcel_numbers_come_with_the_papers(shop: Shop) -> None:
    await shop.asked(100_000)
    await shop.prove()
    await shop.upload("parcel_numbers")

    file = answered(await shop.from_quotes(f"/v1/verifications/{shop.quote['quote_id']}"))

    kinds = [paper["kind"] for paper in file["documents"]]
    assert kinds == ["proof_of_purchase", "parcel_numbers"]


async def test_mp_12_complete_papers_make_the_fee_due_on_the_customers_order(
    shop: Shop,
) -> None:
    await shop.asked(100_000)
    await shop.prove()
    await shop.bind()
    assert (await shop.show_policy())["confirmed_at"] is None

    await shop.confirm(Decimal(1000))

    policy = await shop.show_policy()
    assert (minor_of(policy["premium_due"]), policy["terms"]["order_ref"]) == (
        PREMIUM,
        "order-1",
    )
    assert answered(await shop.pay(PREMIUM, is_automatic=True))["state"] == "ACTIVE"


async def test_mp_13_g_07_q25_papers_have_seven_working_days_without_weekend_and_holiday(
    shop_of: ShopOf,
) -> None:
    """From Monday over a weekend, and over Friday the tenth, a day off: until Thursday week."""
    shop, late = shop_of(WITH_HOLIDAYS), shop_of(WITH_HOLIDAYS)
    over = shop.time("2024-05-17T00:00")
    for one in (shop, late):
        await one.at(one.time(MONDAY))
        await one.asked(100_000)

    await shop.at(over - TICK)
    await shop.prove()
    await late.at(over)

    assert (await shop.show_quote())["state"] == "UNDER_VERIFICATION"
    assert (await late.show_quote())["state"] == "INVALID"


async def test_mp_13_a_bought_order_without_papers_is_invalid_and_the_deposit_goes_back(
    shop: Shop,
) -> None:
    await shop.at(shop.time(MONDAY))
    await shop.asked(100_000)
    await shop.bind()
    answered(await shop.pay(DEPOSIT))

    await shop.at(shop.time("2024-05-16T00:00") - TICK)
    before = await shop.state()
    await shop.at(shop.time("2024-05-16T00:00"))

    assert (before, await shop.state()) == ("PENDING", "INVALID")
    assert await shop.refunded() == "25.00"


async def test_mp_14_nothing_is_paid_automatically_before_the_amount_is_confirmed(
    shop: Shop,
) -> None:
    await shop.asked(100_000)
    await shop.prove()
    await shop.bind()

    for minor in (DEPOSIT, PREMIUM):
        refused(await shop.pay(minor, is_automatic=True), 409, "autopay-blocked")
    await shop.confirm(Decimal(1000))

    assert answered(await shop.pay(PREMIUM, is_automatic=True))["state"] == "ACTIVE"


# --- premium ---------------------------------------------------------------------------------


def premium_at(sen: int) -> tuple[int, int]:
    """The premium of goods of that value, and what the rate gives by itself."""
    priced = price(MYPOZ, {"eligible_goods_value": Decimal(sen) / 100})
    return priced.premium.amount_minor, priced.raw.amount_minor


def test_mp_15_the_minimum_of_rm_25_stops_binding_at_rm_657_89() -> None:
    """3.8 % of RM 657.89… is RM 25; rounded to the sen it is so from RM 657.77 to RM 658.02."""
    values = range(60_000, 70_000)

    last_below = max(sen for sen in values if premium_at(sen)[1] < DEPOSIT)
    first_above = min(sen for sen in values if premium_at(sen)[0] > DEPOSIT)

    assert (last_below, first_above) == (65_776, 65_803)
    assert [premium_at(sen) for sen in (65_776, 65_777, 65_789, 65_790, 65_802, 65_803)] == [
        (2_500, 2_499),
        (2_500, 2_500),
        (2_500, 2_500),
        (2_500, 2_500),
        (2_500, 2_500),
        (2_501, 2_501),
    ]


async def test_mp_15_a_small_order_costs_rm_25_at_the_door(shop: Shop) -> None:
    last, first = await shop.asked(65_802), await shop.asked(65_803)

    assert [offer["premium"]["formatted"] for offer in (last, first)] == [
        "RM 25.00",
        "RM 25.01",
    ]


async def test_mp_16_k1_the_rate_is_3_8_percent_and_each_offer_shows_it(shop: Shop) -> None:
    thousand, three_hundred = await shop.asked(100_000), await shop.asked(30_000)

    assert (thousand["rate"], minor_of(thousand["premium"])) == ("0.038", 3_800)
    assert (three_hundred["rate"], minor_of(three_hundred["premium"])) == ("0.038", 2_500)


async def test_mp_16_k1_the_other_reading_is_a_plan_file_away(shop_of: ShopOf) -> None:
    """Both examples of the seed, at 3.5 %."""
    shop = shop_of(AT_35)

    thousand, three_hundred = await shop.asked(100_000), await shop.asked(30_000)

    assert (thousand["rate"], minor_of(thousand["premium"])) == ("0.035", 3_500)
    assert (minor_of(three_hundred["premium"]), minor_of(three_hundred["raw_premium"])) == (
        2_500,
        1_050,
    )


async def test_mp_17_only_eligible_lines_and_all_their_pieces_are_the_base(
    shop: Shop,
) -> None:
    offer = await shop.asked(
        shop.goods("phone", 40_000, quantity=3), shop.goods("vase", 90_000)
    )

    assert minor_of(offer["insured_value"]) == 120_000
    assert minor_of(offer["premium"]) == 4_560


async def test_mp_17_mp_25_no_premium_is_charged_above_rm_50_000(shop: Shop) -> None:
    below, at, above = [await shop.asked(sen) for sen in (4_999_900, 5_000_000, 5_000_001)]

    assert [minor_of(offer["premium"]) for offer in (below, at, above)] == [
        189_996,
        190_000,
        190_000,
    ]
    # More than can be paid is not insured either.
    assert [minor_of(offer["insured_value"]) for offer in (below, at, above)] == [
        4_999_900,
        5_000_000,
        5_000_000,
    ]


# --- deposit and top-up ----------------------------------------------------------------------


async def held(shop: Shop, ringgit: int = 1000) -> None:
    """A deposit of RM 25 paid on Monday, and the amount confirmed two days later to the hour."""
    await shop.at(shop.time(MONDAY))
    await shop.asked(ringgit * 100)
    await shop.prove()
    await shop.bind()
    answered(await shop.pay(DEPOSIT))
    await shop.at(shop.time(MONDAY) + 48 * HOUR)
    await shop.confirm(Decimal(ringgit))


CONFIRMED_TO_DEADLINE = 96 * HOUR  # from MONDAY


async def test_mp_18_the_extra_above_rm_25_is_topped_up(shop: Shop) -> None:
    await held(shop)

    policy = await shop.show_policy()
    assert (policy["state"], minor_of(policy["premium_due"])) == ("PENDING", TOP_UP)
    assert answered(await shop.pay(TOP_UP))["state"] == "ACTIVE"


async def test_mp_18_before_the_amount_is_confirmed_the_deposit_is_taken_and_no_more(
    shop: Shop,
) -> None:
    await shop.asked(100_000)
    await shop.prove()
    await shop.bind()

    paid = answered(await shop.pay(PREMIUM))

    assert paid["payment"]["standing"] == "NOT_CONFIRMED"
    assert (minor_of(paid["premium_paid"]), await shop.refunded()) == (DEPOSIT, "13.00")


async def test_mp_18_an_amount_of_rm_25_leaves_nothing_due(shop: Shop) -> None:
    await held(shop, ringgit=300)

    policy = await shop.show_policy()

    assert (policy["state"], minor_of(policy["premium_due"])) == ("ACTIVE", 0)


async def test_mp_18_g_05_a_top_up_after_exactly_48_hours_is_in_time(shop: Shop) -> None:
    await held(shop)

    await shop.at(shop.time(MONDAY) + CONFIRMED_TO_DEADLINE)

    assert await shop.state() == "PENDING"
    assert answered(await shop.pay(TOP_UP))["state"] == "ACTIVE"
    await shop.at(shop.time(MONDAY) + CONFIRMED_TO_DEADLINE + TICK)
    assert (await shop.state(), await shop.refunded()) == ("ACTIVE", "0.00")


async def test_mp_18_mp_20_q29_a_microsecond_later_it_is_cancelled_and_rm_25_go_back(
    shop: Shop,
) -> None:
    await held(shop)

    await shop.at(shop.time(MONDAY) + CONFIRMED_TO_DEADLINE + TICK)

    assert (await shop.state(), await shop.refunded()) == ("CANCELLED", "25.00")


async def test_mp_19_q16_the_48_hours_begin_with_the_confirmed_amount_not_the_deposit(
    shop: Shop,
) -> None:
    """The deposit is 48 hours old when the amount is confirmed, and 95 when the rest is paid."""
    await held(shop)
    assert await shop.state() == "PENDING"

    await shop.at(shop.time(MONDAY) + CONFIRMED_TO_DEADLINE - HOUR)

    assert answered(await shop.pay(TOP_UP))["state"] == "ACTIVE"


async def test_mp_20_a_top_up_that_comes_too_late_goes_back_as_well(shop: Shop) -> None:
    await held(shop)
    await shop.at(shop.time(MONDAY) + CONFIRMED_TO_DEADLINE + TICK)

    paid = answered(await shop.pay(TOP_UP))

    assert (paid["state"], paid["payment"]["standing"]) == ("CANCELLED", "LATE")
    assert await shop.refunded() == "38.00"


# --- cover -----------------------------------------------------------------------------------


async def test_mp_21_there_is_no_cover_before_the_premium_is_paid_in_full(shop: Shop) -> None:
    await held(shop)
    waiting = await shop.show_policy()
    later = shop.time(MONDAY) + 72 * HOUR

    await shop.at(later)
    policy = answered(await shop.pay(TOP_UP))

    assert (waiting["state"], waiting["cover_start"]) == ("PENDING", None)
    assert (policy["state"], policy["cover_start"]) == ("ACTIVE", policy["paid_at"])
    assert instant(policy["cover_start"]) == later


async def test_mp_21_paid_first_cover_starts_with_the_verification(shop: Shop) -> None:
    """RM 25 turn out to be the whole premium: two days after they were paid."""
    await held(shop, ringgit=300)

    policy = await shop.show_policy()

    assert instant(policy["paid_at"]) == shop.time(MONDAY)
    assert instant(policy["cover_start"]) == shop.time(MONDAY) + 48 * HOUR


async def test_mp_22_cover_ends_with_the_delivery(shop: Shop) -> None:
    await shop.at(shop.time(MONDAY))
    await shop.a_paid_policy()
    await shop.dispatch(shop.time(MONDAY) + HOUR)
    delivered = shop.time(MONDAY) + 100 * HOUR

    await shop.at(delivered)
    await shop.deliver(delivered)

    policy = await shop.show_policy()
    assert policy["state"] == "RUN_OFF"
    assert instant(policy["tracking"]["delivered_at"]) == delivered


async def test_q17_a_parcel_released_while_the_top_up_is_open_is_not_insured(
    shop: Shop,
) -> None:
    """Cover never reaches back: paid in time all the same, it begins with the payment."""
    await held(shop)
    left, paid_at = shop.time(MONDAY) + 50 * HOUR, shop.time(MONDAY) + 60 * HOUR
    await shop.at(left)
    await shop.dispatch(left)
    released = await shop.show_policy()

    await shop.at(paid_at)
    policy = answered(await shop.pay(TOP_UP))

    assert (released["state"], released["cover_start"]) == ("PENDING", None)
    assert instant(policy["cover_start"]) == paid_at


# --- changes, cancellation -------------------------------------------------------------------


async def test_mp_23_another_address_makes_a_bought_policy_void_without_refund(
    shop: Shop,
) -> None:
    await shop.a_paid_policy()
    preview = answered(await shop.on_policy("address/preview", {"destination": "US"}))

    changed = answered(await shop.on_policy("address", {"destination": "US"}))

    assert (preview["becomes_void"], preview["rule_ids"]) == (True, ["MP-23"])
    assert (changed["state"], await shop.refunded()) == ("VOID", "0.00")


async def test_mp_23_before_the_purchase_the_address_may_change(shop: Shop) -> None:
    await shop.a_policy()

    changed = answered(await shop.on_policy("address", {"destination": "US"}))

    assert changed["state"] == "PENDING"
    assert answered(await shop.pay(PREMIUM))["state"] == "ACTIVE"


async def test_mp_24_a_moment_before_the_dispatch_all_goes_back_and_at_it_nothing(
    shop_of: ShopOf,
) -> None:
    early, late = shop_of("mypoz-cargo"), shop_of("mypoz-cargo")
    left = early.time(MONDAY) + HOUR
    for one in (early, late):
        await one.at(one.time(MONDAY))
        await one.a_paid_policy()
        # Announced an hour before.
        await one.dispatch(left)

    await early.at(left - TICK)
    await late.at(left)

    answered(await early.cancel("CUSTOMER_CANCEL"))
    refused(await late.cancel("CUSTOMER_CANCEL"), 409, "policy-not-cancellable")
    assert [(await one.state(), await one.refunded()) for one in (early, late)] == [
        ("CANCELLED", "38.00"),
        ("ACTIVE", "0.00"),
    ]


# --- goods -----------------------------------------------------------------------------------

ELECTRONICS = ("phone", "tablet", "smart_watch", "game_console", "other_3c")
NOT_TAKEN = (
    "acrylic", "vase", "picture_frame", "antique", "glass", "house_model", "other_fragile",
    "refrigerator", "washing_machine", "large_appliance", "restricted", "prohibited",
)  # fmt: skip
OTHERS = ("clothing", "shoes", "bag", "cosmetics", "book", "toy", "other", "jewellery")


@pytest.mark.parametrize("item_class", ELECTRONICS)
def test_mp_26_expensive_electronics_are_insured(item_class: str) -> None:
    assert verdict_on(item_class) is Verdict.ACCEPT


@pytest.mark.parametrize("item_class", NOT_TAKEN)
def test_mp_27_fragile_large_and_barred_goods_are_not(item_class: str) -> None:
    assert verdict_on(item_class) is Verdict.DECLINE


@pytest.mark.parametrize("item_class", OTHERS)
def test_mp_28_q28_goods_on_neither_list_are_referred_to_customer_service(
    item_class: str,
) -> None:
    assert verdict_on(item_class) is Verdict.REFER


def verdict_on(item_class: str) -> Verdict:
    goods = eligibility(MYPOZ, {"items": ({"class": item_class, "value": Decimal(10)},)})
    return goods.verdicts[0]


async def test_mp_28_of_a_mixed_order_the_eligible_lines_are_insured_and_priced(
    shop: Shop,
) -> None:
    offer = await shop.asked(
        shop.goods("phone", 150_000), shop.goods("vase", 20_000), shop.goods("toy", 9_000)
    )

    assert [item["verdict"] for item in offer["items"]] == ["ACCEPT", "DECLINE", "REFER"]
    assert minor_of(offer["insured_value"]) == 150_000
    assert minor_of(offer["premium"]) == 5_700
