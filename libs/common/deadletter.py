"""Dead letters: events a consumer could not handle, with their cause, and those that wait behind."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from libs.common.bus import Inbound
from libs.common.db import Database, Row
from libs.common.events import Envelope, decode


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


async def list_letters(db: Database, *, limit: int = 100) -> list[DeadLetter]:
    """The oldest letters of all consumers, the waiting ones included."""
    async with db.worker() as connection:
        rows = await connection.fetch("SELECT * FROM dead_letters ORDER BY id LIMIT $1", limit)
    return [_letter(row) for row in rows]


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
    return DeadLetter(row["id"], row["consumer"], message, Parking(row["cause"], row["detail"]))


def _envelope(message: Inbound) -> Envelope | None:
    try:
        return decode(message.value)
    except msgspec.MsgspecError:
        return None


def _storable(text: str) -> str:
    """PostgreSQL's text has no NUL; a hostile key may."""
    return text.replace("\x00", "�")
