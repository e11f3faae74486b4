"""What the quote service does when something is due."""

from collections.abc import Mapping

from libs.common.deadlines import Deadline, Job, take
from libs.common.service import Running
from services.quote import usecases
from services.quote.store.quotes import lock_quote
from services.quote.store.verifications import ESCALATE, LAPSE


def jobs(running: Running) -> Mapping[str, Job]:
    async def escalate_verification(deadline: Deadline) -> None:
        tenant_id, now = deadline.tenant_id, deadline.due_at
        async with running.db.transaction(tenant_id) as tx:
            # The quote before its deadline: the routes lock in this order too.
            await lock_quote(tx, deadline.subject, tenant_id=tenant_id)
            if await take(tx, deadline):
                await usecases.escalate_verification(
                    tx, deadline.subject, tenant_id=tenant_id, now=now
                )

    async def lapse_documents(deadline: Deadline) -> None:
        tenant_id, now = deadline.tenant_id, deadline.due_at
        async with running.db.transaction(tenant_id) as tx:
            await lock_quote(tx, deadline.subject, tenant_id=tenant_id)
            if await take(tx, deadline):
                await usecases.lapse_documents(
                    tx, deadline.subject, tenant_id=tenant_id, now=now
                )

    return {ESCALATE: escalate_verification, LAPSE: lapse_documents}
