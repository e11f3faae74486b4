"""Cover is bought on the real stack: papers, deposit and top-up, midnight elsewhere, cancellation.

Four service processes whose own clock is UTC; every story has a sandbox, and a time, of its own.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from deploy.local.ledgers import sums_to_zero
from deploy.local.shop import Json, Shop, Surprise, of, plain, yuan
from deploy.local.stack import Stack
from deploy.local.steps import Steps
from deploy.local.stories import asked, bought
from tests.journeys.conftest import ShopOf
from tests.journeys.test_programmes import cssecure, cssecure_quote, reason

SHANGHAI = ZoneInfo("Asia/Shanghai")
KUALA_LUMPUR = ZoneInfo("Asia/Kuala_Lumpur")
ORDERED = datetime(2024, 5, 6, 9, tzinfo=KUALA_LUMPUR)
SHOWS = ["product_name", "picture", "price", "quantity", "actual_payment_amount"]


async def told(shop: Shop, policy: Json) -> list[str]:
    """The letters the customer was sent, in their order."""
    path = f"/v1/notifications?policy_id={policy['policy_id']}"
    items = (await shop.get("notifier", path))["items"]
    assert {item["state"] for item in items} <= {"SENT"}
    return [item["template"] for item in reversed(items)]


async def changes(shop: Shop, policy: Json) -> list[str]:
    path = f"/v1/policies/{policy['policy_id']}/history?limit=200"
    return [change["type"] for change in (await shop.get("policy", path))["items"]]


async def balances(shop: Shop, policy: Json) -> dict[str, int]:
    ledger = await shop.get("policy", f"/v1/policies/{policy['policy_id']}/ledger")
    for transfer in ledger["transfers"]:
        assert sum(e["amount"]["amount_minor"] for e in transfer["entries"]) == 0
    return {name: shown["amount_minor"] for name, shown in ledger["balances"].items()}


async def shown_policy(shop: Shop, policy: Json) -> Json:
    return await shop.get("policy", f"/v1/policies/{policy['policy_id']}")


# --- mypoz -----------------------------------------------------------------------------------


async def mypoz_quote(shop: Shop, value: str = "1000.00", **more: object) -> Json:
    await shop.at(ORDERED)
    return await shop.quote(
        asked(
            "mypoz-cargo",
            point="order_submission",
            item_class="phone",
            value=of(value, "MYR"),
            shipping_fee=of("60.00", "MYR"),
            destination="MY",
            order={"order_ref": "MPZ-1", **more},
        )
    )


async def verify(shop: Shop, quote: Json, shown: list[str], value: str | None = None) -> Json:
    body: Json = {"shown": shown}
    if value is not None:
        body["verified_value"] = of(value, "MYR")
    answer = await shop.post("quote", f"/v1/quotes/{quote['quote_id']}/verification", body)
    await shop.settle()
    return answer


async def with_deposit(shop: Shop) -> tuple[Json, datetime]:
    """Bound, the deposit paid, then verified: the policy as it waits for RM 13, and since when."""
    quote = await mypoz_quote(shop)
    policy = await shop.pay(await shop.bind(quote), of("25.00", "MYR"))
    await shop.upload("quote", f"/v1/quotes/{quote['quote_id']}/documents", "proof_of_purchase")
    verified = await verify(shop, quote, SHOWS, "1000.00")
    return policy, datetime.fromisoformat(verified["confirmed_at"])


async def test_mypoz_from_the_order_page_to_cover_with_a_top_up(
    shop_of: ShopOf, stack: Stack
) -> None:
    shop = shop_of("mypoz")
    await shop.enter_rate("MYR", "2024-05-06", "0.2109")

    quote = await mypoz_quote(shop)
    offer = quote["offers"][0]
    # RM 1,000 are USD 210.90 that day: more than USD 100 (MP-03).
    assert (quote["state"], offer["reminder"], offer["premium"]["amount_minor"]) == (
        "DRAFT",
        True,
        3_800,
    )
    assert quote["exchange_rate"] == {"currency": "MYR", "rate": "0.2109", "day": "2024-05-06"}
    consent = await shop.post(
        "quote",
        f"/v1/quotes/{quote['quote_id']}/consents",
        {
            "choice": "OPT_IN",
            "plan": "mypoz-cargo",
            "wording_id": offer["wordings"]["ms"],
            "locale": "ms",
            "box_state": "TICKED_BY_CUSTOMER",
            "channel": "checkout",
        },
    )
    policy = await shop.bind(quote)
    assert policy["consent_id"] == consent["consent_id"]
    with pytest.raises(Surprise, match="autopay-blocked"):
        await shop.pay(policy, offer["premium"], is_automatic=True)
    deposited = await shop.pay(policy, of("25.00", "MYR"))
    assert (deposited["state"], deposited["payment"]["standing"]) == ("PENDING", "APPLIED")
    assert await balances(shop, policy) == {"cash": 2_500, "deposit": -2_500}

    # The first receipt does not show what was paid; the second does.
    documents = f"/v1/quotes/{quote['quote_id']}/documents"
    await shop.upload("quote", documents, "proof_of_purchase")
    await shop.later(hours=2)
    insufficient = await verify(shop, quote, SHOWS[:4])
    assert insufficient["missing"] == ["actual_payment_amount"]
    await shop.later(hours=20)
    await shop.upload("quote", documents, "proof_of_purchase")
    (waiting,) = (await shop.get("quote", "/v1/verifications"))["items"]
    assert (waiting["quote_id"], waiting["state"]) == (quote["quote_id"], "UNDER_VERIFICATION")
    await shop.later(hours=3)
    await verify(shop, quote, SHOWS, "1000.00")
    waiting_policy = await shown_policy(shop, policy)
    assert (waiting_policy["state"], waiting_policy["premium_due"]["amount_minor"]) == (
        "PENDING",
        1_300,
    )

    await shop.later(hours=30)
    paid = await shop.pay(policy, of("13.00", "MYR"))
    assert (paid["state"], paid["cover_start"]) == ("ACTIVE", paid["paid_at"])
    await shop.settle()
    assert await balances(shop, policy) == {"cash": 3_800, "premium": -3_800}
    assert await told(shop, policy) == [
        "quote.info_required", "topup.requested", "topup.warning", "policy.active",
    ]  # fmt: skip
    assert await changes(shop, policy) == [
        "PolicyIssued", "PaymentReceived", "DocumentsRequested", "TopUpRequested",
        "TopUpWarned", "PaymentReceived", "PolicyPaid", "PolicyActivated",
    ]  # fmt: skip
    assert await sums_to_zero(stack.postgres.admin_url, Steps.quiet())


async def test_a_top_up_at_exactly_48_hours_is_in_time(shop_of: ShopOf) -> None:
    shop = shop_of("mypoz")
    policy, confirmed_at = await with_deposit(shop)
    await shop.at(confirmed_at + timedelta(hours=48))
    policy = await shop.pay(policy, of("13.00", "MYR"))

    assert policy["state"] == "ACTIVE"


async def test_mypoz_lapses_and_what_comes_late_goes_back_with_the_deposit(
    shop_of: ShopOf,
) -> None:
    shop = shop_of("mypoz")
    policy, confirmed_at = await with_deposit(shop)
    await shop.at(confirmed_at + timedelta(hours=48, seconds=1))

    lapsed = await shown_policy(shop, policy)
    assert (lapsed["state"], lapsed["refund"]["amount_minor"]) == ("CANCELLED", 2_500)
    late = await shop.pay(policy, of("13.00", "MYR"))
    assert (late["state"], late["payment"]["standing"]) == ("CANCELLED", "LATE")
    assert await balances(shop, policy) == {"cash": 3_800, "refund": -3_800}

    refunds = (await shop.get("policy", "/v1/refunds?state=DUE"))["items"]
    assert sorted(r["amount"]["amount_minor"] for r in refunds) == [1_300, 2_500]
    for number, refund in enumerate(refunds):
        settled = {"state": "CONFIRMED", "reference": f"bank-{number}"}
        await shop.post("policy", f"/v1/refunds/{refund['refund_id']}/settlement", settled)
    assert await balances(shop, policy) == {}
    await shop.settle()
    assert await told(shop, policy) == [
        "topup.requested", "topup.warning", "topup.lapsed", "refund.requested",
    ]  # fmt: skip
    assert reason(await shop.claim(policy, "LOSS")) == ("DENIED", "POLICY_CANCELLED")


async def test_papers_that_do_not_come_end_the_quote_and_its_policy(shop_of: ShopOf) -> None:
    shop = shop_of("mypoz")
    quote = await mypoz_quote(shop, "300.00")
    policy = await shop.pay(await shop.bind(quote), of("25.00", "MYR"))

    # Seven working days after Monday, 6 May: the last is Wednesday, 15 May.
    await shop.at(datetime(2024, 5, 15, 23, 59, 59, tzinfo=KUALA_LUMPUR))
    assert (await shown_policy(shop, policy))["state"] == "PENDING"
    await shop.at(datetime(2024, 5, 16, tzinfo=KUALA_LUMPUR))

    ended = await shown_policy(shop, policy)
    assert (ended["state"], ended["refund"]["amount_minor"]) == ("INVALID", 2_500)
    assert (await shop.get("quote", f"/v1/quotes/{quote['quote_id']}"))["state"] == "INVALID"
    assert await told(shop, policy) == ["policy.invalid"]
    assert reason(await shop.claim(policy, "LOSS")) == ("DENIED", "POLICY_INVALID")


async def test_two_cannot_verify_and_the_lower_of_price_and_payment_counts(
    shop_of: ShopOf,
) -> None:
    shop = shop_of("mypoz")
    quote = await mypoz_quote(shop, "300.00")
    path = f"/v1/quotes/{quote['quote_id']}"
    await shop.upload("quote", f"{path}/documents", "proof_of_purchase")

    body = {
        "shown": SHOWS,
        "verified_value": of("300.00", "MYR"),
        "actual_payment": of("280.00", "MYR"),
    }
    await shop.post("quote", f"{path}/verification", body)
    with pytest.raises(Surprise, match="already-verified"):
        await shop.post("quote", f"{path}/verification", body)

    shown = await shop.get("quote", path)
    offer = shown["offers"][0]
    assert (shown["state"], offer["terms"]["eligible_goods_value"]["amount_minor"]) == (
        "PRICED",
        28_000,
    )
    assert offer["premium"]["amount_minor"] == 2_500


async def test_a_new_address_is_seen_to_void_the_policy_before_it_does(
    shop_of: ShopOf,
) -> None:
    """MP-23."""
    shop = shop_of("mypoz")
    policy, _ = await with_deposit(shop)
    await shop.pay(policy, of("13.00", "MYR"))
    path = f"/v1/policies/{policy['policy_id']}/address"

    seen = await shop.post("policy", f"{path}/preview", {"destination": "MY"})
    assert (seen["becomes_void"], seen["state"], seen["rule_ids"]) == (True, "VOID", ["MP-23"])
    assert (await shown_policy(shop, policy))["state"] == "ACTIVE"
    await shop.post("policy", path, {"destination": "MY"})

    await shop.settle()
    assert (await shown_policy(shop, policy))["state"] == "VOID"
    assert (await told(shop, policy))[-1] == "policy.void"
    assert reason(await shop.claim(policy, "LOSS")) == ("DENIED", "POLICY_VOID")


# --- jsx -------------------------------------------------------------------------------------


async def jsx_policy(shop: Shop, paid_at: datetime) -> Json:
    await shop.at(paid_at)
    quote = await shop.quote(
        asked(
            "jsx-cargo",
            point="sales_contact",
            item_class="toy",
            value=yuan("5000.00"),
            shipping_fee=yuan("400.00"),
            insured_value=yuan("5000.00"),
            customer={"customer_id": "ann", "kind": "account"},
            order={"order_ref": "JSX-1"},
        )
    )
    return await bought(shop, quote)


async def test_jsx_covers_from_midnight_in_shanghai_whatever_the_servers_clock(
    shop_of: ShopOf,
) -> None:
    """JS-07. 23:30 in Shanghai is 15:30 in UTC: midnight is half an hour, not eight, away."""
    shop = shop_of("jsx")
    policy = await jsx_policy(shop, datetime(2024, 6, 1, 23, 30, tzinfo=SHANGHAI))
    assert (policy["state"], policy["cover_start"]) == ("SCHEDULED", "2024-06-01T16:00:00Z")
    policy = await shop.dispatch(policy, "JSX1")
    assert policy["state"] == "SCHEDULED"

    await shop.at(datetime(2024, 6, 1, 23, 59, 59, tzinfo=SHANGHAI))
    assert (await shown_policy(shop, policy))["state"] == "SCHEDULED"
    # Until then it is given back (JS-09), though the parcel is on its way.
    seen = await shop.post(
        "policy", f"/v1/policies/{policy['policy_id']}/cancellation/preview", {}
    )
    assert (seen["is_granted"], seen["refund"]) == (True, policy["premium"])
    await shop.at(datetime(2024, 6, 2, tzinfo=SHANGHAI))
    assert (await shown_policy(shop, policy))["state"] == "ACTIVE"
    seen = await shop.post(
        "policy", f"/v1/policies/{policy['policy_id']}/cancellation/preview", {}
    )
    assert (seen["is_granted"], seen["refund"]["amount_minor"]) == (False, 0)


async def test_a_payment_at_midnight_covers_a_day_later(shop_of: ShopOf) -> None:
    """Q20."""
    policy = await jsx_policy(shop_of("jsx"), datetime(2024, 6, 2, tzinfo=SHANGHAI))

    assert policy["cover_start"] == "2024-06-02T16:00:00Z"


# --- cssecure --------------------------------------------------------------------------------


async def test_cssecure_is_cancelled_before_dispatch_with_its_premium_and_not_after(
    shop_of: ShopOf,
) -> None:
    """CS-11: seen first, with its arithmetic, then confirmed as it was seen."""
    shop = shop_of("cssbuy")
    policy = await bought(shop, await cssecure_quote(shop))
    path = f"/v1/policies/{policy['policy_id']}/cancellation"
    seen = await shop.post("policy", f"{path}/preview", {"reason": "CUSTOMER_CANCEL"})
    assert [(step["label"], step["amount"]["amount_minor"]) for step in seen["steps"]] == [
        ("PREMIUM_PAID", 3_600),
        ("REFUND_BY_PLAN", 3_600),
    ]
    assert seen["rule_ids"] == ["CS-11"]
    answer = await shop.post(
        "policy", path, {"reason": "CUSTOMER_CANCEL", "refund": plain(seen["refund"])}
    )
    assert (answer["policy"]["state"], answer["refund"]["amount_minor"]) == ("CANCELLED", 3_600)
    await shop.settle()
    assert reason(await shop.claim(policy, "LOSS")) == ("DENIED", "POLICY_CANCELLED")
    assert (await told(shop, policy))[0] == "policy.cancelled"

    other = shop_of("cssbuy")
    shipped = await cssecure(other)
    with pytest.raises(Surprise, match="policy-not-cancellable"):
        await other.post(
            "policy",
            f"/v1/policies/{shipped['policy_id']}/cancellation",
            {"reason": "CUSTOMER_CANCEL"},
        )
    assert (await shown_policy(other, shipped))["state"] == "ACTIVE"
