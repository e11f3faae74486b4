"""What comes after a worked claim: its voucher is used, its parcel is found."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from deploy.plans_check import Example
from tests.buying import amount_of, shown
from tests.claims.money import paid
from tests.doors import Doors, naive_utc, wire
from tests.http_examples.claiming import Staged
from tests.http_examples.doors import facts_given, plan_of
from tests.http_examples.earlier import all_papers
from tests.http_examples.orders import some_day
from tests.policy.builders import Json

# On its way for so long before it is claimed on: short of no wait, and in every notice.
_UNDER_WAY = timedelta(days=40)


async def redeemed(doors: Doors, example: Example) -> dict[str, str]:
    """A returned parcel's voucher, used for the second shipment at the example's time."""
    facts = facts_given(example)
    issued_at = facts.time("issued_at") or some_day(example)
    staged = _staged(
        doors, example, "RETURN", issued_at, {"shipping_fee": f"{facts.number('voucher'):f}"}
    )
    claim = (await staged.claimed()).claim
    desk = staged.desk
    await desk.at(naive_utc(issued_at))
    (voucher,) = (await desk.show(claim))["vouchers"]
    assert shown(voucher["value"]) == f"{facts.number('voucher'):.2f}"
    await desk.at(naive_utc(facts.as_of if "as_of" in example.given else issued_at))
    fee = facts.number("second_fee")
    path = f"/v1/vouchers/{voucher['voucher_id']}"
    body = {"second_fee": amount_of(staged.parcel.plan, fee), "reference": "second-1"}
    response = await desk.post(f"{path}/redemption", body)
    if response.status_code == 409:
        assert response.json()["code"] == "voucher-expired", response.text
        left: Json = (await desk.get(path)).json()
        return {"customer_pays": f"{fee:.2f}", "lapsed": shown(left["lapsed"])}
    assert response.status_code == 200, response.text
    return {name: shown(response.json()[name]) for name in ("customer_pays", "lapsed")}


async def repaid(doors: Doors, example: Example) -> str:
    """What is due of a loss that was paid at the example's amount, once the parcel is found."""
    facts, plan = facts_given(example), plan_of(example)
    day = some_day(example)
    values = dict.fromkeys(
        (
            "insured_value", "goods_value", "eligible_goods_value", "claimed_value", "proven_value",
            "refund_to_buyer",
        ),
        f"{facts.number('paid'):f}",
    )  # fmt: skip
    given = {**values, "shipping_fee": "0", "evidence": list(all_papers(plan.perils["LOSS"]))}
    staged = _staged(doors, example, "LOSS", day, given)
    claim = (await staged.claimed()).claim
    desk, path = staged.desk, f"/v1/claims/{claim['claim_id']}"
    if not claim["decision"]["is_settled"]:
        claim = (await desk.post(f"{path}/decision", {})).json()
    claim = await paid(desk, claim, naive_utc(day))
    assert shown(claim["payouts"][0]["amount"]) == f"{facts.number('paid'):.2f}"
    body = {"found_at": wire(day), "note": "It lay in the depot."}
    response = await desk.post(f"{path}/found", body)
    assert response.status_code == 200, response.text
    due = sum((_decimal(one["amount"]) for one in response.json()["repayments"]), Decimal(0))
    return f"{due:.2f}"


def _staged(
    doors: Doors, example: Example, peril: str, at: datetime, given: Mapping[str, Any]
) -> Staged:
    """A claim of the peril, made then on a parcel of the example's plan."""
    zone = plan_of(example).zone

    def local(instant: datetime) -> str:
        return instant.astimezone(zone).replace(tzinfo=None).isoformat()

    way: dict[str, Any] = {
        "line": "EMS",
        "destination": "US",
        "insured_value": "1200",
        "dispatched_at": local(at - _UNDER_WAY),
        "last_update_at": local(at - _UNDER_WAY),
        "notified_at": local(at),
        **given,
    }
    return Staged(doors, replace(example, ask="claim", peril=peril, given=way))


def _decimal(amount: Json) -> Decimal:
    return Decimal(shown(amount))
