"""Migrations: numbered SQL, once, under a lock; forward only, never edited.

Each service's schema gets the common files (the spine's tables) and then its own. They run as the
administrator, who thereby owns the tables; the service's roles only get rights on them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from libs.common.db import service_role, worker_role

SERVICES = ("quote", "policy", "claims", "notifier")

_ROOT = Path(__file__).parents[2]
_COMMON = Path(__file__).parent / "migrations"
_LOCK = 0x50415243  # "PARC"


class EditedMigration(Exception):
    """A file that already ran has changed; write a new one instead."""


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(admin_url: str, services: Sequence[str] = SERVICES) -> list[str]:
    """Bring the services' schemas up to date; returns what ran, as `policy/common/0001_spine`."""
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        return [
            name for service in services for name in await _migrate_one(connection, service)
        ]
    finally:
        await connection.close()


def migrations_of(service: str) -> list[Migration]:
    """The service's files in the order they run."""
    own = _ROOT / "services" / service / "migrations"
    return [
        Migration(f"{room}/{path.stem}", path.read_text())
        for room, folder in (("common", _COMMON), ("own", own))
        for path in sorted(folder.glob("*.sql"))
    ]


async def _migrate_one(connection: Any, service: str) -> list[str]:
    await _prepare(connection, service)
    done = {
        row["name"]: row["checksum"]
        for row in await connection.fetch("SELECT name, checksum FROM schema_migrations")
    }
    ran = []
    for migration in migrations_of(service):
        known = done.get(migration.name)
        if known is None:
            await _run(connection, migration)
            ran.append(f"{service}/{migration.name}")
        elif known != migration.checksum:
            raise EditedMigration(
                f"{service}/{migration.name} ran before and has changed since"
            )
    return ran


async def _prepare(connection: Any, service: str) -> None:
    """Schema, roles and the list of what ran. Names come from SERVICES, never from outside."""
    await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{service}"')
    for role in (service_role(service), worker_role(service)):
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
            await connection.execute(f'CREATE ROLE "{role}" LOGIN')
        await connection.execute(f'GRANT USAGE ON SCHEMA "{service}" TO "{role}"')
        await connection.execute(f'ALTER ROLE "{role}" SET search_path = "{service}"')
        await connection.execute(f"ALTER ROLE \"{role}\" SET statement_timeout = '30s'")
        await connection.execute(f"ALTER ROLE \"{role}\" SET lock_timeout = '10s'")
        await connection.execute(
            f"ALTER ROLE \"{role}\" SET idle_in_transaction_session_timeout = '60s'"
        )
    await connection.execute(f'SET search_path = "{service}"')
    await connection.execute(
        """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            name text PRIMARY KEY, checksum text NOT NULL, ran_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


async def _run(connection: Any, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '5s'")
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)",
            migration.name,
            migration.checksum,
        )
