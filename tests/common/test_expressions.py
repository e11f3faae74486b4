"""The expression language: what it computes, what it refuses, and that it never surprises."""

import ast
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from libs.common.plans.expressions import (
    BadExpression,
    Name,
    Param,
    Vocabulary,
    compile_expression,
)
from libs.common.plans.terms import NO_LIMIT, Band, Kind

BANDS = (
    Band(upto=Decimal(2000), pct=Decimal("1.00")),
    Band(upto=Decimal(5000), pct=Decimal("0.80")),
    Band(upto=None, pct=Decimal(0)),
)
PARAMS: Mapping[str, Param] = {
    "rate": Decimal("0.035"),
    "cap": Decimal(5000),
    "days": Decimal(61),
    "zero": Decimal(0),
    "region": "EU",
    "modes": ("air", "sea"),
    "tier": BANDS,
    "quiet": {"domestic": 7},
}
VOCABULARY = Vocabulary(
    facts={
        "goods_value": Name(kind=Kind.NUMBER),
        "paid": Name(kind=Kind.NUMBER),
        "goods_limit": Name(kind=Kind.LIMIT),
        "whole_parcel": Name(kind=Kind.BOOL),
        "packed": Name(kind=Kind.BOOL),
        "destination": Name(kind=Kind.TEXT),
        "peril": Name(kind=Kind.TEXT, words=frozenset({"LOSS", "DAMAGE"})),
        "options": Name(kind=Kind.TEXTS),
        "causes": Name(kind=Kind.TEXTS, words=frozenset({"water", "riot"})),
        "tiers": Name(kind=Kind.NUMBERS),
    },
    params=PARAMS,
    barred={"paid_at": "it is a time"},
)
FACTS: dict[str, Any] = {
    "goods_value": Decimal("1200.50"),
    "paid": Decimal(200),
    "goods_limit": NO_LIMIT,
    "whole_parcel": True,
    "packed": False,
    "destination": "DE",
    "peril": "LOSS",
    "options": ("waterproof",),
    "causes": ("water",),
    "tiers": (Decimal(1),),
}
ANY = tuple(Kind)


def value(text: str, **facts: Any) -> Any:
    return compile_expression(text, VOCABULARY, expects=ANY).evaluate({**FACTS, **facts})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1 + 0.2", Decimal("0.3")),
        ("goods_value * rate", Decimal("42.01750")),
        ("goods_value - paid * 2", Decimal("800.50")),
        ("-paid / 4", Decimal(-50)),
        ("goods_value / days", Decimal("1200.50") / 61),
        ("min(goods_value, cap, 900)", Decimal(900)),
        ("max(paid, 1.5)", Decimal(200)),
        ("min(goods_value, goods_limit - paid)", Decimal("1200.50")),
        ("goods_limit + paid", NO_LIMIT),
        ("iff(packed, paid, goods_value)", Decimal("1200.50")),
        ("band('tier', 3000)", Decimal(2800)),
        ("band('tier', goods_value * 5)", Decimal(4400)),
        ("band('tier', paid - 500)", Decimal(0)),
        ("goods_value > 1200 and not packed", True),
        ("packed or paid == 200", True),
        ("goods_limit < 10", False),
        ("goods_limit == goods_limit", True),
        ("destination == 'DE' and region != 'US'", True),
        ("destination in ['DE', 'FR']", True),
        ("'sea' in modes and 'rail' not in modes", True),
        ("'water' in causes", True),
        ("peril == 'DAMAGE'", False),
        ("1 in tiers", True),
        ("2 in [1, 2]", True),
        ("whole_parcel == packed", False),
        ("True", True),
        ("['a']", ("a",)),
    ],
)
def test_computes_exactly_in_decimals(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("goods_valu", "unknown name 'goods_valu'; did you mean 'goods_value'?"),
        ("paid_at", "paid_at cannot stand in an expression: it is a time"),
        ("goods_value / paid", "division by 'paid', which a parcel could make zero"),
        ("goods_value / (paid + 1)", "division by 'paid + 1'"),
        ("paid / zero", "division by zero"),
        ("paid / (rate - rate)", "division by zero"),
        ("paid + destination", "'destination' is a text; a number is needed here"),
        ("paid + packed", "'packed' is true or false; a number is needed here"),
        ("not paid", "'paid' is a number; true or false is needed here"),
        ("packed and paid", "'paid' is a number; true or false is needed here"),
        ("paid == 'DE'", "mixes a number and a text"),
        ("destination < 'DE'", "a text has no order; compare with == or in"),
        ("options == options", "a list of texts has no order"),
        (
            "'D' in destination",
            "'in' looks for a text in a list of texts, not a text in a text",
        ),
        ("paid in options", "not a number in a list of texts"),
        ("1 < paid < 3", "one comparison at a time"),
        ("peril == 'LOS'", "'LOS' is never a value of that fact; did you mean 'LOSS'?"),
        ("'watre' in causes", "'watre' is never a value of that fact; did you mean 'water'?"),
        ("peril in ['LOSS', 'THEFT']", "'THEFT' is never a value of that fact"),
        ("goods_limit * 2", "'goods_limit' may be no limit at all"),
        ("paid - goods_limit", "'goods_limit' may be no limit at all"),
        ("-goods_limit", "'goods_limit' may be no limit at all"),
        ("band('tier', goods_limit)", "'goods_limit' may be no limit at all"),
        ("band('tiers', paid)", "params has no table of bands 'tiers'"),
        ("band(tier, paid)", "band takes the name of a table in params, in quotes"),
        ("band('quiet', paid)", "params has no table of bands 'quiet'"),
        ("tier + 1", "the table 'tier' is no value; read it with band('tier', x)"),
        ("min(paid)", "min compares two numbers or more"),
        ("max(paid, destination)", "'destination' is a text; a number is needed here"),
        ("iff(paid, 1, 2)", "'paid' is a number; true or false is needed here"),
        ("iff(packed, 1, 'a')", "mixes a number and a text"),
        ("iff(packed, 1)", "iff takes a condition and two values"),
        ("sum([1, 2])", "'sum' cannot be called; there are min, max, iff, band"),
        ("min(paid, key=packed)", "'min' cannot be called"),
        ("paid.real", "'paid.real' has no meaning here"),
        ("options[0]", "'options[0]' has no meaning here"),
        ("paid if packed else 1", "has no meaning here"),
        ("lambda: 1", "has no meaning here"),
        ("[x for x in options]", "has no meaning here"),
        ("(lambda: 1)()", "cannot be called"),
        ("f'{paid}'", "has no meaning here"),
        ("paid ** 9", "only + - * / are reckoned with"),
        ("paid // 2", "only + - * / are reckoned with"),
        ("paid % 2", "only + - * / are reckoned with"),
        ("paid is 2", "compare with == != < <= > >= in, not in"),
        ("+paid", "only 'not' and '-' stand before a term"),
        ("1e5", "1e5 is not a plain decimal such as 0.05"),
        ("0x10", "0x10 is not a plain decimal"),
        ("1_000", "1_000 is not a plain decimal"),
        ("2j", "2j is not a plain decimal"),
        ("None", "None is not a plain decimal"),
        ("b'x'", "is not a plain decimal"),
        ("[1, 'a']", "a list holds texts only or decimals only"),
        ("[destination]", "a list holds texts or decimals written out"),
        ("paid +", "column 7"),
        ("", "column"),
        ("'a\\n'", "one line of readable text, without backslashes"),
        ("1 if", "column"),
        ("0in tiers", "column"),
    ],
)
def test_refuses_with_the_column_and_the_reason(text: str, reason: str) -> None:
    with pytest.raises(BadExpression) as refused:
        compile_expression(text, VOCABULARY, expects=ANY)

    assert reason in refused.value.detail


def test_names_the_column_of_the_term_that_is_wrong() -> None:
    with pytest.raises(BadExpression, match=r"^column 15: unknown name 'nobody'"):
        compile_expression("  goods_value + nobody", VOCABULARY, expects=ANY)


def test_refuses_a_value_of_another_kind_than_the_place_needs() -> None:
    with pytest.raises(
        BadExpression, match=r"'paid' is a number; true or false is needed here"
    ):
        compile_expression("paid", VOCABULARY, expects=[Kind.BOOL])


def test_takes_a_number_where_it_may_also_be_unset_but_not_the_reverse() -> None:
    compile_expression("paid", VOCABULARY, expects=[Kind.LIMIT])
    with pytest.raises(BadExpression, match="a number that may be unset; a number is needed"):
        compile_expression("goods_limit", VOCABULARY, expects=[Kind.NUMBER])


@pytest.mark.parametrize(
    "text",
    [
        "1" * 601,
        "+".join(["paid"] * 80),
        "(" * 90 + "1" + ")" * 90 + "+ paid" * 60,
        "not " * 40 + "packed",
        "-" * 500 + "1",
        "min(" * 40 + "1" + ",1)" * 40,
        "[" * 250 + "]" * 250,
    ],
)
def test_is_bounded_in_length_terms_and_depth(text: str) -> None:
    with pytest.raises(BadExpression):
        compile_expression(text, VOCABULARY, expects=ANY)


def test_refuses_numbers_that_could_grow_beyond_what_decimals_hold() -> None:
    power = compile_expression("*".join(["paid"] * 30), VOCABULARY, expects=ANY)
    vocabulary = Vocabulary(facts=VOCABULARY.facts, lets={"power": power})

    with pytest.raises(BadExpression, match="could grow beyond all bounds"):
        compile_expression("*".join(["power"] * 7), vocabulary, expects=ANY)


def test_folds_constants_and_params_when_compiled() -> None:
    folded = compile_expression("rate * 2 > 1 or packed", VOCABULARY, expects=ANY)

    assert folded.names == frozenset({"packed"})
    assert compile_expression("1 > 0 or packed", VOCABULARY, expects=ANY).evaluate({}) is True


def test_reports_the_facts_it_reads_also_through_a_let() -> None:
    loss = compile_expression("goods_value - paid", VOCABULARY, expects=ANY)
    vocabulary = Vocabulary(facts=VOCABULARY.facts, lets={"loss": loss})

    assert compile_expression("loss * 2", vocabulary, expects=ANY).names == {
        "goods_value",
        "paid",
    }


def test_reads_only_the_side_that_is_chosen() -> None:
    choice = compile_expression("iff(packed, goods_value, paid)", VOCABULARY, expects=ANY)
    either = compile_expression("packed or paid > 1", VOCABULARY, expects=ANY)

    assert choice.evaluate({"packed": True, "goods_value": Decimal(1)}) == 1
    assert either.evaluate({"packed": True}) is True


# --- Against a naive interpreter ---------------------------------------------------------------

_NUMBERS = st.one_of(
    st.sampled_from(["goods_value", "paid", "rate", "cap", "days", "zero"]),
    st.decimals(0, 1000, places=2).map(str),
)
_TEXTS = st.sampled_from(["destination", "region", "'DE'", "'EU'", "''"])
_LISTS = st.sampled_from(["options", "modes", "['DE', 'EU']", "[]"])
_FLAGS = st.sampled_from(["whole_parcel", "packed", "True", "False"])


def _numbers(
    of: st.SearchStrategy[str], flags: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    divisors = st.sampled_from(["rate", "days", "2", "0.5", "(cap + 1)"])
    return st.one_of(
        st.tuples(of, st.sampled_from("+-*"), of).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(of, divisors).map(lambda t: f"({t[0]} / {t[1]})"),
        of.map(lambda t: f"(-{t})"),
        st.tuples(st.sampled_from(["min", "max"]), st.lists(of, min_size=2, max_size=3)).map(
            lambda t: f"{t[0]}({', '.join(t[1])})"
        ),
        st.tuples(flags, of, of).map(lambda t: f"iff({t[0]}, {t[1]}, {t[2]})"),
        of.map(lambda t: f"band('tier', {t})"),
    )


def _flags(
    numbers: st.SearchStrategy[str], of: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    orders = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    return st.one_of(
        st.tuples(numbers, orders, numbers).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(_TEXTS, st.sampled_from(["==", "!="]), _TEXTS).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(_TEXTS, st.sampled_from(["in", "not in"]), _LISTS).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(of, min_size=2, max_size=3)).map(
            lambda t: "(" + f" {t[0]} ".join(t[1]) + ")"
        ),
        of.map(lambda t: f"(not {t})"),
    )


_NUMBER_1 = st.one_of(_NUMBERS, _numbers(_NUMBERS, _FLAGS))
_FLAG_1 = st.one_of(_FLAGS, _flags(_NUMBERS, _FLAGS))
_NUMBER_2 = _numbers(_NUMBER_1, _FLAG_1)
_EXPRESSION = st.one_of(_NUMBER_2, _flags(_NUMBER_2, _FLAG_1))


def interpreted(text: str, facts: Mapping[str, Any]) -> Any:
    """Walks the tree, term by term, with no cleverness at all."""

    def walk(node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | str() as plain):
                return plain
            case ast.Constant():
                return Decimal(ast.get_source_segment(text, node) or "")
            case ast.Name(id=name):
                return facts[name] if name in facts else PARAMS[name]
            case ast.List(elts=elements):
                return [walk(element) for element in elements]
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not walk(operand)
            case ast.UnaryOp(operand=operand):
                return -walk(operand)
            case ast.BoolOp(op=ast.And(), values=values):
                return all([walk(one) for one in values])
            case ast.BoolOp(values=values):
                return any([walk(one) for one in values])
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return call(name, [walk(one) for one in arguments])
            case ast.BinOp(left=left, op=op, right=right):
                return arithmetic(op, walk(left), walk(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return compare(op, walk(left), walk(right))
        raise AssertionError(ast.dump(node))

    return walk(ast.parse(text, mode="eval").body)


def call(name: str, arguments: list[Any]) -> Any:
    if name == "iff":
        return arguments[1] if arguments[0] else arguments[2]
    if name == "band":
        amount = arguments[1]
        first = max(Decimal(0), min(amount, Decimal(2000)))
        second = max(Decimal(0), min(amount, Decimal(5000)) - 2000)
        return first * Decimal("1.00") + second * Decimal("0.80")
    return min(arguments) if name == "min" else max(arguments)


def arithmetic(op: ast.operator, left: Decimal, right: Decimal) -> Decimal:
    if isinstance(op, ast.Add):
        return left + right
    if isinstance(op, ast.Sub):
        return left - right
    return left * right if isinstance(op, ast.Mult) else left / right


def compare(op: ast.cmpop, left: Any, right: Any) -> bool:
    answers: dict[type[ast.cmpop], Callable[[], object]] = {
        ast.Eq: lambda: left == right,
        ast.NotEq: lambda: left != right,
        ast.Lt: lambda: left < right,
        ast.LtE: lambda: left <= right,
        ast.Gt: lambda: left > right,
        ast.GtE: lambda: left >= right,
        ast.In: lambda: left in right,
        ast.NotIn: lambda: left not in right,
    }
    return bool(answers[type(op)]())


_CASES = st.fixed_dictionaries(
    {
        "goods_value": st.decimals(0, 10**9, places=2),
        "paid": st.decimals(0, 10**9, places=12),
        "goods_limit": st.just(NO_LIMIT) | st.decimals(0, 10**9, places=2),
        "whole_parcel": st.booleans(),
        "packed": st.booleans(),
        "destination": st.sampled_from(["", "DE", "US"]),
        "peril": st.sampled_from(["LOSS", "DAMAGE"]),
        "options": st.sampled_from([(), ("DE",), ("waterproof", "EU")]),
        "causes": st.just(("water",)),
        "tiers": st.just((Decimal(1),)),
    }
)


@settings(max_examples=400, deadline=None)
@given(text=_EXPRESSION, facts=_CASES)
def test_a_compiled_expression_says_what_a_naive_interpreter_says(
    text: str, facts: dict[str, Any]
) -> None:
    try:
        compiled = compile_expression(text, VOCABULARY, expects=ANY)
    except BadExpression as refused:
        # Only the bounds can refuse what is well typed.
        if "characters" in refused.detail or "name parts" in refused.detail:
            return
        raise
    assert compiled.evaluate(facts) == interpreted(text, facts)


_WORDS = """
goods_value paid goods_limit whole_parcel packed destination peril options causes rate cap zero
tier 'tier' 'DE' 'LOSS' 0 1 0.05 999999999999999 ( ) ( ) [ ] , + - * / == != < > <= >= in not and
or min( max( iff( band( True False paid_at nobody
"""
_TOKENS = st.sampled_from(_WORDS.split())


@settings(max_examples=600, deadline=None)
@given(
    text=st.one_of(st.lists(_TOKENS, max_size=12).map(" ".join), st.text(max_size=30)),
    facts=_CASES,
)
@example(text="goods_limit - paid > 0 or goods_limit + goods_limit == goods_limit", facts=FACTS)
@example(text="\ud800", facts=FACTS)
@example(text="\x00", facts=FACTS)
def test_whatever_is_accepted_never_raises_and_all_else_is_refused(
    text: str, facts: dict[str, Any]
) -> None:
    try:
        compiled = compile_expression(text, VOCABULARY, expects=ANY)
    except BadExpression:
        return
    result = compiled.evaluate(facts)
    assert isinstance(result, Decimal | bool | str | tuple)
    assert not isinstance(result, Decimal) or not result.is_nan()
