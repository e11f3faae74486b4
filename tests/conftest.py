"""What tests stand on: real PostgreSQL (a template cloned a test), a real broker, real tokens.

    async def test_...(db_of, app_of, token): ...

- `db_of("policy")`        the service's Database in a fresh clone of the migrated template
- `app_of("policy")`       the service's application, running, as an httpx client
- `token("sbx-cssbuy-1")`  headers with a caller's token for the tenant, all scopes
- `broker`                 one real broker for the session (Apache Kafka, or Tansu in its place)
"""

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
import pytest_asyncio
import structlog
from fastapi import FastAPI

from deploy.local import kafka, postgres
from libs.common import auth, sealed
from libs.common.clock import system_now
from libs.common.db import Database
from libs.common.migrate import SERVICES, migrate
from libs.common.settings import Settings

TENANT = "sbx-cssbuy-tests"

DbOf = Callable[[str], Awaitable[Database]]
AppOf = Callable[..., Awaitable[httpx.AsyncClient]]
Token = Callable[..., dict[str, str]]


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> None:
    """Without each frame's variables, which took 13 seconds for one failure that is logged."""
    renderer = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    processors = structlog.get_config()["processors"]
    structlog.configure(processors=[*processors[:-1], renderer])


@pytest_asyncio.fixture(scope="session")
async def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    """A server whose database `parcelcover` is migrated and then only ever cloned."""
    server = await postgres.start(tmp_path_factory.mktemp("postgres"), fsync=False)
    try:
        await migrate(server.admin_url)
        yield server
    finally:
        await server.stop()


@pytest_asyncio.fixture
async def database(postgres_server: Any) -> AsyncIterator[str]:
    """The URL of a fresh clone, with `{role}` where the role goes."""
    name = f"t_{uuid4().hex}"
    admin = await asyncpg.connect(_in_database(postgres_server.admin_url, "postgres"))
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE parcelcover STRATEGY file_copy")
        yield _in_database(postgres_server.url, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture
def admin_url(postgres_server: Any, database: str) -> str:
    """The administrator's way into this test's database."""
    return _in_database(postgres_server.admin_url, database.rpartition("/")[2])


@pytest_asyncio.fixture
async def db_of(database: str) -> AsyncIterator[DbOf]:
    async with AsyncExitStack() as stack:
        opened: dict[str, Database] = {}

        async def open_db(service: str) -> Database:
            if service not in opened:
                opened[service] = await Database.connect(database, service)
                stack.push_async_callback(opened[service].close)
            return opened[service]

        yield open_db


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the issuer's and the services' keys."""
    folder = tmp_path_factory.mktemp("keys")
    issuer = auth.new_key("issuer")
    services = {name: auth.new_key(name) for name in SERVICES}
    (folder / "issuer.jwk.json").write_bytes(auth.private_jwk(issuer))
    (folder / "issuer.jwks.json").write_bytes(auth.public_jwks([issuer]))
    (folder / "services.jwks.json").write_bytes(auth.public_jwks(services.values()))
    (folder / "sealing.keys").write_bytes(sealed.new_key())
    for name, key in services.items():
        (folder / f"{name}.jwk.json").write_bytes(auth.private_jwk(key))
    return folder


@pytest.fixture
def settings_of(database: str, keys: Path) -> Callable[..., Settings]:
    """`settings_of("policy", roles={"api"}, quote_url=...)`: the service's own settings class."""

    def make(service: str, **changes: object) -> Settings:
        module = importlib.import_module(f"services.{service}.settings")
        shape = getattr(module, f"{service.capitalize()}Settings", Settings)
        values: dict[str, object] = {
            "database_url": database,
            "jwks": str(keys / "issuer.jwks.json"),
            "service_jwks": str(keys / "services.jwks.json"),
            "service_key": keys / f"{service}.jwk.json",
            "sealing_keys": keys / "sealing.keys",
            "roles": frozenset({"api"}),
            **changes,
        }
        made: Settings = shape(**values)
        return made

    return make


@pytest_asyncio.fixture
async def app_of(settings_of: Callable[..., Settings]) -> AsyncIterator[AppOf]:
    """Running applications, each as an httpx client; `client.app` is the application itself."""
    async with AsyncExitStack() as stack:

        async def open_app(service: str, **changes: object) -> httpx.AsyncClient:
            create_app = importlib.import_module(f"services.{service}.app").create_app
            app: FastAPI = create_app(settings_of(service, **changes))
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url=f"http://{service}.test")
            client.app = app  # type: ignore[attr-defined]
            return await stack.enter_async_context(client)

        yield open_app


@pytest.fixture
def token(keys: Path, settings_of: Callable[..., Settings]) -> Token:
    """Headers of a caller of the tenant: every public scope unless some are named."""
    key = auth.read_key(keys / "issuer.jwk.json")
    settings = settings_of("policy")

    def headers(
        tenant_id: str = TENANT, scopes: Iterable[str] | None = None, subject: str = "tests"
    ) -> dict[str, str]:
        jwt = auth.issue_token(
            key,
            settings,
            tenant_id=tenant_id,
            subject=subject,
            scopes=auth.SCOPES if scopes is None else scopes,
            now=system_now(),
        )
        return {"authorization": f"Bearer {jwt}", "idempotency-key": uuid4().hex}

    return headers


@pytest_asyncio.fixture(scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    """The session's broker. Tests of their own topics and groups share it."""
    server = await kafka.start(tmp_path_factory.mktemp("kafka"))
    try:
        yield server
    finally:
        await server.stop()


def _in_database(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"
