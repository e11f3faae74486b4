"""Many quotes in one call: each row is answered by itself, by both doors alike."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from libs.common.auth import INTERNAL_QUOTE, INTERNAL_READ, QUOTES_READ, ServiceSigner
from libs.common.errors import Unavailable
from libs.common.peers import Peer
from libs.common.settings import Settings
from services.quote.api.batches import (
    MAX_BODY_BYTES,
    MAX_INTERNAL_ROWS,
    MAX_ROWS,
    MAX_ROWS_AT_ONCE,
)
from services.quote.api.schema import MYPOZ_REQUEST
from services.quote.store.writer import QuoteWriter, Written
from tests.conftest import AppOf, Token
from tests.policy.serving import served
from tests.quote.builders import a_request, an_item, cny, without

Json = dict[str, Any]
Ask = Callable[..., Awaitable[httpx.Response]]

PATH = "/v1/quotes/batch"
INTERNAL = "/internal/quotes"


@pytest.fixture
async def quote_app(app_of: AppOf) -> httpx.AsyncClient:
    return await app_of("quote")


@pytest.fixture
def signer(settings_of: Callable[..., Settings]) -> ServiceSigner:
    return ServiceSigner(settings_of("policy"), "policy")


@pytest.fixture
def ask(quote_app: httpx.AsyncClient, token: Token) -> Ask:
    """Asks for quotes as a tenant; without a key where none is given."""

    async def post(
        rows: object, *, tenant: str = "cssbuy", key: str | None = None
    ) -> httpx.Response:
        headers = without(token(tenant), "idempotency-key")
        if key is not None:
            headers["idempotency-key"] = key
        return await quote_app.post(PATH, json={"quotes": rows}, headers=headers)

    return post


def results(response: httpx.Response) -> list[Json]:
    assert response.status_code == 200, response.text
    rows: list[Json] = response.json()["results"]
    assert [row["index"] for row in rows] == list(range(len(rows)))
    assert all((row["quote"] is None) != (row["problem"] is None) for row in rows)
    return rows


def quote_ids(response: httpx.Response) -> list[str | None]:
    return [row["quote"] and row["quote"]["quote_id"] for row in results(response)]


async def how_many(quote_app: httpx.AsyncClient, token: Token, tenant: str = "cssbuy") -> int:
    listed = await quote_app.get("/v1/quotes", params={"limit": 200}, headers=token(tenant))
    return len(listed.json()["items"])


# --- rows ------------------------------------------------------------------------------------


async def test_each_parcel_has_a_quote_of_its_own_that_is_stored(
    ask: Ask, quote_app: httpx.AsyncClient, token: Token
) -> None:
    rows = results(await ask([a_request(insured_value=cny(each)) for each in (100, 62_000)]))

    premiums = [row["quote"]["offers"][0]["premium"]["amount_minor"] for row in rows]
    assert premiums == [3, 1_860]
    for row in rows:
        shown = await quote_app.get(
            f"/v1/quotes/{row['quote']['quote_id']}", headers=token("cssbuy")
        )
        assert shown.json() == row["quote"]


async def test_a_row_is_of_one_plan_or_of_all(ask: Ask) -> None:
    rows = results(
        await ask([a_request(), without(a_request(), "plan"), a_request(plan="gold")])
    )

    assert [len(row["quote"]["offers"]) for row in rows[:2]] == [1, 1]
    assert rows[2]["problem"]["code"] == "unknown-plan"


async def test_a_broken_row_is_told_with_its_place_and_stops_no_other(ask: Ask) -> None:
    bad_price = an_item(unit_price={"amount_minor": -1, "currency": "CNY"})
    other_currency = an_item(unit_price={"amount_minor": 1, "currency": "USD"})

    rows = results(
        await ask(
            [
                a_request(),
                a_request(items=[bad_price]),
                "a text",
                a_request(items=[an_item(), an_item(item_id="2") | other_currency]),
                a_request(insured_value=cny(0)),
            ]
        )
    )

    assert [row["quote"] and row["quote"]["state"] for row in rows] == [
        "PRICED", None, None, None, "DECLINED",
    ]  # fmt: skip
    problems = [row["problem"] for row in rows if row["problem"]]
    assert [(one["code"], one["errors"][0]["pointer"]) for one in problems] == [
        ("invalid-request", "#/quotes/1/items/0/unit_price/amount_minor"),
        ("invalid-request", "#/quotes/2"),
        ("wrong-currency", "#/quotes/3/items/1/unit_price/currency"),
    ]
    assert {(one["status"], one["instance"]) for one in problems} == {(422, PATH)}


async def test_rows_are_read_as_strictly_as_one(
    quote_app: httpx.AsyncClient, token: Token
) -> None:
    good = json.dumps(a_request())
    twice = good.replace('"plan":', '"plan": "gold", "plan":', 1)
    nul = good.replace("order-1042", "order\\u0000")
    huge = good.replace("12000", "9" * 40)

    answer = await quote_app.post(
        PATH,
        content=f'{{"quotes": [{good}, {twice}, {nul}, {huge}, {good}]}}',
        headers={**token("cssbuy"), "content-type": "application/json"},
    )

    rows = results(answer)
    assert [row["problem"] and row["problem"]["code"] for row in rows] == [
        None, "malformed-json", "malformed-json", "malformed-json", None,
    ]  # fmt: skip


async def test_an_order_is_valued_by_the_days_rate_in_a_batch_too(
    ask: Ask, quote_app: httpx.AsyncClient, token: Token
) -> None:
    await quote_app.put(
        "/v1/exchange-rates/MYR/2020-01-01", json={"rate": "0.2"}, headers=token("mypoz")
    )
    request = {**MYPOZ_REQUEST, "order": {"order_ref": "order-8"}}

    (row,) = results(await ask([request], tenant="mypoz"))

    assert row["quote"]["exchange_rate"]["rate"] == "0.2"
    assert row["quote"]["offers"][0]["reminder"] is True


class _Failing:
    """A writer that fails at what it does not expect, but for the fourth."""

    def __init__(self, writer: QuoteWriter) -> None:
        self._writer = writer
        self._failures = [RuntimeError("ours"), ConnectionError(), TimeoutError(), None]

    async def write(self, *what: Any) -> Written:
        if (failure := self._failures.pop(0)) is not None:
            raise failure
        return await self._writer.write(*what)


async def test_our_own_failures_are_a_rows_alone_as_well(
    ask: Ask, quote_app: httpx.AsyncClient
) -> None:
    state = quote_app.app.state  # type: ignore[attr-defined]
    state.quote_writer = _Failing(state.quote_writer)

    rows = results(await ask([a_request()] * 4))

    assert [row["problem"] and row["problem"]["code"] for row in rows] == [
        "internal-error", "temporarily-unavailable", "temporarily-unavailable", None,
    ]  # fmt: skip


# --- asked twice -----------------------------------------------------------------------------


async def test_the_same_batch_again_is_given_the_same_quotes(
    ask: Ask, quote_app: httpx.AsyncClient, token: Token
) -> None:
    rows = [a_request(), a_request(), a_request(insured_value=cny(-1))]

    first, again = await ask(rows, key='"b-1"'), await ask(rows, key="b-1")

    ids = quote_ids(first)
    assert again.content == first.content
    assert (len({*ids[:2]}), ids[2]) == (2, None)
    assert await how_many(quote_app, token) == 2


async def test_a_row_that_was_broken_is_tried_again(ask: Ask) -> None:
    first = await ask([a_request(), a_request(plan="gold")], key="b-1")
    again = await ask([a_request(), a_request()], key="b-1")

    assert quote_ids(first)[1] is None
    assert quote_ids(again)[0] == quote_ids(first)[0]
    assert quote_ids(again)[1] is not None


async def test_a_row_whose_key_was_used_for_another_is_refused_alone(
    ask: Ask, quote_app: httpx.AsyncClient, token: Token
) -> None:
    single = await quote_app.post(
        "/v1/quotes",
        json=a_request(insured_value=cny(100)),
        headers={**token("cssbuy"), "idempotency-key": "b-1#1"},
    )

    rows = results(await ask([a_request()] * 3, key="b-1"))

    assert single.status_code == 201
    assert [row["problem"] and row["problem"]["code"] for row in rows] == [
        None, "idempotency-key-reused", None,
    ]  # fmt: skip


async def test_one_batch_asked_twice_at_once_makes_its_quotes_once(
    ask: Ask, quote_app: httpx.AsyncClient, token: Token
) -> None:
    rows = [a_request(insured_value=cny(each)) for each in range(1, MAX_ROWS + 1)]

    first, second = await asyncio.gather(ask(rows, key="b-1"), ask(rows, key="b-1"))

    assert quote_ids(first) == quote_ids(second)
    assert len(set(quote_ids(first))) == MAX_ROWS > MAX_ROWS_AT_ONCE
    assert await how_many(quote_app, token) == MAX_ROWS


async def test_without_a_key_each_time_makes_new_ones(ask: Ask) -> None:
    first, again = await ask([a_request()]), await ask([a_request()])

    assert quote_ids(first) != quote_ids(again)


# --- what is refused whole -------------------------------------------------------------------


async def test_refuses_a_batch_that_is_none(quote_app: httpx.AsyncClient, token: Token) -> None:
    good = json.dumps(a_request())
    bodies: list[tuple[str, str, int, str, str | None]] = [
        ("no rows", '{"quotes": []}', 422, "invalid-request", "#/quotes"),
        ("101 rows", f'{{"quotes": [{",".join("1" * 101)}]}}', 422, "invalid-request", "#/quotes"),
        ("no list", '{"quotes": {}}', 422, "invalid-request", "#/quotes"),
        ("nothing", "{}", 422, "invalid-request", "#"),
        ("more than rows", f'{{"quotes": [{good}], "plan": "x"}}', 422, "invalid-request", "#"),
        ("rows twice", f'{{"quotes": [{good}], "quotes": [{good}]}}', 400, "malformed-json", None),
        ("no JSON", f'{{"quotes": [{good},]}}', 400, "malformed-json", None),
        ("a well", '{"quotes": [' + "[" * 5_000, 400, "malformed-json", None),
        ("no body", "", 400, "malformed-json", None),
    ]  # fmt: skip
    for what, body, status, code, pointer in bodies:
        answer = await quote_app.post(
            PATH, content=body, headers={**token("cssbuy"), "content-type": "application/json"}
        )

        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), what
        if pointer is not None:
            assert problem["errors"][0]["pointer"] == pointer, what
    assert await how_many(quote_app, token) == 0


async def test_a_name_written_otherwise_is_the_same_name(
    quote_app: httpx.AsyncClient, token: Token
) -> None:
    answer = await quote_app.post(
        PATH,
        content=f'{{"\\u0071uotes": [{json.dumps(a_request())}]}}',
        headers={**token("cssbuy"), "content-type": "application/json"},
    )

    assert None not in quote_ids(answer)


async def test_takes_larger_bodies_than_others_and_not_the_largest(ask: Ask) -> None:
    items = [an_item(item_id=str(i), description="x" * 200) for i in range(100)]
    many = [a_request(items=items)] * 40

    assert 1_000_000 < len(json.dumps(many)) < MAX_BODY_BYTES
    assert None not in quote_ids(await ask(many))
    assert (await ask(many * 2)).json()["code"] == "body-too-large"


async def test_asks_for_the_scope_json_and_a_key_that_can_be_used(
    quote_app: httpx.AsyncClient, token: Token
) -> None:
    body = {"quotes": [a_request()]}
    poor = await quote_app.post(PATH, json=body, headers=token("cssbuy", [QUOTES_READ]))
    text = await quote_app.post(PATH, content="{}", headers=token("cssbuy"))
    key = {**token("cssbuy"), "idempotency-key": "k" * 256}
    long_key = await quote_app.post(PATH, json=body, headers=key)

    assert [answer.json()["code"] for answer in (poor, text, long_key)] == [
        "forbidden",
        "unsupported-media-type",
        "bad-idempotency-key",
    ]


async def test_the_documents_example_is_true(ask: Ask, quote_app: httpx.AsyncClient) -> None:
    document = (await quote_app.get("/openapi.json")).json()
    operation = document["paths"][PATH]["post"]
    request = operation["requestBody"]["content"]["application/json"]
    answer = operation["responses"]["200"]["content"]["application/json"]

    (row,) = results(await ask(request["example"]["quotes"]))
    (shown,) = answer["example"]["results"]

    assert (
        row.keys()
        == shown.keys()
        == answer["schema"]["properties"]["results"]["items"]["properties"].keys()
    )
    assert row["quote"].keys() == shown["quote"].keys()
    rows = document["components"]["schemas"]["QuotesRequest"]["properties"]["quotes"]
    assert rows["maxItems"] == MAX_ROWS
    assert INTERNAL not in json.dumps(document)


# --- for our own services --------------------------------------------------------------------


def internal(signer: ServiceSigner, tenant: str = "cssbuy", **more: str) -> dict[str, str]:
    return {**signer.headers(tenant, INTERNAL_QUOTE), "idempotency-key": "file-1", **more}


async def test_a_service_asks_for_a_tenant_in_the_same_way(
    quote_app: httpx.AsyncClient, signer: ServiceSigner, token: Token
) -> None:
    body = {"quotes": [a_request(), a_request(plan="gold")]}

    first = await quote_app.post(INTERNAL, json=body, headers=internal(signer))
    again = await quote_app.post(INTERNAL, json=body, headers=internal(signer))

    rows = results(first)
    assert first.content == again.content
    assert rows[1]["problem"]["code"] == "unknown-plan"
    shown = await quote_app.get(
        f"/v1/quotes/{rows[0]['quote']['quote_id']}", headers=token("cssbuy")
    )
    assert shown.json() == rows[0]["quote"]


async def test_a_service_may_ask_for_five_hundred_with_a_key(
    quote_app: httpx.AsyncClient, signer: ServiceSigner
) -> None:
    rows = [a_request()] * MAX_INTERNAL_ROWS
    whole = await quote_app.post(INTERNAL, json={"quotes": rows}, headers=internal(signer))
    one_more = await quote_app.post(
        INTERNAL, json={"quotes": [*rows, a_request()]}, headers=internal(signer)
    )
    no_key = await quote_app.post(
        INTERNAL,
        json={"quotes": rows[:1]},
        headers=signer.headers("cssbuy", INTERNAL_QUOTE),
    )

    assert len(set(quote_ids(whole))) == MAX_INTERNAL_ROWS
    assert None not in quote_ids(whole)
    assert (one_more.status_code, one_more.json()["code"]) == (422, "invalid-request")
    assert (no_key.status_code, no_key.json()["code"]) == (400, "idempotency-key-required")


async def test_only_a_service_with_that_scope_is_let_in(
    quote_app: httpx.AsyncClient, signer: ServiceSigner, token: Token
) -> None:
    body = {"quotes": [a_request()]}
    for headers in (token("cssbuy"), signer.headers("cssbuy", INTERNAL_READ)):
        answer = await quote_app.post(INTERNAL, json=body, headers=headers)
        assert (answer.status_code, answer.json()["scope"]) == (403, INTERNAL_QUOTE)


async def test_a_peer_asks_through_the_wire(
    quote_app: httpx.AsyncClient, signer: ServiceSigner
) -> None:
    body = json.dumps({"quotes": [a_request()]}).encode()
    async with served(quote_app.app) as url, httpx.AsyncClient() as http:  # type: ignore[attr-defined]
        quote = Peer(name="quote", url=url, http=http, signer=signer)
        answer = await quote.post(
            "internal",
            "quotes",
            tenant_id="cssbuy",
            body=body,
            scope=INTERNAL_QUOTE,
            headers={"idempotency-key": "file-1"},
        )
        with pytest.raises(Unavailable, match="answered with an error"):
            await quote.post(
                "internal", "quotes", tenant_id="cssbuy", body=body, scope=INTERNAL_QUOTE
            )

    (row,) = json.loads(answer)["results"]
    assert row["quote"]["state"] == "PRICED"
