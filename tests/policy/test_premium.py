"""The premium's money through the door: refunds, the ledger, and what providers sign."""

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
import pytest_asyncio

from libs.common.clock import system_now
from libs.common.db import Database
from libs.common.ids import new_id
from tests.conftest import Token
from tests.policy.builders import OTHER_TENANT, TENANT, Json, amount, names, said
from tests.policy.conftest import Shop, answered, refused
from tests.policy.signing import signed

AT_ONCE = 20
PREMIUM = 3_600


async def ledger_of(shop: Shop, policy: Json) -> Json:
    return answered(await shop.get(f"/v1/policies/{policy['policy_id']}/ledger"), 200)


async def balances_of(shop: Shop, policy: Json) -> dict[str, int]:
    balances = (await ledger_of(shop, policy))["balances"]
    return {account: shown["amount_minor"] for account, shown in balances.items()}


async def refunds_of(shop: Shop, **filters: str) -> list[Json]:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    items: list[Json] = answered(await shop.get(f"/v1/refunds?{query}"), 200)["items"]
    return items


# --- what is not taken goes back -------------------------------------------------------------


async def test_what_is_paid_too_much_is_owed_back(shop: Shop, db: Database) -> None:
    policy = await shop.a_policy()

    paid = answered(await shop.pay(policy, PREMIUM + 400), 201)

    assert paid["state"] == "SCHEDULED"
    payment = paid["payment"]
    assert payment["standing"] == "OVERPAID"
    assert (payment["applied"]["amount_minor"], payment["returned"]["amount_minor"]) == (
        PREMIUM,
        400,
    )
    (refund,) = await refunds_of(shop)
    assert (refund["reason"], refund["state"], refund["amount"]["amount_minor"]) == (
        "OVERPAID",
        "DUE",
        400,
    )
    assert refund["payment_id"] == payment["payment_id"]
    assert await balances_of(shop, policy) == {"cash": 4_000, "premium": -3_600, "refund": -400}
    told = names(await said(db, policy["policy_id"]))
    assert told == ["PolicyIssued", "PaymentReceived", "PolicyPaid", "RefundRequested"]


async def test_bm_07_a_duplicate_charge_goes_back_and_the_policy_stays(
    shop_of: Callable[..., Shop],
) -> None:
    shop = shop_of("bml-shipping")
    policy = await shop.a_paid_policy()

    again = answered(await shop.pay(policy), 201)

    assert (again["state"], again["payment"]["standing"]) == ("ACTIVE", "DUPLICATE_CHARGE")
    assert again["payment"]["returned"] == policy["premium"]
    (refund,) = await refunds_of(shop)
    assert (refund["reason"], refund["amount"]) == ("DUPLICATE_CHARGE", policy["premium"])
    # It is no reason to cancel: nothing would be left to give back.
    path = f"/v1/policies/{policy['policy_id']}/cancellation"
    refused(await shop.post(path, {"reason": "DUPLICATE_CHARGE"}), 422, "unknown-refund-reason")


async def test_what_is_paid_for_a_policy_that_has_ended_goes_back(shop: Shop) -> None:
    policy = await shop.a_policy()
    answered(await shop.post(f"/v1/policies/{policy['policy_id']}/cancellation", {}), 200)

    paid = answered(await shop.pay(policy), 201)

    assert (paid["state"], paid["payment"]["standing"]) == ("CANCELLED", "POLICY_ENDED")
    assert await balances_of(shop, policy) == {"cash": PREMIUM, "refund": -PREMIUM}


# --- settling refunds ------------------------------------------------------------------------


async def a_refund(shop: Shop) -> tuple[Json, Json]:
    policy = await shop.a_paid_policy()
    answered(await shop.post(f"/v1/policies/{policy['policy_id']}/cancellation", {}), 200)
    (refund,) = await refunds_of(shop)
    return policy, refund


async def settle(
    shop: Shop, refund: Json, state: str = "CONFIRMED", reference: str = "bank-1", **more: str
) -> httpx.Response:
    path = f"/v1/refunds/{refund['refund_id']}/settlement"
    return await shop.post(path, {"state": state, "reference": reference, **more})


async def test_a_refund_is_settled_once(shop: Shop, db: Database) -> None:
    policy, refund = await a_refund(shop)
    assert await balances_of(shop, policy) == {"cash": PREMIUM, "refund": -PREMIUM}

    answers = await asyncio.gather(*(settle(shop, refund) for _ in range(AT_ONCE)))

    assert {r.status_code for r in answers} == {200}
    assert {r.json()["state"] for r in answers} == {"SETTLED"}
    assert await balances_of(shop, policy) == {}
    assert names(await said(db, policy["policy_id"])).count("RefundSettled") == 1


async def test_a_refund_that_failed_is_still_owed(shop: Shop) -> None:
    policy, refund = await a_refund(shop)

    failed = answered(await settle(shop, refund, "FAILED", failure="account closed"), 200)

    assert (failed["state"], failed["failure"]) == ("FAILED", "account closed")
    assert await balances_of(shop, policy) == {"cash": PREMIUM, "refund": -PREMIUM}
    assert [r["refund_id"] for r in await refunds_of(shop, state="FAILED")] == [
        refund["refund_id"]
    ]
    answered(await settle(shop, refund, reference="bank-2"), 200)
    assert await balances_of(shop, policy) == {}
    assert await refunds_of(shop, state="FAILED") == []


async def test_a_settled_refund_is_not_settled_as_another(shop: Shop) -> None:
    _, refund = await a_refund(shop)
    answered(await settle(shop, refund), 200)

    refused(await settle(shop, refund, reference="bank-2"), 409, "refund-settled-already")
    refused(await settle(shop, refund, "FAILED"), 409, "refund-settled-already")


async def test_refunds_are_listed_by_state_and_day_in_pages(shop: Shop) -> None:
    for _ in range(3):
        policy = await shop.a_paid_policy()
        answered(await shop.post(f"/v1/policies/{policy['policy_id']}/cancellation", {}), 200)

    first = answered(await shop.get("/v1/refunds?limit=2&state=DUE"), 200)
    rest = answered(await shop.get(f"/v1/refunds?limit=2&cursor={first['next_cursor']}"), 200)

    ids = [item["refund_id"] for item in [*first["items"], *rest["items"]]]
    assert len(set(ids)) == 3
    assert rest["next_cursor"] is None
    assert await refunds_of(shop, since="2199-01-01T00:00:00Z".replace("2199", "2198")) == []
    assert len(await refunds_of(shop, until="2198-01-01T00:00:00Z")) == 3


# --- payment providers -----------------------------------------------------------------------


class Provider:
    """A payment provider that signs as Standard Webhooks say."""

    def __init__(self, shop: Shop, hook: Json) -> None:
        self.shop = shop
        self.hook = hook
        self.secret = hook["secret"]

    async def tell(
        self,
        kind: str,
        policy: Json | None = None,
        minor: int = PREMIUM,
        *,
        reference: str = "pi_1",
        event_id: str | None = None,
        currency: str = "CNY",
        secret: str | None = None,
    ) -> httpx.Response:
        data = {"reference": reference, "amount": amount(minor, currency)}
        if policy is not None:
            data["policy_id"] = policy["policy_id"]
        body = {"type": kind, "timestamp": "2024-01-05T00:00:00Z", "data": data}
        return await self.send(msgspec.json.encode(body), event_id=event_id, secret=secret)

    async def send(
        self, body: bytes, *, event_id: str | None = None, secret: str | None = None
    ) -> httpx.Response:
        message_id = event_id or f"msg_{uuid4().hex}"
        headers = signed(secret or self.secret, message_id, body)
        return await self.shop.policies.post(self.hook["path"], content=body, headers=headers)

    async def told(self, *said: Any, **more: Any) -> str:
        state: str = answered(await self.tell(*said, **more), 200)["state"]
        return state

    async def rotate(self, overlap_hours: int) -> str:
        """The secret before."""
        former: str = self.secret
        path = f"/v1/payment-hooks/{self.hook['hook_id']}/rotation"
        rotated = answered(await self.shop.post(path, {"overlap_hours": overlap_hours}), 200)
        self.secret = rotated["secret"]
        return former


@pytest_asyncio.fixture
async def provider(shop: Shop) -> Provider:
    hook = answered(await shop.post("/v1/payment-hooks", {"provider": "standard"}), 201)
    return Provider(shop, hook)


async def test_a_signed_payment_pays_the_policy(shop: Shop, provider: Provider) -> None:
    policy = await shop.a_policy()

    assert await provider.told("payment.received", policy) == "APPLIED"

    shown = await shop.show(policy)
    # It counts from when the provider says it was made.
    assert (shown["state"], shown["paid_at"]) == ("SCHEDULED", "2024-01-05T00:00:00Z")
    (payment,) = (await ledger_of(shop, policy))["payments"]
    assert (payment["reference"], payment["channel"]) == ("pi_1", provider.hook["hook_id"])


async def test_a_payment_told_by_shop_and_provider_is_one(
    shop: Shop, provider: Provider
) -> None:
    policy = await shop.a_policy()
    answered(await shop.pay(policy, reference="pi_1"), 201)

    assert await provider.told("payment.received", policy) == "APPLIED"

    assert await balances_of(shop, policy) == {"cash": PREMIUM, "premium": -PREMIUM}


async def test_a_notice_that_comes_twenty_times_at_once_is_one(
    shop: Shop, provider: Provider
) -> None:
    policy = await shop.a_policy()

    answers = await asyncio.gather(
        *(provider.tell("payment.received", policy, event_id="msg_1") for _ in range(AT_ONCE))
    )

    assert {answered(r, 200)["state"] for r in answers} == {"APPLIED"}
    assert len({r.json()["notice_id"] for r in answers}) == 1
    assert await balances_of(shop, policy) == {"cash": PREMIUM, "premium": -PREMIUM}


async def test_news_of_a_payment_wait_until_it_is_known(shop: Shop, provider: Provider) -> None:
    policy = await shop.a_policy()

    assert await provider.told("payment.refunded", None) == "WAITING"
    assert await balances_of(shop, policy) == {}
    assert await provider.told("payment.received", policy) == "APPLIED"

    shown = await shop.show(policy)
    assert (shown["state"], shown["premium_paid"]["amount_minor"]) == ("PENDING", 0)
    assert await balances_of(shop, policy) == {}
    notices = answered(await shop.get("/v1/payment-notices"), 200)["items"]
    assert Counter(n["state"] for n in notices) == {"APPLIED": 2}


async def test_a_refund_that_is_owed_is_settled_by_the_providers_word(
    shop: Shop, provider: Provider
) -> None:
    policy = await shop.a_policy()
    await provider.told("payment.received", policy)
    answered(await shop.post(f"/v1/policies/{policy['policy_id']}/cancellation", {}), 200)

    assert await provider.told("payment.refunded", policy) == "APPLIED"

    (refund,) = await refunds_of(shop)
    assert refund["state"] == "SETTLED"
    assert await balances_of(shop, policy) == {}
    assert (await shop.show(policy))["state"] == "CANCELLED"


async def test_premium_given_back_elsewhere_ends_the_cover_until_it_is_paid_again(
    shop: Shop, provider: Provider, db: Database
) -> None:
    policy = await shop.a_policy()
    await provider.told("payment.received", policy)
    await shop.dispatch(policy)
    assert (await shop.show(policy))["state"] == "ACTIVE"

    assert await provider.told("payment.refunded", policy, 1_000) == "APPLIED"

    shown = await shop.show(policy)
    assert (shown["state"], shown["premium_due"]["amount_minor"]) == ("PENDING", 1_000)
    assert (shown["paid_at"], shown["cover_start"]) == (None, None)
    assert names(await said(db, policy["policy_id"]))[-1] == "PremiumReversed"
    again = answered(await shop.pay(policy, 1_000), 201)
    assert again["state"] == "ACTIVE"
    # Never backwards: cover begins with what completed the premium this time.
    assert again["cover_start"] == again["paid_at"]
    assert await balances_of(shop, policy) == {"cash": PREMIUM, "premium": -PREMIUM}


async def test_premium_of_a_void_policy_may_be_taken_back_too(
    shop: Shop, provider: Provider
) -> None:
    policy = await shop.a_policy()
    await provider.told("payment.received", policy)
    path = f"/v1/policies/{policy['policy_id']}/void"
    answered(await shop.post(path, {"cause": "fraud"}), 200)

    assert await provider.told("payment.refunded", policy, 1_000) == "APPLIED"

    assert (await shop.show(policy))["state"] == "VOID"
    assert await balances_of(shop, policy) == {"cash": 2_600, "premium": -2_600}


async def test_more_than_was_paid_cannot_be_given_back(shop: Shop, provider: Provider) -> None:
    policy = await shop.a_policy()
    await provider.told("payment.received", policy)

    assert await provider.told("payment.refunded", policy, PREMIUM + 1) == "UNMATCHED"
    assert await provider.told("payment.refunded", policy, PREMIUM) == "APPLIED"
    assert await provider.told("payment.refunded", policy, 1) == "UNMATCHED"

    assert await balances_of(shop, policy) == {}
    notices = answered(await shop.get("/v1/payment-notices?state=UNMATCHED"), 200)["items"]
    assert all(n["detail"].startswith("reversed-too-much") for n in notices)


async def test_a_dispute_holds_the_money_back_and_leaves_the_cover(
    shop: Shop, provider: Provider
) -> None:
    policy = await shop.a_policy()
    await provider.told("payment.received", policy)

    assert await provider.told("dispute.opened", policy) == "APPLIED"

    assert (await shop.show(policy))["state"] == "SCHEDULED"
    assert await balances_of(shop, policy) == {"dispute": PREMIUM, "premium": -PREMIUM}
    assert await provider.told("dispute.opened", policy) == "UNMATCHED"
    assert await provider.told("payment.refunded", policy) == "UNMATCHED"


@pytest.mark.parametrize(
    ("word", "state", "balances"),
    [
        ("dispute.won", "SCHEDULED", {"cash": PREMIUM, "premium": -PREMIUM}),
        ("dispute.lost", "PENDING", {}),
    ],
)
async def test_a_dispute_is_decided_once(
    shop: Shop, provider: Provider, word: str, state: str, balances: dict[str, int]
) -> None:
    policy = await shop.a_policy()
    await provider.told("payment.received", policy)
    await provider.told("dispute.opened", policy)

    assert await provider.told(word, policy) == "APPLIED"
    assert await provider.told("dispute.won", policy) == "UNMATCHED"

    assert (await shop.show(policy))["state"] == state
    assert await balances_of(shop, policy) == balances
    (dispute,) = (await ledger_of(shop, policy))["disputes"]
    assert dispute["state"] == word.removeprefix("dispute.").upper()


async def test_a_lost_dispute_after_the_refund_is_the_payers_debt(
    shop: Shop, provider: Provider
) -> None:
    """Both the refund and the dispute were paid: the ledger says that it is owed to us."""
    policy = await shop.a_policy()
    await provider.told("payment.received", policy)
    answered(await shop.post(f"/v1/policies/{policy['policy_id']}/cancellation", {}), 200)
    (refund,) = await refunds_of(shop)
    answered(await settle(shop, refund), 200)

    await provider.told("dispute.opened", policy)
    assert await provider.told("dispute.lost", policy) == "APPLIED"

    assert await balances_of(shop, policy) == {"cash": -PREMIUM, "refund": PREMIUM}


async def test_what_cannot_be_applied_is_kept_and_says_why(
    shop: Shop, provider: Provider
) -> None:
    policy = await shop.a_policy()
    unknown = {"policy_id": new_id("pol")}

    assert await provider.told("payment.received", unknown, reference="pi_2") == "UNMATCHED"
    assert await provider.told("payment.received", policy, currency="USD") == "UNMATCHED"
    assert await provider.told("customer.created", policy) == "IGNORED"
    assert await provider.told("dispute.won", policy) == "WAITING"

    notices = answered(await shop.get("/v1/payment-notices"), 200)["items"]
    details = {n["kind"]: n["detail"].partition(":")[0] for n in notices}
    assert details["payment.received"] in ("unknown-policy", "wrong-currency")
    assert await balances_of(shop, policy) == {}


# --- who may tell ----------------------------------------------------------------------------


async def test_an_old_secret_is_good_only_as_long_as_the_rotation_says(
    shop: Shop, provider: Provider
) -> None:
    policy = await shop.a_policy()

    former = await provider.rotate(overlap_hours=24)
    both = [
        await provider.tell("customer.created", policy, secret=one)
        for one in (former, provider.secret)
    ]
    second = await provider.rotate(overlap_hours=0)

    assert [r.status_code for r in both] == [200, 200]
    for old in (former, second):
        refused(
            await provider.tell("payment.received", policy, secret=old), 401, "bad-signature"
        )
    assert await balances_of(shop, policy) == {}
    notices = answered(await shop.get("/v1/payment-notices"), 200)["items"]
    assert [n["kind"] for n in notices] == ["customer.created"] * 2


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"type": 1}', b'{"type":"payment.received"}'])
async def test_a_signed_body_that_says_nothing_is_a_problem(
    provider: Provider, body: bytes
) -> None:
    assert (await provider.send(body)).status_code in (400, 422)


async def test_a_hook_is_nobody_elses(
    shop: Shop, provider: Provider, shop_of: Callable[..., Shop]
) -> None:
    policy = await shop.a_policy()
    other = shop_of(tenant=OTHER_TENANT)
    path = provider.hook["path"]

    problems = []
    for wrong in (
        path.replace(TENANT, OTHER_TENANT),
        path.replace(provider.hook["hook_id"], new_id("hok")),
        path.replace(TENANT, "nobody"),
        path.replace(TENANT, "NOT-A-TENANT"),
    ):
        provider.hook["path"] = wrong
        response = await provider.tell("payment.received", policy)
        problems.append(refused(response, 404, "unknown-payment-hook")["title"])
    assert len(set(problems)) == 1
    listed = answered(await other.get("/v1/payment-hooks"), 200)
    assert listed["items"] == []
    assert await balances_of(shop, policy) == {}


async def test_a_policy_of_another_tenant_is_not_paid_by_our_provider(
    shop: Shop, provider: Provider, shop_of: Callable[..., Shop]
) -> None:
    other = shop_of(tenant=OTHER_TENANT)
    theirs = await other.a_policy()

    assert await provider.told("payment.received", theirs) == "UNMATCHED"

    assert (await other.show(theirs))["premium_paid"]["amount_minor"] == 0


async def test_a_secret_is_shown_once_and_kept_sealed(shop: Shop, db: Database) -> None:
    key = {"idempotency-key": uuid4().hex}
    first = answered(await shop.post("/v1/payment-hooks", {"provider": "standard"}, **key), 201)
    again = answered(await shop.post("/v1/payment-hooks", {"provider": "standard"}, **key), 201)

    assert first["secret"].startswith("whsec_")
    assert (again["hook_id"], again["secret"]) == (first["hook_id"], None)
    async with db.transaction(TENANT) as tx:
        kept = await tx.fetch(
            "SELECT h::text, k.body::text FROM payment_hooks h, idempotency_keys k "
            "WHERE h.tenant_id = $1 AND k.tenant_id = $1",
            TENANT,
        )
    assert first["secret"] not in str(kept)


@pytest.mark.parametrize(
    "body",
    [
        {"provider": "standard", "secret": "whsec_short"},
        {"provider": "stripe"},
        {"provider": "stripe", "secret": "short"},
    ],
    ids=str,
)
async def test_a_secret_nobody_could_sign_with_is_refused(shop: Shop, body: Json) -> None:
    refused(await shop.post("/v1/payment-hooks", body), 422, "bad-secret")


# --- Stripe ----------------------------------------------------------------------------------

STRIPE_SECRET = "whsec_stripes_own_secret"


async def stripe_tells(shop: Shop, hook: Json, event_id: str, kind: str, **subject: Any) -> str:
    body = msgspec.json.encode(
        {"id": event_id, "type": kind, "created": 1704412800, "data": {"object": subject}}
    )
    seconds = str(int(system_now().timestamp()))
    digest = hmac.new(STRIPE_SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    headers = {"stripe-signature": f"t={seconds},v1={digest.hexdigest()}"}
    response = await shop.policies.post(hook["path"], content=body, headers=headers)
    state: str = answered(response, 200)["state"]
    return state


async def test_stripes_payments_refunds_and_disputes_are_read(shop: Shop, token: Token) -> None:
    hook = answered(
        await shop.post("/v1/payment-hooks", {"provider": "stripe", "secret": STRIPE_SECRET}),
        201,
    )
    policy = await shop.a_policy()
    intent = {"currency": "cny", "amount": PREMIUM, "amount_received": PREMIUM, "id": "pi_9"}
    about = {"metadata": {"policy_id": policy["policy_id"]}, "status": "succeeded"}
    refund = {"id": "re_1", "currency": "cny", "amount": 600, "payment_intent": "pi_9"}
    dispute = {"id": "du_1", "currency": "cny", "amount": 3_000, "payment_intent": "pi_9"}

    states = [
        await stripe_tells(shop, hook, "evt_1", "payment_intent.succeeded", **intent, **about),
        await stripe_tells(shop, hook, "evt_2", "refund.created", **refund, status="pending"),
        await stripe_tells(shop, hook, "evt_3", "refund.updated", **refund, status="succeeded"),
        # The same refund told again under another event is no second one.
        await stripe_tells(shop, hook, "evt_4", "refund.updated", **refund, status="succeeded"),
        await stripe_tells(
            shop, hook, "evt_5", "charge.dispute.funds_withdrawn", **dispute, status="lost"
        ),
        await stripe_tells(
            shop, hook, "evt_6", "charge.dispute.closed", **dispute, status="won"
        ),
        await stripe_tells(shop, hook, "evt_7", "customer.created", id="cus_1"),
    ]

    assert states == [
        "APPLIED", "IGNORED", "APPLIED", "APPLIED", "APPLIED", "APPLIED", "IGNORED",
    ]  # fmt: skip
    assert await balances_of(shop, policy) == {"cash": 3_000, "premium": -3_000}
    (kept,) = (await ledger_of(shop, policy))["payments"]
    assert (kept["reference"], kept["paid_at"]) == ("pi_9", "2024-01-05T00:00:00Z")
