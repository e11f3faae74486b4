"""The demo's stories: one parcel each, told through a shop, ending in an amount the terms give."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from deploy.local.shop import Json, Shop, Surprise, decimal, of, shown, yuan

SHANGHAI = ZoneInfo("Asia/Shanghai")
KUALA_LUMPUR = ZoneInfo("Asia/Kuala_Lumpur")
UTC = ZoneInfo("UTC")


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
    """`name` is its key in the summary; every story has a sandbox, and so a time, of its own."""

    name: str
    tenant: str
    title: str
    tell: Callable[[Shop], Awaitable[Ending]]


async def cssecure_delay(shop: Shop) -> Ending:
    """Delivered on day 61 after submittance: 20 % of the ¥350 freight comes back (CS-26)."""
    submitted = datetime(2024, 1, 1, 9, tzinfo=SHANGHAI)
    await shop.at(submitted)
    quote = await shop.quote(
        asked(
            "cssecure",
            item_class="shoes",
            value=yuan("850.00"),
            shipping_fee=yuan("350.00"),
            insured_value=yuan("1200.00"),
            order={"order_ref": "CSS-1001", "submitted_at": submitted.isoformat()},
        )
    )
    shop.say("checkout", "quotes ¥1,200 of shoes and freight to the US: 3 %", _premium(quote))
    policy = await bought(shop, quote)

    shipped = datetime(2024, 1, 4, 9, tzinfo=SHANGHAI)
    await shop.at(shipped)
    policy = await shop.dispatch(policy, "EZ1000000001CN")
    shop.say("warehouse", f"ships it on 4 January; the policy is {policy['state']}")
    await shop.scan(policy, "in_transit", shipped)
    shop.say("carrier", "scans it once, then nothing for weeks")

    delivered = datetime(2024, 3, 2, 15, tzinfo=SHANGHAI)
    await shop.at(delivered)
    await shop.scan(policy, "delivered", delivered)
    shop.say("carrier", "delivers it on 2 March, day 61 after submittance")
    await shop.later(hours=2)
    claim = await shop.claim(policy, "DELAY")
    _told(shop, claim, "claims the delay")
    return await _paid(shop, "cssecure-delay", policy, claim, expected="70.00")


async def mypoz_lost(shop: Shop) -> Ending:
    """RM 1000 at 3.8 % with a RM 25 deposit, verified, topped up by RM 13; then lost (MP-18, MP-34)."""
    ordered = datetime(2024, 5, 6, 9, tzinfo=KUALA_LUMPUR)
    await shop.at(ordered)
    quote = await shop.quote(
        asked(
            "mypoz-cargo",
            point="order_submission",
            item_class="phone",
            value=of("1000.00", "MYR"),
            shipping_fee=of("60.00", "MYR"),
            destination="MY",
            order={"order_ref": "MPZ-2001", "order_value_usd": of("210.00", "USD")},
        )
    )
    shop.say("checkout", f"quotes a RM 1,000 phone; it is {quote['state']}", _premium(quote))
    policy = await shop.bind(quote)
    policy = await shop.pay(policy, of("25.00", "MYR"))
    shop.say(
        "Ann", "pays the deposit before the amount is confirmed", shown(policy["premium_paid"])
    )
    path = f"/v1/quotes/{quote['quote_id']}"
    await shop.upload("quote", f"{path}/documents", "proof_of_purchase")
    shop.say("Ann", "uploads the proof of purchase")
    await shop.later(hours=3)
    shows = ["product_name", "picture", "price", "quantity", "actual_payment_amount"]
    await shop.post(
        "quote",
        f"{path}/verification",
        {"shown": shows, "verified_value": of("1000.00", "MYR")},
    )
    await shop.settle()
    policy = await shop.get("policy", f"/v1/policies/{policy['policy_id']}")
    due = policy["premium_due"]
    shop.say(
        "staff", f"verify it: {shown(policy['premium'])} in all, due within 48 h", shown(due)
    )
    await shop.later(hours=47)
    policy = await shop.pay(policy, due)
    shop.say("Ann", f"tops up; the policy is {policy['state']}", shown(policy["premium_paid"]))

    await shop.later(days=1)
    await shop.dispatch(policy, "MYP77001", carrier="poslaju")
    lost = datetime(2024, 6, 3, 9, tzinfo=KUALA_LUMPUR)
    await shop.at(lost)
    await shop.scan(policy, "lost", lost)
    shop.say("carrier", "declares it lost on 3 June")
    await shop.later(hours=20)
    papers = await shop.evidence(policy, "police_report", "provider_loss_confirmation")
    claim = await shop.claim(policy, "LOSS", is_whole_parcel=True, evidence_ids=papers)
    _told(shop, claim, "claims the loss within 48 h, with a police report")
    claim = await shop.decide(claim)
    shop.say("adjudicator", f"agrees with the engine: {claim['decision']['outcome']}")
    return await _paid(shop, "mypoz-cargo", policy, claim, expected="1000.00")


async def bml_lost(shop: Shop) -> Ending:
    """$2000 lost, the courier pays $500, the insurance the difference of $1500 (BM-22)."""
    ordered = datetime(2024, 4, 20, 10, tzinfo=UTC)
    await shop.at(ordered)
    quote = await shop.quote(
        asked(
            "bml-shipping",
            point="checkout",
            item_class="other_3c",
            value=of("2000.00", "USD"),
            shipping_fee=of("45.00", "USD"),
            order={"order_ref": "BML-3001"},
        )
    )
    shop.say("checkout", "quotes a $2,000 parcel: 3 %", _premium(quote))
    policy = await bought(shop, quote)
    await shop.later(days=1)
    await shop.dispatch(policy, "1Z9990000003", carrier="ups")
    silent = datetime(2024, 5, 1, 8, tzinfo=UTC)
    await shop.at(silent)
    await shop.scan(policy, "in_transit", silent)
    shop.say("carrier", "scans it on 1 May for the last time")

    await shop.at(silent + timedelta(days=24))
    claim = await shop.claim(policy, "LOSS", is_whole_parcel=True)
    _told(shop, claim, "claims after 24 quiet days; our own tracking is the proof")
    await shop.recover(claim, "carrier", of("500.00", "USD"))
    shop.say("courier", "compensates", "$500.00")
    claim = await shop.decide(claim)
    _told(shop, claim, "hears that an adjudicator agrees")
    return await _paid(shop, "bml-shipping", policy, claim, expected="1500.00")


async def tks_lost(shop: Shop) -> Ending:
    """Lost, advanced in full at ¥4000; the insurer settles ¥3400, the provider bears ¥600 (TK-20/21)."""
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
            order={"order_ref": "TKS-4001"},
        )
    )
    shop.say("seller", "insures ¥5,000 when ordering the shipment: 2 %", _premium(quote))
    policy = await bought(shop, quote)
    await shop.later(hours=6)
    policy = await shop.post("policy", f"/v1/policies/{policy['policy_id']}/acceptance", {})
    shop.say("warehouse", f"takes it in; the policy is {policy['state']}")
    sent = datetime(2024, 5, 1, 22, tzinfo=SHANGHAI)
    await shop.at(sent)
    await shop.dispatch(policy, "LX400400", carrier="yanwen")
    await shop.at(sent + timedelta(days=7))
    await shop.scan(policy, "in_transit", sent + timedelta(days=7))
    await shop.at(sent + timedelta(days=15))
    papers = await shop.evidence(
        policy,
        "delivery_record",
        "proof_of_insured_value",
        "delivery_certificate",
        "dispute_or_refund_screenshot",
        "carrier_loss_letter",
    )
    claim = await shop.claim(
        policy,
        "LOSS",
        is_whole_parcel=True,
        refund_to_buyer=yuan("4000.00"),
        evidence_ids=papers,
    )
    shop.say("seller", "claims after two weeks, a week of them without a word, all papers in")
    findings = {"proven_value": yuan("4200.00")}
    claim = await shop.decide(claim, findings=findings, settles=False)
    _told(shop, claim, "hears the engine's proposal; the insurer has yet to answer")
    await shop.post("claims", f"/v1/claims/{claim['claim_id']}/advance", {})
    claim = await shop.settle_payout(claim["claim_id"])
    shop.say(
        "provider",
        "advances it within three working days",
        shown(claim["payouts"][0]["amount"]),
    )
    await shop.recover(claim, "insurer", yuan("3400.00"))
    shop.say("insurer", "settles less; the provider bears the rest", "¥3,400.00")
    await shop.settle()
    claim = await shop.get("claims", f"/v1/claims/{claim['claim_id']}")
    shop.say("claim", f"is {claim['state']}")
    return _ending("tks-warehouse", policy, claim, expected="4000.00")


async def jsx_late(shop: Shop) -> Ending:
    """Paid before, in force after midnight in Shanghai; so late that the subsidy meets 800 (JS-16)."""
    paid = datetime(2024, 5, 10, 23, 30, tzinfo=SHANGHAI)
    await shop.at(paid)
    quote = await shop.quote(
        asked(
            "jsx-cargo",
            point="sales_contact",
            item_class="clothing",
            value=yuan("6000.00"),
            shipping_fee=yuan("900.00"),
            insured_value=yuan("6000.00"),
            line="EMS",
            customer={"customer_id": "acme", "kind": "account", "is_registered": True},
            order={"order_ref": "JSX-5001"},
        )
    )
    shop.say("sales", "insures ¥6,000 of a contract customer: 1 %", _premium(quote))
    policy = await bought(shop, quote)
    await shop.later(minutes=15)
    policy = await shop.dispatch(policy, "JS500500", carrier="jsx")
    shop.say("warehouse", f"ships it at 23:45; the policy is {policy['state']}")
    await shop.at(datetime(2024, 5, 11, 0, 0, tzinfo=SHANGHAI))
    policy = await shop.get("policy", f"/v1/policies/{policy['policy_id']}")
    shop.say("midnight", f"in Shanghai: the policy is {policy['state']}")

    delivered = datetime(2024, 7, 20, 9, tzinfo=SHANGHAI)
    await shop.at(delivered)
    await shop.scan(policy, "delivered", delivered)
    shop.say("carrier", "delivers it on 20 July, weeks over the line's standard")
    papers = await shop.evidence(policy, "value_document", "logistics_document")
    claim = await shop.claim(policy, "DELAY", evidence_ids=papers)
    _told(shop, claim, "claims the delay: 1 % a day, capped at 20 % and at 800 an order")
    return await _paid(shop, "jsx-cargo", policy, claim, expected="800.00")


async def cssecure_lost(shop: Shop) -> Ending:
    """Buy-yourself goods lost, proven by five months alone: 2.5 kg at ¥40 (CS-14, CS-32)."""
    submitted = datetime(2024, 1, 30, 9, tzinfo=SHANGHAI)
    await shop.at(submitted)
    quote = await shop.quote(
        asked(
            "cssecure",
            item_class="bag",
            value=yuan("900.00"),
            weight_kg="2.500",
            source="buy_yourself",
            shipping_fee=yuan("150.00"),
            insured_value=yuan("900.00"),
            order={"order_ref": "CSS-6001", "submitted_at": submitted.isoformat()},
        )
    )
    shop.say("checkout", "quotes ¥900 of goods that Ann bought herself: 3 %", _premium(quote))
    policy = await bought(shop, quote)
    shipped = datetime(2024, 1, 31, 10, tzinfo=SHANGHAI)
    await shop.at(shipped)
    await shop.dispatch(policy, "EZ6000000006CN")
    shop.say("warehouse", "ships it on 31 January; nobody sees it again")

    await shop.at(datetime(2024, 6, 1, 10, tzinfo=SHANGHAI))
    papers = await shop.evidence(policy, "order_value_proof")
    claim = await shop.claim(policy, "LOSS", is_whole_parcel=True, evidence_ids=papers)
    shop.say(
        "Ann",
        f"claims on 1 June: {claim['decision']['outcome']} until {claim['decision']['eligible_on']}",
    )
    await shop.at(datetime(2024, 6, 30, 10, tzinfo=SHANGHAI))
    claim = await shop.get("claims", f"/v1/claims/{claim['claim_id']}")
    _told(shop, claim, "hears on 30 June, five months on: 40 a kilogram")
    claim = await shop.decide(claim)
    return await _paid(shop, "cssecure", policy, claim, expected="100.00")


def asked(
    plan: str,
    *,
    item_class: str,
    value: Json,
    shipping_fee: Json,
    order: Json,
    point: str = "submit_to_ship",
    insured_value: Json | None = None,
    line: str = "EMS",
    destination: str = "US",
    weight_kg: str = "1.200",
    source: str = "agent",
    customer: Json | None = None,
) -> Json:
    """One item in one parcel, as a checkout asks for it."""
    body: dict[str, Any] = {
        "plan": plan,
        "point": point,
        "customer": customer or {"customer_id": "ann", "kind": "consumer"},
        "order": {"items_in_warehouse": True, **order},
        "parcel": {"line": line, "destination": destination, "scope": "international"},
        "items": [
            {
                "item_id": "i1",
                "item_class": item_class,
                "quantity": 1,
                "unit_price": value,
                "weight_kg": weight_kg,
                "source": source,
            }
        ],
        "shipping_fee": shipping_fee,
    }
    if insured_value is not None:
        body["insured_value"] = insured_value
    return body


def _premium(quote: Json) -> str:
    return shown(quote["offers"][0]["premium"])


async def bought(shop: Shop, quote: Json) -> Json:
    policy = await shop.bind(quote)
    policy = await shop.pay(policy, quote["offers"][0]["premium"])
    shop.say(
        "Ann",
        f"pays; {policy['policy_id']} is {policy['state']}",
        shown(policy["premium_paid"]),
    )
    return policy


def _told(shop: Shop, claim: Json, what: str) -> None:
    decision = claim["decision"]
    stands = "" if decision["is_settled"] else ", for a person to confirm"
    shop.say("claimant", what)
    shop.say("engine", f"{decision['outcome']}{stands}", shown(decision["payout"]))
    for line in decision["lines"]:
        shop.say("", f"  {line['label']}", line["after"])


async def _paid(shop: Shop, name: str, policy: Json, claim: Json, *, expected: str) -> Ending:
    claim = await shop.settle_payout(claim["claim_id"])
    shop.say(
        "payments",
        f"confirms; the claim is {claim['state']}",
        shown(claim["decision"]["payout"]),
    )
    mails = [str(mail["subject"]) for mail in shop.stack.mailbox.mails(shop.email)]
    if not mails:
        raise Surprise("Nobody told the customer.")
    shop.say("mails", "; ".join(mails[-2:]))
    return _ending(name, policy, claim, expected=expected)


def _ending(name: str, policy: Json, claim: Json, *, expected: str) -> Ending:
    """The claimant's money, as far as the payment system has confirmed it."""
    paid = [p["amount"] for p in claim["payouts"] if p["state"] == "CONFIRMED"]
    total = {"amount_minor": sum(amount["amount_minor"] for amount in paid)}
    return Ending(
        name=name,
        policy_id=policy["policy_id"],
        claim_id=claim["claim_id"],
        outcome=claim["decision"]["outcome"],
        payout=decimal(total),
        expected=expected,
    )


STORIES = (
    Story(
        name="cssecure-delay",
        tenant="cssbuy",
        title="cssecure: a late parcel, 20 % of its freight back",
        tell=cssecure_delay,
    ),
    Story(
        name="mypoz-cargo",
        tenant="mypoz",
        title="mypoz-cargo: a deposit, a verification, a top-up; then lost",
        tell=mypoz_lost,
    ),
    Story(
        name="bml-shipping",
        tenant="bml",
        title="bml-shipping: the courier pays part, the insurance the difference",
        tell=bml_lost,
    ),
    Story(
        name="tks-warehouse",
        tenant="tks",
        title="tks-warehouse: advanced before the insurer settles less",
        tell=tks_lost,
    ),
    Story(
        name="jsx-cargo",
        tenant="jsx",
        title="jsx-cargo: over midnight in Shanghai, and a capped subsidy",
        tell=jsx_late,
    ),
    Story(
        name="cssecure",
        tenant="cssbuy",
        title="cssecure: a loss that only time proves",
        tell=cssecure_lost,
    ),
)
