"""What customers owe back, why, and what open claims may yet cost. Every query names its tenant."""

from libs.common.db import Row, Tx
from libs.common.money import Money
from libs.common.pagination import Moment
from services.claims.domain.repayments import LateNews, Repayment, UnknownRepayment

_REPAYMENT = """
    repayment_id, claim_id, why, amount_minor, received_minor, currency, state, due_at, settled_at, note
"""


async def insert_repayment(tx: Tx, repayment: Repayment, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO repayments (repayment_id, tenant_id, claim_id, why, amount_minor, currency, state,
                                due_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        repayment.repayment_id,
        tenant_id,
        repayment.claim_id,
        repayment.why,
        repayment.amount.amount_minor,
        repayment.amount.currency,
        repayment.state,
        repayment.due_at,
    )


async def save_repayment(tx: Tx, repayment: Repayment, *, tenant_id: str) -> None:
    await tx.execute(
        """
        UPDATE repayments SET received_minor = $3, state = $4, settled_at = $5, note = $6
        WHERE repayment_id = $1 AND tenant_id = $2
        """,
        repayment.repayment_id,
        tenant_id,
        repayment.received.amount_minor,
        repayment.state,
        repayment.settled_at,
        repayment.note,
    )


async def get_repayment(tx: Tx, repayment_id: str, *, tenant_id: str) -> Repayment:
    row = await tx.fetchrow(
        f"SELECT {_REPAYMENT} FROM repayments WHERE repayment_id = $1 AND tenant_id = $2",
        repayment_id,
        tenant_id,
    )
    if row is None:
        raise UnknownRepayment(f"No repayment {repayment_id} in your account.")
    return _repayment(row)


async def list_repayments(tx: Tx, claim_id: str, *, tenant_id: str) -> list[Repayment]:
    rows = await tx.fetch(
        f"""
        SELECT {_REPAYMENT} FROM repayments WHERE claim_id = $1 AND tenant_id = $2
        ORDER BY due_at, repayment_id
        """,
        claim_id,
        tenant_id,
    )
    return [_repayment(row) for row in rows]


async def list_all_repayments(
    tx: Tx, *, tenant_id: str, state: str | None, before: Moment, limit: int
) -> list[Repayment]:
    """The newest first, of those older than the position."""
    rows = await tx.fetch(
        f"""
        SELECT {_REPAYMENT} FROM repayments
        WHERE tenant_id = $1 AND (due_at, repayment_id) < ($2, $3)
            AND ($4::text IS NULL OR state = $4)
        ORDER BY due_at DESC, repayment_id DESC LIMIT $5
        """,
        tenant_id,
        *before,
        state,
        limit,
    )
    return [_repayment(row) for row in rows]


async def insert_late_news(tx: Tx, news: LateNews, *, tenant_id: str) -> bool:
    """Whether it is news: each kind is said of a claim once."""
    row = await tx.fetchrow(
        """
        INSERT INTO late_news (claim_id, what, tenant_id, happened_at, note, goods_returned, told_by,
                               told_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING 1
        """,
        news.claim_id,
        news.what,
        tenant_id,
        news.happened_at,
        news.note,
        news.goods_returned,
        news.told_by,
        news.told_at,
    )
    return row is not None


async def find_reserve(tx: Tx, claim_id: str, *, tenant_id: str) -> Money | None:
    """What the open claim is expected to cost; None where nothing was ever put by."""
    row = await tx.fetchrow(
        """
        SELECT reserve_minor, reserve_currency FROM claims WHERE claim_id = $1 AND tenant_id = $2
        """,
        claim_id,
        tenant_id,
    )
    if row is None or row["reserve_currency"] is None:
        return None
    return Money(row["reserve_minor"], row["reserve_currency"])


async def save_reserve(tx: Tx, claim_id: str, reserve: Money, *, tenant_id: str) -> None:
    await tx.execute(
        """
        UPDATE claims SET reserve_minor = $3, reserve_currency = $4
        WHERE claim_id = $1 AND tenant_id = $2
        """,
        claim_id,
        tenant_id,
        reserve.amount_minor,
        reserve.currency,
    )


async def list_references(tx: Tx, claim_id: str, *, tenant_id: str) -> list[str]:
    """What the ledger's transfers of a claim are booked under."""
    rows = await tx.fetch(
        """
        SELECT $1 AS reference
        UNION ALL SELECT decision_id FROM decisions WHERE claim_id = $1 AND tenant_id = $2
        UNION ALL SELECT payout_id FROM payouts WHERE claim_id = $1 AND tenant_id = $2
        UNION ALL SELECT recovery_id FROM recoveries WHERE claim_id = $1 AND tenant_id = $2
        UNION ALL SELECT repayment_id FROM repayments WHERE claim_id = $1 AND tenant_id = $2
        UNION ALL SELECT voucher_id FROM vouchers WHERE claim_id = $1 AND tenant_id = $2
        """,
        claim_id,
        tenant_id,
    )
    return [row["reference"] for row in rows]


def _repayment(row: Row) -> Repayment:
    return Repayment(
        repayment_id=row["repayment_id"],
        claim_id=row["claim_id"],
        why=row["why"],
        amount=Money(row["amount_minor"], row["currency"]),
        received=Money(row["received_minor"], row["currency"]),
        state=row["state"],
        due_at=row["due_at"],
        settled_at=row["settled_at"],
        note=row["note"],
    )
