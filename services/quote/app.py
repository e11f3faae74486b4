"""How the quote service is put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from libs.common import deadletter_api, progress_api, service, web
from libs.common.files import Files
from libs.common.filetypes import LARGEST_FILE_BYTES
from libs.common.service import Service
from libs.common.uploads import Uploads
from services.quote.api import (
    batches,
    consents,
    documents,
    history,
    plans,
    quotes,
    rates,
    schema,
    verification,
    wordings,
    work,
)
from services.quote.consumers import handlers
from services.quote.jobs import jobs
from services.quote.settings import QuoteSettings
from services.quote.store.rates import KnownRates
from services.quote.store.writer import writing
from services.quote.usecases import prepare_wordings

# Their place among the files; no tenant's name begins so.
PAPERS = "_papers"

SERVICE = Service(name="quote", topics=("policies",), handlers=handlers, jobs=jobs)


def create_app(settings: QuoteSettings | None = None) -> FastAPI:
    settings = settings or QuoteSettings()
    lifespan_of_parts = service.lifespan_of(SERVICE, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with lifespan_of_parts(app), writing(app.state.running.db) as writer:
            app.state.quote_writer = writer
            prepare_wordings(app.state.running.plans)
            yield

    app = web.create_app(
        SERVICE.name,
        settings,
        lifespan=lifespan,
        routers=[
            plans.router,
            wordings.router,
            quotes.router,
            batches.router,
            rates.router,
            documents.raw,
            documents.router,
            verification.router,
            work.router,
            consents.router,
            history.router,
            deadletter_api.router,
            progress_api.router,
        ],
        larger_bodies={
            batches.PATH: batches.MAX_BODY_BYTES,
            batches.INTERNAL_PATH: batches.MAX_INTERNAL_BODY_BYTES,
        },
        streamed_bodies={"/v1/quotes/{quote_id}/documents": LARGEST_FILE_BYTES},
        routes=[quotes.ASK_QUOTE],
        tags={
            "plans": "What you sell.",
            "quotes": "What it costs to insure a parcel.",
            "exchange rates": "What an order in another currency is worth in USD.",
        },
    )
    app.state.files = Files(settings.evidence, room=PAPERS)
    app.state.uploads = Uploads()
    app.state.known_rates = KnownRates()
    schema.add_quotes(app)
    return app
