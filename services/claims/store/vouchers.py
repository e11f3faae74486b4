"""Vouchers for second shipments. Every query names its tenant."""

from libs.common.db import Row, Tx
from libs.common.errors import NotFound
from libs.common.money import Money
from services.claims.domain.vouchers import Voucher


class UnknownVoucher(NotFound):
    code = "unknown-voucher"
    title = "There is no such voucher in your account"


async def insert_voucher(tx: Tx, voucher: Voucher, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO vouchers (voucher_id, tenant_id, claim_id, payout_id, policy_id, code, value_minor,
                              currency, state, issued_at, expires_on)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        voucher.voucher_id,
        tenant_id,
        voucher.claim_id,
        voucher.payout_id,
        voucher.policy_id,
        voucher.code,
        voucher.value.amount_minor,
        voucher.value.currency,
        voucher.state,
        voucher.issued_at,
        voucher.expires_on,
    )


async def save_voucher(tx: Tx, voucher: Voucher, *, tenant_id: str) -> None:
    fee = voucher.second_fee
    await tx.execute(
        """
        UPDATE vouchers SET state = $3, used_at = $4, reference = $5, second_fee_minor = $6,
            covered_minor = $7, customer_pays_minor = $8, lapsed_minor = $9
        WHERE voucher_id = $1 AND tenant_id = $2
        """,
        voucher.voucher_id,
        tenant_id,
        voucher.state,
        voucher.used_at,
        voucher.reference,
        None if fee is None else fee.amount_minor,
        voucher.covered.amount_minor,
        voucher.customer_pays.amount_minor,
        voucher.lapsed.amount_minor,
    )


async def get_voucher(tx: Tx, voucher_id: str, *, tenant_id: str) -> Voucher:
    row = await tx.fetchrow(
        "SELECT * FROM vouchers WHERE voucher_id = $1 AND tenant_id = $2",
        voucher_id,
        tenant_id,
    )
    if row is None:
        raise UnknownVoucher(f"No voucher {voucher_id} in your account.")
    return _voucher(row)


async def find_voucher(tx: Tx, code: str, *, tenant_id: str) -> Voucher | None:
    """By what its owner says."""
    row = await tx.fetchrow(
        "SELECT * FROM vouchers WHERE tenant_id = $1 AND code = $2", tenant_id, code
    )
    return None if row is None else _voucher(row)


async def list_vouchers(tx: Tx, claim_id: str, *, tenant_id: str) -> list[Voucher]:
    rows = await tx.fetch(
        """
        SELECT * FROM vouchers WHERE claim_id = $1 AND tenant_id = $2 ORDER BY issued_at, voucher_id
        """,
        claim_id,
        tenant_id,
    )
    return [_voucher(row) for row in rows]


def _voucher(row: Row) -> Voucher:
    def amount(name: str) -> Money:
        return Money(row[f"{name}_minor"], row["currency"])

    return Voucher(
        voucher_id=row["voucher_id"],
        claim_id=row["claim_id"],
        payout_id=row["payout_id"],
        policy_id=row["policy_id"],
        code=row["code"],
        value=amount("value"),
        state=row["state"],
        issued_at=row["issued_at"],
        expires_on=row["expires_on"],
        covered=amount("covered"),
        customer_pays=amount("customer_pays"),
        lapsed=amount("lapsed"),
        used_at=row["used_at"],
        reference=row["reference"],
        second_fee=None if row["second_fee_minor"] is None else amount("second_fee"),
    )
