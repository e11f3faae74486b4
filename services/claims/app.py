"""How the claims service is put together."""

from fastapi import FastAPI

from libs.common import deadletter_api, progress_api, service, statements_api, web
from libs.common.auth import CLAIMS_READ
from libs.common.files import Files
from libs.common.filetypes import LARGEST_FILE_BYTES
from libs.common.service import Service
from libs.common.uploads import Uploads
from services.claims import api
from services.claims.consumers import TOPICS, handlers
from services.claims.jobs import jobs
from services.claims.settings import ClaimsSettings

SERVICE = Service(name="claims", topics=TOPICS, handlers=handlers, jobs=jobs)


def create_app(settings: ClaimsSettings | None = None) -> FastAPI:
    settings = settings or ClaimsSettings()
    app = web.create_app(
        SERVICE.name,
        settings,
        lifespan=service.lifespan_of(SERVICE, settings),
        routers=[
            *api.ROUTERS,
            deadletter_api.router,
            progress_api.router,
            statements_api.router_for(CLAIMS_READ),
        ],
        streamed_bodies={"/v1/evidence": LARGEST_FILE_BYTES},
    )
    app.state.files = Files(settings.evidence)
    app.state.uploads = Uploads()
    return app
