"""Past decisions made again: under their own plans to the digit, under another version to the cent."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from rich.console import Console

from deploy import claims_replay
from deploy.claims_replay import Replay
from deploy.plans_check import Plans, read_examples
from libs.common.db import Database, jsonb
from libs.common.plans.reading import load
from libs.common.plans.registry import FACTS, FactKind
from libs.common.plans.values import Plan
from libs.common.plans.wire import from_wire, to_wire
from libs.common.settings import PROGRAMMES
from services.claims.domain import Decision, adjudicate
from tests.conftest import DbOf

BOOK = load(PROGRAMMES)
EXAMPLES = Path(__file__).parents[1] / "plans" / "examples"
TENANT = "sbx-cssbuy-past"
OTHER = "sbx-cssbuy-others"
FIRST_AT = datetime(2024, 1, 1, tzinfo=UTC)
MANY = 10_000

Made = tuple[Plan, str, dict[str, Any], Decision]


@cache
def examples() -> list[tuple[Plan, str, dict[str, Any]]]:
    """Every worked example of a claim, under the published version that answers it."""
    plans = Plans(BOOK)
    found = [one for file in sorted(EXAMPLES.glob("*.yaml")) for one in read_examples(file)]
    claims = [one for one in found if one.ask == "claim" and not one.overrides]
    return [
        (plan, one.peril, from_wire(one.given, plan.zone))
        for one in claims
        for plan in [plans.plan_of(one)]
    ]


def made(count: int) -> Iterator[Made]:
    """Decisions on the examples, over and over, each time with other amounts."""
    known = examples()
    for number in range(count):
        plan, peril, facts = known[number % len(known)]
        varied = _varied(facts, Decimal(number // len(known)) / 8)
        yield plan, peril, varied, adjudicate(plan, peril, varied)


def _varied(facts: dict[str, Any], more: Decimal) -> dict[str, Any]:
    return {
        name: value + more
        if FACTS[name].kind is FactKind.NUMBER and isinstance(value, Decimal)
        else value
        for name, value in facts.items()
    }


async def keep(
    db: Database, decisions: Sequence[Made], *, tenant: str = TENANT, is_settled: bool = True
) -> list[str]:
    """The decisions as the service keeps them, one claim each, a second after the other."""
    ids = [f"{tenant}-{'s' if is_settled else 'p'}-{n:06}" for n in range(len(decisions))]
    times = [FIRST_AT + timedelta(seconds=n) for n in range(len(decisions))]
    async with db.transaction(tenant) as tx:
        await tx.execute(
            """
            INSERT INTO claims (claim_id, tenant_id, peril, state, statement, notified_at, filed_at,
                                filed_by)
            SELECT 'clm-' || id, $1, peril, 'CLOSED', '{}', $4, $4, 'tests'
            FROM unnest($2::text[], $3::text[]) AS i (id, peril)
            """,
            tenant,
            ids,
            [peril for _, peril, _, _ in decisions],
            FIRST_AT,
        )
        await tx.execute(
            """
            INSERT INTO decisions (decision_id, tenant_id, claim_id, number, outcome, is_settled,
                                   payout_minor, currency, parts, decision, facts, policy_sequence,
                                   plan, plan_version, plan_sha256, decided_by, decided_at)
            SELECT 'dec-' || id, $1, 'clm-' || id, 1, outcome, $11, minor, currency, '{}',
                   decision::jsonb, facts::jsonb, 1, plan, 1, sha256, 'engine', decided_at
            FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[],
                        $8::text[], $9::text[], $10::timestamptz[])
                AS i (id, outcome, minor, currency, decision, facts, plan, sha256, decided_at)
            """,
            tenant,
            ids,
            [d.outcome.value for *_, d in decisions],
            [d.payout.amount_minor for *_, d in decisions],
            [d.payout.currency for *_, d in decisions],
            [jsonb(d) for *_, d in decisions],
            [jsonb(to_wire(facts)) for _, _, facts, _ in decisions],
            [plan.plan for plan, *_ in decisions],
            [plan.sha256 for plan, *_ in decisions],
            times,
            is_settled,
        )
    return ids


@pytest.fixture
def operator(database: str, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command in the service's environment: its exit code and what it printed."""
    monkeypatch.setenv("PARCELCOVER_DATABASE_URL", database)
    monkeypatch.setenv("PARCELCOVER_SERVICE_KEY", str(keys / "claims.jwk.json"))

    async def ask(**how: Any) -> tuple[int, str]:
        console = Console(file=StringIO(), record=True, width=200, highlight=False)
        code = await claims_replay.run(Replay(tenants=(TENANT,), **how), console)
        return code, console.export_text()

    return ask


async def test_ten_thousand_past_decisions_come_out_as_they_were(
    db_of: DbOf, operator: Callable[..., Any]
) -> None:
    await keep(await db_of("claims"), list(made(MANY)))

    began = perf_counter()
    code, printed = await operator()
    print(f"{MANY / (perf_counter() - began):,.0f} decisions a second")

    print(printed)
    assert code == 0, printed
