"""One whole stack for all journeys: four service processes, real PostgreSQL, the real broker."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
import pytest_asyncio

from deploy.local.shop import Shop
from deploy.local.stack import Stack
from deploy.local.steps import Steps

ShopOf = Callable[[str], Shop]


@pytest_asyncio.fixture(scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with Stack.up(tmp_path_factory.mktemp("stack"), fsync=False) as up:
        yield up


@pytest_asyncio.fixture
async def shop_of(stack: Stack) -> AsyncIterator[ShopOf]:
    """`shop_of("cssbuy")`: a sandbox of that tenant, with a time of its own, for this test alone."""
    async with AsyncExitStack() as exits:

        def open_shop(tenant: str) -> Shop:
            shop = Shop(stack, tenant, uuid4().hex[:10], Steps.quiet())
            exits.push_async_callback(shop.close)
            return shop

        yield open_shop
