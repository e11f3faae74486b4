"""The servers that are measured, one uvicorn process each, all set up alike.

    python -m tests.bench.serve VARIANT PORT [CPU]

- `ours`      the quote service as it is served: token, tenant, key, offer, outbox, commit
- `unstored`  the same, but the writer answers without writing
- `bare`      FastAPI and pydantic, which read the same body, and one committed insert of it;
              of a carrier's post the bytes alone are inserted
- `accepted`  the policy service as it is served, taking what carriers post
- `worked`    the same, which also reads it into their parcels' history
"""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

import asyncpg
import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel

from deploy.local.ports import LOOPBACK
from libs.common.telemetry import configure_logging
from services.policy.app import create_app as create_policy_app
from services.quote.app import create_app
from services.quote.events import QuoteIssued
from services.quote.store.quotes import Quote
from services.quote.store.verifications import Verification
from services.quote.store.writer import Written
from tests.bench import sampling
from tests.bench.machine import pin

BARE_URL = "PARCELCOVER_BENCH_BARE_URL"
# Where the shares of the places go, when the server ends.
PROFILE = "PARCELCOVER_BENCH_PROFILE"
# The best for it of 4, 8, 16, 32 and 64 connections: each holds one request until its commit.
BARE_POOL = 32

BARE_TABLE = """
    CREATE TABLE IF NOT EXISTS bare_quotes (
        quote_id uuid PRIMARY KEY, created_at timestamptz NOT NULL, body json NOT NULL);
    CREATE TABLE IF NOT EXISTS bare_notices (
        notice_id uuid PRIMARY KEY, provider text NOT NULL, body bytea NOT NULL)
"""


class _NoWriter:
    async def write(
        self, quote: Quote, event: QuoteIssued, verification: Verification | None = None
    ) -> Written:
        return Written(quote=quote, is_replayed=False)


def unstored() -> FastAPI:
    app = create_app()

    @asynccontextmanager
    async def writing_nothing() -> AsyncIterator[None]:
        app.state.quote_writer = _NoWriter()
        yield

    return _during(app, writing_nothing)


def profiled(app: FastAPI, path: Path) -> FastAPI:
    """The same, and at its end the places where the time went are written to `path`."""

    @asynccontextmanager
    async def sampled() -> AsyncIterator[None]:
        sampling.start()
        with sampling.watched():
            yield
        await asyncio.to_thread(path.write_text, "\n".join(sampling.lines()))

    return _during(app, sampled)


def _during(app: FastAPI, more: Callable[[], AbstractAsyncContextManager[None]]) -> FastAPI:
    lives = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with lives(app), more():
            yield

    app.router.lifespan_context = lifespan
    return app


# --- what a bare route reads ------------------------------------------------------------------


class BareMoney(BaseModel):
    amount_minor: int
    currency: str


class BareCustomer(BaseModel):
    customer_id: str
    kind: Literal["consumer", "seller", "account"] = "consumer"
    is_registered: bool = False


class BareOrder(BaseModel):
    order_ref: str
    submitted_at: datetime | None = None
    options: list[str] = []
    items_in_warehouse: bool = False


class BareParcel(BaseModel):
    line: str
    destination: str
    scope: Literal["domestic", "international"] | None = None


class BareItem(BaseModel):
    item_id: str
    item_class: str
    quantity: int
    unit_price: BareMoney
    description: str = ""
    weight_kg: str | None = None


class BareRequest(BaseModel):
    customer: BareCustomer
    order: BareOrder
    parcel: BareParcel
    items: list[BareItem]
    shipping_fee: BareMoney
    plan: str | None = None
    point: str | None = None
    insured_value: BareMoney | None = None


class BareKept(BaseModel):
    notice_id: str


class BareAnswer(BaseModel):
    quote_id: str
    created_at: datetime


def bare() -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            os.environ[BARE_URL], min_size=BARE_POOL, max_size=BARE_POOL
        ) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/v1/quotes", status_code=201)
    async def ask_quote(body: BareRequest) -> BareAnswer:
        quote_id, now = uuid4(), datetime.now(UTC)  # noqa: TID251
        await app.state.pool.execute(
            "INSERT INTO bare_quotes (quote_id, created_at, body) VALUES ($1, $2, $3)",
            quote_id,
            now,
            body.model_dump_json(),
        )
        return BareAnswer(quote_id=str(quote_id), created_at=now)

    @app.post("/v1/tracking/{provider}")
    async def take_tracking(provider: str, request: Request) -> BareKept:
        notice_id = uuid4()
        await app.state.pool.execute(
            "INSERT INTO bare_notices (notice_id, provider, body) VALUES ($1, $2, $3)",
            notice_id,
            provider,
            await request.body(),
        )
        return BareKept(notice_id=str(notice_id))

    return app


APPS = {
    "ours": create_app,
    "unstored": unstored,
    "bare": bare,
    "accepted": create_policy_app,
    "worked": create_policy_app,
}


def main(variant: str, port: int, cpu: int | None) -> None:
    if cpu is not None:
        pin(cpu)
    configure_logging(f"bench-{variant}")
    app = APPS[variant]()
    if path := os.environ.get(PROFILE):
        app = profiled(app, Path(path))
    # As `parcelcover serve` does.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    uvicorn.run(
        app,
        host=LOOPBACK,
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
