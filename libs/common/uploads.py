"""Files that come in as the body of a request: streamed to a file without a name, counted, decoded.

The body is never in memory as a whole, and what is beyond a limit is not read. The file is gone with the
request, however that ends, or with the process.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, Final

from fastapi import Request

from libs.common.decoding.decoder import decoder
from libs.common.errors import Refusal, Unavailable
from libs.common.files import FileFacts
from libs.common.filetypes import (
    HEAD_BYTES,
    LARGEST_FILE_BYTES,
    ActiveContent,
    EmptyFile,
    FileTooComplex,
    FileTooLarge,
    PolyglotFile,
    UnknownFileType,
    UnreadableFile,
    max_bytes,
    media_type_of,
    too_large,
)

# Each holds its bytes on disk, and no connection to the database, while it comes in.
MAX_UPLOADS_AT_ONCE: Final = 32
UPLOAD_SECONDS: Final = 900
GATHERED_BYTES: Final = 1024 * 1024
MAX_LENGTH_DIGITS: Final = 18


class TooSlow(Refusal):
    code = "upload-too-slow"
    title = "The upload takes too long"
    status = 408


# What may be said of a file.
REFUSALS: Final[tuple[type[Refusal], ...]] = (
    EmptyFile,
    FileTooLarge,
    UnknownFileType,
    UnreadableFile,
    FileTooComplex,
    PolyglotFile,
    ActiveContent,
    TooSlow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that has come in whole. Its type is what its first bytes say."""

    file: IO[bytes]
    sha256: str
    size_bytes: int
    media_type: str

    async def facts(self) -> FileFacts:
        """All of it decoded, in a process apart; a Refusal where that cannot be done."""
        found = await decoder().examine(self.file, self.media_type)
        return FileFacts(
            sha256=self.sha256,
            size_bytes=self.size_bytes,
            media_type=self.media_type,
            width=found.width,
            height=found.height,
            duration_ms=found.duration_ms,
            pages=found.pages,
        )


class Uploads:
    """The files that come in to one application."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(MAX_UPLOADS_AT_ONCE)

    @asynccontextmanager
    async def received(self, request: Request) -> AsyncIterator[Upload]:
        """The body; FileTooLarge and others as soon as they are certain, and nothing is left of it."""
        if self._places.locked():
            raise Unavailable("Too many files are being uploaded. Try again in a moment.")
        async with self._places:
            with await asyncio.to_thread(tempfile.TemporaryFile) as file:
                try:
                    async with asyncio.timeout(UPLOAD_SECONDS):
                        upload = await _received(request, file)
                except TimeoutError:
                    raise _cutting(
                        TooSlow(f"A file has {UPLOAD_SECONDS} seconds to come in.")
                    ) from None
                except Refusal as refusal:
                    raise _cutting(refusal) from None
                yield upload


class _Spool:
    """The file on disk, with what is known of it so far."""

    def __init__(self, file: IO[bytes], declared: int | None) -> None:
        self._file = file
        self._declared = declared
        self._digest = hashlib.sha256()
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._size = 0
        self._media_type = ""
        self._limit = LARGEST_FILE_BYTES
        self._must_fit(declared or 0)

    async def take(self, chunk: bytes) -> None:
        self._size += len(chunk)
        self._must_fit(self._size)
        self._gathered.append(chunk)
        self._gathered_bytes += len(chunk)
        if not self._media_type and self._size >= HEAD_BYTES:
            self._see(b"".join(self._gathered))
        if self._gathered_bytes >= GATHERED_BYTES:
            await self._write()

    async def end(self) -> Upload:
        if not self._size:
            raise EmptyFile("Send the file's bytes as the body of the request.")
        if not self._media_type:
            self._see(b"".join(self._gathered))
        await self._write()
        await asyncio.to_thread(self._file.flush)
        return Upload(
            file=self._file,
            sha256=self._digest.hexdigest(),
            size_bytes=self._size,
            media_type=self._media_type,
        )

    def _see(self, head: bytes) -> None:
        """What it is decides how large it may be."""
        self._media_type = media_type_of(head[:HEAD_BYTES])
        self._limit = max_bytes(self._media_type)
        self._must_fit(max(self._size, self._declared or 0))

    def _must_fit(self, size: int) -> None:
        if size > self._limit:
            raise too_large(self._limit)

    async def _write(self) -> None:
        gathered, self._gathered, self._gathered_bytes = self._gathered, [], 0

        def write() -> None:
            for chunk in gathered:
                self._digest.update(chunk)
                self._file.write(chunk)

        await asyncio.to_thread(write)


async def _received(request: Request, file: IO[bytes]) -> Upload:
    spool = _Spool(file, _declared_length(request))
    async for chunk in request.stream():
        await spool.take(chunk)
    return await spool.end()


def _declared_length(request: Request) -> int | None:
    length = request.headers.get("content-length", "")
    is_number = length.isascii() and length.isdigit() and len(length) <= MAX_LENGTH_DIGITS
    return int(length) if is_number else None


def _cutting(refusal: Refusal) -> Refusal:
    """The server would read the rest of the body, for the next request on the connection."""
    refusal.http_headers = {"connection": "close"}  # type: ignore[attr-defined]
    return refusal
