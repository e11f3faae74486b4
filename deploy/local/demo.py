"""The demo: insured parcels' whole way through the public APIs, on a stack of its own.

Each programme's story runs in sandbox tenants of this run alone, on test clocks of their own.
It ends with a table and, as the last line, one JSON object.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from rich.table import Table

from deploy.local.ledgers import sums_to_zero
from deploy.local.processes import ChildEnded, StartRefused
from deploy.local.shop import Shop, Surprise
from deploy.local.stack import FOLDER, Stack, cancelled_by_signals
from deploy.local.steps import Steps
from deploy.local.stories import STORIES, Ending
from libs.common.bus import subscribe
from libs.common.events import decode

TOPICS = ("quotes", "policies", "claims", "notifications")
COUNTING_SECONDS = 30


async def run(folder: Path = FOLDER, *, fresh: bool = False) -> int:
    """Exit code 0 when every story ends as its programme's terms say, to the cent."""
    steps = Steps()
    began = time.monotonic()
    try:
        with cancelled_by_signals():
            async with Stack.up(folder, fresh=fresh, progress=steps) as stack:
                return await _tell(stack, steps, began)
    except asyncio.CancelledError:
        steps.say("Stopped.")
    except (StartRefused, ChildEnded, Surprise) as why:
        steps.say(str(why))
    return 1


async def _tell(stack: Stack, steps: Steps, began: float) -> int:
    run = uuid4().hex[:8]
    endings: list[Ending] = []
    tenants: set[str] = set()
    for number, story in enumerate(STORIES, start=1):
        steps.say(f"\n{story.title}")
        shop = Shop(stack, story.tenant, f"{run}-{number}", steps)
        try:
            endings.append(await story.tell(shop))
        finally:
            tenants.add(shop.tenant_id)
            await shop.close()
    events = await count_events(stack.bootstrap, tenants)
    balanced = await sums_to_zero(stack.postgres.admin_url, steps)
    _show(steps, endings)
    right = balanced and all(ending.is_as_expected for ending in endings)
    summary = {
        "programmes": {ending.name: ending.summary for ending in endings},
        "events": events,
        "broker": stack.broker.name,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(summary, ensure_ascii=False))
    return 0 if right else 1


async def count_events(bootstrap: str, tenants: set[str]) -> int:
    """Distinct events of these tenants on the bus, read as any dashboard would."""
    seen: set[str] = set()
    async with (
        asyncio.timeout(COUNTING_SECONDS),
        subscribe(bootstrap, f"demo-{uuid4().hex}", TOPICS) as subscription,
    ):
        while True:
            batch = await subscription.take(5_000)
            envelopes = [decode(message.value) for message in batch]
            seen |= {e.id for e in envelopes if e.tenantid in tenants}
            if not batch and await subscription.is_drained():
                return len(seen)


def _show(steps: Steps, endings: Sequence[Ending]) -> None:
    table = Table("story", "outcome", "payout", "expected", "")
    for ending in endings:
        mark = "[green]✓[/]" if ending.is_as_expected else "[red]✗[/]"
        table.add_row(ending.name, ending.outcome, ending.payout, ending.expected, mark)
    steps.console.print()
    steps.console.print(table)
