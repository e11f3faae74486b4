"""Deadlines: rows that say what is due when, fired once, with `now` being their due instant.

A job is a door like a route: it reads what it must, opens the transaction, and in it takes the
deadline, so that the effect and the deadline's end commit together.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from libs.common import telemetry
from libs.common.acting import acting
from libs.common.clock import system_now
from libs.common.db import Tx, is_away
from libs.common.errors import Unavailable

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
    await cancel_deadlines(tx, kind, [(tenant_id, subject)])


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


async def cancel_deadlines_of(tx: Tx, tenant_id: str, subject: str) -> None:
    """All that is due about the subject, of whatever kind."""
    await tx.execute(
        "DELETE FROM deadlines WHERE tenant_id = $1 AND subject = $2", tenant_id, subject
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
    """Fires due deadlines in due order, by rounds.

    What is due is reckoned by the tenant's test clock where it has one, else by the machine's.
    """

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self._jobs = jobs

    async def round(self, connection: Any) -> bool:
        return await self.fire_due(connection, system_now())

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
            _note(deadline, failure)
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


def _note(deadline: Deadline, failure: Exception) -> None:
    fields = {"kind": deadline.kind, "subject": deadline.subject}
    if isinstance(failure, Unavailable) or is_away(failure):
        _log.warning("deadline_waits", cause=repr(failure), **fields)
    else:
        _log.error("deadline_failed", exc_info=failure, **fields)
