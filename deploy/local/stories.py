"""The demo's stories: one parcel each, told through a shop, ending in an amount the terms give."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from deploy.local.shop import Json, Shop, Surprise, decimal, shown, yuan

SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    name: str
    policy_id: str
    claim_id: str
    outcome: str
    payout: str
    expected: str

    @property
    def is_as_expected(self) -> bool:
        return self.outcome == "APPROVED" and self.payout == self.expected

    @property
    def summary(self) -> Json:
        return {
            "policy_id": self.policy_id,
            "claim_id": self.claim_id,
            "outcome": self.outcome,
            "payout": self.payout,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    tenant: str
    title: str
    tell: Callable[[Shop], Awaitable[Ending]]


async def cssecure_delay(shop: Shop) -> Ending:
    """Delivered on day 61 after submittance: 20 % of the ¥350 freight comes back (CS-26)."""
    submitted = datetime(2024, 1, 1, 9, tzinfo=SHANGHAI)
    await shop.at(submitted)
    quote = await shop.quote(
        {
            "plan": "cssecure",
            "point": "submit_to_ship",
            "customer": {"customer_id": "ann", "kind": "consumer"},
            "order": {
                "order_ref": "CSS-1001",
                "submitted_at": submitted.isoformat(),
                "items_in_warehouse": True,
            },
            "parcel": {"line": "EMS", "destination": "US", "scope": "international"},
            "items": [
                {
                    "item_id": "i1",
                    "item_class": "shoes",
                    "description": "running shoes",
                    "quantity": 2,
                    "unit_price": yuan("425.00"),
                    "weight_kg": "1.200",
                }
            ],
            "shipping_fee": yuan("350.00"),
            "insured_value": yuan("1200.00"),
        }
    )
    premium = quote["offers"][0]["premium"]
    shop.say("checkout", "quotes ¥1,200 of shoes and freight to the US: 3 %", shown(premium))
    policy = await shop.bind(quote)
    policy = await shop.pay(policy, premium)
    shop.say(
        "Ann",
        f"pays; {policy['policy_id']} is {policy['state']}",
        shown(policy["premium_paid"]),
    )

    await shop.at(datetime(2024, 1, 4, 9, tzinfo=SHANGHAI))
    policy = await shop.dispatch(policy, "EZ1000000001CN")
    shop.say("warehouse", f"ships it on 4 January; the policy is {policy['state']}")
    await shop.scan(policy, "in_transit", datetime(2024, 1, 4, 9, tzinfo=SHANGHAI))
    shop.say("carrier", "scans it once, then nothing for weeks")

    delivered = datetime(2024, 3, 2, 15, tzinfo=SHANGHAI)
    await shop.at(delivered)
    await shop.scan(policy, "delivered", delivered)
    shop.say("carrier", "delivers it on 2 March, day 61 after submittance")

    await shop.later(hours=2)
    claim = await shop.claim(policy, "DELAY")
    decision = claim["decision"]
    shop.say("Ann", f"claims the delay; {claim['claim_id']} is {decision['outcome']}")
    for line in decision["lines"]:
        shop.say("engine", f"{line['label']}", line["after"])
    claim = await shop.settle_payout(claim["claim_id"])
    shop.say(
        "payments",
        f"confirms; the claim is {claim['state']}",
        shown(claim["decision"]["payout"]),
    )
    mails = [str(mail["subject"]) for mail in shop.stack.mailbox.mails(shop.email)]
    for subject in mails:
        shop.say("mail", subject)
    if not mails:
        raise Surprise("Nobody told Ann.")
    return _ending("cssecure", policy, claim, expected="70.00")


def _ending(name: str, policy: Json, claim: Json, *, expected: str) -> Ending:
    paid = [p for p in claim["payouts"] if p["state"] == "CONFIRMED"]
    return Ending(
        name=name,
        policy_id=policy["policy_id"],
        claim_id=claim["claim_id"],
        outcome=claim["decision"]["outcome"],
        payout=decimal(paid[-1]["amount"]) if paid else "0.00",
        expected=expected,
    )


STORIES = (
    Story(
        tenant="cssbuy",
        title="cssecure: a late parcel, 20 % of its freight back",
        tell=cssecure_delay,
    ),
)
