"""Every error is one problem document (RFC 9457), whoever raised it: `{type, title, status, detail,
instance, code}`, `errors` where parts of the request are at fault, and members of its own.

Clients switch on `code`, people read `detail`, and `title` stays the same for a code.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.types import Scope

from libs.common import telemetry
from libs.common.db import is_away
from libs.common.errors import Fault, Invalid, Refusal, Unavailable
from libs.common.money import Money
from libs.common.wire import money_wire

MEDIA_TYPE: Final = "application/problem+json"
# More than anybody reads, and a bound on what one bad request makes us write.
MAX_FAULTS: Final = 50
MAX_FAULT_CHARACTERS: Final = 500

# Where the door finds the code for its access line.
CODE_KEY: Final = "parcelcover.problem_code"


class MalformedJson(Refusal):
    code = "malformed-json"
    title = "The body is not JSON that can be read one way only"
    status = 400


class InvalidRequest(Invalid):
    code = "invalid-request"
    title = "The request does not have the form that is expected"


class UnsupportedMediaType(Refusal):
    code = "unsupported-media-type"
    title = "The body is in a form that is not read here"
    status = 415


class BodyTooLarge(Refusal):
    code = "body-too-large"
    title = "The body is larger than the limit"
    status = 413


class InternalError(Refusal):
    """Our own fault. Never raised: it is what an unexpected exception is told as."""

    code = "internal-error"
    title = "The service failed"
    status = 500


def problem_type(code: str) -> str:
    """The `type` member: it names the kind of problem and is not meant to be fetched."""
    return f"https://parcelcover.invalid/problems/{code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem on its way out. `extra` are its own members; they never replace the standard ones."""

    code: str
    title: str
    status: int
    detail: str
    instance: str
    faults: Sequence[Fault] = ()
    extra: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        standard: dict[str, object] = {
            "type": problem_type(self.code),
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": self.instance,
            "code": self.code,
        }
        if self.faults:
            standard["errors"] = [
                {"detail": fault.detail[:MAX_FAULT_CHARACTERS], "pointer": fault.pointer}
                for fault in self.faults[:MAX_FAULTS]
            ]
        own = {name: value for name, value in self.extra.items() if name not in standard}
        return {**standard, **own}

    def body(self) -> bytes:
        """The document as it goes out."""
        return msgspec.json.encode(_plain(self.document()), enc_hook=str)

    def response(self) -> Response:
        return Response(self.body(), self.status, dict(self.headers), MEDIA_TYPE)

    def within(self, *steps: int | str) -> "Problem":
        """The problem of a part of the body, told of the whole: its pointers begin there."""
        inside = pointer(steps)
        return replace(
            self,
            faults=[
                Fault(fault.detail, inside + fault.pointer.removeprefix("#"))
                for fault in self.faults
            ],
        )


def problem_of(exc: Exception, instance: str) -> Problem:
    """What the caller is told of an exception; only a Refusal's own words ever reach them."""
    if isinstance(exc, Refusal):
        return _of_refusal(exc, instance)
    if isinstance(exc, RequestValidationError):
        return _of_validation(exc, instance)
    if isinstance(exc, HTTPException):
        return _of_http(exc, instance)
    if is_away(exc):
        return _of_refusal(
            Unavailable("Please try again in a moment; nothing is lost."), instance
        )
    return _of_refusal(_internal_error(), instance)


def instance_of(scope: Scope) -> str:
    """The path asked for, as the URI reference that `instance` is."""
    return quote(scope["path"], safe="/:@!$&'()*+,;=~-._", errors="replace")


def answer(exc: Exception, scope: Scope) -> Response:
    """The answer to a request that ended in `exc`."""
    problem = problem_of(exc, instance_of(scope))
    scope[CODE_KEY] = problem.code
    return problem.response()


def install(app: FastAPI) -> None:
    """Problem documents for what routes refuse, and in the OpenAPI document.

    What is left, unexpected exceptions, is answered by web.Door around the whole application.
    """

    async def handle(request: Request, exc: Exception) -> Response:
        return answer(exc, request.scope)

    for kind in (Refusal, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, handle)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]


def problem_responses(*refusals: type[Refusal]) -> dict[int | str, dict[str, Any]]:
    """For `responses=` of a route: the problems it may answer with, one example each."""
    by_status: dict[int, list[type[Refusal]]] = {}
    for refusal in refusals:
        by_status.setdefault(refusal.status, []).append(refusal)
    return {status: _response(members) for status, members in by_status.items()}


# --- from exceptions -------------------------------------------------------------------------


def _of_refusal(refusal: Refusal, instance: str) -> Problem:
    return Problem(
        code=refusal.code,
        title=refusal.title,
        status=refusal.status,
        detail=refusal.detail,
        instance=instance,
        faults=refusal.faults,
        extra=refusal.extra,
        headers=getattr(refusal, "http_headers", {}),
    )


def _internal_error() -> InternalError:
    request_id = telemetry.request_id.get()
    return InternalError(
        "This is our fault and has been noted. Name the request id if you ask us about it.",
        request_id=request_id,
    )


def _of_validation(exc: RequestValidationError, instance: str) -> Problem:
    errors = exc.errors()
    if errors and errors[0]["type"] == "json_invalid":
        return _of_refusal(MalformedJson("The body is not JSON."), instance)
    faults = [_fault(error, exc.body) for error in errors[:MAX_FAULTS]]
    count = len(errors)
    detail = faults[0].detail if count == 1 else f"{count} parts of the request are wrong."
    return _of_refusal(InvalidRequest(detail, faults=faults), instance)


_PHRASES: Final[Mapping[str, str]] = {
    "missing": "This member is required.",
    "extra_forbidden": "There is no such member: correct its name or leave it out.",
    "int_type": "A whole number is wanted, without quotes, point or exponent.",
    "bool_type": "Either true or false is wanted, without quotes.",
    "string_type": "A text in quotes is wanted.",
    "string_unicode": "A text of whole Unicode characters is wanted.",
    "list_type": "A list in square brackets is wanted.",
    "model_type": "An object in curly braces is wanted.",
    "model_attributes_type": "An object in curly braces is wanted.",
    "dict_type": "An object in curly braces is wanted.",
    "none_required": "Only null is possible here.",
}
_PLACES: Final[Mapping[str, str]] = {
    "query": "Query parameter",
    "path": "Path parameter",
    "header": "Header",
    "cookie": "Cookie",
}


def _fault(error: Mapping[str, Any], body: object) -> Fault:
    place, *rest = error["loc"]
    sentence = _PHRASES.get(error["type"]) or _sentence(error["msg"])
    if place in _PLACES:
        name = str(rest[0]) if rest else ""
        if error["type"] == "missing":
            sentence = "It is required."
        return Fault(f"{_PLACES[place]} {name}: {sentence}", pointer((place, *rest[:1])))
    return Fault(sentence, pointer(_steps(rest, body, is_missing=error["type"] == "missing")))


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message if message.endswith(".") else f"{message}."


def _steps(rest: Sequence[int | str], body: object, *, is_missing: bool) -> Iterable[int | str]:
    """The steps that lead somewhere in the body: pydantic names union members in between."""
    for at, step in enumerate(rest):
        if _leads_inside(body, step):
            yield step
            body = body[step]  # type: ignore[index]
        elif is_missing and at == len(rest) - 1:
            yield step


def _leads_inside(body: object, step: int | str) -> bool:
    if isinstance(body, dict):
        return step in body
    return isinstance(body, list) and isinstance(step, int) and 0 <= step < len(body)


def pointer(steps: Iterable[int | str]) -> str:
    """A JSON Pointer as URI fragment: ("items", 0, "a/b") -> "#/items/0/a~1b"."""
    return "#" + "".join(
        "/" + quote(str(step).replace("~", "~0").replace("/", "~1"), safe="~", errors="replace")
        for step in steps
    )


def _of_http(exc: HTTPException, instance: str) -> Problem:
    if isinstance(exc.__cause__, Refusal):
        # FastAPI wraps what is raised while it reads a body.
        return _of_refusal(exc.__cause__, instance)
    code, title, detail = _http_words(exc, instance)
    return Problem(
        code=code,
        title=title,
        status=exc.status_code,
        detail=detail,
        instance=instance,
        headers=exc.headers or {},
    )


def _http_words(exc: HTTPException, instance: str) -> tuple[str, str, str]:
    phrase = _phrase(exc.status_code)
    if exc.status_code == 404 and exc.detail == phrase:
        return (
            "no-such-route",
            "There is nothing at this address",
            f"Nothing answers at {instance}. /openapi.json names every address.",
        )
    if exc.status_code == 405:
        allowed = (exc.headers or {}).get("Allow", "")
        return (
            "method-not-allowed",
            "The address does not answer to this method",
            f"Only {allowed} can be used here." if allowed else "Use another method.",
        )
    code = phrase.lower().replace(" ", "-").replace("'", "")
    return code, phrase, str(exc.detail) or f"{phrase}."


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _plain(value: object) -> object:
    """The value with money in its wire form and no half characters, which JSON cannot hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Money):
        return money_wire(value)
    if isinstance(value, Mapping):
        return {_plain(str(name)): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    return value


# --- in the OpenAPI document -----------------------------------------------------------------

_REFERENCE: Final = {"$ref": "#/components/schemas/Problem"}

_PROBLEM_SCHEMA: Final = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem details. Switch on `code`; more members may be there.",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": [problem_type("not-found")]},
        "title": {"type": "string", "description": "The same for each `code`."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {
            "type": "string",
            "description": "What was asked, why not, what would work.",
        },
        "instance": {"type": "string", "format": "uri-reference"},
        "code": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
        "errors": {
            "type": "array",
            "maxItems": MAX_FAULTS,
            "items": {
                "type": "object",
                "required": ["detail", "pointer"],
                "properties": {
                    "detail": {"type": "string"},
                    "pointer": {
                        "type": "string",
                        "description": "A JSON Pointer into the body, as URI fragment; "
                        "#/query/..., #/path/... and #/header/... for parameters.",
                        "examples": ["#/items/0/value"],
                    },
                },
            },
        },
    },
}


def _response(refusals: Sequence[type[Refusal]]) -> dict[str, Any]:
    return {
        "description": " / ".join(dict.fromkeys(one.title for one in refusals)),
        "content": {
            MEDIA_TYPE: {
                "schema": _REFERENCE,
                "examples": {one.code: {"value": _example(one)} for one in refusals},
            }
        },
    }


def _example(refusal: type[Refusal]) -> dict[str, object]:
    instance = "/v1/..."
    return _of_refusal(refusal(f"{refusal.title}."), instance).document()


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document with its own error form replaced by ours, and ours as the default."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=app.openapi_version,
        description=app.description,
        routes=app.routes,
        webhooks=app.webhooks.routes,
        tags=app.openapi_tags,
        license_info=app.license_info,
        separate_input_output_schemas=app.separate_input_output_schemas,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM_SCHEMA
    for path in (*document.get("paths", {}).values(), *document.get("webhooks", {}).values()):
        for operation in path.values():
            _replace_errors(operation["responses"])
    app.openapi_schema = document
    return document


def _replace_errors(responses: dict[str, Any]) -> None:
    content = responses.get("422", {}).get("content", {})
    if "HTTPValidationError" in str(content.get("application/json")):
        responses["422"] = _response([InvalidRequest])
    responses.setdefault(
        "default", {"description": "A problem", "content": {MEDIA_TYPE: {"schema": _REFERENCE}}}
    )
