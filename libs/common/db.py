"""The database: two pools a service, and a transaction that names its tenants.

The service's role sees only rows of the tenants a transaction names (row-level security), owns no
table, and cannot log in to another schema. The worker's role sees the machinery's tables only
(outbox, deadlines, dead letters, clocks), of all tenants.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from libs.common.ids import TENANT_ID

# The one table that is nobody's: what ran when. No role of a service may read it.
SERVICE_TABLES_WITHOUT_TENANT = frozenset({"schema_migrations"})

COMMAND_TIMEOUT_SECONDS = 30.0
POOL_CLOSE_SECONDS = 5.0

Row = Mapping[str, Any]

# The database restarting, a pool closed, a deadlock, a network in between.
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # Raised for a call that begins on a connection that is just being ended.
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
)
# What a background task waits out, whatever the database says.
FAULTS = (*AWAY, asyncpg.PostgresError)


def is_away(failure: BaseException) -> bool:
    """Whether the same thing may well work a moment later.

    Faults of ours that the driver files under InterfaceError, such as a wrong argument, are not.
    """
    if isinstance(failure, BaseExceptionGroup):
        return all(is_away(one) for one in failure.exceptions)
    return isinstance(failure, AWAY) and not isinstance(failure, ValueError)


class Tx:
    """An open transaction: the verbs of the driver, and whether events were appended to it."""

    __slots__ = ("_connection", "announced", "tenants")

    def __init__(self, connection: Any, tenants: frozenset[str]) -> None:
        self._connection = connection
        self.tenants = tenants
        self.announced = False

    async def fetch(self, query: str, *values: object) -> list[Row]:
        return await self._connection.fetch(query, *values)  # type: ignore[no-any-return]

    async def fetchrow(self, query: str, *values: object) -> Row | None:
        return await self._connection.fetchrow(query, *values)  # type: ignore[no-any-return]

    async def fetchval(self, query: str, *values: object) -> Any:
        return await self._connection.fetchval(query, *values)

    async def execute(self, query: str, *values: object) -> str:
        return await self._connection.execute(query, *values)  # type: ignore[no-any-return]

    async def executemany(self, query: str, values: Iterable[Sequence[object]]) -> None:
        await self._connection.executemany(query, values)


class Database:
    """A service's two pools. `on_announced` is called after a commit that appended events."""

    def __init__(self, pool: Any, worker_pool: Any) -> None:
        self._pool = pool
        self._worker_pool = worker_pool
        self.on_announced: Callable[[], None] = lambda: None

    @classmethod
    async def connect(cls, url: str, service: str, *, size: int = 8) -> "Database":
        """`url` has `{role}` where the role's name goes; `size` connections for the service."""
        pool = await _pool(url.format(role=service_role(service)), size)
        try:
            worker_pool = await _pool(url.format(role=worker_role(service)), 4)
        except BaseException:
            pool.terminate()
            raise
        return cls(pool, worker_pool)

    async def close(self) -> None:
        for pool in (self._pool, self._worker_pool):
            try:
                await asyncio.wait_for(pool.close(), POOL_CLOSE_SECONDS)
            except TimeoutError:
                pool.terminate()

    @asynccontextmanager
    async def transaction(self, *tenants: str, is_bulk: bool = False) -> AsyncIterator[Tx]:
        """One transaction for exactly these tenants; committed at the end of the block.

        READ COMMITTED: a use case locks what it decides on. BEGIN and the tenants' names share a
        round trip, which is why the names are checked here, next to the text they go into.
        `is_bulk`: its statements get arrays of hundreds, and are planned for them each time; a plan
        for any array joined 500 rows to a tenant's 4,000 in a nested loop (500 ms instead of 2).
        """
        for tenant_id in tenants:
            if not TENANT_ID.fullmatch(tenant_id):
                raise ValueError(f"{tenant_id!r} is not a tenant id")
        async with self._pool.acquire() as connection:
            tx = Tx(connection, frozenset(tenants))
            planned = "; SET LOCAL plan_cache_mode = force_custom_plan" if is_bulk else ""
            await connection.execute(
                f"BEGIN; SET LOCAL app.tenants = '{','.join(tenants)}'{planned}"
            )
            try:
                yield tx
            except BaseException:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")
        if tx.announced:
            self.on_announced()

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Any]:
        """A connection of the worker's role: each statement is its own transaction."""
        async with self._worker_pool.acquire() as connection:
            yield connection

    async def is_reachable(self) -> None:
        """Raises when the database does not answer within two seconds."""
        async with self._pool.acquire(timeout=2) as connection:
            await connection.fetchval("SELECT 1", timeout=2)


def jsonb(value: object) -> str:
    """The text of a json column: dataclasses and structs as objects, decimals as strings."""
    return msgspec.json.encode(value).decode()


def service_role(service: str) -> str:
    return f"parcelcover_{service}"


def worker_role(service: str) -> str:
    return f"parcelcover_{service}_worker"


async def _pool(dsn: str, size: int) -> Any:
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        # Times inside of JSON are written in the session's zone.
        server_settings={"timezone": "UTC"},
        # Only SET LOCAL is ever used, so a connection comes back clean without a round trip.
        reset=_nothing_to_reset,
    )


async def _nothing_to_reset(connection: Any) -> None:
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")
