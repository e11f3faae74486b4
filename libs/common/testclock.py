"""Business time of a tenant: the machine's clock, or a sandbox tenant's own test clock.

The policy service moves a test clock; the others learn of it by TestClockMoved and keep it in
their own schema, as here. Tokens, leases, retries and logs never follow it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.common.clock import system_now
from libs.common.consumer import Received
from libs.common.db import Database, Tx
from libs.common.errors import Invalid, NotFound
from libs.common.events import Reading

SANDBOX_PREFIX = "sbx-"


class NotASandbox(Invalid):
    code = "not-a-sandbox"
    title = "Only a sandbox tenant has a test clock"


class UnknownClock(NotFound):
    code = "unknown-clock"
    title = "There is no such test clock in your account"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestClock:
    clock_id: str
    tenant_id: str
    now: datetime


class TestClockMoved(Reading, frozen=True, kw_only=True):
    """What each service reads of the policy service's event of that name."""

    clock_id: str
    now: datetime


async def business_now(db: Database, tenant_id: str) -> datetime:
    """The tenant's `now`. Costs a query for sandbox tenants only."""
    if not tenant_id.startswith(SANDBOX_PREFIX):
        return system_now()
    async with db.transaction(tenant_id) as tx:
        return await now_in(tx, tenant_id)


async def now_in(tx: Tx, tenant_id: str) -> datetime:
    """The tenant's `now`, where a transaction is open already: for consumers."""
    clock = await find(tx, tenant_id) if tenant_id.startswith(SANDBOX_PREFIX) else None
    return system_now() if clock is None else clock.now


async def find(tx: Tx, tenant_id: str) -> TestClock | None:
    """The tenant's clock; None where it has none."""
    row = await tx.fetchrow(
        "SELECT clock_id, tenant_id, now FROM test_clocks WHERE tenant_id = $1", tenant_id
    )
    return None if row is None else TestClock(**dict(row))


async def get(tx: Tx, tenant_id: str, clock_id: str) -> TestClock:
    clock = await find(tx, tenant_id)
    if clock is None or clock.clock_id != clock_id:
        raise UnknownClock(f"No test clock {clock_id} in your account.")
    return clock


async def create(tx: Tx, clock: TestClock) -> bool:
    """Whether the tenant had none: of several at once one is made."""
    _must_be_sandbox(clock.tenant_id)
    made = await tx.fetchval(
        """
        INSERT INTO test_clocks (tenant_id, clock_id, now) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id) DO NOTHING RETURNING 1
        """,
        clock.tenant_id,
        clock.clock_id,
        clock.now,
    )
    return made is not None


async def follow(tx: Tx, clock: TestClock) -> None:
    """Keep the clock as the policy service moved it; a late message never turns it back."""
    _must_be_sandbox(clock.tenant_id)
    await tx.execute(
        """
        INSERT INTO test_clocks AS c (tenant_id, clock_id, now) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id) DO UPDATE SET now = excluded.now, clock_id = excluded.clock_id
        WHERE c.now < excluded.now
        """,
        clock.tenant_id,
        clock.clock_id,
        clock.now,
    )


def _must_be_sandbox(tenant_id: str) -> None:
    if not tenant_id.startswith(SANDBOX_PREFIX):
        raise NotASandbox(f"{tenant_id} is no sandbox tenant (sbx-<tenant>-<suffix>).")


async def on_test_clock_moved(tx: Tx, events: Sequence[Received[TestClockMoved]]) -> None:
    """The consumers' handler, the same in every service."""
    for received in events:
        moved = received.event
        await follow(
            tx,
            TestClock(clock_id=moved.clock_id, tenant_id=received.tenant_id, now=moved.now),
        )
