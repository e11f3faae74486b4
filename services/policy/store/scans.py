"""What carriers said of policies' parcels. Every query names its tenant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.common.db import Tx
from services.policy.domain.parcels import Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedScan:
    """A scan as it came, beside its neutral meaning."""

    policy_id: str
    scan: Scan
    location: str
    description: str


async def insert_scans(
    tx: Tx, scans: Sequence[ReceivedScan], *, tenant_id: str, now: datetime
) -> set[tuple[str, str]]:
    """Keep the scans; the (policy, scan) ids of those that were not there before."""
    rows = await tx.fetch(
        """
        INSERT INTO scans (tenant_id, policy_id, scan_id, status, reason, occurred_at, received_at,
                           location, description)
        SELECT $1, i.policy_id, i.scan_id, i.status, i.reason, i.occurred_at, $2, i.location,
               i.description
        FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[],
                    $9::text[])
            AS i (policy_id, scan_id, status, reason, occurred_at, location, description)
        ON CONFLICT DO NOTHING RETURNING policy_id, scan_id
        """,
        tenant_id,
        now,
        [s.policy_id for s in scans],
        [s.scan.scan_id for s in scans],
        [s.scan.status for s in scans],
        [s.scan.reason for s in scans],
        [s.scan.occurred_at for s in scans],
        [s.location for s in scans],
        [s.description for s in scans],
    )
    return {(row["policy_id"], row["scan_id"]) for row in rows}


async def list_scans(
    tx: Tx, policy_ids: Iterable[str], *, tenant_id: str
) -> dict[str, list[Scan]]:
    """Every scan of the policies' parcels."""
    rows = await tx.fetch(
        """
        SELECT policy_id, scan_id, status, reason, occurred_at FROM scans
        WHERE tenant_id = $1 AND policy_id = ANY($2)
        """,
        tenant_id,
        list(policy_ids),
    )
    by_policy: dict[str, list[Scan]] = {}
    for row in rows:
        scan = Scan(
            scan_id=row["scan_id"],
            status=row["status"],
            reason=row["reason"],
            occurred_at=row["occurred_at"],
        )
        by_policy.setdefault(row["policy_id"], []).append(scan)
    return by_policy
