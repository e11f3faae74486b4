"""kill -9 between any two steps: the event arrives, its effect happens once, in order."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import pytest

from deploy.local import kafka
from libs.common import outbox
from libs.common.bus import Producer, subscribe
from libs.common.consumer import Consumer
from libs.common.db import Database
from libs.common.events import decode
from libs.common.outbox import Relay
from tests.conftest import DbOf
from tests.faults.child import HANDLERS, NOW, TENANT, TOPIC, happened

SIGKILLED = -9
PATIENCE_SECONDS = 40


@pytest.fixture
async def bus(broker: Any) -> Any:
    await kafka.ensure_topics(broker.bootstrap, [TOPIC], partitions=4)
    return broker


@pytest.fixture
def own_group() -> str:
    """The tests share a topic; each reads it as a group of its own."""
    return f"faults-{uuid4().hex}"


async def spawn(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.child", *arguments
    )


async def until(
    true: Callable[[], Awaitable[bool]], *, patience: float = PATIENCE_SECONDS
) -> None:
    async with asyncio.timeout(patience):
        while not await true():  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(*coroutines: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)


async def pending(db: Database) -> int:
    async with db.worker() as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM outbox")
        return count


async def effects(db: Database) -> dict[str, int]:
    async with db.transaction(TENANT) as tx:
        rows = await tx.fetch(
            "SELECT key, last FROM event_sequences WHERE tenant_id = $1", TENANT
        )
    return {row["key"]: row["last"] for row in rows if row["key"].startswith("effect/")}


async def test_killed_between_commit_and_publish_the_event_still_arrives_once(
    db_of: DbOf, database: str, bus: Any, own_group: str
) -> None:
    process = await spawn("append-and-die", database)
    assert await process.wait() == SIGKILLED

    policy, claims = await db_of("policy"), await db_of("claims")
    assert await pending(policy) == 2
    producer = Producer(bus.bootstrap, idempotent=bus.idempotent)
    relay = Relay(policy, producer, "policy")
    consumer = Consumer(claims, bus.bootstrap, own_group, [TOPIC], HANDLERS)
    async with running(relay.run(), consumer.run()):
        await until(lambda: has(claims, "effect/pol_0/1", "effect/pol_0/2"))
    await producer.stop()

    seen = await effects(claims)
    assert (seen["effect/pol_0/1"], seen["effect/pol_0/2"]) == (1, 2)
    assert await pending(policy) == 0


async def test_killed_between_ack_and_delete_it_is_sent_again_and_takes_effect_once(
    db_of: DbOf, database: str, bus: Any, own_group: str
) -> None:
    policy, claims = await db_of("policy"), await db_of("claims")
    number = int(uuid4().int % 10**9)
    async with policy.transaction(TENANT) as tx:
        await outbox.append(tx, happened(number), now=NOW)
    process = await spawn("relay-and-die", database, bus.bootstrap, yes(bus.idempotent))
    assert await process.wait() == SIGKILLED
    assert await pending(policy) == 1

    producer = Producer(bus.bootstrap, idempotent=bus.idempotent)
    consumer = Consumer(claims, bus.bootstrap, own_group, [TOPIC], HANDLERS)
    async with running(Relay(policy, producer, "policy").run(), consumer.run()):
        await until(lambda: is_empty(policy))
        await until(lambda: has(claims, f"effect/pol_0/{number}"))
        await until(consumer.is_idle)
    await producer.stop()

    copies = [
        e for e in await everything(bus.bootstrap) if bytes(e.data) == b'{"number":%d}' % number
    ]
    assert len(copies) == 2
    assert len({e.id for e in copies}) == 1
    assert (await effects(claims))[f"effect/pol_0/{number}"] == 1


async def test_killed_between_effect_and_offset_the_effect_happens_once(
    db_of: DbOf, database: str, bus: Any, own_group: str
) -> None:
    policy, claims = await db_of("policy"), await db_of("claims")
    number = int(uuid4().int % 10**9)
    async with policy.transaction(TENANT) as tx:
        await outbox.append(tx, happened(number), now=NOW)
    producer = Producer(bus.bootstrap, idempotent=bus.idempotent)
    async with running(Relay(policy, producer, "policy").run()):
        await until(lambda: is_empty(policy))
    await producer.stop()

    process = await spawn("consume-and-die", database, bus.bootstrap, own_group)
    assert await process.wait() == SIGKILLED
    first = await effects(claims)
    assert first

    consumer = Consumer(claims, bus.bootstrap, own_group, [TOPIC], HANDLERS)
    async with running(consumer.run()):
        await until(lambda: has(claims, f"effect/pol_0/{number}"))
        await until(consumer.is_idle)
    second = await effects(claims)
    assert all(second[key] == sequence for key, sequence in first.items())
    assert max(second.values()) < 1_000_000


async def test_three_relays_at_once_send_each_event_and_keep_each_key_in_order(
    db_of: DbOf, database: str, bus: Any
) -> None:
    policy = await db_of("policy")
    count, keys = 3_000, 100
    relays = [
        await spawn("relay", database, bus.bootstrap, yes(bus.idempotent)) for _ in range(3)
    ]
    try:
        for start in range(0, count, 50):
            async with policy.transaction(TENANT) as tx:
                events = [happened(n, keys=keys) for n in range(start, start + 50)]
                await outbox.append(tx, *events, now=NOW)
            if start == count // 2:
                # One of them dies in the middle of it; the others take over its shards.
                relays[0].kill()
        await until(lambda: is_empty(policy))
    finally:
        for process in relays:
            if process.returncode is None:
                process.kill()
            await process.wait()

    sent: dict[str, list[tuple[int, str]]] = {}
    async with policy.worker() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
    for envelope in await everything(bus.bootstrap):
        sent.setdefault(envelope.partitionkey, []).append((int(envelope.sequence), envelope.id))
    for key in range(keys):
        first_seen = list(dict.fromkeys(sent[f"pol_{key}"]))
        sequences = [sequence for sequence, _ in first_seen]
        assert sequences[-count // keys :] == list(range(1, count // keys + 1)), f"pol_{key}"


async def everything(bootstrap: str) -> list[Any]:
    """All events of the topic, each partition in order."""
    found = []
    async with subscribe(bootstrap, f"reader-{uuid4().hex}", [TOPIC]) as subscription:
        await until(lambda: is_joined(subscription))
        while True:
            batch = await subscription.take(5_000)
            found += [decode(message.value) for message in batch]
            if not batch and await subscription.is_drained():
                return found


async def is_joined(subscription: Any) -> bool:
    return bool(subscription._consumer.assignment())


async def is_empty(db: Database) -> bool:
    return await pending(db) == 0


async def has(db: Database, *keys: str) -> bool:
    return set(keys) <= set(await effects(db))


def yes(flag: bool) -> str:
    return "yes" if flag else "no"
