"""How the policy service is put together."""

import asyncio

from fastapi import FastAPI

from libs.common import deadletter_api, progress_api, service, web
from libs.common.sealed import Sealer
from libs.common.service import Service
from services.policy import api
from services.policy.api import batches
from services.policy.api.batch_files import MAX_FILE_BYTES
from services.policy.consumers import TOPICS, handlers
from services.policy.jobs import jobs
from services.policy.settings import PolicySettings

SERVICE = Service(name="policy", topics=TOPICS, handlers=handlers, jobs=jobs)


def create_app(settings: PolicySettings | None = None) -> FastAPI:
    settings = settings or PolicySettings()
    app = web.create_app(
        SERVICE.name,
        settings,
        lifespan=service.lifespan_of(SERVICE, settings),
        routers=[*api.ROUTERS, deadletter_api.router, progress_api.router],
        larger_bodies={batches.PATH: MAX_FILE_BYTES},
    )
    app.state.uploads = asyncio.Semaphore(batches.MAX_UPLOADS_AT_ONCE)
    app.state.sealer = Sealer(settings.sealing_keys)
    return app
