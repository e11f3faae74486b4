"""The policy service through its door: binding, payments, dispatch, and requests that come twice."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import msgspec
import pytest

from libs.common import ledger
from libs.common.auth import POLICIES_READ
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.money import MAX_MINOR
from services.policy.domain.policies import Terms
from tests.conftest import AppOf, Token
from tests.policy.builders import (
    OTHER_TENANT,
    PROGRAMMES_BY_PLAN,
    TENANT,
    Json,
    a_quote_request,
    amount,
    at,
    names,
    said,
)
from tests.policy.conftest import SetClock, Shop, answered, refused, shape_of
from tests.policy.serving import fire_due

AT_ONCE = 20


def code_of(response: httpx.Response) -> str:
    code: str = response.json()["code"]
    return code


async def transfers_of(db: Database, policy_id: str, tenant: str = TENANT) -> list[str]:
    """The kinds of the policy's transfers, in the order they were booked."""
    async with db.transaction(tenant) as tx:
        rows = await tx.fetch(
            "SELECT kind FROM ledger_transfers WHERE tenant_id = $1 AND policy_id = $2 "
            "ORDER BY recorded_at",
            tenant,
            policy_id,
        )
    return [row["kind"] for row in rows]


async def balances_of(db: Database, policy_id: str, tenant: str = TENANT) -> dict[str, int]:
    async with db.transaction(tenant) as tx:
        found = await ledger.balances(tx, tenant, policy_id)
    return {account.value: minor for (account, _), minor in found.items()}


async def count(db: Database, table: str, tenant: str = TENANT) -> int:
    async with db.transaction(tenant) as tx:
        found: int = await tx.fetchval(
            f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant
        )
    return found


# --- binding ---------------------------------------------------------------------------------


async def test_binds_a_quote_as_the_quote_service_has_it(shop: Shop, db: Database) -> None:
    quote = await shop.ask()

    policy = answered(await shop.bind(quote), 201)

    offer = quote["offers"][0]
    assert policy["quote_id"] == quote["quote_id"]
    assert policy["state"] == "PENDING"
    assert policy["plan"] == {key: offer[key] for key in ("plan", "version", "sha256")}
    assert policy["premium"] == offer["premium"] == policy["premium_due"]
    assert policy["premium_paid"]["amount_minor"] == 0
    assert msgspec.convert(policy["terms"], Terms) == msgspec.convert(offer["terms"], Terms)
    assert await shop.show(policy) == policy


@pytest.mark.parametrize("plan", sorted(PROGRAMMES_BY_PLAN))
async def test_binds_a_quote_of_each_programme(shop_of: Callable[..., Shop], plan: str) -> None:
    policy = await shop_of(plan).a_policy()

    programme = PROGRAMMES_BY_PLAN[plan]
    assert policy["plan"]["plan"] == plan
    assert policy["premium"]["amount_minor"] == programme.premium_minor
    assert policy["premium"]["currency"] == programme.currency


async def test_says_that_a_policy_was_issued(shop: Shop, db: Database) -> None:
    policy = await shop.a_policy()

    (event,) = await said(db, policy["policy_id"])
    data = msgspec.json.decode(event.data)
    assert (event.type, int(event.sequence)) == ("io.parcelcover.PolicyIssued.v1", 1)
    assert (event.tenantid, data["quote_id"]) == (TENANT, policy["quote_id"])


async def test_keeps_personal_data_out_of_events_and_answers(shop: Shop, db: Database) -> None:
    policy = await shop.a_policy(contact={"email": "ann@example.com", "locale": "de"})
    await shop.pay(policy)

    told = b"".join(bytes(event.data) for event in await said(db, policy["policy_id"]))
    assert b"ann@example.com" not in told
    assert "ann@example.com" not in str(await shop.show(policy))


async def test_a_quote_is_bound_once(shop: Shop, db: Database) -> None:
    quote = await shop.ask()
    answered(await shop.bind(quote), 201)

    refused(await shop.bind(quote), 409, "quote-already-bound")

    assert names(await said(db)) == ["PolicyIssued"]


async def test_twenty_binding_a_quote_at_once_make_one_policy(shop: Shop, db: Database) -> None:
    quote = await shop.ask()

    answers = await asyncio.gather(*(shop.bind(quote) for _ in range(AT_ONCE)))

    assert Counter(r.status_code for r in answers) == {201: 1, 409: AT_ONCE - 1}
    assert {code_of(r) for r in answers if r.status_code == 409} == {"quote-already-bound"}
    assert names(await said(db)) == ["PolicyIssued"]
    assert await count(db, "policies") == 1


ALTERED: tuple[Json, ...] = (
    {"terms": {"insured_value": amount(1_000_000)}},
    {"insured_value": amount(1_000_000)},
    {"state": "PRICED"},
    {"tenant_id": OTHER_TENANT},
)


async def test_a_caller_cannot_send_the_terms_it_would_like(shop: Shop) -> None:
    quote = await shop.ask()

    for altered in ALTERED:
        refused(await shop.bind(quote, **altered), 422, "invalid-request")


async def test_binds_at_the_premium_that_the_customer_was_shown(shop: Shop) -> None:
    answered(await shop.bind(await shop.ask(), premium=amount(3_600)), 201)


async def test_does_not_bind_at_another_premium(shop: Shop, db: Database) -> None:
    quote = await shop.ask()

    for premium in (amount(3_599), amount(0), amount(3_600, "USD")):
        refused(await shop.bind(quote, premium=premium), 409, "premium-differs")

    assert await said(db) == []


async def test_g_11_binds_a_quote_in_its_last_instant_and_not_one_later(
    shop: Shop, set_clock: SetClock
) -> None:
    await set_clock("2024-01-01T01:00:00")
    first, second = await shop.ask(), await shop.ask()
    assert first["valid_until"] == "2024-01-08T01:00:00Z"

    await set_clock("2024-01-08T01:00:00")
    policy = answered(await shop.bind(first), 201)
    assert policy["bound_at"] == "2024-01-08T01:00:00Z"
    await set_clock("2024-01-08T01:00:00.000001")
    problem = refused(await shop.bind(second), 409, "quote-expired")
    assert problem["valid_until"].startswith("2024-01-08T01:00:00")


async def test_an_unknown_quote_and_anothers_get_the_same_answer(
    shop: Shop, shop_of: Callable[..., Shop]
) -> None:
    unknown = {"quote_id": new_id("quo")}
    anothers = await shop_of(tenant=OTHER_TENANT).ask()

    problems = [
        refused(await shop.bind(quote), 404, "unknown-quote") for quote in (unknown, anothers)
    ]

    assert shape_of(problems[0], unknown["quote_id"]) == shape_of(
        problems[1], anothers["quote_id"]
    )


async def test_a_plan_that_the_quote_does_not_offer_is_not_bound(shop: Shop) -> None:
    quote = await shop.ask()

    refused(await shop.bind(quote, plan="jsx-cargo"), 404, "plan-not-offered")

    answered(await shop.bind(quote, plan="cssecure"), 201)


async def test_a_quote_that_was_declined_offers_nothing_to_bind(shop: Shop) -> None:
    request = a_quote_request() | {"insured_value": amount(9_999_900)}
    response = await shop.quotes.post(
        "/v1/quotes", json=request, headers=shop.token(shop.tenant)
    )
    quote = answered(response, 201)
    assert quote["state"] == "DECLINED"

    refused(await shop.bind(quote), 404, "plan-not-offered")


async def test_while_the_quote_service_is_away_the_caller_is_asked_to_come_back(
    app_of: AppOf, token: Token, db: Database
) -> None:
    policies = await app_of("policy", quote_url="http://127.0.0.1:1")

    response = await policies.post(
        "/v1/policies", json={"quote_id": new_id("quo")}, headers=token(TENANT)
    )

    refused(response, 503, "temporarily-unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert await count(db, "idempotency_keys") == 0


OF_WRONG_FORM: tuple[Json, ...] = (
    {},
    {"quote_id": "quo_1"},
    {"quote_id": 1},
    {"quote_id": new_id("pol")},
    {"quote_id": new_id("quo"), "contact": {"email": "not an address"}},
    {"quote_id": new_id("quo"), "contact": {"locale": "x" * 40}},
    {"quote_id": new_id("quo"), "tracking_number": "\u202e"},
    {"quote_id": new_id("quo"), "premium": {"amount_minor": 36.0, "currency": "CNY"}},
)


async def test_a_request_of_the_wrong_form_is_refused(
    policies: httpx.AsyncClient, token: Token
) -> None:
    for body in OF_WRONG_FORM:
        response = await policies.post("/v1/policies", json=body, headers=token(TENANT))
        refused(response, 422, "invalid-request")


async def test_reading_does_not_permit_binding(shop: Shop) -> None:
    quote = await shop.ask()

    response = await shop.policies.post(
        "/v1/policies",
        json={"quote_id": quote["quote_id"]},
        headers=shop.token(TENANT, [POLICIES_READ]),
    )

    refused(response, 403, "forbidden")


# --- payments --------------------------------------------------------------------------------


async def test_payments_add_up_and_the_last_one_pays_the_policy(
    shop: Shop, db: Database
) -> None:
    policy = await shop.a_policy()

    part = answered(await shop.pay(policy, 1_000), 201)
    assert (part["state"], part["paid_at"]) == ("PENDING", None)
    assert part["premium_due"]["amount_minor"] == 2_600
    whole = answered(await shop.pay(policy, 2_600), 201)
    assert (whole["state"], whole["premium_due"]["amount_minor"]) == ("SCHEDULED", 0)
    assert whole["paid_at"] is not None

    assert names(await said(db, policy["policy_id"])) == [
        "PolicyIssued", "PaymentReceived", "PaymentReceived", "PolicyPaid",
    ]  # fmt: skip
    assert await balances_of(db, policy["policy_id"]) == {"cash": 3_600, "premium": -3_600}


async def test_says_everything_known_at_purchase_when_the_premium_is_complete(
    shop: Shop, db: Database
) -> None:
    policy = await shop.a_paid_policy()

    event = (await said(db, policy["policy_id"]))[-1]
    paid = msgspec.json.decode(event.data)
    assert event.type == "io.parcelcover.PolicyPaid.v1"
    assert msgspec.convert(paid["terms"], Terms) == msgspec.convert(policy["terms"], Terms)
    assert (paid["plan"], paid["quote_id"]) == (policy["plan"], policy["quote_id"])
    assert paid["premium_paid"] == amount(3_600)
    assert datetime.fromisoformat(paid["paid_at"]) == datetime.fromisoformat(policy["paid_at"])


async def test_a_payment_told_twice_is_one(shop: Shop, db: Database) -> None:
    policy = await shop.a_policy()

    answers = [await shop.pay(policy, reference="wire-1") for _ in range(2)]

    assert [answered(r, 201)["premium_paid"]["amount_minor"] for r in answers] == [3_600, 3_600]
    assert await count(db, "payments") == 1
    assert len(await transfers_of(db, policy["policy_id"])) == 1
    assert names(await said(db, policy["policy_id"])).count("PolicyPaid") == 1


async def test_twenty_telling_one_payment_at_once_tell_one(shop: Shop, db: Database) -> None:
    policy = await shop.a_policy()

    answers = await asyncio.gather(
        *(shop.pay(policy, reference="wire-1") for _ in range(AT_ONCE))
    )

    assert {r.status_code for r in answers} == {201}
    assert await count(db, "payments") == 1
    assert await balances_of(db, policy["policy_id"]) == {"cash": 3_600, "premium": -3_600}


async def test_twenty_paying_a_premium_at_once_pay_it_once(shop: Shop, db: Database) -> None:
    policy = await shop.a_policy()

    answers = await asyncio.gather(*(shop.pay(policy) for _ in range(AT_ONCE)))

    standings = Counter(answered(r, 201)["payment"]["standing"] for r in answers)
    assert standings == {"APPLIED": 1, "DUPLICATE_CHARGE": AT_ONCE - 1}
    told = names(await said(db, policy["policy_id"]))
    assert told.count("PolicyPaid") == 1
    # All of it came in; what was not due is owed back, each payment by a refund of its own.
    assert told.count("RefundRequested") == AT_ONCE - 1
    assert await balances_of(db, policy["policy_id"]) == {
        "cash": 3_600 * AT_ONCE,
        "premium": -3_600,
        "refund": -3_600 * (AT_ONCE - 1),
    }


async def test_a_reference_stands_for_one_amount(shop: Shop, db: Database) -> None:
    policy = await shop.a_policy()
    await shop.pay(policy, 1_000, reference="wire-1")

    again = await shop.pay(policy, 1_001, reference="wire-1")

    refused(again, 409, "payment-reference-reused")
    assert await count(db, "payments") == 1


async def test_a_reference_of_one_policy_says_nothing_of_anothers(shop: Shop) -> None:
    for policy in (await shop.a_policy(), await shop.a_policy()):
        answered(await shop.pay(policy, reference="wire-1"), 201)


NO_PAYMENTS: tuple[tuple[object, str], ...] = (
    (amount(3_600, "USD"), "wrong-currency"),
    (amount(0), "payment-empty"),
    (amount(-1), "invalid-request"),
    (amount(MAX_MINOR + 1), "invalid-request"),
    (amount(10**18 - 1), "invalid-request"),
    ({"amount_minor": 3600.0, "currency": "CNY"}, "invalid-request"),
    ({"amount_minor": 36.5, "currency": "CNY"}, "invalid-request"),
    ({"amount_minor": "3600", "currency": "CNY"}, "invalid-request"),
    ({"amount_minor": True, "currency": "CNY"}, "invalid-request"),
    ({"amount_minor": None, "currency": "CNY"}, "invalid-request"),
    ({"amount_minor": 3_600, "currency": "cny"}, "invalid-request"),
    ({"amount_minor": 3_600, "currency": "XXX"}, "invalid-request"),
    ({"amount_minor": 3_600}, "invalid-request"),
    (36, "invalid-request"),
)


async def test_refuses_what_is_no_payment_of_the_premium(shop: Shop, db: Database) -> None:
    policy = await shop.a_policy()
    path = f"/v1/policies/{policy['policy_id']}/payments"

    for paid, code in NO_PAYMENTS:
        body = {"reference": "wire-1", "amount": paid}
        refused(await shop.post(path, body), 422, code)

    assert await count(db, "payments") == 0
    assert names(await said(db, policy["policy_id"])) == ["PolicyIssued"]


async def test_a_plan_that_covers_on_payment_says_so_at_once(
    shop_of: Callable[..., Shop], db: Database
) -> None:
    policy = await shop_of("bml-shipping").a_paid_policy()

    assert (policy["state"], policy["cover_start"]) == ("ACTIVE", policy["paid_at"])
    told = await said(db, policy["policy_id"])
    assert names(told) == ["PolicyIssued", "PaymentReceived", "PolicyPaid", "PolicyActivated"]
    assert [int(event.sequence) for event in told] == [1, 2, 3, 4]


async def test_js_07_a_plan_that_covers_from_midnight_does_so_by_itself(
    shop_of: Callable[..., Shop], db: Database, set_clock: SetClock
) -> None:
    shop = shop_of("jsx-cargo")
    await set_clock("2024-06-01T04:00:00", tenant=shop.tenant)
    policy = await shop.a_paid_policy()
    assert (policy["state"], policy["cover_start"]) == ("SCHEDULED", "2024-06-01T16:00:00Z")
    policy = answered(await shop.dispatch(policy), 200)
    assert policy["state"] == "SCHEDULED"

    await set_clock("2024-06-01T15:59:59.999999", tenant=shop.tenant)
    await fire_due(shop.policies, "2024-06-01T00:00:00")
    assert (await shop.show(policy))["state"] == "SCHEDULED"
    await set_clock("2024-06-05T00:00:00", tenant=shop.tenant)
    await fire_due(shop.policies, "2024-06-01T00:00:00")

    assert (await shop.show(policy))["state"] == "ACTIVE"
    activated = (await said(db, policy["policy_id"]))[-1]
    assert names([activated]) == ["PolicyActivated"]
    # It says when cover began, however late the deadline was looked at.
    assert activated.time == at("2024-06-01T16:00:00")
    assert msgspec.json.decode(activated.data)["cover_start"] == "2024-06-01T16:00:00Z"


# --- dispatch --------------------------------------------------------------------------------


async def test_the_ship_out_starts_cover_and_says_so_before_the_parcel_moves(
    shop: Shop, db: Database
) -> None:
    policy = await shop.a_paid_policy()

    sent = answered(
        await shop.dispatch(policy, carrier="ems", tracking_number="EZ1000000001CN"), 200
    )

    assert sent["state"] == "ACTIVE"
    assert sent["cover_start"] == sent["tracking"]["dispatched_at"]
    told = await said(db, policy["policy_id"])
    assert names(told) == [
        "PolicyIssued", "PaymentReceived", "PolicyPaid", "PolicyActivated", "TrackingUpdated",
    ]  # fmt: skip
    assert [int(event.sequence) for event in told] == [1, 2, 3, 4, 5]
    assert msgspec.json.decode(told[-1].data)["tracking_number"] == "EZ1000000001CN"


async def test_a_second_dispatch_changes_nothing_and_says_nothing(
    shop: Shop, db: Database
) -> None:
    policy = await shop.a_paid_policy()
    once = answered(await shop.dispatch(policy), 200)

    again = answered(await shop.dispatch(policy, dispatched_at="2030-01-01T00:00:00Z"), 200)

    assert again == once
    assert names(await said(db, policy["policy_id"])).count("TrackingUpdated") == 1


async def test_a_parcel_may_leave_before_it_is_paid_for_and_is_not_covered(
    shop: Shop, db: Database
) -> None:
    policy = await shop.a_policy()

    sent = answered(await shop.dispatch(policy), 200)

    assert (sent["state"], sent["cover_start"]) == ("PENDING", None)
    assert names(await said(db, policy["policy_id"])) == ["PolicyIssued", "TrackingUpdated"]


# --- whose it is -----------------------------------------------------------------------------


def _reading(shop: Shop, policy_id: str) -> Any:
    return shop.get(f"/v1/policies/{policy_id}")


def _paying(shop: Shop, policy_id: str) -> Any:
    body = {"reference": "wire-1", "amount": amount(3_600)}
    return shop.post(f"/v1/policies/{policy_id}/payments", body)


def _dispatching(shop: Shop, policy_id: str) -> Any:
    return shop.post(f"/v1/policies/{policy_id}/dispatch", {})


@pytest.mark.parametrize("door", [_reading, _paying, _dispatching], ids=lambda f: f.__name__)
async def test_an_unknown_policy_and_anothers_get_the_same_answer(
    shop: Shop, shop_of: Callable[..., Shop], db: Database, door: Callable[[Shop, str], Any]
) -> None:
    anothers = (await shop_of(tenant=OTHER_TENANT).a_policy())["policy_id"]
    unknown = new_id("pol")
    before = len(await said(db))

    problems = [
        refused(await door(shop, policy_id), 404, "unknown-policy")
        for policy_id in (unknown, anothers)
    ]

    assert shape_of(problems[0], unknown) == shape_of(problems[1], anothers)
    assert len(await said(db)) == before


# --- requests that come twice ----------------------------------------------------------------


async def _a_bind(shop: Shop) -> tuple[str, Json, Json]:
    quote, other = await shop.ask(), await shop.ask()
    return "/v1/policies", {"quote_id": quote["quote_id"]}, {"quote_id": other["quote_id"]}


async def _a_payment(shop: Shop) -> tuple[str, Json, Json]:
    path = f"/v1/policies/{(await shop.a_policy())['policy_id']}/payments"
    bodies = [{"reference": "wire-1", "amount": amount(minor)} for minor in (3_600, 1_000)]
    return path, bodies[0], bodies[1]


async def _a_dispatch(shop: Shop) -> tuple[str, Json, Json]:
    path = f"/v1/policies/{(await shop.a_paid_policy())['policy_id']}/dispatch"
    return path, {"carrier": "ems"}, {"carrier": "dhl"}


ONCE = pytest.mark.parametrize(
    "request_of", [_a_bind, _a_payment, _a_dispatch], ids=["bind", "payment", "dispatch"]
)


@ONCE
async def test_the_same_request_again_gets_the_first_answer(
    shop: Shop, db: Database, request_of: Any
) -> None:
    path, body, _ = await request_of(shop)
    first = await shop.post(path, body, **{"idempotency-key": "key-1"})
    told = len(await said(db))

    again = await shop.post(path, body, **{"idempotency-key": '"key-1"'})

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(await said(db)) == told


@ONCE
async def test_the_same_key_does_not_stand_for_another_request(
    shop: Shop, db: Database, request_of: Any
) -> None:
    path, body, other = await request_of(shop)
    assert (await shop.post(path, body, **{"idempotency-key": "key-1"})).is_success
    told = len(await said(db))

    response = await shop.post(path, other, **{"idempotency-key": "key-1"})

    refused(response, 422, "idempotency-key-reused")
    assert len(await said(db)) == told


@ONCE
async def test_a_request_without_a_key_is_not_taken(
    shop: Shop, db: Database, request_of: Any
) -> None:
    path, body, _ = await request_of(shop)
    told = len(await said(db))
    headers = shop.token(shop.tenant)
    del headers["idempotency-key"]

    response = await shop.policies.post(path, json=body, headers=headers)

    refused(response, 400, "idempotency-key-required")
    assert len(await said(db)) == told


@ONCE
async def test_twenty_of_the_same_request_at_once_have_one_effect(
    shop: Shop, db: Database, request_of: Any
) -> None:
    path, body, _ = await request_of(shop)
    told = len(await said(db))

    answers = await asyncio.gather(
        *(shop.post(path, body, **{"idempotency-key": "key-1"}) for _ in range(AT_ONCE))
    )

    done = [r for r in answers if r.is_success]
    others = [r for r in answers if not r.is_success]
    assert len([r for r in done if "idempotency-replayed" not in r.headers]) == 1
    assert len({r.content for r in done}) == 1
    assert {(r.status_code, code_of(r)) for r in others} <= {(409, "request-still-running")}
    new = names((await said(db))[told:])
    assert new in (
        ["PolicyIssued"],
        ["PaymentReceived", "PolicyPaid"],
        ["PolicyActivated", "TrackingUpdated"],
    )


async def test_a_bind_told_again_is_answered_though_the_quote_service_is_away(
    shop: Shop, app_of: AppOf, quotes: httpx.AsyncClient
) -> None:
    body = {"quote_id": (await shop.ask())["quote_id"]}
    first = await shop.post("/v1/policies", body, **{"idempotency-key": "key-1"})
    alone = await app_of("policy", quote_url="http://127.0.0.1:1")

    again = await alone.post(
        "/v1/policies", json=body, headers={**shop.token(TENANT), "idempotency-key": "key-1"}
    )

    assert (again.status_code, again.content) == (201, first.content)


async def test_a_key_of_one_tenant_says_nothing_of_anothers(
    shop: Shop, shop_of: Callable[..., Shop]
) -> None:
    for one in (shop, shop_of(tenant=OTHER_TENANT)):
        body = {"quote_id": (await one.ask())["quote_id"]}
        response = await one.post("/v1/policies", body, **{"idempotency-key": "key-1"})
        assert "idempotency-replayed" not in response.headers
        answered(response, 201)
