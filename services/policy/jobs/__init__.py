"""What the policy service does when something is due, and what it reads in rounds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from libs.common.clock import system_now
from libs.common.db import Tx
from libs.common.deadlines import Deadline, Job, take
from libs.common.plans.book import PlanBook
from libs.common.service import Running
from services.policy import usecases
from services.policy.jobs.batches import BatchWorker
from services.policy.jobs.tracking import TrackingReader

__all__ = ["TrackingReader", "jobs"]


class _Due(Protocol):
    """A use case on a policy for which something is due."""

    async def __call__(
        self, tx: Tx, plans: PlanBook, policy_id: str, *, tenant_id: str, now: datetime
    ) -> None: ...


def jobs(running: Running) -> Mapping[str, Job]:
    def doing(what_is_due: _Due) -> Job:
        async def do(deadline: Deadline) -> None:
            async with running.db.transaction(deadline.tenant_id) as tx:
                if await take(tx, deadline):
                    await what_is_due(
                        tx,
                        running.plans,
                        deadline.subject,
                        tenant_id=deadline.tenant_id,
                        now=deadline.due_at,
                    )

        return do

    async def warn_top_up(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            if await take(tx, deadline):
                await usecases.warn_top_up(
                    tx, deadline.subject, tenant_id=deadline.tenant_id, now=deadline.due_at
                )

    async def play_story(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            if await take(tx, deadline):
                await usecases.play_story(
                    tx,
                    deadline.subject,
                    tenant_id=deadline.tenant_id,
                    now=deadline.due_at,
                    at=system_now(),
                )
        running.wake(usecases.READ_TRACKING)

    return {
        usecases.ACTIVATE: doing(usecases.activate_policy),
        usecases.WARN: warn_top_up,
        usecases.LAPSE: doing(usecases.lapse_top_up),
        usecases.FOLLOW: doing(usecases.follow_parcel),
        usecases.PLAY: play_story,
        usecases.WORK: BatchWorker(running=running).work_batch,
    }
