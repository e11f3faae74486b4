"""One database and one set of services for all worked examples, each in a sandbox of its own."""

import importlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
import pytest_asyncio

from libs.common import auth
from libs.common.clock import system_now
from libs.common.settings import Settings
from tests.http_examples.doors import Doors
from tests.http_examples.not_by_http import EXAMPLES, NOT_BY_HTTP
from tests.policy.serving import served


@pytest_asyncio.fixture(scope="package")
async def examples_database(postgres_server: Any) -> AsyncIterator[str]:
    """The URL of a fresh clone for all examples, with `{role}` where the role goes."""
    name = f"t_{uuid4().hex}"
    admin = await asyncpg.connect(_in_database(postgres_server.admin_url, "postgres"))
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE parcelcover STRATEGY file_copy")
        yield _in_database(postgres_server.url, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest_asyncio.fixture(scope="package")
async def doors(
    examples_database: str, keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doors]:
    """The quote, policy and claims services, serving requests alone; the first two on ports."""
    common: dict[str, object] = {
        "database_url": examples_database,
        "jwks": str(keys / "issuer.jwks.json"),
        "service_jwks": str(keys / "services.jwks.json"),
        "evidence": str(tmp_path_factory.mktemp("evidence")),
        "roles": frozenset({"api"}),
    }
    issuer = auth.read_key(keys / "issuer.jwk.json")

    def headers(tenant_id: str) -> dict[str, str]:
        jwt = auth.issue_token(
            issuer,
            Settings(),
            tenant_id=tenant_id,
            subject="tests",
            scopes=auth.SCOPES,
            now=system_now(),
        )
        return {"authorization": f"Bearer {jwt}", "idempotency-key": uuid4().hex}

    async with AsyncExitStack() as stack:

        async def open_app(service: str, **changes: object) -> Any:
            settings = importlib.import_module(f"services.{service}.settings")
            shape: Any = getattr(settings, f"{service.capitalize()}Settings", Settings)
            made = shape(**common, service_key=keys / f"{service}.jwk.json", **changes)
            app = importlib.import_module(f"services.{service}.app").create_app(made)
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            client: Any = httpx.AsyncClient(
                transport=transport, base_url=f"http://{service}.test"
            )
            client.app = app
            return await stack.enter_async_context(client)

        quotes = await open_app("quote")
        quote_url = await stack.enter_async_context(served(quotes.app))
        policies = await open_app("policy", quote_url=quote_url)
        policy_url = await stack.enter_async_context(served(policies.app))
        claims = await open_app("claims", policy_url=policy_url)
        yield Doors(quotes=quotes, policies=policies, claims=claims, headers=headers)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    listed = len(NOT_BY_HTTP)
    terminalreporter.write_line(
        f"worked examples: {len(EXAMPLES) - listed} through HTTP, {listed} listed as not"
    )


def _in_database(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"
