"""What carriers said of policies' parcels. Every query names its tenant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.common.db import Row, Tx
from services.policy.domain.parcels import Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedScan:
    """A scan as it came: what was said beside its neutral meaning, by whom and in which words.

    `occurred_at` None: no time was said. `may_replace`: the same scan may have been read otherwise
    before, and this reading counts from now on.
    """

    policy_id: str
    scan_id: str
    status: str
    occurred_at: datetime | None
    reason: str = "none"
    location: str = ""
    description: str = ""
    provider: str = ""
    notice_id: str = ""
    code: str = ""
    time_raw: str = ""
    is_zoned: bool = True
    is_trusted: bool = True
    # The sender takes it back: for good, whatever is read again.
    is_withdrawn: bool = False
    may_replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownScan:
    """A scan of a parcel's history, with where and when it was said."""

    scan: Scan
    received_at: datetime
    # As it was said; None and empty where it was not.
    occurred_at: datetime | None
    time_raw: str
    is_zoned: bool
    location: str
    description: str
    provider: str
    code: str
    notice_id: str


# When it happened, as far as is known: never after it was told where its zone was not.
_HAPPENED_AT = """
    CASE WHEN is_zoned THEN coalesce(occurred_at, received_at)
         ELSE least(coalesce(occurred_at, received_at), received_at) END AS happened_at
"""


async def insert_scans(
    tx: Tx, scans: Sequence[ReceivedScan], *, tenant_id: str, now: datetime
) -> set[tuple[str, str]]:
    """Keep the scans; the (policy, scan) ids of those that are new, or are read otherwise now.

    The policies are locked, so nobody else writes readings of their scans.
    """
    rows = await tx.fetch(
        """
        INSERT INTO scans (tenant_id, policy_id, scan_id, reading, status, reason, occurred_at,
                           received_at, location, description, provider, notice_id, code, time_raw,
                           is_zoned, is_trusted, is_withdrawn)
        SELECT $1, i.policy_id, i.scan_id, coalesce(last.reading, 0) + 1, i.status, i.reason,
               i.occurred_at, $2, i.location, i.description, i.provider, i.notice_id, i.code, i.time_raw,
               i.is_zoned, i.is_trusted, i.is_withdrawn
        FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[],
                    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::boolean[],
                    $15::boolean[], $16::boolean[], $17::boolean[])
            AS i (policy_id, scan_id, status, reason, occurred_at, location, description, provider,
                  notice_id, code, time_raw, is_zoned, is_trusted, is_withdrawn, may_replace)
        LEFT JOIN LATERAL (
            SELECT reading, status, reason, is_withdrawn FROM scans s
            WHERE s.policy_id = i.policy_id AND s.scan_id = i.scan_id AND s.tenant_id = $1
            ORDER BY reading DESC LIMIT 1
        ) AS last ON true
        WHERE last.reading IS NULL
            OR i.may_replace AND NOT last.is_withdrawn
                AND (last.status, last.reason) <> (i.status, i.reason)
        ON CONFLICT DO NOTHING RETURNING policy_id, scan_id
        """,
        tenant_id,
        now,
        [s.policy_id for s in scans],
        [s.scan_id for s in scans],
        [s.status for s in scans],
        [s.reason for s in scans],
        [s.occurred_at for s in scans],
        [s.location for s in scans],
        [s.description for s in scans],
        [s.provider for s in scans],
        [s.notice_id for s in scans],
        [s.code for s in scans],
        [s.time_raw for s in scans],
        [s.is_zoned for s in scans],
        [s.is_trusted for s in scans],
        [s.is_withdrawn for s in scans],
        [s.may_replace for s in scans],
    )
    return {(row["policy_id"], row["scan_id"]) for row in rows}


async def list_scans(
    tx: Tx, policy_ids: Iterable[str], *, tenant_id: str
) -> dict[str, list[Scan]]:
    """Every scan of the policies' parcels, as it is read now."""
    rows = await tx.fetch(
        f"""
        SELECT DISTINCT ON (policy_id, scan_id)
            policy_id, scan_id, status, reason, is_trusted, {_HAPPENED_AT}
        FROM scans WHERE tenant_id = $1 AND policy_id = ANY($2)
        ORDER BY policy_id, scan_id, reading DESC
        """,
        tenant_id,
        list(policy_ids),
    )
    by_policy: dict[str, list[Scan]] = {}
    for row in rows:
        by_policy.setdefault(row["policy_id"], []).append(_scan(row))
    return by_policy


async def list_known_scans(
    tx: Tx, policy_id: str, *, tenant_id: str, as_of: datetime, limit: int
) -> list[KnownScan]:
    """What was known of the parcel's way at an instant, as it was read then; the first first."""
    rows = await tx.fetch(
        f"""
        SELECT * FROM (
            SELECT DISTINCT ON (scan_id) *, {_HAPPENED_AT} FROM scans
            WHERE tenant_id = $1 AND policy_id = $2 AND received_at <= $3
            ORDER BY scan_id, reading DESC
        ) AS known
        ORDER BY happened_at, scan_id LIMIT $4
        """,
        tenant_id,
        policy_id,
        as_of,
        limit,
    )
    return [
        KnownScan(
            scan=_scan(row),
            received_at=row["received_at"],
            occurred_at=row["occurred_at"],
            time_raw=row["time_raw"],
            is_zoned=row["is_zoned"],
            location=row["location"],
            description=row["description"],
            provider=row["provider"],
            code=row["code"],
            notice_id=row["notice_id"],
        )
        for row in rows
    ]


def _scan(row: Row) -> Scan:
    return Scan(
        scan_id=row["scan_id"],
        status=row["status"],
        reason=row["reason"],
        occurred_at=row["happened_at"],
        is_trusted=row["is_trusted"],
    )
