"""Deadlines: rows that say what is due when, fired once, with `now` being their due instant.

A job is a door like a route: it reads what it must, opens the transaction, and in it takes the
deadline, so that the effect and the deadline's end commit together.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from libs.common import telemetry
from libs.common.acting import acting
from libs.common.clock import system_now
from libs.common.db import FAULTS, Database, Tx

POLL_SECONDS = 0.25
STANDBY_SECONDS = 1.0
BATCH = 100
MAX_RETRY_SECONDS = 300
FAILURE_LENGTH = 1_000

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """One of a `kind` per `subject` (a policy's, claim's or quote's id)."""

    tenant_id: str
    kind: str
    subject: str
    due_at: datetime


Job = Callable[[Deadline], Awaitable[None]]


async def set_deadline(tx: Tx, deadline: Deadline) -> None:
    """Set it, or move it where the subject already has one of its kind."""
    await set_deadlines(tx, [deadline])


async def set_deadlines(tx: Tx, deadlines: Sequence[Deadline]) -> None:
    """Set or move them, in one statement; no two may be of one kind and subject."""
    if not deadlines:
        return
    await tx.execute(
        """
        INSERT INTO deadlines (tenant_id, kind, subject, due_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
        ON CONFLICT (tenant_id, kind, subject)
        DO UPDATE SET due_at = excluded.due_at, retry_at = NULL, attempts = 0, failure = NULL
        """,
        [deadline.tenant_id for deadline in deadlines],
        [deadline.kind for deadline in deadlines],
        [deadline.subject for deadline in deadlines],
        [deadline.due_at for deadline in deadlines],
    )


async def cancel_deadline(tx: Tx, tenant_id: str, kind: str, subject: str) -> None:
    await tx.execute(
        "DELETE FROM deadlines WHERE tenant_id = $1 AND kind = $2 AND subject = $3",
        tenant_id,
        kind,
        subject,
    )


async def cancel_deadlines(tx: Tx, kind: str, subjects: Sequence[tuple[str, str]]) -> None:
    """Those of the kind of these (tenant, subject) pairs, in one statement."""
    if not subjects:
        return
    await tx.execute(
        """
        DELETE FROM deadlines d USING unnest($2::text[], $3::text[]) AS i (tenant_id, subject)
        WHERE d.tenant_id = i.tenant_id AND d.kind = $1 AND d.subject = i.subject
        """,
        kind,
        [tenant_id for tenant_id, _ in subjects],
        [subject for _, subject in subjects],
    )


async def take(tx: Tx, deadline: Deadline) -> bool:
    """Whether the deadline still stands, unmoved; it is gone with this transaction's commit."""
    row = await tx.fetchrow(
        """
        DELETE FROM deadlines
        WHERE tenant_id = $1 AND kind = $2 AND subject = $3 AND due_at = $4 RETURNING 1
        """,
        deadline.tenant_id,
        deadline.kind,
        deadline.subject,
        deadline.due_at,
    )
    return row is not None


class DeadlineRunner:
    """Fires due deadlines in due order; one process at a time, whichever holds the lock.

    What is due is reckoned by the tenant's test clock where it has one, else by the machine's.
    """

    def __init__(self, db: Database, jobs: Mapping[str, Job], service: str) -> None:
        self._db = db
        self._jobs = jobs
        self._lock = zlib.crc32(f"deadlines/{service}".encode())
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. Without the database it waits."""
        while True:
            try:
                async with self._db.worker() as connection:
                    await self._run_holding_lock(connection)
            except FAULTS as failure:
                _log.warning("deadlines_paused", cause=str(failure))
                await asyncio.sleep(1)

    async def _run_holding_lock(self, connection: Any) -> None:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", self._lock):
            await asyncio.sleep(STANDBY_SECONDS)
            return
        try:
            while True:
                self._wake.clear()
                while await self.fire_due(connection, system_now()):
                    pass
                await self._wait()
        finally:
            if not connection.is_closed():
                await connection.execute("SELECT pg_advisory_unlock($1)", self._lock)

    async def fire_due(self, connection: Any, now: datetime) -> bool:
        """Fire a batch of what is due, in order; whether anything was."""
        rows = await connection.fetch(
            """
            SELECT d.tenant_id, d.kind, d.subject, d.due_at
            FROM deadlines d LEFT JOIN test_clocks c USING (tenant_id)
            WHERE d.due_at <= coalesce(c.now, $1) AND coalesce(d.retry_at <= $1, true)
            ORDER BY d.due_at, d.kind, d.subject LIMIT $2
            """,
            now,
            BATCH,
        )
        for row in rows:
            await self._fire(connection, Deadline(**dict(row)))
        return bool(rows)

    async def _fire(self, connection: Any, deadline: Deadline) -> None:
        acting.set(f"deadline:{deadline.kind}")
        try:
            await self._jobs[deadline.kind](deadline)
            telemetry.DEADLINES_FIRED.labels(deadline.kind, "done").inc()
        except Exception as failure:  # noqa: BLE001 - kept with its failure, and tried again
            _log.error(
                "deadline_failed",
                kind=deadline.kind,
                subject=deadline.subject,
                exc_info=failure,
            )
            telemetry.DEADLINES_FIRED.labels(deadline.kind, "failed").inc()
            await self._put_off(connection, deadline, repr(failure))

    async def _put_off(self, connection: Any, deadline: Deadline, failure: str) -> None:
        await connection.execute(
            """
            UPDATE deadlines SET attempts = attempts + 1, failure = $4,
                retry_at = $5::timestamptz
                    + least($6::interval, interval '1 second' * power(2, least(attempts, 12)))
            WHERE tenant_id = $1 AND kind = $2 AND subject = $3
            """,
            deadline.tenant_id,
            deadline.kind,
            deadline.subject,
            failure.replace("\x00", "")[:FAILURE_LENGTH],
            system_now(),
            timedelta(seconds=MAX_RETRY_SECONDS),
        )

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        except TimeoutError:
            return
