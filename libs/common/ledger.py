"""The ledger: balanced transfers, written once, never changed.

A debit is positive and a credit negative; a transfer sums to zero in each currency, which the
database checks again when it commits. The accounts are the same in every service's ledger.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import asyncpg

from libs.common.db import Tx
from libs.common.errors import Conflict
from libs.common.ids import new_id
from libs.common.money import Money


class Account(StrEnum):
    """`cash` is the world outside and `claims` what losses cost; the rest is held or owed."""

    CASH = "cash"
    PREMIUM = "premium"
    DEPOSIT = "deposit"
    REFUND = "refund"
    CLAIMS = "claims"
    PAYOUT = "payout"
    ADVANCE = "advance"
    VOUCHER = "voucher"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class Entry:
    account: Account
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Money moved: `reference` names what for, and a kind happens once per reference."""

    kind: str
    reference: str
    policy_id: str
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        sums: dict[str, int] = defaultdict(int)
        for entry in self.entries:
            sums[entry.amount.currency] += entry.amount.amount_minor
        if not self.entries or any(sums.values()):
            raise ValueError(f"transfer {self.kind} {self.reference} does not sum to zero")


class AlreadyBooked(Conflict):
    code = "already-booked"
    title = "This movement is in the ledger already"


def move(
    kind: str, reference: str, policy_id: str, amount: Money, *, debit: Account, credit: Account
) -> Transfer:
    """The commonest transfer: `amount` from one account to another."""
    return Transfer(
        kind=kind,
        reference=reference,
        policy_id=policy_id,
        entries=(Entry(debit, amount), Entry(credit, -amount)),
    )


async def book(tx: Tx, tenant_id: str, transfers: Sequence[Transfer], *, now: datetime) -> None:
    """Write the transfers; AlreadyBooked when one of them is there already."""
    for transfer in transfers:
        transfer_id = new_id("trf")
        try:
            await tx.execute(
                """
                INSERT INTO ledger_transfers
                    (transfer_id, tenant_id, kind, reference, policy_id, occurred_at)
                VALUES ($1, $2, $3, $4, $5, $6)
                """,
                transfer_id,
                tenant_id,
                transfer.kind,
                transfer.reference,
                transfer.policy_id,
                now,
            )
        except asyncpg.UniqueViolationError as repeated:
            raise AlreadyBooked(
                f"{transfer.kind} {transfer.reference} is in the ledger already."
            ) from repeated
        await tx.executemany(
            """
            INSERT INTO ledger_entries (transfer_id, line, tenant_id, account, amount_minor, currency)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            [
                (
                    transfer_id,
                    line,
                    tenant_id,
                    e.account,
                    e.amount.amount_minor,
                    e.amount.currency,
                )
                for line, e in enumerate(transfer.entries)
                if e.amount.amount_minor
            ],
        )


async def balances(tx: Tx, tenant_id: str, policy_id: str) -> dict[tuple[Account, str], int]:
    """Minor units by account and currency for one policy; zero balances left out."""
    rows = await tx.fetch(
        """
        SELECT e.account, e.currency, sum(e.amount_minor)::bigint AS minor
        FROM ledger_transfers t JOIN ledger_entries e USING (transfer_id, tenant_id)
        WHERE t.tenant_id = $1 AND t.policy_id = $2
        GROUP BY e.account, e.currency HAVING sum(e.amount_minor) <> 0
        """,
        tenant_id,
        policy_id,
    )
    return {(Account(row["account"]), row["currency"]): row["minor"] for row in rows}
