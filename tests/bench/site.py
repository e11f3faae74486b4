"""What a benchmark runs on: PostgreSQL with fsync, Kafka, keys; the measured process apart.

The measured process has the first core, servers and senders the second: so a round's number does
not hang on where the system happens to put them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import kafka, keys, postgres
from libs.common.migrate import migrate
from tests.bench.machine import pin

MEASURED_CPU, OTHER_CPU = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`database_url` has `{role}` in it; `folder` takes logs and orders; `servers` are names."""

    folder: Path
    keys: Path
    database_url: str
    admin_url: str
    bootstrap: str
    is_idempotent: bool
    servers: tuple[str, ...] = ()


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    """The servers on `folder`, started and stopped. This process keeps off the measured core."""
    pin(OTHER_CPU)
    server = await postgres.start(folder / "postgres")
    try:
        await migrate(server.admin_url)
        keys.make_keys(folder / "keys")
        broker = await kafka.start(folder / "kafka")
        try:
            yield Site(
                folder=folder,
                keys=folder / "keys",
                database_url=server.url,
                admin_url=server.admin_url,
                bootstrap=broker.bootstrap,
                is_idempotent=broker.idempotent,
                servers=(server.name, broker.name),
            )
        finally:
            await broker.stop()
    finally:
        await server.stop()
