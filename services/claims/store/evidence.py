"""Files on hand: uploaded, and taken by a claim. Every query names its tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.common.db import Row, Tx
from services.claims.store.claims import FiledClaim


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A file on hand: what it is, and who brought it."""

    evidence_id: str
    policy_id: str
    kind: str
    name: str
    sha256: str
    size_bytes: int
    media_type: str
    submitted_by: str
    uploaded_at: datetime
    claim_id: str | None = None


async def insert_evidence(tx: Tx, evidence: Evidence, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO evidence (evidence_id, tenant_id, policy_id, kind, name, sha256, size_bytes,
                              media_type, submitted_by, uploaded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        evidence.evidence_id,
        tenant_id,
        evidence.policy_id,
        evidence.kind,
        evidence.name,
        evidence.sha256,
        evidence.size_bytes,
        evidence.media_type,
        evidence.submitted_by,
        evidence.uploaded_at,
    )


async def take_evidence(
    tx: Tx, evidence_ids: Sequence[str], filed: FiledClaim
) -> list[Evidence]:
    """Give the claim the files of its policy that no claim has yet; those it now newly has."""
    rows = await tx.fetch(
        """
        UPDATE evidence SET claim_id = $1
        WHERE tenant_id = $2 AND evidence_id = ANY($3) AND policy_id = $4 AND claim_id IS NULL
        RETURNING *
        """,
        filed.claim_id,
        filed.tenant_id,
        list(evidence_ids),
        filed.policy_id,
    )
    return [_evidence(row) for row in rows]


async def list_evidence(tx: Tx, claim_id: str, *, tenant_id: str) -> list[Evidence]:
    rows = await tx.fetch(
        """
        SELECT * FROM evidence WHERE claim_id = $1 AND tenant_id = $2
        ORDER BY uploaded_at, evidence_id
        """,
        claim_id,
        tenant_id,
    )
    return [_evidence(row) for row in rows]


async def remove_untaken_evidence(tx: Tx, evidence_id: str, *, tenant_id: str) -> None:
    await tx.execute(
        "DELETE FROM evidence WHERE evidence_id = $1 AND tenant_id = $2 AND claim_id IS NULL",
        evidence_id,
        tenant_id,
    )


def _evidence(row: Row) -> Evidence:
    return Evidence(
        evidence_id=row["evidence_id"],
        policy_id=row["policy_id"],
        kind=row["kind"],
        name=row["name"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        media_type=row["media_type"],
        submitted_by=row["submitted_by"],
        uploaded_at=row["uploaded_at"],
        claim_id=row["claim_id"],
    )
