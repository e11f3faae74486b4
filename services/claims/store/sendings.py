"""The sendings of payouts. Every query names its tenant."""

from libs.common.db import Tx
from services.claims.domain.sendings import Attempt


async def insert_attempt(tx: Tx, attempt: Attempt, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO payout_attempts (payout_id, attempt, tenant_id, state, sent_at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        attempt.payout_id,
        attempt.number,
        tenant_id,
        attempt.state,
        attempt.sent_at,
    )


async def save_attempt(tx: Tx, attempt: Attempt, *, tenant_id: str) -> None:
    await tx.execute(
        """
        UPDATE payout_attempts SET state = $4, reference = $5, settled_at = $6
        WHERE payout_id = $1 AND attempt = $2 AND tenant_id = $3
        """,
        attempt.payout_id,
        attempt.number,
        tenant_id,
        attempt.state,
        attempt.reference,
        attempt.settled_at,
    )


async def list_attempts(tx: Tx, payout_id: str, *, tenant_id: str) -> list[Attempt]:
    """In the order they were sent."""
    rows = await tx.fetch(
        """
        SELECT payout_id, attempt AS number, sent_at, state, reference, settled_at
        FROM payout_attempts WHERE payout_id = $1 AND tenant_id = $2 ORDER BY attempt
        """,
        payout_id,
        tenant_id,
    )
    return [Attempt(**dict(row)) for row in rows]
