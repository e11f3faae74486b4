"""17TRACK: a push with the events of each carrier that has the parcel, newest first."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading, ScanTime
from services.policy.tracking.reading import decode, reading_of
from services.policy.tracking.signing import BodyDigest, sha256_with_key
from services.policy.tracking.times import read_local, read_time

# What a stage says where an event has no sub-status; the others are top-level codes.
_OF_STAGE: Final[Mapping[str, str]] = {
    "PickedUp": "InTransit_PickedUp",
    "Departure": "InTransit_Departure",
    "Arrival": "InTransit_Arrival",
    "Returning": "Exception_Returning",
    "Returned": "Exception_Returned",
}


class _RawTime(msgspec.Struct):
    date: str | None = None
    time: str | None = None
    timezone: str | None = None


class _Address(msgspec.Struct):
    country: str | None = None


class _Event(msgspec.Struct):
    time_iso: str | None = None
    time_utc: str | None = None
    time_raw: _RawTime | None = None
    description: str | None = None
    location: str | None = None
    stage: str | None = None
    sub_status: str | None = None
    address: _Address | None = None


class _Carrier(msgspec.Struct):
    key: int | str | None = None


class _Told(msgspec.Struct):
    provider: _Carrier | None = None
    events: Sequence[_Event] | None = None


class _Tracking(msgspec.Struct):
    providers: Sequence[_Told] | None = None


class _Track(msgspec.Struct):
    latest_event: _Event | None = None
    tracking: _Tracking | None = None


class _Parcel(msgspec.Struct):
    number: str
    # An integer, 0 while 17TRACK does not know it.
    carrier: int | str | None = None
    track_info: _Track | None = None


class _Push(msgspec.Struct):
    event: str
    data: _Parcel


_push = msgspec.json.Decoder(_Push)


def read(body: bytes) -> Reading:
    """TRACKING_STOPPED says nothing of the parcel's way, nor does a parcel that has no events yet."""
    push = decode(_push, body)
    track = push.data.track_info or _Track()
    told = (track.tracking.providers if track.tracking else None) or ()
    history = [(one, event) for one in told for event in one.events or ()]
    if not history and track.latest_event is not None:
        history = [(told[0] if told else _Told(), track.latest_event)]
    return reading_of((_scan(push.data, one, event) for one, event in history), kind=push.event)


def _scan(parcel: _Parcel, told: _Told, event: _Event) -> CarrierScan:
    stage = event.stage or ""
    sub = event.sub_status or _OF_STAGE.get(stage, "")
    return CarrierScan(
        carrier=str(parcel.carrier or (told.provider and told.provider.key) or ""),
        number=parcel.number,
        # An event has no status of its own: a sub-status begins with it, a new one too.
        status=(sub or stage).partition("_")[0],
        sub=sub,
        happened=_time(event),
        location=event.location or "",
        country=(event.address.country or "") if event.address else "",
        description=event.description or "",
    )


def _time(event: _Event) -> ScanTime:
    if event.time_iso or event.time_utc or event.time_raw is None:
        return read_time(event.time_iso or event.time_utc)
    raw = event.time_raw
    return read_local(f"{raw.date or ''} {raw.time or ''}", raw.timezone)


PROVIDER: Final = Provider(
    name="17track",
    title="17TRACK",
    schemes={"sha256": BodyDigest(header="sign", digest=sha256_with_key)},
    read=read,
)
