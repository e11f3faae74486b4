"""Our own words: a batch of scans from whoever has no provider of theirs here."""

from collections.abc import Sequence
from typing import Final

import msgspec

from libs.common.signatures import check_standard_secret, secret_of
from services.policy.tracking.adapter import CarrierScan, Provider, Reading
from services.policy.tracking.reading import decode, reading_of
from services.policy.tracking.signing import StandardWebhook
from services.policy.tracking.times import read_time


class _Scan(msgspec.Struct):
    carrier: str
    tracking_number: str
    status: str
    occurred_at: str
    scan_id: str | None = None
    reason: str | None = None
    location: str | None = None
    description: str | None = None


class _Batch(msgspec.Struct):
    scans: Sequence[_Scan]


_batch = msgspec.json.Decoder(_Batch)


def read(body: bytes) -> Reading:
    return reading_of(_scan(scan) for scan in decode(_batch, body).scans)


def _scan(scan: _Scan) -> CarrierScan:
    return CarrierScan(
        carrier=scan.carrier,
        number=scan.tracking_number,
        status=scan.status,
        sub=scan.reason or "",
        happened=read_time(scan.occurred_at),
        scan_id=scan.scan_id or "",
        location=scan.location or "",
        description=scan.description or "",
    )


PROVIDER: Final = Provider(
    name="neutral",
    title="Parcelcover's own format",
    schemes={"standard-webhooks": StandardWebhook()},
    read=read,
    secret_of=secret_of,
    check_secret=check_standard_secret,
)
