"""A service's parts for an operator's command: as its environment says, and none of its tasks."""

from contextlib import AbstractAsyncContextManager
from importlib import import_module

from libs.common import service
from libs.common.service import Running, Service
from libs.common.settings import Settings


def running(name: str) -> AbstractAsyncContextManager[Running]:
    described: Service = import_module(f"services.{name}.app").SERVICE
    module = import_module(f"services.{name}.settings")
    shape: type[Settings] = getattr(module, f"{name.capitalize()}Settings")
    return service.run(described, shape(roles=frozenset()))
