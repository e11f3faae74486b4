"""The history: every event of a thing is kept with who acted, and its count is the thing's version."""

from datetime import UTC, datetime
from typing import ClassVar

import asyncpg
import pytest

from libs.common import history, outbox
from libs.common.acting import acting
from libs.common.db import Database
from libs.common.events import Announcement, Event
from libs.common.history import BadETag, ChangedMeanwhile, must_be_current, version_of
from libs.common.pagination import Paging
from tests.conftest import TENANT, DbOf

NOW = datetime(2024, 1, 1, tzinfo=UTC)
KEY = "pol_1"


class Happened(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "policies"
    source: ClassVar[str] = "/policy"

    number: int


class Whispered(Happened, frozen=True, kw_only=True):
    is_kept: ClassVar[bool] = False


async def say(db: Database, *events: Event, by: str = "ann") -> None:
    acting.set(by)
    async with db.transaction(TENANT) as tx:
        said = [Announcement(tenant_id=TENANT, key=KEY, event=event) for event in events]
        await outbox.append(tx, *said, now=NOW)


async def test_each_change_is_kept_with_its_version_and_who_acted(db_of: DbOf) -> None:
    db = await db_of("policy")
    await say(db, Happened(number=1), Whispered(number=2))
    await say(db, Happened(number=3), by="deadline:lapse_top_up")

    async with db.transaction(TENANT) as tx:
        first = await history.page_of(tx, KEY, Paging(limit=1), tenant_id=TENANT)
        rest = await history.page_of(
            tx, KEY, Paging(limit=5, cursor=first.next_cursor), tenant_id=TENANT
        )

    changes = [
        (c.version, c.type, c.acted_by, c.data["number"]) for c in [*first.items, *rest.items]
    ]
    assert changes == [(1, "Happened", "ann", 1), (3, "Happened", "deadline:lapse_top_up", 3)]
    assert rest.next_cursor is None


async def test_history_is_append_only(db_of: DbOf) -> None:
    db = await db_of("policy")
    await say(db, Happened(number=1))

    for statement in ("UPDATE history SET acted_by = 'eve'", "DELETE FROM history"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction(TENANT) as tx:
                await tx.execute(f"{statement} WHERE tenant_id = $1", TENANT)


@pytest.mark.parametrize("header", [None, "*", '"2"', '"1", "2"', ' "2" '])
async def test_the_current_version_may_be_changed(db_of: DbOf, header: str | None) -> None:
    db = await db_of("policy")
    await say(db, Happened(number=1), Whispered(number=2))

    async with db.transaction(TENANT) as tx:
        assert await version_of(tx, KEY, tenant_id=TENANT) == 2
        await must_be_current(tx, KEY, header, tenant_id=TENANT)


async def test_a_version_that_is_over_may_not_be_changed(db_of: DbOf) -> None:
    db = await db_of("policy")
    await say(db, Happened(number=1), Happened(number=2))

    async with db.transaction(TENANT) as tx:
        with pytest.raises(ChangedMeanwhile, match='If-Match: "2"'):
            await must_be_current(tx, KEY, '"1"', tenant_id=TENANT)


@pytest.mark.parametrize("header", ["2", 'W/"2"', '"two"', '"', "", '"2', '"٢"'])
async def test_what_is_no_etag_of_ours_is_refused(db_of: DbOf, header: str) -> None:
    db = await db_of("policy")

    async with db.transaction(TENANT) as tx:
        with pytest.raises(BadETag):
            await must_be_current(tx, KEY, header, tenant_id=TENANT)
