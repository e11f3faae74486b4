"""EasyPost: an Event around a Tracker, whose tracking_details are all scans so far, oldest first."""

import unicodedata
from collections.abc import Sequence
from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading
from services.policy.tracking.reading import decode, place
from services.policy.tracking.signing import BodyHmac
from services.policy.tracking.times import read_time


class _Location(msgspec.Struct):
    city: str | None = None
    state: str | None = None
    country: str | None = None


class _Detail(msgspec.Struct):
    status: str | None = None
    status_detail: str | None = None
    message: str | None = None
    datetime: str | None = None
    tracking_location: _Location | None = None


class _Tracker(msgspec.Struct):
    tracking_code: str
    carrier: str | None = None
    tracking_details: Sequence[_Detail] = ()


class _Wrapped(msgspec.Struct):
    object: str


class _Event(msgspec.Struct):
    id: str
    description: str
    result: msgspec.Raw


_event = msgspec.json.Decoder(_Event)
_wrapped = msgspec.json.Decoder(_Wrapped)
_tracker = msgspec.json.Decoder(_Tracker)


def read(body: bytes) -> Reading:
    """An Event of another thing than a tracker says nothing of a parcel's way."""
    event = decode(_event, body)
    if decode(_wrapped, event.result).object != "Tracker":
        return Reading(message_id=event.id, kind=event.description)
    tracker = decode(_tracker, event.result)
    return Reading(
        scans=tuple(_scan(tracker, detail) for detail in tracker.tracking_details),
        message_id=event.id,
        kind=event.description,
    )


def _scan(tracker: _Tracker, detail: _Detail) -> CarrierScan:
    where = detail.tracking_location or _Location()
    return CarrierScan(
        carrier=tracker.carrier or "",
        number=tracker.tracking_code,
        status=detail.status or "",
        sub=detail.status_detail or "",
        happened=read_time(detail.datetime),
        location=place(where.city, where.state),
        country=where.country or "",
        description=detail.message or "",
    )


def _normalised(secret: str) -> bytes:
    return unicodedata.normalize("NFKD", secret).encode()


_V1: Final = BodyHmac(header="x-hmac-signature", prefix="hmac-sha256-hex=", key=_normalised)

PROVIDER: Final = Provider(name="easypost", title="EasyPost", schemes={"v1": _V1}, read=read)
