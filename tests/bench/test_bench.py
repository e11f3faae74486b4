"""The benchmark measures something: every row with tiny counts, and what a row says."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from libs.common import outbox
from libs.common.bus import Producer, subscribe
from libs.common.events import Announcement, Event, decode
from libs.common.outbox import RELAY_BATCH, Relay
from tests.bench import batches, consume, expressions, posts, quotes, relay
from tests.bench.orders import Order
from tests.bench.report import Report, report_of, write
from tests.bench.rounds import OURS, Measured, Round, row_of
from tests.bench.site import Site
from tests.bench.traffic import NOW, TENANT
from tests.conftest import DbOf


@pytest.fixture
def site(tmp_path: Path, keys: Path, database: str, admin_url: str, broker: Any) -> Site:
    return Site(
        folder=tmp_path,
        keys=keys,
        database_url=database,
        admin_url=admin_url,
        bootstrap=broker.bootstrap,
        is_idempotent=broker.idempotent,
    )


@pytest.fixture
def order(site: Site) -> Order:
    return Order(
        count=600,
        repeats=1,
        database_url=site.database_url,
        admin_url=site.admin_url,
        bootstrap=site.bootstrap,
        is_idempotent=site.is_idempotent,
    )


async def rates(rounds: AsyncIterator[Round]) -> dict[str, float]:
    """By variant; each of them measured once."""
    found = [one async for one in rounds]
    assert len({one.variant for one in found}) == len(found)
    assert all(one.per_second > 0 for one in found)
    return {one.variant: one.per_second for one in found}


async def test_quotes_are_answered_by_ours_with_and_without_storing_and_by_the_bare_route(
    site: Site,
) -> None:
    load = quotes.Load(connections=4, warmup_seconds=0.1, seconds=0.4)

    found = await rates(quotes.rounds(site, load, repeats=1))

    assert set(found) == {"ours", "unstored", "bare"}
    assert all(rate > 20 for rate in found.values())


async def test_carriers_posts_are_taken_and_read_by_ours_and_taken_bare(site: Site) -> None:
    found = await rates(posts.rounds(site, repeats=1, parcels=30))

    assert set(found) == {posts.ACCEPTED, posts.WORKED, posts.BARE}


async def test_the_profile_names_the_places_where_a_quote_spends_its_time(site: Site) -> None:
    lines = await quotes.profile(site, quotes.Load(connections=4, seconds=0.3))

    assert any("libs/common/web.py" in line for line in lines)


async def test_the_relay_and_aiokafka_send_the_same_events(order: Order) -> None:
    assert set(await rates(relay.rounds(order))) == {OURS, relay.RAW}


async def test_the_consumer_and_the_one_by_hand_keep_the_same_policies(order: Order) -> None:
    assert set(await rates(consume.rounds(order))) == {OURS, consume.BY_HAND}


async def test_the_engines_agree_on_every_expression_of_every_plan() -> None:
    found = await rates(expressions.rounds(Order(count=300, repeats=1)))

    assert {OURS, expressions.CHECKED, expressions.DECISIONS} <= set(found)
    plans = {case.plan.plan for case in expressions.every_case()}
    assert plans == {"bml-shipping", "cssecure", "jsx-cargo", "mypoz-cargo", "tks-warehouse"}


async def test_a_batch_is_booked_by_the_services_and_its_bytes_are_inserted_bare(
    site: Site,
) -> None:
    assert set(await rates(batches.rounds(site, 300))) == {OURS, batches.BARE}


def a_round(variant: str, per_second: float) -> Round:
    return Round(variant=variant, per_second=per_second)


def test_a_row_compares_the_middle_of_the_rounds() -> None:
    rounds = [a_round(OURS, n) for n in (150, 10, 160)] + [
        a_round("bare", n) for n in (90, 100)
    ]

    row = row_of("quotes", rounds, against="bare", goal=1.5)

    assert (row.ours, row.baseline, row.ratio, row.met) == (150, 95, 1.579, True)
    assert row_of("quotes", rounds, against="bare", goal=1.6).met is False


def test_a_goal_is_not_met_where_the_baseline_could_not_be_measured() -> None:
    row = row_of("expressions", [a_round(OURS, 5)], against="", goal=1.0)

    assert (row.baseline, row.ratio, row.met) == (None, None, False)


def test_the_report_is_a_list_of_rows(tmp_path: Path) -> None:
    row = row_of("decisions", [a_round(OURS, 5)])
    measured = Measured(row=row, against="", rounds=(a_round(OURS, 5),))
    path = tmp_path / "bench.json"

    write(report_of([measured], machine={}, load={}, seconds=1.0), path)

    document = msgspec.json.decode(path.read_bytes())
    assert document["rows"] == [
        {
            "name": "decisions",
            "ours": 5.0,
            "baseline": None,
            "ratio": None,
            "goal": None,
            "met": None,
        }
    ]
    assert msgspec.convert(document, Report).rows == [row]


# --- what reading ahead must not change -------------------------------------------------------


class _Happened(Event, frozen=True, kw_only=True):
    topic = "policies"
    source = "/bench"

    number: int


async def test_a_key_keeps_its_order_over_batches_that_are_read_ahead(
    db_of: DbOf, broker: Any
) -> None:
    """More events than two batches hold, of few keys, appended while the relay is at work."""
    db, run, count = await db_of("policy"), uuid4().hex[:8], 2 * RELAY_BATCH + 500
    events = [
        Announcement(tenant_id=TENANT, key=f"pol_{run}_{n % 7}", event=_Happened(number=n))
        for n in range(count)
    ]
    async with db.transaction(TENANT) as tx:
        await outbox.append(tx, *events[: count - 1_000], now=NOW)
    producer = Producer(broker.bootstrap, idempotent=broker.idempotent)
    one = Relay(db, producer, "policy")
    task = asyncio.create_task(one.run())
    try:
        for first in range(count - 1_000, count, 100):
            async with db.transaction(TENANT) as tx:
                await outbox.append(tx, *events[first : first + 100], now=NOW)
            one.wake()
        heard = await _heard(broker.bootstrap, f"pol_{run}_", count)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await producer.stop()

    assert {key: len(numbers) for key, numbers in heard.items()} == {
        f"pol_{run}_{n}": len(range(n, count, 7)) for n in range(7)
    }
    assert all(numbers == sorted(numbers) for numbers in heard.values())


async def _heard(bootstrap: str, prefix: str, count: int) -> dict[str, list[int]]:
    """The sequences of each key, in the order the broker has them."""
    found: dict[str, list[int]] = defaultdict(list)
    async with (
        asyncio.timeout(30),
        subscribe(bootstrap, uuid4().hex, ["policies"]) as subscription,
    ):
        while sum(map(len, found.values())) < count:
            for message in await subscription.take():
                if message.key.startswith(prefix):
                    found[message.key].append(int(decode(message.value).sequence))
    return found
