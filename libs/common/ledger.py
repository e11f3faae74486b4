"""The ledger: balanced transfers, written once, never changed.

A debit is positive and a credit negative; a transfer sums to zero in each currency, which the
database checks again when it commits. The accounts are the same in every service's ledger.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby

import asyncpg

from libs.common.db import Row, Tx
from libs.common.errors import Conflict
from libs.common.ids import new_id
from libs.common.money import Money


class Account(StrEnum):
    """`cash` is the world outside, `claims` what losses cost, `reserve` what open claims may yet cost,
    `dispute` what a payment provider holds back for now; the rest is held or owed."""

    CASH = "cash"
    PREMIUM = "premium"
    DEPOSIT = "deposit"
    REFUND = "refund"
    DISPUTE = "dispute"
    CLAIMS = "claims"
    RESERVE = "reserve"
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
    ids = [new_id("trf") for _ in transfers]
    try:
        await tx.execute(
            """
            INSERT INTO ledger_transfers
                (transfer_id, tenant_id, kind, reference, policy_id, occurred_at)
            SELECT i.transfer_id, $1, i.kind, i.reference, i.policy_id, $2
            FROM unnest($3::text[], $4::text[], $5::text[], $6::text[])
                AS i (transfer_id, kind, reference, policy_id)
            """,
            tenant_id,
            now,
            ids,
            [t.kind for t in transfers],
            [t.reference for t in transfers],
            [t.policy_id for t in transfers],
        )
    except asyncpg.UniqueViolationError as repeated:
        raise AlreadyBooked(
            f"A {' or '.join(sorted({t.kind for t in transfers}))} is in the ledger already: "
            f"{repeated.detail}"
        ) from repeated
    lines = [
        (transfer_id, line, entry)
        for transfer_id, transfer in zip(ids, transfers, strict=True)
        for line, entry in enumerate(transfer.entries)
        if entry.amount.amount_minor
    ]
    await tx.execute(
        """
        INSERT INTO ledger_entries (transfer_id, line, tenant_id, account, amount_minor, currency)
        SELECT i.transfer_id, i.line, $1, i.account, i.amount_minor, i.currency
        FROM unnest($2::text[], $3::smallint[], $4::text[], $5::bigint[], $6::text[])
            AS i (transfer_id, line, account, amount_minor, currency)
        """,
        tenant_id,
        [transfer_id for transfer_id, _, _ in lines],
        [line for _, line, _ in lines],
        [entry.account for _, _, entry in lines],
        [entry.amount.amount_minor for _, _, entry in lines],
        [entry.amount.currency for _, _, entry in lines],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """A transfer as it stands in the ledger."""

    transfer_id: str
    transfer: Transfer
    occurred_at: datetime


async def list_transfers(tx: Tx, tenant_id: str, policy_id: str) -> list[Booked]:
    """A policy's transfers with their entries, in the order they were booked."""
    rows = await tx.fetch(
        """
        SELECT t.transfer_id, t.kind, t.reference, t.occurred_at, e.account, e.amount_minor, e.currency
        FROM ledger_transfers t JOIN ledger_entries e USING (transfer_id, tenant_id)
        WHERE t.tenant_id = $1 AND t.policy_id = $2 ORDER BY t.transfer_id, e.line
        """,
        tenant_id,
        policy_id,
    )
    return [
        _booked(list(lines), policy_id)
        for _, lines in groupby(rows, key=lambda row: row["transfer_id"])
    ]


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


def _booked(rows: Sequence[Row], policy_id: str) -> Booked:
    first = rows[0]
    return Booked(
        transfer_id=first["transfer_id"],
        transfer=Transfer(
            kind=first["kind"],
            reference=first["reference"],
            policy_id=policy_id,
            entries=tuple(
                Entry(Account(row["account"]), Money(row["amount_minor"], row["currency"]))
                for row in rows
            ),
        ),
        occurred_at=first["occurred_at"],
    )
