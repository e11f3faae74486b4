"""A service asking another: what a caller's text may do to the path, and what it is told."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from libs.common.auth import INTERNAL_QUOTE, ServiceSigner
from libs.common.errors import Unavailable
from libs.common.peers import Peer
from libs.common.settings import Settings
from tests.policy.serving import served

ONE = "sbx-one"
NOWHERE = "http://127.0.0.1:9"


async def _echo(request: Request) -> Response:
    """The path and the query as they came over the wire; or the status the path asks for."""
    path = request.scope["raw_path"].decode()
    if path.startswith("/status/"):
        return Response(status_code=int(path.removeprefix("/status/")))
    return Response(f"{path} {request.url.query}")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


@pytest.fixture
async def peer(
    http: httpx.AsyncClient, settings_of: Callable[..., Settings]
) -> AsyncIterator[Peer]:
    app = FastAPI()
    app.add_route("/{path:path}", _echo)
    signer = ServiceSigner(settings_of("claims"), "claims")
    async with served(app) as url:
        yield Peer(name="policy", url=url, http=http, signer=signer)


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ("pol_1", "/internal/pol_1 a=b"),
        ("pol_1?x=y", "/internal/pol_1%3Fx%3Dy a=b"),
        ("../clocks", "/internal/..%2Fclocks a=b"),
        ("pol_1#x", "/internal/pol_1%23x a=b"),
        ("zoë", "/internal/zo%C3%AB a=b"),
    ],
)
async def test_a_callers_text_stays_one_step_of_the_path(
    peer: Peer, step: str, path: str
) -> None:
    body = await peer.get("internal", step, tenant_id=ONE, params={"a": "b"})

    assert body.decode() == path


async def test_what_is_not_there_is_none_and_what_must_be_there_is_an_outage(
    peer: Peer,
) -> None:
    assert await peer.find("status", "404", tenant_id=ONE) is None
    with pytest.raises(Unavailable, match="policy service does not know this"):
        await peer.get("status", "404", tenant_id=ONE)


@pytest.mark.parametrize("status", ["500", "401", "204"])
async def test_any_other_answer_is_an_outage(peer: Peer, status: str) -> None:
    with pytest.raises(Unavailable, match="policy service answered with an error"):
        await peer.find("status", status, tenant_id=ONE)


async def test_asks_with_a_body_by_the_token_and_headers_it_is_given(
    http: httpx.AsyncClient, settings_of: Callable[..., Settings]
) -> None:
    signer = ServiceSigner(settings_of("claims"), "claims")
    asked: list[Request] = []

    async def take(request: Request) -> Response:
        asked.append(request)
        return Response(await request.body(), 201)

    app = FastAPI()
    app.add_route("/internal/a%2Fb", take, methods=["POST"])
    app.add_route("/internal/a/b", take, methods=["POST"])
    async with served(app) as url:
        answer = await Peer(name="quote", url=url, http=http, signer=signer).post(
            "internal",
            "a/b",
            tenant_id=ONE,
            body=b'{"x": 1}',
            scope=INTERNAL_QUOTE,
            headers={"idempotency-key": "k", "authorization": "Bearer mine"},
        )

    headers = asked[0].headers
    assert (answer, headers["content-type"]) == (b'{"x": 1}', "application/json")
    assert headers["idempotency-key"] == "k"
    assert headers["authorization"] == signer.headers(ONE, INTERNAL_QUOTE)["authorization"]
    assert asked[0].scope["raw_path"] == b"/internal/a%2Fb"


@pytest.mark.parametrize("status", ["404", "422", "500", "204"])
async def test_a_question_that_is_not_answered_is_an_outage(
    http: httpx.AsyncClient, settings_of: Callable[..., Settings], status: str
) -> None:
    async def answer(_: Request) -> Response:
        return Response(status_code=int(status))

    app = FastAPI()
    app.add_route("/internal/quotes", answer, methods=["POST"])
    signer = ServiceSigner(settings_of("claims"), "claims")
    async with served(app) as url:
        peer = Peer(name="quote", url=url, http=http, signer=signer)
        with pytest.raises(Unavailable):
            await peer.post(
                "internal", "quotes", tenant_id=ONE, body=b"{}", scope=INTERNAL_QUOTE
            )
    away = Peer(name="quote", url=NOWHERE, http=http, signer=signer)
    with pytest.raises(Unavailable, match="quote service does not answer"):
        await away.post("internal", tenant_id=ONE, body=b"{}", scope=INTERNAL_QUOTE)


async def test_no_answer_is_an_outage(
    http: httpx.AsyncClient, settings_of: Callable[..., Settings]
) -> None:
    signer = ServiceSigner(settings_of("claims"), "claims")
    away = Peer(name="policy", url=NOWHERE, http=http, signer=signer)

    with pytest.raises(Unavailable, match="policy service does not answer"):
        await away.find("internal", tenant_id=ONE)
