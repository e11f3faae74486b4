"""TrackingMore v4 (Track123 alike): a tracking with checkpoints at its origin and destination."""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading
from services.policy.tracking.reading import decode, place, reading_of
from services.policy.tracking.signing import VerifyInfo
from services.policy.tracking.times import read_unzoned


class _Checkpoint(msgspec.Struct):
    """Under the names of the documentation's example, and those of v4's client libraries."""

    date: str | None = msgspec.field(default=None, name="Date")
    checkpoint_date: str | None = None
    status: str | None = msgspec.field(default=None, name="checkpoint_delivery_status")
    substatus: str | None = None
    checkpoint_delivery_substatus: str | None = None
    description: str | None = msgspec.field(default=None, name="StatusDescription")
    tracking_detail: str | None = None
    details: str | None = msgspec.field(default=None, name="Details")
    location: str | None = None


class _Way(msgspec.Struct):
    trackinfo: Sequence[_Checkpoint] | None = None


class _Tracking(msgspec.Struct):
    tracking_number: str
    courier_code: str | None = None
    delivery_status: str | None = None
    substatus: str | None = None
    latest_event: str | None = None
    latest_checkpoint_time: str | None = None
    origin_info: _Way | None = None
    destination_info: _Way | None = None


class _Hook(msgspec.Struct):
    data: _Tracking
    event: str | None = None


_hook = msgspec.json.Decoder(_Hook)


def read(body: bytes) -> Reading:
    hook = decode(_hook, body)
    tracking = hook.data
    ways = [way for way in (tracking.origin_info, tracking.destination_info) if way]
    told = [checkpoint for way in ways for checkpoint in way.trackinfo or ()]
    if not told and tracking.latest_checkpoint_time:
        told = [_latest(tracking)]
    return reading_of((_scan(tracking, checkpoint) for checkpoint in told), kind=hook.event)


def _latest(tracking: _Tracking) -> _Checkpoint:
    return _Checkpoint(
        date=tracking.latest_checkpoint_time,
        status=tracking.delivery_status,
        substatus=tracking.substatus,
        description=tracking.latest_event,
    )


def _scan(tracking: _Tracking, checkpoint: _Checkpoint) -> CarrierScan:
    return CarrierScan(
        carrier=tracking.courier_code or "",
        number=tracking.tracking_number,
        status=checkpoint.status or "",
        sub=checkpoint.substatus or checkpoint.checkpoint_delivery_substatus or "",
        # Local times; where there is an offset, TrackingMore added it.
        happened=read_unzoned(checkpoint.date or checkpoint.checkpoint_date),
        location=place(checkpoint.location or checkpoint.details),
        description=checkpoint.description or checkpoint.tracking_detail or "",
    )


# What is signed is a time, not the body: no money follows from it by itself (carriers.md 2.6).
PROVIDER: Final = Provider(
    name="trackingmore",
    title="TrackingMore",
    schemes={"verify-info": VerifyInfo()},
    read=read,
    is_trusted=False,
)
