"""AfterShip: a webhook around a Tracking (`msg`), whose checkpoints are all scans so far."""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading
from services.policy.tracking.reading import decode, place, reading_of
from services.policy.tracking.signing import BodyDigest
from services.policy.tracking.times import read_time


class _Checkpoint(msgspec.Struct):
    tag: str | None = None
    subtag: str | None = None
    subtag_message: str | None = None
    message: str | None = None
    checkpoint_time: str | None = None
    location: str | None = None
    city: str | None = None
    state: str | None = None
    country_iso3: str | None = None


class _Tracking(msgspec.Struct):
    tracking_number: str
    slug: str | None = None
    checkpoints: Sequence[_Checkpoint] | None = None


class _Hook(msgspec.Struct):
    event: str
    msg: _Tracking
    event_id: str | None = None


_hook = msgspec.json.Decoder(_Hook)


def read(body: bytes) -> Reading:
    hook = decode(_hook, body)
    return reading_of(
        (_scan(hook.msg, checkpoint) for checkpoint in hook.msg.checkpoints or ()),
        message_id=hook.event_id,
        kind=hook.event,
    )


def _scan(tracking: _Tracking, checkpoint: _Checkpoint) -> CarrierScan:
    return CarrierScan(
        # The tracking's own carrier: a checkpoint may be told by the carrier of the last mile.
        carrier=tracking.slug or "",
        number=tracking.tracking_number,
        status=checkpoint.tag or "",
        sub=checkpoint.subtag or "",
        happened=read_time(checkpoint.checkpoint_time),
        location=checkpoint.location or place(checkpoint.city, checkpoint.state),
        country=checkpoint.country_iso3 or "",
        description=checkpoint.message or checkpoint.subtag_message or "",
    )


# Tracking's header; AfterShip's Returns and Shipping have others.
_HMAC: Final = BodyDigest(header="aftership-hmac-sha256", forms=("base64",))

PROVIDER: Final = Provider(
    name="aftership", title="AfterShip", schemes={"hmac": _HMAC}, read=read
)
