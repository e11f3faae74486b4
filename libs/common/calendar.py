"""Public holidays by country, for the working days of a plan; a year is looked up once."""

from datetime import date
from functools import lru_cache

from libs.common.errors import Invalid


class UnknownCalendar(Invalid):
    code = "unknown-calendar"
    title = "There is no holiday calendar of that country or subdivision"


@lru_cache(maxsize=1_024)
def public_holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    """The days off in that year, such as ("MY", "KUL", 2024).

    UnknownCalendar where the country (ISO 3166-1) or the subdivision (ISO 3166-2) is not kept.
    """
    try:
        # Half a second to import, and no shipped plan names a calendar.
        import holidays

        return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
    except NotImplementedError as error:
        raise UnknownCalendar(str(error)) from None
