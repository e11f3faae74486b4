"""The consumer against real PostgreSQL: once, in order, in few calls; and what it parks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.common import deadletter
from libs.common.bus import Inbound
from libs.common.consumer import Handlers, Received, deliver, reads, replay
from libs.common.db import Database, Tx
from libs.common.errors import Conflict, NotHereYet
from libs.common.events import Announcement, Event, Reading, encode, with_sequence
from tests.conftest import DbOf

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
ONE = "sbx-one"
CONSUMER = "tests"


class Said(Event, frozen=True, kw_only=True):
    topic = "policies"
    source = "/tests"

    number: int
    not_read: str = "extra"


class Asked(Event, frozen=True, kw_only=True):
    topic = "policies"
    source = "/tests"

    number: int


class _Said(Reading, frozen=True, kw_only=True):
    number: int


_Said.__name__ = "Said"


class _Asked(Reading, frozen=True, kw_only=True):
    number: int


_Asked.__name__ = "Asked"

Call = tuple[str, list[tuple[str, int]]]


def message(offset: int, event: Event, *, key: str = "pol_1", sequence: int = 1) -> Inbound:
    envelope = encode(Announcement(tenant_id=ONE, key=key, event=event), NOW)
    return Inbound("policies", 0, offset, key, with_sequence(envelope, sequence))


def recording(calls: list[Call], *, poison: Exception | None = None, at: int = -1) -> Handlers:
    """Handlers that write down their calls, and fail at number `at`."""

    def handler(name: str) -> Any:
        async def handle(tx: Tx, events: Sequence[Received[Any]]) -> None:
            for received in events:
                if poison is not None and received.event.number == at:
                    raise poison
                # An effect in the same transaction as the memory of the event.
                await tx.execute(
                    """
                    INSERT INTO deadlines AS d VALUES ($1, $2, $3, now())
                    ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET attempts = d.attempts + 1
                    """,
                    received.tenant_id,
                    name,
                    f"{received.key}/{received.event.number}",
                )
            calls.append((name, [(r.key, r.event.number) for r in events]))

        return handle

    return dict([reads(_Said, handler("said")), reads(_Asked, handler("asked"))])


async def effects(db: Database) -> dict[str, int]:
    async with db.worker() as connection:
        rows = await connection.fetch("SELECT subject, attempts FROM deadlines")
    return {row["subject"]: row["attempts"] + 1 for row in rows}


async def test_a_batch_is_one_call_a_type_with_keys_in_order(db_of: DbOf) -> None:
    calls: list[Call] = []
    batch = [
        message(0, Said(number=1), key="a"),
        message(1, Asked(number=2), key="a"),
        message(2, Said(number=3), key="b"),
        message(3, Said(number=4), key="a"),
        message(4, Asked(number=5), key="b"),
    ]
    await deliver(await db_of("policy"), CONSUMER, recording(calls), batch)

    assert calls == [
        ("said", [("a", 1), ("b", 3)]),
        ("asked", [("a", 2), ("b", 5)]),
        ("said", [("a", 4)]),
    ]


async def test_an_event_that_comes_again_changes_nothing(db_of: DbOf) -> None:
    db = await db_of("policy")
    calls: list[Call] = []
    again = message(0, Said(number=1))
    moved = Inbound("policies", 0, 7, again.key, again.value)

    await deliver(db, CONSUMER, recording(calls), [again, moved])
    await deliver(db, CONSUMER, recording(calls), [again])

    assert await effects(db) == {"pol_1/1": 1}
    assert calls == [("said", [("pol_1", 1)])]


async def test_another_consumer_has_its_own_memory(db_of: DbOf) -> None:
    db = await db_of("policy")
    once = message(0, Said(number=1))
    await deliver(db, CONSUMER, recording([]), [once])
    await deliver(db, "another", recording([]), [once])

    assert await effects(db) == {"pol_1/1": 2}


async def test_a_type_nobody_handles_is_skipped(db_of: DbOf) -> None:
    db = await db_of("policy")
    handlers = dict([reads(_Asked, recording([])["io.parcelcover.Asked.v1"].handle)])
    await deliver(db, CONSUMER, handlers, [message(0, Said(number=1))])

    assert await deadletter.list_letters(db) == []


UNREADABLE = {
    "not JSON": b"\xff{",
    "not an event": b'{"hello": 1}',
    "nothing": b"",
    "an array": b"[]",
    "too deep": b"[" * 100_000,
    "no number": b'{"sequence":"x","specversion":"1.0","id":"1","source":"/","type":"t","time":'
    b'"2026-03-02T10:00:00Z","partitionkey":"pol_1","tenantid":"sbx-one","data":{}}',
}


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_what_is_no_event_is_parked_and_others_go_on(db_of: DbOf, value: bytes) -> None:
    db = await db_of("policy")
    batch = [Inbound("policies", 0, 0, "pol_1", value), message(1, Said(number=2), key="pol_2")]
    await deliver(db, CONSUMER, recording([]), batch)

    letters = await deadletter.list_letters(db)
    assert [(x.parking.cause, x.message.value) for x in letters] == [("unreadable", value)]
    assert await effects(db) == {"pol_2/2": 1}


def changed(original: Inbound, old: bytes, new: bytes) -> Inbound:
    value = original.value.replace(old, new)
    assert value != original.value
    return Inbound(original.topic, original.partition, original.offset, original.key, value)


CHANGED = {
    "an unknown version": (b"Said.v1", b"Said.v9", "is a version nobody here reads"),
    "a broken schema": (b'"number":1', b'"number":"1"', "breaks its schema"),
    "another key": (
        b'"partitionkey":"pol_1"',
        b'"partitionkey":"pol_9"',
        "is not the event's own",
    ),
    "no tenant": (b'"tenantid":"sbx-one"', b'"tenantid":"x,y"', "is not a tenant"),
}


@pytest.mark.parametrize(("old", "new", "why"), CHANGED.values(), ids=CHANGED.keys())
async def test_an_event_that_cannot_be_handled_is_parked_with_its_cause(
    db_of: DbOf, old: bytes, new: bytes, why: str
) -> None:
    db = await db_of("policy")
    await deliver(db, CONSUMER, recording([]), [changed(message(0, Said(number=1)), old, new)])

    (letter,) = await deadletter.list_letters(db)
    assert why in letter.parking.detail
    assert await effects(db) == {}


async def test_later_events_of_a_parked_key_wait_and_other_keys_flow(db_of: DbOf) -> None:
    db = await db_of("policy")
    handlers = recording([], poison=ZeroDivisionError("a bug"), at=1)
    await deliver(
        db,
        CONSUMER,
        handlers,
        [
            message(0, Said(number=1), key="bad"),
            message(1, Said(number=2), key="bad"),
            message(2, Said(number=3), key="good"),
        ],
    )
    await deliver(db, CONSUMER, handlers, [message(3, Said(number=4), key="bad")])

    letters = await deadletter.list_letters(db)
    assert [x.parking.cause for x in letters] == ["handler-failed", None, None]
    assert "a bug" in letters[0].parking.detail
    assert await effects(db) == {"good/3": 1}


async def test_an_argument_the_driver_refuses_is_the_handlers_own_fault_and_is_parked(
    db_of: DbOf,
) -> None:
    """The driver calls it an InterfaceError, as it calls a lost connection; this one never heals."""
    db = await db_of("policy")

    async def refused(tx: Tx, events: Sequence[Received[Any]]) -> None:
        await tx.fetchval("SELECT $1::integer", "no number")

    await deliver(db, CONSUMER, dict([reads(_Said, refused)]), [message(0, Said(number=1))])

    (letter,) = await deadletter.list_letters(db)
    assert letter.parking.cause == "handler-failed"
    assert "no number" in letter.parking.detail


async def test_a_parked_key_is_replayed_in_order_once_it_is_mended(db_of: DbOf) -> None:
    db = await db_of("policy")
    broken = recording([], poison=Conflict("not now"), at=1)
    await deliver(db, CONSUMER, broken, [message(n, Said(number=n)) for n in (1, 2, 3)])
    assert await replay(db, CONSUMER, broken, "pol_1") == 0

    calls: list[Call] = []
    assert await replay(db, CONSUMER, recording(calls), "pol_1") == 3
    assert [numbers for _, numbers in calls] == [[("pol_1", 1)], [("pol_1", 2)], [("pol_1", 3)]]
    assert await deadletter.list_letters(db) == []


@pytest.mark.parametrize(
    "away", [NotHereYet("no such plan"), ConnectionRefusedError(), TimeoutError()]
)
async def test_while_something_is_away_the_consumer_waits_and_parks_nothing(
    db_of: DbOf, away: Exception
) -> None:
    db = await db_of("policy")
    with pytest.raises(type(away)):
        await deliver(
            db, CONSUMER, recording([], poison=away, at=1), [message(0, Said(number=1))]
        )

    assert await deadletter.list_letters(db) == []
    await deliver(db, CONSUMER, recording([]), [message(0, Said(number=1))])
    assert await effects(db) == {"pol_1/1": 1}
