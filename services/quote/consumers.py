"""What the quote service does about others' events."""

from collections.abc import Sequence
from datetime import datetime

from libs.common import testclock
from libs.common.consumer import Handlers, Received, reads
from libs.common.db import Tx
from libs.common.events import Reading
from services.quote import usecases


class PolicyIssued(Reading, frozen=True, kw_only=True):
    policy_id: str
    quote_id: str
    confirmed_at: datetime | None = None


async def on_policy_issued(tx: Tx, events: Sequence[Received[PolicyIssued]]) -> None:
    await usecases.bind_quotes(
        tx, [(r.tenant_id, r.event.quote_id, r.event.policy_id) for r in events]
    )
    await usecases.say_again(
        tx, [(r.tenant_id, r.event.quote_id) for r in events if r.event.confirmed_at is None]
    )


HANDLERS: Handlers = dict(
    [
        reads(PolicyIssued, on_policy_issued),
        reads(testclock.TestClockMoved, testclock.on_test_clock_moved),
    ]
)
