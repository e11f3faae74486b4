import base64
import json
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends
from hypothesis import given
from hypothesis import strategies as st

from libs.common.pagination import BadCursor, Listing, Page, Paging, paging
from libs.common.settings import Settings
from libs.common.web import api_router, create_app
from libs.common.wire import View

THINGS = Listing("things", tuple[datetime, str])
COUNTS = Listing("counts", tuple[int])
DAYS = Listing("days", tuple[date])
MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)


class ThingView(View):
    name: str


ROWS = [(MORNING + timedelta(minutes=n // 2), f"thing-{n}") for n in range(7)]

router = api_router("/v1/things")


@router.get("")
async def list_things(paging: Annotated[Paging, Depends(paging)]) -> Page[ThingView]:
    after = THINGS.after(paging.cursor)
    rows = [row for row in ROWS if after is None or row > after][: paging.limit + 1]
    return THINGS.page(
        rows, paging.limit, view=lambda row: ThingView(name=row[1]), position=lambda row: row
    )


@pytest.fixture
def things() -> httpx.AsyncClient:
    app = create_app("things", Settings(), routers=[router])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://things")


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 200])
async def test_pages_show_every_row_once_and_in_order(
    things: httpx.AsyncClient, limit: int
) -> None:
    names: list[str] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = (await things.get("/v1/things", params=query)).json()
        assert len(page["items"]) <= limit
        names += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]

    assert names == [name for _, name in ROWS]


async def test_a_list_has_fifty_items_unless_asked_otherwise(things: httpx.AsyncClient) -> None:
    document = (await things.get("/openapi.json")).json()
    limit, cursor = (
        one["schema"] for one in document["paths"]["/v1/things"]["get"]["parameters"]
    )

    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 200, 50)
    assert cursor["anyOf"][0]["maxLength"] == 512


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many", "1e2", "9" * 30])
async def test_a_limit_outside_its_bounds_is_refused(
    things: httpx.AsyncClient, limit: str
) -> None:
    response = await things.get("/v1/things", params={"limit": limit})

    assert response.status_code == 422
    assert response.json()["code"] == "invalid-request"
    assert response.json()["errors"][0]["pointer"] == "#/query/limit"


def made_up(*content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


BAD = {
    "empty": "",
    "words": "the next page please",
    "not ascii": "é",
    "not base64": "a+b/",
    "not JSON": "AAAA",
    "an older version": made_up(0, "things", ["2026-03-02T08:00:00Z", "thing-1"]),
    "another list": COUNTS.cursor((7,)),
    "too few parts": made_up(1, "things", ["2026-03-02T08:00:00Z"]),
    "too many parts": made_up(1, "things", ["2026-03-02T08:00:00Z", "thing-1", 1]),
    "another kind": made_up(1, "things", [7, "thing-1"]),
    "no instant": made_up(1, "things", ["soon", "thing-1"]),
    "no offset": made_up(1, "things", ["2026-03-02T08:00:00", "thing-1"]),
    "the year 1": made_up(1, "things", ["0001-01-01T00:00:00+14:00", "thing-1"]),
    "U+0000": made_up(1, "things", ["2026-03-02T08:00:00Z", "\x00"]),
    "half a character": made_up(1, "things", ["2026-03-02T08:00:00Z", "\ud800"]),
    "deep": base64.urlsafe_b64encode(b"[" * 300).rstrip(b"=").decode(),
}


@pytest.mark.parametrize("cursor", BAD.values(), ids=BAD.keys())
async def test_a_cursor_that_is_not_ours_is_refused(
    things: httpx.AsyncClient, cursor: str
) -> None:
    response = await things.get("/v1/things", params={"cursor": cursor})

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "bad-cursor"
    assert response.json()["errors"][0]["pointer"] == "#/query/cursor"


async def test_a_cursor_that_never_ends_is_refused(things: httpx.AsyncClient) -> None:
    response = await things.get("/v1/things", params={"cursor": "A" * 513})

    assert response.status_code == 422


@pytest.mark.parametrize("number", [2**63, -(2**63), 10**30])
def test_a_number_that_the_database_cannot_hold_is_refused(number: int) -> None:
    with pytest.raises(BadCursor):
        COUNTS.after(made_up(1, "counts", [number]))


_texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40
)
_instants = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001
    datetime(2198, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(at=_instants, name=_texts)
def test_a_cursor_brings_back_its_position(at: datetime, name: str) -> None:
    cursor = THINGS.cursor((at, name))

    assert THINGS.after(cursor) == (at, name)
    assert cursor.isascii()
    assert not set(cursor) & set("+/=")


@given(number=st.integers(-(2**63) + 1, 2**63 - 1))
def test_a_cursor_holds_every_bigint(number: int) -> None:
    assert COUNTS.after(COUNTS.cursor((number,))) == (number,)


@given(
    cursor=st.text(max_size=80)
    | st.binary(max_size=60).map(lambda b: base64.urlsafe_b64encode(b).decode())
)
def test_no_cursor_breaks_us(cursor: str) -> None:
    with pytest.raises(BadCursor):
        THINGS.after(cursor)


@pytest.mark.parametrize("day", [date.min, date(1970, 1, 1), date(2199, 1, 1), date.max])
def test_a_day_out_of_all_reason_is_refused(day: date) -> None:
    with pytest.raises(BadCursor):
        DAYS.after(DAYS.cursor((day,)))


def test_a_cursor_brings_back_its_day() -> None:
    assert DAYS.after(DAYS.cursor((date(2026, 3, 2),))) == (date(2026, 3, 2),)
