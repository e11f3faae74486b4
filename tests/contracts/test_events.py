"""Producers and readers agree: every example parses in every reader, and no event breaks its past."""

import importlib
import inspect
import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import pytest

from libs.common.consumer import Handlers, Reader
from libs.common.events import Announcement, Event, decode, encode, wire_type, with_sequence
from libs.common.migrate import SERVICES
from libs.common.service import Service
from tests.contracts import snapshots
from tests.contracts.examples import NOW, Json, as_json, example, of_tomorrow, of_yesterday

EVENTS = snapshots.events()
POLICY_ID = "pol_01JQZX7Y5V0000000000000000"


class _NoParts:
    """Handlers are only looked up here, never called: what they would use is not there."""

    def __getattr__(self, name: str) -> Any:
        return None


def service_of(name: str) -> Service:
    described: Service = importlib.import_module(f"services.{name}.app").SERVICE
    return described


def readers() -> list[tuple[str, str, Reader]]:
    """(service, wire type, reader) of every consumer."""
    no_parts: Any = _NoParts()
    tables: dict[str, Handlers] = {
        name: service_of(name).handlers(no_parts) for name in SERVICES
    }
    return [
        (name, wire, reader) for name, table in tables.items() for wire, reader in table.items()
    ]


READERS = readers()

each_reader = pytest.mark.parametrize(
    ("service", "wire", "reader"),
    READERS,
    ids=[f"{service}-{wire.split('.')[2]}" for service, wire, _ in READERS],
)
each_event = pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS.keys())


def said(event: Event) -> bytes:
    """The event as the relay hands it to the broker."""
    announcement = Announcement(
        tenant_id="sbx-cssbuy-1", key=POLICY_ID, event=event, causation_id="evt_1"
    )
    return with_sequence(encode(announcement, NOW), 3)


# --- who reads what --------------------------------------------------------------------------


def test_consumers_are_found_in_every_service() -> None:
    assert {service for service, _, _ in READERS} == set(SERVICES)
    assert len(READERS) > 15


@each_reader
def test_somebody_says_what_is_read_on_a_topic_the_reader_hears(
    service: str, wire: str, reader: Reader
) -> None:
    assert wire in EVENTS, f"{service} reads {wire}, which nobody says: see each events.EVENTS"
    topics: Sequence[str] = service_of(service).topics
    assert EVENTS[wire].topic in topics, f"{service} reads {wire} and does not hear its topic"


@each_reader
def test_what_is_said_is_what_is_read(service: str, wire: str, reader: Reader) -> None:
    event = example(EVENTS[wire])
    envelope = decode(said(event))
    read = reader.decoder.decode(envelope.data)

    assert envelope.type == wire
    assert _is_part_of(msgspec.to_builtins(read), as_json(event)), f"{service} reads otherwise"


def _is_part_of(read: Any, said: Any) -> bool:
    """What was read is what was said, members the reader does not know left out."""
    if isinstance(read, dict):
        return all(key in said and _is_part_of(value, said[key]) for key, value in read.items())
    if isinstance(read, list | tuple):
        return len(read) == len(said) and all(map(_is_part_of, read, said))
    return bool(read == said)


@each_reader
def test_events_of_yesterday_are_read_without_what_has_come_since(
    service: str, wire: str, reader: Reader
) -> None:
    """They stay in the log: a reader that asks for an optional member could not be started again."""
    reader.decoder.decode(msgspec.json.encode(of_yesterday(EVENTS[wire])))


@each_reader
def test_readers_ignore_what_they_do_not_know_at_any_depth(
    service: str, wire: str, reader: Reader
) -> None:
    event = example(EVENTS[wire])

    grown = reader.decoder.decode(msgspec.json.encode(of_tomorrow(as_json(event))))

    assert grown == reader.decoder.decode(msgspec.json.encode(event))


# --- what is said ----------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_every_class_of_event_is_listed(service: str) -> None:
    module = importlib.import_module(f"services.{service}.events")
    classes = {
        one
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, Event) and one is not Event
    }
    # What another one is made from is a base, and never said itself.
    bases = {base for one in classes for base in one.__mro__[1:]}
    assert classes - bases == set(module.EVENTS)


@each_event
def test_producers_refuse_what_they_do_not_know(event: type[Event]) -> None:
    wrong: Json = as_json(example(event)) | {"of_tomorrow": 1}
    with pytest.raises(msgspec.ValidationError, match="of_tomorrow"):
        msgspec.json.decode(msgspec.json.encode(wrong), type=event)


@each_event
def test_an_event_travels_as_a_cloud_event(event: type[Event]) -> None:
    """Names and members as standards.md 1 has them."""
    envelope: Json = msgspec.json.decode(said(example(event)))

    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in envelope)
    assert envelope.pop("id").startswith("evt_")
    assert envelope == {
        "specversion": "1.0",
        "type": wire_type(event),
        "source": event.source,
        "time": "2026-03-02T10:00:00.123000Z",
        "datacontenttype": "application/json",
        "partitionkey": POLICY_ID,
        "sequence": "0000000000000003",
        "tenantid": "sbx-cssbuy-1",
        "causationid": "evt_1",
        "data": as_json(example(event)),
    }


@each_event
def test_an_event_said_is_read_back_whole_by_its_own_class(event: type[Event]) -> None:
    envelope = decode(said(example(event)))

    assert msgspec.json.decode(envelope.data, type=event) == example(event)


@each_event
def test_no_event_carries_a_float(event: type[Event]) -> None:
    assert not carries_a_float(event)


def test_an_event_that_carries_a_float_is_noticed() -> None:
    class Priced(Event, frozen=True, kw_only=True):
        topic: ClassVar[str] = "quotes"
        source: ClassVar[str] = "/tests"

        rates: tuple[float, ...]

    assert carries_a_float(Priced)


def carries_a_float(event: type[Event]) -> bool:
    return '"type": "number"' in json.dumps(snapshots.schema_of(event))


# --- its past --------------------------------------------------------------------------------


def test_no_event_breaks_its_past() -> None:
    changes = snapshots.broken(snapshots.kept(), snapshots.now())
    assert not changes, "\n".join([*changes, snapshots.HOW_TO_BREAK])


def test_snapshots_are_as_the_code_has_the_events() -> None:
    assert snapshots.kept() == snapshots.now(), snapshots.REFRESH
