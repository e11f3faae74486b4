"""What a few lines of ast can say of a module. Each check names the lines that break its rule."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

_STATEMENT = re.compile(r"\s*(WITH|SELECT|INSERT|UPDATE|DELETE)\b")
_TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|USING)\s+(\w+)")
# What a statement reads or changes a row by: a column list only for an INSERT.
_CONDITION = {
    "SELECT": re.compile(r"\bFROM\b.*", re.DOTALL),
    "UPDATE": re.compile(r"\bWHERE\b.*", re.DOTALL),
    "DELETE": re.compile(r"\bWHERE\b.*", re.DOTALL),
}
_SQL_CLOCK = re.compile(
    r"\b(now\(\)|clock_timestamp|current_(date|time|timestamp))", re.IGNORECASE
)

_WALL_CLOCKS = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime", "strftime"},
}


@cache
def tenant_tables() -> frozenset[str]:
    """Every table that a migration calls a tenant's."""
    return frozenset(
        name
        for folder in ("libs", "services")
        for path in (ROOT / folder).rglob("migrations/*.sql")
        for name in re.findall(r"CALL tenant_table\('(\w+)'\)", path.read_text())
    )


def transactions(tree: ast.AST) -> Iterator[int]:
    """Where a transaction is opened."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="transaction")):
                yield node.lineno


def asynchronous(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await):
            yield node.lineno


def clock_reads(tree: ast.AST) -> Iterator[int]:
    """Reads of the wall clock, by attribute or by import. Measuring a duration is none."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
                if name in _WALL_CLOCKS.get(owner, ()):
                    yield node.lineno
            case ast.ImportFrom(module="time", names=names):
                if {alias.name for alias in names} & _WALL_CLOCKS["time"]:
                    yield node.lineno


def clock_calls(tree: ast.AST) -> Iterator[int]:
    """Where the machine's clock is asked by way of our own, or the database's is."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id="system_now" | "business_now" | "now_of"):
                yield node.lineno
            case ast.Attribute(attr="system_now" | "business_now" | "now_of"):
                yield node.lineno
    for line, statement in statements(tree):
        if _SQL_CLOCK.search(statement):
            yield line


def evaluations(tree: ast.AST) -> Iterator[int]:
    """Text made into code, by the builtins' bare names; re.compile is none."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="eval" | "exec" | "compile" | "__import__")):
                yield node.lineno


def floats(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float()) | ast.Name(id="float"):
                yield node.lineno


def forgetful_statements(tree: ast.AST) -> Iterator[int]:
    """Statements on a tenant's table that do not name the tenant where rows are chosen."""
    tables = tenant_tables()
    for line, statement in statements(tree):
        if tables & set(_TABLE.findall(statement)) and "tenant_id" not in _condition(statement):
            yield line


def remote_calls_in_transactions(tree: ast.AST) -> Iterator[int]:
    """Where the network is waited for while a transaction holds its locks."""
    remote = {"http"} | _imported_from_clients(tree)
    for block in ast.walk(tree):
        if isinstance(block, ast.AsyncWith) and any(
            True for item in block.items for _ in transactions(item)
        ):
            for statement in block.body:
                yield from _uses(statement, remote)


def statements(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The SQL in a module, `{}` where a part is put in; docstrings are none."""
    texts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=parts):
                text = "".join(
                    str(p.value) if isinstance(p, ast.Constant) else "{}" for p in parts
                )
            case ast.Constant(value=str(text)) if id(node) not in texts:
                pass
            case _:
                continue
        if _STATEMENT.match(text):
            yield node.lineno, text


def _condition(statement: str) -> str:
    verb = statement.split()[0]
    pattern = _CONDITION.get(verb)
    found = pattern.search(statement) if pattern else None
    if pattern is None:
        return statement
    return found[0] if found else ""


def _imported_from_clients(tree: ast.AST) -> set[str]:
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if "clients" in [*(node.module or "").split("."), alias.name]
    }


def _uses(tree: ast.AST, names: set[str]) -> Iterator[int]:
    """Uses of the names, and of whatever is called `fetch_`: what our clients' verbs begin with."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                if name in names or name.startswith("fetch_"):
                    yield node.lineno
