"""Measured processes, started one at a time; what they print is read as it comes."""

import asyncio
import sys
from collections.abc import AsyncIterator
from itertools import count

import msgspec

from deploy.local.processes import Child, ChildEnded, spawn
from tests.bench.orders import Order
from tests.bench.rounds import Round
from tests.bench.site import MEASURED_CPU, Site

LOOK_SECONDS = 0.1
# Among what the child's log may say.
ROUND = b'{"variant":'

_numbers = count()


async def child_rounds(site: Site, work: str, order: Order) -> AsyncIterator[Round]:
    """The rounds as the child ends them; ChildEnded, with its last words, where it fails."""
    child = _start(site, work, order)
    shown = 0
    try:
        while True:
            is_running = child.is_running
            lines = child.log.read_bytes().split(b"\n")[:-1]
            for line in lines[shown:]:
                if line.startswith(ROUND):
                    yield msgspec.json.decode(line, type=Round)
            shown = len(lines)
            if not is_running:
                break
            await asyncio.sleep(LOOK_SECONDS)
        if child.process.returncode != 0:
            raise ChildEnded(child.obituary())
    finally:
        await child.kill()


async def child_profile(site: Site, work: str, order: Order) -> tuple[str, ...]:
    child = _start(site, work, order, "profile")
    try:
        if await child.until_ended() != 0:
            raise ChildEnded(child.obituary())
        return tuple(line for line in child.log.read_text().splitlines() if " % " in line)
    finally:
        await child.kill()


def _start(site: Site, work: str, order: Order, *more: str) -> Child:
    number = next(_numbers)
    path = site.folder / f"order-{number}.json"
    path.write_bytes(msgspec.json.encode(order))
    return spawn(
        work,
        [sys.executable, "-m", "tests.bench.child", work, path, str(MEASURED_CPU), *more],
        log=site.folder / f"child-{number}.log",
    )
