"""Daily rates of exchange: what an order in another currency is worth in USD."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from libs.common.auth import QUOTES_READ, RATES_WRITE, Caller, requires
from libs.common.pagination import BadCursor, Listing, Page, Paging, paging
from libs.common.problems import problem_responses
from libs.common.service import Db, now_of
from libs.common.web import api_router
from libs.common.wire import Body, CurrencyCode, Day, Matching, View
from services.quote import usecases
from services.quote.store import rates
from services.quote.store.rates import NEWEST, EnteredRate, KnownRates, RatesWanted
from services.quote.usecases.rates import NoRateOfUsd

router = api_router("/v1", tags=["exchange rates"])

_listing: Listing[rates.Position] = Listing("exchange-rates", tuple[date, str, int])

Rate = Annotated[
    str,
    Matching(
        r"(?!0+(\.0+)?$)[0-9]{1,3}(\.[0-9]{1,12})?",
        'a decimal in quotes above 0 and below 1000, such as "0.2109", with at most 12 digits '
        "after the point",
    ),
]


class ExchangeRateRequest(Body):
    rate: Rate
    """USD for one unit of the currency."""


class ExchangeRateView(View):
    """A rate as it was entered."""

    currency: str
    day: date
    rate: str
    """USD for one unit of the currency."""
    version: int
    """Counts the entries of the day. The last one counts; the others stay as they were."""
    entered_at: datetime
    entered_by: str

    @classmethod
    def of(cls, entered: EnteredRate) -> "ExchangeRateView":
        return cls(
            currency=entered.currency,
            day=entered.day,
            rate=f"{entered.rate:f}",
            version=entered.version,
            entered_at=entered.entered_at,
            entered_by=entered.entered_by,
        )


@router.put("/exchange-rates/{currency}/{day}", responses=problem_responses(NoRateOfUsd))
async def enter_exchange_rate(
    currency: Annotated[CurrencyCode, Path()],
    day: Annotated[Day, Path(description="The business day it is of, in your plans' zone.")],
    body: ExchangeRateRequest,
    request: Request,
    caller: Annotated[Caller, requires(RATES_WRITE)],
    db: Db,
) -> ExchangeRateView:
    """Enter the rate of a day, or correct it. It counts until the next day that has one.

    A quote takes the last rate of the latest day that is not after today, and keeps it.
    """
    now = await now_of(db, caller)
    command = usecases.EnterExchangeRate(
        tenant_id=caller.tenant_id,
        currency=currency,
        day=day,
        rate=Decimal(body.rate),
        entered_by=caller.subject,
    )
    async with db.transaction(caller.tenant_id) as tx:
        entered = await usecases.enter_exchange_rate(tx, command, now=now)
    known: KnownRates = request.app.state.known_rates
    known.drop(caller.tenant_id)
    return ExchangeRateView.of(entered)


@router.get("/exchange-rates", responses=problem_responses(BadCursor))
async def list_exchange_rates(
    caller: Annotated[Caller, requires(QUOTES_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    currency: Annotated[
        CurrencyCode | None, Query(description="Only of this currency.")
    ] = None,
    since: Annotated[Day | None, Query(description="From this day on.")] = None,
    until: Annotated[Day | None, Query(description="Up to, but without, this one.")] = None,
) -> Page[ExchangeRateView]:
    """Your rates, the latest day first; a day's corrections before what they correct."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await rates.list_rates(
            tx,
            RatesWanted(currency=currency, since=since, until=until),
            tenant_id=caller.tenant_id,
            before=_listing.after(paging.cursor) or NEWEST,
            limit=paging.limit + 1,
        )
    return _listing.page(
        found,
        paging.limit,
        view=ExchangeRateView.of,
        position=lambda rate: (rate.day, rate.currency, rate.version),
    )
