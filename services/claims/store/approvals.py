"""What a second person is asked, and said. Every query names its tenant."""

from dataclasses import dataclass

from libs.common.db import Row, Tx
from libs.common.errors import NotFound
from libs.common.pagination import Moment
from services.claims.domain.approvals import Approval


class UnknownApproval(NotFound):
    code = "unknown-approval"
    title = "There is no such approval in your account"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedApprovals:
    """Which approvals a list shows; None leaves it as it is."""

    state: str | None = None
    about: str | None = None


async def insert_approval(tx: Tx, approval: Approval, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO approvals (approval_id, tenant_id, claim_id, about, subject_id, why, scope,
                               asked_by, asked_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        approval.approval_id,
        tenant_id,
        approval.claim_id,
        approval.about,
        approval.subject_id,
        approval.why,
        approval.scope,
        approval.asked_by,
        approval.asked_at,
    )


async def save_approval(tx: Tx, approval: Approval, *, tenant_id: str) -> None:
    await tx.execute(
        """
        UPDATE approvals SET state = $3, answered_by = $4, answered_at = $5, note = $6, void_why = $7
        WHERE approval_id = $1 AND tenant_id = $2
        """,
        approval.approval_id,
        tenant_id,
        approval.state,
        approval.answered_by,
        approval.answered_at,
        approval.note,
        approval.void_why,
    )


async def void_approval(tx: Tx, subject_id: str, why: str, *, tenant_id: str) -> None:
    """End what is asked about that decision or payout, where it is not answered yet."""
    await tx.execute(
        """
        UPDATE approvals SET state = 'VOID', void_why = $3
        WHERE tenant_id = $1 AND subject_id = $2 AND state = 'OPEN'
        """,
        tenant_id,
        subject_id,
        why,
    )


async def get_approval(tx: Tx, approval_id: str, *, tenant_id: str) -> Approval:
    row = await tx.fetchrow(
        "SELECT * FROM approvals WHERE approval_id = $1 AND tenant_id = $2",
        approval_id,
        tenant_id,
    )
    if row is None:
        raise UnknownApproval(f"No approval {approval_id} in your account.")
    return _approval(row)


async def list_approvals(
    tx: Tx, wanted: WantedApprovals, *, tenant_id: str, before: Moment, limit: int
) -> list[Approval]:
    """Newest first, of those older than the position."""
    rows = await tx.fetch(
        """
        SELECT * FROM approvals
        WHERE tenant_id = $1 AND (asked_at, approval_id) < ($2, $3)
            AND ($4::text IS NULL OR state = $4) AND ($5::text IS NULL OR about = $5)
        ORDER BY asked_at DESC, approval_id DESC LIMIT $6
        """,
        tenant_id,
        *before,
        wanted.state,
        wanted.about,
        limit,
    )
    return [_approval(row) for row in rows]


def _approval(row: Row) -> Approval:
    return Approval(
        approval_id=row["approval_id"],
        claim_id=row["claim_id"],
        about=row["about"],
        subject_id=row["subject_id"],
        why=row["why"],
        scope=row["scope"],
        asked_by=row["asked_by"],
        asked_at=row["asked_at"],
        state=row["state"],
        answered_by=row["answered_by"],
        answered_at=row["answered_at"],
        note=row["note"],
        void_why=row["void_why"],
    )
