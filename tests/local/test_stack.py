"""`parcelcover up` ends as one, and a folder belongs to one stack at a time."""

import asyncio
import fcntl
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from deploy.local.processes import StartRefused
from deploy.local.stack import Stack


@pytest_asyncio.fixture
async def up(tmp_path: Path) -> AsyncIterator[Process]:
    """`parcelcover up` after its last line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", "up", "--folder", str(tmp_path)),
        stdout=PIPE,
    )
    assert process.stdout is not None
    try:
        await process.stdout.readuntil(b"Ctrl-C stops everything")
    except asyncio.IncompleteReadError as short:
        pytest.fail(short.partial.decode())
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_a_service_that_dies_ends_the_stack_and_is_named(up: Process) -> None:
    claims = _service(up, "claims")

    claims.kill()
    out, _ = await up.communicate()

    assert b"claims ended with signal SIGKILL.\nLast lines of " in out
    assert up.returncode == 1


async def test_everything_stops_when_it_is_asked_to(up: Process) -> None:
    children = psutil.Process(up.pid).children(recursive=True)

    up.send_signal(signal.SIGTERM)
    await up.communicate()

    _, alive = await asyncio.to_thread(psutil.wait_procs, children, 5)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []
    assert up.returncode == 0


@pytest.fixture
def taken(tmp_path: Path) -> Iterator[Path]:
    """A folder whose stack runs as process 4711."""
    with (tmp_path / "lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield tmp_path


async def test_two_stacks_do_not_share_a_folder(taken: Path) -> None:
    with pytest.raises(StartRefused, match=r"process 4711.*Stop it, or name another folder"):
        async with Stack.up(taken):
            pytest.fail("It started on another's folder.")


async def test_a_fresh_start_forgets_nothing_of_a_running_stack(taken: Path) -> None:
    kept = _file(taken / "mails" / "000001.eml")

    with pytest.raises(StartRefused):
        async with Stack.up(taken, fresh=True):
            pytest.fail("It started on another's folder.")

    assert kept.exists()


async def test_a_fresh_start_removes_only_what_a_stack_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = _file(tmp_path / "mails" / "000001.eml")
    theirs = _file(tmp_path / "thesis.txt")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("PARCELCOVER_BROKER", "tansu")

    with pytest.raises(StartRefused, match=r"DATABASE_URL.*127\.0\.0\.1"):
        async with Stack.up(tmp_path, fresh=True):
            pytest.fail("It started without a database.")

    assert theirs.exists()
    assert not ours.exists()


def _file(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("kept")
    return path


def _service(up: Process, name: str) -> psutil.Process:
    children = psutil.Process(up.pid).children()
    return next(child for child in children if ["serve", name] == child.cmdline()[3:5])
