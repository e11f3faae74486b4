"""Money: integer minor units with an ISO 4217 code; decimals come in and go out, floats never.

Rounding is half-up to the minor unit, once, where a named result is made (domain.md G-02).
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import total_ordering
from typing import Final

from libs.common.errors import Invalid

_NO_MINOR = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
# Active codes with two decimals, and withdrawn ones that an old policy may still pay out in.
_TWO = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL
MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG ANG BGN HRK
"""
EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_NO_MINOR.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
    **dict.fromkeys(_FOUR.split(), 4),
}

# One minor unit of a currency with so many decimals.
_UNITS = tuple(Decimal(1).scaleb(-digits) for digits in range(5))

_SYMBOLS: Final = {"MYR": "RM ", "USD": "$", "CNY": "¥"}

# A bigint column holds it with room to add a million of them.
MAX_MINOR = 10**12


# ValueErrors as well, so that decoders report them as a fault of the field.
class UnknownCurrency(Invalid, ValueError):
    code = "unknown-currency"
    title = "The currency is not an ISO 4217 code with money in it"


class BadAmount(Invalid, ValueError):
    code = "bad-amount"
    title = "The amount is not money"


class WrongCurrency(Invalid):
    code = "wrong-currency"
    title = "The amount is in another currency"


def exponent(currency: str) -> int:
    """Decimals of the currency's minor unit: MYR 2, JPY 0, KWD 3."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(
            f"{currency!r} is not an ISO 4217 currency, such as CNY or MYR."
        ) from None


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """`amount_minor` smallest units of `currency`: Money(2500, "MYR") is RM 25.00.

    Its fields are its wire form too: {"amount_minor": 2500, "currency": "MYR"}. Negative only in a
    ledger.
    """

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        minor = self.amount_minor
        # At once for what is right, which is nearly all: a quote is made of thirty of these.
        if (
            type(minor) is int
            and -MAX_MINOR <= minor <= MAX_MINOR
            and self.currency in EXPONENTS
        ):
            return
        if type(self.amount_minor) is not int:
            raise BadAmount(
                f"An amount is a whole number of minor units, not {self.amount_minor!r}."
            )
        if abs(self.amount_minor) > MAX_MINOR:
            raise BadAmount(
                f"{self.amount_minor} minor units is more than the {MAX_MINOR} we handle."
            )
        exponent(self.currency)

    @property
    def decimal(self) -> Decimal:
        return Decimal(self.amount_minor).scaleb(-exponent(self.currency))

    def __str__(self) -> str:
        return f"{self.decimal} {self.currency}"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount_minor + self._same(other).amount_minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount_minor - self._same(other).amount_minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount_minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount_minor < self._same(other).amount_minor

    def _same(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise WrongCurrency(f"{other} cannot be reckoned with {self}.")
        return other


def money(amount: Decimal, currency: str) -> Money:
    """The amount, rounded half-up to the minor unit."""
    return Money(int(rounded(amount, currency).scaleb(exponent(currency))), currency)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """The decimal rounded half-up to the minor unit, and still a decimal: 11.405 MYR -> 11.41."""
    if not amount.is_finite():
        raise BadAmount(f"{amount} is not an amount.")
    return amount.quantize(_UNITS[exponent(currency)], ROUND_HALF_UP)


def exact(amount: Decimal, currency: str) -> Money:
    """The amount as money; BadAmount where it has a fraction of a minor unit."""
    result = money(amount, currency)
    if result.decimal != amount:
        raise BadAmount(f"{amount} has a fraction of the smallest unit of {currency}.")
    return result


def zero(currency: str) -> Money:
    return Money(0, currency)


def format_money(money: Money) -> str:
    """For people: Money(123456, "MYR") is "RM 1,234.56", Money(-5, "KWD") "-KWD 0.005"."""
    return format_minor(money.amount_minor, money.currency)


def format_minor(amount_minor: int, currency: str) -> str:
    """As `format_money`, for a sum that may be more than one amount can be."""
    symbol = _SYMBOLS.get(currency) or f"{currency} "
    sign = "-" if amount_minor < 0 else ""
    digits = exponent(currency)
    if not digits:
        return f"{sign}{symbol}{abs(amount_minor):,}"
    whole, part = divmod(abs(amount_minor), 10**digits)
    return f"{sign}{symbol}{whole:,}.{part:0{digits}}"
