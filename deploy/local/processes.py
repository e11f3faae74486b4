"""Child processes of the local stack: each in its own group, with a log, never outliving us."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil

_LEASH = Path(__file__).with_name("leash.py")
_POLL_SECONDS = 0.02
_TAIL_LINES = 20
_TAIL_BYTES = 16_384


class ChildEnded(Exception):
    """A child process ended, or never got ready. The message holds its last log lines."""


class StartRefused(Exception):
    """The local stack cannot start as asked. The message says why, and what would work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A running child. Its output goes to `log`, appended to what earlier runs left."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    async def until_ended(self) -> int:
        """Wait for the end; the exit code, or minus the signal that ended it."""
        await _until(lambda: not self.is_running)
        return self.process.wait()

    async def until_ready(
        self, is_ready: Callable[[], Awaitable[bool]], *, timeout_seconds: float
    ) -> None:
        """Ask until it says yes. Raises ChildEnded when the child ends first or takes too long."""
        end = time.monotonic() + timeout_seconds
        while not await is_ready():
            if not self.is_running:
                raise ChildEnded(self.obituary())
            if time.monotonic() > end:
                raise ChildEnded(
                    f"{self.name} was not ready after {timeout_seconds:g} s.\n{self._last_lines()}"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(
        self, number: signal.Signals = signal.SIGTERM, *, timeout_seconds: float = 10
    ) -> None:
        """Ask it to end; kill its group when it has not after the timeout. Ending twice is fine."""
        if self.is_running:
            self.process.send_signal(number)
        try:
            await asyncio.wait_for(self.until_ended(), timeout_seconds)
        except TimeoutError:
            await self.kill()
        except asyncio.CancelledError:
            await self.kill()
            raise

    async def kill(self) -> None:
        """kill -9 of the child and all that came from it, and wait until they are gone."""
        family = _family(self.pid) if self.is_running else []
        for member in family:
            _kill(member)
        await self.until_ended()
        await _until(lambda: not any(map(_is_alive, family)))

    def obituary(self) -> str:
        code = self.process.poll()
        how = f"signal {signal.Signals(-code).name}" if code and code < 0 else f"code {code}"
        return f"{self.name} ended with {how}.\n{self._last_lines()}"

    def _last_lines(self) -> str:
        lines = tail(self.log)
        return "\n".join([f"Last lines of {self.log}:", *(f"  {line}" for line in lines)])


class Server(ABC):
    """A server of the stack: ours to stop, kill and start again, or somebody else's."""

    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    start_seconds: ClassVar[float] = 60
    stop_seconds: ClassVar[float] = 20

    def __init__(self, name: str) -> None:
        self.name = name
        self.child: Child | None = None

    async def run(self) -> None:
        """Start the process and wait until it is of use. Raises ChildEnded with its last words."""
        child = self._launch()
        try:
            await child.until_ready(self._answers, timeout_seconds=self.start_seconds)
            await self._prepare()
        except BaseException:
            await child.kill()
            raise
        self.child = child

    async def stop(self) -> None:
        """Let it finish and end it. What is not ours, or stopped already, is left alone."""
        child, self.child = self.child, None
        if child is not None:
            await child.stop(self.stop_signal, timeout_seconds=self.stop_seconds)

    async def kill(self) -> None:
        """kill -9 of the server and all its children, as a crash would."""
        child, self.child = self.child, None
        if child is None:
            raise StartRefused(f"{self.name} is not ours to kill, or does not run.")
        await child.kill()

    async def restart(self) -> None:
        """Start again on the same ports with the same folder, stopping first if it runs."""
        await self.stop()
        await self.run()

    @abstractmethod
    def _launch(self) -> Child: ...

    @abstractmethod
    async def _answers(self) -> bool: ...

    async def _prepare(self) -> None:  # noqa: B027 (most servers need nothing)
        """Make what must be there before anybody uses it."""


def spawn(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    at_parents_death: signal.Signals = signal.SIGKILL,
) -> Child:
    """Start a command on a leash (see leash.py). `env` is added to ours; `user` needs root."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(_LEASH)),
                *(str(int(at_parents_death)), str(os.getpid()), user or "-"),
                *map(str, command),
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            # Its own group: Ctrl-C in the terminal reaches us alone, and we end children in order.
            start_new_session=True,
        )
    return Child(name=name, log=log, process=process)


async def run(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    timeout_seconds: float,
) -> None:
    """Run a command to its end. Raises ChildEnded when it fails or takes too long."""
    child = spawn(name, command, log=log, env=env, user=user)
    try:
        code = await asyncio.wait_for(child.until_ended(), timeout_seconds)
    except TimeoutError:
        raise ChildEnded(f"{name} was not done after {timeout_seconds:g} s.") from None
    finally:
        await child.kill()
    if code != 0:
        raise ChildEnded(child.obituary())


def tail(log: Path, lines: int = _TAIL_LINES) -> list[str]:
    """The last lines of a log file, without reading all of it."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()[-lines:]


async def _until(is_so: Callable[[], bool]) -> None:
    """Look again and again: the kernel tells of an ended grandchild in no better portable way."""
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(_POLL_SECONDS)


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _is_alive(member: psutil.Process) -> bool:
    # A zombie whose new parent has not looked yet holds nothing any more.
    try:
        return member.is_running() and member.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _kill(member: psutil.Process) -> None:
    try:
        member.kill()
    except psutil.NoSuchProcess:
        return
