"""Rounds: work that waits in the database, done by one process at a time, whichever holds the lock.

A round does some of it and says whether it did any. Commits of the own process wake it, a slow poll
finds those of others, and without the database it waits.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from libs.common.db import FAULTS, Database

POLL_SECONDS = 0.25
STANDBY_SECONDS = 1.0
GATHER_SECONDS = 0.05

# With a connection of the worker's role; whether there was anything to do.
Round = Callable[[Any], Awaitable[bool]]

_log = structlog.get_logger()


class Rounds:
    """`name` tells its lock from others of the same database."""

    def __init__(self, db: Database, name: str, round_: Round) -> None:
        self._db = db
        self._name = name
        self._round = round_
        self._lock = zlib.crc32(name.encode())
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with self._db.worker() as connection:
                    await self._run_holding_lock(connection)
            except FAULTS as failure:
                _log.warning("rounds_paused", rounds=self._name, cause=str(failure))
                await asyncio.sleep(1)

    async def _run_holding_lock(self, connection: Any) -> None:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", self._lock):
            await asyncio.sleep(STANDBY_SECONDS)
            return
        try:
            while True:
                self._wake.clear()
                while await self._round(connection):
                    pass
                await self._wait()
        finally:
            if not connection.is_closed():
                await connection.execute("SELECT pg_advisory_unlock($1)", self._lock)

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        except TimeoutError:
            return
        # Who wakes us is seldom alone, and a batch costs little more than its first row.
        await asyncio.sleep(GATHER_SECONDS)
