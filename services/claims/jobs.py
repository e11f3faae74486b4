"""What the claims service does when something is due."""

from collections.abc import Mapping

from libs.common.deadlines import Deadline, Job, take
from libs.common.service import Running
from services.claims import usecases
from services.claims.usecases import Rules


def jobs(running: Running) -> Mapping[str, Job]:
    rules = Rules(plans=running.plans, tenants=running.tenants)

    async def look_again_at_claim(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            if await take(tx, deadline):
                await usecases.look_again(
                    tx,
                    rules,
                    deadline.subject,
                    tenant_id=deadline.tenant_id,
                    now=deadline.due_at,
                )

    async def send_payout(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            if await take(tx, deadline):
                await usecases.send_payout(
                    tx, deadline.subject, tenant_id=deadline.tenant_id, now=deadline.due_at
                )

    return {usecases.LOOK_AGAIN: look_again_at_claim, usecases.SEND_PAYOUT: send_payout}
