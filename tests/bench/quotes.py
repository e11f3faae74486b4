"""Quotes a second through one uvicorn process: ours, ours without storing, and a bare route."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import psutil

from deploy.local import keys
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import ChildEnded, spawn
from libs.common.auth import QUOTES_WRITE
from tests.bench import serve
from tests.bench.rounds import Round
from tests.bench.sender import Orders, Result
from tests.bench.site import MEASURED_CPU, OTHER_CPU, Site
from tests.bench.traffic import TENANT, bodies

VARIANTS = ("ours", "unstored", "bare")
START_SECONDS = 30.0

_numbers = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much is sent at once and for how long; the sender is a closed loop."""

    connections: int = 64
    warmup_seconds: float = 1.0
    seconds: float = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that is up."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


async def rounds(
    site: Site, load: Load, repeats: int, variants: tuple[str, ...] = VARIANTS
) -> AsyncIterator[Round]:
    """Each variant in turn, as often as said, against servers that are all up already."""
    await _make_bare_table(site)
    async with AsyncExitStack() as stack:
        servers = {
            name: await stack.enter_async_context(server(site, name)) for name in variants
        }
        for _ in range(repeats):
            for name, one in servers.items():
                cpu = one.cpu_seconds()
                result = await send(site, one.port, load)
                cpu = one.cpu_seconds() - cpu
                note = f"{note_of(result)}, server {1e6 * cpu / result.answered:.0f} us of CPU each"
                yield Round(variant=name, per_second=result.per_second, note=note)


async def profile(site: Site, load: Load) -> tuple[str, ...]:
    """Where our server spends its time under that load."""
    path = site.folder / "profile.txt"
    async with server(site, "ours", {serve.PROFILE: str(path)}) as one:
        await send(site, one.port, load)
    return tuple(path.read_text().splitlines())


@asynccontextmanager
async def server(
    site: Site, variant: str, env: Mapping[str, str] | None = None, *, service: str = "quote"
) -> AsyncIterator[Served]:
    """One of the servers, ready."""
    port = free_port()
    child = spawn(
        variant,
        [sys.executable, "-m", "tests.bench.serve", variant, str(port), str(MEASURED_CPU)],
        log=site.folder / f"{variant}.log",
        env=environment(site, service) | dict(env or {}),
    )
    try:
        async with httpx.AsyncClient(trust_env=False) as client:

            async def is_ready() -> bool:
                try:
                    answer = await client.get(f"http://{LOOPBACK}:{port}/readyz")
                except httpx.TransportError:
                    return False
                return answer.status_code == 200

            await child.until_ready(is_ready, timeout_seconds=START_SECONDS)
        yield Served(port=port, pid=child.pid)
    finally:
        await child.stop()


async def send(site: Site, port: int, load: Load) -> Result:
    """One run of the sender at our quote route or the bare one."""
    token = keys.issue_token(site.keys, tenant=TENANT, scopes=[QUOTES_WRITE])
    orders = Orders(
        host=LOOPBACK,
        port=port,
        path="/v1/quotes",
        headers={"authorization": f"Bearer {token}"},
        bodies=bodies(),
        connections=load.connections,
        warmup_seconds=load.warmup_seconds,
        seconds=load.seconds,
        run=uuid4().hex,
        cpu=OTHER_CPU,
    )
    result = await sent(site, orders)
    if set(result.by_status) != {"201"}:
        raise AssertionError(f"not everything was answered with 201: {result.by_status}")
    return result


async def sent(site: Site, orders: Orders) -> Result:
    """What came of it, sent by a process of its own on the core that is not measured."""
    number = next(_numbers)
    path, log = site.folder / f"orders-{number}.json", site.folder / f"sender-{number}.log"
    path.write_bytes(msgspec.json.encode(orders))
    child = spawn("sender", [sys.executable, "-m", "tests.bench.sender", path], log=log)
    try:
        code = await child.until_ended()
    finally:
        await child.kill()
    if code != 0:
        raise ChildEnded(child.obituary())
    return msgspec.json.decode(log.read_bytes(), type=Result)


def environment(site: Site, service: str = "quote") -> dict[str, str]:
    return {
        "PARCELCOVER_DATABASE_URL": site.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": site.bootstrap,
        "PARCELCOVER_KAFKA_IDEMPOTENT": str(site.is_idempotent).lower(),
        "PARCELCOVER_JWKS": str(site.keys / keys.ISSUER_JWKS),
        "PARCELCOVER_SERVICE_JWKS": str(site.keys / keys.SERVICES_JWKS),
        "PARCELCOVER_SERVICE_KEY": str(keys.key_file(site.keys, service)),
        "PARCELCOVER_SEALING_KEYS": str(site.keys / keys.SEALING_KEYS),
        "PARCELCOVER_EVIDENCE": str(site.folder / "evidence"),
        # The outbox is written; a process of the role `relay` empties it, as in a cluster.
        "PARCELCOVER_ROLES": '["api"]',
        serve.BARE_URL: site.admin_url,
    }


async def _make_bare_table(site: Site) -> None:
    connection = await asyncpg.connect(site.admin_url)
    try:
        await connection.execute(serve.BARE_TABLE)
    finally:
        await connection.close()


def note_of(result: Result) -> str:
    return (
        f"p50 {result.p50_ms:.1f} ms, p99 {result.p99_ms:.1f} ms,"
        f" sender {100 * result.cpu_share:.0f} % of a core"
    )
