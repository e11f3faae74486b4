"""Times as carriers write them: with an offset, without one, a day alone, or nothing at all."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from libs.common.wire import FIRST_YEAR, LAST_YEAR
from services.policy.tracking.adapter import ScanTime

NOTHING: Final = ScanTime("", None, False)

_OFFSET: Final = re.compile(r"([+-])(\d{2})[:.]?(\d{2})", re.ASCII)


def read_time(text: str | None) -> ScanTime:
    """ISO 8601, a space for the T allowed. Whatever cannot be read is kept as it was written."""
    raw = (text or "").strip()
    if not raw:
        return NOTHING
    try:
        at = datetime.fromisoformat(raw.upper())
    except ValueError:
        return ScanTime(raw, None, False)
    return _timed(raw, at)


def read_local(text: str, offset: str | None) -> ScanTime:
    """A local time and its offset apart, such as `-05.00` (UPS writes a dot)."""
    local = read_time(text)
    zone = read_offset(offset or "")
    if local.at is None or local.is_zoned or zone is None:
        return local
    return ScanTime(
        f"{local.raw} {offset}", local.at.replace(tzinfo=zone).astimezone(UTC), True
    )


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


def _timed(raw: str, at: datetime) -> ScanTime:
    # Fillers for "no time", such as 0001-01-01T00:00:00 and 1970-01-01T00:00:00Z, are none.
    if not FIRST_YEAR < at.year < LAST_YEAR:
        return ScanTime(raw, None, False)
    if at.tzinfo is None:
        return ScanTime(raw, at.replace(tzinfo=UTC), False)
    return ScanTime(raw, at.astimezone(UTC), True)
