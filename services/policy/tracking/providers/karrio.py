"""Karrio: a tracker with all events so far, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading, ScanTime
from services.policy.tracking.reading import decode, reading_of
from services.policy.tracking.signing import SecretHeader, check_shown
from services.policy.tracking.times import read_time, read_unzoned

TRACKER: Final = "tracker"


class _Event(msgspec.Struct):
    date: str | None = None
    time: str | None = None
    timestamp: str | None = None
    description: str | None = None
    location: str | None = None
    status: str | None = None
    reason: str | None = None


class _Tracker(msgspec.Struct):
    tracking_number: str
    carrier_name: str | None = None
    status: str | None = None
    events: Sequence[_Event] | None = None


class _Object(msgspec.Struct):
    object_type: str | None = None


class _Hook(msgspec.Struct):
    event: str
    data: msgspec.Raw


_hook = msgspec.json.Decoder(_Hook)
_object = msgspec.json.Decoder(_Object)
_tracker = msgspec.json.Decoder(_Tracker)


def read(body: bytes) -> Reading:
    """A hook about another thing than a tracker says nothing of a parcel's way."""
    hook = decode(_hook, body)
    if decode(_object, hook.data).object_type != TRACKER:
        return reading_of((), kind=hook.event)
    tracker = decode(_tracker, hook.data)
    events = tracker.events or ()
    newest = _bearer_of_status(tracker)
    return reading_of(
        (
            _scan(tracker, event, (tracker.status or "") if event is newest else "")
            for event in events
        ),
        kind=hook.event,
    )


def _bearer_of_status(tracker: _Tracker) -> _Event | None:
    """The event that the tracker's own status is about, where no event has one: the newest.

    The older ones were other things: a delivery on each of them would be a delivery on the first day.
    """
    events = tracker.events or ()
    if not events or any(event.status for event in events):
        return None
    timed = [event for event in events if _time(event).at is not None]
    return max(timed, key=lambda event: str(_time(event).at)) if timed else events[0]


def _scan(tracker: _Tracker, event: _Event, status: str) -> CarrierScan:
    return CarrierScan(
        carrier=tracker.carrier_name or "",
        number=tracker.tracking_number,
        status=event.status or status,
        sub=event.reason or "",
        happened=_time(event),
        location=event.location or "",
        description=event.description or "",
    )


def _time(event: _Event) -> ScanTime:
    """Karrio writes a Z behind the carriers' local times."""
    if event.timestamp:
        return read_unzoned(event.timestamp)
    return read_time(f"{event.date or ''} {_clock(event.time or '')}")


def _clock(text: str) -> str:
    """`02:30 PM` as `14:30`."""
    try:
        return datetime.strptime(text, "%I:%M %p").strftime("%H:%M")  # noqa: DTZ007  a time alone
    except ValueError:
        return text


PROVIDER: Final = Provider(
    name="karrio",
    title="Karrio",
    schemes={"event-id": SecretHeader(header="x-event-id")},
    read=read,
    check_secret=check_shown,
)
