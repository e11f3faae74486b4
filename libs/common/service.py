"""A running service: its pools, its relay, its consumer and its deadlines, by the roles it has.

Each service's `app.py` says what it is made of; this is how any of them lives and dies.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Annotated, Any

import httpx
import structlog
from fastapi import Depends, FastAPI, Request

from libs.common import testclock
from libs.common.auth import Caller, ServiceSigner
from libs.common.bus import Producer
from libs.common.consumer import Consumer, Handlers
from libs.common.db import Database, Tx
from libs.common.deadlines import DeadlineRunner, Job
from libs.common.outbox import Relay
from libs.common.peers import Peer
from libs.common.plans.book import PlanBook
from libs.common.plans.reading import load
from libs.common.plans.tenants import Tenants, check_plans, load_tenants
from libs.common.rounds import Round, Rounds
from libs.common.settings import Settings

CLIENT_TIMEOUT_SECONDS = 5.0

_log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Running:
    """What routes, handlers and jobs of one process share. `name` is the service's."""

    name: str
    settings: Settings
    db: Database
    plans: PlanBook
    tenants: Tenants
    http: httpx.AsyncClient
    signer: ServiceSigner
    handlers: Handlers = field(default_factory=dict)
    consumer: Consumer | None = None
    jobs: Mapping[str, Job] = field(default_factory=dict)
    rounds: dict[str, Rounds] = field(default_factory=dict)
    # How much of a tenant's still waits to be worked, besides events and deadlines.
    waiting: "Waiting | None" = None

    def wake(self, name: str) -> None:
        """There is work for these rounds; another process's find it by themselves."""
        if (rounds := self.rounds.get(name)) is not None:
            rounds.wake()

    def peer(self, name: str) -> Peer:
        """Another of our services, to be asked on a tenant's behalf."""
        url: str = getattr(self.settings, f"{name}_url")
        return Peer(name=name, url=url, http=self.http, signer=self.signer)


Waiting = Callable[[Tx, str], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a service is made of. Handlers, jobs and rounds are built once its parts exist."""

    name: str
    topics: Sequence[str] = ()
    handlers: Callable[[Running], Handlers] = lambda running: {}
    jobs: Callable[[Running], Mapping[str, Job]] = lambda running: {}
    rounds: Callable[[Running], Mapping[str, Round]] = lambda running: {}
    waiting: Waiting | None = None


@asynccontextmanager
async def run(service: Service, settings: Settings) -> AsyncIterator[Running]:
    """The service's parts, its background tasks running by role; all stopped at the end."""
    db = await Database.connect(
        settings.database_url, service.name, size=settings.database_pool_size
    )
    producer = Producer(settings.kafka_bootstrap_servers, idempotent=settings.kafka_idempotent)
    http = httpx.AsyncClient(timeout=CLIENT_TIMEOUT_SECONDS, verify=_certificates())
    try:
        plans, tenants = load(settings.plans), load_tenants(settings.tenants)
        check_plans(tenants, plans.versions, settings.tenants)
        running = Running(
            name=service.name,
            settings=settings,
            db=db,
            plans=plans,
            tenants=tenants,
            http=http,
            signer=ServiceSigner(settings, service.name),
        )
        async with _background(service, running, producer):
            yield running
    finally:
        await http.aclose()
        await producer.stop()
        await db.close()


@cache
def _certificates() -> ssl.SSLContext:
    """Read once a process: it costs 20 ms, and tests start many services."""
    return httpx.create_ssl_context()


def lifespan_of(
    service: Service, settings: Settings
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """For the application: its parts in `app.state.running` while it lives, and what /readyz asks."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with run(service, settings) as running:
            app.state.running = running
            app.state.checks["database"] = running.db.is_reachable
            yield

    return lifespan


@asynccontextmanager
async def _background(
    service: Service, running: Running, producer: Producer
) -> AsyncIterator[None]:
    settings, db = running.settings, running.db
    tasks: list[asyncio.Task[None]] = []
    running.jobs = service.jobs(running)
    running.handlers = service.handlers(running)
    if "relay" in settings.roles:
        relay = Relay(db, producer, service.name)
        db.on_announced = relay.wake
        tasks.append(_task(relay.run(), "relay"))
    if "consumer" in settings.roles and service.topics:
        running.consumer = Consumer(
            db,
            settings.kafka_bootstrap_servers,
            service.name,
            service.topics,
            running.handlers,
        )
        tasks.append(_task(running.consumer.run(), "consumer"))
    running.waiting = service.waiting
    if "deadlines" in settings.roles:
        rounds = dict(service.rounds(running))
        if running.jobs:
            rounds["deadlines"] = DeadlineRunner(running.jobs).round
        running.rounds = {
            name: Rounds(db, f"{name}/{service.name}", round_)
            for name, round_ in rounds.items()
        }
        tasks += [_task(rounds.run(), name) for name, rounds in running.rounds.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _task(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    task = asyncio.create_task(coroutine, name=name)
    task.add_done_callback(_report_death)
    return task


def _report_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("background_task_died", task=task.get_name(), exc_info=task.exception())


def running_of(request: Request) -> Running:
    running: Running = request.app.state.running
    return running


def db_of(request: Request) -> Database:
    return running_of(request).db


Parts = Annotated[Running, Depends(running_of)]
Db = Annotated[Database, Depends(db_of)]


async def now_of(db: Database, caller: Caller) -> datetime:
    """The caller's business time."""
    return await testclock.business_now(db, caller.tenant_id)
