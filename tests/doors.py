"""The quote, policy and claims services as shops and their staff meet them: over one database."""

import importlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from libs.common import auth
from libs.common.clock import system_now
from libs.common.settings import Settings
from tests.claims.desk import Desk
from tests.policy.serving import served


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Clients of the running services. `headers` makes those of a tenant's caller, all scopes."""

    quotes: Any
    policies: Any
    claims: Any
    headers: Callable[..., dict[str, str]]

    def desk(self, tenant: str) -> Desk:
        running = self.claims.app.state.running
        return Desk(client=self.claims, db=running.db, token=self.headers, tenant=tenant)


@asynccontextmanager
async def cloned(postgres_server: Any) -> AsyncIterator[str]:
    """The URL of a fresh clone of the migrated template, with `{role}` where the role goes."""
    name = f"t_{uuid4().hex}"
    admin = await asyncpg.connect(_in_database(postgres_server.admin_url, "postgres"))
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE parcelcover STRATEGY file_copy")
        yield _in_database(postgres_server.url, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@asynccontextmanager
async def open_doors(
    database: str, keys: Path, evidence: Path, **settings: object
) -> AsyncIterator[Doors]:
    """The three services, serving requests alone; the first two on ports."""
    common: dict[str, object] = {
        "database_url": database,
        "jwks": str(keys / "issuer.jwks.json"),
        "service_jwks": str(keys / "services.jwks.json"),
        "evidence": str(evidence),
        "sealing_keys": keys / "sealing.keys",
        "roles": frozenset({"api"}),
        **settings,
    }
    async with AsyncExitStack() as stack:

        async def open_app(service: str, **changes: object) -> Any:
            module = importlib.import_module(f"services.{service}.settings")
            shape: Any = getattr(module, f"{service.capitalize()}Settings", Settings)
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
        yield Doors(quotes=quotes, policies=policies, claims=claims, headers=_headers_by(keys))


def naive_utc(at: datetime) -> str:
    """As the tests' clocks take it: UTC, without its offset."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat()


def wire(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _headers_by(keys: Path) -> Callable[..., dict[str, str]]:
    issuer = auth.read_key(keys / "issuer.jwk.json")
    # Read once: it takes longer than most calls that the headers are for.
    settings = Settings()

    def headers(
        tenant_id: str, scopes: Iterable[str] | None = None, subject: str = "tests"
    ) -> dict[str, str]:
        jwt = auth.issue_token(
            issuer,
            settings,
            tenant_id=tenant_id,
            subject=subject,
            scopes=auth.SCOPES if scopes is None else scopes,
            now=system_now(),
        )
        return {"authorization": f"Bearer {jwt}", "idempotency-key": uuid4().hex}

    return headers


def _in_database(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"
