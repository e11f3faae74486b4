"""A folder belongs to one stack at a time, and forgetting touches only what a stack makes."""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.processes import StartRefused
from deploy.local.stack import Stack


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

    with pytest.raises(OSError, match="Connect call failed"):
        async with Stack.up(tmp_path, fresh=True):
            pytest.fail("It started without a database.")

    assert theirs.exists()
    assert not ours.exists()


def _file(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("kept")
    return path
