"""What claims hears: policies sold and ended, and where their parcels are."""

from collections.abc import Sequence
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
    carrier: str = ""
    tracking_number: str = ""
    accepted_at: datetime | None = None
    dispatched_at: datetime | None = None
    last_update_at: datetime | None = None
    delivered_at: datetime | None = None
    returned_at: datetime | None = None
    loss_confirmed_at: datetime | None = None


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
        await usecases.remember_covers(tx, [_cover(received) for received in events])

    async def on_state_told(tx: Tx, events: Sequence[Received[S]]) -> None:
        for received, cover in await _locked(tx, events):
            await _move(tx, rules, received, replace(cover, state=received.event.state))

    async def on_policy_cancelled(tx: Tx, events: Sequence[Received[PolicyCancelled]]) -> None:
        for received, cover in await _locked(tx, events):
            await _move(tx, rules, received, replace(cover, state="CANCELLED"))

    async def on_policy_invalidated(
        tx: Tx, events: Sequence[Received[PolicyInvalidated]]
    ) -> None:
        for received, cover in await _locked(tx, events):
            await _move(tx, rules, received, replace(cover, state="INVALID"))

    async def on_policy_voided(tx: Tx, events: Sequence[Received[PolicyVoided]]) -> None:
        for received, cover in await _locked(tx, events):
            await _move(tx, rules, received, replace(cover, state="VOID"))

    async def on_tracking_updated(tx: Tx, events: Sequence[Received[TrackingUpdated]]) -> None:
        for received, cover in await _locked(tx, _latest(events)):
            tracking = _tracking(received.event)
            moved = replace(
                cover,
                state=received.event.state,
                tracking=tracking,
                carrier=received.event.carrier,
                tracking_number=received.event.tracking_number,
            )
            await _move(tx, rules, received, moved)

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


def _latest(events: Sequence[Received[TrackingUpdated]]) -> list[Received[TrackingUpdated]]:
    """Each update replaces the one before it, so a key's last of a batch stands for all."""
    return list({(received.tenant_id, received.key): received for received in events}.values())


async def _locked(tx: Tx, events: Sequence[Received[R]]) -> list[tuple[Received[R], Cover]]:
    """The events with their covers, in order; CoverOfAnother where that is not the tenant's."""
    covers = await store.lock_covers(tx, [(e.tenant_id, e.key) for e in events])
    unknown = [e.key for e in events if (e.tenant_id, e.key) not in covers]
    if unknown:
        raise usecases.CoverOfAnother(
            f"No policy {', '.join(unknown)} of the event's tenant is known here."
        )
    return [(e, covers[e.tenant_id, e.key]) for e in events]


async def _move(tx: Tx, rules: Rules, received: Received[R], cover: Cover) -> None:
    if received.sequence <= cover.sequence:
        return  # a copy read through was newer than this event
    moved = replace(cover, sequence=received.sequence)
    await store.save_cover(tx, moved)
    now = await testclock.now_in(tx, received.tenant_id)
    await usecases.decide_open_claims(tx, rules, moved, now=now)


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


def _tracking(event: TrackingUpdated) -> Tracking:
    return Tracking(
        accepted_at=event.accepted_at,
        dispatched_at=event.dispatched_at,
        last_update_at=event.last_update_at,
        delivered_at=event.delivered_at,
        returned_at=event.returned_at,
        loss_confirmed_at=event.loss_confirmed_at,
    )
