"""The tenant's daily rates of exchange: entered and corrected, never changed."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from libs.common.db import Tx
from libs.common.errors import Invalid
from services.quote.domain import USD
from services.quote.store import rates
from services.quote.store.rates import EnteredRate


class NoRateOfUsd(Invalid):
    code = "no-rate-of-usd"
    title = "A rate is in USD, so USD has none"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterExchangeRate:
    """`rate` is what one unit of the currency is worth in USD."""

    tenant_id: str
    currency: str
    day: date
    rate: Decimal
    entered_by: str


async def enter_exchange_rate(
    tx: Tx, command: EnterExchangeRate, *, now: datetime
) -> EnteredRate:
    """The entry that counts for the day now; the same rate again is the entry that is there."""
    if command.currency == USD:
        raise NoRateOfUsd("An order in USD needs no rate. Enter those of other currencies.")
    tenant_id, currency, day = command.tenant_id, command.currency, command.day
    await rates.lock_day(tx, currency, day, tenant_id=tenant_id)
    last = await rates.find_entered(tx, currency, day, tenant_id=tenant_id)
    if last is not None and last.rate == command.rate:
        return last
    entered = EnteredRate(
        currency=currency,
        day=day,
        version=1 if last is None else last.version + 1,
        rate=command.rate,
        entered_at=now,
        entered_by=command.entered_by,
    )
    await rates.insert_rate(tx, entered, tenant_id=tenant_id)
    return entered
