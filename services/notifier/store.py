"""Covers and notifications in the notifier schema. Every query names its tenant."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from libs.common.db import Row, Tx
from libs.common.errors import NotFound
from libs.common.money import Money
from services.notifier.domain.notices import (
    LETTERS,
    Cover,
    Letter,
    Notice,
    Notification,
)

_letters = {shape.template: msgspec.json.Decoder(shape) for shape in LETTERS}

_COLUMNS = """
    notification_id, number, tenant_id, template, channel, recipient, event_id, occasion, policy_id,
    claim_id, letter, caused_at, state, attempts, cause, sent_at, address
"""


class UnknownNotification(NotFound):
    code = "unknown-notification"
    title = "There is no such notification in your account"


class UnknownCover(NotFound):
    code = "unknown-policy"
    title = "The policy was never said to be paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """None leaves a list as it is."""

    policy_id: str | None = None
    claim_id: str | None = None
    state: str | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A notification and its place among those owed; a higher number was owed later."""

    number: int
    notification: Notification


# --- covers ----------------------------------------------------------------------------------


async def save_cover(tx: Tx, cover: Cover) -> None:
    """What was paid takes the place of what was issued, never the other way round."""
    await tx.execute(
        """
        INSERT INTO covers (tenant_id, policy_id, plan_sha256, insured_minor, premium_minor, currency)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id, policy_id) DO UPDATE
        SET plan_sha256 = excluded.plan_sha256, insured_minor = excluded.insured_minor,
            premium_minor = excluded.premium_minor, currency = excluded.currency
        WHERE excluded.premium_minor IS NOT NULL
        """,
        cover.tenant_id,
        cover.policy_id,
        cover.plan_sha256,
        cover.insured_value.amount_minor,
        None if cover.premium is None else cover.premium.amount_minor,
        cover.insured_value.currency,
    )


async def find_cover(tx: Tx, policy_id: str, *, tenant_id: str) -> Cover | None:
    row = await tx.fetchrow(
        """
        SELECT tenant_id, policy_id, plan_sha256, insured_minor, premium_minor, currency
        FROM covers WHERE policy_id = $1 AND tenant_id = $2
        """,
        policy_id,
        tenant_id,
    )
    return None if row is None else _cover(row)


async def get_paid_cover(tx: Tx, policy_id: str, *, tenant_id: str) -> Cover:
    """The cover with its premium."""
    cover = await find_cover(tx, policy_id, tenant_id=tenant_id)
    if cover is None or cover.premium is None:
        raise UnknownCover(f"No PolicyPaid of {policy_id} came before.")
    return cover


def _cover(row: Row) -> Cover:
    currency, premium_minor = row["currency"], row["premium_minor"]
    return Cover(
        tenant_id=row["tenant_id"],
        policy_id=row["policy_id"],
        plan_sha256=row["plan_sha256"],
        insured_value=Money(row["insured_minor"], currency),
        premium=None if premium_minor is None else Money(premium_minor, currency),
    )


# --- notifications ---------------------------------------------------------------------------


async def insert_notification(tx: Tx, notification: Notification) -> bool:
    """Whether it is owed now for the first time: an event tells a recipient one thing once."""
    notice = notification.notice
    row = await tx.fetchrow(
        """
        INSERT INTO notifications (
            notification_id, tenant_id, template, channel, recipient, event_id, occasion, policy_id,
            claim_id, letter, caused_at, state, attempts
        ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT DO NOTHING RETURNING 1
        """,
        notification.notification_id,
        notice.tenant_id,
        notice.letter.template,
        notification.channel,
        notification.recipient,
        notice.event_id,
        notice.occasion,
        notice.policy_id,
        notice.claim_id,
        msgspec.json.encode(notice.letter).decode(),
        notice.caused_at,
        notification.state,
        notification.attempts,
    )
    return row is not None


async def get_notification(tx: Tx, notification_id: str, *, tenant_id: str) -> Notification:
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM notifications WHERE notification_id = $1 AND tenant_id = $2",
        notification_id,
        tenant_id,
    )
    return _found(row, notification_id)


async def lock_notification(tx: Tx, notification_id: str, *, tenant_id: str) -> Notification:
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM notifications
        WHERE notification_id = $1 AND tenant_id = $2 FOR UPDATE
        """,
        notification_id,
        tenant_id,
    )
    return _found(row, notification_id)


async def save_notification(tx: Tx, notification: Notification) -> None:
    await tx.execute(
        """
        UPDATE notifications
        SET state = $3, attempts = $4, cause = $5, sent_at = $6, address = $7
        WHERE notification_id = $1 AND tenant_id = $2
        """,
        notification.notification_id,
        notification.notice.tenant_id,
        notification.state,
        notification.attempts,
        notification.cause,
        notification.sent_at,
        notification.address,
    )


async def find_last_letter(
    tx: Tx, claim_id: str, template: str, *, tenant_id: str
) -> Letter | None:
    """What the claim's customer was told last by this template."""
    row = await tx.fetchrow(
        """
        SELECT template, letter FROM notifications
        WHERE claim_id = $1 AND template = $2 AND tenant_id = $3 ORDER BY number DESC LIMIT 1
        """,
        claim_id,
        template,
        tenant_id,
    )
    return None if row is None else _letter(row)


async def list_notifications(
    tx: Tx, filters: Filters, *, tenant_id: str, before: int | None, limit: int
) -> Sequence[Numbered]:
    """The newest first, those owed earlier than number `before` where it is given."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM notifications
        WHERE tenant_id = $1
            AND ($2::text IS NULL OR policy_id = $2)
            AND ($3::text IS NULL OR claim_id = $3)
            AND ($4::text IS NULL OR state = $4)
            AND ($5::text IS NULL OR template = $5)
            AND ($6::bigint IS NULL OR number < $6)
        ORDER BY number DESC LIMIT $7
        """,
        tenant_id,
        filters.policy_id,
        filters.claim_id,
        filters.state,
        filters.template,
        before,
        limit,
    )
    return [Numbered(number=row["number"], notification=_notification(row)) for row in rows]


def _found(row: Row | None, notification_id: str) -> Notification:
    if row is None:
        raise UnknownNotification(f"No notification {notification_id} in your account.")
    return _notification(row)


def _notification(row: Row) -> Notification:
    return Notification(
        notification_id=row["notification_id"],
        notice=Notice(
            tenant_id=row["tenant_id"],
            event_id=row["event_id"],
            occasion=row["occasion"],
            caused_at=row["caused_at"],
            letter=_letter(row),
            policy_id=row["policy_id"],
            claim_id=row["claim_id"],
        ),
        channel=row["channel"],
        state=row["state"],
        attempts=row["attempts"],
        cause=row["cause"],
        sent_at=row["sent_at"],
        address=row["address"],
    )


def _letter(row: Row) -> Letter:
    return _letters[row["template"]].decode(row["letter"])
