"""FedEx Advanced Integrated Visibility: the Track API's shape, each number with all events so far."""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading
from services.policy.tracking.reading import decode, place, reading_of, sentence
from services.policy.tracking.signing import BodyDigest
from services.policy.tracking.times import read_time

NOT_DELIVERED: Final = "DE"


class _Location(msgspec.Struct, rename="camel"):
    city: str | None = None
    state_or_province_code: str | None = None
    country_code: str | None = None


class _Event(msgspec.Struct, rename="camel"):
    date: str | None = None
    event_type: str | None = None
    event_description: str | None = None
    exception_code: str | None = None
    exception_description: str | None = None
    scan_location: _Location | None = None


class _Number(msgspec.Struct, rename="camel"):
    tracking_number: str | None = None
    tracking_number_unique_id: str | None = None


class _Track(msgspec.Struct, rename="camel"):
    tracking_number_info: _Number | None = None
    scan_events: Sequence[_Event] | None = None


class _Complete(msgspec.Struct, rename="camel"):
    tracking_number: str | None = None
    track_results: Sequence[_Track] | None = None


class _Output(msgspec.Struct, rename="camel"):
    complete_track_results: Sequence[_Complete]


class _Push(msgspec.Struct):
    output: _Output


_push = msgspec.json.Decoder(_Push)


def read(body: bytes) -> Reading:
    return reading_of(
        _scan(complete, track, event)
        for complete in decode(_push, body).output.complete_track_results
        for track in complete.track_results or ()
        for event in track.scan_events or ()
    )


def _scan(complete: _Complete, track: _Track, event: _Event) -> CarrierScan:
    number = track.tracking_number_info or _Number()
    where = event.scan_location or _Location()
    return CarrierScan(
        carrier="fedex",
        number=number.tracking_number or complete.tracking_number or "",
        bearer_id=number.tracking_number_unique_id or "",
        status=event.event_type or "",
        sub=_why(event),
        happened=read_time(event.date),
        location=place(where.city, where.state_or_province_code),
        country=where.country_code or "",
        description=sentence(event.event_description, event.exception_description),
    )


def _why(event: _Event) -> str:
    """Why it was not delivered: the only event whose exception code says more than the event.

    A code beside any other may be a normal one (PU with A25), and derivedStatusCode contradicts the
    event. One that no map has is named as unknown, so that an operator can say what it means.
    """
    is_told = event.event_type == NOT_DELIVERED and event.exception_code
    return f"{NOT_DELIVERED}:{event.exception_code}" if is_told else ""


# FedEx's own pages say hex in one place and base64 in another: both are taken, or the one chosen.
_SIGNATURE: Final = "fdx-signature"

PROVIDER: Final = Provider(
    name="fedex",
    title="FedEx Advanced Integrated Visibility",
    schemes={
        "hmac": BodyDigest(header=_SIGNATURE, forms=("hex", "base64")),
        "hmac-hex": BodyDigest(header=_SIGNATURE, forms=("hex",)),
        "hmac-base64": BodyDigest(header=_SIGNATURE, forms=("base64",)),
    },
    read=read,
)
