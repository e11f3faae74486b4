"""Policies, payments and scans in the policy schema. Every query names its tenant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from libs.common.db import Row, Tx, jsonb
from libs.common.errors import Conflict, NotFound
from libs.common.money import Money
from services.policy.domain.parcels import Scan
from services.policy.domain.policies import PlanPin, Policy, Terms, Tracking

_terms = msgspec.json.Decoder(Terms)
_tracking = msgspec.json.Decoder(Tracking)

_COLUMNS = """
    policy_id, tenant_id, quote_id, plan, plan_version, plan_sha256, state, terms, currency,
    premium_paid_minor, bound_at, last_paid_at, paid_at, confirmed_at, top_up_lapses_at, cover_start,
    carrier, tracking_number, tracking
"""


class UnknownPolicy(NotFound):
    code = "unknown-policy"
    title = "There is no such policy in your account"


class QuoteAlreadyBound(Conflict):
    code = "quote-already-bound"
    title = "The quote is bound already"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Where the customer is told things. Personal data: never in an event."""

    email: str | None
    locale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    payment_id: str
    policy_id: str
    reference: str
    amount: Money
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedScan:
    """A scan as it came, beside its neutral meaning."""

    policy_id: str
    scan: Scan
    location: str
    description: str


async def insert_policy(tx: Tx, policy: Policy, contact: Contact) -> None:
    """QuoteAlreadyBound when the quote has a policy: a quote is bound once."""
    try:
        await tx.execute(
            """
            INSERT INTO policies (
                policy_id, tenant_id, quote_id, plan, plan_version, plan_sha256, state, terms, currency,
                premium_minor, premium_paid_minor, bound_at, paid_at, confirmed_at, cover_start,
                carrier, tracking_number, tracking, contact_email, contact_locale
            ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                      $19, $20)
            """,
            policy.policy_id,
            policy.tenant_id,
            policy.quote_id,
            policy.plan.plan,
            policy.plan.version,
            policy.plan.sha256,
            policy.state,
            jsonb(policy.terms),
            policy.terms.premium.currency,
            policy.terms.premium.amount_minor,
            policy.premium_paid.amount_minor,
            policy.bound_at,
            policy.paid_at,
            policy.confirmed_at,
            policy.cover_start,
            policy.carrier,
            policy.tracking_number,
            jsonb(policy.tracking),
            contact.email,
            contact.locale,
        )
    except asyncpg.UniqueViolationError as repeated:
        raise QuoteAlreadyBound(
            f"Quote {policy.quote_id} has a policy already. Ask for a new quote for another parcel."
        ) from repeated


async def save_policy(tx: Tx, policy: Policy, *, refund: Money | None = None) -> None:
    """`refund` is what goes back to the payer with this change, where something does."""
    await tx.execute(
        """
        UPDATE policies SET state = $3, premium_paid_minor = $4, paid_at = $5, confirmed_at = $6,
            cover_start = $7, carrier = $8, tracking_number = $9, tracking = $10, last_paid_at = $11,
            top_up_lapses_at = $12, plan = $13, plan_version = $14, plan_sha256 = $15, terms = $16,
            premium_minor = $17, refund_minor = coalesce($18, refund_minor)
        WHERE policy_id = $1 AND tenant_id = $2
        """,
        policy.policy_id,
        policy.tenant_id,
        policy.state,
        policy.premium_paid.amount_minor,
        policy.paid_at,
        policy.confirmed_at,
        policy.cover_start,
        policy.carrier,
        policy.tracking_number,
        jsonb(policy.tracking),
        policy.last_paid_at,
        policy.top_up_lapses_at,
        policy.plan.plan,
        policy.plan.version,
        policy.plan.sha256,
        jsonb(policy.terms),
        policy.terms.premium.amount_minor,
        None if refund is None else refund.amount_minor,
    )


async def get_policy(tx: Tx, policy_id: str, *, tenant_id: str) -> Policy:
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM policies WHERE policy_id = $1 AND tenant_id = $2",
        policy_id,
        tenant_id,
    )
    return _found(row, policy_id)


async def get_snapshot(tx: Tx, policy_id: str, *, tenant_id: str) -> tuple[Policy, int]:
    """The policy and the count of its events so far, as one statement sees them together."""
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS}, (
            SELECT last FROM event_sequences s
            WHERE s.tenant_id = policies.tenant_id AND s.key = policies.policy_id
        ) AS last
        FROM policies WHERE policy_id = $1 AND tenant_id = $2
        """,
        policy_id,
        tenant_id,
    )
    if row is None:
        raise _unknown(policy_id)
    return _policy(row), row["last"]


async def list_policy_ids(
    tx: Tx, *, tenant_id: str, carrier: str, tracking_number: str, order_ref: str
) -> list[str]:
    """Policies of a number (of that carrier, where one is named) or of an order, newest first."""
    rows = await tx.fetch(
        """
        SELECT policy_id FROM policies
        WHERE tenant_id = $1 AND (
            ($3 <> '' AND tracking_number = $3 AND carrier IN ($2, CASE $2 WHEN '' THEN carrier END))
            OR ($4 <> '' AND terms ->> 'order_ref' = $4)
        )
        ORDER BY bound_at DESC, policy_id LIMIT 100
        """,
        tenant_id,
        carrier,
        tracking_number,
        order_ref,
    )
    return [row["policy_id"] for row in rows]


async def find_policy_of_quote(tx: Tx, quote_id: str, *, tenant_id: str) -> Policy | None:
    """Locked, where the quote is bound."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM policies WHERE quote_id = $1 AND tenant_id = $2 FOR UPDATE",
        quote_id,
        tenant_id,
    )
    return None if row is None else _policy(row)


async def lock_policy(tx: Tx, policy_id: str, *, tenant_id: str) -> Policy:
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM policies WHERE policy_id = $1 AND tenant_id = $2 FOR UPDATE",
        policy_id,
        tenant_id,
    )
    return _found(row, policy_id)


async def lock_policies(tx: Tx, policy_ids: Iterable[str], *, tenant_id: str) -> list[Policy]:
    """Those of the policies that are there, locked in the order of their ids."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM policies WHERE policy_id = ANY($1) AND tenant_id = $2
        ORDER BY policy_id FOR UPDATE
        """,
        list(policy_ids),
        tenant_id,
    )
    return [_policy(row) for row in rows]


async def find_policies_of_parcels(
    tx: Tx, parcels: Sequence[tuple[str, str]], *, tenant_id: str
) -> dict[tuple[str, str], str]:
    """The newest policy's id by (carrier, tracking number)."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT ON (p.carrier, p.tracking_number) p.carrier, p.tracking_number, p.policy_id
        FROM policies p JOIN unnest($1::text[], $2::text[]) AS w (carrier, tracking_number)
            ON p.carrier = w.carrier AND p.tracking_number = w.tracking_number
        WHERE p.tenant_id = $3
        ORDER BY p.carrier, p.tracking_number, p.bound_at DESC
        """,
        [carrier for carrier, _ in parcels],
        [number for _, number in parcels],
        tenant_id,
    )
    return {(row["carrier"], row["tracking_number"]): row["policy_id"] for row in rows}


async def get_contact(tx: Tx, policy_id: str, *, tenant_id: str) -> tuple[Contact, str]:
    """Where to tell the customer, and the order's reference in their words."""
    row = await tx.fetchrow(
        """
        SELECT contact_email, contact_locale, terms ->> 'order_ref' AS order_ref
        FROM policies WHERE policy_id = $1 AND tenant_id = $2
        """,
        policy_id,
        tenant_id,
    )
    if row is None:
        raise _unknown(policy_id)
    return Contact(email=row["contact_email"], locale=row["contact_locale"]), row[
        "order_ref"
    ] or ""


async def find_payment(
    tx: Tx, policy_id: str, reference: str, *, tenant_id: str
) -> Payment | None:
    row = await tx.fetchrow(
        """
        SELECT payment_id, policy_id, reference, amount_minor, currency, received_at
        FROM payments WHERE tenant_id = $1 AND policy_id = $2 AND reference = $3
        """,
        tenant_id,
        policy_id,
        reference,
    )
    return None if row is None else _payment(row)


async def insert_payment(tx: Tx, payment: Payment, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO payments
            (payment_id, tenant_id, policy_id, reference, amount_minor, currency, received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        payment.payment_id,
        tenant_id,
        payment.policy_id,
        payment.reference,
        payment.amount.amount_minor,
        payment.amount.currency,
        payment.received_at,
    )


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


def _found(row: Row | None, policy_id: str) -> Policy:
    if row is None:
        raise _unknown(policy_id)
    return _policy(row)


def _unknown(policy_id: str) -> UnknownPolicy:
    return UnknownPolicy(f"No policy {policy_id} in your account.")


def _policy(row: Row) -> Policy:
    return Policy(
        policy_id=row["policy_id"],
        tenant_id=row["tenant_id"],
        quote_id=row["quote_id"],
        plan=PlanPin(plan=row["plan"], version=row["plan_version"], sha256=row["plan_sha256"]),
        terms=_terms.decode(row["terms"]),
        state=row["state"],
        bound_at=row["bound_at"],
        premium_paid=Money(row["premium_paid_minor"], row["currency"]),
        last_paid_at=row["last_paid_at"],
        paid_at=row["paid_at"],
        confirmed_at=row["confirmed_at"],
        top_up_lapses_at=row["top_up_lapses_at"],
        cover_start=row["cover_start"],
        carrier=row["carrier"],
        tracking_number=row["tracking_number"],
        tracking=_tracking.decode(row["tracking"]),
    )


def _payment(row: Row) -> Payment:
    return Payment(
        payment_id=row["payment_id"],
        policy_id=row["policy_id"],
        reference=row["reference"],
        amount=Money(row["amount_minor"], row["currency"]),
        received_at=row["received_at"],
    )
