"""The parcel's way moves the policy: acceptance, dispatch, scans."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.db import Tx
from libs.common.plans.book import PlanBook
from services.policy import store
from services.policy.domain import parcels
from services.policy.domain.parcels import Scan
from services.policy.domain.policies import Policy
from services.policy.events import TrackingUpdated
from services.policy.store import ReceivedScan
from services.policy.usecases.cover import watch_cover
from services.policy.usecases.policies import must_be_free
from services.policy.usecases.saying import announce


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchParcel:
    tenant_id: str
    policy_id: str
    dispatched_at: datetime
    carrier: str = ""
    tracking_number: str = ""


async def accept_parcel(
    tx: Tx, plans: PlanBook, policy_id: str, at: datetime, *, tenant_id: str, now: datetime
) -> Policy:
    """The processing centre took the parcel in."""
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    accepted = parcels.accept(policy, plans.pinned(policy.plan.sha256), at, now)
    await _save_moved(tx, policy, accepted, now=now)
    return accepted


async def dispatch_parcel(
    tx: Tx, plans: PlanBook, command: DispatchParcel, *, now: datetime
) -> Policy:
    """The ship-out, reported by whoever hands the parcel over. A repeat changes nothing."""
    policy = await store.lock_policy(tx, command.policy_id, tenant_id=command.tenant_id)
    named = replace(
        policy,
        carrier=command.carrier or policy.carrier,
        tracking_number=command.tracking_number or policy.tracking_number,
    )
    if (named.carrier, named.tracking_number) != (policy.carrier, policy.tracking_number):
        await must_be_free(tx, named)
    sent = parcels.dispatch(named, plans.pinned(policy.plan.sha256), command.dispatched_at, now)
    await _save_moved(tx, policy, sent, now=now)
    return sent


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOutcome:
    """`known`: the policies that are there; `new`: (policy, scan) ids not seen before."""

    known: frozenset[str]
    new: frozenset[tuple[str, str]]


async def record_scans(
    tx: Tx, plans: PlanBook, scans: Sequence[ReceivedScan], *, tenant_id: str, now: datetime
) -> ScanOutcome:
    """Keep the scans and move their policies.

    Each policy is computed from all its scans, so repeats and disorder change nothing.
    """
    locked = await store.lock_policies(tx, {s.policy_id for s in scans}, tenant_id=tenant_id)
    known = frozenset(policy.policy_id for policy in locked)
    new = await store.insert_scans(
        tx, [s for s in scans if s.policy_id in known], tenant_id=tenant_id, now=now
    )
    touched = [policy for policy in locked if policy.policy_id in {p for p, _ in new}]
    history = await store.list_scans(tx, (p.policy_id for p in touched), tenant_id=tenant_id)
    for policy in touched:
        happened = _until(history[policy.policy_id], now)
        moved = parcels.track(policy, plans.pinned(policy.plan.sha256), happened, now)
        await _save_moved(tx, policy, moved, now=now)
    return ScanOutcome(known=known, new=frozenset(new))


async def name_parcel(
    tx: Tx, policy_id: str, carrier: str, tracking_number: str, *, tenant_id: str, now: datetime
) -> Policy:
    """The number under which its carrier knows the parcel, where it was unknown or wrong."""
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    named = replace(policy, carrier=carrier, tracking_number=tracking_number)
    if named == policy:
        return policy
    await must_be_free(tx, named)
    await _save_moved(tx, policy, named, now=now)
    return named


async def _save_moved(tx: Tx, before: Policy, after: Policy, *, now: datetime) -> None:
    if after == before:
        return
    await store.save_policy(tx, after)
    # The start of cover first: a first scan that is the delivery begins and ends it at once.
    await watch_cover(tx, before, after, now=now)
    await announce(tx, after, _tracking_updated(after), now=now)


def _tracking_updated(policy: Policy) -> TrackingUpdated:
    position = policy.tracking
    return TrackingUpdated(
        policy_id=policy.policy_id,
        state=policy.state,
        status=position.status,
        reason=position.reason,
        carrier=policy.carrier,
        tracking_number=policy.tracking_number,
        accepted_at=position.accepted_at,
        dispatched_at=position.dispatched_at,
        last_update_at=position.last_update_at,
        delivered_at=position.delivered_at,
        returned_at=position.returned_at,
        loss_confirmed_at=position.loss_confirmed_at,
        lost_at=position.lost_at,
        damaged_at=position.damaged_at,
        destroyed_at=position.destroyed_at,
        seized_at=position.seized_at,
    )


def _until(scans: Iterable[Scan], now: datetime) -> list[Scan]:
    return [scan for scan in scans if scan.occurred_at <= now]
