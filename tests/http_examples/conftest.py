"""One database and one set of services for all worked examples, each in a sandbox of its own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.doors import Doors, cloned, open_doors
from tests.http_examples.not_by_http import EXAMPLES, NOT_BY_HTTP


@pytest_asyncio.fixture(scope="package")
async def doors(
    postgres_server: Any, keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doors]:
    evidence = tmp_path_factory.mktemp("evidence")
    async with (
        cloned(postgres_server) as database,
        open_doors(database, keys, evidence) as all_,
    ):
        yield all_


def pytest_terminal_summary(terminalreporter: Any) -> None:
    listed = len(NOT_BY_HTTP)
    terminalreporter.write_line(
        f"worked examples: {len(EXAMPLES) - listed} through HTTP, {listed} listed as not"
    )
