"""Payment providers' hooks, and the notices that came by them. Every query names its tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from libs.common.db import Row, Tx
from libs.common.errors import NotFound
from libs.common.money import Money
from libs.common.pagination import Moment

# The one kind that waits for nothing: it is the payment.
RECEIVED: Final = "payment.received"

_HOOK = "hook_id, tenant_id, provider, sealed_secret, sealed_former, former_until, created_at"
_NOTICE = """
    notice_id, hook_id, provider_event_id, kind, policy_id, reference, amount_minor, currency,
    occurred_at, body, body_sha256, received_at, state, detail
"""


class UnknownHook(NotFound):
    code = "unknown-payment-hook"
    title = "There is no such payment hook in your account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Where a provider posts to. Secrets are sealed; the former one is good until `former_until`."""

    hook_id: str
    tenant_id: str
    provider: str
    sealed_secret: bytes
    created_at: datetime
    sealed_former: bytes | None = None
    former_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a provider said, as it came and in neutral words. WAITING: for the payment it is about."""

    notice_id: str
    hook_id: str
    provider_event_id: str
    kind: str
    body: bytes
    body_sha256: bytes
    received_at: datetime
    policy_id: str = ""
    reference: str = ""
    amount: Money | None = None
    occurred_at: datetime | None = None
    state: str = "WAITING"
    detail: str = ""


async def insert_hook(tx: Tx, hook: Hook) -> None:
    await tx.execute(
        """
        INSERT INTO payment_hooks (hook_id, tenant_id, provider, sealed_secret, created_at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        hook.hook_id,
        hook.tenant_id,
        hook.provider,
        hook.sealed_secret,
        hook.created_at,
    )


async def get_hook(tx: Tx, hook_id: str, *, tenant_id: str) -> Hook:
    row = await tx.fetchrow(
        f"SELECT {_HOOK} FROM payment_hooks WHERE hook_id = $1 AND tenant_id = $2",
        hook_id,
        tenant_id,
    )
    return _found(row, hook_id)


async def lock_hook(tx: Tx, hook_id: str, *, tenant_id: str) -> Hook:
    row = await tx.fetchrow(
        f"SELECT {_HOOK} FROM payment_hooks WHERE hook_id = $1 AND tenant_id = $2 FOR UPDATE",
        hook_id,
        tenant_id,
    )
    return _found(row, hook_id)


async def list_hooks(tx: Tx, *, tenant_id: str, before: Moment, limit: int) -> list[Hook]:
    rows = await tx.fetch(
        f"""
        SELECT {_HOOK} FROM payment_hooks
        WHERE tenant_id = $1 AND (created_at, hook_id) < ($2, $3)
        ORDER BY created_at DESC, hook_id DESC LIMIT $4
        """,
        tenant_id,
        *before,
        limit,
    )
    return [_hook(row) for row in rows]


async def save_hook(tx: Tx, hook: Hook) -> None:
    await tx.execute(
        """
        UPDATE payment_hooks SET sealed_secret = $3, sealed_former = $4, former_until = $5
        WHERE hook_id = $1 AND tenant_id = $2
        """,
        hook.hook_id,
        hook.tenant_id,
        hook.sealed_secret,
        hook.sealed_former,
        hook.former_until,
    )


async def insert_notice(tx: Tx, notice: Notice, *, tenant_id: str) -> bool:
    """Whether it is new; the provider's same event again is not kept a second time."""
    new = await tx.fetchval(
        """
        INSERT INTO payment_notices (notice_id, tenant_id, hook_id, provider_event_id, kind, policy_id,
                                     reference, amount_minor, currency, occurred_at, body,
                                     body_sha256, received_at, state, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (hook_id, provider_event_id) DO NOTHING RETURNING 1
        """,
        notice.notice_id,
        tenant_id,
        notice.hook_id,
        notice.provider_event_id,
        notice.kind,
        notice.policy_id,
        notice.reference,
        None if notice.amount is None else notice.amount.amount_minor,
        None if notice.amount is None else notice.amount.currency,
        notice.occurred_at,
        notice.body,
        notice.body_sha256,
        notice.received_at,
        notice.state,
        notice.detail,
    )
    return new is not None


async def find_notice(
    tx: Tx, hook_id: str, provider_event_id: str, *, tenant_id: str
) -> Notice | None:
    row = await tx.fetchrow(
        f"""
        SELECT {_NOTICE} FROM payment_notices
        WHERE tenant_id = $1 AND hook_id = $2 AND provider_event_id = $3
        """,
        tenant_id,
        hook_id,
        provider_event_id,
    )
    return None if row is None else _notice(row)


async def save_notice(tx: Tx, notice: Notice, *, tenant_id: str) -> None:
    await tx.execute(
        """
        UPDATE payment_notices SET state = $3, detail = $4 WHERE notice_id = $1 AND tenant_id = $2
        """,
        notice.notice_id,
        tenant_id,
        notice.state,
        notice.detail,
    )


async def list_waiting(tx: Tx, references: Sequence[str], *, tenant_id: str) -> list[Notice]:
    """Those that wait for payments of these references, in the order they came."""
    rows = await tx.fetch(
        f"""
        SELECT {_NOTICE} FROM payment_notices
        WHERE tenant_id = $1 AND reference = ANY ($2) AND state = 'WAITING' AND kind <> $3
        ORDER BY received_at, notice_id
        """,
        tenant_id,
        references,
        RECEIVED,
    )
    return [_notice(row) for row in rows]


async def list_notices(
    tx: Tx,
    *,
    tenant_id: str,
    state: str | None,
    since: datetime | None,
    until: datetime | None,
    before: Moment,
    limit: int,
) -> list[Notice]:
    rows = await tx.fetch(
        f"""
        SELECT {_NOTICE} FROM payment_notices
        WHERE tenant_id = $1 AND (received_at, notice_id) < ($2, $3)
            AND ($4::text IS NULL OR state = $4)
            AND ($5::timestamptz IS NULL OR received_at >= $5)
            AND ($6::timestamptz IS NULL OR received_at < $6)
        ORDER BY received_at DESC, notice_id DESC LIMIT $7
        """,
        tenant_id,
        *before,
        state,
        since,
        until,
        limit,
    )
    return [_notice(row) for row in rows]


def _found(row: Row | None, hook_id: str) -> Hook:
    if row is None:
        raise UnknownHook(f"No payment hook {hook_id} in your account.")
    return _hook(row)


def _hook(row: Row) -> Hook:
    return Hook(**dict(row))


def _notice(row: Row) -> Notice:
    minor = row["amount_minor"]
    return Notice(
        notice_id=row["notice_id"],
        hook_id=row["hook_id"],
        provider_event_id=row["provider_event_id"],
        kind=row["kind"],
        policy_id=row["policy_id"],
        reference=row["reference"],
        amount=None if minor is None else Money(minor, row["currency"]),
        occurred_at=row["occurred_at"],
        body=row["body"],
        body_sha256=row["body_sha256"],
        received_at=row["received_at"],
        state=row["state"],
        detail=row["detail"],
    )
