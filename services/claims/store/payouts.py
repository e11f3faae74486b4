"""Payouts, advances, and the money that comes back. Every query names its tenant."""

from datetime import datetime

from libs.common.db import Row, Tx
from libs.common.errors import NotFound
from libs.common.money import Money
from services.claims.domain.filing import Payout
from services.claims.domain.money_back import Recovery


class UnknownPayout(NotFound):
    code = "unknown-payout"
    title = "There is no such payout in your account"


async def insert_payout(tx: Tx, payout: Payout, *, tenant_id: str, now: datetime) -> None:
    await tx.execute(
        """
        INSERT INTO payouts (payout_id, tenant_id, claim_id, decision_id, amount_minor, currency,
                             instrument, state, created_at, kind)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        payout.payout_id,
        tenant_id,
        payout.claim_id,
        payout.decision_id,
        payout.amount.amount_minor,
        payout.amount.currency,
        payout.instrument,
        payout.state,
        now,
        payout.kind,
    )


async def save_payout(tx: Tx, payout: Payout, *, tenant_id: str) -> None:
    await tx.execute(
        """
        UPDATE payouts SET state = $3, reference = $4, sent_at = $5, settled_at = $6, attempt = $7
        WHERE payout_id = $1 AND tenant_id = $2
        """,
        payout.payout_id,
        tenant_id,
        payout.state,
        payout.reference,
        payout.sent_at,
        payout.settled_at,
        payout.attempt,
    )


async def get_payout(tx: Tx, payout_id: str, *, tenant_id: str) -> Payout:
    row = await tx.fetchrow(
        """
        SELECT p.*, c.policy_id FROM payouts p JOIN claims c USING (claim_id, tenant_id)
        WHERE p.payout_id = $1 AND p.tenant_id = $2
        """,
        payout_id,
        tenant_id,
    )
    if row is None:
        raise UnknownPayout(f"No payout {payout_id} in your account.")
    return _payout(row)


async def list_payouts(tx: Tx, claim_id: str, *, tenant_id: str) -> list[Payout]:
    rows = await tx.fetch(
        """
        SELECT p.*, c.policy_id FROM payouts p JOIN claims c USING (claim_id, tenant_id)
        WHERE p.claim_id = $1 AND p.tenant_id = $2 ORDER BY p.created_at, p.payout_id
        """,
        claim_id,
        tenant_id,
    )
    return [_payout(row) for row in rows]


async def insert_recovery(tx: Tx, recovery: Recovery, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO recoveries (recovery_id, tenant_id, claim_id, source, reference, amount_minor,
                                currency, is_fraud, recorded_at, paid_to, repayment_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        recovery.recovery_id,
        tenant_id,
        recovery.claim_id,
        recovery.source,
        recovery.reference,
        recovery.amount.amount_minor,
        recovery.amount.currency,
        recovery.is_fraud,
        recovery.recorded_at,
        recovery.paid_to,
        recovery.repayment_id,
    )


async def list_recoveries(tx: Tx, claim_id: str, *, tenant_id: str) -> list[Recovery]:
    rows = await tx.fetch(
        """
        SELECT recovery_id, claim_id, source, reference, amount_minor, currency, is_fraud, recorded_at,
            paid_to, repayment_id
        FROM recoveries WHERE claim_id = $1 AND tenant_id = $2 ORDER BY recorded_at, recovery_id
        """,
        claim_id,
        tenant_id,
    )
    return [_recovery(row) for row in rows]


def _payout(row: Row) -> Payout:
    return Payout(
        payout_id=row["payout_id"],
        claim_id=row["claim_id"],
        policy_id=row["policy_id"],
        decision_id=row["decision_id"],
        amount=Money(row["amount_minor"], row["currency"]),
        instrument=row["instrument"],
        state=row["state"],
        kind=row["kind"],
        reference=row["reference"],
        sent_at=row["sent_at"],
        settled_at=row["settled_at"],
        attempt=row["attempt"],
    )


def _recovery(row: Row) -> Recovery:
    return Recovery(
        recovery_id=row["recovery_id"],
        claim_id=row["claim_id"],
        source=row["source"],
        reference=row["reference"],
        amount=Money(row["amount_minor"], row["currency"]),
        is_fraud=row["is_fraud"],
        recorded_at=row["recorded_at"],
        paid_to=row["paid_to"],
        repayment_id=row["repayment_id"],
    )
