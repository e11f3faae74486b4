"""Policies end to end: the real quote service answers on a port, and policies bind from it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
import pytest_asyncio
from fastapi import FastAPI

from libs.common import testclock
from libs.common.db import Database
from libs.common.testclock import TestClock
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import PROGRAMMES_BY_PLAN, TENANT, Json, a_quote_request, amount, at
from tests.policy.serving import served

Serve = Callable[[FastAPI], Awaitable[str]]


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Serve]:
    """Put running applications on ports of their own, where others find them by HTTP."""
    async with AsyncExitStack() as stack:

        async def open_port(app: FastAPI) -> str:
            return await stack.enter_async_context(served(app))

        yield open_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A sandbox of a tenant that sells one plan, as a client of the quote and policy services."""

    plan: str
    tenant: str
    quotes: httpx.AsyncClient
    policies: httpx.AsyncClient
    token: Token

    async def ask(self, request: Json | None = None) -> Json:
        response = await self.quotes.post(
            "/v1/quotes",
            json=request or a_quote_request(self.plan),
            headers=self.token(self.tenant),
        )
        assert response.status_code == 201, response.text
        quote: Json = response.json()
        assert quote["state"] == "PRICED", quote
        return quote

    async def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        """With a new Idempotency-Key, unless one is named."""
        return await self.policies.post(
            path, json=body, headers={**self.token(self.tenant), **headers}
        )

    async def get(self, path: str) -> httpx.Response:
        return await self.policies.get(path, headers=self.token(self.tenant))

    async def bind(self, quote: Json, **more: object) -> httpx.Response:
        return await self.post("/v1/policies", {"quote_id": quote["quote_id"], **more})

    async def a_policy(self, **more: object) -> Json:
        """A fresh quote, bound."""
        return answered(await self.bind(await self.ask(), **more), 201)

    async def pay(
        self, policy: Json, minor: int | None = None, *, reference: str | None = None
    ) -> httpx.Response:
        """The premium, or that part of it; with a new reference, unless one is named."""
        premium = policy["premium"]
        whole = premium["amount_minor"] if minor is None else minor
        body = {
            "reference": reference or f"ref-{uuid4().hex}",
            "amount": amount(whole, premium["currency"]),
        }
        return await self.post(f"/v1/policies/{policy['policy_id']}/payments", body)

    async def a_paid_policy(self, **more: object) -> Json:
        return answered(await self.pay(await self.a_policy(**more)), 201)

    async def dispatch(self, policy: Json, **body: object) -> httpx.Response:
        return await self.post(f"/v1/policies/{policy['policy_id']}/dispatch", body)

    async def track(self, *scans: Json) -> httpx.Response:
        return await self.policies.post(
            "/v1/tracking", json={"scans": scans}, headers=self.token(self.tenant)
        )

    async def show(self, policy: Json) -> Json:
        return answered(await self.get(f"/v1/policies/{policy['policy_id']}"), 200)


def answered(response: httpx.Response, status: int) -> Json:
    assert response.status_code == status, response.text
    body: Json = response.json()
    return body


def refused(response: httpx.Response, status: int, code: str) -> Json:
    body = answered(response, status)
    assert body["code"] == code, body
    return body


def shape_of(problem: Json, *ids: str) -> str:
    """The problem with the ids that the caller sent taken out of it."""
    text = msgspec.json.encode(problem).decode()
    for number, one in enumerate(ids):
        text = text.replace(one, f"<id {number}>")
    return text


@pytest_asyncio.fixture
async def quotes(app_of: AppOf) -> httpx.AsyncClient:
    return await app_of("quote")


@pytest_asyncio.fixture
async def quote_url(quotes: Any, serve: Serve) -> str:
    return await serve(quotes.app)


@pytest_asyncio.fixture
async def policies(app_of: AppOf, quote_url: str) -> httpx.AsyncClient:
    return await app_of("policy", quote_url=quote_url)


@pytest.fixture
def shop_of(
    quotes: httpx.AsyncClient, policies: httpx.AsyncClient, token: Token
) -> Callable[..., Shop]:
    """`shop_of("jsx-cargo")`: a sandbox that sells that plan, or that named tenant."""

    def open_shop(plan: str = "cssecure", tenant: str | None = None) -> Shop:
        return Shop(
            plan=plan,
            tenant=tenant or PROGRAMMES_BY_PLAN[plan].tenant,
            quotes=quotes,
            policies=policies,
            token=token,
        )

    return open_shop


@pytest.fixture
def shop(shop_of: Callable[..., Shop]) -> Shop:
    """CSSBuy's sandbox."""
    return shop_of()


@pytest_asyncio.fixture
async def db(db_of: DbOf) -> Database:
    """The policy service's."""
    return await db_of("policy")


SetClock = Callable[..., Awaitable[None]]


@pytest.fixture
def set_clock(db_of: DbOf) -> SetClock:
    """Let a sandbox's time be that, in the quote and policy services or the one named."""

    async def set_now(
        now: str, *, tenant: str = TENANT, services: tuple[str, ...] = ("quote", "policy")
    ) -> None:
        clock = TestClock(clock_id="clk_1", tenant_id=tenant, now=at(now))
        for service in services:
            async with (await db_of(service)).transaction(tenant) as tx:
                await testclock.follow(tx, clock)

    return set_now
