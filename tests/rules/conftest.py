"""One database and one set of services for all rules; each test has a sandbox of its own."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.doors import Doors, cloned, open_doors
from tests.rules.shop import Shop, plans_and_tenants

ShopOf = Callable[[str], Shop]


@pytest_asyncio.fixture(scope="package")
async def doors(
    postgres_server: Any, keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doors]:
    plans, tenants = plans_and_tenants(tmp_path_factory.mktemp("plans"))
    evidence = tmp_path_factory.mktemp("evidence")
    async with (
        cloned(postgres_server) as database,
        open_doors(database, keys, evidence, plans=plans, tenants=tenants) as opened,
    ):
        yield opened


@pytest.fixture
def shop_of(doors: Doors) -> ShopOf:
    """`shop_of("jsx-cargo")`: a new sandbox of the plan's tenant."""
    book = doors.quotes.app.state.running.plans

    def open_shop(plan: str) -> Shop:
        newest = book.newest(plan)
        return Shop(doors, newest, f"sbx-{newest.tenant}-{uuid4().hex[:12]}")

    return open_shop
