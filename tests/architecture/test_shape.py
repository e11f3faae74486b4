"""The house's shape holds, and each check also catches a planted breach."""

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture import shape
from tests.architecture.shape import ROOT

DOORS = {"api", "jobs", "console", "dashboard", "app"}

# One transaction for all requests that wait: the door of them all, and design.md 5 names it.
QUOTE_WRITER = "services/quote/store/writer.py"
# An operator's command that reads a service's tables is a door to it, as a job is.
COMMANDS = {"deploy/claims_replay.py"}
CLOCKS = {"libs/common/clock.py", "libs/common/ids.py"}
MONEY = ("libs/common/money.py", "libs/common/ledger.py", "libs/common/plans/")


def room_of(path: str) -> str:
    """`usecases` of services/claims/usecases/payments.py; empty outside of the services."""
    steps = path.split("/")
    is_in_room = steps[0] == "services" and len(steps) > 2
    return steps[2].removesuffix(".py") if is_in_room else ""


def is_behind_a_door(path: str) -> bool:
    return path.startswith("services/") and room_of(path) not in DOORS


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`applies` tells by a module's path; `breach` is a module that breaks it, `kept` is none."""

    says: str
    applies: Callable[[str], bool]
    check: Callable[[ast.AST], Iterable[int]]
    breaches: tuple[str, ...]
    kept: str

    def broken_by(self, source: str) -> list[int]:
        return sorted(set(self.check(ast.parse(source))))

    def __str__(self) -> str:
        return self.says


RULES = [
    Rule(
        says="transactions are opened at doors only",
        applies=lambda path: (
            not path.startswith("libs/common/")
            and room_of(path) not in DOORS
            and path != QUOTE_WRITER
            and path not in COMMANDS
        ),
        check=shape.transactions,
        breaches=("async def f(db):\n    async with db.transaction('t') as tx: ...",),
        kept="async def f(tx):\n    return tx.transactions",
    ),
    Rule(
        says="no network is waited for inside of a transaction",
        applies=lambda path: path.startswith("services/"),
        check=shape.remote_calls_in_transactions,
        breaches=(
            "from services.x import clients\n"
            "async def f(db):\n    async with db.transaction('t'):\n        await clients.ask()",
            "from services.x.clients import ask\n"
            "async def f(db):\n    async with db.transaction('t'):\n        return ask()",
            "async def f(db, policies):\n    async with db.transaction('t') as tx:\n"
            "        if tx:\n            await policies.fetch_cover('pol_1')",
            "async def f(p):\n    async with p.db.transaction('t'):\n        await p.http.get('/')",
        ),
        kept=(
            "from services.x import clients\n"
            "async def f(db):\n    await clients.ask()\n"
            "    async with db.transaction('t') as tx:\n        return await tx.fetch('...')"
        ),
    ),
    Rule(
        says="domains are synchronous",
        applies=lambda path: room_of(path) == "domain",
        check=shape.asynchronous,
        breaches=("async def adjudicate(): ...",),
        kept="def adjudicate(): ...",
    ),
    Rule(
        says="the machine's clock is read in one place",
        applies=lambda path: path not in CLOCKS,
        check=shape.clock_reads,
        breaches=(
            "from datetime import datetime, UTC\nnow = datetime.now(UTC)",
            "import datetime\nnow = datetime.datetime.utcnow()",
            "import datetime\ntoday = datetime.date.today()",
            "import time\nnow = time.time_ns()",
            "from time import time\nnow = time()",
        ),
        kept="from time import perf_counter\nimport time\nnow = clock.now\nt = time.monotonic()",
    ),
    Rule(
        says="what is behind a door is told the time",
        applies=is_behind_a_door,
        check=shape.clock_calls,
        breaches=(
            "from libs.common.clock import system_now\nnow = system_now()",
            "from libs.common import clock\nnow = clock.system_now()",
            "SQL = 'UPDATE policies SET paid_at = now() WHERE tenant_id = $1'",
        ),
        kept='"""Select now() and then."""\ndef f(*, now): ...',
    ),
    Rule(
        says="no text is made into code",
        applies=lambda path: True,
        check=shape.evaluations,
        breaches=("eval('1')", "exec('x = 1')", "compile('1', '', 'eval')"),
        kept="import re\nre.compile('x')\nexpression.evaluate(facts)",
    ),
    Rule(
        says="no float comes near money",
        applies=lambda path: path.startswith(MONEY) or room_of(path) == "domain",
        check=shape.floats,
        breaches=("rate = 0.038", "float('0.1')", "def f(rate: float) -> None: ..."),
        kept="rate = Decimal('0.038')",
    ),
    Rule(
        says="every statement on a tenant's table names the tenant",
        applies=lambda path: path.startswith("services/"),
        check=shape.forgetful_statements,
        breaches=(
            "SQL = 'SELECT tenant_id FROM policies WHERE policy_id = $1'",
            "SQL = f'SELECT {COLUMNS} FROM claims WHERE claim_id = $1'",
            "SQL = 'SELECT 1 FROM x JOIN payouts USING (claim_id)'",
            "SQL = 'UPDATE quotes SET tenant_id = $2 WHERE quote_id = $1'",
            "SQL = 'DELETE FROM deadlines WHERE subject = $1'",
            "SQL = 'DELETE FROM deadlines'",
            "SQL = '''\n    INSERT INTO scans (policy_id) VALUES ($1)'''",
        ),
        kept=(
            '"""Select from claims what you like."""\n'
            "A = f'SELECT {COLUMNS} FROM claims WHERE claim_id = $1 AND tenant_id = $2'\n"
            "B = 'INSERT INTO scans (tenant_id, policy_id) VALUES ($1, $2)'\n"
            "C = 'SELECT name FROM schema_migrations'"
        ),
    ),
]


def sources() -> list[str]:
    return sorted(
        str(path.relative_to(ROOT))
        for folder in ("services", "libs", "deploy")
        for path in (ROOT / folder).rglob("*.py")
    )


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    held = [path for path in sources() if rule.applies(path)]
    assert len(held) > 10, "the rule holds almost nothing to anything: its paths have moved"
    broken = [
        f"{path}:{line}"
        for path in held
        for line in rule.broken_by(Path(ROOT, path).read_text())
    ]
    assert broken == [], rule.says


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_rule_catches_planted_breaches_and_nothing_else(rule: Rule) -> None:
    for breach in rule.breaches:
        assert rule.broken_by(breach), breach
    assert rule.broken_by(rule.kept) == []


def test_the_rules_know_the_tables_of_every_service() -> None:
    expected = {"quotes", "policies", "claims", "notifications", "outbox", "ledger_entries"}
    assert shape.tenant_tables() > expected


def test_those_that_may_open_a_transaction_elsewhere_still_do() -> None:
    for path in (QUOTE_WRITER, *COMMANDS):
        assert list(shape.transactions(ast.parse(Path(ROOT, path).read_text())))
