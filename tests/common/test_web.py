import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Route
from starlette.types import Message
from structlog.testing import capture_logs

from libs.common import telemetry, web
from libs.common.auth import CLAIMS_READ, Caller, requires
from libs.common.problems import InvalidRequest, MalformedJson
from libs.common.settings import Settings
from libs.common.web import api_router, create_app, decode, read_json, unguarded_routes
from libs.common.wire import Body, OneLine, Whole

LIMIT = 1000
PHOTO_LIMIT = 5000


class NoteRequest(Body):
    text: Annotated[str, OneLine(50)]
    extra: dict[str, Any] = {}  # noqa: RUF012  pydantic copies it


class Hot(msgspec.Struct, forbid_unknown_fields=True):
    items: list[dict[str, Annotated[int, msgspec.Meta(le=10**12)]]]
    rest: Any = None


HOT = msgspec.json.Decoder(Hot)

router = api_router("/v1/notes", tags=["notes"])


@router.post("", status_code=201)
async def write_note(body: NoteRequest) -> dict[str, str]:
    return {"text": body.text}


@router.put("/{note_id}")
async def replace_note(note_id: str, body: NoteRequest | None = None) -> dict[str, bool]:
    return {"is_there": body is not None}


@router.post("/{note_id}/photos", status_code=201)
async def add_photo(note_id: str, request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@router.get("/mine")
async def list_mine(caller: Annotated[Caller, requires(CLAIMS_READ)]) -> None:
    return None


@router.get("/page")
async def show_page() -> HTMLResponse:
    policy = {"content-security-policy": "default-src 'self'", "cache-control": "max-age=60"}
    return HTMLResponse("<p>", headers=policy)


@router.get("/half")
async def show_half() -> StreamingResponse:
    async def halves() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("the rest is lost")

    return StreamingResponse(halves())


async def hot(request: Request) -> Response:
    web.require_json(request.headers)
    items = decode(HOT, await request.body()).items
    return Response(msgspec.json.encode(len(items)), media_type="application/json")


HOT_ROUTE = Route("/v1/hot/{part}", hot, methods=["POST"])
FUZZED = create_app("notes", Settings(), routers=[router], routes=[HOT_ROUTE])


class Trouble:
    """A dependency that can be made to fail or hang."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.hangs = False

    async def check(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure:
            raise self.failure


@pytest.fixture
def database() -> Trouble:
    return Trouble()


@pytest.fixture
def app(database: Trouble) -> FastAPI:
    return create_app(
        "notes",
        Settings(max_body_bytes=LIMIT),
        routers=[router],
        routes=[HOT_ROUTE],
        checks={"database": database.check, "broker": Trouble().check},
        larger_bodies={"/v1/notes/{note_id}/photos": PHOTO_LIMIT},
        tags={"notes": "Short texts."},
    )


@pytest.fixture
def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notes")


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


def as_json(content: bytes) -> dict[str, Any]:
    return {"content": content, "headers": {"content-type": "application/json"}}


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    while size > 0:
        yield b" " * min(size, 300)
        size -= 300


# --- how large -------------------------------------------------------------------------------


async def test_a_body_that_says_it_is_too_large_is_not_read(
    client: httpx.AsyncClient,
) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("nobody asked for the body")
        yield b""

    response = await client.post(
        "/v1/notes",
        content=never(),
        headers={"content-length": str(LIMIT + 1), "content-type": "application/json"},
    )

    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "body-too-large"
    assert response.json()["max_body_bytes"] == LIMIT
    assert str(LIMIT) in response.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/notes", "/v1/hot/path"])
async def test_a_body_that_grows_too_large_is_stopped(
    client: httpx.AsyncClient, path: str
) -> None:
    response = await client.post(
        path, content=in_pieces(LIMIT + 1), headers={"content-type": "application/json"}
    )

    assert response.status_code == 413
    assert response.json()["code"] == "body-too-large"


@pytest.mark.parametrize("content", [b" " * LIMIT, in_pieces(LIMIT)], ids=["whole", "pieces"])
async def test_a_body_of_the_limit_is_read(client: httpx.AsyncClient, content: Any) -> None:
    response = await client.post("/v1/notes", **as_json(content))

    assert response.json()["code"] == "malformed-json"


@pytest.mark.parametrize("in_one", [True, False])
@pytest.mark.parametrize(("size", "status"), [(PHOTO_LIMIT, 201), (PHOTO_LIMIT + 1, 413)])
async def test_a_path_may_have_a_larger_limit(
    client: httpx.AsyncClient, size: int, status: int, in_one: bool
) -> None:
    content: Any = b"x" * size if in_one else in_pieces(size)
    response = await client.post("/v1/notes/7/photos", content=content)

    assert response.status_code == status
    if status == 413:
        assert response.json()["max_body_bytes"] == PHOTO_LIMIT


async def test_the_limits_are_written_in_the_document(client: httpx.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()["info"]["description"]

    assert (
        f"at most {LIMIT} bytes, {PHOTO_LIMIT} bytes at `/v1/notes/{{note_id}}/photos`"
        in described
    )


# --- in what form ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/merge-patch+json",
    ],
)
async def test_json_is_read_by_any_of_its_names(
    client: httpx.AsyncClient, media_type: str
) -> None:
    response = await client.post(
        "/v1/notes", content=b'{"text": "a"}', headers={"content-type": media_type}
    )

    assert response.status_code == 201


@pytest.mark.parametrize("path", ["/v1/notes", "/v1/hot/path"])
@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "x/y\u00e9",
        "application/jsonx",
    ],
)
async def test_another_form_is_refused(
    client: httpx.AsyncClient, path: str, media_type: str | None
) -> None:
    headers = [] if media_type is None else [(b"content-type", media_type.encode("latin-1"))]
    response = await client.post(path, content=b"{}", headers=headers)

    assert response.status_code == 415
    assert response.json()["code"] == "unsupported-media-type"
    assert "`Content-Type: application/json`" in response.json()["detail"]


async def test_where_no_body_comes_no_form_is_asked_for(client: httpx.AsyncClient) -> None:
    assert (await client.put("/v1/notes/7")).json() == {"is_there": False}


async def test_a_raw_body_is_of_any_form(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/v1/notes/7/photos", content=b"\xff\xd8", headers={"content-type": "image/jpeg"}
    )

    assert response.json() == {"bytes": 2}


# --- JSON that can be read one way only ------------------------------------------------------

BAD_JSON = {
    "nothing in it": b"{",
    "words": b"hello",
    "two values": b"{} {}",
    "a trailing comma": b'{"text": "a",}',
    "a comment": b'{"text": "a"} // note',
    "single quotes": b"{'text': 'a'}",
    "a name twice": b'{"text": "a", "text": "b"}',
    "a name twice inside": b'{"text": "a", "extra": {"x": [{"y": 1, "y": 1}]}}',
    "NaN": b'{"text": "a", "extra": {"x": NaN}}',
    "infinity": b'{"text": "a", "extra": {"x": -Infinity}}',
    "a number beyond doubles": b'{"text": "a", "extra": {"x": 1e400}}',
    "a long fraction": b'{"text": "a", "extra": {"x": 0.%s}}' % (b"1" * 70),
    "a huge whole number": b'{"text": "a", "extra": {"x": %s}}' % (b"9" * 500),
    "19 digits": b'{"text": "a", "extra": {"x": -%s}}' % (b"9" * 19),
    "U+0000": b'{"text": "a\\u0000b"}',
    "U+0000 in a name": b'{"text": "a", "extra": {"\\u0000": 1}}',
    "a raw control character": b'{"text": "a\nb"}',
    "not UTF-8": b'{"text": "\xff"}',
    "UTF-16": '{"text": "a"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"text": "a"}',
    "33 deep": b'{"text": "a", "extra": ' + b'{"x":' * 32 + b"1" + b"}" * 33,
    "far too deep": b"[" * 990,
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON.keys())
async def test_json_that_is_not_plain_is_refused(
    client: httpx.AsyncClient, body: bytes
) -> None:
    response = await client.post("/v1/notes", **as_json(body))

    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "malformed-json"
    assert response.json()["detail"].endswith(".")


@pytest.mark.parametrize("body", [b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud800x"'])
async def test_half_a_character_is_refused_by_the_field(
    client: httpx.AsyncClient, body: bytes
) -> None:
    response = await client.post("/v1/notes", **as_json(b'{"text": %s}' % body))

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "#/text"


async def test_half_a_character_in_a_name_does_not_break_the_answer(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post("/v1/notes", **as_json(b'{"text": "a", "\\ud800": 1}'))

    assert response.status_code == 422
    assert response.json()["code"] == "invalid-request"


@pytest.mark.parametrize("body", [b"[]", b"7", b"null", b'"a"', b"[[[[]]]]"])
async def test_json_of_another_shape_is_a_wrong_request(
    client: httpx.AsyncClient, body: bytes
) -> None:
    response = await client.post("/v1/notes", **as_json(body))

    assert response.status_code == 422


def test_what_is_plain_is_read_as_it_is() -> None:
    plain = {"a": [1, -2.5, True, None, "é \\u0000 \\\\u0000", {"b": {}}], "n": 10**18 - 1}

    assert read_json(json.dumps(plain).encode()) == plain
    assert read_json(b"[" * 32 + b"]" * 32)
    assert read_json(b'{"' + b"[{" * 50 + b'": 1}') == {"[{" * 50: 1}


_plain_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00"), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner)
    ),
    max_leaves=15,
)


@given(value=_plain_values)
def test_reading_undoes_writing(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == value


@given(
    body=st.binary(max_size=40)
    | st.text(alphabet='{}[]":,\\u0tnf1e-.d8 ', max_size=40).map(str.encode)
)
def test_any_bytes_are_json_or_a_refusal(body: bytes) -> None:
    for read in (read_json, lambda given: decode(HOT, given)):
        with suppress(MalformedJson, InvalidRequest):
            read(body)


_nasty_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
_nasty_bodies = st.binary(max_size=60) | (
    _nasty_values | st.fixed_dictionaries({"text": _nasty_values, "extra": _nasty_values})
).map(lambda value: json.dumps(value).encode())


@given(body=_nasty_bodies, path=st.sampled_from(["/v1/notes", "/v1/hot/path"]))
async def test_no_body_makes_us_fail(body: bytes, path: str) -> None:
    with capture_logs():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(FUZZED), base_url="http://notes"
        ) as client:
            response = await client.post(path, **as_json(body))

    assert response.status_code < 500
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"]


# --- the hot way -----------------------------------------------------------------------------


async def test_the_hot_way_reads_the_same(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/hot/path", **as_json(b'{"items": [{"a": 1}]}'))

    assert response.text == "1"


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b'{"items": [{"a": 1}, {"b": "x"}]}', 422, "#/items/1"),
        (b'{"items": 1}', 422, "#/items"),
        (b"{}", 422, "#"),
        (b'{"items": [], "more": 1}', 422, "#"),
        (b'{"items": [{"a": 99999999999999999999999}]}', 422, "#/items/0"),
        (b'{"items": [', 400, None),
        (b'{"items": [], "rest": %s' % (b"[" * 900), 400, None),
        (b'{"items": ["\\u0000"]}', 400, None),
        (b"\xff", 400, None),
    ],
)
async def test_the_hot_way_refuses_with_problems(
    client: httpx.AsyncClient, body: bytes, status: int, pointer: str | None
) -> None:
    response = await client.post("/v1/hot/path", **as_json(body))

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    if pointer is not None:
        assert response.json()["errors"][0]["pointer"] == pointer


# --- ids, headers, lines, numbers ------------------------------------------------------------


async def test_an_answer_has_the_id_of_its_request(client: httpx.AsyncClient) -> None:
    response = await client.get("/healthz", headers={"x-request-id": "order-1042.a:b"})

    assert response.headers["x-request-id"] == "order-1042.a:b"


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "<script>", "a\u00e9", '"'])
async def test_an_id_that_would_spoil_a_log_is_replaced(
    client: httpx.AsyncClient, sent: str
) -> None:
    response = await client.get("/healthz", headers=[(b"x-request-id", sent.encode("latin-1"))])

    assert response.headers["x-request-id"] != sent
    assert len(response.headers["x-request-id"]) == 24


async def test_two_requests_have_two_ids(client: httpx.AsyncClient) -> None:
    ids = {(await client.get("/healthz")).headers["x-request-id"] for _ in range(20)}

    assert len(ids) == 20


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/notes/mine"])
async def test_every_answer_has_the_security_headers(
    client: httpx.AsyncClient, path: str
) -> None:
    headers = (await client.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer"


async def test_a_page_may_set_its_own(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/v1/notes/page")).headers

    assert headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert headers.get_list("cache-control") == ["max-age=60"]
    assert headers["x-content-type-options"] == "nosniff"


async def test_a_request_is_one_line_without_secrets(
    client: httpx.AsyncClient, logs: list[Any]
) -> None:
    await client.put(
        "/v1/notes/7?token=canary-1",
        json={"text": "canary-2"},
        headers={"authorization": "Bearer canary-3", "cookie": "canary-4"},
    )

    (line,) = logs
    assert line["event"] == "request_answered"
    assert (line["method"], line["path"], line["status"]) == ("PUT", "/v1/notes/7", 200)
    assert line["route"] == "/v1/notes/{note_id}"
    assert line["ms"] >= 0
    assert "canary" not in str(logs)


async def test_a_refused_request_says_its_code_in_the_line(
    client: httpx.AsyncClient, logs: list[Any]
) -> None:
    await client.post("/v1/notes", json={})

    assert [line["code"] for line in logs] == ["invalid-request"]


async def test_health_is_not_worth_a_line(client: httpx.AsyncClient, logs: list[Any]) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        await client.get(path)

    assert logs == []


def counted(method: str, route: str, status: str) -> float:
    labels = {"method": method, "route": route, "status": status}
    return telemetry.REGISTRY.get_sample_value("parcelcover_http_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/v1/notes/mine", ("GET", "/v1/notes/mine", "401")),
        ("PUT", "/v1/notes/8", ("PUT", "/v1/notes/{note_id}", "200")),
        ("POST", "/v1/hot/way", ("POST", "/v1/hot/{part}", "415")),
        ("GET", "/invented/by/somebody", ("GET", "none", "404")),
        ("INVENTED", "/v1/notes", ("OTHER", "/v1/notes", "405")),
    ],
)
async def test_requests_are_counted_by_template(
    client: httpx.AsyncClient, method: str, path: str, labels: tuple[str, str, str]
) -> None:
    before = counted(*labels)
    await client.request(method, path)

    assert counted(*labels) == before + 1


async def test_numbers_can_be_scraped(client: httpx.AsyncClient) -> None:
    await client.put("/v1/notes/8")
    response = await client.get("/metrics")

    assert response.headers["content-type"].startswith("text/plain")
    assert 'parcelcover_http_request_seconds_bucket{le="0.001",method="PUT"' in response.text
    for metric in ("outbox_depth", "relay_sent", "consumed", "deadlines_fired"):
        assert f"parcelcover_{metric}" in response.text


# --- addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/notes/a%00b", "/v1/notes/mine?x=%00", "/%00"])
async def test_an_address_has_no_nul(client: httpx.AsyncClient, path: str) -> None:
    response = await client.put(path)

    assert response.status_code == 400
    assert response.json()["code"] == "bad-address"


# --- half an answer --------------------------------------------------------------------------


async def test_an_answer_that_breaks_in_the_middle_is_cut_and_noted(
    app: FastAPI, logs: list[Any]
) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/v1/notes/half", "query_string": b"",
        "headers": [], "root_path": "", "scheme": "http", "http_version": "1.1",
    }  # fmt: skip
    with pytest.raises(RuntimeError, match="the rest is lost"):
        await app(scope, receive, send)

    assert [message["type"] for message in sent] == [
        "http.response.start",
        "http.response.body",
    ]
    assert [line["event"] for line in logs] == ["request_failed", "request_answered"]


# --- health ----------------------------------------------------------------------------------


async def test_alive_asks_nobody(client: httpx.AsyncClient, database: Trouble) -> None:
    database.failure = OSError("away")

    assert (await client.get("/healthz")).json() == {"status": "alive"}


async def test_ready_asks_everybody(client: httpx.AsyncClient) -> None:
    response = await client.get("/readyz")

    assert response.json() == {"status": "ready", "checks": {"database": "ok", "broker": "ok"}}


async def test_not_ready_names_who_is_missing_and_logs_why(
    client: httpx.AsyncClient, database: Trouble, logs: list[Any]
) -> None:
    database.failure = OSError("10.0.0.7 refused")
    response = await client.get("/readyz")

    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "not-ready"
    assert response.json()["failed"] == ["database"]
    assert "10.0.0.7" not in response.text
    assert "10.0.0.7" in str(logs)


async def test_a_check_that_hangs_is_a_check_that_fails(
    client: httpx.AsyncClient,
    database: Trouble,
    monkeypatch: pytest.MonkeyPatch,
    logs: list[Any],
) -> None:
    monkeypatch.setattr(web, "READY_TIMEOUT_SECONDS", 0.01)
    database.hangs = True

    assert (await client.get("/readyz")).json()["failed"] == ["database"]


async def test_checks_can_be_added_while_starting() -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.checks["plans"] = Trouble().check
        yield

    app = create_app("late", Settings(), lifespan=lifespan)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://late")
    async with app.router.lifespan_context(app):
        assert (await client.get("/readyz")).json()["checks"] == {"plans": "ok"}


# --- the application -------------------------------------------------------------------------


async def test_the_document_is_openapi_3_1_with_stable_names(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operations = {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    }

    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "Parcelcover: notes"
    assert document["tags"] == [{"name": "notes", "description": "Short texts."}]
    assert {"write_note", "replace_note", "add_photo", "list_mine"} <= operations
    assert not {"/healthz", "/readyz", "/metrics"} & set(document["paths"])


async def test_the_document_names_the_scope_of_each_guarded_route(
    client: httpx.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).json()

    assert document["paths"]["/v1/notes/mine"]["get"]["security"] == [{"bearer": [CLAIMS_READ]}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert CLAIMS_READ in document["info"]["description"]


def test_routes_without_a_scope_can_be_told(app: FastAPI) -> None:
    unguarded = unguarded_routes(app)

    assert "POST /v1/notes" in unguarded
    assert "GET /v1/notes/mine" not in unguarded


def test_a_router_that_reads_json_loosely_does_not_start() -> None:
    loose = APIRouter()

    @loose.post("/v1/loose")
    async def write_loosely(body: NoteRequest) -> None:
        return None

    with pytest.raises(TypeError, match="/v1/loose reads JSON loosely"):
        create_app("loose", Settings(), routers=[loose])


def test_two_operations_cannot_share_a_name() -> None:
    twice = api_router()

    @twice.get("/v1/one")
    async def show_it() -> None:
        return None

    twice.get("/v1/two")(show_it)

    with pytest.raises(ValueError, match="named show_it"):
        create_app("twice", Settings(), routers=[twice])


class CountRequest(Body):
    count: Whole


async def test_a_route_added_to_the_application_is_strict_as_well() -> None:
    app = create_app("late", Settings())

    @app.post("/v1/count")
    async def count(body: CountRequest) -> int:
        return body.count

    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://late")
    response = await client.post("/v1/count", **as_json(b'{"count": 1, "count": 2}'))

    assert response.json()["code"] == "malformed-json"


# --- lines as they are written ---------------------------------------------------------------

_LOGGING = """
import logging, structlog
from libs.common import telemetry

telemetry.configure_logging("notes")
log = structlog.get_logger()
telemetry.request_id.set("request-1")
log.debug("not_shown")
log.info("token_seen", authorization="canary", customer_email="canary", token="canary", tokens=2)
log.warning("odd_text", text="half \\ud800", when=object, line="one\\ntwo")
logging.getLogger("aiokafka").warning("broker %s is away", "kafka-1")
try:
    canary = "canary"
    raise ValueError("what went wrong")
except ValueError as failure:
    log.error("request_failed", exc_info=failure)
"""


def test_every_line_is_one_json_object_without_secrets() -> None:
    written = subprocess.run(
        [sys.executable, "-c", _LOGGING], check=True, capture_output=True, text=True, timeout=30
    ).stdout
    lines = [json.loads(line) for line in written.splitlines()]

    assert [line["event"] for line in lines] == [
        "token_seen",
        "odd_text",
        "broker kafka-1 is away",
        "request_failed",
    ]
    assert {line["service"] for line in lines} == {"notes"}
    assert {line["request_id"] for line in lines} == {"request-1"}
    assert all(line["at"].endswith("Z") and line["level"] for line in lines)
    assert lines[0]["tokens"] == 2
    assert "what went wrong" in lines[3]["exception"]
    assert "[redacted]" in written
    assert "canary" not in written
