"""What carriers posted is read: tenant by tenant, some hundred notices a turn."""

import asyncio
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
from services.policy.usecases import READ_TRACKING
from services.policy.usecases.tracking import NOTICES_AT_ONCE

# Of the oldest notices, whose tenants have a turn each before the others are looked for.
LOOK_AHEAD: Final = 5 * NOTICES_AT_ONCE
# While the database works for one, the other reads bodies: half as many again a second.
READERS: Final = 2

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingReader:
    """A tenant's notices are out of the queue with the transaction that worked them, or still in it."""

    running: Running
    codes: StatusMap

    async def read_tracking(self, connection: Any) -> bool:
        acting.set(f"rounds:{READ_TRACKING}")
        tenants = await store.list_waiting_tenants(connection, limit=LOOK_AHEAD)
        free = asyncio.Semaphore(READERS)

        async def read_in_turn(tenant_id: str) -> bool:
            async with free:
                return await self._read_some(tenant_id)

        turns = [tenant_id for tenant_id in tenants for _ in range(READERS)]
        return any(await asyncio.gather(*map(read_in_turn, turns)))

    async def _read_some(self, tenant_id: str) -> bool:
        """Whether any were worked."""
        try:
            return await self._commit(tenant_id) > 0
        except NotHereYet as absence:
            _log.warning("tracking_waits", tenant=tenant_id, cause=absence.detail)
            return False
        except Exception as failure:
            if is_away(failure):
                raise
            _log.warning("tracking_redone_apart", tenant=tenant_id, cause=repr(failure))
        await self._read_apart(tenant_id)
        return True

    async def _read_apart(self, tenant_id: str) -> None:
        """One by one: those that fail stand aside, and their neighbours go on."""
        async with self.running.db.transaction(tenant_id) as tx:
            places = await store.list_waiting_places(
                tx, tenant_id=tenant_id, limit=NOTICES_AT_ONCE
            )
        for place in places:
            try:
                await self._commit(tenant_id, place)
            except NotHereYet:
                continue
            except Exception as failure:
                if is_away(failure):
                    raise
                _log.error("tracking_failed", tenant=tenant_id, exc_info=failure)
                async with self.running.db.transaction(tenant_id) as tx:
                    await usecases.give_up_notice(
                        tx, place, repr(failure), tenant_id=tenant_id, at=system_now()
                    )

    async def _commit(self, tenant_id: str, place: int | None = None) -> int:
        async with self.running.db.transaction(tenant_id, is_bulk=True) as tx:
            return await usecases.read_notices(
                tx,
                self.running.plans,
                self.codes,
                tenant_id=tenant_id,
                now=await testclock.now_in(tx, tenant_id),
                at=system_now(),
                place=place,
            )
