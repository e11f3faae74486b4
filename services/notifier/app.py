"""How the notifier is put together."""

from fastapi import FastAPI

from libs.common import deadletter_api, progress_api, service, web
from libs.common.service import Service
from services.notifier import api
from services.notifier.consumers import TOPICS, handlers
from services.notifier.jobs import jobs
from services.notifier.settings import NotifierSettings

SERVICE = Service(name="notifier", topics=TOPICS, handlers=handlers, jobs=jobs)


def create_app(settings: NotifierSettings | None = None) -> FastAPI:
    settings = settings or NotifierSettings()
    return web.create_app(
        SERVICE.name,
        settings,
        lifespan=service.lifespan_of(SERVICE, settings),
        routers=[api.router, deadletter_api.router, progress_api.router],
        tags={"notifications": "What customers and staff were told, and what became of it."},
    )
