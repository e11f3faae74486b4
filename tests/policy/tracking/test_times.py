"""Times as carriers write them: an instant where one is said, the text kept where not."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.policy.tracking import ScanTime
from services.policy.tracking.times import read_local, read_time, read_unzoned

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["2026-03-02T09:00:00Z", "2026-03-02T09:00:00z", "2026-03-02t09:00:00.000Z",
     "2026-03-02T04:00:00-05:00", "2026-03-02 17:00:00+08:00",
     "2026-03-02T17:00:00+0800", "  2026-03-02T10:00+01  "],
)  # fmt: skip
def test_a_time_with_its_offset_is_an_instant(text: str) -> None:
    assert read_time(text) == ScanTime(text.strip(), NINE, True)


@pytest.mark.parametrize(
    "text",
    ["2026-03-02T09:00:00", "2026-03-02 09:00:00", "2026-03-02 09:00", "20260302 090000"],
)
def test_a_time_without_its_offset_is_read_as_if_in_utc(text: str) -> None:
    assert read_time(text) == ScanTime(text, NINE, False)


def test_a_day_alone_is_its_first_instant() -> None:
    assert read_time("2026-03-02") == ScanTime("2026-03-02", NINE.replace(hour=0), False)


@pytest.mark.parametrize(
    "text",
    ["yesterday", "09:00", "1772445600", "2026-02-30", "2026-03-02T25:00:00",
     "2026-03-02T09:00:00+99:00", "02.03.2026 09:00", "0001-01-01T00:00:00",
     "0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z",
     "9999-12-31T23:59:59", "9999-12-31T23:59:59-14:00"],
)  # fmt: skip
def test_what_says_no_time_is_kept_as_it_was_written(text: str) -> None:
    """Among it what systems write for none: the first of all days, the last, and the epoch."""
    assert read_time(text) == ScanTime(text, None, False)
    assert read_local(text, "+05:00") == ScanTime(text, None, False)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_nothing_said_is_no_time(text: str | None) -> None:
    assert read_time(text) == read_unzoned(text) == ScanTime("", None, False)


@pytest.mark.parametrize("offset", ["-05.00", "-05:00", "-0500", " -05:00 "])
def test_an_offset_apart_may_be_written_with_a_dot(offset: str) -> None:
    at = datetime(2026, 3, 2, 14, tzinfo=UTC)

    assert read_local("2026-03-02T09:00:00", offset) == ScanTime(
        f"2026-03-02T09:00:00 {offset}", at, True
    )


@pytest.mark.parametrize("offset", [None, "", "EST", "-5", "+24:00", "+05:60", "+٠٥:٠٠"])
def test_an_offset_that_is_none_leaves_the_time_without(offset: str | None) -> None:
    assert read_local("2026-03-02T09:00:00", offset) == ScanTime(
        "2026-03-02T09:00:00", NINE, False
    )


def test_an_offset_apart_does_not_move_an_instant() -> None:
    assert read_local("2026-03-02T09:00:00Z", "-05:00") == read_time("2026-03-02T09:00:00Z")


def test_an_offset_that_nobody_vouches_for_counts_and_is_doubted() -> None:
    assert read_unzoned("2026-03-02T09:00:00.000Z") == ScanTime(
        "2026-03-02T09:00:00.000Z", NINE, False
    )


@given(st.text(max_size=40), st.text(max_size=8))
def test_any_text_at_all_is_read(text: str, offset: str) -> None:
    for read in (read_time(text), read_unzoned(text), read_local(text, offset)):
        assert read.at is None or read.at.tzinfo is UTC


@given(st.datetimes(), st.from_regex(r"[+-][0-2]\d[:.]?[0-9]{2}", fullmatch=True))
def test_any_time_with_any_offset_is_read(at: datetime, offset: str) -> None:
    for text in (at.isoformat(), f"{at.isoformat()}Z", f"{at.isoformat()}{offset}"):
        assert read_local(text, offset).raw.startswith(text)
