"""The parcel's way moves the policy: acceptance, dispatch, scans."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.db import Tx
from libs.common.deadlines import Deadline, set_deadlines
from libs.common.plans.book import PlanBook
from services.policy import store
from services.policy.domain import parcels
from services.policy.domain.parcels import Scan, happened_at
from services.policy.domain.policies import Policy
from services.policy.events import PolicyEvent, TrackingUpdated
from services.policy.store import KnownScan, ReceivedScan
from services.policy.usecases.cover import watch_cover, watch_covers
from services.policy.usecases.policies import take_parcel
from services.policy.usecases.saying import announce, announce_all

FOLLOW = "follow_parcel"

# By policy and scan id.
History = dict[str, dict[str, KnownScan]]


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
        await take_parcel(tx, named)
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

    Each policy is computed from all its scans, so repeats and disorder change nothing. The number of
    statements does not depend on how many there are.
    """
    held = await hold_histories(tx, (scan.policy_id for scan in scans), tenant_id=tenant_id)
    return await record_news(tx, plans, held, scans, tenant_id=tenant_id, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Policies that are locked, and all that is known of their parcels' ways."""

    policies: Sequence[Policy]
    history: History


async def hold_histories(tx: Tx, policy_ids: Iterable[str], *, tenant_id: str) -> Held:
    """Of those of the policies that are there."""
    locked = await store.lock_policies(tx, set(policy_ids), tenant_id=tenant_id)
    ids = [policy.policy_id for policy in locked]
    known = await store.list_scans(tx, ids, tenant_id=tenant_id)
    return Held(
        policies=locked, history={policy_id: known.get(policy_id, {}) for policy_id in ids}
    )


async def record_news(
    tx: Tx,
    plans: PlanBook,
    held: Held,
    scans: Iterable[ReceivedScan],
    *,
    tenant_id: str,
    now: datetime,
) -> ScanOutcome:
    """What of the scans is news is kept, and moves its policy."""
    known = frozenset(held.history)
    news = _news([scan for scan in scans if scan.policy_id in known], held.history, now)
    if news:
        await store.insert_scans(tx, news, tenant_id=tenant_id, now=now)
        touched = {scan.policy_id for scan, _ in news}
        moving = [policy for policy in held.policies if policy.policy_id in touched]
        await _follow(tx, plans, moving, held.history, now=now)
    return ScanOutcome(
        known=known, new=frozenset((scan.policy_id, scan.scan_id) for scan, _ in news)
    )


def _news(
    scans: Iterable[ReceivedScan], history: History, now: datetime
) -> list[tuple[ReceivedScan, int]]:
    """What is not in the history yet, or read otherwise now: with its reading, and put into it."""
    news: dict[tuple[str, str], tuple[ReceivedScan, int]] = {}
    for scan in scans:
        known = history[scan.policy_id]
        before = known.get(scan.scan_id)
        if before is not None and not _replaces(scan, before):
            continue
        told_at = now if before is None else before.received_at
        at = happened_at(scan.occurred_at, told_at, is_zoned=scan.is_zoned)
        after = KnownScan(
            scan=Scan(
                scan_id=scan.scan_id,
                status=scan.status,
                reason=scan.reason,
                occurred_at=at,
                is_trusted=scan.is_trusted,
            ),
            reading=1 if before is None else before.reading + 1,
            is_withdrawn=scan.is_withdrawn,
            received_at=told_at,
            read_at=now,
        )
        known[scan.scan_id] = after
        news[scan.policy_id, scan.scan_id] = (scan, after.reading)
    return list(news.values())


def _replaces(scan: ReceivedScan, before: KnownScan) -> bool:
    """Whether another reading of a known scan counts: what was taken back stays so."""
    is_otherwise = (scan.status, scan.reason) != (before.scan.status, before.scan.reason)
    return scan.may_replace and is_otherwise and not before.is_withdrawn


async def follow_parcel(
    tx: Tx, plans: PlanBook, policy_id: str, *, tenant_id: str, now: datetime
) -> None:
    """The instant has come that a scan named ahead of its time."""
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    history = await store.list_scans(tx, [policy_id], tenant_id=tenant_id)
    await _follow(tx, plans, [policy], history, now=now)


async def _follow(
    tx: Tx, plans: PlanBook, locked: Sequence[Policy], history: History, *, now: datetime
) -> None:
    """Where the policies' parcels are, from all their scans; all are one tenant's."""
    ahead: list[Deadline] = []
    moved: list[tuple[Policy, Policy]] = []
    for policy in locked:
        scans = [known.scan for known in history.get(policy.policy_id, {}).values()]
        happened = [scan for scan in scans if scan.occurred_at <= now]
        if len(happened) < len(scans):
            ahead.append(_ahead(policy, scans, now))
        after = parcels.track(policy, plans.pinned(policy.plan.sha256), happened, now)
        if after != policy:
            moved.append((policy, after))
    await set_deadlines(tx, ahead)
    await _save_followed(tx, moved, now=now)


def _ahead(policy: Policy, scans: Iterable[Scan], now: datetime) -> Deadline:
    """A scan from the future counts once its time has come."""
    due_at = min(scan.occurred_at for scan in scans if scan.occurred_at > now)
    return Deadline(
        tenant_id=policy.tenant_id, kind=FOLLOW, subject=policy.policy_id, due_at=due_at
    )


async def _save_followed(
    tx: Tx, moved: Sequence[tuple[Policy, Policy]], *, now: datetime
) -> None:
    if not moved:
        return
    tenant_id = moved[0][1].tenant_id
    await store.save_positions(tx, [after for _, after in moved], tenant_id=tenant_id)
    began = await watch_covers(tx, moved)
    events: list[tuple[Policy, PolicyEvent]] = []
    for _, after in moved:
        # The start of cover first: a first scan that is the delivery begins and ends it at once.
        if (activated := began.get(after.policy_id)) is not None:
            events.append((after, activated))
        events.append((after, _tracking_updated(after)))
    await announce_all(tx, events, now=now)


async def name_parcel(
    tx: Tx, policy_id: str, carrier: str, tracking_number: str, *, tenant_id: str, now: datetime
) -> Policy:
    """The number under which its carrier knows the parcel, where it was unknown or wrong."""
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    named = replace(policy, carrier=carrier, tracking_number=tracking_number)
    if named == policy:
        return policy
    await take_parcel(tx, named)
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
        reported_dispatched_at=position.reported_dispatched_at,
        last_update_at=position.last_update_at,
        delivered_at=position.delivered_at,
        returned_at=position.returned_at,
        loss_confirmed_at=position.loss_confirmed_at,
        lost_at=position.lost_at,
        damaged_at=position.damaged_at,
        destroyed_at=position.destroyed_at,
        seized_at=position.seized_at,
    )
