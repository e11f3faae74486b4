"""The forms values take in requests and answers: money, instants, ids and texts.

`Body` is the base of what comes in and `View` of what goes out. Each type refuses with a
sentence that says what would work, and nothing here is ever read leniently: "25", 25.0 and
true are no whole numbers.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

from libs.common.money import EXPONENTS, MAX_MINOR, Money, format_money

# Whatever is earlier or later than this is a slip of the pen, not a time of a parcel.
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2199


def money_wire(money: Money) -> dict[str, object]:
    """The wire form as plain values, for answers that do not go through a View."""
    return {
        "amount_minor": money.amount_minor,
        "currency": money.currency,
        "formatted": format_money(money),
    }


def _refused(code: str, sentence: str) -> PydanticCustomError:
    # The sentence holds the caller's own words, so it must never be read as a template.
    return PydanticCustomError(code, "{sentence}", {"sentence": sentence})


def _shown(value: object) -> str:
    """The value as a caller would recognise it, short and on one line."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


# --- numbers and flags -----------------------------------------------------------------------

Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]


# --- instants and days -----------------------------------------------------------------------

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _instant(value: object) -> datetime:
    if isinstance(value, str):
        value = _parsed_instant(value)
    if not isinstance(value, datetime):
        raise _refused(
            "instant", f"{_shown(value)} is not an instant such as 2026-03-02T10:00:00Z."
        )
    if value.tzinfo is None:
        raise _refused(
            "instant",
            f"{value.isoformat()} has no offset: write {value.isoformat()}Z for UTC, "
            f"or add yours, such as {value.isoformat()}+08:00.",
        )
    if not FIRST_YEAR < value.year < LAST_YEAR:
        raise _refused(
            "instant", f"An instant lies between {FIRST_YEAR + 1} and {LAST_YEAR - 1}."
        )
    return value.astimezone(UTC)


def _parsed_instant(text: str) -> datetime:
    try:
        if _RFC3339.fullmatch(text):
            return datetime.fromisoformat(text.upper())
    except ValueError:
        pass
    raise _refused("instant", f"{_shown(text)} is not an instant such as 2026-03-02T10:00:00Z.")


def _day(value: object) -> date:
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise _refused("day", f"{value} is not a day of the calendar.") from None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _refused("day", f"{_shown(value)} is not a day such as 2026-03-02.")
    if not FIRST_YEAR < value.year < LAST_YEAR:
        raise _refused("day", f"A day lies between {FIRST_YEAR + 1} and {LAST_YEAR - 1}.")
    return value


# Aware, in UTC. In: RFC 3339 with an offset. Out: RFC 3339 with a Z.
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    Field(json_schema_extra={"examples": ["2026-03-02T10:00:00Z"]}),
]
Day = Annotated[
    date, BeforeValidator(_day), Field(json_schema_extra={"examples": ["2026-03-02"]})
]


# --- texts -----------------------------------------------------------------------------------

# Control characters, halves of surrogate pairs, line separators, and marks that turn the
# direction of writing: they break databases, logs and the eyes of whoever reads the console.
_BANNED = "\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069"
_NOT_ONE_LINE = re.compile(f"[{_BANNED}]")
_NOT_TEXT = re.compile(f"[{_BANNED}]".replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))


class _Checked:
    """An annotation on `str`: the inner schema first, then `check`; `schema` into OpenAPI."""

    def check(self, text: str) -> str:
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        raise NotImplementedError

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core), **self.schema()}


@dataclass(frozen=True, slots=True)
class OneLine(_Checked):
    """A text of 1 to `longest` characters on one line; blanks around it are dropped."""

    longest: int

    def check(self, text: str) -> str:
        text = text.strip()
        _check_length(text, self.longest)
        _check_characters(text, _NOT_ONE_LINE)
        return text

    def schema(self) -> dict[str, Any]:
        return {"minLength": 1, "maxLength": self.longest}


@dataclass(frozen=True, slots=True)
class Prose(_Checked):
    """A text of `shortest` to `longest` characters that may have lines and tabs."""

    longest: int
    shortest: int = 1

    def check(self, text: str) -> str:
        text = text.replace("\r\n", "\n").strip()
        _check_length(text, self.longest, self.shortest)
        _check_characters(text, _NOT_TEXT)
        return text

    def schema(self) -> dict[str, Any]:
        return {"minLength": self.shortest, "maxLength": self.longest}


@dataclass(frozen=True, slots=True)
class Matching(_Checked):
    """A text that matches `pattern` as a whole; `wanted` says in words what that means."""

    pattern: str
    wanted: str

    def check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text, re.ASCII):
            raise _refused("pattern", f"{_shown(text)} is not {self.wanted}.")
        return text

    def schema(self) -> dict[str, Any]:
        return {"pattern": f"^{self.pattern}$"}


def IdOf(prefix: str) -> Matching:  # noqa: N802  reads as a type: Annotated[str, IdOf("pol")]
    """The ids that `ids.new_id(prefix)` makes."""
    return Matching(
        f"{prefix}_[0-9A-HJKMNP-TV-Z]{{26}}",
        f"an id such as {prefix}_01JQZX7Y5V0000000000000000",
    )


def _check_length(text: str, longest: int, shortest: int = 1) -> None:
    if not shortest <= len(text) <= longest:
        raise _refused(
            "length",
            f"A text of {shortest} to {longest} characters is wanted, not {len(text)}.",
        )


def _check_characters(text: str, banned: re.Pattern[str]) -> None:
    if found := banned.search(text):
        raise _refused(
            "characters",
            f"Character {found.start() + 1} (U+{ord(found[0]):04X}) is a control character or half "
            "a character: leave it out.",
        )


TrackingNumber = Annotated[str, OneLine(64)]
Reference = Annotated[str, OneLine(128)]
Code = Annotated[
    str,
    Matching(
        r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}",
        "a code of 1 to 64 letters, digits, dots, colons, dashes and underscores",
    ),
]


# --- bodies and views ------------------------------------------------------------------------

_LOOSE: Final[dict[Any, str]] = {
    int: "Whole",
    bool: "Flag",
    datetime: "Instant",
    date: "Day",
    float: "Decimal, or Whole in a smaller unit",
}


class Body(BaseModel):
    """What a caller sends: nothing unknown, nothing converted, nothing changed afterwards.

    Declaring a bare int, bool, float, date or datetime is a TypeError when the class is made:
    pydantic would take "1", 1.0 and true for 1.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        for name, field in cls.model_fields.items():
            if not _is_strict(field.metadata):
                _refuse_loose(f"{cls.__name__}.{name}", field.annotation)


def _refuse_loose(where: str, annotation: Any) -> None:
    if annotation in _LOOSE:
        raise TypeError(
            f"{where} is a bare {annotation.__name__}: declare {_LOOSE[annotation]}."
        )
    if get_origin(annotation) is Annotated and _is_strict(annotation.__metadata__):
        return
    for part in get_args(annotation):
        if isinstance(part, type) or get_origin(part) is not None:
            _refuse_loose(where, part)


def _is_strict(metadata: Iterable[object]) -> bool:
    return any(
        isinstance(one, Strict | BeforeValidator)
        or (isinstance(one, FieldInfo) and _is_strict(one.metadata))
        for one in metadata
    )


class View(BaseModel):
    """What we answer. Made by us, so a wrong one is our fault and a 500."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


# --- money -----------------------------------------------------------------------------------


def _minor(value: object) -> int:
    if type(value) is not int:
        raise _refused(
            "amount", f"{_shown(value)} is not a whole number of minor units: RM 25.00 is 2500."
        )
    if not 0 <= value <= MAX_MINOR:
        raise _refused("amount", f"An amount is 0 to {MAX_MINOR} minor units.")
    return value


def _currency(value: object) -> str:
    if not isinstance(value, str) or value not in EXPONENTS:
        raise _refused(
            "currency", f"{_shown(value)} is not an ISO 4217 currency code, such as CNY or MYR."
        )
    return value


CurrencyCode = Annotated[
    str,
    BeforeValidator(_currency),
    Field(json_schema_extra={"pattern": "^[A-Z]{3}$", "examples": ["MYR"]}),
]


class MoneyIn(Body):
    """An amount that a caller names: `{"amount_minor": 2500, "currency": "MYR"}` is RM 25.00."""

    amount_minor: Annotated[
        int,
        BeforeValidator(_minor),
        Field(json_schema_extra={"minimum": 0, "maximum": MAX_MINOR, "examples": [2500]}),
    ]
    """In the currency's smallest unit: sen, cents, fen."""
    currency: CurrencyCode

    def to_money(self) -> Money:
        return Money(self.amount_minor, self.currency)


class MoneyView(View):
    """An amount in an answer. `formatted` is for people; reckon with the other two."""

    amount_minor: int
    currency: str
    formatted: str

    @classmethod
    def of(cls, money: Money) -> "MoneyView":
        return cls(
            amount_minor=money.amount_minor,
            currency=money.currency,
            formatted=format_money(money),
        )
