"""Daily rates of exchange in the quote schema, and those that this process knows by heart."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from libs.common.db import Row, Tx
from libs.common.known import Known
from services.quote.domain import ExchangeRate

# How long another process's entry may go unnoticed here.
FRESH_SECONDS = 60
MAX_KNOWN = 10_000

Position = tuple[date, str, int]
NEWEST: Position = (date(9999, 1, 1), "", 0)
_EARLIEST, _LATEST = date(1970, 1, 1), date(9999, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnteredRate:
    """A rate as it was entered. `version` counts the entries of its day: the highest counts."""

    currency: str
    day: date
    version: int
    rate: Decimal
    entered_at: datetime
    entered_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RatesWanted:
    """Which entries a list shows: days from `since` on, up to but without `until`."""

    currency: str | None = None
    since: date | None = None
    until: date | None = None


async def lock_day(tx: Tx, currency: str, day: date, *, tenant_id: str) -> None:
    """One entry for a day at a time: each sees the one before it."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        f"exchange rate of {tenant_id} {currency} {day}",
    )


async def find_entered(
    tx: Tx, currency: str, day: date, *, tenant_id: str
) -> EnteredRate | None:
    """What counts for that very day."""
    row = await tx.fetchrow(
        """
        SELECT currency, day, version, rate, entered_at, entered_by FROM exchange_rates
        WHERE tenant_id = $1 AND currency = $2 AND day = $3 ORDER BY version DESC LIMIT 1
        """,
        tenant_id,
        currency,
        day,
    )
    return None if row is None else _entered(row)


async def insert_rate(tx: Tx, entered: EnteredRate, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO exchange_rates (tenant_id, currency, day, version, rate, entered_at, entered_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        tenant_id,
        entered.currency,
        entered.day,
        entered.version,
        entered.rate,
        entered.entered_at,
        entered.entered_by,
    )


async def list_rates(
    tx: Tx, wanted: RatesWanted, *, tenant_id: str, before: Position, limit: int
) -> list[EnteredRate]:
    """The newest day first, and of a day the last entry first."""
    rows = await tx.fetch(
        """
        SELECT currency, day, version, rate, entered_at, entered_by FROM exchange_rates
        WHERE tenant_id = $1 AND (day, currency, version) < ($2, $3, $4)
            AND ($5::text IS NULL OR currency = $5) AND day >= $6 AND day < $7
        ORDER BY day DESC, currency DESC, version DESC LIMIT $8
        """,
        tenant_id,
        *before,
        wanted.currency,
        wanted.since or _EARLIEST,
        wanted.until or _LATEST,
        limit,
    )
    return [_entered(row) for row in rows]


def _entered(row: Row) -> EnteredRate:
    return EnteredRate(**dict(row))


# --- what quotes go by -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RateKey:
    """The rate of a currency on a day: the last one entered for it, or for a day before."""

    tenant_id: str
    currency: str
    day: date


async def find_rate(tx: Tx, key: RateKey) -> ExchangeRate | None:
    row = await tx.fetchrow(
        """
        SELECT currency, rate, day FROM exchange_rates
        WHERE tenant_id = $1 AND currency = $2 AND day <= $3
        ORDER BY day DESC, version DESC LIMIT 1
        """,
        key.tenant_id,
        key.currency,
        key.day,
    )
    return None if row is None else ExchangeRate(**dict(row))


class KnownRates(Known[RateKey, ExchangeRate]):
    """Rates by tenant, currency and day: another process's entry shows after FRESH_SECONDS."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(fresh_seconds=FRESH_SECONDS, max_known=MAX_KNOWN, monotonic=monotonic)

    def drop(self, tenant_id: str) -> None:
        """A rate was entered: forget the tenant's."""
        self.forget(lambda key: key.tenant_id == tenant_id)
