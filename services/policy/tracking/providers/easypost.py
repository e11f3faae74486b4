"""EasyPost: an Event around a Tracker, whose tracking_details are all scans so far, oldest first."""

import unicodedata
from collections.abc import Sequence
from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading
from services.policy.tracking.reading import decode, place, reading_of
from services.policy.tracking.signing import BodyDigest, RequestHmac, hmac_sha256
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
    tracking_details: Sequence[_Detail] | None = None


class _Wrapped(msgspec.Struct):
    object: str


class _Event(msgspec.Struct):
    result: msgspec.Raw
    id: str | None = None
    description: str | None = None


_event = msgspec.json.Decoder(_Event)
_wrapped = msgspec.json.Decoder(_Wrapped)
_tracker = msgspec.json.Decoder(_Tracker)


def read(body: bytes) -> Reading:
    """An Event of another thing than a tracker says nothing of a parcel's way."""
    event = decode(_event, body)
    if decode(_wrapped, event.result).object != "Tracker":
        return reading_of((), message_id=event.id, kind=event.description)
    tracker = decode(_tracker, event.result)
    return reading_of(
        (_scan(tracker, detail) for detail in tracker.tracking_details or ()),
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


def _hmac(secret: str, signed: bytes) -> bytes:
    """EasyPost normalises a secret before it signs with it."""
    return hmac_sha256(unicodedata.normalize("NFKD", secret).encode(), signed)


_V1: Final = BodyDigest(header="x-hmac-signature", prefix="hmac-sha256-hex=", digest=_hmac)
_V2: Final = RequestHmac(digest=_hmac)

PROVIDER: Final = Provider(
    name="easypost", title="EasyPost", schemes={"v1": _V1, "v2": _V2}, read=read
)
