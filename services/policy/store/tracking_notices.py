"""What carriers and aggregators posted, as it came, and what it was read as.

Every query names its tenant.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from libs.common.db import Row, Tx
from libs.common.errors import NotFound
from libs.common.pagination import Moment

_headers = msgspec.json.Decoder(dict[str, list[str]])


class UnknownTrackingNotice(NotFound):
    code = "unknown-tracking-notice"
    title = "There is no such notice in your account"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingNotice:
    """A body as it came, and the headers that came with it (JSON: all values of each name)."""

    notice_id: str
    tenant_id: str
    provider: str
    body: bytes
    headers: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A notice to be read, with its places in the queue; `is_again` where it was read before."""

    notice_id: str
    provider: str
    body: bytes
    received_at: datetime
    is_again: bool
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeReading:
    """What a notice was last read as: READ; UNREADABLE or FAILED, with why."""

    notice_id: str
    provider: str
    state: str
    message_id: str = ""
    kind: str = ""
    detail: str = ""
    scans: int = 0
    matched: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNotice:
    """A notice and its reading; `reading` None while it waits."""

    notice_id: str
    provider: str
    size_bytes: int
    received_at: datetime
    reading: NoticeReading | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownCode:
    """A code that no map has, in how many notices, and one of them."""

    provider: str
    kind: str
    code: str
    notices: int
    first_at: datetime
    last_at: datetime
    notice_id: str


def notice_id_of(tenant_id: str, provider: str, body: bytes) -> str:
    """The same for the same bytes of the same sender: that is how a repeat is known."""
    digest = hashlib.sha256(f"{tenant_id}\n{provider}\n".encode())
    digest.update(body)
    return f"trn_{digest.hexdigest()[:32]}"


async def insert_tracking_notices(tx: Tx, notices: Sequence[TrackingNotice]) -> set[str]:
    """Keep them and have them read; the ids of those that were not there before."""
    rows = await tx.fetch(
        """
        WITH new AS (
            INSERT INTO tracking_notices (notice_id, tenant_id, provider, body, headers, size_bytes,
                                          received_at)
            SELECT i.notice_id, i.tenant_id, i.provider, i.body, i.headers, length(i.body),
                   i.received_at
            FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[],
                        $6::timestamptz[])
                AS i (notice_id, tenant_id, provider, body, headers, received_at)
            -- Two transactions with the same two notices wait for each other in one order only.
            ORDER BY i.notice_id
            ON CONFLICT DO NOTHING RETURNING notice_id, tenant_id
        ), queued AS (
            INSERT INTO tracking_queue (tenant_id, notice_id) SELECT tenant_id, notice_id FROM new
        )
        SELECT notice_id FROM new
        """,
        [n.notice_id for n in notices],
        [n.tenant_id for n in notices],
        [n.provider for n in notices],
        [n.body for n in notices],
        [n.headers for n in notices],
        [n.received_at for n in notices],
    )
    return {row["notice_id"] for row in rows}


async def list_waiting_notices(
    tx: Tx, *, tenant_id: str, behind: int, limit: int
) -> list[Waiting]:
    """The oldest that wait behind that place of the queue, each once."""
    rows = await tx.fetch(
        """
        SELECT n.notice_id, n.provider, n.body, n.received_at, q.is_again, q.places
        FROM (
            SELECT notice_id, bool_or(is_again) AS is_again, array_agg(id) AS places
            FROM (
                SELECT id, notice_id, is_again FROM tracking_queue
                WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3
            ) AS oldest
            GROUP BY notice_id
        ) AS q
        JOIN tracking_notices n USING (notice_id)
        WHERE n.tenant_id = $1 ORDER BY q.places
        """,
        tenant_id,
        behind,
        limit,
    )
    return [
        Waiting(
            notice_id=row["notice_id"],
            provider=row["provider"],
            body=row["body"],
            received_at=row["received_at"],
            is_again=row["is_again"],
            places=tuple(row["places"]),
        )
        for row in rows
    ]


async def take_waiting_notices(
    tx: Tx, notices: Sequence[Waiting], *, tenant_id: str
) -> list[Waiting]:
    """Those that still wait, out of the queue with this transaction's commit."""
    rows = await tx.fetch(
        "DELETE FROM tracking_queue WHERE id = ANY ($2) AND tenant_id = $1 RETURNING id",
        tenant_id,
        [place for notice in notices for place in notice.places],
    )
    taken = {row["id"] for row in rows}
    return [notice for notice in notices if not taken.isdisjoint(notice.places)]


async def list_waiting_tenants(connection: Any, *, limit: int) -> list[str]:
    """Those of the oldest that wait, with a connection of the worker's role."""
    rows = await connection.fetch(
        """
        SELECT tenant_id FROM (SELECT id, tenant_id FROM tracking_queue ORDER BY id LIMIT $1) AS oldest
        GROUP BY tenant_id ORDER BY min(id)
        """,
        limit,
    )
    return [row["tenant_id"] for row in rows]


async def count_waiting_notices(tx: Tx, tenant_id: str) -> int:
    count: int = await tx.fetchval(
        "SELECT count(*) FROM tracking_queue WHERE tenant_id = $1", tenant_id
    )
    return count


async def save_readings(
    tx: Tx, readings: Sequence[NoticeReading], *, tenant_id: str, at: datetime
) -> None:
    await tx.execute(
        """
        INSERT INTO tracking_readings (notice_id, tenant_id, provider, state, message_id, kind, detail,
                                       scans, matched, unknown, read_at)
        SELECT i.notice_id, $1, i.provider, i.state, i.message_id, i.kind, i.detail, i.scans, i.matched,
               i.unknown, $2
        FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int[],
                    $10::int[], $11::int[])
            AS i (notice_id, provider, state, message_id, kind, detail, scans, matched, unknown)
        ON CONFLICT (notice_id) DO UPDATE SET
            state = excluded.state, message_id = excluded.message_id, kind = excluded.kind,
            detail = excluded.detail, scans = excluded.scans, matched = excluded.matched,
            unknown = excluded.unknown, read_at = excluded.read_at
        """,
        tenant_id,
        at,
        [r.notice_id for r in readings],
        [r.provider for r in readings],
        [r.state for r in readings],
        [r.message_id for r in readings],
        [r.kind for r in readings],
        [r.detail for r in readings],
        [r.scans for r in readings],
        [r.matched for r in readings],
        [r.unknown for r in readings],
    )


async def insert_unmatched(
    tx: Tx, unmatched: Iterable[tuple[str, str]], *, tenant_id: str
) -> None:
    """(tracking number, notice): to be read again when a policy has the number."""
    pairs = sorted(set(unmatched))
    await tx.execute(
        """
        INSERT INTO unmatched_parcels (tenant_id, tracking_number, notice_id)
        SELECT $1, * FROM unnest($2::text[], $3::text[]) ON CONFLICT DO NOTHING
        """,
        tenant_id,
        [number for number, _ in pairs],
        [notice_id for _, notice_id in pairs],
    )


async def read_again_for_parcels(
    tx: Tx, tracking_numbers: Iterable[str], *, tenant_id: str
) -> None:
    """A policy has these numbers now: what came of them before is read once more."""
    await tx.execute(
        """
        WITH found AS (
            DELETE FROM unmatched_parcels WHERE tenant_id = $1 AND tracking_number = ANY ($2)
            RETURNING notice_id
        )
        INSERT INTO tracking_queue (tenant_id, notice_id, is_again)
        SELECT DISTINCT $1, notice_id, true FROM found
        """,
        tenant_id,
        sorted(set(tracking_numbers)),
    )


async def read_again(tx: Tx, provider: str, *, tenant_id: str) -> int:
    """Have the provider's notices read once more that could not be, or have an unknown code; how many.

    Their codes are counted anew as they are read.
    """
    count: int = await tx.fetchval(
        """
        WITH forgotten AS (
            DELETE FROM unknown_codes WHERE tenant_id = $1 AND provider = $2
        ), queued AS (
            INSERT INTO tracking_queue (tenant_id, notice_id, is_again)
            SELECT $1, notice_id, true FROM tracking_readings
            WHERE tenant_id = $1 AND provider = $2 AND (state <> 'READ' OR unknown > 0)
            RETURNING 1
        )
        SELECT count(*) FROM queued
        """,
        tenant_id,
        provider,
    )
    return count


async def add_unknown_codes(
    tx: Tx,
    codes: Mapping[tuple[str, str, str], tuple[int, str]],
    *,
    tenant_id: str,
    at: datetime,
) -> None:
    """By (provider, kind, code): in how many more notices, and one of them."""
    found = sorted(codes.items())
    await tx.execute(
        """
        INSERT INTO unknown_codes AS c (tenant_id, provider, kind, code, notices, first_at, last_at,
                                        notice_id)
        SELECT $1, i.provider, i.kind, i.code, i.notices, $2, $2, i.notice_id
        FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[])
            AS i (provider, kind, code, notices, notice_id)
        ON CONFLICT (tenant_id, provider, kind, code) DO UPDATE SET
            notices = c.notices + excluded.notices, last_at = excluded.last_at,
            notice_id = excluded.notice_id
        """,
        tenant_id,
        at,
        [provider for (provider, _, _), _ in found],
        [kind for (_, kind, _), _ in found],
        [code for (_, _, code), _ in found],
        [notices for _, (notices, _) in found],
        [notice_id for _, (_, notice_id) in found],
    )


async def list_unknown_codes(
    tx: Tx, *, tenant_id: str, after: tuple[str, str, str], limit: int
) -> list[UnknownCode]:
    rows = await tx.fetch(
        """
        SELECT provider, kind, code, notices, first_at, last_at, notice_id FROM unknown_codes
        WHERE tenant_id = $1 AND (provider, kind, code) > ($2, $3, $4)
        ORDER BY provider, kind, code LIMIT $5
        """,
        tenant_id,
        *after,
        limit,
    )
    return [UnknownCode(**dict(row)) for row in rows]


async def get_tracking_notice(
    tx: Tx, notice_id: str, *, tenant_id: str
) -> tuple[TrackingNotice, NoticeReading | None]:
    row = await tx.fetchrow(
        """
        SELECT n.notice_id, n.tenant_id, n.provider, n.body, n.headers, n.received_at, r.state,
               r.message_id, r.kind, r.detail, r.scans, r.matched, r.unknown
        FROM tracking_notices n
        LEFT JOIN tracking_readings r ON r.notice_id = n.notice_id AND r.tenant_id = n.tenant_id
        WHERE n.notice_id = $1 AND n.tenant_id = $2
        """,
        notice_id,
        tenant_id,
    )
    if row is None:
        raise UnknownTrackingNotice(f"No notice {notice_id} in your account.")
    notice = TrackingNotice(
        notice_id=row["notice_id"],
        tenant_id=row["tenant_id"],
        provider=row["provider"],
        body=row["body"],
        headers=row["headers"],
        received_at=row["received_at"],
    )
    return notice, _reading(row)


async def list_tracking_notices(
    tx: Tx,
    *,
    tenant_id: str,
    provider: str | None,
    state: str | None,
    since: datetime | None,
    until: datetime | None,
    before: Moment,
    limit: int,
) -> list[KeptNotice]:
    """The newest first. `state` WAITING: not read yet."""
    rows = await tx.fetch(
        """
        SELECT n.notice_id, n.provider, n.size_bytes, n.received_at, r.state, r.message_id, r.kind,
               r.detail, r.scans, r.matched, r.unknown
        FROM tracking_notices n
        LEFT JOIN tracking_readings r ON r.notice_id = n.notice_id AND r.tenant_id = n.tenant_id
        WHERE n.tenant_id = $1 AND (n.received_at, n.notice_id) < ($2, $3)
            AND ($4::text IS NULL OR n.provider = $4)
            AND ($5::text IS NULL OR coalesce(r.state, 'WAITING') = $5)
            AND ($6::timestamptz IS NULL OR n.received_at >= $6)
            AND ($7::timestamptz IS NULL OR n.received_at < $7)
        ORDER BY n.received_at DESC, n.notice_id DESC LIMIT $8
        """,
        tenant_id,
        *before,
        provider,
        state,
        since,
        until,
        limit,
    )
    return [
        KeptNotice(
            notice_id=row["notice_id"],
            provider=row["provider"],
            size_bytes=row["size_bytes"],
            received_at=row["received_at"],
            reading=_reading(row),
        )
        for row in rows
    ]


def headers_of(notice: TrackingNotice) -> Mapping[str, Sequence[str]]:
    return _headers.decode(notice.headers)


def _reading(row: Row) -> NoticeReading | None:
    if row["state"] is None:
        return None
    return NoticeReading(
        notice_id=row["notice_id"],
        provider=row["provider"],
        state=row["state"],
        message_id=row["message_id"],
        kind=row["kind"],
        detail=row["detail"],
        scans=row["scans"],
        matched=row["matched"],
        unknown=row["unknown"],
    )
