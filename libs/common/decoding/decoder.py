"""The service's side of decoding: one helper process, started when the first file comes, kept then."""

import asyncio
import atexit
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import IO, Final

import msgspec

from libs.common.decoding.facts import MEDIA_TYPE_BYTES, Facts, Limits
from libs.common.errors import Refusal, Unavailable
from libs.common.filetypes import (
    ActiveContent,
    FileTooComplex,
    PolyglotFile,
    UnknownFileType,
    UnreadableFile,
)

# Each may take a processor and a gigabyte and a half.
MAX_AT_ONCE: Final = 2
MAX_WAITING: Final = 64
# Beyond what a file is given, for the helper to start or to be told.
GRACE_SECONDS: Final = 15
MAX_ANSWER_BYTES: Final = 4_096

_REFUSALS: Final[dict[str, type[Refusal]]] = {
    kind.code: kind
    for kind in (UnreadableFile, FileTooComplex, PolyglotFile, ActiveContent, UnknownFileType)
}


class _Answer(msgspec.Struct):
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    pages: int | None = None
    code: str | None = None
    detail: str = ""


class Decoder:
    """Has files read by its helper process, a few at once; a helper that dies is started anew."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        # Their number is what bounds the files read at once.
        self._threads = ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="decoding")
        self._lock = threading.Lock()
        self._waiting = 0
        self._helper: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    async def examine(self, file: IO[bytes], media_type: str) -> Facts:
        """What the file holds, all of it decoded; a Refusal where that cannot be done."""
        if self._waiting >= MAX_WAITING:
            raise Unavailable("Too many files are being looked at. Try again in a moment.")
        self._waiting += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._ask, file, media_type)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _ask(self, file: IO[bytes], media_type: str) -> Facts:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, _read_only(file) as handle:
                self._send(media_type, handle, theirs.fileno())
            ours.settimeout(self._limits.wall_seconds + GRACE_SECONDS)
            try:
                said = _whole(ours)
            except TimeoutError:
                said = b""
        if not said:
            self._must_live()
            raise UnreadableFile(
                "Its decoder broke down, or took too long. Save it anew, or send it smaller."
            )
        return _facts(msgspec.json.decode(said, type=_Answer))

    def _send(self, media_type: str, *handles: int) -> None:
        record = media_type.encode().ljust(MEDIA_TYPE_BYTES, b"\x00")
        with self._lock:
            try:
                socket.send_fds(self._started(), [record], handles)
            except OSError:
                # It died since the last file.
                self._stop()
                socket.send_fds(self._started(), [record], handles)

    def _must_live(self) -> None:
        """Unavailable where it is not the file's fault that there is no answer."""
        with self._lock:
            if self._helper is None or self._helper.poll() is not None:
                self._stop()
                raise Unavailable("Files cannot be looked at. Try again in a moment.")

    def _started(self) -> socket.socket:
        if self._control is None:
            ours, theirs = socket.socketpair()
            with theirs:
                self._helper = subprocess.Popen(
                    [
                        sys.executable,
                        "-I",
                        "-m",
                        "libs.common.decoding.worker",
                        str(theirs.fileno()),
                        msgspec.json.encode(self._limits).decode(),
                    ],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    # None of what the service knows: passwords and keys come by its environment.
                    env={"PATH": os.defpath},
                )
            self._control = ours
            atexit.register(self.close)
        return self._control

    def _stop(self) -> None:
        """Without its socket it ends by itself."""
        if self._control is not None:
            self._control.close()
        if self._helper is not None:
            self._helper.kill()
            self._helper.wait()
        self._control = self._helper = None
        atexit.unregister(self.close)


@cache
def decoder() -> Decoder:
    """The process's own: its helper takes half a second to start, and serves all its applications."""
    return Decoder()


@contextmanager
def _read_only(file: IO[bytes]) -> Iterator[int]:
    """Another handle of it, with a place of its own and no right to write, where there is /proc."""
    path = f"/proc/self/fd/{file.fileno()}"
    handle = (
        os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if os.path.exists(path)
        else os.dup(file.fileno())
    )
    try:
        yield handle
    finally:
        os.close(handle)


def _whole(connection: socket.socket) -> bytes:
    parts = b""
    while len(parts) <= MAX_ANSWER_BYTES and (part := connection.recv(MAX_ANSWER_BYTES)):
        parts += part
    return parts


def _facts(answer: _Answer) -> Facts:
    if answer.code is not None:
        raise _REFUSALS[answer.code](answer.detail)
    return Facts(
        width=answer.width,
        height=answer.height,
        duration_ms=answer.duration_ms,
        pages=answer.pages,
    )
