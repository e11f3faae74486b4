"""The customer's choice: recorded as it was made, and never made for them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from tests.quote.builders import Json, wire
from tests.quote.desk import MONDAY, Desk, answered, refused

Record = Callable[..., Awaitable[httpx.Response]]


def a_choice(**changes: object) -> Json:
    return {
        "choice": "OPT_IN",
        "plan": "mypoz-cargo",
        "wording_id": "mypoz-cargo/2024-05/summary",
        "locale": "ms-MY",
        "box_state": "TICKED_BY_CUSTOMER",
        "channel": "checkout",
        **changes,
    }


@pytest.fixture
async def quote(desk: Desk) -> Json:
    await desk.at(MONDAY)
    return await desk.ask()


@pytest.fixture
def record(desk: Desk, quote: Json) -> Record:
    async def post(**changes: object) -> httpx.Response:
        return await desk.send(f"/v1/quotes/{quote['quote_id']}/consents", a_choice(**changes))

    return post


async def test_a_quote_shows_the_latest_choice(desk: Desk, quote: Json, record: Record) -> None:
    assert (quote["consent"], (await desk.shown(quote))["consent"]) == (None, None)

    consent = answered(await record())

    assert (consent["given_at"], consent["recorded_by"]) == (wire(MONDAY), "tests")
    assert (await desk.shown(quote))["consent"] == {
        "choice": "OPT_IN",
        "plan": "mypoz-cargo",
        "consent_id": consent["consent_id"],
        "wording_id": "mypoz-cargo/2024-05/summary",
        "given_at": wire(MONDAY),
    }


async def test_the_latest_given_stands_whenever_it_is_recorded(
    desk: Desk, quote: Json, record: Record
) -> None:
    opt_out = answered(await record(choice="OPT_OUT", box_state="UNTICKED"))
    an_hour_ago = wire(MONDAY - timedelta(hours=1))
    answered(await record(given_at=an_hour_ago))

    shown = await desk.shown(quote)
    path = f"/v1/quotes/{quote['quote_id']}/consents"
    first = answered(await desk.see(path, limit=1))
    rest = answered(await desk.see(path, cursor=first["next_cursor"]))

    assert shown["consent"]["consent_id"] == opt_out["consent_id"]
    assert [one["choice"] for one in first["items"]] == ["OPT_OUT"]
    assert [(one["choice"], one["given_at"]) for one in rest["items"]] == [
        ("OPT_IN", an_hour_ago)
    ]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("box_state", "channel", "why"),
    [
        ("PRE_TICKED", "checkout", "ticked for the customer"),
        ("UNTICKED", "checkout", "left empty"),
        ("NONE", "checkout", "a box that the customer ticks"),
        ("PRE_TICKED", "phone", "ticked for the customer"),
        ("UNTICKED", "phone", "left empty"),
    ],
)
async def test_nobody_is_opted_in_by_default(
    desk: Desk, quote: Json, record: Record, box_state: str, channel: str, why: str
) -> None:
    problem = refused(
        await record(box_state=box_state, channel=channel), 422, "consent-not-given"
    )

    assert why in problem["detail"]
    assert (await desk.shown(quote))["consent"] is None


@pytest.mark.parametrize(
    ("choice", "box_state", "channel"),
    [
        ("OPT_IN", "TICKED_BY_CUSTOMER", "checkout"),
        ("OPT_IN", "NONE", "phone"),
        ("OPT_IN", "NONE", "sales-desk"),
        ("OPT_OUT", "UNTICKED", "checkout"),
        ("OPT_OUT", "PRE_TICKED", "checkout"),
        ("OPT_OUT", "NONE", "checkout"),
    ],
)
async def test_what_the_customer_chose_is_recorded(
    record: Record, choice: str, box_state: str, channel: str
) -> None:
    answered(await record(choice=choice, box_state=box_state, channel=channel))


async def test_a_choice_is_not_of_the_future(record: Record) -> None:
    answered(await record(given_at=wire(MONDAY)))

    late = wire(MONDAY + timedelta(microseconds=1))
    problem = refused(await record(given_at=late), 422, "given-in-the-future")
    assert problem["errors"][0]["pointer"] == "#/given_at"


async def test_a_choice_is_of_a_plan_of_the_quote(record: Record) -> None:
    refused(await record(plan="cssecure"), 422, "plan-not-offered")


@pytest.mark.parametrize(
    "changes",
    [
        {"wording_id": "w" * 121},
        {"wording_id": ""},
        {"locale": "Malay (Malaysia)"},
        {"box_state": "TICKED"},
        {"choice": "MAYBE"},
        {"channel": "check out"},
        {"given_at": "2024-05-06T09:00:00"},
        {"is_default_on": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_refuses_what_is_no_choice(record: Record, changes: Json) -> None:
    refused(await record(**changes), 422, "invalid-request")


async def test_it_is_said_without_the_person(desk: Desk, quote: Json, record: Record) -> None:
    consent = answered(await record())

    assert await desk.said(quote) == [
        (
            "ConsentRecorded",
            {
                "quote_id": quote["quote_id"],
                "consent_id": consent["consent_id"],
                "choice": "OPT_IN",
                "plan": "mypoz-cargo",
                "wording_id": "mypoz-cargo/2024-05/summary",
                "locale": "ms-MY",
                "box_state": "TICKED_BY_CUSTOMER",
                "channel": "checkout",
                "given_at": wire(MONDAY),
            },
        )
    ]


async def test_a_choice_is_never_changed(record: Record, admin_url: str) -> None:
    answered(await record())
    admin: Any = await asyncpg.connect(admin_url)
    try:
        for statement in (
            "UPDATE quote.consents SET choice = 'OPT_OUT'",
            "DELETE FROM quote.consents",
        ):
            with pytest.raises(asyncpg.RestrictViolationError):
                await admin.execute(statement)
    finally:
        await admin.close()


async def test_the_same_key_records_it_once(desk: Desk, quote: Json) -> None:
    headers = desk.token(desk.tenant)
    path = f"/v1/quotes/{quote['quote_id']}/consents"
    answers = [await desk.client.post(path, json=a_choice(), headers=headers) for _ in range(2)]

    assert answers[0].content == answers[1].content
    assert len(answered(await desk.see(path))["items"]) == 1


async def test_another_tenants_quote_takes_no_choice_and_shows_none(
    desk: Desk, quote: Json
) -> None:
    desk.tenant = "sbx-mypoz-others"
    path = f"/v1/quotes/{quote['quote_id']}/consents"

    refused(await desk.send(path, a_choice()), 404, "not-found")
    refused(await desk.see(path), 404, "not-found")
