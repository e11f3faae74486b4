"""The quote service through its door: what it offers, what it refuses, and what it remembers."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest

from libs.common.auth import POLICIES_WRITE, QUOTES_READ, QUOTES_WRITE, ServiceSigner
from libs.common.money import MAX_MINOR, Money
from libs.common.problems import MEDIA_TYPE
from services.policy.domain.policies import Item, Terms
from services.quote.api.requests import QuoteRequest
from services.quote.api.schema import ANSWER_EXAMPLE, REQUEST_EXAMPLES
from services.quote.api.views import ItemTerms, QuoteView, TermsShown
from tests.conftest import AppOf, Token
from tests.quote.builders import a_request, an_item, cny, without

Json = dict[str, Any]
Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def quote_app(app_of: AppOf) -> httpx.AsyncClient:
    return await app_of("quote")


@pytest.fixture
def ask(quote_app: httpx.AsyncClient, token: Token) -> Ask:
    """Asks for a quote as a tenant, each time with a new key."""

    async def post(
        request: object, *, tenant: str = "cssbuy", **headers: str
    ) -> httpx.Response:
        return await quote_app.post(
            "/v1/quotes", json=request, headers={**token(tenant), **headers}
        )

    return post


def _money(currency: str, minor: object = 100) -> Json:
    return {"amount_minor": minor, "currency": currency}


def _ringgit(minor: int) -> Json:
    return _money("MYR", minor)


def _with_order(**changes: object) -> Json:
    return a_request(order={**a_request()["order"], **changes})


def _with_parcel(**changes: object) -> Json:
    return a_request(parcel={**a_request()["parcel"], **changes})


def the_offer(response: httpx.Response) -> Json:
    assert response.status_code == 201, response.text
    (offer,) = response.json()["offers"]
    return offer  # type: ignore[no-any-return]


# --- what is offered -------------------------------------------------------------------------


async def test_prices_a_parcel_by_its_plan(ask: Ask) -> None:
    response = await ask(a_request())

    offer = the_offer(response)
    assert response.json()["state"] == "PRICED"
    assert response.headers["location"] == f"/v1/quotes/{response.json()['quote_id']}"
    assert offer["premium"] == {**cny(1_860), "formatted": "¥18.60"}
    assert offer["insured_value"]["amount_minor"] == 62_000
    assert offer["limit"]["amount_minor"] == 1_000_000
    assert offer["perils"] == ["LOSS", "SEIZURE", "DAMAGE", "SHORTAGE", "DELAY", "RETURN"]


async def test_is_valid_for_the_days_the_plan_says(ask: Ask) -> None:
    quote = msgspec.json.decode((await ask(a_request())).content, type=QuoteView)

    assert (quote.valid_until - quote.created_at).days == 7


async def test_insures_the_goods_value_where_nothing_is_said(ask: Ask) -> None:
    offer = the_offer(await ask(without(a_request(), "insured_value")))

    assert offer["insured_value"]["amount_minor"] == 50_000


async def test_answers_for_all_plans_of_the_tenant_where_none_is_named(ask: Ask) -> None:
    offer = the_offer(await ask(without(a_request(), "plan")))

    assert offer["plan"] == "cssecure"


async def test_a_plan_that_wants_papers_makes_a_draft_with_its_premium_shown(ask: Ask) -> None:
    response = await ask(REQUEST_EXAMPLES["mypoz-cargo"]["value"], tenant="mypoz")

    offer = the_offer(response)
    assert response.json()["state"] == "DRAFT"
    assert offer["premium"]["formatted"] == "RM 57.00"  # 3.8 % of the phone alone (MP-28)
    assert [(item["item_id"], item["verdict"]) for item in offer["items"]] == [
        ("1", "ACCEPT"),
        ("2", "DECLINE"),
    ]
    assert offer["reminder"] is True


async def test_each_line_has_its_reason_and_what_it_costs_by_itself(ask: Ask) -> None:
    items = [
        an_item(item_id="phone", item_class="phone", quantity=1, unit_price=_ringgit(10_013)),
        an_item(item_id="vase", item_class="vase", unit_price=_ringgit(4_000)),
        an_item(item_id="coat", item_class="clothing", quantity=3, unit_price=_ringgit(3_000)),
    ]

    offer = the_offer(
        await ask({**REQUEST_EXAMPLES["mypoz-cargo"]["value"], "items": items}, tenant="mypoz")
    )

    # 3.8 % of 100.13 is 3.80494; the minimum of RM 25 is of the whole, not of a line.
    assert [
        (item["reason"], item["premium"] and item["premium"]["formatted"])
        for item in offer["items"]
    ] == [("", "RM 3.80"), ("GOODS_EXCLUDED", None), ("GOODS_REFERRED", "RM 3.42")]
    assert offer["premium"]["formatted"] == "RM 25.00"
    assert offer["terms"]["eligible_goods_value"]["formatted"] == "RM 100.13"
    assert offer["warnings"] == ["GOODS_REFERRED"]


async def test_excluded_goods_are_not_in_the_sum_insured_where_none_is_said(ask: Ask) -> None:
    items = [an_item(), an_item(item_id="2", item_class="prohibited")]
    seller = {"customer_id": "s-1", "kind": "seller", "is_registered": True}
    request = without(a_request(plan="tks-warehouse", customer=seller, items=items), "point")

    offer = the_offer(await ask(without(request, "insured_value"), tenant="tks"))

    assert (offer["insured_value"], offer["raw_premium"]["amount_minor"]) == (
        {**cny(50_000), "formatted": "¥500.00"},
        1_000,
    )


async def test_takes_the_minimum_and_shows_what_the_rate_gave(ask: Ask) -> None:
    request = {
        **REQUEST_EXAMPLES["mypoz-cargo"]["value"],
        "items": [
            an_item(item_class="phone", quantity=1, unit_price=_ringgit(30_000)),
        ],
    }

    offer = the_offer(await ask(request, tenant="mypoz"))

    assert offer["premium"]["formatted"] == "RM 25.00"
    assert offer["raw_premium"]["formatted"] == "RM 11.40"


async def test_says_that_an_insured_value_is_not_taken(ask: Ask) -> None:
    request = {
        **REQUEST_EXAMPLES["mypoz-cargo"]["value"],
        "insured_value": _ringgit(999_900),
    }

    offer = the_offer(await ask(request, tenant="mypoz"))

    assert offer["insured_value"]["formatted"] == "RM 1,500.00"
    assert offer["warnings"] == ["INSURED_VALUE_NOT_TAKEN"]


async def test_goods_that_are_all_referred_have_no_price_yet(ask: Ask) -> None:
    request = {
        **REQUEST_EXAMPLES["mypoz-cargo"]["value"],
        "items": [an_item(item_class="clothing", unit_price=_ringgit(90_000))],
    }

    response = await ask(request, tenant="mypoz")

    offer = the_offer(response)
    assert response.json()["state"] == "DRAFT"
    assert (offer["is_available"], offer["premium"], offer["terms"]) == (True, None, None)


DECLINED: list[tuple[str, str, Json, list[str]]] = [
    ("goods no plan takes", "mypoz", {"items": ["vase"]}, ["GOODS_EXCLUDED"]),
    ("above the limit", "cssbuy", {"insured_value": cny(1_000_001)}, ["OVER_LIMIT"]),
    ("above one and a half times the value", "cssbuy", {"insured_value": cny(93_001)}, ["OVER_VALUE"]),
    ("nothing", "cssbuy", {"insured_value": cny(0)}, ["NOTHING_INSURED"]),
    ("not in the warehouse", "cssbuy", {"order": {"order_ref": "o"}}, ["NOT_ON_OFFER"]),
    ("at a point of another plan", "cssbuy", {"point": "checkout"}, ["NOT_ON_OFFER"]),
    (
        "by a seller, too late",
        "bml",
        {"point": "extra_service", "customer": {"customer_id": "c", "kind": "seller"}},
        ["NOT_ON_OFFER", "BUYER_NOT_SERVED"],
    ),
]  # fmt: skip


async def test_declines_and_says_every_reason(ask: Ask) -> None:
    for what, tenant, changes, reasons in DECLINED:
        response = await ask(_of_tenant(tenant, changes), tenant=tenant)

        offer = the_offer(response)
        assert response.json()["state"] == "DECLINED", what
        assert offer["reasons"] == reasons, what
        assert (offer["is_available"], offer["premium"], offer["terms"]) == (False, None, None)


async def test_warns_of_more_than_the_goods_are_worth(ask: Ask) -> None:
    offer = the_offer(await ask(a_request(insured_value=cny(93_000))))

    assert (offer["is_available"], offer["warnings"]) == (True, ["OVER_VALUE"])


async def test_a_plan_knows_its_lines_better_than_the_caller(ask: Ask) -> None:
    known = {"line": "SAL", "destination": "DE", "line_tags": ["express"]}
    unknown = {"line": "NEW-LINE", "destination": "DE", "line_tags": ["sal"], "mode": "air"}
    request = a_request(insured_value=cny(50_000))

    by_plan = the_offer(await ask({**request, "parcel": known}))
    by_caller = the_offer(await ask({**request, "parcel": unknown}))

    for offer in (by_plan, by_caller):
        assert "sal" in offer["terms"]["line_tags"]
        assert offer["limit"]["amount_minor"] == 212_000  # 2000 and the shipping (CS-06)
        assert offer["terms"]["goods_limit"]["amount_minor"] == 200_000


SAL_TO_GERMANY = {"line": "SAL", "destination": "DE"}


async def test_a_limit_says_which_row_set_it_and_by_which_rule(ask: Ask) -> None:
    offer = the_offer(await ask(a_request(parcel=SAL_TO_GERMANY, insured_value=cny(50_000))))

    assert (offer["limit"]["amount_minor"], offer["goods_limit"]["amount_minor"]) == (
        212_000,
        200_000,
    )
    assert offer["limit_when"] == "'sal' in line_tags and destination == 'DE'"
    assert "CS-06" in offer["limit_rules"]
    assert the_offer(await ask(a_request()))["limit_when"] == "True"


async def test_a_plan_without_limits_names_none(ask: Ask) -> None:
    offer = the_offer(await ask(REQUEST_EXAMPLES["mypoz-cargo"]["value"], tenant="mypoz"))

    names = ("limit", "goods_limit", "limit_when", "limit_rules")
    assert [offer[name] for name in names] == [None, None, None, []]


async def test_insures_up_to_the_limit_and_not_a_fen_more(ask: Ask) -> None:
    worth = [an_item(unit_price=cny(150_000))]

    async def offer_of(insured_value: int) -> Json:
        parcel = a_request(items=worth, parcel=SAL_TO_GERMANY, insured_value=cny(insured_value))
        return the_offer(await ask(parcel))

    at, above = await offer_of(212_000), await offer_of(212_001)

    assert (at["state"], at["premium"]["amount_minor"]) == ("PRICED", 6_360)
    assert (above["state"], above["reasons"]) == ("DECLINED", ["OVER_LIMIT"])
    # What the checkout may offer in its place, and why.
    assert above["limit"]["amount_minor"] == 212_000
    assert above["limit_when"] == "'sal' in line_tags and destination == 'DE'"


async def test_the_terms_are_those_the_policy_service_reads(ask: Ask) -> None:
    offer = the_offer(await ask(a_request(items=[an_item(), an_item(item_id="2")])))

    terms = msgspec.convert(offer["terms"], Terms)
    assert terms.premium == Money(1_860, "CNY")
    assert [item.item_id for item in terms.items] == ["1", "2"]
    assert set(TermsShown.__struct_fields__) == _fields(Terms)
    assert set(ItemTerms.__struct_fields__) == _fields(Item)


# --- what is refused -------------------------------------------------------------------------

_ITEMS_101 = [an_item(item_id=str(index)) for index in range(101)]

# What is wrong, the request, and the answer: status, code, and where.
BAD: list[tuple[str, object, int, str, str | None]] = [
    ("a plan nobody has", a_request(plan="gold"), 404, "unknown-plan", None),
    ("a plan another tenant sells", a_request(plan="mypoz-cargo"), 404, "unknown-plan", None),
    ("an unknown member", a_request(discount=5), 422, "invalid-request", "#"),
    ("an unknown member inside", a_request(items=[an_item(colour="red")]), 422, "invalid-request",
     "#/items/0"),
    ("a missing member", without(a_request(), "shipping_fee"), 422, "invalid-request", "#"),
    ("another currency", a_request(shipping_fee=_money("USD"), items=[an_item(unit_price=_money("USD"))],
                                   insured_value=_money("USD")), 422, "wrong-currency",
     "#/shipping_fee/currency"),
    ("two currencies", a_request(items=[an_item(unit_price=_money("USD"))]), 422, "wrong-currency",
     "#/items/0/unit_price/currency"),
    ("an insured value in another", a_request(insured_value=_money("MYR")), 422, "wrong-currency",
     "#/insured_value/currency"),
    ("an order's value not in USD", _with_order(order_value_usd=cny(1)), 422, "wrong-currency",
     "#/order/order_value_usd/currency"),
    ("no currency", a_request(shipping_fee=_money("yuan")), 422, "invalid-request",
     "#/shipping_fee/currency"),
    ("negative money", a_request(shipping_fee=cny(-1)), 422, "invalid-request",
     "#/shipping_fee/amount_minor"),
    ("money too large", a_request(shipping_fee=cny(MAX_MINOR + 1)), 422, "invalid-request",
     "#/shipping_fee/amount_minor"),
    ("a sum too large", a_request(items=[an_item(unit_price=cny(MAX_MINOR))]), 422, "bad-amount", None),
    ("fractional money", a_request(shipping_fee=_money("CNY", 12.5)), 422, "invalid-request",
     "#/shipping_fee/amount_minor"),
    ("a whole float", a_request(shipping_fee=_money("CNY", 12.0)), 422, "invalid-request",
     "#/shipping_fee/amount_minor"),
    ("money in quotes", a_request(shipping_fee=_money("CNY", "12")), 422, "invalid-request",
     "#/shipping_fee/amount_minor"),
    ("money that is true", a_request(shipping_fee=_money("CNY", True)), 422, "invalid-request",
     "#/shipping_fee/amount_minor"),
    ("no items", a_request(items=[]), 422, "invalid-request", "#/items"),
    ("101 items", a_request(items=_ITEMS_101), 422, "invalid-request", "#/items"),
    ("an id given twice", a_request(items=[an_item(), an_item()]), 422, "invalid-request",
     "#/items/1/item_id"),
    ("an unknown class", a_request(items=[an_item(item_class="spaceship")]), 422, "invalid-request",
     "#/items/0/item_class"),
    ("none of an item", a_request(items=[an_item(quantity=0)]), 422, "invalid-request",
     "#/items/0/quantity"),
    ("a weight as number", a_request(items=[an_item(weight_kg=1.5)]), 422, "invalid-request",
     "#/items/0/weight_kg"),
    ("a weight to the milligram", a_request(items=[an_item(weight_kg="1.0001")]), 422,
     "invalid-request", "#/items/0/weight_kg"),
    ("a weight in other digits", a_request(items=[an_item(weight_kg="١")]), 422, "invalid-request",
     "#/items/0/weight_kg"),
    ("an endless weight", a_request(items=[an_item(weight_kg="NaN")]), 422, "invalid-request",
     "#/items/0/weight_kg"),
    ("a country and a line break", _with_parcel(destination="DE\n"), 422, "invalid-request",
     "#/parcel/destination"),
    ("a country in small letters", _with_parcel(destination="de"), 422, "invalid-request",
     "#/parcel/destination"),
    ("a text with a bell", a_request(items=[an_item(description="ring\a")]), 422, "invalid-request",
     "#/items/0/description"),
    ("a text that turns around", _with_order(order_ref="a\u202eb"), 422, "invalid-request",
     "#/order/order_ref"),
    ("a text too long", a_request(items=[an_item(description="x" * 201)]), 422, "invalid-request",
     "#/items/0/description"),
    ("a time without offset", _with_order(submitted_at="2026-03-02T10:00:00"), 422, "invalid-request",
     "#/order/submitted_at"),
    ("a time before time", _with_order(submitted_at="0001-01-01T00:00:00+14:00"), 422,
     "invalid-request", "#/order/submitted_at"),
    ("a list", [], 422, "invalid-request", "#"),
]  # fmt: skip


async def test_refuses_what_it_cannot_price_and_says_where(ask: Ask) -> None:
    for what, request, status, code, pointer in BAD:
        response = await ask(request)

        problem = response.json()
        assert (response.status_code, problem["code"]) == (status, code), (what, problem)
        assert response.headers["content-type"] == MEDIA_TYPE, what
        if pointer is not None:
            assert [fault["pointer"] for fault in problem["errors"]] == [pointer], what


# Bodies no JSON library would write: what to put in place of the shipping fee.
MALFORMED: list[tuple[str, bytes, int, str]] = [
    ("NaN", b"NaN", 400, "malformed-json"),
    ("Infinity", b"Infinity", 400, "malformed-json"),
    ("minus infinity", b"-Infinity", 400, "malformed-json"),
    ("a number without end", b"9" * 4_000, 400, "malformed-json"),
    ("an exponent without end", b"1e999999", 400, "malformed-json"),
    ("an exponent", b"12e2", 422, "invalid-request"),
    ("a name given twice", b'1200, "amount_minor": 1', 400, "malformed-json"),
    ("half a character", b'"\\ud800"', 400, "malformed-json"),
    ("no character", b'"\\u0000"', 400, "malformed-json"),
    ("another encoding", b'"\xff"', 400, "malformed-json"),
    ("nothing", b"", 400, "malformed-json"),
    ("a well", b"[" * 5_000, 400, "malformed-json"),
]


async def test_refuses_bodies_that_are_no_json(
    quote_app: httpx.AsyncClient, token: Token
) -> None:
    whole = json.dumps(
        a_request(shipping_fee={"amount_minor": "HERE", "currency": "CNY"})
    ).encode()
    for what, value, status, code in MALFORMED:
        response = await quote_app.post(
            "/v1/quotes",
            content=whole.replace(b'"HERE"', value),
            headers={**token("cssbuy"), "content-type": "application/json"},
        )

        assert (response.status_code, response.json()["code"]) == (status, code), what


async def test_refuses_a_body_over_the_limit(ask: Ask) -> None:
    response = await ask(a_request(items=[an_item(description="x" * 300_000)]))

    assert (response.status_code, response.json()["code"]) == (413, "body-too-large")


async def test_refuses_another_content_type(quote_app: httpx.AsyncClient, token: Token) -> None:
    for headers in ({"content-type": "text/plain"}, {}):
        response = await quote_app.post(
            "/v1/quotes",
            content=json.dumps(a_request()).encode(),
            headers={**token("cssbuy"), **headers},
        )

        assert (response.status_code, response.json()["code"]) == (
            415,
            "unsupported-media-type",
        )


async def test_asks_for_a_token_and_its_scopes(
    quote_app: httpx.AsyncClient, token: Token
) -> None:
    no_token = await quote_app.post("/v1/quotes", json=a_request())
    no_scope = await quote_app.post(
        "/v1/quotes", json=a_request(), headers=token("cssbuy", [QUOTES_READ, POLICIES_WRITE])
    )
    write_only = token("cssbuy", [QUOTES_WRITE])
    quote = await quote_app.post("/v1/quotes", json=a_request(), headers=write_only)
    not_for_reading = await quote_app.get(quote.headers["location"], headers=write_only)

    answers = [no_token, no_scope, quote, not_for_reading]
    assert [answer.status_code for answer in answers] == [401, 403, 201, 403]


async def test_a_tenant_nobody_knows_sells_nothing(ask: Ask) -> None:
    response = await ask(without(a_request(), "plan"), tenant="nobody")

    assert (response.status_code, response.json()["code"]) == (404, "unknown-plan")


# --- asked twice -----------------------------------------------------------------------------


async def test_the_same_key_and_body_is_given_the_first_answer(ask: Ask) -> None:
    first = await ask(a_request(), **{"idempotency-key": '"abc"'})
    customer = {**a_request()["customer"], "is_vip": False}
    otherwise = dict(reversed(a_request(customer=customer).items()))
    again = await ask(otherwise, **{"idempotency-key": "abc"})

    assert again.content == first.content
    assert (first.headers.get("idempotency-replayed"), again.status_code) == (None, 201)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]


async def test_the_same_key_with_another_body_is_refused(ask: Ask) -> None:
    await ask(a_request(), **{"idempotency-key": "abc"})

    response = await ask(a_request(insured_value=cny(1)), **{"idempotency-key": "abc"})

    assert (response.status_code, response.json()["code"]) == (422, "idempotency-key-reused")


async def test_the_first_answer_stands_when_the_plan_is_gone(
    ask: Ask, quote_app: httpx.AsyncClient
) -> None:
    first = await ask(a_request(), **{"idempotency-key": "abc"})
    tenants = quote_app.app.state.running.tenants.by_id  # type: ignore[attr-defined]
    sold = tenants.pop("cssbuy")

    again = await ask(a_request(), **{"idempotency-key": "abc"})
    other = await ask(a_request(), **{"idempotency-key": "xyz"})

    tenants["cssbuy"] = sold
    assert (again.content, other.status_code) == (first.content, 404)


async def test_two_at_once_with_one_key_make_one_quote(
    ask: Ask, quote_app: httpx.AsyncClient, token: Token
) -> None:
    answers = await asyncio.gather(
        *(ask(a_request(), **{"idempotency-key": "abc"}) for _ in range(5))
    )

    listed = await quote_app.get("/v1/quotes", headers=token("cssbuy"))
    assert [answer.status_code for answer in answers] == [201] * 5
    assert len({answer.content for answer in answers}) == 1
    assert len(listed.json()["items"]) == 1


async def test_a_key_is_its_tenants_own(ask: Ask) -> None:
    ours = await ask(a_request(), **{"idempotency-key": "abc"})
    theirs = await ask(a_request(), tenant="sbx-cssbuy-2", **{"idempotency-key": "abc"})

    assert ours.json()["quote_id"] != theirs.json()["quote_id"]
    assert "idempotency-replayed" not in theirs.headers


async def test_a_key_is_optional(quote_app: httpx.AsyncClient, token: Token) -> None:
    headers = without(token("cssbuy"), "idempotency-key")

    answers = [
        await quote_app.post("/v1/quotes", json=a_request(), headers=headers) for _ in range(2)
    ]

    assert len({answer.json()["quote_id"] for answer in answers}) == 2


# --- read again ------------------------------------------------------------------------------


async def test_shows_a_quote_as_it_was_issued(
    ask: Ask, quote_app: httpx.AsyncClient, token: Token
) -> None:
    issued = await ask(a_request())

    shown = await quote_app.get(issued.headers["location"], headers=token("cssbuy"))

    assert (shown.status_code, shown.content) == (200, issued.content)


async def test_shows_it_to_our_own_services(
    ask: Ask, quote_app: httpx.AsyncClient, settings_of: Callable[..., Any]
) -> None:
    issued = await ask(a_request())
    signer = ServiceSigner(settings_of("policy"), "policy")

    shown = await quote_app.get(issued.headers["location"], headers=signer.headers("cssbuy"))

    assert shown.content == issued.content


async def test_an_unknown_quote_and_another_tenants_are_the_same(
    ask: Ask, quote_app: httpx.AsyncClient, token: Token
) -> None:
    issued = await ask(a_request())
    unknown = "/v1/quotes/quo_01JQZX7Y5V0000000000000000"

    theirs = await quote_app.get(issued.headers["location"], headers=token("sbx-cssbuy-2"))
    nobodys = await quote_app.get(unknown, headers=token("sbx-cssbuy-2"))

    for response in (theirs, nobodys):
        assert (response.status_code, response.json()["code"]) == (404, "not-found")
    ours, unknown_id = issued.json()["quote_id"], unknown.rpartition("/")[2]
    assert theirs.text.replace(ours, unknown_id) == nobodys.text


async def test_lists_quotes_newest_first_in_pages(
    ask: Ask, quote_app: httpx.AsyncClient, token: Token
) -> None:
    issued = [(await ask(a_request())).json()["quote_id"] for _ in range(3)]
    await ask(a_request(), tenant="sbx-cssbuy-2")

    async def page(**query: str | int) -> Json:
        answer = await quote_app.get("/v1/quotes", params=query, headers=token("cssbuy"))
        return answer.json()  # type: ignore[no-any-return]

    first = await page(limit=2)
    second = await page(limit=2, cursor=first["next_cursor"])

    assert [quote["quote_id"] for quote in first["items"] + second["items"]] == issued[::-1]
    assert second["next_cursor"] is None
    assert (await page(cursor="nonsense"))["code"] == "bad-cursor"


async def test_lists_quotes_in_a_state(
    ask: Ask, quote_app: httpx.AsyncClient, token: Token
) -> None:
    priced = (await ask(a_request())).json()["quote_id"]
    declined = (await ask(a_request(insured_value=cny(0)))).json()["quote_id"]

    async def ids(state: str) -> list[str]:
        answer = await quote_app.get(
            "/v1/quotes", params={"state": state}, headers=token("cssbuy")
        )
        return [quote["quote_id"] for quote in answer.json()["items"]]

    assert (await ids("PRICED"), await ids("DECLINED")) == ([priced], [declined])
    assert (await ids("EXPIRED"), await ids("BOUND")) == ([], [])


async def test_lists_quotes_of_a_plan_an_order_and_a_time(
    ask: Ask, quote_app: httpx.AsyncClient, token: Token
) -> None:
    tenants = quote_app.app.state.running.tenants.by_id  # type: ignore[attr-defined]
    tenants["cssbuy"] = replace(tenants["cssbuy"], plans=("cssecure", "tks-warehouse"))
    issued = []
    for order, plan in (
        (" a ", "cssecure"),
        ("b", None),
        (" a ", "tks-warehouse"),
        ("b", "cssecure"),
    ):
        request = {**_with_order(order_ref=order), "plan": plan}
        issued.append((await ask(request)).json())
    await ask(_with_order(order_ref=" a "), tenant="sbx-cssbuy-2")

    async def which(**query: str) -> list[int]:
        """Paged one by one, the oldest first."""
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            answer = await quote_app.get(
                "/v1/quotes", params={"limit": 1, **query, **cursor}, headers=token("cssbuy")
            )
            found += [quote["quote_id"] for quote in answer.json()["items"]]
            if answer.json()["next_cursor"] is None:
                ids = [quote["quote_id"] for quote in issued]
                return [ids.index(one) for one in reversed(found)]
            cursor = {"cursor": answer.json()["next_cursor"]}

    second, third = issued[1]["created_at"], issued[2]["created_at"]
    assert await which() == [0, 1, 2, 3]
    assert await which(plan="tks-warehouse") == [1, 2]
    assert await which(plan="cssecure") == [0, 1, 3]
    assert await which(order_ref=" a ") == [0, 2]
    assert await which(order_ref=" a ", plan="cssecure") == [0]
    assert await which(since=second) == [1, 2, 3]
    assert await which(until=third) == [0, 1]
    assert await which(since=second, until=third, order_ref="b") == [1]
    assert await which(plan="gold") == await which(order_ref="c") == []


# --- the catalogue ---------------------------------------------------------------------------


async def test_lists_what_the_tenant_sells_today(
    quote_app: httpx.AsyncClient, token: Token
) -> None:
    answer = await quote_app.get("/v1/plans", headers=token("sbx-cssbuy-1"))

    (plan,) = answer.json()["items"]
    assert (plan["plan"], plan["version"], plan["is_on_sale"]) == ("cssecure", 2, True)
    assert plan["premium"] == {
        "rate": "0.03",
        "base": "insured_value",
        "minimum": {**cny(0), "formatted": "¥0.00"},
    }
    assert plan["limits"][0] == {
        "when": "'sal' in line_tags and destination == 'DE'",
        "max": "2000 + shipping_fee",
        "goods_max": "2000",
    }
    assert plan["takes_insured_value"] is True
    assert len(plan["sha256"]) == 64


async def test_shows_a_version_of_a_plan_and_only_to_who_sells_it(
    quote_app: httpx.AsyncClient, token: Token
) -> None:
    async def show(path: str, tenant: str = "cssbuy") -> httpx.Response:
        return await quote_app.get(f"/v1/plans/{path}", headers=token(tenant))

    current, second = await show("cssecure"), await show("cssecure?version=2")
    refused = [
        await show("cssecure?version=99"),
        await show("mypoz-cargo"),
        await show("nowhere"),
        await show("cssecure", "mypoz"),
    ]

    assert current.json() == second.json()
    assert [(r.status_code, r.json()["code"]) for r in refused] == [(404, "unknown-plan")] * 4


# --- the document ----------------------------------------------------------------------------


async def test_the_document_has_the_very_schemas_of_the_hot_route(
    quote_app: httpx.AsyncClient,
) -> None:
    document = (await quote_app.get("/openapi.json")).json()

    _, components = msgspec.json.schema_components(
        [QuoteRequest, QuoteView], ref_template="#/components/schemas/{name}"
    )
    post = document["paths"]["/v1/quotes"]["post"]
    served = document["components"]["schemas"]
    assert {name: served[name] for name in components} == json.loads(json.dumps(components))
    body = post["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/QuoteRequest"}
    answer = post["responses"]["201"]["content"]["application/json"]
    assert answer["schema"] == {"$ref": "#/components/schemas/QuoteView"}
    shown = document["paths"]["/v1/quotes/{quote_id}"]["get"]["responses"]["200"]["content"]
    assert shown["application/json"]["schema"] == answer["schema"]


async def test_every_bound_of_the_request_is_in_the_document(
    quote_app: httpx.AsyncClient,
) -> None:
    schemas = (await quote_app.get("/openapi.json")).json()["components"]["schemas"]

    _, components = msgspec.json.schema_components(
        [QuoteRequest], ref_template="#/components/schemas/{name}"
    )
    assert components
    for name in components:
        assert schemas[name]["additionalProperties"] is False, name
        assert not list(_unbounded(schemas[name])), name


async def test_the_examples_are_true(ask: Ask) -> None:
    for plan, example in REQUEST_EXAMPLES.items():
        tenant = {"cssecure": "cssbuy", "mypoz-cargo": "mypoz"}[plan]
        answer = await ask(example["value"], tenant=tenant)
        assert the_offer(answer)["plan"] == plan

    answer = await ask(REQUEST_EXAMPLES["cssecure"]["value"])
    told, shown = ({**the_offer(answer)}, {**ANSWER_EXAMPLE["offers"][0]})
    # What follows from the bytes of the plan and from the words of the day.
    hashes: Json = {"sha256": "", "wordings": ""}
    assert told["wordings"].keys() == shown["wordings"].keys()
    assert {**told, **hashes} == {**shown, **hashes}
    assert answer.json().keys() == ANSWER_EXAMPLE.keys()


# --- what the tests are made of --------------------------------------------------------------


def _of_tenant(tenant: str, changes: Json) -> Json:
    if tenant == "mypoz":
        items = [
            an_item(item_class=name, unit_price=_ringgit(1_000)) for name in changes["items"]
        ]
        return {**REQUEST_EXAMPLES["mypoz-cargo"]["value"], "items": items}
    if tenant == "bml":
        dollars = {"amount_minor": 10_000, "currency": "USD"}
        request = without(a_request(), "insured_value")
        return {
            **request,
            "plan": "bml-shipping",
            "items": [an_item(unit_price=dollars)],
            "shipping_fee": dollars,
            **changes,
        }
    return a_request(**changes)


def _fields(shape: Any) -> set[str]:
    return set(shape.__dataclass_fields__)


def _unbounded(schema: Json, path: str = "") -> Any:
    """Texts, lists and whole numbers without a bound."""
    kind = schema.get("type")
    is_code = "enum" in schema or schema.get("format") == "date-time"
    if kind == "string" and not is_code and not {"maxLength", "pattern"} & schema.keys():
        yield path
    if kind == "array" and "maxItems" not in schema:
        yield path
    if kind == "integer" and not {"minimum", "maximum"} <= schema.keys():
        yield path
    for name, inner in schema.get("properties", {}).items():
        yield from _unbounded(inner, f"{path}/{name}")
    for inner in schema.get("anyOf", ()):
        yield from _unbounded(inner, path)
    if isinstance(schema.get("items"), dict):
        yield from _unbounded(schema["items"], f"{path}[]")
