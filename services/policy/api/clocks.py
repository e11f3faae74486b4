"""A sandbox's own business time."""

from datetime import datetime
from typing import Annotated

from fastapi import Request, Response

from libs.common import testclock, web
from libs.common.auth import CLOCKS_WRITE, Caller, requires
from libs.common.idempotency import key_of
from libs.common.progress import Progress
from libs.common.progress_api import progress_of
from libs.common.service import Db, Parts
from libs.common.wire import Body, Instant, View
from services.policy import clients, usecases

router = web.api_router("/v1", tags=["test clocks"])


class ClockRequest(Body):
    now: Instant


class WaitingView(View):
    service: str
    now: datetime | None
    due_deadlines: int
    pending_events: int
    is_idle: bool


class ClockView(View):
    clock_id: str
    tenant_id: str
    now: datetime
    state: str
    """`ready` when every service has reached the instant and nothing moves any more."""
    waiting_for: list[WaitingView]


@router.post("/test-clocks", status_code=201, response_model=ClockView)
async def create_test_clock(
    body: ClockRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLOCKS_WRITE)],
    db: Db,
) -> Response:
    """Give a sandbox tenant its own business time, starting at `now`."""
    key = await key_of(request, caller.tenant_id)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        clock = await usecases.create_test_clock(tx, caller.tenant_id, body.now)
        return await key.keep(tx, 201, _clock_view(clock, "advancing", {}))


@router.post("/test-clocks/{clock_id}/advance", response_model=ClockView)
async def advance_test_clock(
    clock_id: str,
    body: ClockRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLOCKS_WRITE)],
    db: Db,
) -> Response:
    """Move the clock forward; what falls due on the way runs at its own instant."""
    key = await key_of(request, caller.tenant_id)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        clock = await usecases.advance_test_clock(tx, caller.tenant_id, clock_id, body.now)
        return await key.keep(tx, 200, _clock_view(clock, "advancing", {}))


@router.get("/test-clocks/{clock_id}")
async def show_test_clock(
    clock_id: str, caller: Annotated[Caller, requires(CLOCKS_WRITE)], db: Db, parts: Parts
) -> ClockView:
    async with db.transaction(caller.tenant_id) as tx:
        clock = await testclock.get(tx, caller.tenant_id, clock_id)
    first = await _all_progress(parts, caller.tenant_id)
    waiting = {name: p for name, p in first.items() if not p.has_settled_at(clock.now)}
    if waiting or await _all_progress(parts, caller.tenant_id) != first:
        return _clock_view(clock, "advancing", waiting)
    return _clock_view(clock, "ready", {})


async def _all_progress(parts: Parts, tenant_id: str) -> dict[str, Progress]:
    others = await clients.fetch_progress(
        [parts.peer(name) for name in ("quote", "claims", "notifier")], tenant_id=tenant_id
    )
    return {"policy": await progress_of(parts, tenant_id), **others}


def _clock_view(
    clock: testclock.TestClock, state: str, waiting: dict[str, Progress]
) -> ClockView:
    return ClockView(
        clock_id=clock.clock_id,
        tenant_id=clock.tenant_id,
        now=clock.now,
        state=state,
        waiting_for=[
            WaitingView(
                service=name,
                now=progress.now,
                due_deadlines=progress.due_deadlines,
                pending_events=progress.pending_events,
                is_idle=progress.is_idle,
            )
            for name, progress in waiting.items()
        ],
    )
