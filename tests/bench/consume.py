"""Events a second into claims' own copy of policies: our consumer, and one written by hand."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from libs.common.bus import BATCH_LIMIT, MAX_MESSAGE_BYTES
from libs.common.consumer import Consumer, Handlers, Received
from libs.common.db import Database, Tx
from libs.common.events import encode, wire_type, with_sequence
from libs.common.plans.reading import load
from libs.common.plans.tenants import load_tenants
from libs.common.service import Running
from libs.common.settings import PROGRAMMES, Settings
from services.claims.consumers import handlers
from services.policy.events import PolicyPaid
from tests.bench import sampling
from tests.bench.orders import Order
from tests.bench.rounds import OURS, Round
from tests.bench.traffic import NOW, policies_paid

BY_HAND = "by hand"
PARTITIONS = 4
LOOK_SECONDS = 0.002


async def rounds(order: Order) -> AsyncIterator[Round]:
    """Each round reads the whole topic from its start, by a new group, into empty tables."""
    topic = f"bench-{uuid4().hex[:8]}"
    await _publish(order, topic)
    db = await Database.connect(order.database_url, "claims")
    admin = await asyncpg.connect(order.admin_url)
    try:
        for _ in range(order.repeats):
            yield await _measured(admin, OURS, order, _ours(order, db, topic))
            if not order.only_ours:
                yield await _measured(admin, BY_HAND, order, _by_hand(order, topic))
    finally:
        await admin.close()
        await db.close()


async def _measured(admin: asyncpg.Connection, variant: str, order: Order, work: Any) -> Round:
    await admin.execute("TRUNCATE claims.covers, claims.inbox CASCADE")
    per_second = await work
    kept = await admin.fetchrow(
        """
        SELECT (SELECT count(*) FROM claims.covers) AS covers,
               (SELECT count(*) FROM claims.inbox) AS seen
        """
    )
    if (kept["covers"], kept["seen"]) != (order.count, order.count):
        raise AssertionError(f"{variant} kept {kept} of {order.count}")
    return Round(variant=variant, per_second=per_second)


async def _ours(order: Order, db: Database, topic: str) -> float:
    """From the first batch's handling to the last one's end: joining a group is not counted."""
    running = SimpleNamespace(plans=load(PROGRAMMES), tenants=load_tenants(Settings().tenants))
    counted = _Counted(handlers(cast(Running, running)))
    consumer = Consumer(db, order.bootstrap, f"ours-{uuid4().hex}", (topic,), counted.handlers)
    task = asyncio.create_task(consumer.run())
    try:
        with sampling.watched():
            while counted.number < order.count or not await consumer.is_idle():  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)
        return (order.count - counted.first) / (time.perf_counter() - counted.began)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class _Counted:
    """The service's handlers, with the events counted that PolicyPaid's was given."""

    def __init__(self, of_service: Handlers) -> None:
        self.number, self.first, self.began = 0, 0, 0.0
        self._reader = of_service[wire_type(PolicyPaid)]
        self.handlers = {
            **of_service,
            wire_type(PolicyPaid): replace(self._reader, handle=self._handle),
        }

    async def _handle(self, tx: Tx, events: Sequence[Received[Any]]) -> None:
        await self._reader.handle(tx, events)
        self.number += len(events)
        if not self.first:
            self.first, self.began = self.number, time.perf_counter()


# --- by hand ----------------------------------------------------------------------------------


class _Pin(msgspec.Struct):
    plan: str
    version: int
    sha256: str


class _Terms(msgspec.Struct):
    order_ref: str


class _Paid(msgspec.Struct):
    policy_id: str
    plan: _Pin
    terms: msgspec.Raw
    state: str
    paid_at: datetime
    confirmed_at: datetime | None = None


class _Envelope(msgspec.Struct):
    id: str
    type: str
    tenantid: str
    sequence: str
    data: msgspec.Raw


_envelope = msgspec.json.Decoder(_Envelope)
_paid = msgspec.json.Decoder(_Paid)
_terms = msgspec.json.Decoder(_Terms)

_INBOX = """
    INSERT INTO claims.inbox (consumer, event_id, tenant_id)
    SELECT $1, i.event_id, i.tenant_id FROM unnest($2::text[], $3::text[]) AS i (event_id, tenant_id)
    ON CONFLICT DO NOTHING RETURNING event_id
"""
_UPSERT = """
    INSERT INTO claims.covers AS c (policy_id, tenant_id, plan, plan_version, plan_sha256, state,
                                    terms, paid_at, confirmed_at, order_ref, sequence)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[],
                         $7::jsonb[], $8::timestamptz[], $9::timestamptz[], $10::text[],
                         $11::bigint[])
    ON CONFLICT (policy_id) DO UPDATE SET
        plan = excluded.plan, plan_version = excluded.plan_version,
        plan_sha256 = excluded.plan_sha256, state = excluded.state, terms = excluded.terms,
        paid_at = excluded.paid_at, confirmed_at = excluded.confirmed_at,
        order_ref = excluded.order_ref, sequence = excluded.sequence
    WHERE c.sequence < excluded.sequence AND c.tenant_id = excluded.tenant_id
"""


async def _by_hand(order: Order, topic: str) -> float:
    group = f"hand-{uuid4().hex}"
    connection = await asyncpg.connect(order.admin_url)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=order.bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    try:
        handled, first, began = 0, 0, 0.0
        while handled < order.count:
            batches = await consumer.getmany(timeout_ms=500, max_records=BATCH_LIMIT)
            values = [record.value for records in batches.values() for record in records]
            if not values:
                continue
            await _keep(connection, group, values)
            await consumer.commit()
            handled += len(values)
            if not first:
                first, began = handled, time.perf_counter()
        return (order.count - first) / (time.perf_counter() - began)
    finally:
        await consumer.stop()
        await connection.close()


async def _keep(connection: asyncpg.Connection, group: str, values: list[bytes]) -> None:
    envelopes = [_envelope.decode(value) for value in values]
    wanted = wire_type(PolicyPaid)
    async with connection.transaction():
        rows = await connection.fetch(
            _INBOX, group, [e.id for e in envelopes], [e.tenantid for e in envelopes]
        )
        new = {row["event_id"] for row in rows}
        paid = [
            (e, _paid.decode(e.data)) for e in envelopes if e.id in new and e.type == wanted
        ]
        await connection.execute(
            _UPSERT,
            [p.policy_id for _, p in paid],
            [e.tenantid for e, _ in paid],
            [p.plan.plan for _, p in paid],
            [p.plan.version for _, p in paid],
            [p.plan.sha256 for _, p in paid],
            [p.state for _, p in paid],
            [bytes(p.terms).decode() for _, p in paid],
            [p.paid_at for _, p in paid],
            [p.confirmed_at for _, p in paid],
            [_terms.decode(p.terms).order_ref for _, p in paid],
            [int(e.sequence) for e, _ in paid],
        )


# --- what is read -----------------------------------------------------------------------------


async def _publish(order: Order, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=order.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, replication_factor=1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=order.bootstrap,
        acks="all",
        linger_ms=2,
        max_batch_size=262_144,
        max_request_size=MAX_MESSAGE_BYTES,
    )
    await producer.start()
    try:
        sent = [
            await producer.send(
                topic, with_sequence(encode(event, NOW), 1), key=event.key.encode()
            )
            for event in policies_paid(load(PROGRAMMES), order.count, run=uuid4().hex[:8])
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
