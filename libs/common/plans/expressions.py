"""The expression language of a plan: parsed once, typed, folded, and run as plain closures.

    decimals 0.05 · texts 'sal' · lists ['air', 'sea'] · facts, params and `let` names
    + - * /   == != < <= > >=   in, not in   and or not
    min(a, b, …)   max(a, b, …)   iff(condition, a, b)   band('table', x)

An accepted expression is total: it has no loop, no side effect, and never raises on facts that
`facts.Facts` took in. So a divisor must be a constant or a parameter, a number's size has a
bound known beforehand, and what may be "no limit" (`goods_limit`, `insurer_approved`) may be
compared, added to and capped, but not multiplied or subtracted.

Python's own parser reads the text; nothing is ever compiled to code or evaluated by Python.
"""

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

from libs.common.errors import Invalid
from libs.common.plans.terms import (
    Band,
    Kind,
    Term,
    binary,
    both,
    conditional,
    digits_of,
    either,
    fixed,
    marginal,
    unary,
)

MAX_LENGTH_CHARACTERS = 600
MAX_DEPTH = 32
MAX_TERMS = 150
# Decimals hold a million digits of exponent; this leaves that out of reach.
MAX_DIGITS = 2_000
# A fact is at most a thousand million (facts.MAX_NUMBER): ten digits before the point.
FACT_DIGITS = 10

T_co = TypeVar("T_co", covariant=True)


_NUMERIC = frozenset({Kind.NUMBER, Kind.LIMIT})
_ELEMENT = {Kind.TEXTS: Kind.TEXT, Kind.NUMBERS: Kind.NUMBER}


class BadExpression(Invalid):
    code = "bad-expression"
    title = "The expression is not one of the plan language"


Param = Decimal | str | tuple[str, ...] | tuple[Band, ...] | Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression(Generic[T_co]):
    """A compiled expression. `evaluate` takes the facts; `names` are the facts it may read."""

    text: str
    kind: Kind
    names: frozenset[str]
    evaluate: Callable[[Mapping[str, Any]], T_co] = field(compare=False)
    # What compiling another expression that uses this one as a `let` has to know.
    digits: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A fact as an expression may use it; `words` are the only texts it can ever be."""

    kind: Kind
    words: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """All names an expression may use. `barred` are facts that no expression can hold, and why."""

    facts: Mapping[str, Name]
    params: Mapping[str, Param] = field(default_factory=dict)
    lets: Mapping[str, Expression[Any]] = field(default_factory=dict)
    barred: Mapping[str, str] = field(default_factory=dict)


def compile_expression(
    text: str, vocabulary: Vocabulary, *, expects: Sequence[Kind]
) -> Expression[Any]:
    """The expression, ready to run; BadExpression with its column and what would work."""
    if len(text) > MAX_LENGTH_CHARACTERS:
        raise BadExpression(
            f"The expression has {len(text)} characters; at most {MAX_LENGTH_CHARACTERS} are read."
            " Name its parts under `let`."
        )
    text = text.strip()
    tree = parse(text)
    term = _Compiler(text, vocabulary).term(tree, depth=0)
    if term.kind not in expects and not (term.kind is Kind.NUMBER and Kind.LIMIT in expects):
        wanted = " or ".join(kind.value for kind in expects)
        raise BadExpression(f"{text!r} is {term.kind.value}; {wanted} is needed here.")
    return Expression(
        text=text, kind=term.kind, names=term.names, evaluate=term.run, digits=term.digits
    )


def parse(text: str) -> ast.expr:
    """The text as a tree, nothing of it checked yet; what is told of a plan is read from it too."""
    if not text.isprintable() or "\\" in text:
        raise BadExpression("An expression is one line of readable text, without backslashes.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise BadExpression(f"column {error.offset or len(text) + 1}: {error.msg}.") from None
    except (ValueError, MemoryError, RecursionError):
        raise BadExpression("The expression is nested too deeply or holds a NUL.") from None


_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISON: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")
_FUNCTIONS = ("min", "max", "iff", "band")
_ALLOWED = (
    "decimals, texts, lists, facts, params, `let` names, + - * /, comparisons, in, and, or, not,"
    " min, max, iff and band"
)


class _Compiler:
    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._bytes = text.encode()
        self._vocabulary = vocabulary
        self._count = 0

    def term(self, node: ast.expr, *, depth: int) -> Term:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_TERMS:
            raise self._refuse(
                node,
                f"more than {MAX_TERMS} terms or {MAX_DEPTH} levels; name parts under `let`",
            )
        handler = self._HANDLERS.get(type(node))
        if handler is None:
            raise self._refuse(
                node, f"{self._source(node)!r} has no meaning here; there are {_ALLOWED}"
            )
        term = handler(self, node, depth + 1)
        if term.digits > MAX_DIGITS:
            raise self._refuse(node, "the number could grow beyond all bounds")
        return term

    def _constant(self, node: ast.Constant, _: int) -> Term:
        value = node.value
        if isinstance(value, bool):
            return fixed(Kind.BOOL, value)
        if isinstance(value, str):
            return fixed(Kind.TEXT, value)
        # From the text, not from Python's float: 0.1 is a tenth.
        source = self._source(node)
        if not _DECIMAL.fullmatch(source):
            raise self._refuse(node, f"{source} is not a plain decimal such as 0.05")
        return fixed(Kind.NUMBER, Decimal(source))

    def _list(self, node: ast.List | ast.Tuple, depth: int) -> Term:
        terms = [self.term(element, depth=depth) for element in node.elts]
        kinds = {term.kind for term in terms}
        if not all(term.is_constant for term in terms):
            raise self._refuse(node, "a list holds texts or decimals written out")
        if kinds <= {Kind.TEXT}:
            return fixed(Kind.TEXTS, tuple(term.value for term in terms))
        if kinds == {Kind.NUMBER}:
            return fixed(Kind.NUMBERS, tuple(term.value for term in terms))
        raise self._refuse(node, "a list holds texts only or decimals only")

    def _name(self, node: ast.Name, _: int) -> Term:
        name, known = node.id, self._vocabulary
        if name in known.lets:
            let = known.lets[name]
            return Term(let.kind, operator.itemgetter(name), let.names, let.digits)
        fact = known.facts.get(name)
        if fact is not None:
            digits = FACT_DIGITS if fact.kind in _NUMERIC else 0
            run = operator.itemgetter(name)
            return Term(fact.kind, run, frozenset({name}), digits, words=fact.words)
        if name in known.params:
            return self._param(node, known.params[name])
        if name in known.barred:
            raise self._refuse(
                node, f"{name} cannot stand in an expression: {known.barred[name]}"
            )
        raise self._refuse(node, f"unknown name {name!r}{self._suggest(name)}")

    def _param(self, node: ast.Name, value: Param) -> Term:
        if isinstance(value, Decimal):
            return fixed(Kind.NUMBER, value)
        if isinstance(value, str):
            return fixed(Kind.TEXT, value)
        if isinstance(value, tuple) and all(isinstance(word, str) for word in value):
            return fixed(Kind.TEXTS, value)
        raise self._refuse(
            node, f"the table {node.id!r} is no value; read it with band('{node.id}', x)"
        )

    def _arithmetic(self, node: ast.BinOp, depth: int) -> Term:
        operate = _ARITHMETIC.get(type(node.op))
        if operate is None:
            raise self._refuse(node, f"{self._source(node)!r}: only + - * / are reckoned with")
        left, right = self.term(node.left, depth=depth), self.term(node.right, depth=depth)
        self._must_be(node.left, left, Kind.LIMIT)
        self._must_be(node.right, right, Kind.LIMIT)
        if isinstance(node.op, ast.Add):
            kind = Kind.LIMIT if Kind.LIMIT in (left.kind, right.kind) else Kind.NUMBER
            return binary(operate, left, right, kind, max(left.digits, right.digits) + 1)
        self._must_be(node.right, right, Kind.NUMBER)
        if isinstance(node.op, ast.Sub):
            return binary(operate, left, right, left.kind, max(left.digits, right.digits) + 1)
        self._must_be(node.left, left, Kind.NUMBER)
        if isinstance(node.op, ast.Mult):
            return binary(operate, left, right, Kind.NUMBER, left.digits + right.digits)
        return self._division(node, left, right)

    def _division(self, node: ast.BinOp, left: Term, right: Term) -> Term:
        if not right.is_constant:
            raise self._refuse(
                node,
                f"division by {self._source(node.right)!r}, which a parcel could make zero;"
                " divide by a decimal or a parameter",
            )
        if right.value == 0:
            raise self._refuse(node, "division by zero")
        digits = max(0, left.digits - right.value.adjusted()) + 1
        return binary(operator.truediv, left, right, Kind.NUMBER, digits)

    def _comparison(self, node: ast.Compare, depth: int) -> Term:
        if len(node.ops) > 1:
            raise self._refuse(node, "one comparison at a time: write 'a < b and b < c'")
        op, left_node, right_node = node.ops[0], node.left, node.comparators[0]
        left, right = self.term(left_node, depth=depth), self.term(right_node, depth=depth)
        if isinstance(op, ast.In | ast.NotIn):
            return self._membership(node, left, right, wants=isinstance(op, ast.In))
        operate = _COMPARISON.get(type(op))
        if operate is None:
            raise self._refuse(node, "compare with == != < <= > >= in, not in")
        if left.kind in _NUMERIC and right.kind in _NUMERIC:
            return binary(operate, left, right, Kind.BOOL, 0)
        self._same_kind(node, left, right)
        if left.kind in _ELEMENT or not isinstance(op, ast.Eq | ast.NotEq):
            raise self._refuse(node, f"{left.kind.value} has no order; compare with == or in")
        self._check_words(node, left, right)
        return binary(operate, left, right, Kind.BOOL, 0)

    def _membership(self, node: ast.Compare, left: Term, right: Term, *, wants: bool) -> Term:
        if right.kind not in _ELEMENT or left.kind is not _ELEMENT[right.kind]:
            raise self._refuse(
                node,
                f"'in' looks for a text in a list of texts, not {left.kind.value} in"
                f" {right.kind.value}",
            )
        self._check_words(node, left, right)
        return binary(_contained if wants else _not_contained, left, right, Kind.BOOL, 0)

    def _logic(self, node: ast.BoolOp, depth: int) -> Term:
        terms = [self.term(value, depth=depth) for value in node.values]
        for value, term in zip(node.values, terms, strict=True):
            self._must_be(value, term, Kind.BOOL)
        decisive = isinstance(node.op, ast.Or)
        if any(term.is_constant and term.value is decisive for term in terms):
            return fixed(Kind.BOOL, decisive)
        open_terms = [term for term in terms if not term.is_constant]
        if not open_terms:
            return fixed(Kind.BOOL, not decisive)
        joined = open_terms[0]
        for term in open_terms[1:]:
            joined = either(joined, term) if decisive else both(joined, term)
        return joined

    def _unary(self, node: ast.UnaryOp, depth: int) -> Term:
        term = self.term(node.operand, depth=depth)
        if isinstance(node.op, ast.Not):
            self._must_be(node.operand, term, Kind.BOOL)
            return unary(operator.not_, term)
        if isinstance(node.op, ast.USub):
            self._must_be(node.operand, term, Kind.NUMBER)
            return unary(operator.neg, term)
        raise self._refuse(node, "only 'not' and '-' stand before a term")

    def _call(self, node: ast.Call, depth: int) -> Term:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name not in _FUNCTIONS or node.keywords:
            raise self._refuse(
                node,
                f"{self._source(node.func)!r} cannot be called; there are min, max, iff, band",
            )
        if name == "band":
            return self._band(node, depth)
        terms = [self.term(argument, depth=depth) for argument in node.args]
        return self._choose(node, terms) if name == "iff" else self._extreme(node, name, terms)

    def _extreme(self, node: ast.Call, name: str | None, terms: list[Term]) -> Term:
        if len(terms) < 2:
            raise self._refuse(node, f"{name} compares two numbers or more")
        for argument, term in zip(node.args, terms, strict=True):
            self._must_be(argument, term, Kind.LIMIT)
        kinds = {term.kind for term in terms}
        # The least of a number and no limit is a number; the greatest may be no limit.
        if name == "min":
            kind = Kind.NUMBER if Kind.NUMBER in kinds else Kind.LIMIT
        else:
            kind = Kind.LIMIT if Kind.LIMIT in kinds else Kind.NUMBER
        choose = min if name == "min" else max
        joined = terms[0]
        for term in terms[1:]:
            joined = binary(choose, joined, term, kind, max(joined.digits, term.digits))
        return joined

    def _choose(self, node: ast.Call, terms: list[Term]) -> Term:
        if len(terms) != 3:
            raise self._refuse(node, "iff takes a condition and two values")
        condition, yes, no = terms
        self._must_be(node.args[0], condition, Kind.BOOL)
        if not {yes.kind, no.kind} <= _NUMERIC:
            self._same_kind(node, yes, no)
        if condition.is_constant:
            return yes if condition.value else no
        return conditional(condition, yes, no)

    def _band(self, node: ast.Call, depth: int) -> Term:
        if len(node.args) != 2 or not isinstance(node.args[0], ast.Constant):
            raise self._refuse(
                node, "band takes the name of a table in params, in quotes, and x"
            )
        table = self._vocabulary.params.get(str(node.args[0].value))
        if not isinstance(table, tuple) or not all(isinstance(row, Band) for row in table):
            raise self._refuse(node, f"params has no table of bands {node.args[0].value!r}")
        bands = tuple(row for row in table if isinstance(row, Band))
        amount = self.term(node.args[1], depth=depth)
        self._must_be(node.args[1], amount, Kind.NUMBER)
        digits = amount.digits + max((digits_of(band.pct) for band in bands), default=0) + 1
        run = amount.run
        if amount.is_constant:
            return fixed(Kind.NUMBER, marginal(bands, amount.value))
        return Term(Kind.NUMBER, lambda f: marginal(bands, run(f)), amount.names, digits)

    def _must_be(self, node: ast.expr, term: Term, kind: Kind) -> None:
        if term.kind is kind or (kind is Kind.LIMIT and term.kind is Kind.NUMBER):
            return
        source = self._source(node)
        if term.kind is Kind.LIMIT and kind is Kind.NUMBER:
            raise self._refuse(
                node, f"{source!r} may be no limit at all: compare it, add to it or take min(…)"
            )
        raise self._refuse(
            node, f"{source!r} is {term.kind.value}; {_plain(kind)} is needed here"
        )

    def _same_kind(self, node: ast.expr, left: Term, right: Term) -> None:
        if left.kind is not right.kind:
            raise self._refuse(
                node, f"{self._source(node)!r} mixes {left.kind.value} and {right.kind.value}"
            )

    def _check_words(self, node: ast.expr, left: Term, right: Term) -> None:
        """A code that a fact can never be is a slip of the pen, not a condition."""
        for fact, written in ((left, right), (right, left)):
            if fact.words is None or not written.is_constant:
                continue
            value = written.value
            for word in value if isinstance(value, tuple) else (value,):
                if word and word not in fact.words:
                    hint = _hint(word, fact.words)
                    raise self._refuse(node, f"{word!r} is never a value of that fact{hint}")

    def _suggest(self, name: str) -> str:
        known = self._vocabulary
        return _hint(name, [*known.facts, *known.params, *known.lets, *_FUNCTIONS])

    def _source(self, node: ast.expr) -> str:
        return self._bytes[node.col_offset : node.end_col_offset].decode()

    def _refuse(self, node: ast.expr, reason: str) -> BadExpression:
        column = len(self._bytes[: node.col_offset].decode()) + 1
        return BadExpression(f"column {column}: {reason}.")

    _HANDLERS: Mapping[type[ast.expr], Callable[["_Compiler", Any, int], Term]] = {
        ast.Constant: _constant,
        ast.List: _list,
        ast.Tuple: _list,
        ast.Name: _name,
        ast.BinOp: _arithmetic,
        ast.Compare: _comparison,
        ast.BoolOp: _logic,
        ast.UnaryOp: _unary,
        ast.Call: _call,
    }


def _contained(element: Any, elements: Any) -> bool:
    return element in elements


def _not_contained(element: Any, elements: Any) -> bool:
    return element not in elements


def _plain(kind: Kind) -> str:
    return Kind.NUMBER.value if kind is Kind.LIMIT else kind.value


def _hint(word: str, known: Sequence[str] | frozenset[str]) -> str:
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
