"""What the policy service hears of its quotes: the confirmed amount, papers wanted, and their end."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.consumer import Handlers, Received, reads
from libs.common.db import Tx
from libs.common.events import Reading
from libs.common.service import Running
from services.policy import usecases
from services.policy.domain.payments import Verification
from services.policy.domain.policies import PlanPin, Terms

TOPICS = ("quotes",)


class QuoteVerified(Reading, frozen=True, kw_only=True):
    quote_id: str
    plan: PlanPin
    terms: Terms
    confirmed_at: datetime


class QuoteInfoRequired(Reading, frozen=True, kw_only=True):
    quote_id: str
    missing: tuple[str, ...] = ()
    lapses_at: datetime | None = None


class QuoteInvalidated(Reading, frozen=True, kw_only=True):
    quote_id: str
    cause: str
    invalidated_at: datetime


class QuoteDeclined(Reading, frozen=True, kw_only=True):
    quote_id: str
    cause: str
    declined_at: datetime


def handlers(running: Running) -> Handlers:
    async def on_quote_verified(tx: Tx, events: Sequence[Received[QuoteVerified]]) -> None:
        for received in events:
            event = received.event
            verification = Verification(
                plan=event.plan, terms=event.terms, confirmed_at=event.confirmed_at
            )
            await usecases.confirm_amount(
                tx, running.plans, event.quote_id, verification, tenant_id=received.tenant_id
            )

    return dict(
        [
            reads(QuoteVerified, on_quote_verified),
            reads(QuoteInfoRequired, on_quote_info_required),
            reads(QuoteInvalidated, on_quote_invalidated),
            reads(QuoteDeclined, on_quote_declined),
        ]
    )


async def on_quote_info_required(tx: Tx, events: Sequence[Received[QuoteInfoRequired]]) -> None:
    for received in events:
        event = received.event
        await usecases.request_documents(
            tx,
            event.quote_id,
            event.missing,
            event.lapses_at,
            tenant_id=received.tenant_id,
            now=received.at,
        )


async def on_quote_invalidated(tx: Tx, events: Sequence[Received[QuoteInvalidated]]) -> None:
    for received in events:
        await usecases.invalidate_policy(
            tx,
            received.event.quote_id,
            received.event.cause,
            tenant_id=received.tenant_id,
            now=received.event.invalidated_at,
        )


async def on_quote_declined(tx: Tx, events: Sequence[Received[QuoteDeclined]]) -> None:
    for received in events:
        await usecases.invalidate_policy(
            tx,
            received.event.quote_id,
            received.event.cause,
            tenant_id=received.tenant_id,
            now=received.event.declined_at,
        )
