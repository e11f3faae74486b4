"""When claims ended, and the files that are forgotten after that. Every query names its tenant."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from libs.common.db import Tx


async def note_end(tx: Tx, claim_id: str, ended_at: datetime | None, *, tenant_id: str) -> bool:
    """Since when nothing more can come of the claim; None: something may. Whether that is news."""
    row = await tx.fetchrow(
        """
        UPDATE claims SET ended_at = $3
        WHERE claim_id = $1 AND tenant_id = $2
            AND (ended_at IS NULL) <> ($3::timestamptz IS NULL) RETURNING 1
        """,
        claim_id,
        tenant_id,
        ended_at,
    )
    return row is not None


async def find_end(tx: Tx, claim_id: str, *, tenant_id: str) -> datetime | None:
    return await tx.fetchval(  # type: ignore[no-any-return]
        "SELECT ended_at FROM claims WHERE claim_id = $1 AND tenant_id = $2",
        claim_id,
        tenant_id,
    )


async def list_kept_files(tx: Tx, claim_id: str, *, tenant_id: str) -> Mapping[str, str]:
    """The hash of each file of the claim whose bytes are here, by the file's id."""
    rows = await tx.fetch(
        """
        SELECT evidence_id, sha256 FROM evidence
        WHERE claim_id = $1 AND tenant_id = $2 AND forgotten_at IS NULL
        """,
        claim_id,
        tenant_id,
    )
    return {row["evidence_id"]: row["sha256"] for row in rows}


async def forget_files(
    tx: Tx, evidence_ids: Sequence[str], *, tenant_id: str, now: datetime
) -> None:
    """Their bytes are to go, and their names are gone; what they were stays."""
    await tx.execute(
        """
        UPDATE evidence SET name = '', forgotten_at = $3
        WHERE tenant_id = $1 AND evidence_id = ANY($2)
        """,
        tenant_id,
        list(evidence_ids),
        now,
    )


async def hold_files(tx: Tx, hashes: Sequence[str], *, tenant_id: str) -> None:
    """`hold_file` of each, in one statement; in one order, so that nobody waits for each other."""
    await tx.execute(
        """
        SELECT pg_advisory_xact_lock(hashtextextended('evidence/' || $1 || '/' || sha256, 0))
        FROM unnest($2::text[]) AS h (sha256)
        """,
        tenant_id,
        sorted(set(hashes)),
    )


async def list_unnamed(tx: Tx, hashes: Sequence[str], *, tenant_id: str) -> list[str]:
    """Those whose bytes no row needs."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT sha256 FROM unnest($2::text[]) AS h (sha256)
        WHERE NOT EXISTS (
            SELECT FROM evidence e
            WHERE e.tenant_id = $1 AND e.sha256 = h.sha256 AND e.forgotten_at IS NULL)
        ORDER BY sha256
        """,
        tenant_id,
        list(hashes),
    )
    return [row["sha256"] for row in rows]
