"""Events: CloudEvents 1.0 in JSON, and the two faces of an event's data.

A producer owns the shape: `class PolicyPaid(Event)` in its `events.py`, which forbids unknown
fields. A consumer declares only the fields it reads: `class PolicyPaid(Reading)`, which ignores
the rest. The class's name and version make the wire type: `io.parcelcover.PolicyPaid.v1`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import msgspec

from libs.common.ids import new_id

CONTENT_TYPE = b"application/cloudevents+json; charset=UTF-8"
TYPE_PREFIX = "io.parcelcover."
SEQUENCE_DIGITS = 16


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a service says. Its subclass a service sets `topic` and `source`."""

    version: ClassVar[int] = 1
    topic: ClassVar[str]
    source: ClassVar[str]
    # Whether it also stands in the history of what it is about.
    is_kept: ClassVar[bool] = True


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer reads of another's event."""

    version: ClassVar[int] = 1


def wire_type(shape: type[Event] | type[Reading]) -> str:
    """`io.parcelcover.PolicyPaid.v1` for the class PolicyPaid."""
    return f"{TYPE_PREFIX}{shape.__name__}.v{shape.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An event on its way out: whose it is, and the key that orders it.

    `key` is the policy's id from PolicyIssued on, the quote's before. `causation_id` names the
    event that led to this one.
    """

    tenant_id: str
    key: str
    event: Event
    causation_id: str | None = None


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A CloudEvent as it travels; `data` still raw, so that only its reader decodes it."""

    specversion: str
    id: str
    source: str
    type: str
    time: datetime
    partitionkey: str
    sequence: str
    tenantid: str
    datacontenttype: str = "application/json"
    causationid: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """An envelope before its sequence is known; the same members in the same order."""

    specversion: str
    id: str
    source: str
    type: str
    time: datetime
    partitionkey: str
    tenantid: str
    datacontenttype: str
    data: Event
    causationid: str | msgspec.UnsetType = msgspec.UNSET


_encoder = msgspec.json.Encoder(decimal_format="string")
_decoder = msgspec.json.Decoder(Envelope)


def encode(announcement: Announcement, now: datetime) -> bytes:
    """The envelope without its sequence, which `with_sequence` adds when it is known."""
    event = announcement.event
    return _encoder.encode(
        _Outgoing(
            specversion="1.0",
            id=new_id("evt"),
            source=event.source,
            type=wire_type(type(event)),
            time=now.astimezone(UTC),
            partitionkey=announcement.key,
            tenantid=announcement.tenant_id,
            datacontenttype="application/json",
            data=event,
            causationid=announcement.causation_id or msgspec.UNSET,
        )
    )


def with_sequence(envelope: bytes, sequence: int) -> bytes:
    """The envelope with the producer's count for its key put in front."""
    return b'{"sequence":"%0*d",%b' % (SEQUENCE_DIGITS, sequence, envelope[1:])


def decode(value: bytes) -> Envelope:
    """The envelope of a broker's message; msgspec.MsgspecError when it is none."""
    envelope = _decoder.decode(value)
    if envelope.specversion != "1.0":
        raise msgspec.ValidationError(f"specversion is {envelope.specversion}, not 1.0")
    if not (envelope.sequence.isascii() and envelope.sequence.isdigit()):
        raise msgspec.ValidationError(f"sequence is {envelope.sequence!r}, not a number")
    if envelope.time.tzinfo is None:
        raise msgspec.ValidationError("time has no offset")
    return envelope
