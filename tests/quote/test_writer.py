"""The writer: many quotes a transaction, each with its event, whatever becomes of its neighbours."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from deploy.local import postgres
from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.events import decode, with_sequence
from libs.common.idempotency import KeyReused
from libs.common.migrate import migrate
from services.quote.store.quotes import Quote, get_quote
from services.quote.store.writer import QuoteWriter, Written, writing
from tests.conftest import DbOf
from tests.quote.builders import NOW, TENANT, a_key, a_quote, an_event

Outcome = Written | BaseException


@pytest.fixture
async def db(db_of: DbOf) -> Database:
    return await db_of("quote")


@pytest.fixture
async def admin(admin_url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(admin_url, server_settings={"search_path": "quote"})
    yield connection
    await connection.close()


async def write_all(writer: QuoteWriter, quotes: list[Quote]) -> list[Outcome]:
    return await asyncio.gather(
        *(writer.write(quote, an_event(quote)) for quote in quotes), return_exceptions=True
    )


async def stored_ids(admin: Any) -> set[str]:
    return {row["quote_id"] for row in await admin.fetch("SELECT quote_id FROM quotes")}


async def announced_ids(admin: Any) -> list[str]:
    rows = await admin.fetch("SELECT envelope, sequence FROM outbox ORDER BY id")
    envelopes = [decode(with_sequence(row["envelope"], row["sequence"])) for row in rows]
    assert {envelope.type for envelope in envelopes} <= {"io.parcelcover.QuoteIssued.v1"}
    return [msgspec.json.decode(envelope.data)["quote_id"] for envelope in envelopes]


async def test_writes_quotes_that_come_together_in_few_transactions(
    db: Database, admin: Any
) -> None:
    quotes = [a_quote(tenant_id=f"sbx-cssbuy-{n % 3}") for n in range(200)]

    async with writing(db) as writer:
        outcomes = await write_all(writer, quotes)

    ids = {quote.quote_id for quote in quotes}
    assert all(isinstance(outcome, Written) for outcome in outcomes)
    assert await stored_ids(admin) == ids
    assert sorted(await announced_ids(admin)) == sorted(ids)
    transactions = await admin.fetchval("SELECT count(DISTINCT xmin::text) FROM quotes")
    assert transactions <= 3


async def test_answers_only_after_the_commit(db: Database, admin: Any) -> None:
    quote = a_quote()

    async with writing(db) as writer:
        await writer.write(quote, an_event(quote))

        assert await stored_ids(admin) == {quote.quote_id}


async def test_a_row_the_database_refuses_fails_alone(db: Database, admin: Any) -> None:
    good = [a_quote() for _ in range(20)]
    # Valid where we look, and wrong for the database: it ends before it begins.
    backwards = a_quote(valid_until=NOW)
    no_tenant = a_quote(tenant_id="not a tenant")

    async with writing(db) as writer:
        outcomes = await write_all(
            writer, [*good[:7], backwards, *good[7:15], no_tenant, *good[15:]]
        )

    failed = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert [type(failure) for failure in failed] == [asyncpg.CheckViolationError, ValueError]
    ids = {quote.quote_id for quote in good}
    assert await stored_ids(admin) == ids
    assert sorted(await announced_ids(admin)) == sorted(ids)


async def test_an_id_given_twice_is_refused_the_second_time(db: Database, admin: Any) -> None:
    quote = a_quote()

    async with writing(db) as writer:
        await writer.write(quote, an_event(quote))
        outcomes = await write_all(writer, [quote, a_quote()])

    assert [type(outcome) for outcome in outcomes] == [asyncpg.UniqueViolationError, Written]


async def test_one_key_makes_one_quote_in_a_batch_and_after_it(
    db: Database, admin: Any
) -> None:
    first, *repeated = (a_quote(key=a_key()) for _ in range(5))
    other = a_quote(key=a_key(body=b"b"))

    async with writing(db) as writer:
        together = await write_all(writer, [first, *repeated[:2], other])
        afterwards = await write_all(writer, [*repeated[2:], other])

    replayed = Written(quote=first, is_replayed=True)
    assert together[:3] == [Written(quote=first, is_replayed=False), replayed, replayed]
    assert afterwards[:2] == [replayed, replayed]
    assert isinstance(together[3], KeyReused)
    assert isinstance(afterwards[2], KeyReused)
    assert await announced_ids(admin) == [first.quote_id]


async def test_two_writers_with_the_same_keys_agree(db: Database, admin: Any) -> None:
    """Two processes, their keys in opposite orders: nobody waits in a circle."""
    keys = [a_key(f"key-{n}") for n in range(100)]

    async with writing(db) as one, writing(db) as other:
        outcomes = await asyncio.gather(
            write_all(one, [a_quote(key=key) for key in keys]),
            write_all(other, [a_quote(key=key) for key in reversed(keys)]),
        )

    mine, theirs = outcomes[0], outcomes[1][::-1]
    ids = [
        [o.quote.quote_id for o in side if isinstance(o, Written)] for side in (mine, theirs)
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 100
    assert sorted(await announced_ids(admin)) == sorted(ids[0])


async def test_writes_what_waits_when_it_stops_and_takes_no_more(
    db: Database, admin: Any
) -> None:
    quotes = [a_quote() for _ in range(50)]

    async with writing(db) as writer:
        tasks = [asyncio.create_task(writer.write(quote, an_event(quote))) for quote in quotes]
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*tasks)

    assert all(isinstance(outcome, Written) for outcome in outcomes)
    assert await stored_ids(admin) == {quote.quote_id for quote in quotes}
    late = a_quote()
    with pytest.raises(Unavailable):
        await writer.write(late, an_event(late))


async def test_survives_a_server_that_is_killed(tmp_path: Path) -> None:
    server = await postgres.start(tmp_path, fsync=False)
    try:
        await migrate(server.admin_url, ["quote"])
        db = await Database.connect(server.url, "quote")
        before, after = a_quote(), a_quote()
        async with writing(db) as writer:
            await writer.write(before, an_event(before))
            await server.kill()
            failed = await write_all(writer, [a_quote() for _ in range(5)])
            await server.run()
            written = await writer.write(after, an_event(after))
            async with db.transaction(TENANT) as tx:
                kept = {
                    row["quote_id"] for row in await tx.fetch("SELECT quote_id FROM quotes")
                }
        await db.close()
    finally:
        await server.stop()

    assert [type(outcome) for outcome in failed] == [Unavailable] * 5
    assert written.quote == after
    assert kept == {before.quote_id, after.quote_id}


async def test_a_connection_that_is_ended_at_any_moment_is_a_503_at_worst(
    db: Database, admin: Any, database: str
) -> None:
    quotes = [a_quote() for _ in range(60)]
    outcomes: list[Outcome] = []

    async with writing(db) as writer:
        for number, quote in enumerate(quotes):
            ending = asyncio.create_task(_end_connections(admin, database))
            await asyncio.sleep(number % 10 * 0.0003)
            outcomes += await write_all(writer, [quote])
            await ending

    assert {type(outcome) for outcome in outcomes} <= {Written, Unavailable}
    told = {outcome.quote.quote_id for outcome in outcomes if isinstance(outcome, Written)}
    assert told <= await stored_ids(admin)
    assert sorted(await announced_ids(admin)) == sorted(await stored_ids(admin))


async def test_nobody_waits_longer_than_a_checkout_would(db: Database, admin: Any) -> None:
    slow, quick = a_quote(), a_quote()

    async with writing(db, patience_seconds=0.2) as writer:
        async with admin.transaction():
            await admin.execute("LOCK TABLE quotes")
            with pytest.raises(TimeoutError):
                await writer.write(slow, an_event(slow))
        written = await writer.write(quick, an_event(quick))

    assert written.quote == quick


async def test_a_sandboxs_events_bear_its_own_time(db: Database, admin: Any) -> None:
    ours = a_quote(tenant_id="cssbuy")
    sandbox = a_quote(tenant_id=TENANT, created_at=NOW.replace(year=2027, month=2),
                      valid_until=NOW.replace(year=2028))  # fmt: skip

    async with writing(db) as writer:
        await write_all(writer, [ours, sandbox])

    rows = await admin.fetch("SELECT tenant_id, envelope, sequence FROM outbox")
    told = {
        row["tenant_id"]: decode(with_sequence(row["envelope"], row["sequence"])).time
        for row in rows
    }
    assert told == {"cssbuy": ours.created_at, TENANT: sandbox.created_at}


async def test_is_heard_of_in_its_tenants_transactions_only(db: Database) -> None:
    quote = a_quote()

    async with writing(db) as writer:
        await writer.write(quote, an_event(quote))

    async with db.transaction(TENANT) as tx:
        assert await get_quote(tx, quote.quote_id, tenant_id=TENANT) == quote
    async with db.transaction("sbx-cssbuy-2") as tx:
        assert await tx.fetch("SELECT 1 FROM quotes") == []


async def _end_connections(admin: Any, database: str) -> None:
    await admin.execute(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE usename = 'parcelcover_quote' AND datname = $1
        """,
        database.rpartition("/")[2],
    )
