"""A file of parcels as it streams in, CSV or JSON lines: each line becomes a row, or says what is wrong.

A line is a row: no cell holds a line break, so whatever is wrong with one line ends with it. What
makes all of the file unreadable, such as its header, refuses the upload.
"""

import csv
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import msgspec
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from libs.common.errors import Fault, Invalid, Refusal
from libs.common.money import exact
from libs.common.problems import Problem, problem_of
from libs.common.web import read_json
from libs.common.wire import Body, Reference, TrackingNumber
from services.policy.api.parts import Carrier
from services.policy.api.policies import ContactIn
from services.policy.domain.batches import Asked, PaymentNotAllowed, Refused, Uploaded
from services.policy.domain.columns import COLUMNS, REQUIRED, Column, Steps, in_csv

CSV: Final = "csv"
NDJSON: Final = "ndjson"
FORMS: Final[Mapping[str, str]] = {"text/csv": CSV, "application/x-ndjson": NDJSON}

MAX_FILE_BYTES: Final = 200 * 1_048_576
MAX_ROWS: Final = 200_000
MAX_LINE_BYTES: Final = 65_536

_BOM: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_DECIMAL: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_FLAGS: Final = {"true": True, "false": False}
_REFERENCE_CHARACTERS: Final = 128


class NotUtf8(Invalid):
    code = "not-utf-8"
    title = "The file is not text in UTF-8"


class MissingColumn(Invalid):
    code = "missing-column"
    title = "The file lacks a column that is needed"


class UnknownColumn(Invalid):
    code = "unknown-column"
    title = "The file has a column that is not known"


class ColumnTwice(Invalid):
    code = "column-twice"
    title = "The file has a column twice"


class NoRows(Invalid):
    code = "no-rows"
    title = "The file has no rows"


class TooManyRows(Invalid):
    code = "too-many-rows"
    title = "The file has more rows than one batch may have"


UNREADABLE: Final = (NotUtf8, MissingColumn, UnknownColumn, ColumnTwice, NoRows, TooManyRows)


class RowIn(Body):
    """A row of JSON lines."""

    reference: Reference
    """Your own id of the parcel: booked once, however often it comes."""
    quote: dict[str, Any]
    """As in `POST /v1/quotes`."""
    carrier: Carrier | None = None
    tracking_number: TrackingNumber | None = None
    contact: ContactIn = ContactIn()
    payment_reference: Reference | None = None
    """The premium was paid whole, under this reference of yours; needs `payments:write`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """For rows that do not say; and whether their caller may report payments."""

    plan: str | None = None
    point: str | None = None
    may_pay: bool = False


class _Unreadable(Exception):
    """Why a line is no row; no caller is told so of a whole request."""

    def __init__(self, code: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer


Read = Callable[[str], Uploaded | None]


async def rows_of(
    body: AsyncIterator[bytes], form: str, defaults: Defaults
) -> AsyncIterator[list[Uploaded]]:
    """The rows as the body comes in, some at a time. Refused where all of it is unreadable."""
    reader = _Reader(form=form, defaults=defaults)
    lines = _Lines()
    count = 0
    async for chunk in body:
        rows = reader.rows(lines.feed(chunk))
        count += len(rows)
        if count > MAX_ROWS:
            raise TooManyRows(f"A batch has at most {MAX_ROWS} rows. Upload several files.")
        if rows:
            yield rows
    rows = reader.rows(lines.end())
    if not count + len(rows):
        raise NoRows("There is no row in it. Send a line for each parcel.")
    yield rows


class _Lines:
    """Bytes into lines, numbered from 1; None for one that is too long, which is not kept."""

    def __init__(self) -> None:
        self._rest = b""
        self._number = 0
        self._is_too_long = False

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes | None]]:
        *whole, rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            yield self._line(line)
        self._is_too_long = self._is_too_long or len(rest) > MAX_LINE_BYTES
        self._rest = b"" if self._is_too_long else rest

    def end(self) -> Iterator[tuple[int, bytes | None]]:
        if self._rest or self._is_too_long:
            yield self._line(self._rest)

    def _line(self, line: bytes) -> tuple[int, bytes | None]:
        self._number += 1
        is_too_long = self._is_too_long or len(line) > MAX_LINE_BYTES
        self._is_too_long = False
        return self._number, None if is_too_long else line.removesuffix(b"\r")


class _Reader:
    def __init__(self, *, form: str, defaults: Defaults) -> None:
        self._is_csv = form == CSV
        self._defaults = defaults
        self._header: Sequence[str] = ()

    def rows(self, lines: Iterator[tuple[int, bytes | None]]) -> list[Uploaded]:
        found = (self._row(number, line) for number, line in lines)
        return [row for row in found if row is not None]

    def _row(self, number: int, line: bytes | None) -> Uploaded | None:
        if number == 1:
            line = _without_bom(line)
        if self._is_csv and not self._header:
            self._header = _header(line)
            return None
        if line is not None and not line.strip(b" ,\t" if self._is_csv else None):
            return None
        reference, row = "", None
        try:
            said = self._cells(_text(line)) if self._is_csv else _object(_text(line))
            reference = _reference_of(said)
            row = _row_of_cells(said) if self._is_csv else said
            return Uploaded(line=number, reference=reference, asked=self._asked(row))
        except _Unreadable as why:
            refused = Refused(code=why.code, detail=why.detail, pointer=self._told(why.pointer))
        except Refusal as refusal:
            refused = self._refused(problem_of(refusal, ""))
        except ValidationError as wrong:
            errors = [_in_body(error) for error in wrong.errors()]
            refused = self._refused(problem_of(RequestValidationError(errors, body=row), ""))
        return Uploaded(line=number, reference=reference, refused=refused)

    def _cells(self, text: str) -> dict[str, str]:
        """By column."""
        cells = _split(text)
        if len(cells) != len(self._header):
            raise _Unreadable(
                "wrong-cell-count",
                f"The line has {len(cells)} cells and the header {len(self._header)}. Put a cell "
                "with a comma in it into double quotes.",
            )
        return dict(zip(self._header, map(str.strip, cells), strict=True))

    def _asked(self, row: dict[str, Any]) -> Asked:
        read = RowIn.model_validate(row)
        if read.payment_reference and not self._defaults.may_pay:
            fault = Fault(
                "Your token lacks the scope payments:write. Leave payment_reference out, or send "
                "another token.",
                "#/payment_reference",
            )
            raise PaymentNotAllowed(fault.detail, faults=[fault])
        quote = read.quote
        for name in ("plan", "point"):
            default = getattr(self._defaults, name)
            if default is not None and quote.get(name) is None:
                quote[name] = default
        return Asked(
            quote=_encoded(quote),
            carrier=read.carrier or "",
            tracking_number=read.tracking_number or "",
            email=read.contact.email,
            locale=read.contact.locale,
            payment_reference=read.payment_reference or "",
        )

    def _refused(self, problem: Problem) -> Refused:
        pointer = problem.faults[0].pointer if problem.faults else ""
        detail = problem.detail
        if pointer == "#/contact/email":
            # It stays with the row: what may be an address is not said again.
            detail = "The e-mail address is none, such as ann@example.com."
        return Refused(code=problem.code, detail=detail, pointer=self._told(pointer))

    def _told(self, pointer: str) -> str:
        return in_csv(pointer) if self._is_csv and pointer else pointer


# --- lines -----------------------------------------------------------------------------------


def _without_bom(line: bytes | None) -> bytes | None:
    """The first line. UTF-16 has a mark of its own, or every other byte of it is NUL."""
    if line is not None and (line.startswith(_UTF_16) or b"\x00" in line):
        raise NotUtf8("The file looks like UTF-16 or is no text. Save it as UTF-8.")
    return None if line is None else line.removeprefix(_BOM)


def _text(line: bytes | None) -> str:
    if line is None:
        raise _Unreadable(
            "line-too-long",
            f"The line is longer than {MAX_LINE_BYTES} bytes. Give each parcel a line of its own.",
        )
    if b"\x00" in line:
        raise _Unreadable("control-character", "The line holds a NUL byte. Leave it out.")
    try:
        return line.decode()
    except UnicodeDecodeError as wrong:
        raise _Unreadable(
            "not-utf-8",
            f"The line is not UTF-8 at its byte {wrong.start + 1}. Save the file as UTF-8.",
        ) from None


def _object(text: str) -> dict[str, Any]:
    row = read_json(text.encode())
    if not isinstance(row, dict):
        raise _Unreadable("invalid-request", "An object in curly braces is wanted.")
    return row


def _encoded(quote: dict[str, Any]) -> msgspec.Raw:
    try:
        return msgspec.Raw(msgspec.json.encode(quote))
    except UnicodeEncodeError:
        raise _Unreadable(
            "control-character", "A text holds half a character.", "#/quote"
        ) from None


def _reference_of(row: Mapping[str, Any]) -> str:
    """As far as it can be told, so that a refused row is found again."""
    said = row.get("reference")
    if not isinstance(said, str):
        return ""
    shown = "".join(c for c in said.strip() if c.isprintable())
    return shown[:_REFERENCE_CHARACTERS]


def _in_body(error: Any) -> dict[str, Any]:
    return {**error, "loc": ("body", *error["loc"])}


# --- CSV -------------------------------------------------------------------------------------


def _header(line: bytes | None) -> list[str]:
    """The columns' names; refused where they are not those that are known, each once."""
    try:
        names = [name.strip().lower() for name in _split(_text(line))]
    except _Unreadable as why:
        raise NotUtf8(f"The header cannot be read: {why.detail}") from None
    if not any(names):
        raise NoRows(
            f"There is no header. The first line names the columns: {', '.join(COLUMNS)}."
        )
    unknown = [name for name in names if name not in COLUMNS]
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name in REQUIRED if name not in names]
    if unknown:
        hint = " Separate cells by commas." if any(s in unknown[0] for s in ";\t|") else ""
        shown = ", ".join(ascii(name[:60]) for name in unknown[:10])
        raise UnknownColumn(
            f"There is no column {shown}.{hint} Columns are: {', '.join(COLUMNS)}.",
            columns=[name[:60] for name in unknown[:10]],
        )
    if twice:
        raise ColumnTwice(f"More than once in the header: {', '.join(twice)}.", columns=twice)
    if missing:
        raise MissingColumn(
            f"The header lacks: {', '.join(missing)}. Needed are: {', '.join(REQUIRED)}.",
            columns=missing,
        )
    return names


def _split(text: str) -> list[str]:
    try:
        if text.count('"') % 2 == 0:
            return next(csv.reader([text], strict=True), [])
    except csv.Error:
        pass
    raise _Unreadable(
        "unbalanced-quote",
        'A double quote is not closed where a cell ends. Write one within a cell as "", and keep a '
        "cell on one line.",
    )


def _row_of_cells(cells: Mapping[str, str]) -> dict[str, Any]:
    """The row's JSON; a cell that is empty is not said."""
    row: dict[str, Any] = {}
    for name, cell in cells.items():
        column = COLUMNS[name]
        if cell:
            _put(row, column.steps, _value(name, column, cell, cells))
        elif column.is_required:
            raise _Unreadable(
                "cell-missing", f"{name} is empty; it may be {column.example}.", f"#/{name}"
            )
    quote = row["quote"]
    quote.setdefault("order", {}).setdefault("order_ref", row["reference"])
    item = quote["items"][0]
    item["item_id"] = "1"
    item.setdefault("quantity", 1)
    return row


def _put(row: dict[str, Any], steps: Steps, value: object) -> None:
    """At its place; an amount, which has its currency already, over the bare currency."""
    place: Any = row
    for step, following in pairwise(steps):
        if isinstance(step, int):
            place = place[step]
        else:
            place = place.setdefault(step, [{}] if isinstance(following, int) else {})
    place[steps[-1]] = value


def _value(name: str, column: Column, cell: str, cells: Mapping[str, str]) -> object:
    match column.kind:
        case "list":
            return [part.strip() for part in cell.split(";") if part.strip()]
        case "flag":
            if cell.lower() in _FLAGS:
                return _FLAGS[cell.lower()]
            raise _wrong(name, column, "true or false")
        case "whole":
            if _WHOLE.fullmatch(cell):
                return int(cell)
            raise _wrong(name, column, "a whole number")
        case "amount":
            return _amount(name, column, cell, cells["currency"])
    return cell


def _amount(name: str, column: Column, cell: str, currency: str) -> dict[str, object]:
    """Exact to the currency's smallest unit: nothing is rounded that somebody will pay."""
    if not _DECIMAL.fullmatch(cell):
        raise _wrong(name, column, "a plain decimal, with a point and without signs")
    try:
        amount = exact(Decimal(cell), currency)
    except Refusal as refusal:
        pointer = "#/currency" if refusal.code == "unknown-currency" else f"#/{name}"
        raise _Unreadable(refusal.code, refusal.detail, pointer) from None
    return {"amount_minor": amount.amount_minor, "currency": amount.currency}


def _wrong(name: str, column: Column, wanted: str) -> _Unreadable:
    return _Unreadable(
        "bad-cell", f"{name} is not {wanted}, such as {column.example}.", f"#/{name}"
    )
