"""What is told of a policy while cover is bought, and when it begins or ends."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from libs.common.consumer import Handlers, Received, reads
from libs.common.db import Tx
from libs.common.events import Reading
from libs.common.money import Money
from services.notifier import usecases
from services.notifier.domain import notices
from services.notifier.domain.notices import Cover, CoverCancelled, Notice


class PlanPin(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    insured_value: Money


class PolicyPaid(Reading, frozen=True, kw_only=True):
    policy_id: str
    plan: PlanPin
    terms: Terms
    state: str
    premium_paid: Money
    cover_start: datetime | None = None


class PolicyActivated(Reading, frozen=True, kw_only=True):
    policy_id: str
    cover_start: datetime


class PolicyCancelled(Reading, frozen=True, kw_only=True):
    policy_id: str
    reason: str
    refund: Money
    cancelled_at: datetime


async def on_policy_paid(tx: Tx, events: Sequence[Received[PolicyPaid]]) -> None:
    for received in events:
        paid = received.event
        await usecases.remember_cover(
            tx,
            Cover(
                tenant_id=received.tenant_id,
                policy_id=paid.policy_id,
                plan_sha256=paid.plan.sha256,
                insured_value=paid.terms.insured_value,
                premium=paid.premium_paid,
            ),
        )
        if paid.cover_start is not None and notices.is_in_force(paid.state):
            await _begin_cover(tx, received, paid.policy_id, paid.cover_start)


async def on_policy_activated(tx: Tx, events: Sequence[Received[PolicyActivated]]) -> None:
    for received in events:
        await _begin_cover(tx, received, received.event.policy_id, received.event.cover_start)


async def on_policy_cancelled(tx: Tx, events: Sequence[Received[PolicyCancelled]]) -> None:
    for received in events:
        cancelled = received.event
        letter = CoverCancelled(
            reason=cancelled.reason,
            refund=cancelled.refund,
            cancelled_at=cancelled.cancelled_at,
        )
        await usecases.owe(
            tx,
            Notice(
                tenant_id=received.tenant_id,
                event_id=received.event_id,
                occasion=cancelled.policy_id,
                caused_at=received.at,
                letter=letter,
                policy_id=cancelled.policy_id,
            ),
        )


HANDLERS: Handlers = dict(
    [
        reads(PolicyPaid, on_policy_paid),
        reads(PolicyActivated, on_policy_activated),
        reads(PolicyCancelled, on_policy_cancelled),
    ]
)


async def _begin_cover(
    tx: Tx,
    received: Received[PolicyPaid] | Received[PolicyActivated],
    policy_id: str,
    cover_start: datetime,
) -> None:
    await usecases.begin_cover(
        tx,
        policy_id,
        tenant_id=received.tenant_id,
        event_id=received.event_id,
        at=received.at,
        cover_start=cover_start,
    )
