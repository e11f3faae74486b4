"""The spine against real PostgreSQL: tenants, ledger, outbox, deadlines, repeated requests."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import asyncpg
import pytest

from libs.common import deadlines, ledger, outbox
from libs.common.db import SERVICE_TABLES_WITHOUT_TENANT, service_role, worker_role
from libs.common.deadlines import Deadline, DeadlineRunner
from libs.common.events import Announcement, Event, decode, with_sequence
from libs.common.ledger import Account, AlreadyBooked, Entry, Transfer, move
from libs.common.migrate import SERVICES
from libs.common.money import Money
from tests.conftest import DbOf

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
ONE, OTHER = "sbx-one", "sbx-other"


class Happened(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "policies"
    source: ClassVar[str] = "/tests"

    number: int


def happened(number: int, *, key: str = "pol_1", tenant_id: str = ONE) -> Announcement:
    return Announcement(tenant_id=tenant_id, key=key, event=Happened(number=number))


async def test_a_tenant_sees_and_writes_its_own_rows_only(db_of: DbOf) -> None:
    db = await db_of("policy")
    async with db.transaction(ONE) as tx:
        await outbox.append(tx, happened(1), now=NOW)

    async with db.transaction(OTHER) as tx:
        # No tenant in the query: the database itself refuses what the query forgot.
        assert await tx.fetchval("SELECT count(*) FROM outbox") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction(OTHER) as tx:
            await outbox.append(tx, happened(1, tenant_id=ONE), now=NOW)
    async with db.transaction(ONE, OTHER) as tx:
        assert await tx.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_transaction_that_names_nobody_sees_nothing(db_of: DbOf) -> None:
    db = await db_of("policy")
    async with db.transaction(ONE) as tx:
        await outbox.append(tx, happened(1), now=NOW)

    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_tenant_id_that_could_be_sql_never_reaches_the_database(db_of: DbOf) -> None:
    db = await db_of("policy")
    for wrong in ("a'; DROP TABLE outbox; --", "a,b", "", "A", "x" * 80):
        with pytest.raises(ValueError, match="not a tenant id"):
            async with db.transaction(wrong):
                pass


@pytest.mark.parametrize("service", SERVICES)
async def test_every_table_of_tenants_is_guarded(admin_url: str, service: str) -> None:
    admin = await asyncpg.connect(admin_url)
    try:
        rows = await admin.fetch(
            """
            SELECT c.relname, c.relrowsecurity, c.relowner = r.oid AS owned,
                EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
                    AS has_tenant,
                EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AS has_policy
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_roles r ON r.rolname = $2
            WHERE n.nspname = $1 AND c.relkind = 'r'
            """,
            service,
            service_role(service),
        )
    finally:
        await admin.close()
    assert len(rows) > 8
    for row in rows:
        if row["relname"] in SERVICE_TABLES_WITHOUT_TENANT:
            continue
        assert row["has_tenant"], row["relname"]
        assert row["relrowsecurity"], row["relname"]
        assert row["has_policy"], row["relname"]
        assert not row["owned"], row["relname"]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_has_no_rights_on_the_others_schemas(
    database: str, service: str
) -> None:
    for role in (service_role(service), worker_role(service)):
        connection = await asyncpg.connect(database.format(role=role))
        try:
            for other in SERVICES:
                if other != service:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connection.execute(f"SELECT * FROM {other}.outbox")
        finally:
            await connection.close()


async def test_the_worker_sees_the_machinery_of_all_and_nothing_else(db_of: DbOf) -> None:
    db = await db_of("policy")
    async with db.transaction(ONE) as tx:
        await outbox.append(tx, happened(1), now=NOW)

    async with db.worker() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval("SELECT count(*) FROM policies")


async def test_events_are_counted_per_key_in_the_order_of_their_commits(db_of: DbOf) -> None:
    db = await db_of("policy")
    async with db.transaction(ONE) as tx:
        await outbox.append(tx, happened(1), happened(2, key="pol_2"), happened(3), now=NOW)
    async with db.transaction(ONE) as tx:
        await outbox.append(tx, happened(4), now=NOW)

    async with db.worker() as connection:
        rows = await connection.fetch("SELECT key, sequence, envelope FROM outbox ORDER BY id")
    assert [(row["key"], row["sequence"]) for row in rows] == [
        ("pol_1", 1), ("pol_2", 1), ("pol_1", 2), ("pol_1", 3),
    ]  # fmt: skip
    first = decode(with_sequence(rows[0]["envelope"], rows[0]["sequence"]))
    assert (first.sequence, first.tenantid) == ("0000000000000001", ONE)
    assert bytes(first.data) == b'{"number":1}'


async def test_a_rolled_back_transaction_leaves_no_event(db_of: DbOf) -> None:
    db = await db_of("policy")
    with pytest.raises(RuntimeError):
        async with db.transaction(ONE) as tx:
            await outbox.append(tx, happened(1), now=NOW)
            raise RuntimeError

    async with db.worker() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0


def test_a_transfer_that_does_not_balance_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="does not sum to zero"):
        Transfer(
            kind="premium",
            reference="pay_1",
            policy_id="pol_1",
            entries=(
                Entry(Account.CASH, Money(5, "CNY")),
                Entry(Account.PREMIUM, Money(-4, "CNY")),
            ),
        )


async def test_the_database_refuses_a_transfer_that_does_not_balance(db_of: DbOf) -> None:
    db = await db_of("policy")
    with pytest.raises(asyncpg.CheckViolationError, match="does not sum to zero"):
        async with db.transaction(ONE) as tx:
            await tx.execute(
                """
                INSERT INTO ledger_transfers
                    (transfer_id, tenant_id, kind, reference, policy_id, occurred_at)
                VALUES ('trf_1', $1, 'premium', 'pay_1', 'pol_1', now())
                """,
                ONE,
            )
            await tx.execute(
                "INSERT INTO ledger_entries VALUES ('trf_1', 0, $1, 'cash', 5, 'CNY')", ONE
            )


async def test_a_transfers_balance_is_looked_up_by_the_transfer_alone(
    db_of: DbOf, admin_url: str
) -> None:
    """By the tenant it would be all of their entries, for each."""
    db = await db_of("policy")
    five = Money(5, "CNY")
    async with db.transaction(ONE) as tx:
        made = [
            move("premium", f"p{n}", "pol_1", five, debit=Account.CASH, credit=Account.PREMIUM)
            for n in range(300)
        ]
        await ledger.book(tx, ONE, made, now=NOW)
    async with db.transaction(ONE) as tx:
        await tx.execute("SELECT pg_stat_force_next_flush()")
    admin = await asyncpg.connect(admin_url)
    try:
        read = await admin.fetchval(
            """
            SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes
            WHERE schemaname = 'policy' AND relname = 'ledger_entries'
            """
        )
    finally:
        await admin.close()
    assert 0 < read < 300 * 10


async def test_a_movement_is_booked_once_and_never_changed(db_of: DbOf) -> None:
    db = await db_of("policy")
    received = move(
        "premium",
        "pay_1",
        "pol_1",
        Money(600, "CNY"),
        debit=Account.CASH,
        credit=Account.PREMIUM,
    )
    async with db.transaction(ONE) as tx:
        await ledger.book(tx, ONE, [received], now=NOW)
        assert await ledger.balances(tx, ONE, "pol_1") == {
            (Account.CASH, "CNY"): 600,
            (Account.PREMIUM, "CNY"): -600,
        }
    with pytest.raises(AlreadyBooked):
        async with db.transaction(ONE) as tx:
            await ledger.book(tx, ONE, [received], now=NOW)
    for change in ("UPDATE ledger_entries SET amount_minor = 1", "DELETE FROM ledger_entries"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction(ONE) as tx:
                await tx.execute(change)


async def test_even_the_owner_cannot_change_the_ledger(db_of: DbOf, admin_url: str) -> None:
    db = await db_of("policy")
    async with db.transaction(ONE) as tx:
        received = move(
            "premium", "p", "pol_1", Money(6, "CNY"), debit=Account.CASH, credit=Account.PREMIUM
        )
        await ledger.book(tx, ONE, [received], now=NOW)
    admin = await asyncpg.connect(admin_url)
    try:
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await admin.execute("UPDATE policy.ledger_entries SET amount_minor = 1")
    finally:
        await admin.close()


def due(subject: str, at: datetime, *, kind: str = "remember") -> Deadline:
    return Deadline(tenant_id=ONE, kind=kind, subject=subject, due_at=at)


async def test_deadlines_fire_once_in_due_order_with_their_own_instant(db_of: DbOf) -> None:
    db = await db_of("policy")
    fired: list[tuple[str, datetime]] = []

    async def remember(deadline: Deadline) -> None:
        async with db.transaction(ONE) as tx:
            if await deadlines.take(tx, deadline):
                fired.append((deadline.subject, deadline.due_at))

    async with db.transaction(ONE) as tx:
        await deadlines.set_deadline(tx, due("late", NOW))
        await deadlines.set_deadline(tx, due("early", NOW - timedelta(hours=1)))
        await deadlines.set_deadline(tx, due("not yet", NOW + timedelta(microseconds=1)))
    runner = DeadlineRunner({"remember": remember})
    async with db.worker() as connection:
        while await runner.fire_due(connection, NOW):
            pass

    assert fired == [("early", NOW - timedelta(hours=1)), ("late", NOW)]


async def test_a_deadline_whose_job_fails_stays_with_its_failure_and_is_tried_later(
    db_of: DbOf,
) -> None:
    db = await db_of("policy")

    async def fails(deadline: Deadline) -> None:
        async with db.transaction(ONE) as tx:
            await deadlines.take(tx, deadline)
            raise RuntimeError("no such luck")

    async with db.transaction(ONE) as tx:
        await deadlines.set_deadline(tx, due("pol_1", NOW))
    runner = DeadlineRunner({"remember": fails})
    async with db.worker() as connection:
        assert await runner.fire_due(connection, NOW)
        row = await connection.fetchrow("SELECT attempts, failure, retry_at FROM deadlines")
        assert not await runner.fire_due(connection, NOW)

    assert row["attempts"] == 1
    assert "no such luck" in row["failure"]
    assert row["retry_at"] is not None


async def test_a_moved_deadline_does_not_fire_at_its_old_instant(db_of: DbOf) -> None:
    db = await db_of("policy")
    old = due("pol_1", NOW)
    async with db.transaction(ONE) as tx:
        await deadlines.set_deadline(tx, old)
        await deadlines.set_deadline(tx, due("pol_1", NOW + timedelta(days=1)))
    async with db.transaction(ONE) as tx:
        assert not await deadlines.take(tx, old)


async def test_a_test_clock_moves_its_own_tenants_deadlines_only(db_of: DbOf) -> None:
    db = await db_of("policy")
    fired: list[str] = []

    async def remember(deadline: Deadline) -> None:
        async with db.transaction(deadline.tenant_id) as tx:
            if await deadlines.take(tx, deadline):
                fired.append(deadline.tenant_id)

    later = NOW + timedelta(days=60)
    for tenant_id in (ONE, OTHER):
        async with db.transaction(tenant_id) as tx:
            await deadlines.set_deadline(
                tx, Deadline(tenant_id=tenant_id, kind="remember", subject="x", due_at=later)
            )
    async with db.transaction(ONE) as tx:
        await tx.execute("INSERT INTO test_clocks VALUES ($1, 'clk_1', $2)", ONE, later)
    async with db.worker() as connection:
        while await DeadlineRunner({"remember": remember}).fire_due(connection, NOW):
            pass

    assert fired == [ONE]
