"""The outbox: an event is a row of the transaction that made it true, until the broker has it.

Order per key holds because the key's count stays locked from the append to the commit, and because
one relay at a time holds a key's shard. At least once: a crash between the broker's answer and the
delete sends again, and the inbox makes the second time nothing.
"""

import asyncio
import zlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog

from libs.common import telemetry
from libs.common.acting import acting
from libs.common.bus import BusUnavailable, Outbound, Producer
from libs.common.db import FAULTS, Database, Row, Tx
from libs.common.events import Announcement, encode, with_sequence

SHARDS = 16
MAX_EVENT_BYTES = 900_000
RELAY_BATCH = 2_000
POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0
MEASURE_SECONDS = 10.0

_log = structlog.get_logger()

_COUNTED = """
WITH counted AS (
    INSERT INTO event_sequences AS s (tenant_id, key, last)
    SELECT tenant_id, key, count(*) FROM unnest($1::text[], $2::text[]) AS i (tenant_id, key)
    GROUP BY tenant_id, key ORDER BY tenant_id, key
    ON CONFLICT (tenant_id, key) DO UPDATE SET last = s.last + excluded.last
    RETURNING tenant_id, key, last
)"""
_INSERT = """
INSERT INTO outbox (tenant_id, shard, topic, key, sequence, envelope)
SELECT i.tenant_id, i.shard, i.topic, i.key, c.last - i.behind, i.envelope
FROM unnest($1::text[], $2::text[], $3::smallint[], $4::text[], $5::bigint[], $6::bytea[])
    WITH ORDINALITY AS i (tenant_id, key, shard, topic, behind, envelope, place)
JOIN counted c ON c.tenant_id = i.tenant_id AND c.key = i.key
ORDER BY i.place
"""
_APPEND = f"{_COUNTED}{_INSERT}"
# The same, and those that are kept into the history too, by the same count.
_APPEND_AND_KEEP = f"""{_COUNTED}, sent AS ({_INSERT} RETURNING 1)
INSERT INTO history (tenant_id, key, sequence, event_id, type, occurred_at, acted_by, data)
SELECT i.tenant_id, i.key, c.last - i.behind, e.envelope ->> 'id', e.envelope ->> 'type', $8, $9,
       e.envelope -> 'data'
FROM unnest($1::text[], $2::text[], $5::bigint[], $6::bytea[], $7::boolean[])
    AS i (tenant_id, key, behind, envelope, is_kept)
JOIN counted c ON c.tenant_id = i.tenant_id AND c.key = i.key
CROSS JOIN LATERAL (SELECT convert_from(i.envelope, 'UTF8')::json) AS e (envelope)
WHERE i.is_kept
"""


async def append(tx: Tx, *announcements: Announcement, now: datetime) -> None:
    """Put the events into the transaction, in this order; they go out when it commits."""
    if not announcements:
        return
    envelopes = [encode(a, now) for a in announcements]
    if any(len(envelope) > MAX_EVENT_BYTES for envelope in envelopes):
        # A row the broker would refuse for ever must not come to be.
        raise ValueError(f"an event is over {MAX_EVENT_BYTES} bytes")
    left = Counter((a.tenant_id, a.key) for a in announcements)
    behind = []
    for a in announcements:
        left[a.tenant_id, a.key] -= 1
        behind.append(left[a.tenant_id, a.key])
    rows = (
        [a.tenant_id for a in announcements],
        [a.key for a in announcements],
        [shard_of(a.key) for a in announcements],
        [a.event.topic for a in announcements],
        behind,
        envelopes,
    )
    kept = [a.event.is_kept for a in announcements]
    if any(kept):
        await tx.execute(_APPEND_AND_KEEP, *rows, kept, now, acting.get())
    else:
        await tx.execute(_APPEND, *rows)
    tx.announced = True


def shard_of(key: str) -> int:
    return zlib.crc32(key.encode()) % SHARDS


class Relay:
    """Moves rows from the outbox to the broker, one holder a shard.

    `service` names the outbox among those sharing a database. Woken by commits of its own
    process, with a slow poll for those of others.
    """

    def __init__(self, db: Database, producer: Producer, service: str) -> None:
        self._db = db
        self._producer = producer
        self._lock_class = zlib.crc32(f"outbox/{service}".encode()) & 0x7FFFFFFF
        self._wake = asyncio.Event()
        self._measure_at = 0.0

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. A failure of database or broker is waited out; nothing is lost by it."""
        while True:
            try:
                async with self._db.worker() as connection:
                    try:
                        await self._relay_held_shards(connection)
                    finally:
                        if not connection.is_closed():
                            await connection.execute("SELECT pg_advisory_unlock_all()")
            except (BusUnavailable, *FAULTS) as failure:
                _log.warning("relay_paused", cause=str(failure))
                await asyncio.sleep(RETRY_SECONDS)

    async def _relay_held_shards(self, connection: Any) -> None:
        held: list[int] = []
        while True:
            self._wake.clear()
            if len(held) < SHARDS:
                held += await _take_shards(connection, self._lock_class, held)
            await relay_pending(connection, self._producer, held)
            await self._measure(connection)
            await self._wait()

    async def _measure(self, connection: Any) -> None:
        """How much waits, and for how long, now and then."""
        now = asyncio.get_running_loop().time()
        if now < self._measure_at:
            return
        self._measure_at = now + MEASURE_SECONDS
        row = await connection.fetchrow(
            """
            SELECT count(*) AS depth,
                coalesce(extract(epoch FROM now() - min(appended_at)), 0)::float8 AS oldest
            FROM outbox
            """
        )
        telemetry.OUTBOX_DEPTH.set(row["depth"])
        telemetry.OUTBOX_OLDEST_SECONDS.set(row["oldest"])

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        except TimeoutError:
            return


async def relay_pending(connection: Any, producer: Producer, shards: Sequence[int]) -> None:
    """Send all that waits in these shards in order, and delete what was acknowledged.

    While a batch is on its way the one before is deleted and the next one read, which is sent only
    once the batch is acknowledged. What is read next is all but the batch, not what has higher ids:
    ids rise in commit order within a key, but not from one key to another.
    """
    acknowledged: list[int] = []
    rows = await _read(connection, shards, besides=())
    while rows:
        on_their_way = [row["id"] for row in rows]
        turn = asyncio.create_task(_turn(connection, shards, acknowledged, on_their_way))
        try:
            await producer.send([_outbound(row) for row in rows])
        finally:
            # Whatever becomes of the batch, the connection is free again when we are done.
            sent, rows = rows, await turn
        _count(sent)
        acknowledged = on_their_way
    await _delete(connection, acknowledged)


async def _turn(
    connection: Any,
    shards: Sequence[int],
    acknowledged: Sequence[int],
    on_their_way: Sequence[int],
) -> Sequence[Row]:
    """Delete the batch before, then read the next; a batch that was not full was the last."""
    await _delete(connection, acknowledged)
    if len(on_their_way) < RELAY_BATCH:
        return ()
    return await _read(connection, shards, besides=on_their_way)


async def _read(
    connection: Any, shards: Sequence[int], *, besides: Sequence[int]
) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        """
        SELECT id, topic, key, sequence, envelope FROM outbox
        WHERE shard = ANY($1) AND id <> ALL($2) ORDER BY id LIMIT $3
        """,
        shards,
        besides,
        RELAY_BATCH,
    )
    return rows


async def _delete(connection: Any, ids: Sequence[int]) -> None:
    if ids:
        await connection.execute("DELETE FROM outbox WHERE id = ANY($1)", ids)


def _count(sent: Sequence[Row]) -> None:
    for topic, number in Counter(row["topic"] for row in sent).items():
        telemetry.RELAY_SENT.labels(topic).inc(number)


def _outbound(row: Row) -> Outbound:
    return Outbound(row["topic"], row["key"], with_sequence(row["envelope"], row["sequence"]))


async def _take_shards(connection: Any, lock_class: int, held: Sequence[int]) -> list[int]:
    free = [shard for shard in range(SHARDS) if shard not in held]
    rows = await connection.fetch(
        "SELECT shard FROM unnest($2::int[]) AS shard WHERE pg_try_advisory_lock($1, shard)",
        lock_class,
        free,
    )
    return [row["shard"] for row in rows]
