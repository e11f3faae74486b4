"""How long the files of a claim are kept: they show people, their papers and their homes (Q47)."""

from datetime import UTC, datetime
from typing import Final

from libs.common.plans.clocks import add_months
from services.claims.domain.filing import CLOSED
from services.claims.domain.withdrawals import WITHDRAWN

_ENDED: Final = frozenset({CLOSED, WITHDRAWN})
_MONTHS_A_YEAR: Final = 12


def has_ended(state: str) -> bool:
    """Whether nothing more is expected of the claim; money owed back may still open it again."""
    return state in _ENDED


def kept_until(ended_at: datetime, years: int) -> datetime:
    """The same instant so many calendar years later; the 28th for a 29 February (G-06)."""
    ended_at = ended_at.astimezone(UTC)
    day = add_months(ended_at.date(), years * _MONTHS_A_YEAR)
    return ended_at.replace(year=day.year, month=day.month, day=day.day)
