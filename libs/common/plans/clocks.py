"""Counting time: hours, local days, working days and calendar months (domain.md G-03 to G-08).

A clock that must not run out has a last day (or instant) that is still in time. What a service
schedules is the first instant at which it is too late, so that the same rule, asked again at
that instant, answers "late". A clock that must be reached has a first day, and its instant is
the first one of that local day.
"""

import calendar as months_of_the_year
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

# No clock of a plan is longer: keeps every date that can come out far from the calendar's end.
MAX_COUNT = {"hours": 87_600, "days": 3_650, "working_days": 1_000, "months": 120}

_ONE_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


class Unit(StrEnum):
    HOURS = "hours"
    DAYS = "days"
    WORKING_DAYS = "working_days"
    MONTHS = "months"


def _no_holidays(_: int) -> frozenset[date]:
    return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCalendar:
    """Which local days are worked. `holidays` gives the free days of a year; 0 is Monday."""

    week: frozenset[int] = frozenset(range(5))
    holidays: Callable[[int], frozenset[date]] = _no_holidays

    def is_working(self, day: date) -> bool:
        return day.weekday() in self.week and day not in self.holidays(day.year)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """So many hours, days, working days or months."""

    unit: Unit
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """From `since` to `until` a decision clock stood still: the claim waited for the claimant."""

    since: datetime
    until: datetime


def local_day(at: datetime, zone: ZoneInfo) -> date:
    """The calendar day it is in that zone (G-03)."""
    return at.astimezone(zone).date()


def days_between(start: datetime, end: datetime, zone: ZoneInfo) -> int:
    """Local date of the end less local date of the start (G-04); negative when it is earlier."""
    return (end.astimezone(zone).date() - start.astimezone(zone).date()).days


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of that local day, in UTC; after the gap where the clock skips midnight."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant that no longer belongs to that local day."""
    return start_of_day(day + _ONE_DAY, zone)


def add_months(day: date, months: int) -> date:
    """Calendar months later, clamped to the end of the month (G-06): 31 January + 1 = 29 February."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = months_of_the_year.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def add_working_days(day: date, count: int, calendar: WorkingCalendar) -> date:
    """The count-th working day after `day`, which itself is not counted (G-07)."""
    while count > 0:
        day += _ONE_DAY
        if calendar.is_working(day):
            count -= 1
    return day


def due_on(
    start: datetime,
    duration: Duration,
    zone: ZoneInfo,
    calendar: WorkingCalendar,
    pauses: Sequence[Pause] = (),
) -> date:
    """The local day on which a clock of days, working days or months is reached or ends.

    A day counts when the clock was running at its end: a pause over two midnights costs two days
    (G-08). Hours end on the local day of their instant.
    """
    if duration.unit is Unit.HOURS:
        return local_day(_hours_end(start, duration.count, pauses), zone)
    day = local_day(start, zone)
    if duration.unit is Unit.MONTHS:
        return add_months(day, duration.count) + timedelta(days=_paused_days(pauses, zone))
    if pauses:
        return _count_days(day, duration, zone, calendar, pauses)
    if duration.unit is Unit.WORKING_DAYS:
        return add_working_days(day, duration.count, calendar)
    return day + timedelta(days=duration.count)


def first_late_instant(
    start: datetime,
    duration: Duration,
    zone: ZoneInfo,
    calendar: WorkingCalendar,
    pauses: Sequence[Pause] = (),
) -> datetime:
    """When it is too late: past the exact hour (G-05), or past the last local day (G-04)."""
    if duration.unit is Unit.HOURS:
        return _hours_end(start, duration.count, pauses) + _TICK
    return end_of_day(due_on(start, duration, zone, calendar, pauses), zone)


def last_in_time(first_late: datetime) -> datetime:
    """The last instant in time: the exact hour, or the end of the last local day."""
    return first_late - _TICK


def is_within(
    start: datetime, at: datetime, duration: Duration, zone: ZoneInfo, calendar: WorkingCalendar
) -> bool:
    """Whether `at` is in time: exactly H hours are, and so is the whole of day N."""
    if duration.unit is Unit.HOURS:
        return at - start <= timedelta(hours=duration.count)
    if duration.unit is Unit.DAYS:
        return days_between(start, at, zone) <= duration.count
    return local_day(at, zone) <= due_on(start, duration, zone, calendar)


def _hours_end(start: datetime, hours: int, pauses: Sequence[Pause]) -> datetime:
    """The instant the hours are up; a pause that begins before it moves it on."""
    end = start + timedelta(hours=hours)
    for pause in sorted(pauses, key=lambda pause: pause.since):
        if pause.since < end:
            end += max(timedelta(), pause.until - max(pause.since, start))
    return end


def _count_days(
    day: date,
    duration: Duration,
    zone: ZoneInfo,
    calendar: WorkingCalendar,
    pauses: Sequence[Pause],
) -> date:
    still = _still_days(pauses, zone)
    working = duration.unit is Unit.WORKING_DAYS
    left = duration.count
    while left > 0:
        day += _ONE_DAY
        if day not in still and (not working or calendar.is_working(day)):
            left -= 1
    return day


def _still_days(pauses: Sequence[Pause], zone: ZoneInfo) -> frozenset[date]:
    """The local days at whose end the clock stood still."""
    still: set[date] = set()
    for pause in pauses:
        day, last = local_day(pause.since, zone), local_day(pause.until, zone)
        while day < last:
            still.add(day)
            day += _ONE_DAY
    return frozenset(still)


def _paused_days(pauses: Sequence[Pause], zone: ZoneInfo) -> int:
    return len(_still_days(pauses, zone)) if pauses else 0
