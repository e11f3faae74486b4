"""Claims' own copy of policies. Every query names its tenant."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from libs.common.db import Row, Tx, jsonb
from libs.common.errors import NotFound
from libs.common.money import Money
from services.claims.domain.cases import Cover, OrderPosition, Terms, Tracking

# A policy by its tenant and its id.
Policy: TypeAlias = tuple[str, str]

_terms = msgspec.json.Decoder(Terms)
_tracking = msgspec.json.Decoder(Tracking)

_COVER = """
    policy_id, tenant_id, plan, plan_version, plan_sha256, state, terms, tracking, paid_at,
    confirmed_at, carrier, tracking_number, sequence
"""


class UnknownPolicy(NotFound):
    code = "unknown-policy"
    title = "There is no such policy in your account"


async def upsert_covers(tx: Tx, covers: Sequence[Cover]) -> list[Policy]:
    """Keep the newest copy of each policy: a lower sequence never replaces a higher one.

    Those whose parcel was heard of before: its position is kept.
    """
    rows = await tx.fetch(
        """
        WITH kept AS (
            INSERT INTO covers AS c (policy_id, tenant_id, plan, plan_version, plan_sha256, state,
                                     terms, paid_at, confirmed_at, order_ref, sequence, carrier,
                                     tracking_number)
            SELECT policy_id, tenant_id, plan, plan_version, plan_sha256, state, terms::jsonb, paid_at,
                   confirmed_at, order_ref, sequence, carrier, tracking_number
            FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[],
                        $7::text[], $8::timestamptz[], $9::timestamptz[], $10::text[], $11::bigint[],
                        $12::text[], $13::text[])
                AS i (policy_id, tenant_id, plan, plan_version, plan_sha256, state, terms, paid_at,
                      confirmed_at, order_ref, sequence, carrier, tracking_number)
            ON CONFLICT (policy_id) DO UPDATE SET
                plan = excluded.plan, plan_version = excluded.plan_version,
                plan_sha256 = excluded.plan_sha256, state = excluded.state, terms = excluded.terms,
                paid_at = excluded.paid_at, confirmed_at = excluded.confirmed_at,
                order_ref = excluded.order_ref, sequence = excluded.sequence
            WHERE c.sequence < excluded.sequence AND c.tenant_id = excluded.tenant_id
            RETURNING c.tenant_id, c.policy_id, c.tracking
        )
        SELECT tenant_id, policy_id FROM kept WHERE tracking <> '{}'
        """,
        [c.policy_id for c in covers],
        [c.tenant_id for c in covers],
        [c.plan for c in covers],
        [c.plan_version for c in covers],
        [c.plan_sha256 for c in covers],
        [c.state for c in covers],
        [jsonb(c.terms) for c in covers],
        [c.paid_at for c in covers],
        [c.confirmed_at for c in covers],
        [c.terms.order_ref for c in covers],
        [c.sequence for c in covers],
        [c.carrier for c in covers],
        [c.tracking_number for c in covers],
    )
    return [(row["tenant_id"], row["policy_id"]) for row in rows]


async def list_foreign(tx: Tx, covers: Sequence[Cover]) -> list[str]:
    """Policies among these that are not their tenant's: another had them first."""
    rows = await tx.fetch(
        """
        SELECT i.policy_id FROM unnest($1::text[], $2::text[]) AS i (tenant_id, policy_id)
        LEFT JOIN covers c ON c.tenant_id = i.tenant_id AND c.policy_id = i.policy_id
        WHERE c.policy_id IS NULL ORDER BY i.policy_id
        """,
        [cover.tenant_id for cover in covers],
        [cover.policy_id for cover in covers],
    )
    return [row["policy_id"] for row in rows]


async def save_cover(tx: Tx, cover: Cover) -> None:
    await tx.execute(
        """
        UPDATE covers SET state = $3, tracking = $4, sequence = $5, carrier = $6, tracking_number = $7,
            plan = $8, plan_version = $9, plan_sha256 = $10, terms = $11, paid_at = $12,
            confirmed_at = $13, order_ref = $14
        WHERE policy_id = $1 AND tenant_id = $2 AND sequence < $5
        """,
        cover.policy_id,
        cover.tenant_id,
        cover.state,
        jsonb(cover.tracking),
        cover.sequence,
        cover.carrier,
        cover.tracking_number,
        cover.plan,
        cover.plan_version,
        cover.plan_sha256,
        jsonb(cover.terms),
        cover.paid_at,
        cover.confirmed_at,
        cover.terms.order_ref,
    )


async def save_moved(tx: Tx, covers: Sequence[Cover]) -> None:
    """State and position of the covers, in one statement: what news of them changes."""
    if not covers:
        return
    await tx.execute(
        """
        UPDATE covers c SET state = i.state, tracking = i.tracking::jsonb, sequence = i.sequence,
            carrier = i.carrier, tracking_number = i.tracking_number
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[])
            AS i (tenant_id, policy_id, state, tracking, sequence, carrier, tracking_number)
        WHERE c.tenant_id = i.tenant_id AND c.policy_id = i.policy_id AND c.sequence < i.sequence
        """,
        [cover.tenant_id for cover in covers],
        [cover.policy_id for cover in covers],
        [cover.state for cover in covers],
        [jsonb(cover.tracking) for cover in covers],
        [cover.sequence for cover in covers],
        [cover.carrier for cover in covers],
        [cover.tracking_number for cover in covers],
    )


async def find_cover(tx: Tx, policy_id: str, *, tenant_id: str) -> Cover | None:
    row = await tx.fetchrow(
        f"SELECT {_COVER} FROM covers WHERE policy_id = $1 AND tenant_id = $2",
        policy_id,
        tenant_id,
    )
    return None if row is None else _cover(row)


async def list_policy_ids(
    tx: Tx, *, tenant_id: str, carrier: str, tracking_number: str, order_ref: str
) -> list[str]:
    """Known policies of a parcel's number (of that carrier, where one is named) or of an order."""
    rows = await tx.fetch(
        """
        SELECT policy_id FROM covers
        WHERE tenant_id = $1 AND (
            ($3 <> '' AND tracking_number = $3 AND carrier IN ($2, CASE $2 WHEN '' THEN carrier END))
            OR ($4 <> '' AND order_ref = $4)
        )
        ORDER BY policy_id LIMIT 100
        """,
        tenant_id,
        carrier,
        tracking_number,
        order_ref,
    )
    return [row["policy_id"] for row in rows]


async def get_cover(tx: Tx, policy_id: str, *, tenant_id: str) -> Cover:
    row = await tx.fetchrow(
        f"SELECT {_COVER} FROM covers WHERE policy_id = $1 AND tenant_id = $2",
        policy_id,
        tenant_id,
    )
    return _known(None if row is None else _cover(row), policy_id)


async def lock_cover(tx: Tx, policy_id: str, *, tenant_id: str) -> Cover:
    """Whoever decides on a policy's claims holds this row: one decision at a time."""
    covers = await lock_covers(tx, [(tenant_id, policy_id)])
    return _known(covers.get((tenant_id, policy_id)), policy_id)


async def lock_covers(tx: Tx, policies: Sequence[Policy]) -> dict[Policy, Cover]:
    """Those of the (tenant, policy) pairs that are there, by them.

    The other parcels of their orders are locked with them, since a cap may be per order (JS-16);
    all in the order of their ids, so that nobody waits for each other.
    """
    rows = await tx.fetch(
        f"""
        WITH wanted AS (
            SELECT c.tenant_id, c.policy_id, c.order_ref
            FROM covers c JOIN unnest($1::text[], $2::text[]) AS w (tenant_id, policy_id)
                ON c.tenant_id = w.tenant_id AND c.policy_id = w.policy_id
        )
        SELECT {_COVER}, policy_id IN (SELECT policy_id FROM wanted) AS is_wanted FROM covers c
        WHERE policy_id IN (SELECT policy_id FROM wanted) OR (
            order_ref <> '' AND (tenant_id, order_ref) IN (SELECT tenant_id, order_ref FROM wanted)
        )
        ORDER BY policy_id FOR UPDATE OF c
        """,
        [tenant_id for tenant_id, _ in policies],
        [policy_id for _, policy_id in policies],
    )
    return {
        (row["tenant_id"], row["policy_id"]): _cover(row) for row in rows if row["is_wanted"]
    }


async def order_position(tx: Tx, cover: Cover) -> OrderPosition | None:
    """The order's parcels together; None where the parcel is no order's."""
    if not cover.terms.order_ref:
        return None
    row = await tx.fetchrow(
        """
        SELECT
            (SELECT coalesce(sum((terms -> 'insured_value' ->> 'amount_minor')::bigint), 0)::bigint
             FROM covers WHERE tenant_id = $1 AND order_ref = $2
                AND state NOT IN ('PENDING', 'CANCELLED', 'INVALID', 'VOID')) AS insured,
            (SELECT coalesce(sum((d.parts -> 'delay' ->> 'amount_minor')::bigint), 0)::bigint
             FROM covers o JOIN claims c ON c.policy_id = o.policy_id AND c.tenant_id = o.tenant_id
                AND c.state <> 'WITHDRAWN'
             JOIN LATERAL (
                SELECT parts FROM decisions
                WHERE claim_id = c.claim_id AND tenant_id = c.tenant_id AND is_settled
                ORDER BY number DESC LIMIT 1
             ) d ON true
             WHERE o.tenant_id = $1 AND o.order_ref = $2 AND o.policy_id <> $3) AS delay_paid
        """,
        cover.tenant_id,
        cover.terms.order_ref,
        cover.policy_id,
    )
    assert row is not None
    return OrderPosition(
        insured_value=Money(row["insured"], cover.currency),
        delay_paid=Money(row["delay_paid"], cover.currency),
    )


def _known(cover: Cover | None, policy_id: str) -> Cover:
    if cover is None:
        raise UnknownPolicy(f"No policy {policy_id} in your account.")
    return cover


def _cover(row: Row) -> Cover:
    return Cover(
        policy_id=row["policy_id"],
        tenant_id=row["tenant_id"],
        plan=row["plan"],
        plan_version=row["plan_version"],
        plan_sha256=row["plan_sha256"],
        state=row["state"],
        terms=_terms.decode(row["terms"]),
        tracking=_tracking.decode(row["tracking"]),
        paid_at=row["paid_at"],
        confirmed_at=row["confirmed_at"],
        carrier=row["carrier"],
        tracking_number=row["tracking_number"],
        sequence=row["sequence"],
    )
