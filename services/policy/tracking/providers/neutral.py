"""Our own words: a batch of scans from whoever has no provider of theirs here."""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading
from services.policy.tracking.reading import decode
from services.policy.tracking.signing import BodyHmac
from services.policy.tracking.times import read_time


class _Scan(msgspec.Struct):
    carrier: str
    tracking_number: str
    status: str
    occurred_at: str
    reason: str = ""
    location: str = ""
    description: str = ""


class _Batch(msgspec.Struct):
    scans: Sequence[_Scan]


_batch = msgspec.json.Decoder(_Batch)


def read(body: bytes) -> Reading:
    return Reading(scans=tuple(_scan(scan) for scan in decode(_batch, body).scans))


def _scan(scan: _Scan) -> CarrierScan:
    return CarrierScan(
        carrier=scan.carrier,
        number=scan.tracking_number,
        status=scan.status,
        sub=scan.reason,
        happened=read_time(scan.occurred_at),
        location=scan.location,
        description=scan.description,
    )


PROVIDER: Final = Provider(
    name="neutral",
    title="Parcelcover's own format",
    schemes={"v1": BodyHmac(header="x-signature")},
    read=read,
)
