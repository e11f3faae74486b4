"""Each service's answer to how far it is for a tenant; asked by the policy service's test clock."""

from datetime import datetime
from typing import Annotated

import msgspec

from libs.common import web
from libs.common.auth import INTERNAL_READ, Caller, requires
from libs.common.progress import Progress
from libs.common.service import Parts, Running
from libs.common.wire import View

router = web.api_router()


class ProgressView(View):
    """Progress, as it is asked for over HTTP."""

    now: datetime | None
    due_deadlines: int
    pending_events: int
    announced: int
    handled: int
    is_idle: bool


@router.get("/internal/progress", include_in_schema=False)
async def show_progress(
    caller: Annotated[Caller, requires(INTERNAL_READ)], parts: Parts
) -> ProgressView:
    progress = await progress_of(parts, caller.tenant_id)
    return ProgressView(**msgspec.structs.asdict(progress))


async def progress_of(parts: Running, tenant_id: str) -> Progress:
    is_idle = parts.consumer is None or await parts.consumer.is_idle()
    async with parts.db.transaction(tenant_id) as tx:
        row = await tx.fetchrow(
            """
            SELECT c.now,
                (SELECT count(*) FROM deadlines
                 WHERE tenant_id = $1 AND due_at <= coalesce(c.now, now())) AS due_deadlines,
                (SELECT count(*) FROM outbox WHERE tenant_id = $1) AS pending_events,
                (SELECT count(*) FROM inbox
                 WHERE tenant_id = $1 AND tenant_id LIKE 'sbx-%') AS handled,
                (SELECT coalesce(sum(last), 0)::bigint FROM event_sequences
                 WHERE tenant_id = $1) AS announced
            FROM (VALUES ($1)) AS t (tenant_id) LEFT JOIN test_clocks c USING (tenant_id)
            """,
            tenant_id,
        )
        assert row is not None
        waiting = 0 if parts.waiting is None else await parts.waiting(tx, tenant_id)
    due = row["due_deadlines"] + waiting
    return Progress(**{**row, "due_deadlines": due}, is_idle=is_idle)
