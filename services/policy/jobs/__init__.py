"""What the policy service does when something is due, and what it reads in rounds."""

from collections.abc import Mapping

from libs.common.clock import system_now
from libs.common.deadlines import Deadline, Job, take
from libs.common.service import Running
from services.policy import usecases
from services.policy.jobs.batches import BatchWorker
from services.policy.jobs.tracking import TrackingReader

__all__ = ["TrackingReader", "jobs"]


def jobs(running: Running) -> Mapping[str, Job]:
    async def activate_policy(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            if await take(tx, deadline):
                await usecases.activate_policy(
                    tx,
                    running.plans,
                    deadline.subject,
                    tenant_id=deadline.tenant_id,
                    now=deadline.due_at,
                )

    async def warn_top_up(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            if await take(tx, deadline):
                await usecases.warn_top_up(
                    tx, deadline.subject, tenant_id=deadline.tenant_id, now=deadline.due_at
                )

    async def lapse_top_up(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            if await take(tx, deadline):
                await usecases.lapse_top_up(
                    tx,
                    running.plans,
                    deadline.subject,
                    tenant_id=deadline.tenant_id,
                    now=deadline.due_at,
                )

    async def follow_parcel(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            if await take(tx, deadline):
                await usecases.follow_parcel(
                    tx,
                    running.plans,
                    deadline.subject,
                    tenant_id=deadline.tenant_id,
                    now=deadline.due_at,
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
        if (rounds := running.rounds.get(usecases.READ_TRACKING)) is not None:
            rounds.wake()

    return {
        usecases.ACTIVATE: activate_policy,
        usecases.WARN: warn_top_up,
        usecases.LAPSE: lapse_top_up,
        usecases.FOLLOW: follow_parcel,
        usecases.PLAY: play_story,
        usecases.WORK: BatchWorker(running=running).work_batch,
    }
