"""Saying what became of a claim."""

from datetime import datetime

from libs.common import outbox
from libs.common.db import Tx
from libs.common.events import Announcement
from services.claims.events import ClaimEvent
from services.claims.store import FiledClaim


async def announce(tx: Tx, filed: FiledClaim, *events: ClaimEvent, now: datetime) -> None:
    said = [Announcement(tenant_id=filed.tenant_id, key=filed.key, event=one) for one in events]
    await outbox.append(tx, *said, now=now)
