"""`python -m tests.bench`: measures on this machine, prints a table, writes bench.json.

Each pair alternates within one run, A B A B A B, on the same bodies with the same durability:
PostgreSQL with fsync, Apache Kafka, and every guarantee on. A goal that is not met is said to be
not met, with the places where the time goes.
"""

import argparse
import asyncio
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from rich.console import Console

from tests.bench import batches, consume, expressions, posts, quotes, relay
from tests.bench.children import child_profile, child_rounds
from tests.bench.machine import described, fsync_milliseconds
from tests.bench.orders import Order
from tests.bench.report import print_table, report_of, write
from tests.bench.rounds import OURS, Measured, Round, middle, row_of
from tests.bench.site import Site, site

FOLDER = Path(".parcelcover/bench")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL_SECONDS = 90
REPEATS = 3
EVENTS = 30_000
CASES = 20_000
LOAD = quotes.Load()
PROFILED = quotes.Load(seconds=3.0)

WORKS = ("quotes", "posts", "relay", "consume", "expressions", "batches")


class Bench:
    def __init__(self, console: Console, at: Site, batch_rows: int) -> None:
        self._console = console
        self._site = at
        self._batch_rows = batch_rows
        self.done: list[Measured] = []

    async def quotes(self) -> None:
        name = "quotes stored"
        rounds = await self._shown(name, quotes.rounds(self._site, LOAD, REPEATS))
        bare = "FastAPI + pydantic, one asyncpg insert"
        await self._add(
            name, rounds, "bare", bare, 1.5, lambda: quotes.profile(self._site, PROFILED)
        )
        kept = [one for one in rounds if one.variant in (OURS, "unstored")]
        await self._add(
            "quotes stored, of those decided",
            kept,
            "unstored",
            "the same route, not storing",
            0.7,
        )

    async def posts(self) -> None:
        rounds = await self._shown("carriers' posts", posts.rounds(self._site, REPEATS))
        for name, variant, goal in (
            ("carriers' posts taken", posts.ACCEPTED, 1.0),
            ("carriers' posts read", posts.WORKED, 0.6),
        ):
            kept = [
                Round(variant=OURS, per_second=one.per_second)
                if one.variant == variant
                else one
                for one in rounds
                if one.variant in (variant, posts.BARE)
            ]
            await self._add(
                name, kept, posts.BARE, "FastAPI, one asyncpg insert of the body", goal
            )

    async def relay(self) -> None:
        name = "events relayed"
        rounds = await self._shown(name, child_rounds(self._site, "relay", self._order(EVENTS)))
        await self._add(
            name,
            rounds,
            relay.RAW,
            "aiokafka's producer alone",
            0.6,
            self._profile("relay", EVENTS),
        )

    async def consume(self) -> None:
        name = "events consumed"
        order = self._order(EVENTS)
        rounds = await self._shown(name, child_rounds(self._site, "consume", order))
        await self._add(
            name,
            rounds,
            consume.BY_HAND,
            "the same by hand",
            0.6,
            self._profile("consume", EVENTS),
        )

    async def expressions(self) -> None:
        name = "expressions of plans"
        missing = await asyncio.to_thread(_install)
        if missing:
            self._console.print(f"{name}: {missing}", markup=False)
        rounds = await self._shown(
            name, child_rounds(self._site, "expressions", self._order(CASES))
        )
        rates = {
            rival: rate
            for rival in (expressions.CEL_RUST, expressions.ZEN_ENGINE)
            if (rate := middle(rounds, rival)) is not None
        }
        slower = min(rates, key=rates.__getitem__, default="")
        said = missing or f"{slower}, the slower of " + ", ".join(
            f"{rival} {rate:,.0f}" for rival, rate in rates.items()
        )
        kept = [one for one in rounds if one.variant in (OURS, *rates)]
        await self._add(name, kept, slower, said, 1.0, self._profile("expressions", CASES))
        for variant, more in (
            (expressions.CHECKED, "expressions, facts checked first"),
            (expressions.DECISIONS, "whole decisions"),
        ):
            alone = [
                Round(variant=OURS, per_second=one.per_second)
                for one in rounds
                if one.variant == variant
            ]
            await self._add(more, alone, "", "", None)

    async def batches(self) -> None:
        name = "batch rows booked"
        rounds = await self._shown(name, batches.rounds(self._site, self._batch_rows))
        await self._add(
            name, rounds, batches.BARE, "the same bytes inserted, nothing else", None
        )

    async def _shown(self, name: str, rounds: AsyncIterator[Round]) -> list[Round]:
        kept = []
        async for one in rounds:
            note = f"   {one.note}" if one.note else ""
            self._console.print(
                f"{name:<22} {one.variant:<13} {one.per_second:>12,.0f} a second{note}",
                markup=False,
                soft_wrap=True,
            )
            kept.append(one)
        return kept

    async def _add(
        self,
        name: str,
        rounds: Sequence[Round],
        variant: str,
        against: str,
        goal: float | None,
        profile: Callable[[], Awaitable[tuple[str, ...]]] | None = None,
    ) -> None:
        row = row_of(name, rounds, against=variant, goal=goal)
        lines = await profile() if row.met is False and profile else ()
        self.done.append(
            Measured(row=row, against=against, rounds=tuple(rounds), profile=lines)
        )

    def _profile(self, work: str, count: int) -> Callable[[], Awaitable[tuple[str, ...]]]:
        order = self._order(count, repeats=1, only_ours=True)
        return lambda: child_profile(self._site, work, order)

    def _order(self, count: int, *, repeats: int = REPEATS, only_ours: bool = False) -> Order:
        return Order(
            count=count,
            repeats=repeats,
            database_url=self._site.database_url,
            admin_url=self._site.admin_url,
            bootstrap=self._site.bootstrap,
            is_idempotent=self._site.is_idempotent,
            only_ours=only_ours,
        )


def _install() -> str:
    """The engines that only the benchmark needs; why not, where they cannot be had."""
    if all(map(importlib.util.find_spec, ("cel", "zen"))):
        return ""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "install", "-q", "--python", sys.executable, "-r", REQUIREMENTS]
    try:
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS, capture_output=True)
    except (OSError, subprocess.SubprocessError) as why:
        return f"could not be installed: {REQUIREMENTS.name} ({type(why).__name__})"
    importlib.invalidate_caches()
    return ""


async def bench(
    console: Console, folder: Path, out: Path, works: Sequence[str], batch_rows: int
) -> None:
    began = time.monotonic()
    try:
        console.print(
            f"{os.cpu_count()} cores: the measured process has one, servers and sender the other."
        )
        console.print(
            f"Sender: our own, a closed loop of {LOAD.connections} connections in its own process."
        )
        async with site(folder) as at:
            fsync = fsync_milliseconds(folder)
            console.print(f"{' and '.join(at.servers)}; an fsync takes {fsync:.2f} ms here.")
            measuring = Bench(console, at, batch_rows)
            for work in works:
                await getattr(measuring, work)()
            machine = described(*at.servers) | {"fsync_ms": fsync}
        print_table(console, measuring.done)
        report = report_of(
            measuring.done,
            machine=machine,
            load={
                "sender": "own, closed loop",
                "connections": LOAD.connections,
                "events_a_round": EVENTS,
                "rounds": REPEATS,
                "batch_rows": batch_rows,
            },
            seconds=time.monotonic() - began,
        )
        write(report, out)
        console.print(f"{out} is written; {report.seconds:.0f} s.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    parser.add_argument("--only", choices=WORKS, action="append")
    parser.add_argument("--batch-rows", type=int, default=batches.ROWS)
    arguments = parser.parse_args()
    folder = FOLDER.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    asyncio.run(
        bench(
            Console(highlight=False),
            folder,
            arguments.out,
            arguments.only or WORKS,
            arguments.batch_rows,
        )
    )


if __name__ == "__main__":
    main()
