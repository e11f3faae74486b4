"""Appeals, the windows for the next ones, and who has decided. Every query names its tenant."""

import msgspec

from libs.common.db import Row, Tx, jsonb
from libs.common.errors import NotFound
from services.claims.domain.appeals import Appeal, Proposed, Window
from services.claims.domain.cases import Findings

_findings = msgspec.json.Decoder(Findings)
_proposal = msgspec.json.Decoder(Proposed)


class UnknownAppeal(NotFound):
    code = "unknown-appeal"
    title = "There is no such appeal in your account"


async def insert_appeal(tx: Tx, appeal: Appeal, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO appeals (appeal_id, tenant_id, claim_id, tier, body, grounds, filed_by, filed_at,
                             file_by, decide_by, is_final, against, state, findings)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        """,
        appeal.appeal_id,
        tenant_id,
        appeal.claim_id,
        appeal.tier,
        appeal.body,
        appeal.grounds,
        appeal.filed_by,
        appeal.filed_at,
        appeal.file_by,
        appeal.decide_by,
        appeal.is_final,
        appeal.against,
        appeal.state,
        jsonb(appeal.findings),
    )


async def save_appeal(tx: Tx, appeal: Appeal, *, tenant_id: str) -> None:
    """Its decision, or what is proposed as that; what was filed stays."""
    await tx.execute(
        """
        UPDATE appeals SET state = $3, findings = $4, decided_by = $5, decided_at = $6,
            decision_id = $7, note = $8, proposal = $9
        WHERE appeal_id = $1 AND tenant_id = $2
        """,
        appeal.appeal_id,
        tenant_id,
        appeal.state,
        jsonb(appeal.findings),
        appeal.decided_by,
        appeal.decided_at,
        appeal.decision_id,
        appeal.note,
        None if appeal.proposal is None else jsonb(appeal.proposal),
    )


async def get_appeal(tx: Tx, appeal_id: str, *, tenant_id: str) -> Appeal:
    row = await tx.fetchrow(
        "SELECT * FROM appeals WHERE appeal_id = $1 AND tenant_id = $2", appeal_id, tenant_id
    )
    if row is None:
        raise UnknownAppeal(f"No appeal {appeal_id} in your account.")
    return _appeal(row)


async def list_appeals(tx: Tx, claim_id: str, *, tenant_id: str) -> list[Appeal]:
    """By their tiers."""
    rows = await tx.fetch(
        "SELECT * FROM appeals WHERE claim_id = $1 AND tenant_id = $2 ORDER BY tier",
        claim_id,
        tenant_id,
    )
    return [_appeal(row) for row in rows]


async def list_deciders(tx: Tx, claim_id: str, *, tenant_id: str) -> frozenset[str]:
    """Every person who had a hand in a decision on the claim."""
    rows = await tx.fetch(
        """
        SELECT decided_by FROM decisions
        WHERE claim_id = $1 AND tenant_id = $2 AND decided_by <> 'engine'
        UNION
        SELECT decided_by FROM appeals
        WHERE claim_id = $1 AND tenant_id = $2 AND decided_by IS NOT NULL
        UNION
        SELECT answered_by FROM approvals
        WHERE claim_id = $1 AND tenant_id = $2 AND answered_by IS NOT NULL
        """,
        claim_id,
        tenant_id,
    )
    return frozenset(row["decided_by"] for row in rows)


async def save_window(tx: Tx, claim_id: str, window: Window, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO appeal_windows (claim_id, tenant_id, tier, body, file_by, closes_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (claim_id) DO UPDATE SET tier = excluded.tier, body = excluded.body,
            file_by = excluded.file_by, closes_at = excluded.closes_at
        """,
        claim_id,
        tenant_id,
        window.tier,
        window.body,
        window.file_by,
        window.closes_at,
    )


async def find_window(tx: Tx, claim_id: str, *, tenant_id: str) -> Window | None:
    row = await tx.fetchrow(
        """
        SELECT tier, body, file_by, closes_at FROM appeal_windows
        WHERE claim_id = $1 AND tenant_id = $2
        """,
        claim_id,
        tenant_id,
    )
    return None if row is None else Window(**dict(row))


def _appeal(row: Row) -> Appeal:
    return Appeal(
        appeal_id=row["appeal_id"],
        claim_id=row["claim_id"],
        tier=row["tier"],
        body=row["body"],
        grounds=row["grounds"],
        filed_by=row["filed_by"],
        filed_at=row["filed_at"],
        file_by=row["file_by"],
        decide_by=row["decide_by"],
        is_final=row["is_final"],
        against=row["against"],
        state=row["state"],
        findings=_findings.decode(row["findings"]),
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        decision_id=row["decision_id"],
        note=row["note"],
        proposal=None if row["proposal"] is None else _proposal.decode(row["proposal"]),
    )
