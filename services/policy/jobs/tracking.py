"""What carriers posted is read: tenant by tenant, some hundred notices a turn."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from libs.common import testclock
from libs.common.acting import acting
from libs.common.clock import system_now
from libs.common.db import is_away
from libs.common.errors import NotHereYet
from libs.common.service import Running
from services.policy import store, usecases
from services.policy.tracking import StatusMap
from services.policy.usecases import READ_TRACKING, ReadNotice
from services.policy.usecases.tracking import NOTICES_AT_ONCE

# Of the oldest notices, whose tenants have a turn each before the others are looked for.
LOOK_AHEAD: Final = 5 * NOTICES_AT_ONCE
PORTIONS_A_TURN: Final = 4

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingReader:
    """A tenant's notices are out of the queue with the transaction that worked them, or still in it."""

    running: Running
    codes: StatusMap

    async def read_tracking(self, connection: Any) -> bool:
        acting.set(f"rounds:{READ_TRACKING}")
        tenants = await store.list_waiting_tenants(connection, limit=LOOK_AHEAD)
        return any([await self._take_turn(tenant_id) for tenant_id in tenants])

    async def _take_turn(self, tenant_id: str) -> bool:
        """Whether any were worked.

        While the database works for one portion the next one's bodies are read.
        """
        portion, has_worked = await self._next(tenant_id), False
        for _ in range(PORTIONS_A_TURN):
            if not portion:
                break
            behind = max(place for one in portion for place in one.notice.places)
            ahead = asyncio.create_task(self._next(tenant_id, behind))
            try:
                has_worked |= await self._work(tenant_id, portion)
            except BaseException:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
                raise
            portion = await ahead
        return has_worked

    async def _next(self, tenant_id: str, behind: int = 0) -> list[ReadNotice]:
        async with self.running.db.transaction(tenant_id) as tx:
            return await usecases.next_notices(tx, tenant_id=tenant_id, behind=behind)

    async def _work(self, tenant_id: str, notices: Sequence[ReadNotice]) -> bool:
        """All at once; what fails for another reason than that something is away, one by one."""
        try:
            await self._commit(tenant_id, notices)
        except NotHereYet as absence:
            _log.warning("tracking_waits", tenant=tenant_id, cause=absence.detail)
            return False
        except Exception as failure:
            if is_away(failure):
                raise
            _log.warning("tracking_redone_apart", tenant=tenant_id, cause=repr(failure))
            for one in notices:
                await self._work_alone(tenant_id, one)
        return True

    async def _work_alone(self, tenant_id: str, one: ReadNotice) -> None:
        """One that fails stands aside, and its neighbours go on."""
        try:
            await self._commit(tenant_id, [one])
        except NotHereYet:
            return
        except Exception as failure:
            if is_away(failure):
                raise
            _log.error("tracking_failed", notice=one.notice.notice_id, exc_info=failure)
            async with self.running.db.transaction(tenant_id) as tx:
                await usecases.give_up_notice(
                    tx, one, repr(failure), tenant_id=tenant_id, at=system_now()
                )

    async def _commit(self, tenant_id: str, notices: Sequence[ReadNotice]) -> None:
        async with self.running.db.transaction(tenant_id, is_bulk=True) as tx:
            await usecases.work_notices(
                tx,
                self.running.plans,
                self.codes,
                notices,
                tenant_id=tenant_id,
                now=await testclock.now_in(tx, tenant_id),
                at=system_now(),
            )
