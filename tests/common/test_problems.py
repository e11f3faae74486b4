import json
from collections.abc import Callable
from typing import Annotated, Any

import asyncpg
import httpx
import pytest
from fastapi import Header, Query
from pydantic import Field
from starlette.exceptions import HTTPException
from structlog.testing import capture_logs

from libs.common.db import is_away
from libs.common.errors import Conflict, Fault, Forbidden, NotFound, Refusal, Unavailable
from libs.common.money import Money
from libs.common.problems import (
    MAX_FAULTS,
    InvalidRequest,
    pointer,
    problem_of,
    problem_responses,
    problem_type,
)
from libs.common.settings import Settings
from libs.common.web import api_router, create_app
from libs.common.wire import Body, MoneyIn, OneLine, Whole


class QuoteExpired(Conflict):
    code = "quote-expired"
    title = "The quote is no longer valid"


class ByAir(Body):
    kind: Annotated[str, Field(pattern="^air$")]
    flight: Annotated[str, OneLine(8)]


class BySea(Body):
    kind: Annotated[str, Field(pattern="^sea$")]
    vessel: Annotated[str, OneLine(8)]


class Item(Body):
    value: MoneyIn
    count: Whole = 1


class ParcelRequest(Body):
    items: list[Item]
    notes: dict[str, Annotated[str, OneLine(20)]] = {}  # noqa: RUF012  pydantic copies it
    leg: ByAir | BySea | None = None


RAISED: dict[str, Callable[[], Exception]] = {
    "refusal": lambda: QuoteExpired(
        "Quote quo_1 was valid until noon. Ask for a new one.",
        faults=[Fault("expired", "#/quote_id")],
        valid_until="2026-03-02T12:00:00Z",
        premium=Money(2500, "MYR"),
        limits=[Money(1, "JPY")],
    ),
    "half": lambda: NotFound("No parcel \ud800 here.", asked="\udfff"),
    "greedy": lambda: NotFound("No.", type="about:blank", code="mine", instance="/else"),
    "bug": lambda: KeyError("card number 4242"),
    "network": lambda: ConnectionRefusedError("10.0.0.7:5432"),
    "slow": TimeoutError,
    "gone": lambda: asyncpg.ConnectionDoesNotExistError("server closed the connection"),
    "closed": lambda: asyncpg.InterfaceError("pool is closing"),
    "starting": lambda: asyncpg.CannotConnectNowError("the database system is starting up"),
    "deadlock": lambda: asyncpg.DeadlockDetectedError("deadlock detected"),
    "group": lambda: ExceptionGroup("both", [TimeoutError(), ConnectionResetError()]),
    "mixed": lambda: ExceptionGroup("both", [TimeoutError(), KeyError("x")]),
    "argument": lambda: asyncpg.exceptions._base.DataError("invalid input for query argument"),
    "teapot": lambda: HTTPException(418, "Short and stout."),
    "odd": lambda: HTTPException(499),
}

router = api_router("/v1/parcels", tags=["parcels"])


@router.post(
    "", status_code=201, responses=problem_responses(NotFound, QuoteExpired, Forbidden)
)
async def send_parcel(body: ParcelRequest) -> dict[str, int]:
    return {"items": len(body.items)}


@router.get("/raise/{what}")
async def raise_it(what: str) -> None:
    raise RAISED[what]()


@router.get("/find")
async def find_parcels(
    weight: Annotated[int, Query(ge=1)], x_place: Annotated[int, Header()] = 0
) -> None:
    return None


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = create_app("parcels", Settings(), routers=[router])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://parcels")


@pytest.fixture
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    document: dict[str, Any] = (await client.get("/openapi.json")).json()
    return document


async def problem(
    client: httpx.AsyncClient, what: str, *, events: list[Any] | None = None
) -> httpx.Response:
    with capture_logs() as logs:
        response = await client.get(f"/v1/parcels/raise/{what}")
    if events is not None:
        events += logs
    return response


# --- members ---------------------------------------------------------------------------------


async def test_a_refusal_is_told_whole(client: httpx.AsyncClient) -> None:
    response = await problem(client, "refusal")

    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "https://parcelcover.invalid/problems/quote-expired",
        "title": "The quote is no longer valid",
        "status": 409,
        "detail": "Quote quo_1 was valid until noon. Ask for a new one.",
        "instance": "/v1/parcels/raise/refusal",
        "code": "quote-expired",
        "errors": [{"detail": "expired", "pointer": "#/quote_id"}],
        "valid_until": "2026-03-02T12:00:00Z",
        "premium": {"amount_minor": 2500, "currency": "MYR", "formatted": "RM 25.00"},
        "limits": [{"amount_minor": 1, "currency": "JPY", "formatted": "JPY 1"}],
    }


async def test_half_a_character_does_not_break_the_answer(client: httpx.AsyncClient) -> None:
    response = await problem(client, "half")

    assert response.status_code == 404
    assert response.json()["detail"] == "No parcel ? here."


async def test_a_problems_own_members_replace_no_standard_one(
    client: httpx.AsyncClient,
) -> None:
    told = (await problem(client, "greedy")).json()

    assert told["type"] == problem_type("not-found")
    assert told["code"] == "not-found"
    assert told["instance"] == "/v1/parcels/raise/greedy"


@pytest.mark.parametrize("what", [what for what in RAISED])
async def test_every_problem_has_the_standard_members(
    client: httpx.AsyncClient, what: str
) -> None:
    response = await problem(client, what)
    told = response.json()

    assert response.headers["content-type"] == "application/problem+json"
    assert told["status"] == response.status_code
    assert told["type"] == problem_type(told["code"])
    assert told["instance"] == f"/v1/parcels/raise/{what}"
    assert told["title"]
    assert told["detail"]


# --- failures --------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["bug", "mixed", "argument"])
async def test_our_own_fault_is_noted_once_and_tells_nothing(
    client: httpx.AsyncClient, what: str
) -> None:
    logs: list[Any] = []
    response = await problem(client, what, events=logs)

    assert response.status_code == 500
    assert response.json()["code"] == "internal-error"
    assert response.json()["request_id"] == response.headers["x-request-id"]
    for secret in ("4242", "KeyError", "argument for", "Traceback"):
        assert secret not in response.text
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [
        "request_failed"
    ]


@pytest.mark.parametrize(
    "what", ["network", "slow", "gone", "closed", "starting", "deadlock", "group"]
)
async def test_what_may_work_soon_is_503_with_a_time(
    client: httpx.AsyncClient, what: str
) -> None:
    logs: list[Any] = []
    response = await problem(client, what, events=logs)

    assert response.status_code == 503
    assert response.json()["code"] == "temporarily-unavailable"
    assert int(response.headers["retry-after"]) > 0
    assert "10.0.0.7" not in response.text
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == [
        "request_unavailable"
    ]


def test_a_refused_remote_may_say_why_it_is_unavailable() -> None:
    told = problem_of(Unavailable("The policy service does not answer."), "/v1/claims")

    assert told.status == 503
    assert told.headers["retry-after"]
    assert told.detail == "The policy service does not answer."


def test_a_wrong_argument_is_no_outage() -> None:
    assert not is_away(asyncpg.exceptions._base.DataError("x"))
    assert not is_away(asyncpg.UniqueViolationError("x"))


# --- what the framework refuses --------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "no-such-route"),
        ("GET", "/v1/parcels/", 404, "no-such-route"),
        ("DELETE", "/v1/parcels", 405, "method-not-allowed"),
        ("BREW", "/v1/parcels", 405, "method-not-allowed"),
        ("POST", "/healthz", 405, "method-not-allowed"),
        ("GET", "/v1/parcels/raise/teapot", 418, "im-a-teapot"),
        ("GET", "/v1/parcels/raise/odd", 499, "error"),
    ],
)
async def test_the_framework_speaks_in_problems_too(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    response = await client.request(method, path)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == code
    assert response.json()["instance"] == path


async def test_a_wrong_method_names_the_right_one(client: httpx.AsyncClient) -> None:
    response = await client.delete("/v1/parcels")

    assert response.headers["allow"] == "POST"
    assert response.json()["detail"] == "Only POST can be used here."


async def test_an_odd_path_is_a_proper_reference(client: httpx.AsyncClient) -> None:
    response = await client.get("/n%C3%B6wh%20ere%3Cscript%3E")

    assert response.json()["instance"] == "/n%C3%B6wh%20ere%3Cscript%3E"


# --- what is wrong in a request --------------------------------------------------------------


async def test_each_fault_is_said_where_it_is(client: httpx.AsyncClient) -> None:
    item = {"value": {"amount_minor": 1, "currency": "MYR"}}
    response = await client.post(
        "/v1/parcels",
        json={
            "items": [
                item,
                {"value": {"amount_minor": "5", "currency": "RM"}, "count": 1.5},
                {},
                7,
            ],
            "notes": {"a/b~c é": "\n", "ok": 5},
            "premium": 0,
        },
    )

    assert response.status_code == 422
    assert response.json()["code"] == "invalid-request"
    assert response.json()["detail"] == "8 parts of the request are wrong."
    assert {fault["pointer"]: fault["detail"] for fault in response.json()["errors"]} == {
        "#/items/1/value/amount_minor": "'5' is not a whole number of minor units: RM 25.00 is 2500.",
        "#/items/1/value/currency": "'RM' is not an ISO 4217 currency code, such as CNY or MYR.",
        "#/items/1/count": "A whole number is wanted, without quotes, point or exponent.",
        "#/items/2/value": "This member is required.",
        "#/items/3": "An object in curly braces is wanted.",
        "#/notes/a~1b~0c%20%C3%A9": "A text of 1 to 20 characters is wanted, not 0.",
        "#/notes/ok": "A text in quotes is wanted.",
        "#/premium": "There is no such member: correct its name or leave it out.",
    }


async def test_pointers_lead_into_the_body_through_unions(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/v1/parcels", json={"items": [], "leg": {"kind": "sea", "vessel": "x" * 9}}
    )
    pointers = {fault["pointer"] for fault in response.json()["errors"]}

    assert "#/leg/vessel" in pointers
    assert pointers <= {"#/leg/vessel", "#/leg/kind", "#/leg/flight"}


async def test_one_fault_is_the_detail_itself(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/parcels", json={})

    assert response.json()["detail"] == "This member is required."
    assert response.json()["errors"] == [
        {"detail": "This member is required.", "pointer": "#/items"}
    ]


async def test_parameters_are_named(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/parcels/find", headers={"x-place": "here"})
    faults = {fault["pointer"]: fault["detail"] for fault in response.json()["errors"]}

    assert faults["#/query/weight"] == "Query parameter weight: It is required."
    assert faults["#/header/x-place"].startswith("Header x-place: ")


async def test_a_bad_request_cannot_make_us_write_a_book(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/parcels", json={"items": [7] * 5000})

    assert response.status_code == 422
    assert len(response.json()["errors"]) == MAX_FAULTS
    assert response.json()["detail"] == "5000 parts of the request are wrong."


async def test_what_was_sent_is_not_sent_back(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/parcels", json={"items": "secret-value"})

    assert "secret-value" not in response.text


def test_a_pointer_is_escaped_twice() -> None:
    assert pointer([]) == "#"
    assert pointer(["a/b", "~", 0, "ü %", "\ud800"]) == "#/a~1b/~0/0/%C3%BC%20%25/%3F"


# --- in the OpenAPI document -----------------------------------------------------------------


async def test_the_documents_only_error_form_is_the_problem(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in json.dumps(document)
    assert "ValidationError" not in document["components"]["schemas"]
    problem_ref = {"$ref": "#/components/schemas/Problem"}
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status == "default" or int(status) >= 400:
                    assert (
                        response["content"]["application/problem+json"]["schema"] == problem_ref
                    )


async def test_a_route_documents_its_refusals_with_an_example_each(
    document: dict[str, Any],
) -> None:
    responses = document["paths"]["/v1/parcels"]["post"]["responses"]

    assert set(responses) == {"201", "403", "404", "409", "422", "default"}
    example = responses["409"]["content"]["application/problem+json"]["examples"][
        "quote-expired"
    ]
    assert example["value"]["type"] == problem_type("quote-expired")


def test_refusals_of_one_status_share_a_response() -> None:
    responses = problem_responses(Conflict, QuoteExpired)

    assert list(responses) == [409]
    assert set(responses[409]["content"]["application/problem+json"]["examples"]) == {
        "conflict",
        "quote-expired",
    }


def test_the_schema_knows_every_member_of_a_refusal() -> None:
    told = problem_of(InvalidRequest("x", faults=[Fault("y", "#/z")]), "/").document()

    assert set(told) == {"type", "title", "status", "detail", "instance", "code", "errors"}
    assert issubclass(InvalidRequest, Refusal)
