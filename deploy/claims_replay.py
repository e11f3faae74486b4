"""Past decisions of claims made again, in the service's environment: nothing is touched.

Exit codes: 0 all came out as they were (or a new version was only tried), 1 some did not,
2 it cannot be asked.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TextIO

from rich.console import Console
from rich.table import Table

from deploy.asking import progress_of
from deploy.running import running
from libs.common.db import Database
from libs.common.errors import Refusal
from libs.common.money import Money, zero
from libs.common.plans.book import PlanBook
from libs.common.plans.reading import read_plan
from libs.common.plans.values import Plan
from libs.common.service import Running
from services.claims import store
from services.claims.domain.replay import Again, Answer, Past, PlanOf, Tally, replay
from services.claims.store import PastWanted

# Decided at a stretch; then the bar moves, and the next page has its turn on the wire.
CHUNK: Final = 50


class UnknownTenant(Exception):
    """The message names those there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What is asked for. `tenants` empty: all of tenants.yaml; `plan` None: each under its own."""

    tenants: Sequence[str] = ()
    plan: Path | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = None
    proposals: bool = False
    show: int = 10
    answers: Path | None = None


async def run(how: Replay, console: Console) -> int:
    async with running("claims") as parts:
        try:
            version = None if how.plan is None else read_plan(how.plan)
            if version is not None:
                # A version of a plan that nobody sold has nothing to be tried on.
                parts.plans.newest(version.plan)
            tenants = _tenants(parts, how.tenants)
        except (Refusal, UnknownTenant) as wrong:
            console.print(str(wrong), markup=False)
            return 2
        began = perf_counter()
        tally = await _replayed(parts, how, version, tenants, console)
        _summarise(tally, version, perf_counter() - began, console)
    return 1 if tally.refused or (version is None and tally.changed) else 0


def _tenants(parts: Running, named: Sequence[str]) -> Sequence[str]:
    """Sandboxes have no entry: they are named."""
    for tenant_id in named:
        if parts.tenants.get(tenant_id) is None:
            raise UnknownTenant(
                f"No tenant {tenant_id!r}; there are: {', '.join(parts.tenants.by_id)},"
                " and sandboxes such as sbx-<tenant>-<anything>."
            )
    return named or list(parts.tenants.by_id)


async def _replayed(
    parts: Running, how: Replay, version: Plan | None, tenants: Sequence[str], console: Console
) -> Tally:
    wanted = PastWanted(
        proposals=how.proposals,
        plan=None if version is None else version.plan,
        since=how.since,
        until=how.until,
    )
    plan_of = pinned(parts.plans) if version is None else _under(version)
    tally = Tally(keep=how.show)
    with ExitStack() as stack:
        progress = stack.enter_context(progress_of(console))
        lines = None if how.answers is None else stack.enter_context(how.answers.open("w"))
        total = await _count(parts.db, wanted, tenants)
        task = progress.add_task("Deciding", total=min(total, how.limit or total))
        async for pasts in past_of(parts.db, wanted, tenants, limit=how.limit):
            for again in replay(pasts, plan_of, is_exact=version is None):
                tally.add(again)
                _note(again, lines)
            progress.update(task, completed=tally.decisions)
        if lines is not None:
            lines.write(json.dumps(_counts(tally)) + "\n")
    return tally


def pinned(plans: PlanBook) -> PlanOf:
    """Each decision's own version, found once."""
    found: dict[str, Plan] = {}

    def plan_of(past: Past) -> Plan:
        plan = found.get(past.plan_sha256)
        if plan is None:
            plan = found[past.plan_sha256] = plans.pinned(past.plan_sha256)
        return plan

    return plan_of


def _under(version: Plan) -> PlanOf:
    return lambda past: version


async def _count(db: Database, wanted: PastWanted, tenants: Sequence[str]) -> int:
    total = 0
    for tenant_id in tenants:
        async with db.transaction(tenant_id) as tx:
            await store.forbid_writing(tx)
            total += await store.count_past(tx, wanted, tenant_id=tenant_id)
    return total


async def past_of(
    db: Database, wanted: PastWanted, tenants: Sequence[str], *, limit: int | None = None
) -> AsyncIterator[list[Past]]:
    """A few decisions at a time, a tenant after the other, each from the oldest on.

    The next page comes while the one before is decided.
    """
    left = limit
    for tenant_id in tenants:
        page = await _page(db, wanted, tenant_id, None)
        while page and left != 0:
            taken = page if left is None else page[:left]
            left = None if left is None else left - len(taken)
            following = asyncio.create_task(_page(db, wanted, tenant_id, page[-1]))
            try:
                for start in range(0, len(taken), CHUNK):
                    yield taken[start : start + CHUNK]
                    await asyncio.sleep(0)
                page = await following
            finally:
                following.cancel()


async def _page(
    db: Database, wanted: PastWanted, tenant_id: str, last: Past | None
) -> list[Past]:
    """In a transaction of its own, which can only read: none stays open over a long replay."""
    after = store.FIRST if last is None else (last.decided_at, last.decision_id)
    async with db.transaction(tenant_id) as tx:
        await store.forbid_writing(tx)
        return await store.list_past(tx, wanted, tenant_id=tenant_id, after=after)


def _note(again: Again, lines: TextIO | None) -> None:
    """One JSON object a change, as `plans check --json` has one a case."""
    if lines is None or again.is_same:
        return
    past = again.past
    line = {
        "claim_id": past.claim_id,
        "decision_id": past.decision_id,
        "tenant_id": past.tenant_id,
        "stands": past.stands,
        "changed": again.changed,
        "before": _plain(again.before),
        "after": None if again.after is None else _plain(again.after),
        "refusal": again.refusal,
    }
    lines.write(json.dumps(line, ensure_ascii=False) + "\n")


def _plain(answer: Answer) -> dict[str, Any]:
    return {
        "outcome": answer.outcome,
        "payout": {
            "amount_minor": answer.payout.amount_minor,
            "currency": answer.payout.currency,
        },
        "reasons": list(answer.reasons),
    }


def _counts(tally: Tally) -> dict[str, Any]:
    return {
        "decisions": tally.decisions,
        "changed": tally.changed,
        "refused": tally.refused,
        "outcomes": [
            {"before": before, "after": after, "decisions": count}
            for (before, after), count in sorted(tally.transitions.items())
        ],
        "money": [
            {
                "currency": currency,
                "before_minor": b.amount_minor,
                "after_minor": a.amount_minor,
            }
            for currency, b, a in money_of(tally)
        ],
    }


def money_of(tally: Tally) -> list[tuple[str, Money, Money]]:
    """By currency, what is paid now and what would be."""
    return [
        (one, tally.before.get(one, zero(one)), tally.after.get(one, zero(one)))
        for one in sorted({*tally.before, *tally.after})
    ]


def _summarise(tally: Tally, version: Plan | None, seconds: float, console: Console) -> None:
    under = "their own plans" if version is None else version.name
    rate = tally.decisions / seconds if seconds else 0
    console.print(
        f"{tally.decisions} decisions made again under {under}: {tally.changed} came out"
        f" otherwise, {tally.refused} could not be made. {rate:,.0f} a second."
    )
    if tally.decisions and version is not None:
        _print_transitions(tally, console)
        _print_money(tally, console)
    for again in tally.most():
        console.print(_line(again), markup=False)


def _print_transitions(tally: Tally, console: Console) -> None:
    table = Table("outcome now", "would be", "decisions")
    for (before, after), count in sorted(tally.transitions.items()):
        table.add_row(before, after, str(count))
    console.print(table)


def _print_money(tally: Tally, console: Console) -> None:
    table = Table("currency", "paid now", "would be", "difference")
    for currency, before, after in money_of(tally):
        table.add_row(currency, _amount(before), _amount(after), _amount(after - before))
    console.print(table)


def _line(again: Again) -> str:
    past = again.past
    before = _answer(again.before)
    after = again.refusal if again.after is None else _answer(again.after)
    what = f" ({', '.join(again.changed)})" if again.changed else ""
    return f"{past.claim_id} {past.decision_id}: {before} -> {after}{what}"


def _answer(answer: Answer) -> str:
    return " ".join((answer.outcome, _amount(answer.payout), *answer.reasons))


def _amount(amount: Money) -> str:
    return f"{amount.decimal:f} {amount.currency}"
