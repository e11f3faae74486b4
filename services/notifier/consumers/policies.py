"""What is told of a policy while cover is bought, and when it begins or ends."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from libs.common.consumer import Handlers, Received, reads
from libs.common.db import Tx
from libs.common.events import Reading
from libs.common.money import Money
from services.notifier import usecases
from services.notifier.domain import notices
from services.notifier.domain.notices import (
    Cover,
    CoverCancelled,
    CoverInvalidated,
    CoverVoided,
    Letter,
    Notice,
    PapersAsked,
    PremiumTakenBack,
    RefundPromised,
    TopUpAsked,
    TopUpLapsed,
    TopUpStillDue,
)


class PlanPin(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    insured_value: Money


class PolicyReading(Reading, frozen=True, kw_only=True):
    policy_id: str


P = TypeVar("P", bound=PolicyReading)


class PolicyIssued(PolicyReading, frozen=True, kw_only=True):
    plan: PlanPin
    terms: Terms


class DocumentsRequested(PolicyReading, frozen=True, kw_only=True):
    missing: tuple[str, ...] = ()
    lapses_at: datetime | None = None


class TopUpRequested(PolicyReading, frozen=True, kw_only=True):
    premium: Money
    due: Money
    confirmed_at: datetime
    lapses_at: datetime | None = None


class TopUpWarned(PolicyReading, frozen=True, kw_only=True):
    due: Money
    lapses_at: datetime


class PolicyLapsed(PolicyReading, frozen=True, kw_only=True):
    refund: Money
    lapsed_at: datetime


class PolicyPaid(PolicyReading, frozen=True, kw_only=True):
    plan: PlanPin
    terms: Terms
    state: str
    premium_paid: Money
    cover_start: datetime | None = None


class PolicyActivated(PolicyReading, frozen=True, kw_only=True):
    cover_start: datetime


class PolicyCancelled(PolicyReading, frozen=True, kw_only=True):
    reason: str
    refund: Money
    cancelled_at: datetime


class PolicyInvalidated(PolicyReading, frozen=True, kw_only=True):
    cause: str
    refund: Money
    invalidated_at: datetime


class PolicyVoided(PolicyReading, frozen=True, kw_only=True):
    cause: str
    voided_at: datetime


class RefundRequested(PolicyReading, frozen=True, kw_only=True):
    refund_id: str
    amount: Money
    reason: str


class PremiumReversed(PolicyReading, frozen=True, kw_only=True):
    state: str
    amount: Money
    premium_due: Money
    reason: str
    reversed_at: datetime


async def on_policy_issued(tx: Tx, events: Sequence[Received[PolicyIssued]]) -> None:
    for received in events:
        issued = received.event
        await _remember(tx, received, issued.plan, issued.terms)


async def on_documents_requested(
    tx: Tx, events: Sequence[Received[DocumentsRequested]]
) -> None:
    """Each request is told: the same again means that the new papers did not do either."""
    for received in events:
        asked = received.event
        letter = PapersAsked(missing=asked.missing, lapses_at=asked.lapses_at)
        await _owe(tx, received, letter, occasion=received.event_id)


async def on_top_up_requested(tx: Tx, events: Sequence[Received[TopUpRequested]]) -> None:
    for received in events:
        asked = received.event
        letter = TopUpAsked(premium=asked.premium, due=asked.due, lapses_at=asked.lapses_at)
        since = asked.lapses_at or asked.confirmed_at
        occasion = notices.occasion_at(asked.policy_id, since)
        await _owe(tx, received, letter, occasion=occasion)


async def on_top_up_warned(tx: Tx, events: Sequence[Received[TopUpWarned]]) -> None:
    for received in events:
        warned = received.event
        letter = TopUpStillDue(due=warned.due, lapses_at=warned.lapses_at)
        occasion = notices.occasion_at(warned.policy_id, warned.lapses_at)
        await _owe(tx, received, letter, occasion=occasion)


async def on_policy_lapsed(tx: Tx, events: Sequence[Received[PolicyLapsed]]) -> None:
    for received in events:
        lapsed = received.event
        letter = TopUpLapsed(refund=lapsed.refund, lapsed_at=lapsed.lapsed_at)
        await _owe(tx, received, letter, occasion=lapsed.policy_id)


async def on_policy_paid(tx: Tx, events: Sequence[Received[PolicyPaid]]) -> None:
    for received in events:
        paid = received.event
        await _remember(tx, received, paid.plan, paid.terms, premium=paid.premium_paid)
        if paid.cover_start is not None and notices.is_in_force(paid.state):
            await _begin_cover(tx, received, paid.cover_start)


async def on_policy_activated(tx: Tx, events: Sequence[Received[PolicyActivated]]) -> None:
    for received in events:
        await _begin_cover(tx, received, received.event.cover_start)


async def on_policy_cancelled(tx: Tx, events: Sequence[Received[PolicyCancelled]]) -> None:
    for received in events:
        cancelled = received.event
        letter = CoverCancelled(
            reason=cancelled.reason,
            refund=cancelled.refund,
            cancelled_at=cancelled.cancelled_at,
        )
        await _owe(tx, received, letter, occasion=cancelled.policy_id)


async def on_policy_invalidated(tx: Tx, events: Sequence[Received[PolicyInvalidated]]) -> None:
    for received in events:
        ended = received.event
        letter = CoverInvalidated(
            cause=ended.cause, refund=ended.refund, invalidated_at=ended.invalidated_at
        )
        await _owe(tx, received, letter, occasion=ended.policy_id)


async def on_policy_voided(tx: Tx, events: Sequence[Received[PolicyVoided]]) -> None:
    for received in events:
        voided = received.event
        letter = CoverVoided(cause=voided.cause, voided_at=voided.voided_at)
        await _owe(tx, received, letter, occasion=voided.policy_id)


async def on_refund_requested(tx: Tx, events: Sequence[Received[RefundRequested]]) -> None:
    for received in events:
        refund = received.event
        if notices.is_refund_told(refund.reason):
            letter = RefundPromised(amount=refund.amount, reason=refund.reason)
            await _owe(tx, received, letter, occasion=refund.refund_id)


async def on_premium_reversed(tx: Tx, events: Sequence[Received[PremiumReversed]]) -> None:
    """Each is told: two payments may go back at one instant."""
    for received in events:
        back = received.event
        letter = PremiumTakenBack(
            amount=back.amount,
            due=back.premium_due,
            reason=back.reason,
            state=back.state,
            reversed_at=back.reversed_at,
        )
        await _owe(tx, received, letter, occasion=received.event_id)


HANDLERS: Handlers = dict(
    [
        reads(PolicyIssued, on_policy_issued),
        reads(DocumentsRequested, on_documents_requested),
        reads(TopUpRequested, on_top_up_requested),
        reads(TopUpWarned, on_top_up_warned),
        reads(PolicyLapsed, on_policy_lapsed),
        reads(PolicyPaid, on_policy_paid),
        reads(PolicyActivated, on_policy_activated),
        reads(PolicyCancelled, on_policy_cancelled),
        reads(PolicyInvalidated, on_policy_invalidated),
        reads(PolicyVoided, on_policy_voided),
        reads(RefundRequested, on_refund_requested),
        reads(PremiumReversed, on_premium_reversed),
    ]
)


async def _remember(
    tx: Tx, received: Received[P], plan: PlanPin, terms: Terms, *, premium: Money | None = None
) -> None:
    await usecases.remember_cover(
        tx,
        Cover(
            tenant_id=received.tenant_id,
            policy_id=received.event.policy_id,
            plan_sha256=plan.sha256,
            insured_value=terms.insured_value,
            premium=premium,
        ),
    )


async def _begin_cover(tx: Tx, received: Received[P], cover_start: datetime) -> None:
    await usecases.begin_cover(
        tx,
        received.event.policy_id,
        tenant_id=received.tenant_id,
        event_id=received.event_id,
        at=received.at,
        cover_start=cover_start,
    )


async def _owe(tx: Tx, received: Received[P], letter: Letter, *, occasion: str) -> None:
    await usecases.owe(
        tx,
        Notice(
            tenant_id=received.tenant_id,
            event_id=received.event_id,
            occasion=occasion,
            caused_at=received.at,
            letter=letter,
            policy_id=received.event.policy_id,
        ),
    )
