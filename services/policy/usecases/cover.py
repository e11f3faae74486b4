"""Cover begins: at once with what made it begin, or when its instant comes."""

from datetime import datetime

from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadline, set_deadline
from libs.common.plans.book import PlanBook
from services.policy import store
from services.policy.domain import policies
from services.policy.domain.policies import Policy
from services.policy.events import PolicyActivated
from services.policy.usecases.saying import announce

ACTIVATE = "activate_policy"


async def activate_policy(
    tx: Tx, plans: PlanBook, policy_id: str, *, tenant_id: str, now: datetime
) -> None:
    """Its scheduled cover start has come."""
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    active = policies.activate(policy, plans.pinned(policy.plan.sha256), now)
    if active == policy:
        return
    await store.save_policy(tx, active)
    await watch_cover(tx, policy, active, now=now)


async def watch_cover(tx: Tx, before: Policy, after: Policy, *, now: datetime) -> None:
    """Say when cover began, or wait for the instant it does."""
    if (activated := cover_began(before, after)) is not None:
        await cancel_deadline(tx, after.tenant_id, ACTIVATE, after.policy_id)
        await announce(tx, after, activated, now=now)
    elif (awaited := cover_awaited(before, after)) is not None:
        await set_deadline(tx, awaited)


def cover_began(before: Policy, after: Policy) -> PolicyActivated | None:
    if after.state not in ("ACTIVE", "RUN_OFF") or before.state not in ("PENDING", "SCHEDULED"):
        return None
    assert after.cover_start is not None
    return PolicyActivated(
        policy_id=after.policy_id, cover_start=after.cover_start, state=after.state
    )


def cover_awaited(before: Policy, after: Policy) -> Deadline | None:
    """The instant that cover begins at, where it is another than was known."""
    starts_at = after.cover_start
    if after.state != "SCHEDULED" or starts_at is None or starts_at == before.cover_start:
        return None
    return Deadline(
        tenant_id=after.tenant_id, kind=ACTIVATE, subject=after.policy_id, due_at=starts_at
    )
