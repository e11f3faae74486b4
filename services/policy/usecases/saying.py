"""How a policy says its events."""

from collections.abc import Iterable
from datetime import datetime

from libs.common import outbox
from libs.common.db import Tx
from libs.common.events import Announcement
from services.policy.domain.policies import Policy
from services.policy.events import PolicyEvent


async def announce(tx: Tx, policy: Policy, *events: PolicyEvent, now: datetime) -> None:
    await announce_all(tx, [(policy, event) for event in events], now=now)


async def announce_all(
    tx: Tx, events: Iterable[tuple[Policy, PolicyEvent]], *, now: datetime
) -> None:
    """Of many policies; each policy's in this order."""
    await outbox.append(
        tx,
        *(
            Announcement(tenant_id=policy.tenant_id, key=policy.policy_id, event=event)
            for policy, event in events
        ),
        now=now,
    )
