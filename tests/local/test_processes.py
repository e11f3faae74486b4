"""Children die with their parent, and a child that dies tells why."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local.ports import free_port, is_free
from deploy.local.processes import Child, ChildEnded, Server, spawn

_DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
_WITH_GRANDCHILD = """
import subprocess, time
subprocess.Popen(["sleep", "60"])
print("up", flush=True)
time.sleep(60)
"""
_PARENT = """
import asyncio, sys
from pathlib import Path
from deploy.local import kafka, postgres

async def main():
    folder = Path(sys.argv[1])
    database = await postgres.start(folder / "postgres", fsync=False)
    broker = await kafka.start(folder / "kafka", choice="tansu")
    print(database.child.pid, broker.child.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_child_that_dies_before_it_is_ready_shows_its_last_lines(
    tmp_path: Path,
) -> None:
    server = Script("print('no money left'); raise SystemExit(3)", tmp_path / "out.log")

    with pytest.raises(ChildEnded, match=r"script ended with code 3.\n.*\n  no money left"):
        await server.run()

    assert server.child is None


async def test_a_child_killed_by_a_signal_says_which(tmp_path: Path) -> None:
    server = Script(
        "print('up', flush=True); input()\nimport time; time.sleep(60)", tmp_path / "l"
    )
    child = server.launch()
    os.kill(child.pid, signal.SIGKILL)
    await child.until_ended()

    assert child.obituary().startswith("script ended with signal SIGKILL.")


async def test_a_child_that_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    server = Script(_DEAF, tmp_path / "out.log")
    await server.run()
    child = server.child
    assert child is not None

    await child.stop(timeout_seconds=0.2)

    assert child.process.returncode == -signal.SIGKILL


async def test_killing_takes_grandchildren_along(tmp_path: Path) -> None:
    server = Script(_WITH_GRANDCHILD, tmp_path / "out.log")
    await server.run()
    assert server.child is not None
    (grandchild,) = psutil.Process(server.child.pid).children()

    await server.kill()

    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent")
async def test_servers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PARENT, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    orphans = [psutil.Process(int(pid)) for pid in (await parent.stdout.readline()).split()]

    parent.kill()
    await parent.wait()

    _, alive = await asyncio.to_thread(psutil.wait_procs, orphans, 10)
    assert [orphan for orphan in alive if orphan.status() != psutil.STATUS_ZOMBIE] == []


def test_a_free_port_is_one_that_outgoing_connections_never_take() -> None:
    ports = {free_port() for _ in range(50)}

    assert all(is_free(port) and port < 32_768 for port in ports)


class Script(Server):
    """A few lines of Python that are ready once they have said `up`."""

    def __init__(self, program: str, log: Path) -> None:
        super().__init__("script")
        self._program = program
        self._log = log

    def launch(self) -> Child:
        return spawn(self.name, [sys.executable, "-c", self._program], log=self._log)

    _launch = launch

    async def _answers(self) -> bool:
        return b"up" in await asyncio.to_thread(self._log.read_bytes)
