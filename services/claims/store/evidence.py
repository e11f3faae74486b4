"""Files on hand: uploaded, scanned, and taken by a claim. Every query names its tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.common.db import Row, Tx
from libs.common.errors import NotFound
from services.claims.store.claims import FiledClaim

WAITING, CLEAN, INFECTED, SKIPPED = "WAITING", "CLEAN", "INFECTED", "SKIPPED"

# Of what people brought: what the platform attaches itself is the same for each claim on a parcel.
ALSO_IN = """
    ARRAY(
        SELECT DISTINCT o.claim_id FROM evidence o
        WHERE o.tenant_id = r.tenant_id AND o.sha256 = r.sha256 AND o.claim_id IS NOT NULL
            AND o.claim_id IS DISTINCT FROM r.claim_id AND r.submitted_by <> 'platform'
        ORDER BY o.claim_id
    )
"""
_EVIDENCE = f"r.*, {ALSO_IN} AS also_in"


class UnknownFile(NotFound):
    code = "unknown-file"
    title = "There is no such file in your account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A file on hand: what it is, and who brought it. `also_in`: other claims with the same bytes.

    Of one that is forgotten, only what it was and who brought it (Q47).
    """

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
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    pages: int | None = None
    scan_state: str = SKIPPED
    also_in: tuple[str, ...] = ()
    forgotten_at: datetime | None = None


async def insert_evidence(tx: Tx, evidence: Evidence, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO evidence (evidence_id, tenant_id, policy_id, kind, name, sha256, size_bytes,
                              media_type, submitted_by, uploaded_at, width, height, duration_ms,
                              pages, scan_state)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
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
        evidence.width,
        evidence.height,
        evidence.duration_ms,
        evidence.pages,
        evidence.scan_state,
    )


async def get_evidence(tx: Tx, evidence_id: str, *, tenant_id: str) -> Evidence:
    found = await find_evidence(tx, evidence_id, tenant_id=tenant_id)
    if found is None:
        raise UnknownFile(f"No file {evidence_id} in your account.")
    return found


async def find_evidence(tx: Tx, evidence_id: str, *, tenant_id: str) -> Evidence | None:
    row = await tx.fetchrow(
        f"SELECT {_EVIDENCE} FROM evidence r WHERE r.evidence_id = $1 AND r.tenant_id = $2",
        evidence_id,
        tenant_id,
    )
    return None if row is None else _evidence(row)


async def take_evidence(
    tx: Tx, evidence_ids: Sequence[str], filed: FiledClaim
) -> list[Evidence]:
    """Give the claim the files of its policy that no claim has yet; those it now newly has."""
    rows = await tx.fetch(
        f"""
        WITH taken AS (
            UPDATE evidence SET claim_id = $1
            WHERE tenant_id = $2 AND evidence_id = ANY($3) AND policy_id = $4 AND claim_id IS NULL
            RETURNING *
        )
        SELECT {_EVIDENCE} FROM taken r
        """,
        filed.claim_id,
        filed.tenant_id,
        list(evidence_ids),
        filed.policy_id,
    )
    return [_evidence(row) for row in rows]


async def list_evidence(tx: Tx, claim_id: str, *, tenant_id: str) -> list[Evidence]:
    rows = await tx.fetch(
        f"""
        SELECT {_EVIDENCE} FROM evidence r WHERE r.claim_id = $1 AND r.tenant_id = $2
        ORDER BY r.uploaded_at, r.evidence_id
        """,
        claim_id,
        tenant_id,
    )
    return [_evidence(row) for row in rows]


async def list_policies_with_file(tx: Tx, sha256: str, *, tenant_id: str) -> list[str]:
    """Those for which the file was uploaded, whether or not a claim has taken it."""
    rows = await tx.fetch(
        "SELECT DISTINCT policy_id FROM evidence WHERE tenant_id = $1 AND sha256 = $2 ORDER BY 1",
        tenant_id,
        sha256,
    )
    return [row["policy_id"] for row in rows]


async def save_scan(
    tx: Tx, sha256: str, state: str, found: str | None, *, tenant_id: str
) -> list[str]:
    """What the scanner said of these bytes, whoever brought them; the claims that have them.

    What is infected stays so: a scanner that has forgotten it does not make it clean.
    """
    rows = await tx.fetch(
        """
        UPDATE evidence SET scan_state = $3, scan_found = $4
        WHERE tenant_id = $1 AND sha256 = $2
            AND (scan_state = 'WAITING' OR ($3 = 'INFECTED' AND scan_state <> 'INFECTED'))
        RETURNING claim_id
        """,
        tenant_id,
        sha256,
        state,
        found,
    )
    return sorted({row["claim_id"] for row in rows if row["claim_id"] is not None})


async def remove_untaken_evidence(tx: Tx, evidence_id: str, *, tenant_id: str) -> str | None:
    """The hash of the file that is gone from here; None where a claim has it, or nobody."""
    return await tx.fetchval(  # type: ignore[no-any-return]
        """
        DELETE FROM evidence WHERE evidence_id = $1 AND tenant_id = $2 AND claim_id IS NULL
        RETURNING sha256
        """,
        evidence_id,
        tenant_id,
    )


async def hold_file(tx: Tx, sha256: str, *, tenant_id: str) -> None:
    """Until commit nobody else adds a row of these bytes, nor finds that there is none."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('evidence/' || $1 || '/' || $2, 0))",
        tenant_id,
        sha256,
    )


async def is_file_named(tx: Tx, sha256: str, *, tenant_id: str) -> bool:
    """Whether any row needs these bytes; one that is forgotten does not."""
    return await tx.fetchval(  # type: ignore[no-any-return]
        """
        SELECT EXISTS (
            SELECT FROM evidence WHERE tenant_id = $1 AND sha256 = $2 AND forgotten_at IS NULL)
        """,
        tenant_id,
        sha256,
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
        width=row["width"],
        height=row["height"],
        duration_ms=row["duration_ms"],
        pages=row["pages"],
        scan_state=row["scan_state"],
        also_in=tuple(row["also_in"]),
        forgotten_at=row["forgotten_at"],
    )
