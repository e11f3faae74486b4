"""The process that reads strangers' files: `python -m libs.common.decoding.worker <socket>`.

It loads the decoders once, and forks a process of its own for each file, with little memory, little
time, no file to write and nothing to see but that file. That one answers, or dies of the file.
"""

import gc
import os
import resource
import select
import signal
import socket
import sys
import warnings
from contextlib import suppress
from dataclasses import asdict
from time import monotonic
from typing import IO, Final

import msgspec

from libs.common.decoding import images, papers, shapes, videos
from libs.common.decoding.facts import MEDIA_TYPE_BYTES, Facts, Limits
from libs.common.errors import Refusal
from libs.common.filetypes import FileTooComplex, UnreadableFile

OPEN_FILES: Final = 32
_REAP_SECONDS: Final = 0.5


def main(control: socket.socket, limits: Limits) -> None:
    """Until the service, which holds the other end, is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    images.prepare()
    videos.prepare()
    gc.freeze()
    running: dict[int, float] = {}
    while True:
        ready, _, _ = select.select([control], [], [], _REAP_SECONDS if running else None)
        _reap(running)
        if not ready:
            continue
        message, handles, _, _ = socket.recv_fds(control, MEDIA_TYPE_BYTES, 2)
        if not message:
            break
        pid = _fork(control, limits, message, *handles)
        running[pid] = monotonic() + limits.wall_seconds
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def _fork(control: socket.socket, limits: Limits, message: bytes, file: int, reply: int) -> int:
    pid = os.fork()
    if pid == 0:
        control.close()
        _answer(message.rstrip(b"\x00").decode(), file, reply, limits)
    os.close(file)
    os.close(reply)
    return pid


def _reap(running: dict[int, float]) -> None:
    for pid, until in list(running.items()):
        if os.waitpid(pid, os.WNOHANG)[0]:
            del running[pid]
        elif monotonic() > until:
            os.kill(pid, signal.SIGKILL)


def _answer(media_type: str, handle: int, reply: int, limits: Limits) -> None:
    """In the forked process: the facts or the refusal as JSON, and the end of it."""
    try:
        _confine(limits)
        with os.fdopen(handle, "rb") as file:
            said = _said(file, media_type)
        os.write(reply, msgspec.json.encode(said))
    finally:
        os._exit(0)


def _said(file: IO[bytes], media_type: str) -> dict[str, object]:
    try:
        return asdict(examine(file, media_type))
    except MemoryError:
        return _refused(FileTooComplex("It takes more memory to read than is allowed."))
    except Refusal as refusal:
        return _refused(refusal)
    except Exception:  # noqa: BLE001  a decoder's own fault is the file's, as far as the sender goes
        return _refused(
            UnreadableFile("It cannot be decoded. Save it anew, or send a picture.")
        )


def examine(file: IO[bytes], media_type: str) -> Facts:
    """What the file holds, all of it read; a Refusal where it is not whole, or not only that."""
    shapes.must_be_one_whole_file(file, os.fstat(file.fileno()).st_size, media_type)
    file.seek(0)
    if media_type == "application/pdf":
        return papers.examine(file)
    if media_type.startswith("video/"):
        return videos.examine(file, media_type)
    return images.examine(file, media_type)


def _refused(refusal: Refusal) -> dict[str, object]:
    return {"code": refusal.code, "detail": refusal.detail}


def _confine(limits: Limits) -> None:
    resources = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in resources.items():
        with suppress(ValueError):
            resource.setrlimit(limit, (value, value))
    # Should the parent be gone that ends it.
    signal.alarm(limits.wall_seconds + 1)
    os.dup2(os.open(os.devnull, os.O_RDWR), 2)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), msgspec.json.decode(sys.argv[2], type=Limits))
