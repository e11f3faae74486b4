"""Typed terms of an expression, and how they are joined into closures; constants fold at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

NO_LIMIT = Decimal("Infinity")

Run = Callable[[Mapping[str, Any]], Any]


class Kind(Enum):
    """The type of a term, in the words of a refusal."""

    NUMBER = "a number"
    LIMIT = "a number that may be unset"
    BOOL = "true or false"
    TEXT = "a text"
    TEXTS = "a list of texts"
    NUMBERS = "a list of numbers"


@dataclass(frozen=True, slots=True)
class Band:
    """A marginal band: `pct` of what lies below `upto` and above the band before. None: no end."""

    upto: Decimal | None
    pct: Decimal


@dataclass(frozen=True, slots=True)
class Term:
    kind: Kind
    run: Run
    names: frozenset[str] = frozenset()
    digits: int = 0
    is_constant: bool = False
    words: frozenset[str] | None = None

    @property
    def value(self) -> Any:
        return self.run({})


def marginal(bands: tuple[Band, ...], amount: Decimal) -> Decimal:
    """Each band's percentage of the part of the amount that lies in it, added up."""
    total, lower = Decimal(0), Decimal(0)
    for band in bands:
        upper = amount if band.upto is None else min(amount, band.upto)
        if upper <= lower:
            break
        total += (upper - lower) * band.pct
        lower = upper
    return total


def fixed(kind: Kind, value: Any) -> Term:
    digits = digits_of(value) if isinstance(value, Decimal) else 0
    return Term(kind, lambda _: value, digits=digits, is_constant=True)


def digits_of(value: Decimal) -> int:
    return max(0, value.adjusted() + 1)


def binary(
    operate: Callable[[Any, Any], Any], left: Term, right: Term, kind: Kind, digits: int
) -> Term:
    a, b = left.run, right.run
    if left.is_constant and right.is_constant:
        return fixed(kind, operate(a({}), b({})))
    names = left.names | right.names
    if right.is_constant:
        known = right.value
        return Term(kind, lambda f: operate(a(f), known), names, digits)
    if left.is_constant:
        known = left.value
        return Term(kind, lambda f: operate(known, b(f)), names, digits)
    return Term(kind, lambda f: operate(a(f), b(f)), names, digits)


def unary(operate: Callable[[Any], Any], term: Term) -> Term:
    if term.is_constant:
        return fixed(term.kind, operate(term.value))
    run = term.run
    return Term(term.kind, lambda f: operate(run(f)), term.names, term.digits)


def both(left: Term, right: Term) -> Term:
    a, b = left.run, right.run
    return Term(Kind.BOOL, lambda f: a(f) and b(f), left.names | right.names)


def either(left: Term, right: Term) -> Term:
    a, b = left.run, right.run
    return Term(Kind.BOOL, lambda f: a(f) or b(f), left.names | right.names)


def conditional(condition: Term, yes: Term, no: Term) -> Term:
    test, a, b = condition.run, yes.run, no.run
    kind = Kind.LIMIT if Kind.LIMIT in (yes.kind, no.kind) else yes.kind
    names = condition.names | yes.names | no.names
    return Term(kind, lambda f: a(f) if test(f) else b(f), names, max(yes.digits, no.digits))
