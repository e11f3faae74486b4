"""Dead letters: events a consumer could not handle, with their cause, and those that wait behind."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from libs.common import telemetry
from libs.common.bus import Inbound
from libs.common.db import Database, Row
from libs.common.events import TYPE_PREFIX, Envelope, decode


@dataclass(frozen=True, slots=True)
class Parking:
    """Why an event is parked. `cause` None: it only waits behind another of its key."""

    cause: str | None
    detail: str = ""

    @classmethod
    def waiting(cls) -> "Parking":
        return cls(cause=None)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    id: int
    consumer: str
    message: Inbound
    parking: Parking
    tenant_id: str | None
    event_id: str | None
    type: str | None
    parked_at: datetime


async def park(db: Database, consumer: str, message: Inbound, parking: Parking) -> None:
    """Keep the message as it came. The same message parked twice is kept once."""
    envelope = _envelope(message)
    async with db.worker() as connection:
        await connection.execute(
            """
            INSERT INTO dead_letters (consumer, topic, partition, "offset", key,
                                      tenant_id, event_id, type, value, cause, detail)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            ON CONFLICT (consumer, topic, partition, "offset") DO NOTHING
            """,
            consumer,
            message.topic,
            message.partition,
            message.offset,
            _storable(message.key),
            envelope and _storable(envelope.tenantid),
            envelope and _storable(envelope.id),
            envelope and _storable(envelope.type),
            message.value,
            parking.cause,
            _storable(parking.detail),
        )
    telemetry.CONSUMED.labels(
        consumer, "" if envelope is None else _class_name(envelope.type), _result(parking)
    ).inc()


def _class_name(wire: str) -> str:
    """`PolicyPaid` of `io.parcelcover.PolicyPaid.v1`; anything else is one label."""
    name = wire.removeprefix(TYPE_PREFIX).partition(".")[0]
    return name if name.isidentifier() and len(name) < 64 else "other"


def _result(parking: Parking) -> str:
    return "waiting" if parking.cause is None else "parked"


async def blocked_keys(db: Database, consumer: str, keys: Iterable[str]) -> set[str]:
    """Those of the keys that have something parked."""
    async with db.worker() as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT key FROM dead_letters WHERE consumer = $1 AND key = ANY($2)",
            consumer,
            [_storable(key) for key in keys],
        )
    return {row["key"] for row in rows}


async def of_key(db: Database, consumer: str, key: str) -> list[DeadLetter]:
    """The key's letters in the order they came."""
    async with db.worker() as connection:
        rows = await connection.fetch(
            "SELECT * FROM dead_letters WHERE consumer = $1 AND key = $2 ORDER BY id",
            consumer,
            key,
        )
    return [_letter(row) for row in rows]


async def list_letters(
    db: Database, *, tenant_id: str | None = None, after: int = 0, limit: int = 100
) -> list[DeadLetter]:
    """The oldest letters behind `after`, the waiting ones included; of one tenant where one is named."""
    async with db.worker() as connection:
        rows = await connection.fetch(
            """
            SELECT * FROM dead_letters WHERE id > $1 AND ($2::text IS NULL OR tenant_id = $2)
            ORDER BY id LIMIT $3
            """,
            after,
            tenant_id,
            limit,
        )
    return [_letter(row) for row in rows]


async def find_letter(db: Database, letter_id: int) -> DeadLetter | None:
    async with db.worker() as connection:
        row = await connection.fetchrow("SELECT * FROM dead_letters WHERE id = $1", letter_id)
    return None if row is None else _letter(row)


async def list_keys(db: Database, consumer: str, *, tenant_id: str | None = None) -> list[str]:
    """The keys that have letters, the longest parked first."""
    async with db.worker() as connection:
        rows = await connection.fetch(
            """
            SELECT key FROM dead_letters
            WHERE consumer = $1 AND ($2::text IS NULL OR tenant_id = $2) GROUP BY key ORDER BY min(id)
            """,
            consumer,
            tenant_id,
        )
    return [row["key"] for row in rows]


async def list_released(db: Database, consumer: str) -> list[str]:
    """Keys whose oldest letter only waits: what it waited for went while it was being parked."""
    async with db.worker() as connection:
        rows = await connection.fetch(
            """
            SELECT key FROM (
                SELECT DISTINCT ON (key) key, cause FROM dead_letters
                WHERE consumer = $1 ORDER BY key, id
            ) AS heads WHERE cause IS NULL
            """,
            consumer,
        )
    return [row["key"] for row in rows]


async def note(db: Database, letter_id: int, parking: Parking) -> None:
    """Write down why the letter failed this time."""
    async with db.worker() as connection:
        await connection.execute(
            "UPDATE dead_letters SET cause = $2, detail = $3 WHERE id = $1",
            letter_id,
            parking.cause,
            _storable(parking.detail),
        )


async def remove(db: Database, letter_id: int) -> None:
    async with db.worker() as connection:
        await connection.execute("DELETE FROM dead_letters WHERE id = $1", letter_id)


def _letter(row: Row) -> DeadLetter:
    message = Inbound(row["topic"], row["partition"], row["offset"], row["key"], row["value"])
    return DeadLetter(
        id=row["id"],
        consumer=row["consumer"],
        message=message,
        parking=Parking(row["cause"], row["detail"]),
        tenant_id=row["tenant_id"],
        event_id=row["event_id"],
        type=row["type"],
        parked_at=row["parked_at"],
    )


def _envelope(message: Inbound) -> Envelope | None:
    try:
        return decode(message.value)
    except msgspec.MsgspecError:
        return None


def _storable(text: str) -> str:
    """PostgreSQL's text has no NUL; a hostile key may."""
    return text.replace("\x00", "�")
