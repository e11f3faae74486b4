"""Shippo: track_updated with a tracking_history so far and a tracking_status that may be in it."""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading
from services.policy.tracking.reading import decode, place, reading_of
from services.policy.tracking.signing import SecretUrl, TimedHmac
from services.policy.tracking.times import read_time

TRACK_UPDATED: Final = "track_updated"


class _Location(msgspec.Struct):
    city: str | None = None
    state: str | None = None
    country: str | None = None


class _Substatus(msgspec.Struct):
    code: str | None = None


class _Status(msgspec.Struct):
    status: str | None = None
    substatus: _Substatus | None = None
    status_details: str | None = None
    status_date: str | None = None
    location: _Location | None = None


class _Track(msgspec.Struct):
    tracking_number: str
    carrier: str | None = None
    tracking_status: _Status | None = None
    tracking_history: Sequence[_Status] | None = None


class _Hook(msgspec.Struct):
    event: str
    data: msgspec.Raw


_hook = msgspec.json.Decoder(_Hook)
_track = msgspec.json.Decoder(_Track)


def read(body: bytes) -> Reading:
    hook = decode(_hook, body)
    if hook.event != TRACK_UPDATED:
        return reading_of((), kind=hook.event)
    track = decode(_track, hook.data)
    told = [*(track.tracking_history or ()), *filter(None, [track.tracking_status])]
    return reading_of((_scan(track, status) for status in told), kind=hook.event)


def _scan(track: _Track, status: _Status) -> CarrierScan:
    """Without Shippo's object_id: the same status has one as the latest and another in the history."""
    where = status.location or _Location()
    return CarrierScan(
        carrier=track.carrier or "",
        number=track.tracking_number,
        status=status.status or "",
        sub=(status.substatus.code or "") if status.substatus else "",
        happened=read_time(status.status_date),
        location=place(where.city, where.state),
        country=where.country or "",
        description=status.status_details or "",
    )


PROVIDER: Final = Provider(
    name="shippo",
    title="Shippo",
    schemes={"hmac": TimedHmac(header="shippo-auth-signature"), "token": SecretUrl()},
    read=read,
)
