"""Our own PostgreSQL: on any machine, as root or not, with data that outlives a kill."""

import asyncio
import os
from pathlib import Path

import asyncpg
import psutil
import pytest

from deploy.local import postgres
from deploy.local.postgres import Postgres
from deploy.local.processes import ChildEnded, StartRefused


async def test_has_the_database_and_a_url_for_each_role(own_postgres: Postgres) -> None:
    await _run(own_postgres, "CREATE ROLE parcelcover_policy LOGIN")

    connection = await asyncpg.connect(own_postgres.url.format(role="parcelcover_policy"))
    row = await connection.fetchrow("SELECT current_user, current_database()")
    await connection.close()

    assert tuple(row) == ("parcelcover_policy", "parcelcover")


async def test_keeps_what_was_committed_over_a_kill(own_postgres: Postgres) -> None:
    await _run(own_postgres, "CREATE TABLE kept AS SELECT 42 AS answer")
    url = own_postgres.admin_url

    await own_postgres.kill()
    await own_postgres.restart()

    assert own_postgres.admin_url == url
    assert await _run(own_postgres, "SELECT answer FROM kept") == 42


async def test_keeps_its_data_between_runs_on_another_port(tmp_path: Path) -> None:
    first = await postgres.start(tmp_path, fsync=False)
    await _run(first, "CREATE TABLE kept AS SELECT 42 AS answer")
    await first.stop()

    second = await postgres.start(tmp_path, fsync=False)
    answer = await _run(second, "SELECT answer FROM kept")
    await second.stop()

    assert answer == 42


async def test_syncs_to_disk_unless_told_otherwise(tmp_path: Path) -> None:
    server = await postgres.start(tmp_path)
    fsync = await _run(server, "SHOW fsync")
    await server.stop()

    assert fsync == "on"


async def test_never_runs_as_root(own_postgres: Postgres) -> None:
    assert own_postgres.child is not None
    assert psutil.Process(own_postgres.child.pid).uids().effective != 0


async def test_starts_where_the_pid_of_a_killed_server_belongs_to_another_process(
    own_postgres: Postgres, tmp_path: Path
) -> None:
    await own_postgres.kill()
    lock = tmp_path / "postgres" / "data" / "postmaster.pid"
    rest = lock.read_text().partition("\n")[2]
    stranger = await asyncio.create_subprocess_exec("sleep", "60", user=_user())
    lock.write_text(f"{stranger.pid}\n{rest}")

    await own_postgres.restart()
    stranger.kill()
    await stranger.wait()

    assert await _run(own_postgres, "SELECT 1") == 1


async def test_says_with_the_logs_end_why_it_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(ChildEnded, match="no_such_setting"):
        await postgres.start(tmp_path, fsync=False, settings={"no_such_setting": "on"})


async def test_uses_a_server_that_is_there_and_leaves_it_alone(own_postgres: Postgres) -> None:
    theirs = await postgres.at(own_postgres.admin_url.replace("/parcelcover", "/elsewhere"))

    await theirs.stop()

    assert theirs.url == own_postgres.url.replace("/parcelcover", "/elsewhere")
    assert await _run(theirs, "SELECT current_database()") == "elsewhere"
    with pytest.raises(StartRefused):
        await theirs.kill()


async def _run(server: Postgres, query: str) -> object:
    connection = await asyncpg.connect(server.admin_url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def _user() -> str | None:
    return "nobody" if os.geteuid() == 0 else None
