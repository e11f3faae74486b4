"""What changes a policy or ends it early: seen first, confirmed as it was seen, kept in its history."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.common.db import Database
from libs.common.settings import Settings
from services.policy.domain.parcels import LONGEST_ON_ITS_WAY
from tests.conftest import AppOf
from tests.policy.builders import (
    OTHER_TENANT,
    Json,
    a_quote_request,
    a_scan,
    amount,
    at,
    names,
    said,
)
from tests.policy.conftest import SetClock, Shop, answered, refused
from tests.policy.serving import fire_due

AT_ONCE = 20


def path_of(policy: Json, *steps: str) -> str:
    return "/".join(("/v1/policies", policy["policy_id"], *steps))


async def etag_of(shop: Shop, policy: Json) -> str:
    response = await shop.get(path_of(policy))
    etag: str = response.headers["etag"]
    assert etag == f'"{response.json()["version"]}"'
    return etag


# --- cancellation: preview, then confirm -----------------------------------------------------


async def test_a_preview_shows_the_refunds_arithmetic_and_changes_nothing(shop: Shop) -> None:
    policy = await shop.a_paid_policy()
    before = await shop.show(policy)

    seen = answered(await shop.post(path_of(policy, "cancellation/preview"), {}), 200)

    assert (seen["is_granted"], seen["refund"], seen["rule_ids"]) == (
        True,
        policy["premium"],
        ["CS-11"],
    )
    assert [(s["label"], s["amount"]["amount_minor"], s["formula"]) for s in seen["steps"]] == [
        ("PREMIUM_PAID", 3_600, ""),
        ("REFUND_BY_PLAN", 3_600, "premium"),
    ]
    assert await shop.show(policy) == before


async def test_what_was_seen_is_confirmed(shop: Shop) -> None:
    policy = await shop.a_paid_policy()
    seen = answered(await shop.post(path_of(policy, "cancellation/preview"), {}), 200)
    refund = amount(seen["refund"]["amount_minor"])

    done = await shop.post(
        path_of(policy, "cancellation"),
        {"refund": refund},
        **{"if-match": f'"{seen["version"]}"'},
    )

    cancelled = answered(done, 200)
    assert cancelled["policy"]["state"] == "CANCELLED"
    assert (cancelled["refund"], cancelled["steps"]) == (seen["refund"], seen["steps"])
    assert cancelled["policy"]["refund"] == seen["refund"]


async def test_what_is_another_by_now_is_not_confirmed(shop: Shop) -> None:
    policy = await shop.a_policy()
    seen = answered(await shop.post(path_of(policy, "cancellation/preview"), {}), 200)
    answered(await shop.pay(policy), 201)
    path = path_of(policy, "cancellation")

    stale = await shop.post(path, {}, **{"if-match": f'"{seen["version"]}"'})
    other = await shop.post(path, {"refund": amount(seen["refund"]["amount_minor"])})

    assert refused(stale, 412, "changed-meanwhile")["version"] == 3
    refused(other, 409, "refund-differs")
    assert (await shop.show(policy))["state"] == "SCHEDULED"


async def test_after_the_dispatch_the_preview_says_why_not(shop: Shop) -> None:
    policy = await shop.a_paid_policy()
    answered(await shop.dispatch(policy), 200)

    seen = answered(await shop.post(path_of(policy, "cancellation/preview"), {}), 200)

    assert (seen["is_granted"], seen["refund"]["amount_minor"]) == (False, 0)
    assert "not dispatched" in seen["because"]
    problem = refused(
        await shop.post(path_of(policy, "cancellation"), {}), 409, "policy-not-cancellable"
    )
    assert problem["detail"] == seen["because"]


@pytest.mark.parametrize("route", ["cancellation/preview", "cancellation"])
async def test_a_reason_the_plan_does_not_know_is_refused_with_those_it_does(
    shop: Shop, route: str
) -> None:
    policy = await shop.a_paid_policy()

    problem = refused(
        await shop.post(path_of(policy, route), {"reason": "BORED"}),
        422,
        "unknown-refund-reason",
    )

    assert "CUSTOMER_CANCEL" in problem["detail"]


# --- a price that runs out -------------------------------------------------------------------


async def test_g_11_a_policy_that_is_not_paid_in_time_lapses_with_its_price(
    shop: Shop, db: Database, set_clock: SetClock
) -> None:
    await set_clock("2024-01-01T00:00")
    policy = await shop.a_policy()
    answered(await shop.pay(policy, 600), 201)
    assert policy["lapses_at"] == "2024-01-08T00:00:00.000001Z"

    await set_clock("2024-01-08T00:00")
    await fire_due(shop.policies, "2024-01-08T00:00")
    assert (await shop.show(policy))["state"] == "PENDING"
    await set_clock("2024-01-08T00:00:00.000001")
    await fire_due(shop.policies, "2024-01-08T00:00:00.000001")

    lapsed = await shop.show(policy)
    assert (lapsed["state"], lapsed["refund"]["amount_minor"]) == ("CANCELLED", 600)
    assert names(await said(db, policy["policy_id"]))[-2:] == [
        "PolicyLapsed",
        "RefundRequested",
    ]
    late = answered(await shop.pay(policy, 3_000), 201)
    assert (late["state"], late["payment"]["standing"]) == ("CANCELLED", "LATE")


async def test_g_11_a_policy_that_is_paid_in_time_does_not_lapse(
    shop: Shop, set_clock: SetClock
) -> None:
    await set_clock("2024-01-01T00:00")
    policy = await shop.a_policy()
    await set_clock("2024-01-08T00:00")
    answered(await shop.pay(policy), 201)

    await set_clock("2024-01-09T00:00")
    await fire_due(shop.policies, "2024-01-09T00:00")

    paid = await shop.show(policy)
    assert (paid["state"], paid["lapses_at"]) == ("SCHEDULED", None)


# --- a new address, and a false declaration --------------------------------------------------


async def test_a_plan_that_says_nothing_of_addresses_keeps_its_cover(
    shop: Shop, db: Database
) -> None:
    policy = await shop.a_paid_policy()

    seen = answered(
        await shop.post(path_of(policy, "address/preview"), {"destination": "US"}), 200
    )
    moved = answered(await shop.post(path_of(policy, "address"), {"destination": "US"}), 200)

    assert (seen["becomes_void"], seen["rule_ids"]) == (False, [])
    assert moved["state"] == policy["state"]
    assert names(await said(db, policy["policy_id"]))[-1] == "AddressChanged"


@pytest.mark.parametrize("route", ["address/preview", "address"])
async def test_another_country_is_another_parcel_to_insure(shop: Shop, route: str) -> None:
    policy = await shop.a_paid_policy()

    refused(
        await shop.post(path_of(policy, route), {"destination": "DE"}),
        409,
        "destination-differs",
    )


async def test_g_15_a_false_declaration_voids_without_a_refund(
    shop: Shop, db: Database
) -> None:
    policy = await shop.a_paid_policy()

    voided = answered(await shop.post(path_of(policy, "void"), {"cause": "fraud"}), 200)

    assert (voided["state"], voided["refund"]["amount_minor"]) == ("VOID", 0)
    assert names(await said(db, policy["policy_id"]))[-1] == "PolicyVoided"
    refused(
        await shop.post(path_of(policy, "void"), {"cause": "fraud"}), 409, "policy-not-voided"
    )
    # Its scheduled start never comes.
    refused(await shop.dispatch(policy), 409, "policy-not-dispatchable")


# --- who was quicker -------------------------------------------------------------------------

CHANGES: dict[str, tuple[str, str, Json]] = {
    "dispatch": ("POST", "dispatch", {}),
    "acceptance": ("POST", "acceptance", {}),
    "cancellation": ("POST", "cancellation", {}),
    "address": ("POST", "address", {"destination": "US"}),
    "void": ("POST", "void", {"cause": "fraud"}),
    "contact": ("PUT", "contact", {"email": "bob@example.com"}),
    "parcel": ("PUT", "parcel", {"carrier": "ems", "tracking_number": "EZ1"}),
}


@pytest.mark.parametrize(("method", "step", "body"), CHANGES.values(), ids=CHANGES.keys())
async def test_a_change_is_of_the_version_it_was_based_on(
    shop: Shop, method: str, step: str, body: Json
) -> None:
    policy = await shop.a_paid_policy()
    headers = shop.token(shop.tenant)
    current = await etag_of(shop, policy)

    async def change(if_match: str) -> Any:
        return await shop.policies.request(
            method,
            path_of(policy, step),
            json=body,
            headers={**headers, "idempotency-key": if_match, "if-match": if_match},
        )

    refused(await change('"1"'), 412, "changed-meanwhile")
    refused(await change("1"), 422, "bad-etag")
    assert await etag_of(shop, policy) == current
    assert (await change(current)).status_code == 200
    assert await etag_of(shop, policy) != current
    refused(await change(f"{current}, {current}"), 412, "changed-meanwhile")


async def test_of_twenty_who_saw_the_same_one_changes_it(shop: Shop) -> None:
    policy = await shop.a_paid_policy()
    current = await etag_of(shop, policy)

    answers = await asyncio.gather(
        *(
            shop.post(
                path_of(policy, "address"), {"destination": "US"}, **{"if-match": current}
            )
            for _ in range(AT_ONCE)
        )
    )

    assert Counter(r.status_code for r in answers) == {200: 1, 412: AT_ONCE - 1}


# --- history ---------------------------------------------------------------------------------


async def test_each_change_is_in_the_history_with_who_made_it(shop: Shop) -> None:
    policy = await shop.a_paid_policy(contact={"email": "ann@example.com"})
    contact = {"email": "bob@example.com", "locale": "de"}
    answered(
        await shop.policies.put(
            path_of(policy, "contact"), json=contact, headers=shop.token(shop.tenant)
        ),
        200,
    )

    first = answered(await shop.get(path_of(policy, "history?limit=2")), 200)
    rest = answered(
        await shop.get(path_of(policy, f"history?cursor={first['next_cursor']}")), 200
    )

    items = [*first["items"], *rest["items"]]
    assert [(i["version"], i["type"], i["acted_by"]) for i in items] == [
        (1, "PolicyIssued", "tests"),
        (2, "PaymentReceived", "tests"),
        (3, "PolicyPaid", "tests"),
        (4, "ContactChanged", "tests"),
    ]
    # Where the customer is told things is nobody's business, here either.
    assert "example.com" not in str(items)


async def test_anothers_history_and_ledger_are_not_there(
    shop: Shop, shop_of: Callable[..., Shop]
) -> None:
    policy = await shop.a_paid_policy()
    other = shop_of(tenant=OTHER_TENANT)

    for step in ("history", "ledger"):
        refused(await other.get(path_of(policy, step)), 404, "unknown-policy")


# --- lists -----------------------------------------------------------------------------------


async def test_policies_are_listed_newest_first_in_pages_that_neither_repeat_nor_hide(
    shop: Shop,
) -> None:
    policies = [await shop.a_policy() for _ in range(5)]

    ids, cursor = [], ""
    for _ in range(3):
        page = answered(await shop.get(f"/v1/policies?limit=2{cursor}"), 200)
        ids += [item["policy_id"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
        # One that comes meanwhile is no part of the pages that follow.
        await shop.a_policy()

    assert ids == [policy["policy_id"] for policy in reversed(policies)]


async def test_policies_are_found_by_state_plan_order_parcel_and_time(
    shop: Shop, set_clock: SetClock
) -> None:
    await set_clock("2024-01-01T00:00")
    early = await shop.a_paid_policy()
    await set_clock("2024-02-01T00:00")
    request = a_quote_request()
    request["order"]["order_ref"] = "order-2"
    late = answered(
        await shop.bind(await shop.ask(request), carrier="ems", tracking_number="EZ7"), 201
    )

    async def found(query: str) -> list[str]:
        page = answered(await shop.get(f"/v1/policies?{query}"), 200)
        return [item["policy_id"] for item in page["items"]]

    assert await found("state=SCHEDULED") == [early["policy_id"]]
    assert await found("order_ref=order-2") == [late["policy_id"]]
    assert await found("tracking_number=EZ7") == [late["policy_id"]]
    assert await found("since=2024-02-01T00:00:00Z") == [late["policy_id"]]
    assert await found("until=2024-02-01T00:00:00Z") == [early["policy_id"]]
    assert await found("plan=cssecure") == [late["policy_id"], early["policy_id"]]
    assert await found("plan=jsx-cargo") == []


@pytest.mark.parametrize("query", ["state=NEW", "limit=0", "cursor=x", "since=yesterday"])
async def test_a_list_says_what_it_does_not_understand(shop: Shop, query: str) -> None:
    assert (await shop.get(f"/v1/policies?{query}")).status_code == 422


# --- one open policy a parcel ----------------------------------------------------------------

PARCEL = {"carrier": "ems", "tracking_number": "EZ1000000001CN"}


async def test_q45_a_parcel_on_its_way_is_insured_once(shop: Shop) -> None:
    policy = await shop.a_policy(**PARCEL)

    problem = refused(
        await shop.bind(await shop.ask(), **PARCEL), 409, "parcel-insured-already"
    )

    assert problem["policy_id"] == policy["policy_id"]
    other = await shop.a_paid_policy()
    refused(await shop.dispatch(other, **PARCEL), 409, "parcel-insured-already")
    named = await shop.policies.put(
        path_of(other, "parcel"), json=PARCEL, headers=shop.token(shop.tenant)
    )
    refused(named, 409, "parcel-insured-already")


async def test_q45_twenty_naming_one_parcel_at_once_insure_it_once(shop: Shop) -> None:
    quotes = [await shop.ask() for _ in range(AT_ONCE)]

    answers = await asyncio.gather(*(shop.bind(quote, **PARCEL) for quote in quotes))

    assert Counter(r.status_code for r in answers) == {201: 1, 409: AT_ONCE - 1}


async def test_the_same_number_of_another_carrier_or_tenant_is_another_parcel(
    shop: Shop, shop_of: Callable[..., Shop]
) -> None:
    await shop.a_policy(**PARCEL)

    await shop.a_policy(**{**PARCEL, "carrier": "dhl"})
    await shop_of(tenant=OTHER_TENANT).a_policy(**PARCEL)


async def test_a_number_is_free_again_once_its_parcel_has_come_or_its_policy_has_ended(
    shop: Shop,
) -> None:
    cancelled = await shop.a_policy(**PARCEL)
    answered(await shop.post(path_of(cancelled, "cancellation"), {}), 200)
    delivered = answered(await shop.pay(await shop.a_policy(**PARCEL)), 201)
    scan = a_scan("delivered", "2024-01-10T00:00:00Z", policy_id=delivered["policy_id"])
    answered(await shop.track(scan), 200)

    await shop.a_policy(**PARCEL)


# --- recycled numbers ------------------------------------------------------------------------


async def owners(shop: Shop, *instants: str) -> list[str | None]:
    scans = [a_scan("in_transit", instant, **PARCEL) for instant in instants]
    results = answered(await shop.track(*scans), 200)["results"]
    return [result["policy_id"] for result in results]


async def test_scans_of_a_number_used_again_go_to_the_policy_bound_by_then(
    shop: Shop, set_clock: SetClock
) -> None:
    await set_clock("2024-01-01T00:00")
    first = answered(await shop.pay(await shop.a_policy(**PARCEL)), 201)
    arrived = a_scan("delivered", "2024-01-20T00:00:00Z", **PARCEL)
    await set_clock("2024-03-01T00:00")
    answered(await shop.track(arrived), 200)
    second = answered(await shop.pay(await shop.a_policy(**PARCEL)), 201)
    await set_clock("2024-04-01T00:00")

    found = await owners(
        shop,
        "2023-12-20T00:00:00Z",
        "2024-01-10T00:00:00Z",
        "2024-02-29T23:59:59Z",
        "2024-03-01T00:00:00Z",
        "2024-03-05T00:00:00Z",
    )

    one, two = first["policy_id"], second["policy_id"]
    assert found == [one, one, one, two, two]
    # The old parcel's delivery is not the new one's.
    assert (await shop.show(second))["tracking"]["delivered_at"] is None


async def test_a_scan_from_long_before_any_policy_is_another_parcels(
    shop: Shop, set_clock: SetClock
) -> None:
    await set_clock("2024-03-01T00:00")
    policy = await shop.a_policy(**PARCEL)
    edge = at("2024-03-01T00:00") - LONGEST_ON_ITS_WAY

    found = await owners(
        shop,
        edge.isoformat(),
        (edge - timedelta(seconds=1)).isoformat(),
    )

    assert found == [policy["policy_id"], None]


async def test_a_cancelled_policys_parcel_is_tracked_for_the_one_that_insures_it(
    shop: Shop, set_clock: SetClock
) -> None:
    await set_clock("2024-03-01T00:00")
    cancelled = await shop.a_policy(**PARCEL)
    answered(await shop.post(path_of(cancelled, "cancellation"), {}), 200)
    await set_clock("2024-03-03T00:00")
    policy = await shop.a_policy(**PARCEL)

    assert await owners(shop, "2024-03-02T00:00:00Z") == [policy["policy_id"]]


# --- consent ---------------------------------------------------------------------------------


async def consent(shop: Shop, quote: Json, choice: str) -> Json:
    offer = quote["offers"][0]
    body = {
        "choice": choice,
        "plan": offer["plan"],
        "wording_id": offer["wordings"]["en"],
        "locale": "en",
        "box_state": "TICKED_BY_CUSTOMER" if choice == "OPT_IN" else "UNTICKED",
        "channel": "checkout",
    }
    return answered(
        await shop.quotes.post(
            f"/v1/quotes/{quote['quote_id']}/consents",
            json=body,
            headers=shop.token(shop.tenant),
        ),
        201,
    )


async def test_who_said_no_is_not_insured_until_they_say_yes(shop: Shop) -> None:
    quote = await shop.ask()
    await consent(shop, quote, "OPT_OUT")

    refused(await shop.bind(quote), 409, "opted-out")
    yes = await consent(shop, quote, "OPT_IN")

    assert answered(await shop.bind(quote), 201)["consent_id"] == yes["consent_id"]


async def test_without_a_word_there_is_no_consent_on_the_policy(shop: Shop) -> None:
    assert (await shop.a_policy())["consent_id"] is None


async def test_a_tenant_may_want_a_yes_before_it_binds(
    shop: Shop, app_of: AppOf, quote_url: str, tmp_path: Path
) -> None:
    wanting = tmp_path / "tenants.yaml"
    usual = Settings().tenants.read_text()
    wanting.write_text(usual.replace("  cssbuy:\n", "  cssbuy:\n    requires_consent: true\n"))
    policies = await app_of("policy", quote_url=quote_url, tenants=wanting)
    careful = replace(shop, policies=policies)
    quote = await careful.ask()

    refused(await careful.bind(quote), 409, "consent-missing")
    await consent(careful, quote, "OPT_IN")
    answered(await careful.bind(quote), 201)
