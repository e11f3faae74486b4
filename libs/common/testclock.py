"""Business time of a tenant: the machine's clock, or a sandbox tenant's own test clock.

The policy service moves a test clock; the others learn of it by TestClockMoved and keep it in
their own schema, as here. Tokens, leases, retries and logs never follow it.
"""

from datetime import datetime

from libs.common.clock import system_now
from libs.common.db import Database, Tx
from libs.common.errors import Invalid

SANDBOX_PREFIX = "sbx-"


class NotASandbox(Invalid):
    code = "not-a-sandbox"
    title = "Only a sandbox tenant has a test clock"


async def business_now(db: Database, tenant_id: str) -> datetime:
    """The tenant's `now`. Costs a query for sandbox tenants only."""
    if not tenant_id.startswith(SANDBOX_PREFIX):
        return system_now()
    async with db.transaction(tenant_id) as tx:
        return await read(tx, tenant_id) or system_now()


async def read(tx: Tx, tenant_id: str) -> datetime | None:
    """The test clock's instant; None where the tenant has none."""
    now: datetime | None = await tx.fetchval(
        "SELECT now FROM test_clocks WHERE tenant_id = $1", tenant_id
    )
    return now


async def follow(tx: Tx, tenant_id: str, clock_id: str, now: datetime) -> None:
    """Keep the clock as the policy service moved it; a late message never turns it back."""
    if not tenant_id.startswith(SANDBOX_PREFIX):
        raise NotASandbox(f"{tenant_id} is no sandbox tenant (sbx-<tenant>-<suffix>).")
    await tx.execute(
        """
        INSERT INTO test_clocks AS c (tenant_id, clock_id, now) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id) DO UPDATE SET now = excluded.now, clock_id = excluded.clock_id
        WHERE c.now < excluded.now
        """,
        tenant_id,
        clock_id,
        now,
    )
