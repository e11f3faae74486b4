"""Amounts and conditions of a plan in words.

Every term has words, so nothing is left out. Those that nobody would follow as a sentence, since
they are nested or reckoned with, are no `is_plain` and stand behind "by the formula".
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from libs.common.plans.registry import FACTS, FactKind
from services.quote.domain.wording.speech import Speaker
from services.quote.domain.wording.terms import (
    NOTHING,
    Choice,
    Compared,
    Either,
    Every,
    Extreme,
    Fact,
    Flag,
    Listed,
    Number,
    Part,
    Product,
    Sum,
    Term,
    Text,
    Tiers,
    Truth,
    Within,
    opposite,
)

_MONEY: Final = "money"
_DAYS: Final = "days"
# What a number fact counts; all others are amounts of the plan's currency.
_UNITS: Final = {
    "transit_days": _DAYS,
    "days_over_standard": _DAYS,
    "quiet_days": _DAYS,
    "tier": "count",
    "claimed_biy_weight_kg": "kg",
    "biy_weight_kg": "kg",
    "order_value_usd": "USD",
}
_NUMBERS: Final = (FactKind.NUMBER, FactKind.LIMIT, FactKind.COUNT)


def is_plain(term: Term) -> bool:
    """Whether the term reads as a sentence; else it is told as a formula."""
    if isinstance(term, Choice):
        outcomes = [one for one in (term.yes, term.no) if one != NOTHING]
        return len(outcomes) == 1 and all(_is_phrase(one) for one in outcomes)
    return _is_phrase(term)


def _is_phrase(term: Term) -> bool:
    if isinstance(term, Extreme):
        return all(_is_short(one) for one in term.terms)
    return _is_short(term)


def _is_short(term: Term) -> bool:
    match term:
        case Sum(plus, minus):
            return bool(plus) and all(_is_atom(one) for one in (*plus, *minus))
        case Product() if isinstance(of := _shared(term), Sum):
            return _is_short(of)
    return _is_atom(term)


def _is_atom(term: Term) -> bool:
    match term:
        case Number() | Fact() | Part() | Text():
            return True
        case Tiers(_, amount):
            return isinstance(amount, Fact)
        case Product():
            return isinstance(_shared(term), Fact | Part) or _is_each(term)
    return False


def _shared(product: Product) -> Term | None:
    """What a share is taken of: 3 % of it, 2/3 of it, half of it. None where it is no share."""
    match product.factors:
        case (Number(), of) if not isinstance(of, Number):
            return of
        case (of,) if product.divisor != 1:
            return of
    return None


def _is_each(product: Product) -> bool:
    """So much for each day or kilogram, or a share of something for each."""
    match product.factors:
        case (Number(), *between, Fact() as last) if len(between) < 2 and product.divisor == 1:
            is_rate = all(isinstance(one, Fact | Part) for one in between)
            return is_rate and unit_of(last) in (_DAYS, "kg")
    return False


def unit_of(term: Term) -> str:
    """What the term counts: money, days, kg, … Empty where any will do."""
    match term:
        case Fact(name):
            is_number = FACTS[name].kind in _NUMBERS
            return _UNITS.get(name, _MONEY) if is_number else ""
        case Part():
            return _MONEY
        case Sum(plus, minus):
            return _first_unit((*plus, *minus))
        case Extreme(_, terms):
            return _first_unit(terms)
        case Choice(_, yes, no):
            return _first_unit((yes, no))
        case Tiers(_, amount):
            return unit_of(amount)
        case Product(factors):
            return _MONEY if _MONEY in map(unit_of, factors) else ""
    return ""


def _first_unit(terms: tuple[Term, ...]) -> str:
    return next((unit for term in terms if (unit := unit_of(term))), "")


@dataclass(frozen=True, slots=True)
class Phrases:
    """Puts a plan's terms in words; amounts without a unit of their own are money."""

    speaker: Speaker
    currency: str

    # --- amounts

    def amount(self, term: Term, unit: str = _MONEY) -> str:
        unit = unit_of(term) or unit
        say = self.speaker.say
        match term:
            case Number(value):
                return self._number(value, unit)
            case Fact(name):
                return self.speaker.word("fact", name)
            case Part(name):
                return self.speaker.word("part", name)
            case Sum(plus, minus):
                return self._sum(plus, minus, unit)
            case Product():
                return self._product(term, unit)
            case Extreme(is_least, terms):
                return self._extreme(terms, unit, is_least=is_least)
            case Choice(condition, yes, no):
                return self._choice(condition, yes, no, unit)
            case Tiers(bands, amount):
                rows, below = [], Decimal(0)
                for band in bands:
                    rows.append(self._band(band.pct, below, band.upto))
                    below = band.upto or below
                of = self._inner(amount, unit)
                return say("tiers", amount=of, rows=self.speaker.itemised(rows))
            case Text(value):
                return value
            case Listed(values):
                return self.speaker.any_of(self.amount(value, unit) for value in values)
        return self.condition(term)

    def _number(self, value: Decimal, unit: str) -> str:
        speaker = self.speaker
        if unit == _DAYS:
            form = "days.1" if value == 1 else "days"
            return speaker.word("unit", form).format(n=speaker.number(value))
        if unit == "kg":
            return f"{speaker.number(value)} kg"
        if unit == "count":
            return speaker.number(value)
        return speaker.money(value, "USD" if unit == "USD" else self.currency)

    def _inner(self, term: Term, unit: str) -> str:
        """The term as an operand: in brackets where it would run into what is around it."""
        phrase = self.amount(term, unit)
        is_one = isinstance(term, Number | Fact | Part | Text) or _is_atom(term)
        return phrase if is_one else self.speaker.bracketed(phrase)

    def _sum(self, plus: tuple[Term, ...], minus: tuple[Term, ...], unit: str) -> str:
        say = self.speaker.say
        added = say("plus").join(self._inner(term, unit) for term in plus or (NOTHING,))
        if not minus:
            return added
        return say("less", amount=added, less=self.amounts(minus, unit))

    def amounts(self, terms: tuple[Term, ...], unit: str = _MONEY) -> str:
        return self.speaker.listed(self._inner(term, unit) for term in terms)

    def _product(self, product: Product, unit: str) -> str:
        say = self.speaker.say
        if _is_each(product):
            return self._each(product, unit)
        of, first = _shared(product), product.factors[0]
        if of is not None and unit_of(of):
            number = first.value if isinstance(first, Number) else Decimal(1)
            return self._share(number, product.divisor, self._inner(of, unit))
        shown = say("times").join(self._factor(factor, unit) for factor in product.factors)
        if product.divisor == 1:
            return shown
        return say("divided", amount=shown, by=self.speaker.number(product.divisor))

    def _each(self, product: Product, unit: str) -> str:
        """40 for each kilogram; 1 % of the sum insured for each day."""
        number, *between, last = product.factors
        assert isinstance(number, Number)
        assert isinstance(last, Fact)
        each = self.speaker.word("each", last.name)
        if between:
            rate = self._share(number.value, Decimal(1), self._inner(between[0], unit))
        else:
            rate = self._number(number.value, unit)
        return self.speaker.say("for_each", amount=rate, each=each)

    def _share(self, number: Decimal, divisor: Decimal, amount: str) -> str:
        """2/3, 20 % or 1.5 times of the amount."""
        speaker = self.speaker
        if divisor != 1:
            share = f"{speaker.number(number)}/{speaker.number(divisor)}"
            return speaker.say("share", share=share, amount=amount)
        if number < 1:
            return speaker.say("share", share=speaker.percent(number), amount=amount)
        return speaker.say("so_many_times", number=speaker.number(number), amount=amount)

    def _factor(self, factor: Term, unit: str) -> str:
        if isinstance(factor, Number):
            return self.speaker.number(factor.value)
        return self._inner(factor, unit)

    def _extreme(self, terms: tuple[Term, ...], unit: str, *, is_least: bool) -> str:
        numbers = [term for term in terms if isinstance(term, Number)]
        others = [term for term in terms if not isinstance(term, Number)]
        if len(numbers) == len(others) == 1 and _is_short(others[0]):
            return self.speaker.say(
                "at_most" if is_least else "at_least",
                amount=self._inner(others[0], unit),
                number=self._number(numbers[0].value, unit),
            )
        code = (
            ("lower" if is_least else "higher")
            if len(terms) == 2
            else ("lowest" if is_least else "highest")
        )
        items = self.speaker.itemised(
            self.amount(term, unit) if _is_short(term) else self._inner(term, unit)
            for term in terms
        )
        return self.speaker.say(code, items=items)

    def _choice(self, condition: Term, yes: Term, no: Term, unit: str) -> str:
        say = self.speaker.say
        if yes == NOTHING and no != NOTHING:
            condition, yes, no = opposite(condition), no, yes
        if no == NOTHING:
            # Behind a list the condition would seem to be about its last entry only.
            code = "nothing_unless" if isinstance(yes, Extreme) else "only_if"
            amount = self.amount(yes, unit)
            return say(code, amount=amount, condition=self.condition(condition))
        return say(
            "if_else",
            condition=self.condition(condition),
            yes=self._inner(yes, unit),
            no=self._inner(no, unit),
        )

    def _band(self, share: Decimal, above: Decimal, upto: Decimal | None) -> str:
        low, high = self._number(above, _MONEY), self._number(upto or above, _MONEY)
        code = "band_above" if upto is None else "band" if above else "band_first"
        return self.speaker.say(code, share=self.speaker.percent(share), above=low, upto=high)

    # --- conditions

    def condition(self, term: Term, *, is_inner: bool = False) -> str:
        speaker = self.speaker
        match term:
            case Truth(value):
                return speaker.say("always" if value else "never")
            case Flag(name, holds):
                return speaker.word("flag" if holds else "flag_not", name)
            case Compared(relation, left, right):
                return self._compared(relation, left, right)
            case Within(element, elements, holds):
                return self._within(element, elements, holds=holds)
            case Every(terms) | Either(terms):
                join = "all" if isinstance(term, Every) else "any"
                phrases = [self.condition(one, is_inner=True) for one in terms]
                joined = speaker.clauses(phrases, join)
                return speaker.bracketed(joined) if is_inner else joined
        return self.amount(term)

    def _compared(self, relation: str, left: Term, right: Term) -> str:
        speaker = self.speaker
        if isinstance(left, Fact) and isinstance(right, Text):
            return self._is(left.name, [right.value], holds=relation == "==")
        if idiom := self._idiom(relation, left, right):
            return idiom
        unit = unit_of(left) or unit_of(right) or _MONEY
        return speaker.word("compare", relation).format(
            left=self._inner(left, unit), right=self._inner(right, unit)
        )

    def _idiom(self, relation: str, left: Term, right: Term) -> str | None:
        """What people say instead of `x > 0` or `x == y` of two facts they know."""
        if not isinstance(left, Fact):
            return None
        if right == NOTHING:
            kind = {">": "some", "!=": "some", "==": "none", "<=": "none"}.get(relation, "")
            return self.speaker.find(kind, left.name)
        if isinstance(right, Fact) and relation in ("==", "!="):
            kind = "same" if relation == "==" else "differ"
            return self.speaker.find(kind, f"{left.name} {right.name}")
        return None

    def _within(self, element: Term, elements: Term, *, holds: bool) -> str:
        if isinstance(element, Text) and isinstance(elements, Fact):
            return self._has(elements.name, element.value, holds=holds)
        if isinstance(element, Fact) and isinstance(elements, Listed):
            values = [str(one.value) for one in elements.values]
            return self._is(element.name, values, holds=holds)
        code = "among" if holds else "not_among"
        return self.speaker.say(
            code, element=self.amount(element), elements=self.amount(elements)
        )

    def _is(self, fact: str, values: list[str], *, holds: bool) -> str:
        """The parcel goes to Germany or Austria."""
        speaker = self.speaker
        said = speaker.any_of(speaker.value(fact, value) for value in values)
        kind = "is" if holds else "is_not"
        template = speaker.find(kind, fact) or speaker.word(kind, "fact")
        return template.format(fact=speaker.word("fact", fact), value=said)

    def _has(self, facts: str, value: str, *, holds: bool) -> str:
        """Its cause is water."""
        speaker = self.speaker
        kind = "has" if holds else "has_not"
        template = speaker.find(kind, facts) or speaker.word(kind, "facts")
        return template.format(
            facts=speaker.word("fact", facts), value=speaker.value(facts, value)
        )
