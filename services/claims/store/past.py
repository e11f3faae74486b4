"""Decisions as they were made, to be made again. Every query names its tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from libs.common.db import Row, Tx
from libs.common.pagination import OLDEST, Moment
from services.claims.domain.replay import Past

PAGE_ROWS: Final = 1_000
# Before the first decision of all.
FIRST: Final[Moment] = OLDEST

_WANTED = """
    (d.is_settled OR $2) AND ($3::text IS NULL OR d.plan = $3)
    AND ($4::timestamptz IS NULL OR d.decided_at >= $4)
    AND ($5::timestamptz IS NULL OR d.decided_at < $5)
"""
_PAST = """
    d.decision_id, d.claim_id, d.tenant_id, d.plan, d.plan_sha256, d.is_settled, d.decided_at,
    d.decision, d.facts, coalesce(d.number = (
        SELECT settled.number FROM decisions settled
        WHERE settled.claim_id = d.claim_id AND settled.tenant_id = d.tenant_id
            AND settled.is_settled
        ORDER BY settled.number DESC LIMIT 1
    ), false) AS stands
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastWanted:
    """Which decisions: of one plan, from `since` up to but without `until`; None is no bound.

    With `proposals` also those that waited for a person.
    """

    proposals: bool = False
    plan: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def forbid_writing(tx: Tx) -> None:
    """From here on the transaction can only read, whatever it is asked."""
    await tx.execute("SET TRANSACTION READ ONLY")


async def count_past(tx: Tx, wanted: PastWanted, *, tenant_id: str) -> int:
    count: int = await tx.fetchval(
        f"SELECT count(*) FROM decisions d WHERE d.tenant_id = $1 AND {_WANTED}",
        *_values(wanted, tenant_id),
    )
    return count


async def list_past(
    tx: Tx,
    wanted: PastWanted,
    *,
    tenant_id: str,
    after: Moment = FIRST,
    limit: int = PAGE_ROWS,
) -> list[Past]:
    """A page of them, the oldest first, of those later than the position."""
    rows = await tx.fetch(
        f"""
        SELECT {_PAST} FROM decisions d
        WHERE d.tenant_id = $1 AND {_WANTED} AND (d.decided_at, d.decision_id) > ($6, $7)
        ORDER BY d.decided_at, d.decision_id LIMIT $8
        """,
        *_values(wanted, tenant_id),
        *after,
        limit,
    )
    return [_past(row) for row in rows]


async def list_past_of(tx: Tx, claim_id: str, *, tenant_id: str) -> list[Past]:
    """Every decision on one claim, the first one first."""
    rows = await tx.fetch(
        f"""
        SELECT {_PAST} FROM decisions d WHERE d.claim_id = $1 AND d.tenant_id = $2
        ORDER BY d.number
        """,
        claim_id,
        tenant_id,
    )
    return [_past(row) for row in rows]


def _values(wanted: PastWanted, tenant_id: str) -> Sequence[object]:
    return tenant_id, wanted.proposals, wanted.plan, wanted.since, wanted.until


def _past(row: Row) -> Past:
    return Past(
        decision_id=row["decision_id"],
        claim_id=row["claim_id"],
        tenant_id=row["tenant_id"],
        plan=row["plan"],
        plan_sha256=row["plan_sha256"],
        is_settled=row["is_settled"],
        stands=row["stands"],
        decided_at=row["decided_at"],
        decision=msgspec.json.decode(row["decision"]),
        facts=msgspec.json.decode(row["facts"]),
    )
