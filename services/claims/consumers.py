"""What claims hears: policies sold and ended, and where their parcels are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import msgspec

from libs.common import testclock
from libs.common.consumer import Handlers, Received, reads
from libs.common.db import Tx
from libs.common.events import Reading
from libs.common.service import Running
from libs.common.testclock import TestClockMoved, on_test_clock_moved
from services.claims import store, usecases
from services.claims.domain.cases import Cover, Terms, Tracking
from services.claims.store import Policy
from services.claims.usecases import Rules

TOPICS = ("policies",)

R = TypeVar("R", bound=Reading)


class PlanPin(msgspec.Struct, frozen=True, kw_only=True):
    plan: str
    version: int
    sha256: str


class PolicyIssued(Reading, frozen=True, kw_only=True):
    policy_id: str
    plan: PlanPin
    terms: Terms
    state: str


class PolicyPaid(Reading, frozen=True, kw_only=True):
    policy_id: str
    plan: PlanPin
    terms: Terms
    state: str
    paid_at: datetime
    confirmed_at: datetime | None = None


class StateTold(Reading, frozen=True, kw_only=True):
    """An event of which only the policy's state is read."""

    policy_id: str
    state: str


class PolicyActivated(StateTold, frozen=True, kw_only=True):
    state: str = "ACTIVE"


class PolicyCancelled(Reading, frozen=True, kw_only=True):
    policy_id: str


class PolicyLapsed(StateTold, frozen=True, kw_only=True):
    pass


class PolicyInvalidated(Reading, frozen=True, kw_only=True):
    policy_id: str


class PolicyVoided(Reading, frozen=True, kw_only=True):
    policy_id: str


class PremiumReversed(StateTold, frozen=True, kw_only=True):
    pass


class TrackingUpdated(Reading, frozen=True, kw_only=True):
    policy_id: str
    state: str
    status: str
    carrier: str = ""
    tracking_number: str = ""
    accepted_at: datetime | None = None
    dispatched_at: datetime | None = None
    last_update_at: datetime | None = None
    delivered_at: datetime | None = None
    returned_at: datetime | None = None
    loss_confirmed_at: datetime | None = None
    lost_at: datetime | None = None
    damaged_at: datetime | None = None
    destroyed_at: datetime | None = None
    seized_at: datetime | None = None


S = TypeVar("S", bound=StateTold)


def handlers(running: Running) -> Handlers:
    rules = Rules(plans=running.plans, tenants=running.tenants)

    async def on_policy_issued(tx: Tx, events: Sequence[Received[PolicyIssued]]) -> None:
        for received in events:
            # A pinned plan that is not here yet pauses the consumer: nothing could be decided.
            running.plans.pinned(received.event.plan.sha256)
        await usecases.remember_covers(tx, [_cover(received) for received in events])

    async def on_policy_paid(tx: Tx, events: Sequence[Received[PolicyPaid]]) -> None:
        for received in events:
            running.plans.pinned(received.event.plan.sha256)
        tracked = await usecases.remember_covers(tx, [_cover(received) for received in events])
        if tracked:
            # Cover that begins while the parcel is on its way already.
            covers = await store.lock_covers(tx, tracked)
            await _move_covers(tx, rules, list(covers.values()), [])

    async def on_state_told(tx: Tx, events: Sequence[Received[S]]) -> None:
        await _move(tx, rules, events, lambda cover, told: replace(cover, state=told.state))

    async def on_policy_cancelled(tx: Tx, events: Sequence[Received[PolicyCancelled]]) -> None:
        await _move(tx, rules, events, lambda cover, _: replace(cover, state="CANCELLED"))

    async def on_policy_invalidated(
        tx: Tx, events: Sequence[Received[PolicyInvalidated]]
    ) -> None:
        await _move(tx, rules, events, lambda cover, _: replace(cover, state="INVALID"))

    async def on_policy_voided(tx: Tx, events: Sequence[Received[PolicyVoided]]) -> None:
        await _move(tx, rules, events, lambda cover, _: replace(cover, state="VOID"))

    async def on_tracking_updated(tx: Tx, events: Sequence[Received[TrackingUpdated]]) -> None:
        await _move(tx, rules, events, _tracked)

    return dict(
        [
            reads(PolicyIssued, on_policy_issued),
            reads(PolicyPaid, on_policy_paid),
            reads(PolicyActivated, on_state_told),
            reads(PolicyCancelled, on_policy_cancelled),
            reads(PolicyLapsed, on_state_told),
            reads(PolicyInvalidated, on_policy_invalidated),
            reads(PolicyVoided, on_policy_voided),
            reads(PremiumReversed, on_state_told),
            reads(TrackingUpdated, on_tracking_updated),
            reads(TestClockMoved, on_test_clock_moved),
        ]
    )


async def _move(
    tx: Tx, rules: Rules, events: Sequence[Received[R]], moved: Callable[[Cover, R], Cover]
) -> None:
    """The events' covers, `moved` by them in their order: what a key's last one says stands."""
    covers = await _locked(tx, events)
    news: dict[Policy, Cover] = {}
    for received in events:
        policy = (received.tenant_id, received.key)
        cover = news.get(policy, covers[policy])
        # A copy read through may be newer than the event.
        if received.sequence > cover.sequence:
            news[policy] = replace(moved(cover, received.event), sequence=received.sequence)
    # First notices of those as well: whoever read them through has not looked.
    await _move_covers(tx, rules, list({**covers, **news}.values()), list(news.values()))


async def _locked(tx: Tx, events: Sequence[Received[R]]) -> dict[Policy, Cover]:
    """The events' covers; CoverOfAnother where one is not the tenant's."""
    wanted = [(received.tenant_id, received.key) for received in events]
    covers = await store.lock_covers(tx, wanted)
    unknown = [
        policy_id for tenant_id, policy_id in wanted if (tenant_id, policy_id) not in covers
    ]
    if unknown:
        raise usecases.CoverOfAnother(
            f"No policy {', '.join(unknown)} of the event's tenant is known here."
        )
    return covers


async def _move_covers(
    tx: Tx, rules: Rules, covers: Sequence[Cover], moved: Sequence[Cover]
) -> None:
    tenants = {cover.tenant_id for cover in covers}
    now = {tenant_id: await testclock.now_in(tx, tenant_id) for tenant_id in tenants}
    await usecases.move_covers(tx, rules, covers, moved, now=now)


def _cover(received: Received[PolicyIssued] | Received[PolicyPaid]) -> Cover:
    event = received.event
    return Cover(
        policy_id=event.policy_id,
        tenant_id=received.tenant_id,
        plan=event.plan.plan,
        plan_version=event.plan.version,
        plan_sha256=event.plan.sha256,
        state=event.state,
        terms=event.terms,
        paid_at=event.paid_at if isinstance(event, PolicyPaid) else None,
        confirmed_at=event.confirmed_at if isinstance(event, PolicyPaid) else None,
        sequence=received.sequence,
    )


def _tracked(cover: Cover, event: TrackingUpdated) -> Cover:
    return replace(
        cover,
        state=event.state,
        tracking=_tracking(event),
        carrier=event.carrier,
        tracking_number=event.tracking_number,
    )


def _tracking(event: TrackingUpdated) -> Tracking:
    return Tracking(
        status=event.status,
        accepted_at=event.accepted_at,
        dispatched_at=event.dispatched_at,
        last_update_at=event.last_update_at,
        delivered_at=event.delivered_at,
        returned_at=event.returned_at,
        loss_confirmed_at=event.loss_confirmed_at,
        lost_at=event.lost_at,
        damaged_at=event.damaged_at,
        destroyed_at=event.destroyed_at,
        seized_at=event.seized_at,
    )
