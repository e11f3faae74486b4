"""A policy ends before its time: cancelled by its customer, or void by what happened."""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.db import Tx
from libs.common.deadlines import cancel_deadline
from libs.common.errors import Conflict
from libs.common.money import Money
from libs.common.plans.book import PlanBook
from services.policy import store
from services.policy.domain import endings
from services.policy.domain.endings import Cancellation
from services.policy.domain.policies import Policy
from services.policy.events import AddressChanged, PolicyCancelled, PolicyVoided
from services.policy.usecases import refunds
from services.policy.usecases.cover import ACTIVATE
from services.policy.usecases.saying import announce


class RefundDiffers(Conflict):
    code = "refund-differs"
    title = "The refund is not what the customer was shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPolicy:
    """`refund`, where given, is what the customer was shown: RefundDiffers when it is another."""

    tenant_id: str
    policy_id: str
    reason: str
    refund: Money | None = None


async def cancel_policy(
    tx: Tx, plans: PlanBook, command: CancelPolicy, *, now: datetime
) -> Cancellation:
    policy = await store.lock_policy(tx, command.policy_id, tenant_id=command.tenant_id)
    seen = endings.cancellation(policy, plans.pinned(policy.plan.sha256), command.reason, now)
    ended = seen.granted()
    if command.refund not in (None, ended.refund):
        raise RefundDiffers(
            f"By now {ended.refund} goes back, not {command.refund}. Look at the preview again."
        )
    event = PolicyCancelled(
        policy_id=policy.policy_id,
        reason=command.reason,
        refund=ended.refund,
        cancelled_at=now,
    )
    await announce(tx, policy, event, now=now)
    await refunds.end(tx, policy, ended, reason=command.reason, now=now)
    return replace(seen, policy=replace(ended.policy, refund=policy.refund + ended.refund))


async def change_address(
    tx: Tx,
    plans: PlanBook,
    policy_id: str,
    destination: str,
    *,
    tenant_id: str,
    now: datetime,
) -> Policy:
    """The parcel goes elsewhere. Once cover is bought that may make it void (MP-23).

    DestinationDiffers where it is another country: the premium and the limits are this one's.
    """
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    plan = plans.pinned(policy.plan.sha256)
    if endings.is_voided_by_address(policy, plan):
        return await void_policy(
            tx, plans, policy_id, endings.ADDRESS_CHANGED, tenant_id=tenant_id, now=now
        )
    endings.must_keep_country(policy, destination)
    event = AddressChanged(policy_id=policy_id, changed_at=now)
    await announce(tx, policy, event, now=now)
    return policy


async def void_policy(
    tx: Tx, plans: PlanBook, policy_id: str, cause: str, *, tenant_id: str, now: datetime
) -> Policy:
    """Nothing goes back (MP-23)."""
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    plan = plans.pinned(policy.plan.sha256)
    voided = endings.void(policy, plan, cause)
    await store.save_policy(tx, voided)
    await cancel_deadline(tx, tenant_id, ACTIVATE, policy_id)
    event = PolicyVoided(policy_id=policy_id, cause=cause, voided_at=now)
    await announce(tx, voided, event, now=now)
    return voided
