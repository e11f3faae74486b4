"""Money: whole minor units, one rounding half-up, no mixing of currencies."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.money import (
    EXPONENTS,
    MAX_MINOR,
    BadAmount,
    Money,
    UnknownCurrency,
    WrongCurrency,
    exact,
    exponent,
    format_money,
    money,
    rounded,
    zero,
)

CURRENCIES = st.sampled_from(sorted(EXPONENTS))
MINOR = st.integers(-(10**11), 10**11)
AMOUNTS = st.decimals(-(10**7), 10**7, allow_nan=False, places=6)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("25", "MYR", 2500),
        ("11.405", "MYR", 1141),
        ("11.404999", "MYR", 1140),
        ("-11.405", "MYR", -1141),
        ("0.5", "JPY", 1),
        ("0.0005", "KWD", 1),
        ("0.00005", "CLF", 1),
    ],
)
def test_rounds_half_up_to_the_minor_unit(amount: str, currency: str, minor: int) -> None:
    assert money(Decimal(amount), currency) == Money(minor, currency)


def test_is_shown_with_its_decimals() -> None:
    assert str(Money(2500, "MYR")) == "25.00 MYR"
    assert str(Money(-5, "USD")) == "-0.05 USD"
    assert str(Money(7, "JPY")) == "7 JPY"


@pytest.mark.parametrize("currency", ["RMB", "cny", "", "XXX"])
def test_refuses_what_is_no_currency(currency: str) -> None:
    with pytest.raises(UnknownCurrency):
        exponent(currency)
    with pytest.raises(UnknownCurrency):
        Money(1, currency)


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity")])
def test_refuses_what_is_no_amount(amount: Decimal) -> None:
    with pytest.raises(BadAmount):
        money(amount, "CNY")


@pytest.mark.parametrize("minor", [1.0, True, "1", MAX_MINOR + 1, -MAX_MINOR - 1])
def test_refuses_minor_units_that_are_no_whole_number_or_absurd(minor: object) -> None:
    with pytest.raises(BadAmount):
        Money(minor, "CNY")  # type: ignore[arg-type]


def test_takes_an_exact_amount_and_refuses_a_fraction_of_the_smallest_unit() -> None:
    assert exact(Decimal("10.10"), "CNY") == Money(1010, "CNY")
    with pytest.raises(BadAmount, match="fraction of the smallest unit"):
        exact(Decimal("10.101"), "CNY")


def test_currencies_are_not_mixed() -> None:
    with pytest.raises(WrongCurrency):
        Money(1, "CNY") + Money(1, "USD")
    with pytest.raises(WrongCurrency):
        Money(1, "CNY") - Money(1, "USD")
    with pytest.raises(WrongCurrency):
        max(Money(1, "CNY"), Money(1, "USD"))


@given(amount=AMOUNTS, currency=CURRENCIES)
def test_rounding_once_is_the_nearest_minor_unit_and_again_changes_nothing(
    amount: Decimal, currency: str
) -> None:
    result = money(amount, currency)
    unit = Decimal(1).scaleb(-exponent(currency))

    assert abs(result.decimal - amount) * 2 <= unit
    assert result.decimal == amount.quantize(unit, ROUND_HALF_UP)
    assert money(result.decimal, currency) == result == exact(result.decimal, currency)
    assert rounded(amount, currency) == result.decimal


@given(a=MINOR, b=MINOR, c=MINOR, currency=CURRENCIES)
def test_adds_up_like_whole_numbers(a: int, b: int, c: int, currency: str) -> None:
    x, y, z = (Money(minor, currency) for minor in (a, b, c))

    assert x + y == y + x == Money(a + b, currency)
    assert (x + y) + z == x + (y + z)
    assert x - x == zero(currency)
    assert x - y == x + -y
    assert x + zero(currency) == x


@given(a=MINOR, b=MINOR, currency=CURRENCIES)
def test_is_ordered_by_its_amount(a: int, b: int, currency: str) -> None:
    x, y = Money(a, currency), Money(b, currency)

    assert (x < y, x <= y, x > y, x >= y) == (a < b, a <= b, a > b, a >= b)
    assert min(x, y).amount_minor == min(a, b)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Money(2500, "MYR"), "RM 25.00"),
        (Money(123456789, "MYR"), "RM 1,234,567.89"),
        (Money(199, "USD"), "$1.99"),
        (Money(0, "CNY"), "¥0.00"),
        (Money(-5, "CNY"), "-¥0.05"),
        (Money(1500, "JPY"), "JPY 1,500"),
        (Money(1500, "KWD"), "KWD 1.500"),
        (Money(-1, "CLF"), "-CLF 0.0001"),
        (Money(MAX_MINOR, "EUR"), "EUR 10,000,000,000.00"),
    ],
)
def test_money_is_shown_with_its_own_decimals(amount: Money, shown: str) -> None:
    assert format_money(amount) == shown
