"""What the quote service does about others' events."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from libs.common import testclock
from libs.common.consumer import Handlers, Received, reads
from libs.common.db import Tx
from libs.common.events import Reading
from libs.common.service import Running
from services.quote import usecases
from services.quote.usecases import BindQuote


class BoundPlan(msgspec.Struct, frozen=True, kw_only=True):
    plan: str


class PolicyIssued(Reading, frozen=True, kw_only=True):
    policy_id: str
    quote_id: str
    plan: BoundPlan
    confirmed_at: datetime | None = None


def handlers(running: Running) -> Handlers:
    async def on_policy_issued(tx: Tx, events: Sequence[Received[PolicyIssued]]) -> None:
        bindings = [_binding(received) for received in events]
        await usecases.bind_quotes(tx, bindings)
        await usecases.follow_bindings(
            tx, running.plans, [one for one in bindings if one.confirmed_at is None]
        )

    return dict(
        [
            reads(PolicyIssued, on_policy_issued),
            reads(testclock.TestClockMoved, testclock.on_test_clock_moved),
        ]
    )


def _binding(received: Received[PolicyIssued]) -> BindQuote:
    issued = received.event
    return BindQuote(
        tenant_id=received.tenant_id,
        quote_id=issued.quote_id,
        policy_id=issued.policy_id,
        plan=issued.plan.plan,
        bound_at=received.at,
        confirmed_at=issued.confirmed_at,
    )
