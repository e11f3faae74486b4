"""A plan's expressions in the words of other engines: CEL (doubles) and zen.

Their `let` names and parameters are written out, since neither has such names; both get one list
of all expressions of a peril, so that the facts are handed over once.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from libs.common.plans.expressions import Band, Expression
from libs.common.plans.values import Plan

_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISON = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How an engine writes what differs between them."""

    number: Callable[[Decimal], str]
    both: str
    either: str
    negation: str
    extreme: Callable[[str, str, str], str]


def _double(value: Decimal) -> str:
    return f"{value:f}" if "." in f"{value:f}" else f"{value:f}.0"


def _nested(name: str, a: str, b: str) -> str:
    return f"({a} {'<' if name == 'min' else '>'} {b} ? {a} : {b})"


CEL = Words(number=_double, both="&&", either="||", negation="!", extreme=_nested)
ZEN = Words(
    number=lambda value: f"{value:f}",
    both="and",
    either="or",
    negation="not ",
    extreme=lambda name, a, b: f"{name}([{a}, {b}])",
)


def translated(plan: Plan, expression: Expression[object], words: Words) -> str:
    """The expression as the engine reads it; the same value from the same facts."""
    return _Translator(plan.params, plan.lets, words).text(
        ast.parse(expression.text, mode="eval").body
    )


class _Translator:
    def __init__(
        self,
        params: Mapping[str, object],
        lets: Mapping[str, Expression[object]],
        words: Words,
    ) -> None:
        self._params, self._lets, self._words = params, lets, words

    def text(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=bool() as value):
                return str(value).lower()
            case ast.Constant(value=str() as value):
                return f"'{value}'"
            case ast.Constant():
                return self._words.number(Decimal(ast.unparse(node)))
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return f"[{', '.join(self.text(element) for element in elements)}]"
            case ast.Name(id=name):
                return self._name(name)
            case ast.BinOp(left=left, op=op, right=right):
                return f"({self.text(left)} {_ARITHMETIC[type(op)]} {self.text(right)})"
            case ast.BoolOp(op=op, values=values):
                word = self._words.both if isinstance(op, ast.And) else self._words.either
                return f"({f' {word} '.join(self.text(value) for value in values)})"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"({self._words.negation}{self.text(operand)})"
            case ast.UnaryOp(operand=operand):
                return f"(-{self.text(operand)})"
            case ast.Compare(left=left, ops=[ast.NotIn()], comparators=[right]):
                inside = f"({self.text(left)} in {self.text(right)})"
                return f"({self._words.negation}{inside})"
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return f"({self.text(left)} {_COMPARISON[type(op)]} {self.text(right)})"
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
        raise ValueError(f"no words for {ast.unparse(node)}")

    def _name(self, name: str) -> str:
        if name in self._lets:
            return self.text(ast.parse(self._lets[name].text, mode="eval").body)
        if name not in self._params:
            return name
        return self._value(self._params[name])

    def _value(self, value: object) -> str:
        if isinstance(value, Decimal):
            return self._words.number(value)
        if isinstance(value, tuple):
            return f"[{', '.join(self._value(one) for one in value)}]"
        return f"'{value}'"

    def _call(self, name: str, arguments: list[ast.expr]) -> str:
        if name == "band":
            table = ast.literal_eval(arguments[0])
            return self._band(self._params[table], self.text(arguments[1]))
        texts = [self.text(argument) for argument in arguments]
        if name == "iff":
            return f"({texts[0]} ? {texts[1]} : {texts[2]})"
        joined = texts[0]
        for text in texts[1:]:
            joined = self._words.extreme(name, joined, text)
        return joined

    def _band(self, bands: object, amount: str) -> str:
        """Each band's share of what lies in it, as a sum of differences."""
        assert isinstance(bands, tuple)
        number, parts, lower = self._words.number, [], Decimal(0)
        for band in bands:
            assert isinstance(band, Band)
            upper = (
                amount
                if band.upto is None
                else self._words.extreme("min", amount, number(band.upto))
            )
            inside = self._words.extreme(
                "max", f"({upper} - {number(lower)})", number(Decimal(0))
            )
            parts.append(f"({inside} * {number(band.pct)})")
            lower = band.upto or lower
        return f"({' + '.join(parts)})"
