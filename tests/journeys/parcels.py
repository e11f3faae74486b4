"""A parcel of each programme: sold, paid and on its way."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from deploy.local.shop import Json, Shop, of, yuan
from deploy.local.stories import asked, bought

SHANGHAI, KUALA_LUMPUR, UTC = (
    ZoneInfo("Asia/Shanghai"),
    ZoneInfo("Asia/Kuala_Lumpur"),
    ZoneInfo("UTC"),
)


async def mypoz(shop: Shop) -> Json:
    """A RM 1,000 phone of the forwarder's customer, verified and paid, shipped on 8 May 2024."""
    await shop.at(datetime(2024, 5, 6, 9, tzinfo=KUALA_LUMPUR))
    quote = await shop.quote(
        asked(
            "mypoz-cargo",
            point="order_submission",
            item_class="phone",
            value=of("1000.00", "MYR"),
            shipping_fee=of("60.00", "MYR"),
            destination="MY",
            order={"order_ref": "MPZ-1", "order_value_usd": of("210.00", "USD")},
        )
    )
    policy = await shop.bind(quote)
    path = f"/v1/quotes/{quote['quote_id']}"
    await shop.upload("quote", f"{path}/documents", "proof_of_purchase")
    shows = ["product_name", "picture", "price", "quantity", "actual_payment_amount"]
    verified = {"shown": shows, "verified_value": of("1000.00", "MYR")}
    await shop.post("quote", f"{path}/verification", verified)
    await shop.settle()
    policy = await shop.get("policy", f"/v1/policies/{policy['policy_id']}")
    policy = await shop.pay(policy, policy["premium_due"])
    await shop.at(datetime(2024, 5, 8, 9, tzinfo=KUALA_LUMPUR))
    return await shop.dispatch(policy, "MYP1", carrier="poslaju")


async def bml(shop: Shop) -> Json:
    """A $600 parcel bought at the checkout, shipped abroad on 21 April 2024."""
    await shop.at(datetime(2024, 4, 20, 10, tzinfo=UTC))
    quote = await shop.quote(
        asked(
            "bml-shipping",
            point="checkout",
            item_class="other_3c",
            value=of("600.00", "USD"),
            shipping_fee=of("45.00", "USD"),
            order={"order_ref": "BML-1"},
        )
    )
    policy = await bought(shop, quote)
    await shop.later(days=1)
    return await shop.dispatch(policy, "1Z1", carrier="ups")


async def tks(shop: Shop) -> Json:
    """A seller's ¥4,200 parcel insured for ¥5,000, accepted and shipped on 1 May 2024."""
    await shop.at(datetime(2024, 5, 1, 10, tzinfo=SHANGHAI))
    quote = await shop.quote(
        asked(
            "tks-warehouse",
            point="shipment_order",
            item_class="other",
            value=yuan("4200.00"),
            shipping_fee=yuan("180.00"),
            insured_value=yuan("5000.00"),
            destination="DE",
            customer={"customer_id": "seller-a", "kind": "seller", "is_registered": True},
            order={"order_ref": "TKS-1"},
        )
    )
    policy = await bought(shop, quote)
    await shop.post("policy", f"/v1/policies/{policy['policy_id']}/acceptance", {})
    await shop.at(datetime(2024, 5, 1, 22, tzinfo=SHANGHAI))
    return await shop.dispatch(policy, "LX1", carrier="yanwen")


async def jsx(shop: Shop) -> Json:
    """A contract customer's ¥2,000 of clothing, paid on 10 May 2024 and shipped on the 11th."""
    await shop.at(datetime(2024, 5, 10, 9, tzinfo=SHANGHAI))
    quote = await shop.quote(
        asked(
            "jsx-cargo",
            point="sales_contact",
            item_class="clothing",
            value=yuan("2000.00"),
            shipping_fee=yuan("100.00"),
            insured_value=yuan("2000.00"),
            customer={"customer_id": "acme", "kind": "account", "is_registered": True},
            order={"order_ref": "JSX-1"},
        )
    )
    policy = await bought(shop, quote)
    await shop.at(datetime(2024, 5, 11, 9, tzinfo=SHANGHAI))
    return await shop.dispatch(policy, "JS1")


async def cssecure(shop: Shop) -> Json:
    """Shoes of ¥850 and freight of ¥350, submitted on 1 January 2024 and shipped on the 4th."""
    submitted = datetime(2024, 1, 1, 9, tzinfo=SHANGHAI)
    await shop.at(submitted)
    quote = await shop.quote(
        asked(
            "cssecure",
            item_class="shoes",
            value=yuan("850.00"),
            shipping_fee=yuan("350.00"),
            insured_value=yuan("1200.00"),
            order={"order_ref": "CSS-1", "submitted_at": submitted.isoformat()},
        )
    )
    policy = await bought(shop, quote)
    await shop.at(datetime(2024, 1, 4, 9, tzinfo=SHANGHAI))
    return await shop.dispatch(policy, "EZ1")


SOLD: Mapping[str, Callable[[Shop], Awaitable[Json]]] = {
    "mypoz": mypoz,
    "bml": bml,
    "tks": tks,
    "jsx": jsx,
    "cssbuy": cssecure,
}
