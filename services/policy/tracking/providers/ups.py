"""UPS Track Alert: one activity a post, no history and no id."""

from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading, ScanTime
from services.policy.tracking.reading import decode, place, reading_of
from services.policy.tracking.signing import SecretHeader, check_shown
from services.policy.tracking.times import read_local, read_time


class _Location(msgspec.Struct, rename="camel"):
    city: str | None = None
    state_province: str | None = None
    country: str | None = None


class _Status(msgspec.Struct, rename="camel"):
    type: str | None = None
    code: str | None = None
    description: str | None = None


class _Activity(msgspec.Struct, rename="camel"):
    tracking_number: str
    activity_status: _Status
    local_activity_date: str | None = None
    local_activity_time: str | None = None
    gmt_activity_date: str | None = None
    gmt_activity_time: str | None = None
    gmt_offset: str | None = None
    activity_location: _Location | None = None


_activity = msgspec.json.Decoder(_Activity)


def read(body: bytes) -> Reading:
    activity = decode(_activity, body)
    status, where = activity.activity_status, activity.activity_location or _Location()
    scan = CarrierScan(
        carrier="ups",
        number=activity.tracking_number,
        status=status.type or "",
        sub=status.code or "",
        happened=_time(activity),
        location=place(where.city, where.state_province),
        country=where.country or "",
        description=status.description or "",
    )
    return reading_of([scan])


def _time(activity: _Activity) -> ScanTime:
    """The instant in GMT where it is told; the local time is what is kept as written."""
    local = read_local(
        f"{activity.local_activity_date or ''} {activity.local_activity_time or ''}",
        activity.gmt_offset,
    )
    if not (activity.gmt_activity_date and activity.gmt_activity_time):
        return local
    gmt = read_time(f"{activity.gmt_activity_date}T{activity.gmt_activity_time}Z")
    return ScanTime(local.raw or gmt.raw, gmt.at, True) if gmt.at else local


PROVIDER: Final = Provider(
    name="ups",
    title="UPS Track Alert",
    schemes={"credential": SecretHeader(word="Bearer", is_word_needed=False)},
    read=read,
    check_secret=check_shown,
)
