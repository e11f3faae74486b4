"""The broker, in two verbs: send these messages and be sure, take a batch and say it is done."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from libs.common.events import CONTENT_TYPE

SEND_TIMEOUT_SECONDS = 30
# Kafka's own default is 1,048,588 with its overhead; `outbox.append` refuses anything near it.
MAX_MESSAGE_BYTES = 1_000_000
BATCH_LIMIT = 500
POLL_MILLISECONDS = 500
# A batch takes far less; past this the broker gives the partitions to another member.
MAX_POLL_INTERVAL_MILLISECONDS = 300_000

_HEADERS = [("content-type", CONTENT_TYPE)]


# A struct, not a dataclass: one is made of each event, and structs are made in C.
class Outbound(msgspec.Struct, frozen=True):
    topic: str
    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Inbound:
    topic: str
    partition: int
    offset: int
    key: str
    value: bytes


class BusUnavailable(Exception):
    """The broker did not take the messages; nothing is known of them, so they are sent again."""


class Producer:
    """Sends in order; a failed send ends the producer's epoch and the next starts a new one.

    With the idempotent producer the broker refuses what would arrive out of order after a failure.
    """

    def __init__(self, bootstrap: str, *, idempotent: bool) -> None:
        self._bootstrap = bootstrap
        self._idempotent = idempotent
        self._producer: Any = None

    async def start(self) -> None:
        if self._producer is not None:
            return
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=self._idempotent,
            linger_ms=2,
            max_batch_size=262_144,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=SEND_TIMEOUT_SECONDS * 1000,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as failure:
            await producer.stop()
            raise BusUnavailable(str(failure)) from failure
        self._producer = producer

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def send(self, messages: Sequence[Outbound]) -> None:
        """All of them, acknowledged by the broker, or BusUnavailable."""
        await self.start()
        try:
            futures = [
                await self._producer.send(
                    message.topic, message.value, key=message.key.encode(), headers=_HEADERS
                )
                for message in messages
            ]
            await asyncio.gather(*futures)
        except (KafkaError, OSError, TimeoutError) as failure:
            await self.stop()
            raise BusUnavailable(str(failure)) from failure


class Subscription:
    """A member of a consumer group; offsets move only when `done` is called."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    async def take(self, limit: int = BATCH_LIMIT) -> list[Inbound]:
        """The next messages, each partition's in order; an empty list when there are none yet."""
        batches = await self._consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=limit)
        return [
            Inbound(
                record.topic,
                record.partition,
                record.offset,
                (record.key or b"").decode(errors="replace"),
                record.value or b"",
            )
            for records in batches.values()
            for record in records
        ]

    async def done(self, messages: Sequence[Inbound]) -> None:
        """Commit the offsets behind these messages, after their effect is committed."""
        offsets: dict[Any, int] = {}
        for message in messages:
            partition = TopicPartition(message.topic, message.partition)
            offsets[partition] = max(offsets.get(partition, 0), message.offset + 1)
        # A partition that went to another member meanwhile is that member's to commit.
        mine = self._consumer.assignment()
        await self._consumer.commit({p: offset for p, offset in offsets.items() if p in mine})

    async def rewind(self, messages: Sequence[Inbound]) -> None:
        """Take these again: their effect did not happen."""
        firsts: dict[Any, int] = {}
        for message in messages:
            partition = TopicPartition(message.topic, message.partition)
            firsts[partition] = min(firsts.get(partition, message.offset), message.offset)
        mine = self._consumer.assignment()
        for partition, offset in firsts.items():
            if partition in mine:
                self._consumer.seek(partition, offset)

    async def is_drained(self) -> bool:
        """Whether every message now in the partitions this member holds has been taken."""
        partitions = self._consumer.assignment()
        if not partitions:
            return False
        ends = await self._consumer.end_offsets(list(partitions))
        positions = [await self._consumer.position(partition) for partition in ends]
        return all(end <= at for end, at in zip(ends.values(), positions, strict=True))


@asynccontextmanager
async def subscribe(
    bootstrap: str, group: str, topics: Sequence[str]
) -> AsyncIterator[Subscription]:
    """Join the group for these topics, from the beginning where it has not been before."""
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_interval_ms=MAX_POLL_INTERVAL_MILLISECONDS,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=3_000,
        fetch_max_wait_ms=100,
    )
    try:
        await consumer.start()
        yield Subscription(consumer)
    except (KafkaError, OSError) as failure:
        raise BusUnavailable(str(failure)) from failure
    finally:
        await consumer.stop()
