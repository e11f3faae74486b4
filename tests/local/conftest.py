"""Real servers for the tests of the local stack: each test has its own folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local import kafka, postgres
from deploy.local.kafka import Broker
from deploy.local.postgres import Postgres


@pytest_asyncio.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[Postgres]:
    server = await postgres.start(tmp_path / "postgres", fsync=False)
    yield server
    await server.stop()


@pytest_asyncio.fixture
async def durable_broker(tmp_path: Path) -> AsyncIterator[Broker]:
    server = await kafka.start(tmp_path / "kafka")
    try:
        if not server.durable:
            pytest.skip(f"{server.name} keeps nothing over a kill -9")
        yield server
    finally:
        await server.stop()
