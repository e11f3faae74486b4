"""Rows of a batch booked a second: the quote and policy services as they are served, every role on.

Each row is quoted, bound, paid, booked in the ledger, said on the bus and answered. The bare side is
what PostgreSQL takes for the same bytes: an insert a row, committed as many at once as ours.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import psutil

from deploy.local import keys
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.services import Service
from libs.common.auth import SCOPES
from services.policy.usecases.batches import ROWS_AT_ONCE
from tests.bench.rounds import OURS, Round
from tests.bench.site import Site
from tests.bench.traffic import TENANT, bodies

BARE = "bare"
ROWS = 100_000
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 1_800
_MIB = 1_048_576

_TABLE = """
    CREATE TABLE IF NOT EXISTS bare_rows (
        row_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL)
"""


class NotBooked(Exception):
    """A row of the benchmark's file was refused."""


def lines(count: int) -> Iterator[bytes]:
    """JSON lines of as many parcels, each paid; about a kilobyte each."""
    run, quotes = uuid4().hex[:8], [json.loads(body) for body in bodies()]
    for number in range(count):
        row = {
            "reference": f"{run}-{number}",
            "quote": quotes[number % len(quotes)],
            "carrier": "ems",
            "tracking_number": f"{run}{number}",
            "contact": {"email": f"customer-{number}@example.com"},
            "payment_reference": f"card-{number}",
        }
        yield msgspec.json.encode(row) + b"\n"


async def rounds(site: Site, count: int) -> AsyncIterator[Round]:
    """Ours, then the bare inserts of the same bytes."""
    path = site.folder / "batch.ndjson"
    with path.open("wb") as file:
        file.writelines(lines(count))
    async with AsyncExitStack() as stack:
        services = await _start(site, stack)
        policy = services["policy"]
        token = keys.issue_token(site.keys, tenant=TENANT, scopes=SCOPES)
        client = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=policy.url,
                headers={"authorization": f"Bearer {token}"},
                timeout=300,
                trust_env=False,
            )
        )
        assert policy.child is not None
        yield await _ours(client, psutil.Process(policy.child.pid), path.read_bytes())
    yield Round(variant=BARE, per_second=count / await _bare(site, path.read_bytes()))


async def _start(site: Site, stack: AsyncExitStack) -> dict[str, Service]:
    ports = {name: free_port() for name in ("quote", "policy")}
    services = {
        name: Service(
            name,
            port=port,
            log=site.folder / f"batch-{name}.log",
            env=_environment(site, name, ports),
        )
        for name, port in ports.items()
    }
    for service in services.values():
        stack.push_async_callback(service.stop)
        await service.run()
        assert service.child is not None
        if hasattr(os, "sched_setaffinity"):
            # All of the machine: what is measured is the way through all of them together.
            os.sched_setaffinity(service.child.pid, range(os.cpu_count() or 1))
    return services


async def _ours(client: httpx.AsyncClient, policy: psutil.Process, file: bytes) -> Round:
    began = time.perf_counter()
    before = _resident(policy)
    uploaded = await client.post(
        "/v1/batches",
        content=file,
        headers={"content-type": "application/x-ndjson", "idempotency-key": uuid4().hex},
    )
    assert uploaded.status_code == 202, uploaded.text
    upload_seconds = time.perf_counter() - began
    path, at_tenth, peak = uploaded.headers["location"], 0, 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            batch = (await client.get(path)).raise_for_status().json()
            resident = _resident(policy)
            peak = max(peak, resident)
            if not at_tenth and batch["done"] * 10 >= batch["rows"]:
                at_tenth = resident
            if batch["state"] != "RUNNING":
                break
            await asyncio.sleep(LOOK_SECONDS)
    seconds = time.perf_counter() - began
    if batch["booked"] != batch["rows"]:
        raise NotBooked(f"{batch['refused']} of {batch['rows']} rows were refused")
    return Round(
        variant=OURS,
        per_second=batch["rows"] / seconds,
        note=(
            f"{batch['rows']:,} rows, upload {upload_seconds:.1f} s of {seconds:.1f} s; policy "
            f"process {before:.0f} MiB before, {at_tenth:.0f} at 10 %, {resident:.0f} at the end, "
            f"{peak:.0f} at most"
        ),
    )


def _resident(process: psutil.Process) -> float:
    return float(process.memory_info().rss / _MIB)


async def _bare(site: Site, file: bytes) -> float:
    """Seconds for the same bytes."""
    rows = [(line,) for line in file.decode().splitlines()]
    connection = await asyncpg.connect(site.admin_url)
    try:
        await connection.execute(_TABLE)
        began = time.perf_counter()
        for first in range(0, len(rows), ROWS_AT_ONCE):
            async with connection.transaction():
                await connection.executemany(
                    "INSERT INTO bare_rows (body) VALUES ($1)",
                    rows[first : first + ROWS_AT_ONCE],
                )
        return time.perf_counter() - began
    finally:
        await connection.close()


def _environment(site: Site, service: str, ports: dict[str, int]) -> dict[str, str]:
    urls = {
        f"PARCELCOVER_{name.upper()}_URL": f"http://{LOOPBACK}:{port}"
        for name, port in ports.items()
    }
    return urls | {
        "PARCELCOVER_DATABASE_URL": site.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": site.bootstrap,
        "PARCELCOVER_KAFKA_IDEMPOTENT": str(site.is_idempotent).lower(),
        "PARCELCOVER_JWKS": str(site.keys / keys.ISSUER_JWKS),
        "PARCELCOVER_SERVICE_JWKS": str(site.keys / keys.SERVICES_JWKS),
        "PARCELCOVER_SERVICE_KEY": str(keys.key_file(site.keys, service)),
        "PARCELCOVER_SEALING_KEYS": str(site.keys / keys.SEALING_KEYS),
        "PARCELCOVER_EVIDENCE": str(site.folder / "evidence"),
    }
