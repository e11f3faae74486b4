"""Parcels under cover of which nothing has been heard for a while. Every query names its tenant."""

from dataclasses import dataclass
from datetime import datetime

from libs.common.db import Tx
from libs.common.pagination import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietParcel:
    """`moved_at`: when something last moved it, or it left."""

    policy_id: str
    carrier: str
    tracking_number: str
    status: str
    reason: str
    destination: str
    line: str
    moved_at: datetime

    def quiet_days(self, now: datetime) -> int:
        """Whole days without a movement."""
        return (now - self.moved_at).days


async def list_quiet_parcels(
    tx: Tx, *, tenant_id: str, quiet_since: datetime, after: Moment, limit: int
) -> list[QuietParcel]:
    """Those of ACTIVE policies that nothing moved later than that; the longest quiet first.

    One that is still with its sender has not begun to be quiet, and a delivered one's policy is no
    longer ACTIVE.
    """
    rows = await tx.fetch(
        """
        SELECT policy_id, carrier, tracking_number, tracking ->> 'status' AS status,
               tracking ->> 'reason' AS reason, terms ->> 'destination' AS destination,
               terms ->> 'line' AS line, moved_at
        FROM policies
        WHERE tenant_id = $1 AND state = 'ACTIVE' AND moved_at IS NOT NULL AND moved_at <= $2
            AND (moved_at, policy_id) > ($3, $4)
        ORDER BY moved_at, policy_id LIMIT $5
        """,
        tenant_id,
        quiet_since,
        *after,
        limit,
    )
    return [QuietParcel(**dict(row)) for row in rows]
