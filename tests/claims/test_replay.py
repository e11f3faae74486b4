"""Past decisions made again: under their own plans to the digit, under another version to the cent."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from io import StringIO
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from deploy import claims_replay
from deploy.claims_replay import Replay, money_of, pinned
from deploy.plans_check import Plans, read_examples
from libs.common.db import Database, jsonb
from libs.common.money import Money
from libs.common.plans.reading import load
from libs.common.plans.registry import FACTS, FactKind
from libs.common.plans.values import Plan
from libs.common.plans.wire import from_wire, to_wire
from libs.common.settings import PROGRAMMES
from services.claims import store
from services.claims.domain import Decision, adjudicate
from services.claims.domain.replay import Again, Past, Tally, replay
from services.claims.store import PastWanted
from tests.claims.desk import Desk, way_of
from tests.conftest import AppOf, DbOf, Token
from tests.plans.builders import any_facts, with_replaced

BOOK = load(PROGRAMMES)
EXAMPLES = Path(__file__).parents[1] / "plans" / "examples"
TENANT = "sbx-cssbuy-past"
OTHER = "sbx-cssbuy-others"
FIRST_AT = datetime(2024, 1, 1, tzinfo=UTC)
MANY = 10_000
# Decisions a second of one processor, with reading and comparing them.
LEAST_RATE = 2_000
UTC_ZONE = ZoneInfo("UTC")
ANY = [(plan, peril) for plan in BOOK for peril in (*plan.perils, "TAX")]

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
    db: Database,
    decisions: Sequence[Made],
    *,
    tenant: str = TENANT,
    is_settled: bool = True,
    every: timedelta = timedelta(seconds=1),
) -> list[str]:
    """The decisions as the service keeps them, one claim each, one after the other."""
    ids = [f"{tenant}-{'s' if is_settled else 'p'}-{n:06}" for n in range(len(decisions))]
    times = [FIRST_AT + n * every for n in range(len(decisions))]
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
        code = await claims_replay.run(Replay(**{"tenants": (TENANT,), **how}), console)
        return code, console.export_text()

    return ask


def a_version(folder: Path, version: int = 3, **replaced: str) -> Path:
    """CSSecure's document as its next version, some of its texts replaced."""
    text = with_replaced(
        BOOK.get("cssecure", 2).source, **{"version: 2": f"version: {version}"}
    )
    file = folder / f"cssecure.v{version}.yaml"
    file.write_text(with_replaced(text, **replaced))
    return file


def a_delay(fee: Decimal, day: int) -> Made:
    """A parcel with this freight that arrived on that day after its submittance."""
    plan = BOOK.get("cssecure", 2)
    submitted_at = datetime(2024, 1, 1, 9, tzinfo=plan.zone)
    facts: dict[str, Any] = {
        "shipping_fee": fee,
        "submitted_at": submitted_at,
        "dispatched_at": submitted_at + timedelta(days=2),
        "delivered_at": submitted_at + timedelta(days=day),
        "filed_at": submitted_at + timedelta(days=day),
        "as_of": submitted_at + timedelta(days=day),
    }
    return plan, "DELAY", facts, adjudicate(plan, "DELAY", facts)


# --- Pure ------------------------------------------------------------------------------------


def past(made_before: Made, **changes: Any) -> Past:
    """The decision as it is read back."""
    plan, _, facts, decision = made_before
    stored = Past(
        decision_id="dec_1",
        claim_id="clm_1",
        tenant_id=TENANT,
        plan=plan.plan,
        plan_sha256=plan.sha256,
        is_settled=True,
        stands=True,
        decided_at=FIRST_AT,
        decision=msgspec.json.decode(jsonb(decision)),
        facts=msgspec.json.decode(jsonb(to_wire(facts))),
    )
    return replace(stored, **changes)


def exactly(pasts: Sequence[Past]) -> list[Again]:
    return list(replay(pasts, pinned(BOOK), is_exact=True))


def _rescaled(facts: dict[str, Any]) -> dict[str, Any]:
    """The same numbers in other digits: 1E+2 and 100.00 are one amount, and are written apart."""
    return {
        name: value.normalize() if isinstance(value, Decimal) else value
        for name, value in facts.items()
    }


@settings(max_examples=60, deadline=None)
@given(facts=any_facts(), is_rescaled=st.booleans())
def test_stored_and_read_again_the_facts_give_the_same_decision_to_the_digit(
    facts: dict[str, Any], is_rescaled: bool
) -> None:
    facts = _rescaled(facts) if is_rescaled else facts
    for plan, peril in ANY:
        before = adjudicate(plan, peril, facts)

        (again,) = exactly([past((plan, peril, facts, before))])

        assert again.is_same, again.changed
        stored = msgspec.json.decode(jsonb(to_wire(facts)))
        assert to_wire(from_wire(stored, plan.zone)) == stored


def test_what_is_stored_comes_back_digit_for_digit_and_kind_for_kind() -> None:
    facts: dict[str, Any] = {
        "claimed_value": Decimal("1E+3"),
        "paid": Decimal("0.10"),
        "biy_weight_kg": Decimal("2.500"),
        "tier": 2,
        "tiers_exhausted": (Decimal(1), Decimal(2)),
        "as_of": datetime(2024, 5, 1, 8, 30, 15, 123456, tzinfo=UTC),
        "items": (
            {"id": "i1", "class": "phone", "value": Decimal("1E+2"), "verdict": "ACCEPT"},
        ),
        "prior_claims": ({"peril": "LOSS", "outcome": "DENIED"},),
        "evidence": ("police_report", "damage_photos"),
        "vip": False,
        "line": "EMS",
    }

    back = from_wire(msgspec.json.decode(jsonb(to_wire(facts))), UTC_ZONE)

    assert back == facts
    assert repr(back) == repr({**facts, "as_of": back["as_of"]})


def test_one_digit_that_differs_is_told() -> None:
    made_before = a_delay(Decimal(350), 61)
    stored = past(made_before)
    assert exactly([stored])[0].is_same
    other = {**stored.decision, "payout": {"amount_minor": 6_999, "currency": "CNY"}}

    (again,) = exactly([replace(stored, decision=other)])

    assert (again.is_same, again.changed) == (False, ("payout",))
    assert again.before.payout == Money(6_999, "CNY")
    assert again.after is not None
    assert again.after.payout == Money(7_000, "CNY")
    # Not only what a claimant sees.
    rules = {**stored.decision, "rule_ids": ["CS-1"]}
    assert exactly([replace(stored, decision=rules)])[0].changed == ("rule_ids",)
    tried = replay([replace(stored, decision=rules)], pinned(BOOK), is_exact=False)
    assert next(tried).is_same


def test_a_decision_that_cannot_be_made_again_says_why() -> None:
    stored = past(a_delay(Decimal(350), 61))

    nowhere, odd = exactly(
        [replace(stored, plan_sha256="0" * 64), replace(stored, facts={"nobody": 1})]
    )

    assert "is not among those published here" in nowhere.refusal
    assert odd.refusal == "There is no fact 'nobody'; see the registry of facts."
    assert nowhere.after is None


def test_the_tally_keeps_the_largest_and_counts_the_money_that_stands_once() -> None:
    tally = Tally(keep=2)
    made_before = [a_delay(Decimal(fee), 61) for fee in (100, 300, 200, 400)]
    for number, one in enumerate(made_before):
        other = {**past(one).decision, "payout": {"amount_minor": 0, "currency": "CNY"}}
        stored = past(one, decision_id=f"dec_{number}", decision=other, stands=number > 0)
        for again in exactly([stored]):
            tally.add(again)

    assert (tally.decisions, tally.changed) == (4, 4)
    assert [again.past.decision_id for again in tally.most()] == ["dec_3", "dec_1"]
    assert money_of(tally) == [("CNY", Money(0, "CNY"), Money(18_000, "CNY"))]


# --- The command -----------------------------------------------------------------------------


async def test_ten_thousand_past_decisions_come_out_as_they_were(
    db_of: DbOf, operator: Callable[..., Any]
) -> None:
    await keep(await db_of("claims"), list(made(MANY)))

    began, used = perf_counter(), process_time()
    code, printed = await operator()
    rate, of_processor = MANY / (perf_counter() - began), MANY / (process_time() - used)
    print(f"{rate:,.0f} decisions a second, {of_processor:,.0f} a second of this processor")

    assert code == 0, printed
    assert f"{MANY} decisions made again under their own plans: 0 came out otherwise" in printed
    # Of this process alone: what else the machine does is none of it.
    assert of_processor > LEAST_RATE


async def test_a_decision_that_comes_out_otherwise_is_listed_and_fails(
    db_of: DbOf, operator: Callable[..., Any], admin_url: str, tmp_path: Path
) -> None:
    ids = await keep(await db_of("claims"), list(made(20)))
    # Nobody may change a decision: the administrator has to take the guard away first.
    admin = await asyncpg.connect(admin_url)
    await admin.execute("ALTER TABLE claims.decisions DISABLE TRIGGER append_only")
    await admin.execute(
        "UPDATE claims.decisions SET decision = jsonb_set(decision, '{payout,amount_minor}', '1')"
        " WHERE decision_id = $1",
        f"dec-{ids[7]}",
    )
    await admin.close()
    answers = tmp_path / "answers.ndjson"

    code, printed = await operator(answers=answers)

    assert code == 1
    assert "20 decisions made again under their own plans: 1 came out otherwise" in printed
    assert f"clm-{ids[7]} dec-{ids[7]}: " in printed
    *changes, counts = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [(change["claim_id"], change["changed"]) for change in changes] == [
        (f"clm-{ids[7]}", ["payout"])
    ]
    assert changes[0]["before"]["payout"]["amount_minor"] == 1
    assert (counts["decisions"], counts["changed"], counts["refused"]) == (20, 1, 0)


async def test_another_rate_changes_the_money_by_what_it_says(
    db_of: DbOf, operator: Callable[..., Any], tmp_path: Path
) -> None:
    late = [a_delay(Decimal(100 + number), 61) for number in range(150)]
    in_time = [a_delay(Decimal(100 + number), 50) for number in range(40)]
    db = await db_of("claims")
    # Decisions of another plan are none of its version's.
    others = [one for one in made(100) if one[0].plan != "cssecure"]
    await keep(db, [*late, *in_time, *others])
    answers = tmp_path / "answers.ndjson"
    fees = sum(100 + number for number in range(150))

    code, printed = await operator(
        plan=a_version(tmp_path, **{'delay_pct: "0.20"': 'delay_pct: "0.10"'}), answers=answers
    )

    assert code == 0
    assert "190 decisions made again under cssecure v3: 150 came out otherwise" in printed
    *changes, counts = [json.loads(line) for line in answers.read_text().splitlines()]
    assert len(changes) == 150
    assert counts["outcomes"] == [
        {"before": "APPROVED", "after": "APPROVED", "decisions": 150},
        {"before": "DENIED", "after": "DENIED", "decisions": 40},
    ]
    # A fifth of the freight is 20 cents of each unit, a tenth is 10.
    assert counts["money"] == [
        {"currency": "CNY", "before_minor": fees * 20, "after_minor": fees * 10}
    ]
    shown = [line for line in printed.splitlines() if line.startswith("clm-")]
    assert len(shown) == 10
    # The largest first: the last of the late ones had the most freight.
    assert shown[0].endswith("APPROVED 49.80 CNY -> APPROVED 24.90 CNY (payout)")
    assert f"{Decimal(fees) / 5:.2f} CNY" in printed
    assert f"-{Decimal(fees) / 10:.2f} CNY" in printed


async def test_a_shorter_delay_turns_denials_into_approvals(
    db_of: DbOf, operator: Callable[..., Any], tmp_path: Path
) -> None:
    days = [*range(30, 71)]
    await keep(await db_of("claims"), [a_delay(Decimal(200), day) for day in days])
    answers = tmp_path / "answers.ndjson"

    code, _ = await operator(
        plan=a_version(tmp_path, **{"delay_min_days: 61": "delay_min_days: 45"}),
        answers=answers,
        show=0,
    )

    assert code == 0
    counts = json.loads(answers.read_text().splitlines()[-1])
    won = sum(45 <= day < 61 for day in days)
    paid = sum(day >= 61 for day in days)
    assert counts["outcomes"] == [
        {"before": "APPROVED", "after": "APPROVED", "decisions": paid},
        {"before": "DENIED", "after": "APPROVED", "decisions": won},
        {"before": "DENIED", "after": "DENIED", "decisions": len(days) - won - paid},
    ]
    (money,) = counts["money"]
    assert money["after_minor"] - money["before_minor"] == won * 4_000


async def test_only_what_is_wanted_is_made_again(
    db_of: DbOf, operator: Callable[..., Any]
) -> None:
    db = await db_of("claims")
    await keep(db, list(made(30)))
    await keep(db, list(made(10)), is_settled=False)
    await keep(db, list(made(5)), tenant=OTHER)

    async def counted(**how: Any) -> int:
        code, printed = await operator(**how)
        assert code == 0, printed
        return int(re.findall(r"(\d+) decisions made again", printed)[0])

    assert await counted() == 30
    assert await counted(proposals=True) == 40
    assert await counted(tenants=(OTHER,)) == 5
    assert await counted(tenants=(TENANT, OTHER)) == 35
    assert await counted(tenants=(TENANT, OTHER), limit=32) == 32
    # Sandboxes have no entry of their own.
    assert await counted(tenants=()) == 0
    half = FIRST_AT + timedelta(seconds=10)
    assert await counted(until=half) == 10
    assert await counted(since=half) == 20
    assert await counted(since=half, until=half + timedelta(seconds=1)) == 1
    assert await counted(since=half, limit=3) == 3


async def test_a_plan_that_is_broken_or_nobodys_and_an_unknown_tenant_are_refused(
    db_of: DbOf, operator: Callable[..., Any], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("plan: cssecure\n")
    nobodys = a_version(tmp_path, **{"plan: cssecure": "plan: nobodys"})

    answers = [
        await operator(plan=broken),
        await operator(plan=nobodys),
        await operator(tenants=("nobody",)),
    ]

    assert [code for code, _ in answers] == [2, 2, 2]
    assert "broken.yaml" in answers[0][1]
    assert "No plan 'nobodys'" in answers[1][1]
    assert "No tenant 'nobody'" in answers[2][1]


async def test_what_replays_can_write_nothing(db_of: DbOf) -> None:
    db = await db_of("claims")
    await keep(db, list(made(1)))

    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with db.transaction(TENANT) as tx:
            await store.forbid_writing(tx)
            await tx.execute("UPDATE claims SET state = 'CLOSED' WHERE tenant_id = $1", TENANT)


async def test_a_page_ends_between_two_decisions_of_one_instant(db_of: DbOf) -> None:
    db = await db_of("claims")
    await keep(db, list(made(7)), every=timedelta(0))
    async with db.transaction(TENANT) as tx:
        whole = await store.list_past(tx, PastWanted(), tenant_id=TENANT)
        found, after = [], store.FIRST
        while page := await store.list_past(
            tx, PastWanted(), tenant_id=TENANT, after=after, limit=3
        ):
            found += page
            after = (page[-1].decided_at, page[-1].decision_id)

    assert found == whole
    assert len(found) == 7


async def test_a_decision_that_a_later_one_replaced_stands_no_more(
    app_of: AppOf, db_of: DbOf, token: Token
) -> None:
    """Decided by the service itself, and read as it kept them."""
    desk = await Desk.open(app_of, db_of, token)
    await desk.hears(*way_of())
    await desk.at("2024-02-20T09:00")
    claim = await desk.a_claim()
    await desk.at("2024-03-02T09:00")

    async with desk.db.transaction(desk.tenant) as tx:
        pasts = await store.list_past_of(tx, claim["claim_id"], tenant_id=desk.tenant)

    assert [(one.decision["outcome"], one.is_settled, one.stands) for one in pasts] == [
        ("DEFERRED", True, False),
        ("APPROVED", True, True),
    ]
    assert all(again.is_same for again in exactly(pasts))
