"""What an expression of a plan says: a tree with the params filled in and every `let` opened.

Nothing is left of `not`, and what is known beforehand (the peril that is told about) is folded,
so that whoever puts it in words meets few forms and each of them once.
"""

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from libs.common.plans.expressions import Expression, parse
from libs.common.plans.registry import EXPRESSION_FACTS
from libs.common.plans.terms import Band, Kind
from libs.common.plans.values import Parts, Plan


@dataclass(frozen=True, slots=True)
class Number:
    value: Decimal


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Listed:
    values: "tuple[Number | Text, ...]"


@dataclass(frozen=True, slots=True)
class Truth:
    value: bool


@dataclass(frozen=True, slots=True)
class Fact:
    name: str


@dataclass(frozen=True, slots=True)
class Flag:
    """A yes-or-no fact, as it has to be."""

    name: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the payout that the plan itself names: `shipping` or `buy_yourself`."""

    name: str


@dataclass(frozen=True, slots=True)
class Sum:
    plus: "tuple[Term, ...]"
    minus: "tuple[Term, ...]" = ()


@dataclass(frozen=True, slots=True)
class Product:
    factors: "tuple[Term, ...]"
    divisor: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Extreme:
    is_least: bool
    terms: "tuple[Term, ...]"


@dataclass(frozen=True, slots=True)
class Choice:
    condition: "Term"
    yes: "Term"
    no: "Term"


@dataclass(frozen=True, slots=True)
class Tiers:
    bands: tuple[Band, ...]
    amount: "Term"


@dataclass(frozen=True, slots=True)
class Compared:
    """`relation` is one of == != < <= > >=."""

    relation: str
    left: "Term"
    right: "Term"


@dataclass(frozen=True, slots=True)
class Within:
    """Whether `element` is, or is not, among `elements`."""

    element: "Term"
    elements: "Term"
    holds: bool


@dataclass(frozen=True, slots=True)
class Every:
    terms: "tuple[Term, ...]"


@dataclass(frozen=True, slots=True)
class Either:
    terms: "tuple[Term, ...]"


Term = (
    Number | Text | Listed | Truth | Fact | Flag | Part
    | Sum | Product | Extreme | Choice | Tiers
    | Compared | Within | Every | Either
)  # fmt: skip

NOTHING: Final = Number(Decimal(0))
YES: Final = Truth(True)
NO: Final = Truth(False)

_RELATIONS: Final[Mapping[type[ast.cmpop], str]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_OPPOSITE: Final = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_HOLDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads a plan's expressions. `known` are code facts with the one value they have here."""

    plan: Plan
    known: Mapping[str, str] = field(default_factory=dict)
    # The text of a `let`'s own name -> the part of the payout it stands for.
    parts: Mapping[str, str] = field(default_factory=dict)
    # What is being read: a decimal is taken from its text, never from Python's float.
    text: str = ""

    def of_peril(self, peril: str, parts: Parts) -> "Reader":
        named = {"shipping": parts.shipping, "buy_yourself": parts.buy_yourself}
        lets = {
            amount.text: name
            for name, amount in named.items()
            if amount is not None and amount.text in self.plan.lets
        }
        return replace(self, known={**self.known, "peril": peril}, parts=lets)

    def read(self, expression: Expression[Any]) -> Term:
        return replace(self, text=expression.text)._term(parse(expression.text))

    def inside(self, part: str) -> Term:
        """What the `let` says that is a part of the payout."""
        return self.opened(part)

    def opened(self, let: str) -> Term:
        """What the `let` of that name says."""
        return self.read(self.plan.lets[let])

    def _term(self, node: ast.expr) -> Term:
        match node:
            case ast.Constant(value=bool(value)):
                return Truth(value)
            case ast.Constant(value=str(value)):
                return Text(value)
            case ast.Constant():
                return Number(Decimal(ast.get_source_segment(self.text, node) or ""))
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return _listed(self._term(element) for element in elements)
            case ast.Name(id=name):
                return self._name(name)
            case ast.BinOp(left=left, op=op, right=right):
                return _reckoned(op, self._term(left), self._term(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._comparison(op, self._term(left), self._term(right))
            case ast.BoolOp(op=op, values=values):
                terms = [self._term(value) for value in values]
                return every(terms) if isinstance(op, ast.And) else either(terms)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return opposite(self._term(operand))
            case ast.UnaryOp(operand=operand):
                return Sum((), (self._term(operand),))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
        raise AssertionError(f"{ast.dump(node)} is no node of a compiled expression")

    def _name(self, name: str) -> Term:
        if name in self.parts:
            return Part(self.parts[name])
        if name in self.plan.lets:
            return self.opened(name)
        if name in EXPRESSION_FACTS:
            if name in self.known:
                return Text(self.known[name])
            is_flag = EXPRESSION_FACTS[name].kind is Kind.BOOL
            return Flag(name, True) if is_flag else Fact(name)
        return _constant(self.plan.params[name])

    def _call(self, name: str, arguments: list[ast.expr]) -> Term:
        if name == "band":
            table, amount = arguments
            assert isinstance(table, ast.Constant)
            bands = self.plan.params[str(table.value)]
            assert isinstance(bands, tuple)
            rows = tuple(band for band in bands if isinstance(band, Band))
            return Tiers(rows, self._term(amount))
        terms = tuple(self._term(argument) for argument in arguments)
        return _chosen(*terms) if name == "iff" else Extreme(name == "min", terms)

    def _comparison(self, op: ast.cmpop, left: Term, right: Term) -> Term:
        if isinstance(op, ast.In | ast.NotIn):
            return _within(left, right, holds=isinstance(op, ast.In))
        return _compared(_RELATIONS[type(op)], left, right)


def opposite(term: Term) -> Term:
    """What holds exactly where the condition does not."""
    match term:
        case Truth(value):
            return Truth(not value)
        case Flag(name, holds):
            return Flag(name, not holds)
        case Compared(relation, left, right):
            return Compared(_OPPOSITE[relation], left, right)
        case Within(element, elements, holds):
            return Within(element, elements, not holds)
        case Every(terms):
            return either(opposite(one) for one in terms)
        case Either(terms):
            return every(opposite(one) for one in terms)
    raise AssertionError(f"{term} is no condition")


def every(terms: Iterable[Term]) -> Term:
    """All of them together, without those that always hold."""
    open_terms: dict[Term, None] = {}
    for term in terms:
        open_terms.update(dict.fromkeys(term.terms if isinstance(term, Every) else (term,)))
    open_terms.pop(YES, None)
    if NO in open_terms:
        return NO
    return _joined(open_terms, YES, Every)


def either(terms: Iterable[Term]) -> Term:
    """At least one of them, without those that never hold."""
    open_terms: dict[Term, None] = {}
    for term in terms:
        open_terms.update(dict.fromkeys(term.terms if isinstance(term, Either) else (term,)))
    open_terms.pop(NO, None)
    if YES in open_terms:
        return YES
    return _joined(open_terms, NO, Either)


def _joined(
    terms: Mapping[Term, None], neutral: Term, join: type[Every] | type[Either]
) -> Term:
    if len(terms) > 1:
        return join(tuple(terms))
    return next(iter(terms), neutral)


def _listed(terms: Iterable[Term]) -> Listed:
    return Listed(tuple(term for term in terms if isinstance(term, Number | Text)))


def _constant(value: object) -> Term:
    if isinstance(value, Decimal):
        return Number(value)
    if isinstance(value, str):
        return Text(value)
    assert isinstance(value, tuple)
    return Listed(tuple(Text(str(one)) for one in value))


def _reckoned(op: ast.operator, left: Term, right: Term) -> Term:
    if isinstance(left, Number) and isinstance(right, Number):
        return Number(_ARITHMETIC[type(op)](left.value, right.value))
    if isinstance(op, ast.Add):
        return _added(left, right)
    if isinstance(op, ast.Sub):
        return _added(left, _turned(right))
    if isinstance(op, ast.Mult):
        return _multiplied(left, right)
    assert isinstance(right, Number)
    known = left if isinstance(left, Product) else Product((left,))
    return Product(known.factors, known.divisor * right.value)


_ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[Decimal, Decimal], Decimal]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _added(left: Term, right: Term) -> Term:
    plus, minus = ((*a, *b) for a, b in zip(_sides(left), _sides(right), strict=True))
    plus = tuple(term for term in plus if term != NOTHING)
    if not minus and len(plus) < 2:
        return plus[0] if plus else NOTHING
    return Sum(plus, minus)


def _turned(term: Term) -> Term:
    plus, minus = _sides(term)
    return Sum(minus, plus)


def _sides(term: Term) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    return (term.plus, term.minus) if isinstance(term, Sum) else ((term,), ())


def _multiplied(left: Term, right: Term) -> Term:
    divisor, number, factors = Decimal(1), Decimal(1), []
    for side in (left, right):
        known = side if isinstance(side, Product) else Product((side,))
        divisor *= known.divisor
        for factor in known.factors:
            if isinstance(factor, Number):
                number *= factor.value
            else:
                factors.append(factor)
    constant = () if number == 1 else (Number(number),)
    return Product((*constant, *factors), divisor)


def _chosen(condition: Term, yes: Term, no: Term) -> Term:
    if isinstance(condition, Truth):
        return yes if condition.value else no
    if _is_condition(yes) or _is_condition(no):
        return either([every([condition, yes]), every([opposite(condition), no])])
    return Choice(condition, yes, no)


def _compared(relation: str, left: Term, right: Term) -> Term:
    if _is_condition(left) or _is_condition(right):
        same = either([every([left, right]), every([opposite(left), opposite(right)])])
        return same if relation == "==" else opposite(same)
    if isinstance(left, Number | Text):
        if isinstance(right, Number | Text):
            return Truth(_HOLDS[relation](left.value, right.value))
        return Compared(_MIRRORED[relation], right, left)
    return Compared(relation, left, right)


def _within(element: Term, elements: Term, *, holds: bool) -> Term:
    if isinstance(element, Number | Text) and isinstance(elements, Listed):
        return Truth((element in elements.values) is holds)
    return Within(element, elements, holds)


def _is_condition(term: Term) -> bool:
    return isinstance(term, Truth | Flag | Compared | Within | Every | Either)
