"""Claims taken back for others. Every query names its tenant."""

from libs.common.db import Tx
from services.claims.domain.withdrawals import Withdrawal
from services.claims.store.claims import FiledClaim


async def insert_withdrawal(tx: Tx, withdrawal: Withdrawal, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO withdrawals (claim_id, tenant_id, withdrawn_by, withdrawn_at, reason, replaced_by)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        withdrawal.claim_id,
        tenant_id,
        withdrawal.withdrawn_by,
        withdrawal.withdrawn_at,
        withdrawal.reason,
        withdrawal.replaced_by,
    )


async def move_evidence(tx: Tx, old: FiledClaim, new: FiledClaim) -> list[str]:
    """Give the new claim the files of the old one; their ids.

    What the platform made stays: it is as of the old claim's filing, and the new one gets its own.
    """
    rows = await tx.fetch(
        """
        UPDATE evidence SET claim_id = $3
        WHERE tenant_id = $1 AND claim_id = $2 AND submitted_by <> 'platform' RETURNING evidence_id
        """,
        old.tenant_id,
        old.claim_id,
        new.claim_id,
    )
    return sorted(row["evidence_id"] for row in rows)
