"""Expressions as they are put in words: the tree means what the plan's own expression means."""

from collections.abc import Mapping
from decimal import Decimal
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.plans.expressions import Vocabulary, compile_expression
from libs.common.plans.registry import EXPRESSION_FACTS
from libs.common.plans.terms import Kind, marginal
from libs.common.plans.values import Parts
from services.quote.domain.wording import LANGUAGES
from services.quote.domain.wording.phrases import Phrases, is_plain
from services.quote.domain.wording.speech import Speaker
from services.quote.domain.wording.terms import (
    NO,
    YES,
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
    Reader,
    Sum,
    Term,
    Text,
    Tiers,
    Truth,
    Within,
)
from tests.plans.builders import a_plan

PARAMS = (
    'params: {tier: [{upto: "2000", pct: "1.00"}, {upto: null, pct: "0.80"}], cap: "400", '
    'share: "0.20", modes: [air, sea], name: EMS, '
)
PLAN = a_plan(
    **{
        "params: {": PARAMS,
        "let:": "let:\n"
        '  doubled: "2 * goods_value"\n'
        '  both: "delivered and vip"\n'
        '  freight: "iff(delivered, shipping_fee, 0)"',
    }
)
VOCABULARY = Vocabulary(facts=EXPRESSION_FACTS, params=PLAN.params, lets=PLAN.lets)

# --- what a tree means -----------------------------------------------------------------------


def meaning(term: Term, facts: Mapping[str, Any]) -> Any:
    """The value of the tree for these facts, reckoned as plainly as can be."""

    def of(one: Term) -> Any:
        return meaning(one, facts)

    match term:
        case Number(value) | Text(value) | Truth(value):
            return value
        case Listed(values):
            return tuple(one.value for one in values)
        case Fact(name):
            return facts[name]
        case Flag(name, holds):
            return facts[name] is holds
        case Sum(plus, minus):
            return sum(map(of, plus), Decimal(0)) - sum(map(of, minus), Decimal(0))
        case Product(factors, divisor):
            return reduce(lambda a, b: a * b, map(of, factors), Decimal(1)) / divisor
        case Extreme(is_least, terms):
            return min(map(of, terms)) if is_least else max(map(of, terms))
        case Choice(condition, yes, no):
            return of(yes) if of(condition) else of(no)
        case Tiers(bands, amount):
            return marginal(bands, of(amount))
        case Within(element, elements, holds):
            return (of(element) in of(elements)) is holds
        case Every(terms):
            return all(map(of, terms))
        case Either(terms):
            return any(map(of, terms))
        case Compared(relation, left, right):
            a, b = of(left), of(right)
            if relation in ("==", "!="):
                return (a == b) is (relation == "==")
            return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[relation]
    raise AssertionError(term)


def compiled(text: str) -> Any:
    return compile_expression(text, VOCABULARY, expects=tuple(Kind))


NUMBERS = ("goods_value", "shipping_fee", "paid", "days_over_standard")
FLAGS = ("delivered", "vip")

atoms = st.sampled_from([*NUMBERS, "cap", "share", "doubled", "freight", "0", "2", "0.5"])
conditions_of_nothing = st.sampled_from([*FLAGS, "both", "True", "False"])


def _amounts(parts: tuple[st.SearchStrategy[str], st.SearchStrategy[str]]) -> Any:
    amount, condition = parts
    pair = st.tuples(amount, amount)
    return st.one_of(
        pair.map(lambda ab: f"({ab[0]} + {ab[1]})"),
        pair.map(lambda ab: f"({ab[0]} - {ab[1]})"),
        pair.map(lambda ab: f"({ab[0]} * {ab[1]})"),
        amount.map(lambda a: f"(-{a})"),
        amount.map(lambda a: f"({a} / 4)"),
        pair.map(lambda ab: f"min({ab[0]}, {ab[1]})"),
        pair.map(lambda ab: f"max({ab[0]}, {ab[1]}, 7)"),
        amount.map(lambda a: f"band('tier', {a})"),
        st.tuples(condition, amount, amount).map(
            lambda cab: f"iff({cab[0]}, {cab[1]}, {cab[2]})"
        ),
    )


def _conditions(parts: tuple[st.SearchStrategy[str], st.SearchStrategy[str]]) -> Any:
    amount, condition = parts
    pair = st.tuples(condition, condition)
    relation = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    return st.one_of(
        pair.map(lambda ab: f"({ab[0]} and {ab[1]})"),
        pair.map(lambda ab: f"({ab[0]} or {ab[1]})"),
        condition.map(lambda a: f"(not {a})"),
        pair.map(lambda ab: f"({ab[0]} == {ab[1]})"),
        st.tuples(amount, relation, amount).map(lambda arb: f"({' '.join(arb)})"),
        st.sampled_from(
            ["(peril == 'LOSS')", "(peril != 'DELAY')", "('water' in causes)", "(mode in modes)",
             "(line == name)", "(destination not in ['DE', ''])", "('EMS' == line)", "('air' in modes)"]
        ),
        st.tuples(condition, condition, condition).map(lambda abc: f"iff({', '.join(abc)})"),
    )  # fmt: skip


amounts, conditions = atoms, conditions_of_nothing
for _ in range(3):
    amounts, conditions = (
        st.one_of(amounts, _amounts((amounts, conditions))),
        st.one_of(conditions, _conditions((amounts, conditions))),
    )

worlds = st.fixed_dictionaries(
    {
        **{
            name: st.sampled_from([Decimal(0), Decimal(1), Decimal("2500.5")])
            for name in NUMBERS
        },
        **{name: st.booleans() for name in FLAGS},
        "peril": st.sampled_from(["LOSS", "DELAY"]),
        "causes": st.sampled_from([(), ("water",), ("riot", "water")]),
        "mode": st.sampled_from(["", "air", "road"]),
        "line": st.sampled_from(["", "EMS"]),
        "destination": st.sampled_from(["", "DE", "US"]),
    }
)


def with_lets(facts: Mapping[str, Any]) -> dict[str, Any]:
    world = dict(facts)
    for name in ("doubled", "both", "freight"):
        world[name] = PLAN.lets[name].evaluate(world)
    return world


@settings(max_examples=400)
@given(text=st.one_of(amounts, conditions), facts=worlds)
def test_the_tree_means_what_the_expression_means(text: str, facts: dict[str, Any]) -> None:
    world, expression = with_lets(facts), compiled(text)

    assert meaning(Reader(PLAN).read(expression), world) == expression.evaluate(world)


@pytest.mark.parametrize("relation", ["==", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("paid", [Decimal(1), Decimal(2), Decimal(3)])
@pytest.mark.parametrize("text", ["not (paid {} 2)", "2 {} paid", "not (2 {} paid)"])
def test_a_comparison_may_be_turned_round(relation: str, paid: Decimal, text: str) -> None:
    expression = compiled(text.format(relation))

    assert meaning(Reader(PLAN).read(expression), {"paid": paid}) == expression.evaluate(
        {"paid": paid}
    )


@given(text=st.one_of(amounts, conditions), facts=worlds)
def test_what_is_known_beforehand_changes_no_meaning(text: str, facts: dict[str, Any]) -> None:
    world, expression = with_lets(facts), compiled(text)
    reader = Reader(PLAN).of_peril(world["peril"], Parts())

    assert meaning(reader.read(expression), world) == expression.evaluate(world)


@given(text=st.one_of(amounts, conditions), language=st.sampled_from(sorted(LANGUAGES)))
def test_every_expression_has_words(text: str, language: str) -> None:
    term = Reader(PLAN).read(compiled(text))

    said = Phrases(Speaker(language), "CNY").amount(term)

    assert said.strip()
    for leak in ("_", "{", "None", "iff", "Decimal"):
        assert leak not in said


# --- in which words --------------------------------------------------------------------------


def said(text: str) -> tuple[str, bool]:
    """The words, and whether they read as a sentence about an amount."""
    term = Reader(PLAN).read(compiled(text))
    return Phrases(Speaker("en"), "CNY").amount(term), is_plain(term)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("goods_value", "the value of the goods"),
        ("100.5", "¥100.50"),
        ("0.125", "0.125 CNY"),
        ("goods_value - paid", "the value of the goods, less what this insurance has already "
         "paid for goods"),
        ("share * goods_value", "20% of the value of the goods"),
        ("goods_value * 2 / 3", "2/3 of the value of the goods"),
        ("2 * (goods_value + shipping_fee)",
         "2 times (the value of the goods plus the shipping fee)"),
        ("min(goods_value, cap)", "the value of the goods (counted up to ¥400.00)"),
        ("max(goods_value, cap)", "the value of the goods (counted as at least ¥400.00)"),
        ("min(goods_value, premium)", "the lower of these two: the value of the goods; the premium"),
        ("40 * biy_weight_kg", "¥40.00 for each kilogram of the goods that you bought yourself"),
        ("premium * 0.01 * days_over_standard",
         "1% of the premium for each day beyond the standard delivery time"),
        ("iff(vip, premium, 0)", "the premium, if you are a VIP customer"),
        ("iff(vip, 0, premium)", "the premium, if you are not a VIP customer"),
        ("iff(vip, min(premium, paid), 0)", "nothing unless you are a VIP customer; if so, the "
         "lower of these two: the premium; what this insurance has already paid for goods"),
        ("band('tier', goods_value)", "an amount in tiers of the value of the goods (100% of the "
         "part up to ¥2,000.00; 80% of the part above ¥2,000.00)"),
        ("order_value_usd > 100", "the value of the order in US dollars is more than $100.00"),
        ("days_over_standard < 1", "the delay beyond the standard delivery time is less than 1 day"),
        ("100 < goods_value", "the value of the goods is more than ¥100.00"),
        ("not (vip and delivered)",
         "you are not a VIP customer or the parcel has not been delivered"),
        ("vip and (delivered or packed)", "you are a VIP customer and (the parcel has been "
         "delivered or the parcel has been packed)"),
        ("claimed_biy_value > 0", "you claim for goods that you bought yourself"),
        ("claimed_biy_value != claimed_value", "you claim for other goods too"),
        ("destination in ['DE', 'AT']", "its destination is Germany or Austria"),
        ("mode not in modes", "the parcel does not travel by air or sea"),
        ("'riot' not in causes", "the cause is not riot"),
        ("'gift_wrap' in options", "gift wrap was chosen"),
        ("point == ''", "the place where you buy it is not stated"),
        ("line == name", "the parcel goes by EMS"),
        ("peril == 'TAX'", "you claim for unexpected duty or tax"),
        ("tier in [1, 2]", "the stage of the appeal is 1 or 2"),
    ],
)  # fmt: skip
def test_what_is_simple_is_said_as_people_say_it(text: str, phrase: str) -> None:
    is_amount = compiled(text).kind is not Kind.BOOL

    assert said(text) == (phrase, is_amount)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("goods_value * shipping_fee", "the value of the goods × the shipping fee"),
        ("min(goods_value, max(premium, paid - 1))", "the lower of these two: the value of the "
         "goods; (the higher of these two: the premium; what this insurance has already paid for "
         "goods, less ¥1.00)"),
        ("iff(vip, premium, paid)", "if you are a VIP customer: the premium; otherwise: what this "
         "insurance has already paid for goods"),
        ("min(goods_value, premium) - paid", "(the lower of these two: the value of the goods; the "
         "premium), less what this insurance has already paid for goods"),
    ],
)  # fmt: skip
def test_what_is_nested_or_reckoned_is_told_as_a_formula(text: str, phrase: str) -> None:
    assert said(text) == (phrase, False)


@pytest.mark.parametrize(
    ("text", "known", "term"),
    [
        ("peril == 'LOSS' or vip", "LOSS", YES),
        ("peril == 'LOSS' and vip", "DELAY", NO),
        ("iff(peril == 'LOSS', premium, paid)", "LOSS", Fact("premium")),
        ("not ('air' in modes)", "LOSS", NO),
        ("premium + 0", "LOSS", Fact("premium")),
        ("2 * 3 * premium", "LOSS", Product((Number(Decimal(6)), Fact("premium")))),
    ],
)
def test_what_is_settled_is_folded(text: str, known: str, term: Term) -> None:
    assert Reader(PLAN, {"peril": known}).read(compiled(text)) == term


def test_a_part_that_the_plan_names_stays_one_and_can_be_opened() -> None:
    parts = Parts(shipping=compiled("freight"))

    reader = Reader(PLAN).of_peril("LOSS", parts)

    assert reader.read(compiled("premium + freight")) == Sum(
        (Fact("premium"), Part("shipping"))
    )
    assert reader.parts == {"freight": "shipping"}
    assert isinstance(reader.inside("freight"), Choice)


def test_decimals_are_read_from_the_text_and_not_from_a_float() -> None:
    long = "0.12345678901234567890123"

    assert Reader(PLAN).read(compiled(long)) == Number(Decimal(long))
