"""What carriers said of policies' parcels. Every query names its tenant."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from libs.common.db import Row, Tx
from services.policy.domain.parcels import Scan, happened_at, when


class ReceivedScan(msgspec.Struct, frozen=True, kw_only=True):
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


class KnownScan(msgspec.Struct, frozen=True, kw_only=True):
    """A scan of a parcel's history, with where and when it was said, and which reading it is.

    `received_at` is when it was told, `read_at` when it was read as it is read here: later where a
    longer map knew its code, or where it was taken back.
    """

    scan: Scan
    reading: int
    is_withdrawn: bool
    received_at: datetime
    read_at: datetime
    # As it was said; None and empty where it was not.
    occurred_at: datetime | None = None
    time_raw: str = ""
    is_zoned: bool = True
    location: str = ""
    description: str = ""
    provider: str = ""
    code: str = ""
    notice_id: str = ""


async def insert_scans(
    tx: Tx, scans: Sequence[tuple[ReceivedScan, int]], *, tenant_id: str, now: datetime
) -> None:
    """Keep the scans, each as that reading of it. Their policies are locked: nobody else writes any."""
    await tx.execute(
        """
        INSERT INTO scans (tenant_id, policy_id, scan_id, reading, status, reason, occurred_at,
                           received_at, location, description, provider, notice_id, code, time_raw,
                           is_zoned, is_trusted, is_withdrawn)
        SELECT $1, i.policy_id, i.scan_id, i.reading, i.status, i.reason, i.occurred_at, $2, i.location,
               i.description, i.provider, i.notice_id, i.code, i.time_raw, i.is_zoned, i.is_trusted,
               i.is_withdrawn
        FROM unnest($3::text[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::timestamptz[],
                    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
                    $15::boolean[], $16::boolean[], $17::boolean[])
            AS i (policy_id, scan_id, reading, status, reason, occurred_at, location, description,
                  provider, notice_id, code, time_raw, is_zoned, is_trusted, is_withdrawn)
        """,
        tenant_id,
        now,
        [s.policy_id for s, _ in scans],
        [s.scan_id for s, _ in scans],
        [reading for _, reading in scans],
        [s.status for s, _ in scans],
        [s.reason for s, _ in scans],
        [s.occurred_at for s, _ in scans],
        [s.location for s, _ in scans],
        [s.description for s, _ in scans],
        [s.provider for s, _ in scans],
        [s.notice_id for s, _ in scans],
        [s.code for s, _ in scans],
        [s.time_raw for s, _ in scans],
        [s.is_zoned for s, _ in scans],
        [s.is_trusted for s, _ in scans],
        [s.is_withdrawn for s, _ in scans],
    )


async def list_scans(
    tx: Tx, policy_ids: Iterable[str], *, tenant_id: str
) -> dict[str, dict[str, KnownScan]]:
    """By policy and id every scan of its parcel as it is read now, without what was said around it."""
    rows = await tx.fetch(
        """
        SELECT policy_id, scan_id, reading, status, reason, occurred_at, received_at, is_zoned,
               is_trusted, is_withdrawn
        FROM scans WHERE tenant_id = $1 AND policy_id = ANY($2)
        ORDER BY reading
        """,
        tenant_id,
        list(policy_ids),
    )
    by_policy: dict[str, dict[str, KnownScan]] = {}
    for row in rows:
        known = by_policy.setdefault(row["policy_id"], {})
        before = known.get(row["scan_id"])
        told_at = row["received_at"] if before is None else before.received_at
        known[row["scan_id"]] = KnownScan(
            scan=_scan(row, told_at),
            reading=row["reading"],
            is_withdrawn=row["is_withdrawn"],
            received_at=told_at,
            read_at=row["received_at"],
        )
    return by_policy


async def list_known_scans(
    tx: Tx, policy_id: str, *, tenant_id: str, as_of: datetime
) -> list[KnownScan]:
    """What was known of the parcel's way at an instant, as it was read then; the first first."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT ON (scan_id) *, min(received_at) OVER (PARTITION BY scan_id) AS told_at
        FROM scans
        WHERE tenant_id = $1 AND policy_id = $2 AND received_at <= $3
        ORDER BY scan_id, reading DESC
        """,
        tenant_id,
        policy_id,
        as_of,
    )
    known = [
        KnownScan(
            scan=_scan(row, row["told_at"]),
            reading=row["reading"],
            is_withdrawn=row["is_withdrawn"],
            received_at=row["told_at"],
            read_at=row["received_at"],
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
    return sorted(known, key=lambda one: when(one.scan))


def _scan(row: Row, told_at: datetime) -> Scan:
    return Scan(
        scan_id=row["scan_id"],
        status=row["status"],
        reason=row["reason"],
        # However often it has been read since.
        occurred_at=happened_at(row["occurred_at"], told_at, is_zoned=row["is_zoned"]),
        is_trusted=row["is_trusted"],
    )
