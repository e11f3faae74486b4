"""What was paid for policies, what goes back of it, and disputes. Every query names its tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.common.db import Row, Tx
from libs.common.errors import NotFound
from libs.common.money import Money, zero
from libs.common.pagination import Moment
from services.policy.domain.payments import Standing

SHOP = "shop"

_PAYMENT = """
    payment_id, policy_id, reference, amount_minor, applied_minor, currency, standing, channel, paid_at,
    received_at
"""
_REFUND = """
    refund_id, policy_id, reason, payment_id, amount_minor, settled_minor, currency, state,
    requested_at, settled_at, reference, failure
"""
_DISPUTE = """
    dispute_id, payment_id, policy_id, amount_minor, currency, state, opened_at, closed_at
"""


class UnknownRefund(NotFound):
    code = "unknown-refund"
    title = "There is no such refund in your account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """`reference` is the payer's own: the same payment told twice, by whomever, is one."""

    payment_id: str
    policy_id: str
    reference: str
    amount: Money
    applied: Money
    standing: Standing
    channel: str
    paid_at: datetime
    received_at: datetime

    @property
    def returned(self) -> Money:
        return self.amount - self.applied


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """What is owed back to a payer; SETTLED once all of it has left our hands."""

    refund_id: str
    policy_id: str
    reason: str
    amount: Money
    settled: Money
    state: str
    requested_at: datetime
    payment_id: str | None = None
    settled_at: datetime | None = None
    reference: str = ""
    failure: str = ""

    @property
    def open(self) -> Money:
        return self.amount - self.settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    dispute_id: str
    payment_id: str
    policy_id: str
    amount: Money
    state: str
    opened_at: datetime
    closed_at: datetime | None = None


async def find_payment(
    tx: Tx, policy_id: str, reference: str, *, tenant_id: str
) -> Payment | None:
    row = await tx.fetchrow(
        f"""
        SELECT {_PAYMENT} FROM payments
        WHERE tenant_id = $1 AND policy_id = $2 AND reference = $3
        """,
        tenant_id,
        policy_id,
        reference,
    )
    return None if row is None else _payment(row)


async def find_policy_of_payment(tx: Tx, reference: str, *, tenant_id: str) -> str | None:
    """Whose payment has that reference: providers name theirs once in an account."""
    policy_id: str | None = await tx.fetchval(
        "SELECT policy_id FROM payments WHERE tenant_id = $1 AND reference = $2 LIMIT 1",
        tenant_id,
        reference,
    )
    return policy_id


async def list_payments(tx: Tx, policy_id: str, *, tenant_id: str) -> list[Payment]:
    """In the order they came."""
    rows = await tx.fetch(
        f"""
        SELECT {_PAYMENT} FROM payments WHERE tenant_id = $1 AND policy_id = $2
        ORDER BY received_at, payment_id
        """,
        tenant_id,
        policy_id,
    )
    return [_payment(row) for row in rows]


async def insert_payments(tx: Tx, payments: Sequence[Payment], *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO payments (payment_id, tenant_id, policy_id, reference, amount_minor, applied_minor,
                              currency, standing, channel, paid_at, received_at)
        SELECT i.payment_id, $1, i.policy_id, i.reference, i.amount_minor, i.applied_minor, i.currency,
               i.standing, i.channel, i.paid_at, i.received_at
        FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[],
                    $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[])
            AS i (payment_id, policy_id, reference, amount_minor, applied_minor, currency, standing,
                  channel, paid_at, received_at)
        """,
        tenant_id,
        [p.payment_id for p in payments],
        [p.policy_id for p in payments],
        [p.reference for p in payments],
        [p.amount.amount_minor for p in payments],
        [p.applied.amount_minor for p in payments],
        [p.amount.currency for p in payments],
        [p.standing for p in payments],
        [p.channel for p in payments],
        [p.paid_at for p in payments],
        [p.received_at for p in payments],
    )


async def reversed_of(tx: Tx, payment: Payment, *, tenant_id: str) -> Money:
    """What its provider has given back of the payment, or holds back in a dispute."""
    minor = await tx.fetchval(
        """
        SELECT coalesce(sum(-e.amount_minor), 0)::bigint
        FROM ledger_transfers t JOIN ledger_entries e USING (transfer_id, tenant_id)
        WHERE t.tenant_id = $1 AND t.policy_id = $2 AND e.account = 'cash'
            AND t.kind IN ('payment-reversed', 'dispute-opened', 'dispute-won')
            AND starts_with(t.reference, $3 || ':')
        """,
        tenant_id,
        payment.policy_id,
        payment.payment_id,
    )
    return Money(minor, payment.amount.currency)


async def insert_refund(tx: Tx, refund: Refund, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO refunds (refund_id, tenant_id, policy_id, reason, payment_id, amount_minor,
                             currency, state, requested_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        refund.refund_id,
        tenant_id,
        refund.policy_id,
        refund.reason,
        refund.payment_id,
        refund.amount.amount_minor,
        refund.amount.currency,
        refund.state,
        refund.requested_at,
    )


async def find_policy_of_refund(tx: Tx, refund_id: str, *, tenant_id: str) -> str:
    """Whose refund it is: the policy is locked before its refunds are."""
    policy_id: str | None = await tx.fetchval(
        "SELECT policy_id FROM refunds WHERE refund_id = $1 AND tenant_id = $2",
        refund_id,
        tenant_id,
    )
    if policy_id is None:
        raise UnknownRefund(f"No refund {refund_id} in your account.")
    return policy_id


async def list_refunds_of(tx: Tx, policy_id: str, *, tenant_id: str) -> list[Refund]:
    """In the order they were asked for."""
    rows = await tx.fetch(
        f"""
        SELECT {_REFUND} FROM refunds WHERE tenant_id = $1 AND policy_id = $2
        ORDER BY requested_at, refund_id
        """,
        tenant_id,
        policy_id,
    )
    return [_refund(row) for row in rows]


async def list_refunds(
    tx: Tx,
    *,
    tenant_id: str,
    state: str | None,
    since: datetime | None,
    until: datetime | None,
    before: Moment,
    limit: int,
) -> list[Refund]:
    """Newest first, of those older than the position."""
    rows = await tx.fetch(
        f"""
        SELECT {_REFUND} FROM refunds
        WHERE tenant_id = $1 AND (requested_at, refund_id) < ($2, $3)
            AND ($4::text IS NULL OR state = $4)
            AND ($5::timestamptz IS NULL OR requested_at >= $5)
            AND ($6::timestamptz IS NULL OR requested_at < $6)
        ORDER BY requested_at DESC, refund_id DESC LIMIT $7
        """,
        tenant_id,
        *before,
        state,
        since,
        until,
        limit,
    )
    return [_refund(row) for row in rows]


async def save_refund(tx: Tx, refund: Refund, *, tenant_id: str) -> None:
    await tx.execute(
        """
        UPDATE refunds SET settled_minor = $3, state = $4, settled_at = $5, reference = $6,
            failure = $7
        WHERE refund_id = $1 AND tenant_id = $2
        """,
        refund.refund_id,
        tenant_id,
        refund.settled.amount_minor,
        refund.state,
        refund.settled_at,
        refund.reference,
        refund.failure,
    )


async def find_open_dispute(tx: Tx, payment_id: str, *, tenant_id: str) -> Dispute | None:
    row = await tx.fetchrow(
        f"""
        SELECT {_DISPUTE} FROM disputes
        WHERE tenant_id = $1 AND payment_id = $2 AND state = 'OPEN'
        """,
        tenant_id,
        payment_id,
    )
    return None if row is None else _dispute(row)


async def list_disputes(tx: Tx, policy_id: str, *, tenant_id: str) -> list[Dispute]:
    rows = await tx.fetch(
        f"""
        SELECT {_DISPUTE} FROM disputes WHERE tenant_id = $1 AND policy_id = $2
        ORDER BY opened_at, dispute_id
        """,
        tenant_id,
        policy_id,
    )
    return [_dispute(row) for row in rows]


async def insert_dispute(tx: Tx, dispute: Dispute, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO disputes
            (dispute_id, tenant_id, payment_id, policy_id, amount_minor, currency, state, opened_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        dispute.dispute_id,
        tenant_id,
        dispute.payment_id,
        dispute.policy_id,
        dispute.amount.amount_minor,
        dispute.amount.currency,
        dispute.state,
        dispute.opened_at,
    )


async def save_dispute(tx: Tx, dispute: Dispute, *, tenant_id: str) -> None:
    await tx.execute(
        """
        UPDATE disputes SET state = $3, closed_at = $4 WHERE dispute_id = $1 AND tenant_id = $2
        """,
        dispute.dispute_id,
        tenant_id,
        dispute.state,
        dispute.closed_at,
    )


def _payment(row: Row) -> Payment:
    currency = row["currency"]
    return Payment(
        payment_id=row["payment_id"],
        policy_id=row["policy_id"],
        reference=row["reference"],
        amount=Money(row["amount_minor"], currency),
        applied=Money(row["applied_minor"], currency),
        standing=Standing(row["standing"]),
        channel=row["channel"],
        paid_at=row["paid_at"],
        received_at=row["received_at"],
    )


def _refund(row: Row) -> Refund:
    currency = row["currency"]
    return Refund(
        refund_id=row["refund_id"],
        policy_id=row["policy_id"],
        reason=row["reason"],
        payment_id=row["payment_id"],
        amount=Money(row["amount_minor"], currency),
        settled=Money(row["settled_minor"], currency),
        state=row["state"],
        requested_at=row["requested_at"],
        settled_at=row["settled_at"],
        reference=row["reference"],
        failure=row["failure"],
    )


def _dispute(row: Row) -> Dispute:
    return Dispute(
        dispute_id=row["dispute_id"],
        payment_id=row["payment_id"],
        policy_id=row["policy_id"],
        amount=Money(row["amount_minor"], row["currency"]),
        state=row["state"],
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
    )


def new_refund(
    refund_id: str,
    policy_id: str,
    amount: Money,
    *,
    reason: str,
    payment_id: str | None,
    now: datetime,
) -> Refund:
    return Refund(
        refund_id=refund_id,
        policy_id=policy_id,
        reason=reason,
        payment_id=payment_id,
        amount=amount,
        settled=zero(amount.currency),
        state="DUE",
        requested_at=now,
    )
