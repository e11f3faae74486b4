"""The service is killed in the middle of carriers' posts, twice: every scan is there, once."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import Child, spawn
from libs.common.db import Database
from tests.bench import posts
from tests.bench.quotes import environment
from tests.bench.site import Site
from tests.bench.traffic import TENANT
from tests.conftest import DbOf
from tests.faults.test_kill import until

PARCELS = 1_250
SENDERS = 32
KILLED_AFTER = (1_500, 3_500)
RETRY_SECONDS = 0.1
PATIENCE_SECONDS = 60


@pytest.fixture
def site(tmp_path: Path, keys: Path, database: str, admin_url: str) -> Site:
    # Nothing is relayed: what was said is looked for in the outbox.
    return Site(
        folder=tmp_path,
        keys=keys,
        database_url=database,
        admin_url=admin_url,
        bootstrap=f"{LOOPBACK}:1",
        is_idempotent=True,
    )


class Carrier:
    """Posts until each was answered with a 2xx, as carriers do; `answered` may count one twice."""

    def __init__(self, port: int, sending: posts.Posts) -> None:
        self._port = port
        self._waiting = [
            _request(port, body, headers)
            for body, headers in zip(sending.bodies, sending.headers, strict=True)
        ][::-1]
        self.answered = 0
        self.retries = 0

    async def post_all(self) -> None:
        await asyncio.gather(*(self._send() for _ in range(SENDERS)))

    async def _send(self) -> None:
        """One connection after another; the request that one ends in is sent again."""
        while self._waiting:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._connected()
            await asyncio.sleep(RETRY_SECONDS)

    async def _connected(self) -> None:
        reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
        try:
            while self._waiting:
                request = self._waiting.pop()
                try:
                    writer.write(request)
                    status = await _status(reader)
                except (OSError, asyncio.IncompleteReadError):
                    self._waiting.append(request)
                    self.retries += 1
                    raise
                assert status == 200 or status >= 500, status
                if status == 200:
                    self.answered += 1
                else:
                    self._waiting.append(request)
        finally:
            writer.close()


def _request(port: int, body: str, headers: dict[str, str]) -> bytes:
    lines = [
        f"POST /v1/tracking/easypost?tenant={TENANT} HTTP/1.1",
        f"host: {LOOPBACK}:{port}",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"content-length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body.encode()


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = re.findall(rb"content-length: (\d+)", head)
    await reader.readexactly(int(length))
    return int(head[9:12])


@asynccontextmanager
async def serving(site: Site, port: int) -> AsyncIterator[Child]:
    child = spawn(
        "policy",
        [sys.executable, "-m", "deploy.cli", "serve", "policy", "--port", str(port)],
        log=site.folder / "policy.log",
        env=environment(site, "policy") | {"PARCELCOVER_ROLES": '["api", "deadlines"]'},
    )

    async def is_ready() -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                return (await client.get(f"http://{LOOPBACK}:{port}/readyz")).is_success
            except httpx.TransportError:
                return False

    try:
        await child.until_ready(is_ready, timeout_seconds=30)
        yield child
    finally:
        await child.kill()


async def test_killed_amid_five_thousand_posts_every_scan_is_in_its_history_once(
    site: Site, db_of: DbOf
) -> None:
    db = await db_of("policy")
    await posts.open_hook(site, db)
    await posts.insure(db, "K", PARCELS)
    sending = posts.posts("K", PARCELS)
    port = free_port()
    carrier = Carrier(port, sending)

    posting = asyncio.create_task(carrier.post_all())
    for count in KILLED_AFTER:
        async with serving(site, port):
            await until(
                lambda count=count: has_answered(carrier, count), patience=PATIENCE_SECONDS
            )
    async with serving(site, port):
        await asyncio.wait_for(posting, PATIENCE_SECONDS)
        await until(lambda: is_read(db), patience=PATIENCE_SECONDS)

    assert carrier.answered == len(sending.bodies) == 5_000
    assert carrier.retries > 0
    assert await counts(db) == {
        "notices": 5_000,
        "readings": 5_000,
        "scans": 5_000,
        "received": 5_000,
        "out_for_delivery": PARCELS,
        "gaps": 0,
    }


async def has_answered(carrier: Carrier, count: int) -> bool:
    return carrier.answered >= count


async def is_read(db: Database) -> bool:
    async with db.transaction(TENANT) as tx:
        return not await tx.fetchval("SELECT count(*) FROM tracking_queue")


async def counts(db: Database) -> dict[str, Any]:
    """`gaps`: policies whose events in the outbox are not as many as were counted."""
    async with db.transaction(TENANT) as tx:
        row = await tx.fetchrow(
            """
            SELECT (SELECT count(*) FROM tracking_notices) AS notices,
                (SELECT count(*) FROM tracking_readings WHERE state = 'READ' AND matched > 0)
                    AS readings,
                (SELECT count(*) FROM scans) AS scans,
                (SELECT sum(received)::bigint FROM tracking_counts) AS received,
                (SELECT count(*) FROM policies
                 WHERE tracking ->> 'status' = 'out_for_delivery' AND state = 'ACTIVE')
                    AS out_for_delivery,
                (SELECT count(*) FROM event_sequences s WHERE last <> (
                    SELECT count(DISTINCT sequence) FROM outbox o
                    WHERE o.key = s.key AND o.tenant_id = s.tenant_id)) AS gaps
            """
        )
    assert row is not None
    return dict(row)
