"""How a policy says its events."""

from datetime import datetime

from libs.common import outbox
from libs.common.db import Tx
from libs.common.events import Announcement
from services.policy.domain.policies import Policy
from services.policy.events import PolicyEvent


async def announce(tx: Tx, policy: Policy, *events: PolicyEvent, now: datetime) -> None:
    await outbox.append(
        tx,
        *(
            Announcement(tenant_id=policy.tenant_id, key=policy.policy_id, event=event)
            for event in events
        ),
        now=now,
    )
