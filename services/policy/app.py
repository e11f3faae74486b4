"""How the policy service is put together."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI

from libs.common import deadletter_api, progress_api, service, statements_api, web
from libs.common.auth import POLICIES_READ
from libs.common.rounds import Round
from libs.common.sealed import Sealer
from libs.common.service import Running, Service
from services.policy import api
from services.policy.api import batches, carriers, schema
from services.policy.api.batch_files import MAX_FILE_BYTES
from services.policy.api.carriers import TAKE_TRACKING, at_work
from services.policy.consumers import TOPICS, handlers
from services.policy.jobs import TrackingReader, jobs
from services.policy.settings import PolicySettings
from services.policy.store import count_waiting_notices
from services.policy.tracking import StatusMap
from services.policy.usecases import READ_TRACKING


def _rounds(running: Running) -> Mapping[str, Round]:
    settings = running.settings
    assert isinstance(settings, PolicySettings)
    reader = TrackingReader(running=running, codes=StatusMap.load(settings.status_map))
    return {READ_TRACKING: reader.read_tracking}


SERVICE = Service(
    name="policy",
    topics=TOPICS,
    handlers=handlers,
    jobs=jobs,
    rounds=_rounds,
    waiting=count_waiting_notices,
)


def create_app(settings: PolicySettings | None = None) -> FastAPI:
    settings = settings or PolicySettings()
    sealer = Sealer(settings.sealing_keys)
    lifespan_of_parts = service.lifespan_of(SERVICE, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with lifespan_of_parts(app), at_work(app.state.running, sealer) as desk:
            app.state.tracking_desk = desk
            yield

    app = web.create_app(
        SERVICE.name,
        settings,
        lifespan=lifespan,
        routers=[
            *api.ROUTERS,
            deadletter_api.router,
            progress_api.router,
            statements_api.router_for(POLICIES_READ),
        ],
        routes=[TAKE_TRACKING],
        larger_bodies={batches.PATH: MAX_FILE_BYTES, carriers.PATH: carriers.MAX_BODY_BYTES},
    )
    app.state.uploads = asyncio.Semaphore(batches.MAX_UPLOADS_AT_ONCE)
    app.state.sealer = sealer
    schema.add_tracking(app)
    return app
