"""How a service meets HTTP: a door around the application, strict JSON, health, all put together."""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from time import perf_counter
from typing import Any, Final, TypeVar

import msgspec
import structlog
from fastapi import APIRouter, FastAPI, Request, Response, params
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route, compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common import problems, telemetry
from libs.common.auth import SCOPES, Authenticator
from libs.common.db import is_away
from libs.common.errors import Fault, Refusal
from libs.common.problems import (
    BodyTooLarge,
    InvalidRequest,
    MalformedJson,
    UnsupportedMediaType,
)
from libs.common.settings import Settings
from libs.common.wire import View

T = TypeVar("T")
Check = Callable[[], Awaitable[object]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

READY_TIMEOUT_SECONDS: Final = 2.0
# Deeper than any request of ours, and far from what recursion can bear.
MAX_DEPTH: Final = 32
# What a bigint column and every JSON reader hold.
MAX_DIGITS: Final = 18
MAX_NUMBER_CHARACTERS: Final = 64

# For our own services alone, and in no document.
INTERNAL_PATHS: Final = "/internal/"
HEALTH: Final = "/healthz"
READY: Final = "/readyz"
METRICS: Final = "/metrics"
# The name of a parameter of a path that is as good as a password.
SECRET: Final = "{token}"
_QUIET: Final = frozenset({HEALTH, READY, METRICS})
# Set in the scope of a request that is kept as a row, with its sender, time and size: it needs no line.
KEPT_KEY: Final = "parcelcover.kept"

_log = structlog.get_logger()


# --- reading JSON ----------------------------------------------------------------------------


def read_json(body: bytes) -> Any:
    """The one thing the body can mean, or MalformedJson (400).

    Refused although some readers take it: names given twice, NaN and infinities, numbers of more
    than 18 digits, nesting deeper than 32, U+0000, and anything that is not UTF-8.
    """
    _refuse_nul(body)
    try:
        value = _decoder.decode(body.decode())
    except (ValueError, RecursionError) as wrong:
        raise MalformedJson(_why_malformed(wrong)) from None
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _refuse_depth(value)
    return value


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """The body read by a msgspec decoder, for hot routes: MalformedJson (400), InvalidRequest (422).

    The decoder's types must bound numbers themselves, and of a name given twice the last counts.
    """
    _refuse_nul(body)
    return decode_frame(decoder, body)


def decode_frame(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """As `decode`, where the body only frames parts (msgspec.Raw) that are then read one by one."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as wrong:
        fault = _msgspec_fault(str(wrong))
        raise InvalidRequest(fault.detail, faults=[fault]) from None
    except (ValueError, RecursionError) as wrong:
        raise MalformedJson(_why_malformed(wrong)) from None


def require_json(headers: Mapping[str, str]) -> None:
    """UnsupportedMediaType (415) unless a body that comes with these headers is JSON."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json" or _JSON_SUFFIX.fullmatch(media_type):
        return
    sent = f"{media_type[:60]!a} is not read here" if media_type else "the header is missing"
    raise UnsupportedMediaType(f"Send JSON as `Content-Type: application/json`; {sent}.")


_JSON_SUFFIX = re.compile(r"application/[a-z0-9.+-]+\+json")
# An odd number of backslashes before it: the escape itself, not a text about it.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_MSGSPEC = re.compile(r"(?P<sentence>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)


def _refuse_nul(body: bytes) -> None:
    if b"\\u0000" in body and _NUL.search(body):
        raise MalformedJson("The body holds the character U+0000, which no text here may have.")


def _refuse_depth(value: object) -> None:
    level: list[object] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise MalformedJson(f"The body is nested more than {MAX_DEPTH} deep.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"The member {twice[:60]!a} is there more than once in one object.")
    return members


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"A whole number has at most {MAX_DIGITS} digits.")
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits)
    if len(digits) > MAX_NUMBER_CHARACTERS or number in (float("inf"), float("-inf")):
        raise ValueError("A number is too large or too long.")
    return number


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON.")


_decoder = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=_whole, parse_float=_fraction, parse_constant=_no_number
)


def _why_malformed(wrong: Exception) -> str:
    if isinstance(wrong, RecursionError):
        return f"The body is nested more than {MAX_DEPTH} deep."
    if isinstance(wrong, UnicodeDecodeError):
        return f"The body is not UTF-8 at byte {wrong.start}."
    if isinstance(wrong, json.JSONDecodeError):
        return (
            f"The body is not JSON: {wrong.msg} at line {wrong.lineno}, column {wrong.colno}."
        )
    if isinstance(wrong, msgspec.DecodeError):
        return f"The body is not JSON: {wrong}."
    return str(wrong)


def _msgspec_fault(message: str) -> Fault:
    match = _MSGSPEC.fullmatch(message)
    path = (match and match["path"]) or ""
    steps = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
    sentence = match["sentence"] if match else message
    return Fault(f"{sentence}.", problems.pointer(steps))


async def whole_body(receive: Receive) -> bytes:
    """All of a body, for routes on ASGI itself; the door in front of them has bounded it."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


# --- routes ----------------------------------------------------------------------------------


class _StrictRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_strict_json"):
            self._strict_json = read_json(await self.body())
        return self._strict_json


class JsonRoute(APIRoute):
    """A route whose body is JSON, read strictly; 415 where another form is sent."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        handle = super().get_route_handler()
        if not takes_json(self):
            return handle

        async def handle_strictly(request: Request) -> Response:
            if _has_body(request):
                require_json(request.headers)
            response: Response = await handle(
                _StrictRequest(request.scope, request.receive, request._send)
            )
            return response

        return handle_strictly


def takes_json(route: APIRoute) -> bool:
    """Whether FastAPI reads JSON for the route (a form or raw bytes it does not)."""
    return route.body_field is not None and not isinstance(
        route.body_field.field_info, params.Form
    )


def api_router(prefix: str = "", *, tags: Sequence[str] = ()) -> APIRouter:
    """A router of strict routes: what every service's api.py begins with."""
    return APIRouter(
        prefix=prefix,
        tags=list(tags),
        route_class=JsonRoute,
        generate_unique_id_function=_operation_name,
    )


def raw_router(
    prefix: str = "", *, tags: Sequence[str] = (), dependencies: Sequence[params.Depends] = ()
) -> APIRouter:
    """A router of routes that read their bodies themselves: files, signed bytes, many rows."""
    return APIRouter(
        prefix=prefix,
        tags=list(tags),
        dependencies=dependencies,
        generate_unique_id_function=_operation_name,
    )


def _operation_name(route: APIRoute) -> str:
    return route.name


def _has_body(request: Request) -> bool:
    length = request.headers.get("content-length")
    return length != "0" and (length is not None or "transfer-encoding" in request.headers)


# --- the door --------------------------------------------------------------------------------

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Added where a route has not set its own: pages have another policy than an API.
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_CLIENT_GONE: Final = 499


class BadAddress(Refusal):
    code = "bad-address"
    title = "The address cannot be read"
    status = 400


class Door:
    """ASGI middleware around everything: request id, body limit, last answer, line and numbers."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_body_bytes: int,
        larger_bodies: Mapping[str, int],
        streamed_bodies: Collection[str],
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._streamed = [compile_path(path)[0] for path in streamed_bodies]
        self._larger = [(compile_path(path)[0], limit) for path, limit in larger_bodies.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_at = perf_counter()
        given_id, length = _first_headers(scope)
        request_id = given_id or os.urandom(12).hex()
        telemetry.request_id.set(request_id)
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_ours(message.get("headers", ()), request_id)
            await send(message)

        try:
            _refuse_nul_in_address(scope)
            await self._app(scope, self._limited(scope, receive, length), send_on)
        except ClientDisconnect:
            pass
        except Exception as failure:
            _note(failure, scope)
            if status:
                # Half an answer is out: only a cut connection says that it is not whole.
                raise
            await problems.answer(failure, scope)(scope, receive, send_on)
        finally:
            _record(scope, status or _CLIENT_GONE, perf_counter() - started_at)

    def _limited(self, scope: Scope, receive: Receive, length: int | None) -> Receive:
        if length is not None and length <= self._max_body_bytes:
            # The server hands over no more than the length it was told.
            return receive
        if any(pattern.match(scope["path"]) for pattern in self._streamed):
            return receive
        limit = self._limit(scope["path"])
        if length is not None and length > limit:
            raise _too_large(limit)
        return _counted(receive, limit)

    def _limit(self, path: str) -> int:
        fitting = (limit for pattern, limit in self._larger if pattern.match(path))
        return max(fitting, default=self._max_body_bytes)


def _first_headers(scope: Scope) -> tuple[str | None, int | None]:
    request_id, length = None, None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value.decode("ascii")
        elif name == b"content-length" and value.isdigit() and len(value) <= MAX_DIGITS:
            length = int(value)
    if length is None and scope["method"] in ("GET", "HEAD"):
        length = 0
    return request_id, length


def _with_ours(
    headers: Collection[tuple[bytes, bytes]], request_id: str
) -> list[tuple[bytes, bytes]]:
    set_already = {name for name, _ in headers}
    return [
        *headers,
        *(header for header in _HEADERS if header[0] not in set_already),
        (b"x-request-id", request_id.encode("ascii")),
    ]


def _refuse_nul_in_address(scope: Scope) -> None:
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        raise BadAddress("The address holds the character U+0000, which no name here has.")


def _counted(receive: Receive, limit: int) -> Receive:
    total = 0

    async def receive_counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise _too_large(limit)
        return message

    return receive_counted


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"A body here has at most {limit} bytes.", max_body_bytes=limit)


def _note(failure: Exception, scope: Scope) -> None:
    if isinstance(failure, Refusal):
        return
    fields = {"method": scope["method"], "path": _shown_path(scope)}
    if is_away(failure):
        _log.warning("request_unavailable", cause=repr(failure), **fields)
    else:
        _log.error("request_failed", exc_info=failure, **fields)


def _record(scope: Scope, status: int, seconds: float) -> None:
    path = scope["path"]
    if path in _QUIET:
        return
    route = route_template(scope)
    method = scope["method"] if scope["method"] in _METHODS else "OTHER"
    telemetry.count_request(method, route, status, seconds)
    if scope.get(KEPT_KEY):
        return
    fields = {"code": scope[problems.CODE_KEY]} if problems.CODE_KEY in scope else {}
    _log.info(
        "request_answered",
        method=scope["method"],
        path=_shown_path(scope),
        route=route,
        status=status,
        ms=round(seconds * 1000, 2),
        **fields,
    )


def _shown_path(scope: Scope) -> str:
    """The path for the log, which must not hold what opens a door."""
    template = route_template(scope)
    return template if SECRET in template else str(scope["path"])


def route_template(scope: Scope) -> str:
    """The route's path with its parameters' names, `/v1/policies/{policy_id}`; never the path sent."""
    path = getattr(scope.get("route"), "path", None)
    if path is None and "endpoint" in scope:
        # FastAPI names the route only where it is one of its own kind.
        path = scope["app"].state.raw_paths.get(scope["endpoint"])
    return path or "none"


# --- health ----------------------------------------------------------------------------------


class NotReady(Refusal):
    code = "not-ready"
    title = "The service cannot take work at the moment"
    status = 503


class ReadyView(View):
    """Which of the things we need answer."""

    status: str
    checks: dict[str, str]


async def _alive(_: Request) -> Response:
    return Response(b'{"status":"alive"}', media_type="application/json")


async def _ready(request: Request) -> Response:
    checks: Mapping[str, Check] = request.app.state.checks
    causes = await asyncio.gather(*(_cause(check) for check in checks.values()))
    failed = {name: cause for name, cause in zip(checks, causes, strict=True) if cause}
    if failed:
        _log.warning("not_ready", **failed)
        raise NotReady(f"No answer from: {', '.join(failed)}.", failed=sorted(failed))
    view = ReadyView(status="ready", checks=dict.fromkeys(checks, "ok"))
    return Response(view.model_dump_json(), media_type="application/json")


async def _cause(check: Check) -> str | None:
    """Why it fails: for the log; the answer only names which."""
    try:
        async with asyncio.timeout(READY_TIMEOUT_SECONDS):
            await check()
    except Exception as failure:  # noqa: BLE001  whatever it is, we are not ready
        return repr(failure)
    return None


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(telemetry.REGISTRY), media_type=CONTENT_TYPE_LATEST)


# --- the application -------------------------------------------------------------------------


def create_app(
    name: str,
    settings: Settings,
    *,
    lifespan: Lifespan | None = None,
    routers: Sequence[APIRouter] = (),
    routes: Sequence[BaseRoute] = (),
    checks: Mapping[str, Check] | None = None,
    larger_bodies: Mapping[str, int] | None = None,
    streamed_bodies: Mapping[str, int] | None = None,
    tags: Mapping[str, str] | None = None,
) -> FastAPI:
    """The service's application.

    `routes` are raw and matched first, before the routers: hot routes belong there. `checks` is what
    must answer for /readyz; more can be put into `app.state.checks`. `larger_bodies` raises the body
    limit of single paths, by template; `streamed_bodies` are those whose route takes its body in
    parts and bounds it itself, and their limits. TypeError where a route would read JSON loosely,
    ValueError where two operations share a name.
    """
    larger_bodies, streamed_bodies = larger_bodies or {}, streamed_bodies or {}
    app = FastAPI(
        title=f"Parcelcover: {name}",
        version=version("parcelcover"),
        description=_description(settings, {**larger_bodies, **streamed_bodies}),
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        openapi_tags=[{"name": tag, "description": text} for tag, text in (tags or {}).items()],
        lifespan=lifespan,
        generate_unique_id_function=_operation_name,
        redirect_slashes=False,
        # The built-in pages load scripts from elsewhere; the document is all a tool needs.
        docs_url=None,
        redoc_url=None,
        # Ours are in libs.common.telemetry; two sets of numbers would disagree.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.router.route_class = JsonRoute
    app.state.settings = settings
    app.state.authenticator = Authenticator(settings)
    app.state.checks = dict(checks or {})
    health = [(HEALTH, _alive), (READY, _ready), (METRICS, _metrics)]
    app.router.routes[:0] = [
        *routes,
        *(Route(path, endpoint, include_in_schema=False) for path, endpoint in health),
    ]
    # Their routes themselves: `include_router` would make each anew, 1 ms a route.
    for router in routers:
        app.router.routes.extend(router.routes)
    _refuse_bad_routes(app)
    app.state.raw_paths = {
        route.endpoint: route.path
        for route in app.routes
        if isinstance(route, Route) and not isinstance(route, APIRoute)
    }
    problems.install(app)
    app.add_middleware(
        Door,
        max_body_bytes=settings.max_body_bytes,
        larger_bodies=larger_bodies,
        streamed_bodies=streamed_bodies,
    )
    return app


def unguarded_routes(app: FastAPI) -> list[str]:
    """`METHOD /path` of every route that asks for no scope. Raw routes ask on their own."""
    return [
        f"{method} {route.path}"
        for route in app.routes
        if isinstance(route, APIRoute) and not _is_guarded(route.dependant)
        for method in sorted(route.methods or ())
    ]


def _is_guarded(dependant: Dependant) -> bool:
    return any(
        isinstance(inner.call, SecurityBase) or _is_guarded(inner)
        for inner in dependant.dependencies
    )


def _refuse_bad_routes(app: FastAPI) -> None:
    names: set[str] = set()
    for route in app.routes:
        if not isinstance(route, APIRoute):
            continue
        if takes_json(route) and not isinstance(route, JsonRoute):
            raise TypeError(f"{route.path} reads JSON loosely: make its router by api_router.")
        if route.include_in_schema and route.name in names:
            raise ValueError(f"Two operations are named {route.name}.")
        names.add(route.name)


def _description(settings: Settings, larger_bodies: Mapping[str, int]) -> str:
    larger = "".join(
        f", {limit} bytes at `{path}`"
        for path, limit in larger_bodies.items()
        if not path.startswith(INTERNAL_PATHS)
    )
    return (
        f"Bodies are JSON in UTF-8 of at most {settings.max_body_bytes} bytes{larger}; names may "
        f"not be given twice, nesting is at most {MAX_DEPTH} deep, whole numbers have at most "
        f"{MAX_DIGITS} digits. Money is `{{amount_minor, currency}}` in the currency's smallest "
        "unit, instants are RFC 3339 with an offset. Every error is a problem document (RFC 9457) "
        "with a stable `code`. Send `x-request-id` to find a request again; every answer has one.\n"
        "\nScopes of tokens:\n\n"
        + "".join(f"- `{scope}`: {meaning}\n" for scope, meaning in SCOPES.items())
    )
