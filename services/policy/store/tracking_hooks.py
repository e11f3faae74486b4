"""Where carriers and aggregators post to, and how much came. Every query names its tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from libs.common.db import Row, Tx
from libs.common.errors import Conflict, NotFound

_HOOK = "tenant_id, provider, scheme, sealed_secret, sealed_former, former_until, created_at"


class UnknownTrackingHook(NotFound):
    code = "unknown-tracking-hook"
    title = "There is no tracking hook of this provider in your account"


class HasTrackingHook(Conflict):
    code = "tracking-hook-exists"
    title = "The provider has a tracking hook already"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingHook:
    """Who may post. Secrets are sealed; the former one is good until `former_until`."""

    tenant_id: str
    provider: str
    scheme: str
    sealed_secret: bytes
    created_at: datetime
    sealed_former: bytes | None = None
    former_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Of a tenant and provider on a day: new notices that were read, repeats, and what was refused."""

    tenant_id: str
    provider: str
    day: date
    received: int = 0
    repeated: int = 0
    refused: int = 0
    # The last of the new ones.
    last_received_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What came by a hook so far. `oldest_waiting_at` None: nothing waits to be read."""

    received: int = 0
    repeated: int = 0
    refused: int = 0
    waiting: int = 0
    unread: int = 0
    unknown_codes: int = 0
    last_received_at: datetime | None = None
    oldest_waiting_at: datetime | None = None


async def insert_tracking_hook(tx: Tx, hook: TrackingHook) -> None:
    """HasTrackingHook where the tenant has one of this provider."""
    made = await tx.fetchval(
        """
        INSERT INTO tracking_hooks (tenant_id, provider, scheme, sealed_secret, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING 1
        """,
        hook.tenant_id,
        hook.provider,
        hook.scheme,
        hook.sealed_secret,
        hook.created_at,
    )
    if made is None:
        raise HasTrackingHook(
            f"{hook.provider} has a hook. Rotate its secret, or close it first."
        )


async def find_tracking_hook(tx: Tx, provider: str, *, tenant_id: str) -> TrackingHook | None:
    row = await tx.fetchrow(
        f"SELECT {_HOOK} FROM tracking_hooks WHERE tenant_id = $1 AND provider = $2",
        tenant_id,
        provider,
    )
    return None if row is None else _hook(row)


async def lock_tracking_hook(tx: Tx, provider: str, *, tenant_id: str) -> TrackingHook:
    row = await tx.fetchrow(
        f"SELECT {_HOOK} FROM tracking_hooks WHERE tenant_id = $1 AND provider = $2 FOR UPDATE",
        tenant_id,
        provider,
    )
    if row is None:
        raise UnknownTrackingHook(f"No tracking hook of {provider} in your account.")
    return _hook(row)


async def save_tracking_hook(tx: Tx, hook: TrackingHook) -> None:
    await tx.execute(
        """
        UPDATE tracking_hooks
        SET scheme = $3, sealed_secret = $4, sealed_former = $5, former_until = $6
        WHERE tenant_id = $1 AND provider = $2
        """,
        hook.tenant_id,
        hook.provider,
        hook.scheme,
        hook.sealed_secret,
        hook.sealed_former,
        hook.former_until,
    )


async def remove_tracking_hook(tx: Tx, provider: str, *, tenant_id: str) -> bool:
    """Whether there was one."""
    row = await tx.fetchrow(
        "DELETE FROM tracking_hooks WHERE tenant_id = $1 AND provider = $2 RETURNING 1",
        tenant_id,
        provider,
    )
    return row is not None


async def list_tracking_hooks(tx: Tx, *, tenant_id: str) -> list[tuple[TrackingHook, Traffic]]:
    """By provider; there are never more than there are providers."""
    rows = await tx.fetch(
        f"""
        SELECT {_HOOK}, c.received, c.repeated, c.refused, c.last_received_at, q.waiting,
               q.oldest_waiting_at, r.unread, u.unknown_codes
        FROM tracking_hooks h
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(received), 0)::bigint AS received,
                   coalesce(sum(repeated), 0)::bigint AS repeated,
                   coalesce(sum(refused), 0)::bigint AS refused,
                   max(last_received_at) AS last_received_at
            FROM tracking_counts t WHERE t.tenant_id = $1 AND t.provider = h.provider
        ) AS c
        CROSS JOIN LATERAL (
            SELECT count(*) AS waiting, min(n.received_at) AS oldest_waiting_at
            FROM tracking_queue w JOIN tracking_notices n USING (notice_id)
            WHERE w.tenant_id = $1 AND n.tenant_id = $1 AND n.provider = h.provider
        ) AS q
        CROSS JOIN LATERAL (
            SELECT count(*) AS unread FROM tracking_readings r
            WHERE r.tenant_id = $1 AND r.provider = h.provider AND r.state <> 'READ'
        ) AS r
        CROSS JOIN LATERAL (
            SELECT count(*) AS unknown_codes FROM unknown_codes u
            WHERE u.tenant_id = $1 AND u.provider = h.provider
        ) AS u
        WHERE h.tenant_id = $1 ORDER BY h.provider
        """,
        tenant_id,
    )
    return [(_hook(row), _traffic(row)) for row in rows]


async def count_tracking(tx: Tx, tallies: Sequence[Tally]) -> None:
    """Add to the days' counts; no two may be of one tenant, provider and day."""
    ordered = sorted(tallies, key=lambda one: (one.tenant_id, one.provider, one.day))
    await tx.execute(
        """
        INSERT INTO tracking_counts AS c (tenant_id, provider, day, received, repeated, refused,
                                          last_received_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::bigint[], $5::bigint[],
                             $6::bigint[], $7::timestamptz[])
        ON CONFLICT (tenant_id, provider, day) DO UPDATE SET
            received = c.received + excluded.received, repeated = c.repeated + excluded.repeated,
            refused = c.refused + excluded.refused,
            last_received_at = greatest(c.last_received_at, excluded.last_received_at)
        """,
        [one.tenant_id for one in ordered],
        [one.provider for one in ordered],
        [one.day for one in ordered],
        [one.received for one in ordered],
        [one.repeated for one in ordered],
        [one.refused for one in ordered],
        [one.last_received_at for one in ordered],
    )


def _hook(row: Row) -> TrackingHook:
    return TrackingHook(
        tenant_id=row["tenant_id"],
        provider=row["provider"],
        scheme=row["scheme"],
        sealed_secret=row["sealed_secret"],
        sealed_former=row["sealed_former"],
        former_until=row["former_until"],
        created_at=row["created_at"],
    )


def _traffic(row: Row) -> Traffic:
    return Traffic(
        received=row["received"],
        repeated=row["repeated"],
        refused=row["refused"],
        waiting=row["waiting"],
        unread=row["unread"],
        unknown_codes=row["unknown_codes"],
        last_received_at=row["last_received_at"],
        oldest_waiting_at=row["oldest_waiting_at"],
    )
