"""Cover begins: at once with what made it begin, or when its instant comes."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadlines, set_deadlines
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
    began = await watch_covers(tx, [(before, after)])
    await announce(tx, after, *began.values(), now=now)


async def watch_covers(
    tx: Tx, moved: Sequence[tuple[Policy, Policy]]
) -> dict[str, PolicyActivated]:
    """The same for many of one tenant: what is to be said, by policy; the rest is waited for."""
    began = {
        after.policy_id: event
        for before, after in moved
        if (event := cover_began(before, after)) is not None
    }
    if began:
        await cancel_deadlines(tx, moved[0][1].tenant_id, ACTIVATE, list(began))
    awaited = [cover_awaited(before, after) for before, after in moved]
    await set_deadlines(tx, [deadline for deadline in awaited if deadline is not None])
    return began


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
