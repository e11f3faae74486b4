"""The books of all services: each currency sums to zero, and the demo shows that it does."""

import asyncpg
from rich.table import Table

from deploy.local.steps import Steps

SCHEMAS = ("policy", "claims")


async def sums_to_zero(admin_url: str, steps: Steps) -> bool:
    """Print each account's balance over both ledgers; whether every currency sums to zero."""
    connection = await asyncpg.connect(admin_url)
    try:
        rows = await connection.fetch(
            " UNION ALL ".join(
                f"SELECT '{schema}' AS ledger, currency, account, sum(amount_minor)::bigint AS minor "
                f"FROM {schema}.ledger_entries GROUP BY currency, account"
                for schema in SCHEMAS
            )
            + " ORDER BY currency, ledger, account"
        )
    finally:
        await connection.close()
    table = Table("ledger", "currency", "account", "minor units")
    sums: dict[tuple[str, str], int] = {}
    for row in rows:
        table.add_row(row["ledger"], row["currency"], row["account"], f"{row['minor']:,}")
        key = (row["currency"], row["ledger"])
        sums[key] = sums.get(key, 0) + row["minor"]
    for (currency, ledger), total in sorted(sums.items()):
        table.add_row(ledger, currency, "[bold]sum[/]", f"[bold]{total:,}[/]")
    steps.console.print()
    steps.console.print(table)
    return not any(sums.values())
