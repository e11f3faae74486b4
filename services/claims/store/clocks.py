"""The promised days of claims, and what claimants are asked for. Every query names its tenant."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.db import Row, Tx, jsonb
from services.claims.domain.clocks import Clock
from services.claims.domain.requests import InformationRequest
from services.claims.store.claims import FiledClaim


async def save_timing(tx: Tx, filed: FiledClaim) -> None:
    """When its file was complete, when its clock stood still, whether it comes first."""
    await tx.execute(
        """
        UPDATE claims SET complete_at = $3, is_clean = $4, is_priority = $5, pauses = $6,
            escalated_at = $7
        WHERE claim_id = $1 AND tenant_id = $2
        """,
        filed.claim_id,
        filed.tenant_id,
        filed.claim.complete_at,
        filed.claim.is_clean,
        filed.is_priority,
        jsonb(filed.pauses),
        filed.escalated_at,
    )


async def has_claimed_since(tx: Tx, filed: FiledClaim, since: datetime) -> bool:
    """Whether the customer of the claim's policy has made another claim since then.

    So it counts too where nobody knows the customer: nothing can be said of them.
    """
    is_first = await tx.fetchval(
        """
        SELECT m.terms ->> 'customer_id' <> '' AND NOT EXISTS (
            SELECT 1 FROM covers o JOIN claims c
                ON c.policy_id = o.policy_id AND c.tenant_id = o.tenant_id
            WHERE o.tenant_id = m.tenant_id AND o.terms ->> 'customer_id' <> ''
                AND o.terms ->> 'customer_id' = m.terms ->> 'customer_id'
                AND c.claim_id <> $3 AND c.filed_at >= $4)
        FROM covers m WHERE m.policy_id = $1 AND m.tenant_id = $2
        """,
        filed.policy_id,
        filed.tenant_id,
        filed.claim_id,
        since,
    )
    return not is_first


async def list_clocks(tx: Tx, claim_id: str, *, tenant_id: str) -> dict[str, Clock]:
    """By their names."""
    rows = await tx.fetch(
        """
        SELECT name, category, runs_until, started_at, target_on, due_on, target_at, breach_at,
               state, target_missed_at, breached_at, stopped_at
        FROM claim_clocks WHERE claim_id = $1 AND tenant_id = $2 ORDER BY started_at, name
        """,
        claim_id,
        tenant_id,
    )
    return {row["name"]: Clock(**dict(row)) for row in rows}


async def save_clocks(tx: Tx, filed: FiledClaim, clocks: Sequence[Clock]) -> None:
    """New ones and those that moved, in one statement."""
    if not clocks:
        return
    await tx.execute(
        """
        INSERT INTO claim_clocks (claim_id, tenant_id, name, category, runs_until, started_at,
                                  target_on, due_on, target_at, breach_at, state,
                                  target_missed_at, breached_at, stopped_at)
        SELECT $1, $2, i.* FROM unnest(
            $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::date[], $8::date[],
            $9::timestamptz[], $10::timestamptz[], $11::text[], $12::timestamptz[],
            $13::timestamptz[], $14::timestamptz[]) AS i
        ON CONFLICT (claim_id, name) DO UPDATE SET
            category = excluded.category, runs_until = excluded.runs_until,
            started_at = excluded.started_at, target_on = excluded.target_on,
            due_on = excluded.due_on, target_at = excluded.target_at,
            breach_at = excluded.breach_at, state = excluded.state,
            target_missed_at = excluded.target_missed_at, breached_at = excluded.breached_at,
            stopped_at = excluded.stopped_at
        WHERE claim_clocks.tenant_id = excluded.tenant_id
        """,
        filed.claim_id,
        filed.tenant_id,
        [clock.name for clock in clocks],
        [clock.category for clock in clocks],
        [clock.runs_until for clock in clocks],
        [clock.started_at for clock in clocks],
        [clock.target_on for clock in clocks],
        [clock.due_on for clock in clocks],
        [clock.target_at for clock in clocks],
        [clock.breach_at for clock in clocks],
        [clock.state for clock in clocks],
        [clock.target_missed_at for clock in clocks],
        [clock.breached_at for clock in clocks],
        [clock.stopped_at for clock in clocks],
    )


async def find_open_request(
    tx: Tx, claim_id: str, *, tenant_id: str
) -> InformationRequest | None:
    """What the claimant is asked for now."""
    row = await tx.fetchrow(
        """
        SELECT request_id, missing, outstanding, message, replies, asked_by, asked_at, info_until,
               grace_until, lapses_at, reminded_at, answered_at, lapsed_at
        FROM information_requests
        WHERE claim_id = $1 AND tenant_id = $2 AND answered_at IS NULL AND lapsed_at IS NULL
        """,
        claim_id,
        tenant_id,
    )
    return None if row is None else _request(row)


async def insert_request(tx: Tx, filed: FiledClaim, request: InformationRequest) -> None:
    await tx.execute(
        """
        INSERT INTO information_requests (request_id, tenant_id, claim_id, missing, outstanding,
                                          message, replies, asked_by, asked_at, info_until,
                                          grace_until, lapses_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        request.request_id,
        filed.tenant_id,
        filed.claim_id,
        request.missing,
        request.outstanding,
        request.message,
        request.replies,
        request.asked_by,
        request.asked_at,
        request.info_until,
        request.grace_until,
        request.lapses_at,
    )


async def save_request(tx: Tx, request: InformationRequest, *, tenant_id: str) -> None:
    await tx.execute(
        """
        UPDATE information_requests SET missing = $3, outstanding = $4, replies = $5,
            info_until = $6, grace_until = $7, lapses_at = $8, reminded_at = $9,
            answered_at = $10, lapsed_at = $11
        WHERE request_id = $1 AND tenant_id = $2
        """,
        request.request_id,
        tenant_id,
        request.missing,
        request.outstanding,
        request.replies,
        request.info_until,
        request.grace_until,
        request.lapses_at,
        request.reminded_at,
        request.answered_at,
        request.lapsed_at,
    )


def _request(row: Row) -> InformationRequest:
    texts = {name: tuple(row[name]) for name in ("missing", "outstanding", "replies")}
    return InformationRequest(**{**dict(row), **texts})
