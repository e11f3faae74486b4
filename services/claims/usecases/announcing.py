"""Saying what became of a claim."""

from datetime import datetime

from libs.common import outbox
from libs.common.db import Tx
from libs.common.events import Announcement
from services.claims.events import ClaimEvent
from services.claims.store import FiledClaim


async def announce(tx: Tx, filed: FiledClaim, event: ClaimEvent, *, now: datetime) -> None:
    await outbox.append(
        tx, Announcement(tenant_id=filed.tenant_id, key=filed.key, event=event), now=now
    )
