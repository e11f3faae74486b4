"""Letters of buying cover: days and minutes in time, what is due, and no code in any language."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.notifier.clients import letters
from services.notifier.domain import words
from services.notifier.domain.notices import (
    CoverInvalidated,
    CoverVoided,
    Letter,
    PapersAsked,
    PremiumTakenBack,
    RefundPromised,
    TopUpAsked,
    TopUpLapsed,
    TopUpStillDue,
)
from services.notifier.domain.words import ENGLISH
from tests.notifier.builders import NOW, POLICY, a_notice, myr

KUALA_LUMPUR = ZoneInfo("Asia/Kuala_Lumpur")
ZONE = "(Asia/Kuala Lumpur, UTC+08:00)"
TICK = timedelta(microseconds=1)
# The end of 11 March there, which is the middle of the day in UTC.
MIDNIGHT = datetime(2026, 3, 12, tzinfo=KUALA_LUMPUR)
UNHEARD_OF = "UNHEARD_OF"


def text_of(letter: Letter, *, locale: str = "en") -> str:
    """Subject and text."""
    written = letters.write(
        a_notice(letter), locale=locale, order_ref="SO-77", zone=KUALA_LUMPUR
    )
    return f"{written.subject}\n{written.text}"


def taken_back(*, due: str = "25", state: str = "PENDING", reason: str = "REFUNDED") -> Letter:
    return PremiumTakenBack(
        amount=myr("38"), due=myr(due), reason=reason, state=state, reversed_at=NOW
    )


# --- in time ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lapses_at", "last"),
    [
        # Up to the end of a day there; UTC has another date.
        (MIDNIGHT, "2026-03-11 23:59"),
        # The exact hour is in time (G-05), also where it is midnight there.
        (NOW + timedelta(hours=48) + TICK, "2026-03-04 18:00"),
        (MIDNIGHT + TICK, "2026-03-12 00:00"),
        # Seconds are left out, so that nobody is told of more time than there is.
        (datetime(2026, 3, 4, 10, 0, 59, 1, tzinfo=UTC), "2026-03-04 18:00"),
    ],
)
def test_a_top_up_is_due_by_the_last_minute_that_is_in_time(
    lapses_at: datetime, last: str
) -> None:
    asked = TopUpAsked(premium=myr("38"), due=myr("13"), lapses_at=lapses_at)
    warned = TopUpStillDue(due=myr("13"), lapses_at=lapses_at)

    assert f"by {last} {ZONE} at the latest" in text_of(asked)
    assert f"by {last} {ZONE} at the latest" in text_of(warned)


@pytest.mark.parametrize(
    ("lapses_at", "last"),
    [(MIDNIGHT, "2026-03-11"), (MIDNIGHT + TICK, "2026-03-12"), (NOW, "2026-03-02")],
)
def test_papers_are_due_by_the_last_day_that_is_in_time(lapses_at: datetime, last: str) -> None:
    asked = PapersAsked(missing=("price",), lapses_at=lapses_at)

    assert f"by the end of {last} {ZONE}." in text_of(asked)


def test_papers_without_a_clock_are_asked_for_without_a_day() -> None:
    text = text_of(PapersAsked(missing=("price",), lapses_at=None))

    assert "Your parcel is not insured before we have seen it." in text
    assert "by the end of" not in text


def test_a_paper_that_is_not_there_at_all_is_asked_for_whole() -> None:
    text = text_of(PapersAsked(missing=(), lapses_at=MIDNIGHT))

    assert "We still need your proof of purchase" in text
    assert "What is missing" not in text


# --- money -----------------------------------------------------------------------------------


def test_a_premium_without_a_deposit_is_due_now() -> None:
    text = text_of(TopUpAsked(premium=myr("38"), due=myr("38"), lapses_at=None))

    assert "RM 38.00 is due now." in text
    assert "at the latest" not in text
    assert "Your parcel is not insured before the premium is paid in full." in text


@pytest.mark.parametrize(
    "letter",
    [
        TopUpLapsed(refund=myr("0"), lapsed_at=NOW),
        CoverInvalidated(cause="DOCUMENTS_LAPSED", refund=myr("0"), invalidated_at=NOW),
    ],
)
def test_where_nothing_was_paid_nothing_is_promised_back(letter: Letter) -> None:
    text = text_of(letter)

    assert "No premium is refunded." in text
    assert "RM" not in text


@pytest.mark.parametrize(
    ("state", "due", "is_asked"),
    [
        ("PENDING", "25", True),
        ("ACTIVE", "25", True),
        ("PENDING", "0", False),
        ("CANCELLED", "25", False),
        ("INVALID", "25", False),
        ("VOID", "25", False),
        ("LAPSED", "25", False),
        ("EXPIRED", "25", False),
    ],
)
def test_a_premium_that_was_taken_back_is_asked_for_while_it_can_be_paid(
    state: str, due: str, is_asked: bool
) -> None:
    text = text_of(taken_back(state=state, due=due))

    assert "RM 38.00 that was paid" in text
    assert ("is due now" in text) is is_asked
    assert ("not in force" in text) is is_asked


# --- words -----------------------------------------------------------------------------------


def codes(kind: str) -> list[str]:
    return [*ENGLISH[kind], UNHEARD_OF, UNHEARD_OF.lower()]


LETTERS = [
    PapersAsked(missing=tuple(codes("paper_field")), lapses_at=NOW),
    *[
        CoverInvalidated(cause=code, refund=myr("25"), invalidated_at=NOW)
        for code in codes("invalid_cause")
    ],
    *[CoverVoided(cause=code, voided_at=NOW) for code in codes("void_cause")],
    *[RefundPromised(amount=myr("13"), reason=code) for code in codes("refund_reason")],
    *[taken_back(reason=code) for code in codes("reversal")],
]


@pytest.mark.parametrize("language", sorted(words.LANGUAGES))
@pytest.mark.parametrize("letter", LETTERS, ids=repr)
def test_no_code_is_left_in_a_letter(letter: Letter, language: str) -> None:
    """Nothing but the policy's id is written as machines write."""
    text = text_of(letter, locale=language).replace(POLICY, "")

    assert re.findall(r"\w*_\w*|\b[A-Z]{4,}\b", text) == []
