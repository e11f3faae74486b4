"""Times as carriers write them: with an offset, without one, a day alone, or nothing at all."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

from services.policy.tracking.adapter import ScanTime

NOTHING: Final = ScanTime("", None, False)

_OFFSET: Final = re.compile(r"([+-])(\d{2})[:.]?(\d{2})", re.ASCII)


def read_time(text: str | None) -> ScanTime:
    """ISO 8601, a space for the T allowed. Whatever cannot be read is kept as it was written."""
    raw = (text or "").strip()
    if not raw:
        return NOTHING
    try:
        at = datetime.fromisoformat(raw)
    except ValueError:
        return ScanTime(raw, None, False)
    return _timed(raw, at)


def read_local(text: str, offset: str) -> ScanTime:
    """A local time and its offset apart, such as `-05.00` (UPS writes a dot)."""
    local = read_time(text)
    zone = read_offset(offset)
    if local.at is None or local.is_zoned or zone is None:
        return local
    at = (local.at.replace(tzinfo=zone)).astimezone(UTC)
    return ScanTime(f"{local.raw} {offset}", at, True)


def read_unzoned(text: str | None) -> ScanTime:
    """A time whose offset means nothing: the carrier gave none, and an aggregator added a Z."""
    timed = read_time(text)
    return ScanTime(timed.raw, timed.at, False)


def read_offset(text: str) -> timezone | None:
    """`+08:00`, `-0500` or `-05.00`; None for anything else."""
    match = _OFFSET.fullmatch(text.strip())
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if offset >= timedelta(hours=24) or int(minutes) > 59:
        return None
    return timezone(-offset if sign == "-" else offset)


def read_day(day: date) -> datetime:
    """The day's first instant, as if in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _timed(raw: str, at: datetime) -> ScanTime:
    if at.tzinfo is None:
        return ScanTime(raw, at.replace(tzinfo=UTC), False)
    try:
        return ScanTime(raw, at.astimezone(UTC), True)
    except OverflowError:
        return ScanTime(raw, None, False)
