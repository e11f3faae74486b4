"""A shop of a programme, and the orders that its rules are tried with."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from libs.common.settings import PROGRAMMES
from tests.buying import Checkout, answered
from tests.plans.builders import with_replaced
from tests.policy.builders import Json

# Who buys, and where, as the programme wants it.
BUYERS: dict[str, tuple[Json, str]] = {
    "mypoz-cargo": ({"customer_id": "ann", "kind": "consumer"}, "order_submission"),
    "bml-shipping": ({"customer_id": "ann", "kind": "consumer"}, "checkout"),
    "tks-warehouse": (
        {"customer_id": "ann", "kind": "seller", "is_registered": True},
        "shipment_order",
    ),
    "jsx-cargo": ({"customer_id": "ann", "kind": "account"}, "sales_contact"),
    "cssecure": ({"customer_id": "ann", "kind": "consumer"}, "submit_to_ship"),
}

# MyPoz with days off, and with the rate of its examples in place of its rule's (MP-16).
WITH_HOLIDAYS, AT_35 = "mypoz-holidays", "mypoz-35"
_MYPOZ_LIKE = (WITH_HOLIDAYS, AT_35)


def plans_and_tenants(folder: Path) -> tuple[Path, Path]:
    """The published plans and tenants, and those of this module beside them."""
    plans = folder / "plans"
    plans.mkdir()
    for file in PROGRAMMES.glob("*.yaml"):
        (plans / file.name).write_text(file.read_text())
    mypoz = (PROGRAMMES / "mypoz-cargo.v1.yaml").read_text()
    _publish(plans, WITH_HOLIDAYS, mypoz + 'holidays: ["2024-05-10", "2024-05-11"]\n')
    _publish(plans, AT_35, with_replaced(mypoz, **{'rate: "0.038"': 'rate: "0.035"'}))
    tenants = folder / "tenants.yaml"
    tenants.write_text(
        (PROGRAMMES.parent / "tenants.yaml").read_text().rstrip()
        + "".join(
            f"\n  {_tenant(name)}: {{name: {name}, plans: [{name}], currency: MYR, "
            'languages: [en], four_eyes_above: "5000"}'
            for name in _MYPOZ_LIKE
        )
    )
    return plans, tenants


def _publish(plans: Path, name: str, text: str) -> None:
    named = {"plan: mypoz-cargo": f"plan: {name}", "tenant: mypoz": f"tenant: {_tenant(name)}"}
    (plans / f"{name}.v1.yaml").write_text(with_replaced(text, **named))


def _tenant(plan: str) -> str:
    """Ids of tenants are letters and digits."""
    return plan.replace("-", "")


class Shop(Checkout):
    """One programme's shop and staff."""

    def time(self, text: str) -> datetime:
        """There: `2024-05-06T09:00`."""
        return datetime.fromisoformat(text).replace(tzinfo=self.plan.zone)

    def amount(self, minor: int) -> Json:
        return {"amount_minor": minor, "currency": self.plan.currency}

    def goods(self, item_class: str, minor: int, quantity: int = 1) -> Json:
        return {
            "item_id": f"{item_class}-{minor}-{quantity}",
            "item_class": item_class,
            "quantity": quantity,
            "unit_price": self.amount(minor),
        }

    def request(self, *goods: int | Json, fee: int = 0, **changes: object) -> Json:
        """An order of goods of these values, or of these lines; shipped for that fee."""
        customer, point = BUYERS.get(self.plan.plan, BUYERS["mypoz-cargo"])
        sold = next(iter(self.plan.goods.accept), "other")
        return {
            "customer": customer,
            "point": point,
            "order": {"order_ref": "order-1", "items_in_warehouse": True},
            "parcel": {"line": "EMS", "destination": "US"},
            "items": [self.goods(sold, g) if isinstance(g, int) else g for g in goods],
            "shipping_fee": self.amount(fee),
            **changes,
        }

    async def asked(self, *goods: int | Json, fee: int = 0, **changes: object) -> Json:
        """The plan's offer."""
        return await self.ask_for(self.request(*goods, fee=fee, **changes))

    async def insured(self, minor: int, **changes: object) -> Json:
        """The offer for that sum; the goods are worth as much where nothing else is said."""
        worth = changes.pop("worth", minor)
        assert isinstance(worth, int)
        return await self.asked(worth, insured_value=self.amount(minor), **changes)

    async def opt_out(self) -> None:
        """The customer says no to what was asked last."""
        path = f"/v1/quotes/{self.quote['quote_id']}/consents"
        no = {
            "choice": "OPT_OUT",
            "plan": self.plan.plan,
            "wording_id": "w",
            "locale": "en",
            "box_state": "UNTICKED",
            "channel": "checkout",
        }
        answered(await self.to_quotes(path, no))

    async def a_policy(self, minor: int = 100_000, **more: object) -> Json:
        """Goods of that value, verified where the plan wants it, and bound."""
        await self.asked(minor)
        await self.prove()
        await self.confirm(Decimal(minor) / 100)
        return await self.bind(**more)

    async def a_paid_policy(self, minor: int = 100_000, **more: object) -> Json:
        policy = await self.a_policy(minor, **more)
        return answered(await self.pay(policy["premium"]["amount_minor"]))

    async def state(self) -> str:
        return str((await self.show_policy())["state"])


def minor_of(amount: Json) -> int:
    return int(amount["amount_minor"])


def instant(told: str) -> datetime:
    return datetime.fromisoformat(told)
