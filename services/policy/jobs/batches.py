"""A file of parcels is worked: some hundred rows a turn, quoted and booked."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from libs.common import testclock
from libs.common.clock import system_now
from libs.common.db import is_away
from libs.common.deadlines import Deadline
from libs.common.errors import NotHereYet, Refusal, Unavailable
from libs.common.service import Running
from services.policy import clients, usecases
from services.policy.domain.batches import Refused
from services.policy.usecases import WorkRows
from services.policy.usecases.batches import Waiting, halves, refusing

# Of a batch, before whatever else is due has its turn: a second or two.
PORTIONS_A_TURN = 4

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWorker:
    """Works some hundred rows of a batch each time it is due, so that other deadlines have turns.

    Its deadline is moved by what is worked, in the same transaction: a crash goes on where it was.
    """

    running: Running

    async def work_batch(self, deadline: Deadline) -> None:
        """While some rows are booked the next are quoted: that is another process's work."""
        command = await self._next(deadline, behind=0)
        for is_last in (*[False] * (PORTIONS_A_TURN - 1), True):
            if command is None:
                return
            if is_last:
                await self._work(command)
                return
            ahead = asyncio.create_task(self._next(deadline, behind=command.rows[-1].line))
            try:
                await self._work(command)
            except BaseException:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
                raise
            command = await ahead

    async def _next(self, deadline: Deadline, *, behind: int) -> WorkRows | None:
        """The next rows with their offers; None where there are none."""
        tenant_id, batch_id = deadline.tenant_id, deadline.subject
        async with self.running.db.transaction(tenant_id) as tx:
            waiting = await usecases.find_waiting_rows(
                tx, batch_id, tenant_id=tenant_id, behind=behind
            )
        if not waiting.rows:
            return None
        tenant = self.running.tenants.get(tenant_id)
        unquoted = WorkRows(
            tenant_id=tenant_id,
            batch_id=batch_id,
            behind=waiting.behind,
            rows=waiting.rows,
            offers={},
            needs_consent=tenant is not None and tenant.requires_consent,
        )
        return await self._quoted(unquoted, waiting)

    async def _quoted(self, command: WorkRows, waiting: Waiting) -> WorkRows:
        """The rows with their offers; nothing is asked for what is booked already."""
        new = [row for row in waiting.rows if row.reference not in waiting.booked]
        if not new:
            return command
        requests = [bytes(row.asked.quote) for row in new]
        found = await clients.fetch_quotes(
            self.running.peer("quote"),
            tenant_id=command.tenant_id,
            key=_key(command, requests),
            requests=requests,
        )
        offers = {row.line: offer for row, offer in zip(new, found, strict=True)}
        return replace(command, offers=offers)

    async def _work(self, command: WorkRows) -> None:
        """All at once; what fails for another reason than that something is away, in halves."""
        failure = await self._failure_of(command)
        if failure is not None:
            await self._work_apart(command, failure)

    async def _failure_of(self, command: WorkRows) -> Exception | None:
        try:
            await self._commit(command)
        except (NotHereYet, Unavailable):
            raise
        except Exception as failure:
            if is_away(failure):
                raise
            return failure
        return None

    async def _work_apart(self, command: WorkRows, failure: Exception) -> None:
        if len(command.rows) == 1:
            _log.error("batch_row_failed", line=command.rows[0].line, exc_info=failure)
            await self._commit(refusing(command, _why(failure)))
            return
        _log.warning("batch_redone_in_halves", count=len(command.rows), cause=repr(failure))
        for half in halves(command):
            await self._work(half)

    async def _commit(self, command: WorkRows) -> None:
        async with self.running.db.transaction(command.tenant_id) as tx:
            now = await testclock.now_in(tx, command.tenant_id)
            await usecases.work_rows(tx, self.running.plans, command, now=now, at=system_now())


def _key(command: WorkRows, requests: Sequence[bytes]) -> str:
    """The same rows asked for again after a crash get the same quotes, other rows never do.

    The lines alone would not tell: what another batch has booked meanwhile is not asked for again.
    """
    digest = hashlib.sha256(b"\n".join(requests)).hexdigest()
    return f"{command.batch_id}.{command.rows[0].line}.{digest}"


def _why(failure: Exception) -> Refused:
    if isinstance(failure, Refusal):
        return Refused(code=failure.code, detail=failure.detail)
    return Refused(
        code="row-failed",
        detail="This is our fault and has been noted. Upload the row again, under its reference.",
    )
