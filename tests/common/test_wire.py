import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from libs.common.ids import new_id
from libs.common.money import EXPONENTS, MAX_MINOR, Money
from libs.common.wire import (
    Body,
    Code,
    Day,
    Flag,
    IdOf,
    Instant,
    MoneyIn,
    MoneyView,
    OneLine,
    Prose,
    TrackingNumber,
    View,
    Whole,
    money_wire,
)

amounts = st.integers(0, MAX_MINOR)
currencies = st.sampled_from(sorted(EXPONENTS))


def refusal_of(kind: Any, value: object) -> str:
    """The one sentence with which `kind` refuses `value`."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    (error,) = caught.value.errors()
    return error["msg"]


def read(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


# --- money -----------------------------------------------------------------------------------


@given(amount=amounts, currency=currencies)
def test_money_comes_back_as_it_went_out(amount: int, currency: str) -> None:
    money = Money(amount, currency)
    sent = json.loads(MoneyView.of(money).model_dump_json())
    formatted = sent.pop("formatted")

    assert MoneyIn.model_validate(sent).to_money() == money
    assert Decimal(formatted.lstrip("RM$¥ " + currency).replace(",", "")) == money.decimal


@given(amount=st.integers(-MAX_MINOR, MAX_MINOR), currency=currencies)
def test_the_plain_form_and_the_view_are_the_same(amount: int, currency: str) -> None:
    money = Money(amount, currency)

    assert money_wire(money) == MoneyView.of(money).model_dump()


@pytest.mark.parametrize(
    "amount", [True, 25.0, "2500", None, [2500], {"minor": 1}, Decimal(25), float("nan")]
)
def test_an_amount_is_a_whole_number_and_nothing_like_it(amount: object) -> None:
    sentence = refusal_of(MoneyIn, {"amount_minor": amount, "currency": "MYR"})

    assert "is not a whole number of minor units: RM 25.00 is 2500." in sentence


@pytest.mark.parametrize("amount", [-1, MAX_MINOR + 1, 10**4000])
def test_an_amount_says_how_large_it_may_be(amount: int) -> None:
    sentence = refusal_of(MoneyIn, {"amount_minor": amount, "currency": "MYR"})

    assert sentence == "An amount is 0 to 1000000000000 minor units."


@pytest.mark.parametrize(
    "currency", ["myr", "XXX", "XAU", "RM", "", 458, None, "{currency}", "M\x00R"]
)
def test_a_currency_is_one_with_money_in_it(currency: object) -> None:
    sentence = refusal_of(MoneyIn, {"amount_minor": 1, "currency": currency})

    assert sentence.endswith("is not an ISO 4217 currency code, such as CNY or MYR.")


def test_money_has_two_members_and_no_third() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        MoneyIn.model_validate({"amount_minor": 1, "currency": "MYR", "formatted": "RM 0.01"})


# --- instants and days -----------------------------------------------------------------------


class Happening(View):
    at: Instant
    on: Day | None = None


@pytest.mark.parametrize(
    "sent",
    [
        "2026-03-02T10:00:00Z",
        "2026-03-02t10:00:00z",
        "2026-03-02T18:00:00+08:00",
        "2026-03-02T10:00:00.000Z",
    ],
)
def test_an_instant_with_an_offset_is_kept_in_utc(sent: str) -> None:
    happening = Happening.model_validate({"at": sent})

    assert happening.at == datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert happening.at.tzinfo is UTC
    assert json.loads(happening.model_dump_json())["at"] == "2026-03-02T10:00:00Z"


@given(
    at=st.datetimes(
        datetime(1971, 1, 2),  # noqa: DTZ001
        datetime(2198, 12, 30),  # noqa: DTZ001
        timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
    )
)
def test_instants_come_back_as_they_went_out(at: datetime) -> None:
    sent = json.loads(Happening(at=at).model_dump_json())["at"]

    assert sent.endswith("Z")
    assert Happening.model_validate({"at": sent}).at == at


def test_an_instant_without_an_offset_says_how_to_write_it() -> None:
    sentence = refusal_of(Instant, "2026-03-02T10:00:00")

    assert "has no offset: write 2026-03-02T10:00:00Z for UTC" in sentence
    assert "2026-03-02T10:00:00+08:00" in sentence


@pytest.mark.parametrize(
    "sent",
    [1772445600, 1.5, True, None, "", "yesterday", "2026-03-02", "2026-02-30T10:00:00Z",
     "2026-03-02T25:00:00Z", "2026-03-02T10:00:60Z", "2026-03-02 10:00:00Z", "2026-W10-1T10:00:00Z",
     "٢٠٢٦-03-02T10:00:00Z", "2026-03-02T10:00:00+99:00", "2026-03-02T10:00:00Z\n"],
)  # fmt: skip
def test_what_is_no_instant_is_refused_with_an_example(sent: object) -> None:
    assert refusal_of(Instant, sent).endswith("is not an instant such as 2026-03-02T10:00:00Z.")


@pytest.mark.parametrize(
    "sent", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1970-01-01T00:00:00Z"]
)
def test_an_instant_lies_in_a_parcels_time(sent: str) -> None:
    assert refusal_of(Instant, sent) == "An instant lies between 1971 and 2198."


def test_a_day_is_a_date_and_no_instant() -> None:
    assert read(Day, "2026-03-02") == date(2026, 3, 2)
    for sent in ("2026-3-2", "20260302", 20260302, datetime(2026, 3, 2, tzinfo=UTC), "x"):
        assert refusal_of(Day, sent).endswith("is not a day such as 2026-03-02.")
    assert refusal_of(Day, "2026-02-30") == "2026-02-30 is not a day of the calendar."
    assert refusal_of(Day, "9999-01-01") == "A day lies between 1971 and 2198."


# --- texts and ids ---------------------------------------------------------------------------


def test_an_id_is_of_its_kind() -> None:
    policy_id = new_id("pol")

    assert read(Annotated[str, IdOf("pol")], policy_id) == policy_id
    for other in (
        new_id("quo"),
        policy_id.lower(),
        policy_id + "\n",
        f" {policy_id}",
        "pol_",
        "",
    ):
        assert "is not an id such as pol_" in refusal_of(Annotated[str, IdOf("pol")], other)


def test_blanks_around_a_line_are_dropped() -> None:
    assert read(TrackingNumber, "  LX123456789CN ") == "LX123456789CN"


@pytest.mark.parametrize(
    "text",
    [
        "a\x00b",
        "a\nb",
        "a\tb",
        "a\x7fb",
        "a\x85b",
        "\ud800",
        "a\u2028b",
        "a\u202eb",
        "a\u2066b",
    ],
)
def test_a_line_has_no_control_characters(text: str) -> None:
    assert "leave it out" in refusal_of(Annotated[str, OneLine(10)], text)


def test_prose_may_have_lines_and_tabs_and_no_other_control_characters() -> None:
    assert read(Annotated[str, Prose(20)], "one\r\n\ttwo\n") == "one\n\ttwo"
    assert "U+001B" in refusal_of(Annotated[str, Prose(20)], "\x1b[2J")
    assert "2 to 20" in refusal_of(Annotated[str, Prose(20, shortest=2)], " x ")


@pytest.mark.parametrize("text", ["", "   ", "x" * 65])
def test_a_tracking_number_has_1_to_64_characters(text: str) -> None:
    assert "A text of 1 to 64 characters is wanted" in refusal_of(TrackingNumber, text)


@given(
    text=st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), min_size=1)
)
def test_ordinary_text_of_any_script_is_kept(text: str) -> None:
    stripped = text.strip()
    if 1 <= len(stripped) <= 128:
        assert read(Annotated[str, OneLine(128)], text) == stripped


def test_a_code_is_plain() -> None:
    assert read(Code, "cn-my.air:2") == "cn-my.air:2"
    for text in ("", "-x", "a b", "é", "a/b", "x" * 65, "x\n", 7):
        refusal_of(Code, text)


# --- bodies ----------------------------------------------------------------------------------


class Parcel(Body):
    """A body with a field of each strict kind."""

    pieces: Whole
    is_fragile: Flag = False
    mode: Literal["air", "sea"] = "air"
    weights: tuple[Annotated[int, Field(ge=1, strict=True)], ...] = ()


@pytest.mark.parametrize(
    "changed",
    [{"pieces": "1"}, {"pieces": 1.0}, {"pieces": True}, {"is_fragile": "yes"}, {"is_fragile": 1},
     {"mode": "rail"}, {"weights": [1.0]}, {"weights": "12"}, {"unknown": 1}],
)  # fmt: skip
def test_a_body_converts_nothing_and_knows_nothing_more(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Parcel.model_validate({"pieces": 1, **changed})


def test_a_body_is_not_changed_afterwards() -> None:
    parcel = Parcel(pieces=1)
    with pytest.raises(ValidationError, match="frozen"):
        parcel.pieces = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    "kind",
    [int, bool, float, date, datetime, int | None, list[int], dict[str, float],
     Annotated[int, Field(ge=1)], list[Annotated[int, Field(ge=1)]]],
    ids=str,
)  # fmt: skip
def test_a_body_with_a_lenient_field_cannot_be_declared(kind: Any) -> None:
    with pytest.raises(TypeError, match=r"Loose\.field is a bare \w+: declare"):
        type("Loose", (Body,), {"__annotations__": {"field": kind}})


_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(value=_values)
@pytest.mark.parametrize(
    "kind",
    [
        MoneyIn,
        Instant,
        Day,
        Code,
        TrackingNumber,
        Parcel,
        Annotated[str, IdOf("pol")],
        Whole,
        Flag,
    ],
    ids=["money", "instant", "day", "code", "line", "body", "id", "whole", "flag"],
)
def test_whatever_comes_is_read_or_refused(kind: Any, value: object) -> None:
    with suppress(ValidationError):
        TypeAdapter(kind).validate_python(value)
