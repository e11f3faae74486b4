"""Producers and readers agree: every example parses in every reader, and no event breaks its past."""

import copy
import importlib
from typing import Any

import msgspec
import pytest

from deploy import asyncapi as published
from libs.common.consumer import Handlers, Reader
from libs.common.events import Announcement, Event, decode, encode, with_sequence
from libs.common.migrate import SERVICES
from tests.contracts import snapshots
from tests.contracts.compatibility import breaks
from tests.contracts.examples import NOW, as_json, example

EVENTS = snapshots.events()


class _NoParts:
    """Handlers are only looked up here, never called: what they would use is not there."""

    def __getattr__(self, name: str) -> Any:
        return None


def readers() -> list[tuple[str, str, Reader]]:
    """(service, wire type, reader) of every consumer."""
    found = []
    for service in SERVICES:
        described = importlib.import_module(f"services.{service}.app").SERVICE
        handlers: Handlers = described.handlers(_NoParts())
        found += [(service, wire, reader) for wire, reader in handlers.items()]
    return found


READERS = readers()


@pytest.mark.parametrize(
    ("service", "wire", "reader"),
    READERS,
    ids=[f"{s}-{w.split('.')[2]}" for s, w, _ in READERS],
)
def test_what_is_said_parses_where_it_is_read(service: str, wire: str, reader: Reader) -> None:
    event = example(EVENTS[wire])
    said = with_sequence(
        encode(Announcement(tenant_id="sbx-a-1", key="pol_1", event=event), NOW), 1
    )
    envelope = decode(said)
    read = reader.decoder.decode(envelope.data)

    assert envelope.type == wire
    for name in reader.shape.__struct_fields__:
        kept = msgspec.to_builtins(getattr(read, name))
        assert _is_part_of(kept, as_json(event)[name]), f"{service} reads {name} otherwise"


def _is_part_of(read: Any, said: Any) -> bool:
    """What was read is what was said, members the reader does not know left out."""
    if isinstance(read, dict):
        return all(key in said and _is_part_of(value, said[key]) for key, value in read.items())
    if isinstance(read, list | tuple):
        return len(read) == len(said) and all(map(_is_part_of, read, said))
    return bool(read == said)


@pytest.mark.parametrize(("service", "wire", "reader"), READERS, ids=lambda x: str(x)[:60])
def test_readers_ignore_what_they_do_not_know(service: str, wire: str, reader: Reader) -> None:
    grown = as_json(example(EVENTS[wire])) | {"of_tomorrow": 1}
    reader.decoder.decode(msgspec.json.encode(grown))


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS.keys())
def test_producers_refuse_what_they_do_not_know(event: type[Event]) -> None:
    wrong = as_json(example(event)) | {"of_tomorrow": 1}
    with pytest.raises(msgspec.ValidationError, match="of_tomorrow"):
        msgspec.json.decode(msgspec.json.encode(wrong), type=event)


def test_no_event_breaks_its_past() -> None:
    changes = snapshots.broken(snapshots.kept(), snapshots.now())
    assert not changes, "\n".join([*changes, snapshots.HOW_TO_BREAK])


def test_snapshots_and_the_published_document_are_as_the_code_has_them() -> None:
    assert snapshots.kept() == snapshots.now(), snapshots.REFRESH
    assert snapshots.DOCUMENT.read_text() == published.text(), snapshots.REFRESH


PAID = "io.parcelcover.PolicyPaid.v1"


def changed(path: list[str], value: Any) -> dict[str, Any]:
    schema = copy.deepcopy(snapshots.now()[PAID])
    place = schema
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return schema


BREACHES = {
    "a member gone": (
        ["$defs", "PolicyPaid", "properties", "paid_at"],
        None,
        "paid_at is gone",
    ),
    "a type changed": (
        ["$defs", "PolicyPaid", "properties", "state"],
        {"type": "integer"},
        "state was",
    ),
    "a new required member": (
        ["$defs", "PolicyPaid", "required"],
        ["policy_id", "brand_new"],
        "brand_new",
    ),
    "a part's member gone": (
        ["$defs", "Terms", "properties", "rate"],
        None,
        "terms.rate is gone",
    ),
}


@pytest.mark.parametrize(("path", "value", "says"), BREACHES.values(), ids=BREACHES.keys())
def test_a_breaking_change_is_told(path: list[str], value: Any, says: str) -> None:
    found = breaks(snapshots.now()[PAID], changed(path, value))
    assert any(says in one for one in found), found


def test_an_optional_member_more_is_no_breach() -> None:
    grown = changed(["$defs", "PolicyPaid", "properties", "of_tomorrow"], {"type": "string"})
    assert breaks(snapshots.now()[PAID], grown) == []
