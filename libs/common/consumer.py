"""The consumer: batches of events in, their effects and the memory of them in one transaction.

    take a batch -> park what cannot be read -> one transaction: first sight, then the handlers
    -> commit the offsets

A batch that fails is redone one by one; what fails then is parked, and later events of its key
wait behind it as rows, so offsets move on and other keys flow. When the database or the broker is
away the whole consumer pauses and parks nothing.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
import structlog

from libs.common import deadletter, telemetry
from libs.common.acting import acting
from libs.common.bus import BATCH_LIMIT, BusUnavailable, Inbound, Subscription, subscribe
from libs.common.db import AWAY, Database, Tx, is_away
from libs.common.deadletter import Parking
from libs.common.errors import NotHereYet, Refusal
from libs.common.events import TYPE_PREFIX, Envelope, Reading, decode, wire_type
from libs.common.ids import TENANT_ID

R = TypeVar("R", bound=Reading)

RETRY_SECONDS = 1.0
RELEASE_SECONDS = 5.0
ATTEMPTS = 3

_log = structlog.get_logger()


class Received(msgspec.Struct, Generic[R], frozen=True):
    """An event as a handler gets it: what its envelope says, and the fields the consumer reads."""

    event_id: str
    tenant_id: str
    key: str
    sequence: int
    at: datetime
    event: R


Handler = Callable[[Tx, Sequence[Received[R]]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reader:
    """How one wire type is read, and what is done about a run of its events."""

    shape: type[Reading]
    handle: Callable[[Tx, Sequence[Received[Any]]], Awaitable[None]]
    decoder: msgspec.json.Decoder[Any]


Handlers = Mapping[str, Reader]


def reads(shape: type[R], handle: Handler[R]) -> tuple[str, Reader]:
    """An entry of a service's HANDLERS: `dict([reads(PolicyPaid, on_policy_paid), ...])`."""
    return wire_type(shape), Reader(shape, handle, msgspec.json.Decoder(shape))


class Unreadable(Exception):
    """An event that can never be handled as it is; the message says why."""


class Consumer:
    """One consumer of a service: `name` is its consumer group and the inbox's first column."""

    def __init__(
        self,
        db: Database,
        bootstrap: str,
        name: str,
        topics: Sequence[str],
        handlers: Handlers,
    ) -> None:
        self._db = db
        self._bootstrap = bootstrap
        self.name = name
        self._topics = topics
        self._handlers = handlers
        self.subscription: Subscription | None = None
        # For whoever must know that nothing moves any more.
        self._is_busy = False
        self._release_at = 0.0

    async def run(self) -> None:
        """Until cancelled: join, deliver batches, and join again after the broker was away."""
        while True:
            try:
                async with subscribe(self._bootstrap, self.name, self._topics) as subscription:
                    self.subscription = subscription
                    while True:
                        await self._deliver_next(subscription)
            except BusUnavailable as failure:
                _log.warning("consumer_paused", consumer=self.name, cause=str(failure))
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                self.subscription = None

    async def _deliver_next(self, subscription: Subscription) -> None:
        messages = await subscription.take(BATCH_LIMIT)
        if not messages:
            await self._release_waiting()
            return
        self._is_busy = True
        try:
            await deliver(self._db, self.name, self._handlers, messages)
        except PAUSING as failure:
            _log.warning("consumer_paused", consumer=self.name, cause=str(failure))
            await subscription.rewind(messages)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            await subscription.done(messages)
        finally:
            self._is_busy = False

    async def _release_waiting(self) -> None:
        """Now and then: a letter parked while those before it were replayed waits for nothing."""
        now = asyncio.get_running_loop().time()
        if now < self._release_at:
            return
        self._release_at = now + RELEASE_SECONDS
        try:
            for key in await deadletter.list_released(self._db, self.name):
                await replay(self._db, self.name, self._handlers, key)
        except PAUSING as failure:
            _log.warning("release_put_off", consumer=self.name, cause=str(failure))

    async def is_idle(self) -> bool:
        """Joined, nothing in hand and nothing left to take."""
        subscription = self.subscription
        if subscription is None or self._is_busy:
            return False
        return await subscription.is_drained() and not self._is_busy


PAUSING = (NotHereYet, *AWAY)


def _is_pausing(failure: Exception) -> bool:
    """Something is away or has not arrived, and it is no fault of the handler's."""
    return isinstance(failure, NotHereYet) or is_away(failure)


async def deliver(
    db: Database, consumer: str, handlers: Handlers, messages: Sequence[Inbound]
) -> None:
    """Give each message's event its effect once, or park it with its cause.

    Raises one of PAUSING when nothing could be done about the batch now; it is taken again then.
    """
    blocked = await deadletter.blocked_keys(db, consumer, {message.key for message in messages})
    ready: list[_Ready] = []
    for message in messages:
        if message.key in blocked:
            await deadletter.park(db, consumer, message, Parking.waiting())
            continue
        try:
            event = _read(message, handlers)
        except Unreadable as failure:
            await deadletter.park(
                db, consumer, message, Parking(cause="unreadable", detail=str(failure))
            )
            blocked.add(message.key)
            continue
        if event is not None:
            ready.append(event)
    if ready:
        await _handle(db, consumer, ready)


class _Ready(msgspec.Struct, frozen=True):
    message: Inbound
    reader: Reader
    received: Received[Any]


def _read(message: Inbound, handlers: Handlers) -> _Ready | None:
    """The event, decoded; None where this consumer has no handler for its type."""
    try:
        envelope = decode(message.value)
    except msgspec.MsgspecError as failure:
        raise Unreadable(f"not a CloudEvent: {failure}") from failure
    reader = handlers.get(envelope.type)
    if reader is None:
        if any(_same_class(envelope.type, known) for known in handlers):
            raise Unreadable(f"{envelope.type} is a version nobody here reads")
        return None
    if envelope.partitionkey != message.key:
        raise Unreadable(
            f"key {message.key!r} is not the event's own {envelope.partitionkey!r}"
        )
    if not TENANT_ID.fullmatch(envelope.tenantid):
        raise Unreadable(f"{envelope.tenantid!r} is not a tenant")
    return _Ready(message, reader, _received(envelope, reader))


def _received(envelope: Envelope, reader: Reader) -> Received[Any]:
    try:
        event = reader.decoder.decode(envelope.data)
    except msgspec.MsgspecError as failure:
        raise Unreadable(f"{envelope.type} breaks its schema: {failure}") from failure
    return Received(
        event_id=envelope.id,
        tenant_id=envelope.tenantid,
        key=envelope.partitionkey,
        sequence=int(envelope.sequence),
        at=envelope.time,
        event=event,
    )


def _same_class(wire: str, known: str) -> bool:
    return (
        wire.startswith(TYPE_PREFIX) and wire.rpartition(".v")[0] == known.rpartition(".v")[0]
    )


async def _handle(db: Database, consumer: str, ready: Sequence[_Ready]) -> None:
    try:
        await _handle_together(db, consumer, ready)
    except Exception as failure:  # whatever else it is, one of the batch has it
        if _is_pausing(failure):
            raise
        if len(ready) > 1:
            _log.info(
                "batch_redone_singly", consumer=consumer, size=len(ready), cause=repr(failure)
            )
        await _handle_singly(db, consumer, ready)


async def _handle_together(db: Database, consumer: str, ready: Sequence[_Ready]) -> None:
    """One transaction for the batch: who was seen before, then a handler's call a run."""
    async with db.transaction(*sorted({r.received.tenant_id for r in ready})) as tx:
        new = await _first_sight(tx, consumer, ready)
        for reader, run in runs([r for r in ready if r.received.event_id in new]):
            acting.set(f"event:{reader.shape.__name__}")
            await reader.handle(tx, run)
    counts = Counter((r.reader.shape.__name__, r.received.event_id in new) for r in ready)
    for (name, is_new), number in counts.items():
        result = "handled" if is_new else "repeated"
        telemetry.CONSUMED.labels(consumer, name, result).inc(number)


async def _first_sight(tx: Tx, consumer: str, ready: Sequence[_Ready]) -> set[str]:
    """Insert the batch's event ids; those that were not there before."""
    rows = await tx.fetch(
        """
        INSERT INTO inbox (consumer, event_id, tenant_id)
        SELECT $1, i.event_id, i.tenant_id FROM unnest($2::text[], $3::text[]) AS i (event_id, tenant_id)
        ON CONFLICT DO NOTHING RETURNING event_id
        """,
        consumer,
        [r.received.event_id for r in ready],
        [r.received.tenant_id for r in ready],
    )
    return {row["event_id"] for row in rows}


def runs(ready: Sequence[_Ready]) -> list[tuple[Reader, list[Received[Any]]]]:
    """The events as few calls as possible: one type a call, each key's events in order.

    Takes, again and again, the type of the first event left and, of every key, the leading events
    of that type.
    """
    queues: dict[str, deque[_Ready]] = {}
    seen: set[str] = set()
    for r in ready:
        # The same event twice in a batch is a repeat like any other.
        if r.received.event_id not in seen:
            seen.add(r.received.event_id)
            queues.setdefault(r.received.key, deque()).append(r)
    result = []
    while queues:
        reader = next(iter(queues.values()))[0].reader
        run: list[Received[Any]] = []
        for key, queue in list(queues.items()):
            while queue and queue[0].reader is reader:
                run.append(queue.popleft().received)
            if not queue:
                del queues[key]
        result.append((reader, run))
    return result


async def _handle_singly(db: Database, consumer: str, ready: Sequence[_Ready]) -> None:
    """Each event alone, to find which to park; what follows one of its key waits behind it."""
    blocked: set[str] = set()
    for r in ready:
        if r.message.key in blocked:
            await deadletter.park(db, consumer, r.message, Parking.waiting())
        elif (cause := await _try(db, consumer, r)) is not None:
            blocked.add(r.message.key)
            await deadletter.park(db, consumer, r.message, cause)


async def _try(db: Database, consumer: str, ready: _Ready) -> Parking | None:
    """None when handled; else why it is to be parked. A handler's bug gets ATTEMPTS tries."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await _handle_together(db, consumer, [ready])
        except Exception as failure:  # parked with its cause, and logged
            if _is_pausing(failure):
                raise
            if isinstance(failure, Refusal):
                return Parking(cause=failure.code, detail=failure.detail)
            if attempt == ATTEMPTS:
                _log.error(
                    "event_parked", consumer=consumer, key=ready.message.key, exc_info=failure
                )
                return Parking(cause="handler-failed", detail=repr(failure)[:2_000])
            await asyncio.sleep(0.1 * attempt)
        else:
            return None
    return None


async def replay(db: Database, consumer: str, handlers: Handlers, key: str) -> int:
    """Redo the key's dead letters in order, up to the first that still fails; how many went."""
    done = 0
    for letter in await deadletter.of_key(db, consumer, key):
        try:
            ready = _read(letter.message, handlers)
        except Unreadable as failure:
            await deadletter.note(
                db, letter.id, Parking(cause="unreadable", detail=str(failure))
            )
            return done
        cause = None if ready is None else await _try(db, consumer, ready)
        if cause is not None:
            await deadletter.note(db, letter.id, cause)
            return done
        await deadletter.remove(db, letter.id)
        done += 1
    return done
