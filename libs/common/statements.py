"""Statements: what the ledger moved, for one policy or thing, or for a month of a tenant's books."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from libs.common import ledger
from libs.common.db import Tx
from libs.common.ledger import Account, Booked

# Minor units by account and currency; zeros are left out.
Balances = Mapping[tuple[Account, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A transfer, and what the accounts come to after it."""

    booked: Booked
    after: Balances


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What a kind of transfer did to an account, all together."""

    kind: str
    account: Account
    currency: str
    minor: int
    transfers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """From `since` up to but without `until`: UTC instants, as a tenant's plans have many zones."""

    since: datetime
    until: datetime
    opening: Balances
    movements: tuple[Movement, ...]
    closing: Balances


def statement_of(booked: Sequence[Booked]) -> list[Posted]:
    """The transfers in their order, with running balances."""
    running: dict[tuple[Account, str], int] = defaultdict(int)
    posted = []
    for one in booked:
        for entry in one.transfer.entries:
            running[entry.account, entry.amount.currency] += entry.amount.amount_minor
        after = {key: minor for key, minor in running.items() if minor}
        posted.append(Posted(booked=one, after=after))
    return posted


def instants_of(year: int, month: int) -> tuple[datetime, datetime]:
    """The month's first instant in UTC, and the next month's."""
    later = (year + 1, 1) if month == 12 else (year, month + 1)
    return datetime(year, month, 1, tzinfo=UTC), datetime(*later, 1, tzinfo=UTC)


async def list_of_references(
    tx: Tx, tenant_id: str, policy_id: str, references: Sequence[str]
) -> list[Booked]:
    """Of the policy's transfers, those booked under one of the references."""
    wanted = set(references)
    booked = await ledger.list_transfers(tx, tenant_id, policy_id)
    return [one for one in booked if one.transfer.reference in wanted]


async def month_of(tx: Tx, tenant_id: str, since: datetime, until: datetime) -> Month:
    """Opening and closing balances are summed from all entries, not one from the other."""
    rows = await tx.fetch(
        """
        SELECT e.account, e.currency,
            coalesce(sum(e.amount_minor) FILTER (WHERE t.occurred_at < $2), 0)::bigint AS opening,
            sum(e.amount_minor)::bigint AS closing
        FROM ledger_transfers t JOIN ledger_entries e USING (transfer_id, tenant_id)
        WHERE t.tenant_id = $1 AND t.occurred_at < $3
        GROUP BY e.account, e.currency
        """,
        tenant_id,
        since,
        until,
    )
    moved = await tx.fetch(
        """
        SELECT t.kind, e.account, e.currency, sum(e.amount_minor)::bigint AS minor,
            count(DISTINCT t.transfer_id) AS transfers
        FROM ledger_transfers t JOIN ledger_entries e USING (transfer_id, tenant_id)
        WHERE t.tenant_id = $1 AND t.occurred_at >= $2 AND t.occurred_at < $3
        GROUP BY t.kind, e.account, e.currency ORDER BY t.kind, e.account, e.currency
        """,
        tenant_id,
        since,
        until,
    )

    def balances(name: str) -> Balances:
        return {
            (Account(row["account"]), row["currency"]): row[name] for row in rows if row[name]
        }

    return Month(
        since=since,
        until=until,
        opening=balances("opening"),
        movements=tuple(
            Movement(
                kind=row["kind"],
                account=Account(row["account"]),
                currency=row["currency"],
                minor=row["minor"],
                transfers=row["transfers"],
            )
            for row in moved
        ),
        closing=balances("closing"),
    )
