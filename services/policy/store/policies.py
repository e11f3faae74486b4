"""Policies. Every query names its tenant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import msgspec

from libs.common.carriers import may_be_one_carrier
from libs.common.db import Row, Tx, jsonb
from libs.common.errors import Conflict, NotFound
from libs.common.money import Money
from libs.common.pagination import Moment
from services.policy.domain.parcels import Bearer
from services.policy.domain.policies import ENDED, OPEN, PlanPin, Policy, Terms, Tracking

_terms = msgspec.json.Decoder(Terms)


@lru_cache(maxsize=2048)
def _terms_of(text: str) -> Terms:
    """The same text is the same terms, and a busy policy is read several times in a few seconds."""
    return _terms.decode(text)


_tracking = msgspec.json.Decoder(Tracking)
_COLUMNS = """
    policy_id, tenant_id, quote_id, plan, plan_version, plan_sha256, state, terms, currency,
    premium_paid_minor, refund_minor, bound_at, last_paid_at, paid_at, confirmed_at, lapses_at,
    cover_start, carrier, tracking_number, tracking, consent_id
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


async def insert_policies(
    tx: Tx, policies: Sequence[tuple[Policy, Contact]], *, tenant_id: str
) -> set[str]:
    """The ids of those that are new; a policy whose quote has one already is left out."""
    rows = await tx.fetch(
        """
        INSERT INTO policies (
            policy_id, tenant_id, quote_id, plan, plan_version, plan_sha256, state, terms, currency,
            premium_minor, premium_paid_minor, bound_at, last_paid_at, paid_at, confirmed_at,
            cover_start, carrier, tracking_number, tracking, contact_email, contact_locale,
            consent_id, lapses_at
        )
        SELECT i.policy_id, $1, i.quote_id, i.plan, i.plan_version, i.plan_sha256, i.state,
               i.terms::jsonb, i.currency, i.premium_minor, i.premium_paid_minor, i.bound_at,
               i.last_paid_at, i.paid_at, i.confirmed_at, i.cover_start, i.carrier, i.tracking_number,
               i.tracking::jsonb, i.contact_email, i.contact_locale, i.consent_id, i.lapses_at
        FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[],
                    $9::text[], $10::bigint[], $11::bigint[], $12::timestamptz[], $13::timestamptz[],
                    $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::text[],
                    $18::text[], $19::text[], $20::text[], $21::text[], $22::text[],
                    $23::timestamptz[])
            AS i (policy_id, quote_id, plan, plan_version, plan_sha256, state, terms, currency,
                  premium_minor, premium_paid_minor, bound_at, last_paid_at, paid_at, confirmed_at,
                  cover_start, carrier, tracking_number, tracking, contact_email, contact_locale,
                  consent_id, lapses_at)
        ON CONFLICT (tenant_id, quote_id) DO NOTHING RETURNING policy_id
        """,
        tenant_id,
        [p.policy_id for p, _ in policies],
        [p.quote_id for p, _ in policies],
        [p.plan.plan for p, _ in policies],
        [p.plan.version for p, _ in policies],
        [p.plan.sha256 for p, _ in policies],
        [p.state for p, _ in policies],
        [jsonb(p.terms) for p, _ in policies],
        [p.terms.premium.currency for p, _ in policies],
        [p.terms.premium.amount_minor for p, _ in policies],
        [p.premium_paid.amount_minor for p, _ in policies],
        [p.bound_at for p, _ in policies],
        [p.last_paid_at for p, _ in policies],
        [p.paid_at for p, _ in policies],
        [p.confirmed_at for p, _ in policies],
        [p.cover_start for p, _ in policies],
        [p.carrier for p, _ in policies],
        [p.tracking_number for p, _ in policies],
        [jsonb(p.tracking) for p, _ in policies],
        [contact.email for _, contact in policies],
        [contact.locale for _, contact in policies],
        [p.consent_id for p, _ in policies],
        [p.lapses_at for p, _ in policies],
    )
    return {row["policy_id"] for row in rows}


async def insert_policy(tx: Tx, policy: Policy, contact: Contact) -> None:
    """QuoteAlreadyBound when the quote has a policy: a quote is bound once."""
    if not await insert_policies(tx, [(policy, contact)], tenant_id=policy.tenant_id):
        raise QuoteAlreadyBound(
            f"Quote {policy.quote_id} has a policy already. Ask for a new quote for another parcel."
        )


async def save_policy(tx: Tx, policy: Policy) -> None:
    await tx.execute(
        """
        UPDATE policies SET state = $3, premium_paid_minor = $4, paid_at = $5, confirmed_at = $6,
            cover_start = $7, carrier = $8, tracking_number = $9, tracking = $10, last_paid_at = $11,
            lapses_at = $12, plan = $13, plan_version = $14, plan_sha256 = $15, terms = $16,
            premium_minor = $17, refund_minor = $18, moved_at = $19
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
        policy.lapses_at,
        policy.plan.plan,
        policy.plan.version,
        policy.plan.sha256,
        jsonb(policy.terms),
        policy.terms.premium.amount_minor,
        policy.refund.amount_minor,
        policy.tracking.moved_at,
    )


async def save_positions(tx: Tx, policies: Sequence[Policy], *, tenant_id: str) -> None:
    """What scans change of policies, in one statement."""
    await tx.execute(
        """
        UPDATE policies p SET state = i.state, cover_start = i.cover_start,
            tracking = i.tracking::jsonb, moved_at = i.moved_at
        FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[])
            AS i (policy_id, state, cover_start, tracking, moved_at)
        WHERE p.policy_id = i.policy_id AND p.tenant_id = $1
        """,
        tenant_id,
        [p.policy_id for p in policies],
        [p.state for p in policies],
        [p.cover_start for p in policies],
        [jsonb(p.tracking) for p in policies],
        [p.tracking.moved_at for p in policies],
    )


async def save_contact(tx: Tx, policy_id: str, contact: Contact, *, tenant_id: str) -> None:
    await tx.execute(
        """
        UPDATE policies SET contact_email = $3, contact_locale = $4
        WHERE policy_id = $1 AND tenant_id = $2
        """,
        policy_id,
        tenant_id,
        contact.email,
        contact.locale,
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


async def list_bearers(
    tx: Tx, tracking_numbers: Iterable[str], *, tenant_id: str
) -> dict[str, list[Bearer]]:
    """By number, the policies that have it or had it."""
    rows = await tx.fetch(
        """
        SELECT tracking_number, policy_id, carrier, bound_at, state FROM policies
        WHERE tenant_id = $1 AND tracking_number <> '' AND tracking_number = ANY ($2)
        """,
        tenant_id,
        list(tracking_numbers),
    )
    by_number: dict[str, list[Bearer]] = {}
    for row in rows:
        bearer = Bearer(
            policy_id=row["policy_id"],
            carrier=row["carrier"],
            bound_at=row["bound_at"],
            is_ended=row["state"] in ENDED,
        )
        by_number.setdefault(row["tracking_number"], []).append(bearer)
    return by_number


async def lock_numbers(tx: Tx, tracking_numbers: Iterable[str], *, tenant_id: str) -> None:
    """Whoever gives a number to a policy, or finds that it is nobody's, waits for others who do."""
    await tx.fetch(
        """
        SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(chr(10), $1::text, number), 7))
        FROM unnest($2::text[]) AS w (number)
        """,
        tenant_id,
        sorted(set(tracking_numbers)),
    )


async def hold_parcels(
    tx: Tx, parcels: Iterable[tuple[str, str]], *, tenant_id: str, besides: str = ""
) -> dict[tuple[str, str], str]:
    """Of these (carrier, tracking number) the policies whose parcels are still on their way.

    A number whose carrier is not known may be any carrier's. `besides` is a policy that does not
    count. Whoever names a parcel asks here first; two who name one number wait for each other.
    """
    wanted = sorted(set(parcels))
    if not wanted:
        return {}
    await lock_numbers(tx, (number for _, number in wanted), tenant_id=tenant_id)
    rows = await tx.fetch(
        """
        SELECT policy_id, carrier, tracking_number FROM policies
        WHERE tenant_id = $1 AND tracking_number <> '' AND tracking_number = ANY ($2)
            AND policy_id <> $3 AND state = ANY ($4) AND tracking ->> 'delivered_at' IS NULL
        """,
        tenant_id,
        sorted({number for _, number in wanted}),
        besides,
        list(OPEN),
    )
    return {
        (carrier, number): row["policy_id"]
        for carrier, number in wanted
        for row in rows
        if row["tracking_number"] == number and may_be_one_carrier(row["carrier"], carrier)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A list's filters; None is any."""

    state: str | None = None
    plan: str | None = None
    order_ref: str | None = None
    tracking_number: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def list_policies(
    tx: Tx, wanted: Wanted, *, tenant_id: str, before: Moment, limit: int
) -> list[Policy]:
    """Newest first, of those older than the position."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM policies
        WHERE tenant_id = $1 AND (bound_at, policy_id) < ($2, $3)
            AND ($4::text IS NULL OR state = $4)
            AND ($5::text IS NULL OR plan = $5)
            AND ($6::text IS NULL OR terms ->> 'order_ref' = $6)
            AND ($7::text IS NULL OR tracking_number = $7)
            AND ($8::timestamptz IS NULL OR bound_at >= $8)
            AND ($9::timestamptz IS NULL OR bound_at < $9)
        ORDER BY bound_at DESC, policy_id DESC LIMIT $10
        """,
        tenant_id,
        *before,
        wanted.state,
        wanted.plan,
        wanted.order_ref,
        wanted.tracking_number,
        wanted.since,
        wanted.until,
        limit,
    )
    return [_policy(row) for row in rows]


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
        terms=_terms_of(row["terms"]),
        state=row["state"],
        bound_at=row["bound_at"],
        premium_paid=Money(row["premium_paid_minor"], row["currency"]),
        refund=Money(row["refund_minor"], row["currency"]),
        last_paid_at=row["last_paid_at"],
        paid_at=row["paid_at"],
        confirmed_at=row["confirmed_at"],
        lapses_at=row["lapses_at"],
        cover_start=row["cover_start"],
        carrier=row["carrier"],
        tracking_number=row["tracking_number"],
        tracking=_tracking.decode(row["tracking"]),
        consent_id=row["consent_id"],
    )
