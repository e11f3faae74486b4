"""The house's shape, by a few lines of ast: each check also catches a planted breach."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOORS = {"api", "jobs", "console", "dashboard", "app", "consumers"}


def sources(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def room_of(path: Path) -> str:
    """`usecases` of services/claims/usecases/payments.py; empty for a package's own file."""
    return path.parts[2].removesuffix(".py") if len(path.parts) > 2 else ""


def transactions(tree: ast.AST) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "transaction"
    ]


def asynchronous(tree: ast.AST) -> list[int]:
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]


def evaluations(tree: ast.AST) -> list[int]:
    """Calls of eval, exec or compile by their bare names."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("eval", "exec", "compile")
    ]


def floats(tree: ast.AST) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (
            isinstance(node, ast.Name) and node.id == "float" and isinstance(node.ctx, ast.Load)
        )
    ]


def clocks(tree: ast.AST) -> list[int]:
    """Reads of the machine's wall clock."""
    reads = {("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("time", "time")}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in reads
    ]


def found(
    check: Callable[[ast.AST], list[int]], *folders: str, skip: frozenset[str] = frozenset()
) -> list[str]:
    return [
        f"{path}:{line}"
        for path, tree in sources(*folders)
        if str(path) not in skip
        for line in check(tree)
    ]


def test_transactions_are_opened_at_doors_only() -> None:
    inside = [
        f"{path}:{line}"
        for path, tree in sources("services")
        if room_of(path) not in DOORS
        for line in transactions(tree)
    ]
    # The quote writer is the door of all waiting requests: one transaction for many of them.
    assert [place for place in inside if "quote/store/writer.py" not in place] == []


def test_domains_are_synchronous() -> None:
    domains = [f"services/{name}/domain" for name in ("policy", "claims", "notifier")]
    assert found(asynchronous, *domains) == []
    assert asynchronous(ast.parse((ROOT / "services/quote/domain.py").read_text())) == []


def test_nothing_is_evaluated_as_python() -> None:
    assert found(evaluations, "services", "libs", "deploy") == []


def test_no_float_comes_near_money() -> None:
    near = ["libs/common/plans", "services/policy/domain", "services/claims/domain"]
    assert found(floats, *near) == []
    for file in ("libs/common/money.py", "libs/common/ledger.py", "services/quote/domain.py"):
        assert floats(ast.parse((ROOT / file).read_text())) == [], file


def test_the_machines_clock_is_read_in_one_place() -> None:
    assert found(clocks, "services", "libs", skip=frozenset({"libs/common/clock.py"})) == []


PLANTED = {
    transactions: "async def f(db):\n    async with db.transaction('t') as tx: ...",
    asynchronous: "async def adjudicate(): ...",
    evaluations: "def f(x):\n    return eval(x)",
    floats: "rate = 0.038",
    clocks: "from datetime import datetime\nnow = datetime.now()",
}


@pytest.mark.parametrize(
    ("check", "breach"), PLANTED.items(), ids=lambda x: getattr(x, "__name__", "")
)
def test_each_check_catches_a_planted_breach(
    check: Callable[[ast.AST], list[int]], breach: str
) -> None:
    assert check(ast.parse(breach)) != []
