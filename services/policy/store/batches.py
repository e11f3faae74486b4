"""Batches: their rows until they are worked, the rows' answers, and what was booked by which reference.

Every query names its tenant.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from libs.common.db import Row as DbRow
from libs.common.db import Tx, jsonb
from libs.common.errors import NotFound
from libs.common.money import Money
from libs.common.pagination import Moment
from services.policy.domain.batches import (
    Answer,
    Asked,
    Batch,
    Refused,
    Result,
    Row,
    Uploaded,
)

_asked = msgspec.json.Decoder(Asked)
_problem = msgspec.json.Decoder(Refused)
_totals = msgspec.json.Decoder(dict[str, int])
_BATCH = """
    batch_id, tenant_id, name, form, uploaded_by, state, rows, unreadable, booked, repeated, refused,
    premium, paid, worked_to, started_at, worked_at, finished_at
"""
_ANSWER = """
    line, reference, result, policy_id, quote_id, premium_minor, currency, state, problem
"""


class UnknownBatch(NotFound):
    code = "unknown-batch"
    title = "There is no such batch in your account"


async def insert_batch(tx: Tx, batch: Batch) -> None:
    await tx.execute(
        """
        INSERT INTO batches (batch_id, tenant_id, name, form, uploaded_by, state, rows, unreadable,
                             refused, started_at, finished_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        batch.batch_id,
        batch.tenant_id,
        batch.name,
        batch.form,
        batch.uploaded_by,
        batch.state,
        batch.rows,
        batch.unreadable,
        batch.refused,
        batch.started_at,
        batch.finished_at,
    )


async def insert_rows(
    tx: Tx, batch_id: str, rows: Sequence[Uploaded], *, tenant_id: str
) -> None:
    await tx.execute(
        """
        INSERT INTO batch_rows (tenant_id, batch_id, line, reference, asked, result, problem)
        SELECT $1, $2, i.line, i.reference, i.asked,
               CASE WHEN i.asked IS NULL THEN 'refused' ELSE 'waiting' END, i.problem
        FROM unnest($3::int[], $4::text[], $5::text[], $6::text[])
            AS i (line, reference, asked, problem)
        """,
        tenant_id,
        batch_id,
        [row.line for row in rows],
        [row.reference for row in rows],
        [None if row.asked is None else jsonb(row.asked) for row in rows],
        [None if row.refused is None else jsonb(row.refused) for row in rows],
    )


async def get_batch(tx: Tx, batch_id: str, *, tenant_id: str) -> Batch:
    row = await tx.fetchrow(
        f"SELECT {_BATCH} FROM batches WHERE batch_id = $1 AND tenant_id = $2",
        batch_id,
        tenant_id,
    )
    return _found(row, batch_id)


async def lock_batch(tx: Tx, batch_id: str, *, tenant_id: str) -> Batch:
    row = await tx.fetchrow(
        f"SELECT {_BATCH} FROM batches WHERE batch_id = $1 AND tenant_id = $2 FOR UPDATE",
        batch_id,
        tenant_id,
    )
    return _found(row, batch_id)


async def list_batches(
    tx: Tx,
    *,
    tenant_id: str,
    state: str | None,
    since: datetime | None,
    until: datetime | None,
    before: Moment,
    limit: int,
) -> list[Batch]:
    """Newest first, of those older than the position."""
    rows = await tx.fetch(
        f"""
        SELECT {_BATCH} FROM batches
        WHERE tenant_id = $1 AND (started_at, batch_id) < ($2, $3)
            AND ($4::text IS NULL OR state = $4)
            AND ($5::timestamptz IS NULL OR started_at >= $5)
            AND ($6::timestamptz IS NULL OR started_at < $6)
        ORDER BY started_at DESC, batch_id DESC LIMIT $7
        """,
        tenant_id,
        *before,
        state,
        since,
        until,
        limit,
    )
    return [_batch(row) for row in rows]


async def save_batch(tx: Tx, batch: Batch) -> None:
    await tx.execute(
        """
        UPDATE batches SET state = $3, booked = $4, repeated = $5, refused = $6, premium = $7,
            paid = $8, worked_to = $9, worked_at = $10, finished_at = $11
        WHERE batch_id = $1 AND tenant_id = $2
        """,
        batch.batch_id,
        batch.tenant_id,
        batch.state,
        batch.booked,
        batch.repeated,
        batch.refused,
        jsonb(batch.premium),
        jsonb(batch.paid),
        batch.worked_to,
        batch.worked_at,
        batch.finished_at,
    )


async def list_waiting_rows(
    tx: Tx, batch: Batch, *, behind: int, limit: int, max_bytes: int
) -> list[Row]:
    """The next rows to work, in their order: no more than `max_bytes` of text, but one at least."""
    rows = await tx.fetch(
        """
        SELECT line, reference, asked FROM (
            SELECT line, reference, asked, sum(octet_length(asked)) OVER (ORDER BY line) AS so_far,
                   row_number() OVER (ORDER BY line) AS place
            FROM (
                SELECT line, reference, asked FROM batch_rows
                WHERE tenant_id = $1 AND batch_id = $2 AND line > $3 AND result = 'waiting'
                ORDER BY line LIMIT $4
            ) AS next
        ) AS counted
        WHERE so_far <= $5 OR place = 1 ORDER BY line
        """,
        batch.tenant_id,
        batch.batch_id,
        behind,
        limit,
        max_bytes,
    )
    return [
        Row(line=row["line"], reference=row["reference"], asked=_asked.decode(row["asked"]))
        for row in rows
    ]


async def find_bookings(tx: Tx, references: Sequence[str], *, tenant_id: str) -> dict[str, str]:
    """By reference, the policies that were booked under it."""
    rows = await tx.fetch(
        "SELECT reference, policy_id FROM batch_bookings WHERE tenant_id = $1 AND reference = ANY ($2)",
        tenant_id,
        references,
    )
    return {row["reference"]: row["policy_id"] for row in rows}


async def lock_bookings(tx: Tx, references: Sequence[str], *, tenant_id: str) -> dict[str, str]:
    """As `find_bookings`, and nobody else books for the tenant before this is committed."""
    await tx.fetchval(
        "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 8))",
        tenant_id,
    )
    return await find_bookings(tx, references, tenant_id=tenant_id)


async def insert_bookings(
    tx: Tx, batch_id: str, booked: Sequence[Answer], *, tenant_id: str
) -> None:
    await tx.execute(
        """
        INSERT INTO batch_bookings (tenant_id, reference, policy_id, batch_id, line)
        SELECT $1, i.reference, i.policy_id, $2, i.line
        FROM unnest($3::text[], $4::text[], $5::int[]) AS i (reference, policy_id, line)
        """,
        tenant_id,
        batch_id,
        [answer.reference for answer in booked],
        [answer.policy_id for answer in booked],
        [answer.line for answer in booked],
    )


async def save_answers(
    tx: Tx, batch_id: str, answers: Sequence[Answer], *, tenant_id: str
) -> None:
    """The rows are worked: what they asked is forgotten."""
    await tx.execute(
        """
        UPDATE batch_rows r
        SET asked = NULL, result = i.result, policy_id = i.policy_id, quote_id = i.quote_id,
            premium_minor = i.premium_minor, currency = i.currency, state = i.state,
            problem = i.problem
        FROM unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
                    $9::text[], $10::text[])
            AS i (line, result, policy_id, quote_id, premium_minor, currency, state, problem)
        WHERE r.tenant_id = $1 AND r.batch_id = $2 AND r.line = i.line
        """,
        tenant_id,
        batch_id,
        [answer.line for answer in answers],
        [answer.result for answer in answers],
        [answer.policy_id for answer in answers],
        [answer.quote_id for answer in answers],
        [None if a.premium is None else a.premium.amount_minor for a in answers],
        [None if a.premium is None else a.premium.currency for a in answers],
        [answer.state for answer in answers],
        [None if a.refused is None else jsonb(a.refused) for a in answers],
    )


async def cancel_rows(tx: Tx, batch: Batch) -> None:
    """What waits is never worked, and what it asked is forgotten."""
    await tx.execute(
        """
        UPDATE batch_rows SET asked = NULL, result = 'cancelled'
        WHERE tenant_id = $1 AND batch_id = $2 AND line > $3 AND result = 'waiting'
        """,
        batch.tenant_id,
        batch.batch_id,
        batch.worked_to,
    )


async def list_answers(
    tx: Tx,
    batch_id: str,
    *,
    tenant_id: str,
    result: str | None,
    after: int,
    limit: int,
) -> list[Answer]:
    """What became of the rows behind that line, in their order."""
    rows = await tx.fetch(
        f"""
        SELECT {_ANSWER} FROM batch_rows
        WHERE tenant_id = $1 AND batch_id = $2 AND line > $3
            AND ($4::text IS NULL OR result = $4)
        ORDER BY line LIMIT $5
        """,
        tenant_id,
        batch_id,
        after,
        result,
        limit,
    )
    return [_answer(row) for row in rows]


def _found(row: DbRow | None, batch_id: str) -> Batch:
    if row is None:
        raise UnknownBatch(f"No batch {batch_id} in your account.")
    return _batch(row)


def _batch(row: DbRow) -> Batch:
    columns: Mapping[str, object] = {
        **row,
        "premium": _totals.decode(row["premium"]),
        "paid": _totals.decode(row["paid"]),
    }
    return Batch(**columns)  # type: ignore[arg-type]


def _answer(row: DbRow) -> Answer:
    minor = row["premium_minor"]
    return Answer(
        line=row["line"],
        reference=row["reference"],
        result=Result(row["result"]),
        policy_id=row["policy_id"],
        quote_id=row["quote_id"],
        premium=None if minor is None else Money(minor, row["currency"]),
        state=row["state"],
        refused=None if row["problem"] is None else _problem.decode(row["problem"]),
    )
