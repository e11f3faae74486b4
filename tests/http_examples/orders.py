"""From an example's facts to the order a checkout asks about."""

from datetime import datetime
from decimal import Decimal

from deploy.plans_check import Example
from libs.common.plans.facts import Facts
from libs.common.plans.values import Plan
from tests.buying import amount_of
from tests.http_examples.doors import BOOK, SOME_DAY, facts_given, plan_of
from tests.http_examples.parcels import ORDER
from tests.policy.builders import Json

# What a parcel is worth where the example does not say.
_WORTH = Decimal(500)
# More than a deposit is the whole premium for: what is charged then is not the deposit.
_WORTH_TO_BE_CHARGED = Decimal(1000)
_LINE = "EMS"
_DESTINATION = "US"


def some_day(example: Example) -> datetime:
    """A moment at which the example's version of its plan is sold."""
    plan = plan_of(example)
    moment = datetime.fromisoformat(SOME_DAY).replace(tzinfo=plan.zone)
    if plan is BOOK.newest(plan.plan):
        return moment
    return datetime.combine(plan.valid_from, moment.timetz())


def worth_of(example: Example) -> Decimal:
    """The goods' value: the example's, or such that its premium comes out."""
    facts = facts_given(example)
    if "premium" in example.given:
        return facts.number("premium") / plan_of(example).premium.rate
    told = [
        name
        for name in ("eligible_goods_value", "goods_value", "insured_value")
        if name in example.given
    ]
    if told:
        return facts.number(told[0])
    return _WORTH_TO_BE_CHARGED if example.ask == "autopay" else _WORTH


def quote_request(example: Example) -> Json:
    """The body of `POST /v1/quotes`: the example's facts, and a buyer and a line where it has none.

    Where an example has no say on whether the goods wait in the warehouse, or on who is
    registered, they do and everybody is.
    """
    plan, facts, given = plan_of(example), facts_given(example), example.given
    request: Json = {
        "plan": plan.plan,
        "customer": {
            "customer_id": "ann",
            "kind": plan.offer.buyers[0],
            "is_registered": facts.flag("registered_user") or "registered_user" not in given,
        },
        "order": _order(example, facts),
        "parcel": _parcel(facts),
        "items": _items(example, plan, facts),
        "shipping_fee": amount_of(plan, facts.number("shipping_fee")),
    }
    if "point" in given:
        request["point"] = facts.code("point")
    if "insured_value" in given:
        request["insured_value"] = amount_of(plan, facts.number("insured_value"))
    return request


def _order(example: Example, facts: Facts) -> Json:
    given = example.given
    order: Json = {
        "order_ref": ORDER,
        "items_in_warehouse": facts.flag("items_in_warehouse")
        or "items_in_warehouse" not in given,
        "is_rehearsal": facts.flag("rehearsal"),
        "is_packed": facts.flag("packed"),
    }
    if "order_value_usd" in given:
        cents = int(facts.number("order_value_usd") * 100)
        order["order_value_usd"] = {"amount_minor": cents, "currency": "USD"}
    return order


def _parcel(facts: Facts) -> Json:
    """A mode is told of a line that the plan does not know: the plan's own lines have theirs."""
    parcel: Json = {
        "line": facts.code("line") or ("OTHER_LINE" if facts.code("mode") else _LINE),
        "destination": facts.code("destination") or _DESTINATION,
        "line_tags": list(facts.codes("line_tags")),
    }
    if facts.code("mode"):
        parcel["mode"] = facts.code("mode")
    return parcel


def _items(example: Example, plan: Plan, facts: Facts) -> list[Json]:
    accepted_class = next(iter(plan.goods.accept), "other")
    lines = [(item.item_class, item.value) for item in facts.items_of] or [
        (accepted_class, worth_of(example))
    ]
    return [
        {
            "item_id": f"i{number}",
            "item_class": item_class,
            "quantity": 1,
            "unit_price": amount_of(plan, value),
        }
        for number, (item_class, value) in enumerate(lines, start=1)
    ]
