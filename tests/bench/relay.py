"""Events a second from the outbox to the broker, and the same messages sent by aiokafka alone."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaProducer

from libs.common import outbox
from libs.common.bus import MAX_MESSAGE_BYTES, Producer
from libs.common.db import Database
from libs.common.events import CONTENT_TYPE, with_sequence
from libs.common.outbox import Relay
from libs.common.plans.reading import load
from libs.common.settings import PROGRAMMES
from tests.bench import sampling
from tests.bench.orders import Order
from tests.bench.rounds import OURS, Round
from tests.bench.traffic import NOW, TENANT, policies_paid

RAW = "aiokafka"
APPEND = 500
LOOK_SECONDS = 0.005

# As a message goes to the raw producer: topic, value, key.
Message = tuple[str, bytes, bytes]


async def rounds(order: Order) -> AsyncIterator[Round]:
    """The outbox is filled, read once for the raw producer, then drained by the relay."""
    db = await Database.connect(order.database_url, "policy")
    admin = await asyncpg.connect(order.admin_url)
    try:
        for _ in range(order.repeats):
            await _fill(db, order.count)
            messages = await _messages(admin)
            yield Round(variant=OURS, per_second=order.count / await _drain(db, admin, order))
            if not order.only_ours:
                seconds = await _send(order, messages)
                yield Round(variant=RAW, per_second=order.count / seconds)
    finally:
        await admin.close()
        await db.close()


async def _fill(db: Database, count: int) -> None:
    events = list(policies_paid(load(PROGRAMMES), count, run=uuid4().hex[:8]))
    for first in range(0, count, APPEND):
        async with db.transaction(TENANT) as tx:
            await outbox.append(tx, *events[first : first + APPEND], now=NOW)


async def _messages(admin: asyncpg.Connection) -> list[Message]:
    rows = await admin.fetch(
        "SELECT topic, key, sequence, envelope FROM policy.outbox ORDER BY id"
    )
    return [
        (row["topic"], with_sequence(row["envelope"], row["sequence"]), row["key"].encode())
        for row in rows
    ]


async def _drain(db: Database, admin: asyncpg.Connection, order: Order) -> float:
    """Seconds until the relay has sent everything, has its acknowledgements, and deleted it."""
    producer = Producer(order.bootstrap, idempotent=order.is_idempotent)
    await producer.start()
    began = time.perf_counter()
    task = asyncio.create_task(Relay(db, producer, "policy").run())
    try:
        with sampling.watched():
            while await admin.fetchval("SELECT EXISTS (SELECT FROM policy.outbox)"):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)
        return time.perf_counter() - began
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await producer.stop()


async def _send(order: Order, messages: list[Message]) -> float:
    """Seconds until aiokafka has sent everything and has its acknowledgements."""
    producer = AIOKafkaProducer(
        bootstrap_servers=order.bootstrap,
        acks="all",
        enable_idempotence=order.is_idempotent,
        linger_ms=2,
        max_batch_size=262_144,
        max_request_size=MAX_MESSAGE_BYTES,
    )
    headers = [("content-type", CONTENT_TYPE)]
    await producer.start()
    try:
        began = time.perf_counter()
        sent = [
            await producer.send(topic, value, key=key, headers=headers)
            for topic, value, key in messages
        ]
        await asyncio.gather(*sent)
        return time.perf_counter() - began
    finally:
        await producer.stop()
