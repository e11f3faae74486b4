"""Refusals: requests that cannot be had, each with a stable code and a helpful sentence.

A business outcome ("denied", "deferred") is a value, never a Refusal. At an HTTP door a
Refusal becomes a problem document (RFC 9457); at the bus door it parks the event.

    Refusal
    ├── NotFound        404   the thing is not there, or not yours: the answer is the same
    ├── Conflict        409   the thing is in a state that does not allow it
    ├── Invalid         422   the request is understood and wrong
    ├── Unauthorised    401   who are you?
    ├── Forbidden       403   you may not
    ├── Unavailable     503   something we need is away for the moment: the same request may work soon
    └── NotHereYet      503   something this needs has not arrived; a consumer waits, it parks nothing
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

RETRY_AFTER_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where: `pointer` is a JSON Pointer such as `#/items/0/value`."""

    detail: str
    pointer: str


class Refusal(Exception):
    """`detail` tells the caller what was asked, why not, and what would work."""

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "The request cannot be had"
    status: ClassVar[int] = 400

    def __init__(self, detail: str, *, faults: Sequence[Fault] = (), **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.extra = extra


class NotFound(Refusal):
    code = "not-found"
    title = "There is no such thing in your account"
    status = 404


class Conflict(Refusal):
    code = "conflict"
    title = "The state of the resource does not allow this"
    status = 409


class Invalid(Refusal):
    code = "invalid"
    title = "The request is understood and wrong"
    status = 422


class Unauthorised(Refusal):
    code = "unauthorised"
    title = "The caller is not known"
    status = 401


class Forbidden(Refusal):
    code = "forbidden"
    title = "The caller may not do this"
    status = 403


class NotHereYet(Refusal):
    code = "not-here-yet"
    title = "Something this needs has not arrived yet"
    status = 503


class Unavailable(Refusal):
    """Something we need is away for the moment; the same request may work soon."""

    code = "temporarily-unavailable"
    title = "The service cannot do this at the moment"
    status = 503
    http_headers: ClassVar[Mapping[str, str]] = {"retry-after": str(RETRY_AFTER_SECONDS)}
