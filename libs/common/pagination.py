"""Long lists in pages: `limit` and an opaque `cursor` in, `items` and `next_cursor` out.

A cursor is the position of the last row a caller has seen, so rows that come or go in between neither
repeat nor hide others. It is no secret and no right: the tenant always comes from the token.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from fastapi import Query
from pydantic import ConfigDict

from libs.common.errors import Fault, Invalid
from libs.common.wire import FIRST_YEAR, LAST_YEAR, Instant, View

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200
MAX_CURSOR_CHARACTERS: Final = 512
# Raised when the meaning of a position changes: older cursors are then refused, not misread.
_VERSION: Final = 1
_MAX_BIGINT: Final = 2**63 - 1

# A place in a list that goes by time; ids tell those of one instant apart.
Moment = tuple[datetime, str]
# Where such a list begins: at its newest, or at its oldest.
NEWEST: Final[Moment] = (datetime(9999, 1, 1, tzinfo=UTC), "")
OLDEST: Final[Moment] = (datetime(1, 1, 1, tzinfo=UTC), "")

R = TypeVar("R")
V = TypeVar("V", bound=View)
P = TypeVar("P", bound=tuple[Any, ...])


class BadCursor(Invalid):
    code = "bad-cursor"
    title = "The cursor is not one that this list gave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """What a caller asked for. Give it to a route as `paging: Annotated[Paging, Depends(paging)]`."""

    limit: int
    cursor: str | None = None


def paging(
    limit: Annotated[
        int, Query(ge=1, le=MAX_LIMIT, description="How many items at most.")
    ] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None,
        Query(
            max_length=MAX_CURSOR_CHARACTERS,
            description="`next_cursor` of the page before; without it the list begins.",
        ),
    ] = None,
) -> Paging:
    return Paging(limit=limit, cursor=cursor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Instants from `since` on, up to but without `until`; None is no bound."""

    since: datetime | None = None
    until: datetime | None = None


def span(
    since: Annotated[
        Instant | None, Query(description="From this instant on, such as 2026-03-01T00:00:00Z.")
    ] = None,
    until: Annotated[Instant | None, Query(description="Up to, but without, this one.")] = None,
) -> Span:
    """A list's filter by date: `span: Annotated[Span, Depends(span)]`."""
    return Span(since=since, until=until)


class Page(View, Generic[V]):
    """A part of a list. The list ends where `next_cursor` is null."""

    # Nothing here is told below a field, and pydantic took 11 ms a kind of page to find that.
    model_config = ConfigDict(use_attribute_docstrings=False)

    items: list[V]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Listing(Generic[P]):
    """One list: its name, and what a position in it is, such as `tuple[datetime, str]`.

    A position is what the query sorts by: whole numbers of 64 bits, texts, days, aware instants.
    """

    name: str
    position: type[P]

    def after(self, cursor: str | None) -> P | None:
        """The position to go on from, None at the beginning; BadCursor (422)."""
        if cursor is None:
            return None
        form = tuple[int, str, self.position]  # type: ignore[name-defined]
        try:
            given: tuple[int, str, P] = msgspec.json.decode(_unpacked(cursor), type=form)
        except (ValueError, RecursionError):
            raise _bad_cursor() from None
        version, name, position = given
        if version != _VERSION or name != self.name or not all(map(_fits, position)):
            raise _bad_cursor()
        return position

    def cursor(self, position: P) -> str:
        """The cursor that goes on after this position."""
        packed = msgspec.json.encode((_VERSION, self.name, position))
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    def page(
        self,
        rows: Sequence[R],
        limit: int,
        *,
        view: Callable[[R], V],
        position: Callable[[R], P],
    ) -> Page[V]:
        """The page of `rows`, of which the query was asked for one more than `limit`."""
        shown = rows[:limit]
        has_more = len(rows) > limit
        return Page[V](
            items=[view(row) for row in shown],
            next_cursor=self.cursor(position(shown[-1])) if has_more else None,
        )


def _unpacked(cursor: str) -> bytes:
    if len(cursor) > MAX_CURSOR_CHARACTERS:
        raise ValueError("too long")
    try:
        packed = cursor.encode("ascii")
        return base64.b64decode(
            packed + b"=" * (-len(packed) % 4), altchars=b"-_", validate=True
        )
    except (UnicodeEncodeError, binascii.Error) as wrong:
        raise ValueError("not base64url") from wrong


def _fits(value: object) -> bool:
    """Whether the database takes it as a parameter: a made-up cursor must not be our failure."""
    if isinstance(value, datetime):
        return value.tzinfo is not None and FIRST_YEAR < value.year < LAST_YEAR
    if isinstance(value, date):
        return FIRST_YEAR < value.year < LAST_YEAR
    if isinstance(value, int):
        return -_MAX_BIGINT <= value <= _MAX_BIGINT
    return isinstance(value, str) and "\x00" not in value


def _bad_cursor() -> BadCursor:
    detail = "Pass on `next_cursor` of this list as it was given, or leave `cursor` out."
    return BadCursor(detail, faults=[Fault(detail, "#/query/cursor")])
