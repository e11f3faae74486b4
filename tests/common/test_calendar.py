"""Counting time: local days, hours, working days, months, pauses; and the days off of a country."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.calendar import UnknownCalendar, public_holidays
from libs.common.plans.clocks import (
    Duration,
    Pause,
    Unit,
    WorkingCalendar,
    add_months,
    add_working_days,
    days_between,
    due_on,
    end_of_day,
    first_late_instant,
    is_within,
    last_in_time,
    local_day,
    start_of_day,
)
from tests.plans.builders import a_plan_with_holidays

SHANGHAI, LONDON, UTC_ZONE = (
    ZoneInfo("Asia/Shanghai"),
    ZoneInfo("Europe/London"),
    ZoneInfo("UTC"),
)
# Midnight does not exist there on the first day of summer time.
CAIRO = ZoneInfo("Africa/Cairo")
PLAIN = WorkingCalendar()
TICK = timedelta(microseconds=1)


def local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def days(count: int) -> Duration:
    return Duration(unit=Unit.DAYS, count=count)


def working(count: int) -> Duration:
    return Duration(unit=Unit.WORKING_DAYS, count=count)


def hours(count: int) -> Duration:
    return Duration(unit=Unit.HOURS, count=count)


def months(count: int) -> Duration:
    return Duration(unit=Unit.MONTHS, count=count)


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        ("2024-05-01T00:00:00", "2024-05-01T23:59:59", 0),
        ("2024-05-01T23:59:59", "2024-05-02T00:00:00", 1),
        ("2024-02-28T12:00:00", "2024-03-01T12:00:00", 2),
        ("2024-05-02T00:00:00", "2024-05-01T23:59:59", -1),
    ],
)
def test_g_04_days_are_counted_from_local_midnight_to_local_midnight(
    start: str, end: str, count: int
) -> None:
    assert days_between(local(start), local(end), SHANGHAI) == count


def test_the_same_instants_can_lie_on_other_days_elsewhere() -> None:
    start, end = local("2024-05-01T23:00:00"), local("2024-05-02T01:00:00")

    assert days_between(start, end, SHANGHAI) == 1
    assert days_between(start, end, UTC_ZONE) == 0


@pytest.mark.parametrize(
    ("start", "count", "expected"),
    [
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
        (date(2024, 1, 31), 5, date(2024, 6, 30)),
        (date(2024, 1, 31), 12, date(2025, 1, 31)),
        (date(2024, 11, 15), 3, date(2025, 2, 15)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 5, 6), 0, date(2024, 5, 6)),
    ],
)
def test_g_06_months_are_calendar_months_clamped_to_their_end(
    start: date, count: int, expected: date
) -> None:
    assert add_months(start, count) == expected


@pytest.mark.parametrize(
    ("start", "count", "expected"),
    [
        (date(2024, 5, 10), 3, date(2024, 5, 15)),  # Friday: Monday is the first
        (date(2024, 5, 11), 1, date(2024, 5, 13)),  # Saturday
        (date(2024, 5, 6), 15, date(2024, 5, 27)),
        (date(2024, 5, 6), 0, date(2024, 5, 6)),
    ],
)
def test_g_07_the_trigger_day_is_not_a_working_day_counted(
    start: date, count: int, expected: date
) -> None:
    assert add_working_days(start, count, PLAIN) == expected


def test_g_05_exactly_so_many_hours_are_in_time_and_a_moment_more_is_not() -> None:
    start = local("2024-05-06T10:00:00")

    assert is_within(start, local("2024-05-08T10:00:00"), hours(48), SHANGHAI, PLAIN)
    assert not is_within(start, local("2024-05-08T10:00:00") + TICK, hours(48), SHANGHAI, PLAIN)
    assert first_late_instant(start, hours(48), SHANGHAI, PLAIN) == (
        local("2024-05-08T10:00:00") + TICK
    )


@pytest.mark.parametrize(
    ("length", "last"),
    [
        (days(3), "2024-05-13"),
        (working(3), "2024-05-15"),
        (months(1), "2024-06-10"),
    ],
)
def test_g_04_the_whole_of_the_last_day_is_in_time(length: Duration, last: str) -> None:
    start = local("2024-05-10T18:00:00")
    end = local(f"{last}T23:59:59.999999")

    assert due_on(start, length, SHANGHAI, PLAIN) == date.fromisoformat(last)
    assert is_within(start, end, length, SHANGHAI, PLAIN)
    assert not is_within(start, end + TICK, length, SHANGHAI, PLAIN)
    assert first_late_instant(start, length, SHANGHAI, PLAIN) == end + TICK


def test_hours_are_due_on_the_local_day_they_end() -> None:
    assert due_on(local("2024-05-06T20:00:00"), hours(4), SHANGHAI, PLAIN) == date(2024, 5, 7)


def test_a_day_begins_at_its_first_instant_also_where_midnight_is_skipped() -> None:
    day = date(2024, 4, 26)
    first = start_of_day(day, CAIRO)

    assert local_day(first, CAIRO) == day
    assert local_day(first - TICK, CAIRO) == day - timedelta(days=1)
    assert end_of_day(day, CAIRO) - first == timedelta(hours=23)


def test_a_day_with_a_changing_clock_still_ends_at_local_midnight() -> None:
    start = local("2024-03-30T12:00:00", LONDON)

    assert first_late_instant(start, days(1), LONDON, PLAIN) == datetime(
        2024, 3, 31, 23, tzinfo=UTC
    )


def test_a_pause_over_two_midnights_costs_two_days() -> None:
    # Complete on Monday; waiting from Tuesday to Thursday; the third working day is then Monday.
    pause = Pause(since=local("2024-05-07T10:00:00"), until=local("2024-05-09T15:00:00"))
    start = local("2024-05-06T09:00:00")

    assert due_on(start, working(3), SHANGHAI, PLAIN) == date(2024, 5, 9)
    assert due_on(start, working(3), SHANGHAI, PLAIN, [pause]) == date(2024, 5, 13)
    assert due_on(start, days(3), SHANGHAI, PLAIN, [pause]) == date(2024, 5, 11)
    assert due_on(start, months(1), SHANGHAI, PLAIN, [pause]) == date(2024, 6, 8)


def test_a_pause_within_one_day_costs_no_day() -> None:
    pause = Pause(since=local("2024-05-07T10:00:00"), until=local("2024-05-07T15:00:00"))

    assert due_on(local("2024-05-06T09:00:00"), working(3), SHANGHAI, PLAIN, [pause]) == date(
        2024, 5, 9
    )


def test_g_08_a_pause_moves_an_hour_clock_by_its_length() -> None:
    start = local("2024-05-06T09:00:00")
    pauses = [
        Pause(since=local("2024-05-06T12:30:00"), until=local("2024-05-06T13:00:00")),
        Pause(since=local("2024-05-06T10:00:00"), until=local("2024-05-06T12:00:00")),
        Pause(since=local("2024-05-07T10:00:00"), until=local("2024-05-07T12:00:00")),
        Pause(since=local("2024-05-06T08:00:00"), until=local("2024-05-06T09:15:00")),
    ]

    late = first_late_instant(start, hours(4), SHANGHAI, PLAIN, pauses)

    assert late == local("2024-05-06T15:45:00") + TICK


# --- Against a naive walk ----------------------------------------------------------------------

_DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))
_ZONES = st.sampled_from([SHANGHAI, LONDON, UTC_ZONE, CAIRO, ZoneInfo("America/St_Johns")])
_WEEKS = st.frozensets(st.integers(0, 6), min_size=1)
_INSTANTS = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001
    datetime(2030, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def walked(start: date, count: int, week: frozenset[int], off: frozenset[date]) -> date:
    """Lists a long run of days, keeps the worked ones, and takes the count-th."""
    after = [start + timedelta(days=step) for step in range(1, 8 * (count + len(off)) + 8)]
    worked = [day for day in after if day.weekday() in week and day not in off]
    return start if count == 0 else worked[count - 1]


@given(start=_DAYS, count=st.integers(0, 40), week=_WEEKS, off=st.frozensets(_DAYS, max_size=5))
def test_working_days_agree_with_a_naive_walk(
    start: date, count: int, week: frozenset[int], off: frozenset[date]
) -> None:
    calendar = WorkingCalendar(
        week=week, holidays=lambda year: frozenset(day for day in off if day.year == year)
    )

    assert add_working_days(start, count, calendar) == walked(start, count, week, off)


@given(start=_DAYS, first=st.integers(0, 60), second=st.integers(0, 60))
def test_months_never_pass_the_end_of_their_month_and_never_go_back(
    start: date, first: int, second: int
) -> None:
    later = add_months(start, first)

    assert (later.year * 12 + later.month) - (start.year * 12 + start.month) == first
    assert later.day == start.day or (later + timedelta(days=1)).day == 1
    assert (add_months(start, second) >= later) is (second >= first)


@given(start=_INSTANTS, zone=_ZONES, unit=st.sampled_from(Unit), count=st.integers(0, 100))
def test_in_time_means_before_the_first_late_instant(
    start: datetime, zone: ZoneInfo, unit: Unit, count: int
) -> None:
    length = Duration(unit=unit, count=count)
    late = first_late_instant(start, length, zone, PLAIN)

    assert last_in_time(late) == late - TICK
    assert is_within(start, last_in_time(late), length, zone, PLAIN)
    assert not is_within(start, late, length, zone, PLAIN)


@given(start=_INSTANTS, zone=_ZONES, count=st.integers(0, 30), gap=st.integers(0, 20))
def test_a_pause_from_the_start_delays_a_day_clock_by_its_midnights(
    start: datetime, zone: ZoneInfo, count: int, gap: int
) -> None:
    pauses: Sequence[Pause] = [Pause(since=start, until=start + timedelta(days=gap))]
    free = due_on(start, days(count), zone, PLAIN)
    midnights = days_between(start, start + timedelta(days=gap), zone)
    expected = free if count == 0 else free + timedelta(days=max(0, midnights - 1))

    # The day of the start is not counted anyway, so its own midnight costs nothing.
    assert due_on(start, days(count), zone, PLAIN, pauses) == expected


@given(day=_DAYS, zone=_ZONES)
def test_the_first_instant_of_a_day_is_on_it_and_the_one_before_is_not(
    day: date, zone: ZoneInfo
) -> None:
    first = start_of_day(day, zone)

    assert local_day(first, zone) == day
    assert local_day(first - TICK, zone) == day - timedelta(days=1)


# --- Days off ----------------------------------------------------------------------------------


def test_knows_the_holidays_of_a_country_and_of_its_states() -> None:
    everywhere = public_holidays("MY", None, 2024)
    kuala_lumpur = public_holidays("MY", "KUL", 2024)

    assert date(2024, 8, 31) in everywhere
    assert date(2024, 2, 1) in kuala_lumpur - everywhere
    assert public_holidays("MY", "KUL", 2024) is kuala_lumpur


@pytest.mark.parametrize(("country", "subdivision"), [("XX", None), ("MY", "ZZZ"), ("", None)])
def test_refuses_a_calendar_nobody_keeps(country: str, subdivision: str | None) -> None:
    with pytest.raises(UnknownCalendar):
        public_holidays(country, subdivision, 2024)


def test_a_plan_may_name_a_countrys_calendar() -> None:
    calendar = a_plan_with_holidays("{country: CN}").calendar

    # Friday 4 October 2024 lies in the national holiday week.
    assert not calendar.is_working(date(2024, 10, 4))
    assert calendar.is_working(date(2024, 10, 8))
    assert not calendar.is_working(date(2024, 10, 13))


def test_a_plan_may_list_its_days_off() -> None:
    calendar = a_plan_with_holidays('["2024-05-06", 2024-05-07]').calendar

    assert add_working_days(date(2024, 5, 3), 1, calendar) == date(2024, 5, 8)
