"""A request becomes a quote: read strictly, decided, and written with all others that wait.

The same for the one that a checkout asks for and for each row of a batch.
"""

import hashlib
from datetime import datetime

import msgspec
from fastapi import FastAPI

from libs.common.db import Database
from libs.common.errors import Refusal
from libs.common.ids import new_id
from libs.common.service import Running
from libs.common.web import decode, read_json
from services.quote import usecases
from services.quote.api.plans import sold_by
from services.quote.api.requests import QuoteRequest
from services.quote.api.views import QuoteView
from services.quote.domain import ExchangeRate
from services.quote.store import quotes, rates
from services.quote.store.quotes import Quote, UsedKey
from services.quote.store.rates import KnownRates, RateKey
from services.quote.store.writer import QuoteWriter, Written, replay

_request = msgspec.json.Decoder(QuoteRequest)
_any: msgspec.json.Decoder[object] = msgspec.json.Decoder()


def read_request(body: bytes) -> QuoteRequest:
    """What the body asks, read as strictly as `read_json` reads, and mostly without it.

    msgspec lets a name pass that is given twice. But a body that is, but for its blanks, the very
    text that its own values are written as has no name twice, and one reading only.
    """
    if not _has_one_reading(body):
        read_json(body)
    try:
        return decode(_request, body)
    except Refusal:
        # Of two things that are wrong, what is no JSON at all is said first.
        read_json(body)
        raise


async def issue_quote(
    app: FastAPI, tenant_id: str, asked: QuoteRequest, key: str | None, *, now: datetime
) -> Written:
    """The quote that is stored now, or the one that was given to this key before."""
    understood = msgspec.json.encode(asked)
    used = None if key is None else _used(key, understood)
    parts: Running = app.state.running
    writer: QuoteWriter = app.state.quote_writer
    try:
        ask = asked.to_ask(tenant_id)
        plans = usecases.plans_asked(parts.plans, sold_by(parts, tenant_id), ask, now=now)
        wanted = usecases.rate_wanted(ask, plans, now=now)
        rate = None if wanted is None else await _rate(app, wanted)
        issued = usecases.issue_quote(ask, plans, quote_id=new_id("quo"), now=now, rate=rate)
    except Refusal:
        # Plans come and go; what was answered to this key before still stands.
        earlier = await _earlier(parts.db, tenant_id, used)
        if earlier is None:
            raise
        return earlier
    quote = Quote(
        quote_id=issued.quote_id,
        tenant_id=tenant_id,
        state=issued.state,
        created_at=issued.created_at,
        valid_until=issued.valid_until,
        order_ref=ask.order_ref,
        request=understood,
        answer=msgspec.json.encode(QuoteView.of(issued)),
        plans=tuple(plan.plan for plan in plans),
        key=used,
    )
    return await writer.write(
        quote, usecases.quote_issued(issued), usecases.opened_with(issued)
    )


def _has_one_reading(body: bytes) -> bool:
    try:
        return msgspec.json.encode(_any.decode(body)) == msgspec.json.format(body, indent=-1)
    except (ValueError, RecursionError):
        return False


def _used(key: str, understood: bytes) -> UsedKey:
    """The fingerprint is of what was understood: the same request written otherwise is the same."""
    return UsedKey(key=key, body_sha256=hashlib.sha256(understood).digest())


async def _rate(app: FastAPI, wanted: RateKey) -> ExchangeRate | None:
    """The rate that counts, mostly without asking the database."""
    parts: Running = app.state.running
    known: KnownRates = app.state.known_rates

    async def read(key: RateKey) -> ExchangeRate | None:
        async with parts.db.transaction(key.tenant_id) as tx:
            return await rates.find_rate(tx, key)

    return await known.find(wanted, read)


async def _earlier(db: Database, tenant_id: str, key: UsedKey | None) -> Written | None:
    if key is None:
        return None
    async with db.transaction(tenant_id) as tx:
        found = await quotes.find_quotes_of_keys(tx, [(tenant_id, key.key)])
    return next((replay(key, quote) for quote in found.values()), None)
