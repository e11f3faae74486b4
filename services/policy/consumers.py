"""What the policy service hears: the amount that a quote's verification confirmed."""

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

    return dict([reads(QuoteVerified, on_quote_verified)])
