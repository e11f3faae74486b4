"""A process to be killed: relays, or consumes, and dies by SIGKILL where it is told to.

python -m tests.faults.child relay DATABASE BOOTSTRAP IDEMPOTENT
python -m tests.faults.child append-and-die DATABASE
python -m tests.faults.child relay-and-die DATABASE BOOTSTRAP IDEMPOTENT   after the broker's ack
python -m tests.faults.child consume-and-die DATABASE BOOTSTRAP GROUP      after the effect's commit
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NoReturn

from libs.common import outbox
from libs.common.bus import Inbound, Outbound, Producer, Subscription
from libs.common.consumer import Consumer, Handlers, Received, reads
from libs.common.db import Database, Tx
from libs.common.events import Announcement, Event, Reading
from libs.common.outbox import Relay

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
TENANT = "sbx-faults"
TOPIC = "faults"


class Happened(Event, frozen=True, kw_only=True):
    topic = TOPIC
    source = "/faults"

    number: int


class _Happened(Reading, frozen=True, kw_only=True):
    number: int


_Happened.__name__ = "Happened"


def happened(number: int, *, keys: int = 1) -> Announcement:
    return Announcement(
        tenant_id=TENANT, key=f"pol_{number % keys}", event=Happened(number=number)
    )


async def on_happened(tx: Tx, events: Sequence[Received[_Happened]]) -> None:
    """Write down each event in the order it takes effect; the count would show a second time."""
    for received in events:
        await tx.execute(
            """
            INSERT INTO event_sequences AS s VALUES ($1, $2, $3)
            ON CONFLICT (tenant_id, key) DO UPDATE SET last = s.last + 1000000
            """,
            received.tenant_id,
            f"effect/{received.key}/{received.event.number}",
            received.sequence,
        )


HANDLERS: Handlers = dict([reads(_Happened, on_happened)])


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


class MortalProducer(Producer):
    async def send(self, messages: Sequence[Outbound]) -> None:
        await super().send(messages)
        die()


class MortalSubscription(Subscription):
    async def done(self, messages: Sequence[Inbound]) -> NoReturn:
        die()


async def append_and_die(database: str) -> None:
    db = await Database.connect(database, "policy")
    async with db.transaction(TENANT) as tx:
        await outbox.append(tx, happened(1), happened(2), now=NOW)
    die()


async def relay(database: str, bootstrap: str, idempotent: str, shape: type[Producer]) -> None:
    db = await Database.connect(database, "policy")
    producer = shape(bootstrap, idempotent=idempotent == "yes")
    await Relay(db, producer, "policy").run()


async def consume_and_die(database: str, bootstrap: str, group: str) -> None:
    db = await Database.connect(database, "claims")
    Subscription.done = MortalSubscription.done  # type: ignore[method-assign]
    await Consumer(db, bootstrap, group, [TOPIC], HANDLERS).run()


def main() -> None:
    what, *rest = sys.argv[1:]
    match what:
        case "append-and-die":
            asyncio.run(append_and_die(*rest))
        case "relay":
            asyncio.run(relay(*rest, Producer))
        case "relay-and-die":
            asyncio.run(relay(*rest, MortalProducer))
        case "consume-and-die":
            asyncio.run(consume_and_die(*rest))


if __name__ == "__main__":
    main()
