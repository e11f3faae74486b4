"""Two tenants side by side, for every test that must not see one from the other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.architecture.world import World
from tests.conftest import AppOf, Token


@pytest_asyncio.fixture
async def world(app_of: AppOf, token: Token, tmp_path: Path) -> AsyncIterator[World]:
    async with World.build(app_of, token, tmp_path) as built:
        yield built
