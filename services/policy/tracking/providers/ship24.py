"""Ship24: trackings, each with a tracker and all events so far."""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading, ScanTime
from services.policy.tracking.reading import decode, reading_of
from services.policy.tracking.signing import SecretHeader, check_shown
from services.policy.tracking.times import read_time, read_unzoned


class _Metadata(msgspec.Struct, rename="camel"):
    message_id: str | None = None


class _Tracker(msgspec.Struct, rename="camel"):
    tracking_number: str | None = None
    courier_code: str | Sequence[str] | None = None


class _Event(msgspec.Struct, rename="camel"):
    event_id: str | None = None
    tracking_number: str | None = None
    status: str | None = None
    status_code: str | None = None
    status_milestone: str | None = None
    occurrence_datetime: str | None = None
    datetime: str | None = None
    location: str | None = None
    courier_code: str | None = None


class _Tracking(msgspec.Struct):
    metadata: _Metadata | None = None
    tracker: _Tracker | None = None
    events: Sequence[_Event] | None = None


class _Hook(msgspec.Struct):
    trackings: Sequence[_Tracking]


_hook = msgspec.json.Decoder(_Hook)


def read(body: bytes) -> Reading:
    trackings = decode(_hook, body).trackings
    ids = {tracking.metadata.message_id for tracking in trackings if tracking.metadata}
    return reading_of(
        (
            _scan(tracking.tracker or _Tracker(), event)
            for tracking in trackings
            for event in tracking.events or ()
        ),
        # Grouped trackings have an id each: none of them is the body's.
        message_id=ids.pop() if len(ids) == 1 else "",
    )


def _scan(tracker: _Tracker, event: _Event) -> CarrierScan:
    return CarrierScan(
        carrier=_carrier(tracker, event),
        number=tracker.tracking_number or event.tracking_number or "",
        status=event.status_milestone or "",
        sub=event.status_code or "",
        happened=_time(event),
        scan_id=event.event_id or "",
        location=event.location or "",
        description=event.status or "",
    )


def _time(event: _Event) -> ScanTime:
    """The carrier's own; `datetime` is the same with a Z that nobody vouches for."""
    if event.occurrence_datetime:
        return read_time(event.occurrence_datetime)
    return read_unzoned(event.datetime)


def _carrier(tracker: _Tracker, event: _Event) -> str:
    """The one that the tracker names; among several, the event's."""
    codes = tracker.courier_code or ()
    named = [codes] if isinstance(codes, str) else codes
    return named[0] if len(named) == 1 else event.courier_code or ""


PROVIDER: Final = Provider(
    name="ship24",
    title="Ship24",
    schemes={"bearer": SecretHeader(word="Bearer")},
    read=read,
    check_secret=check_shown,
)
