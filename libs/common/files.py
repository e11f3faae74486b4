"""Files as they are kept: once, under their hash, in a folder of this machine or a bucket."""

import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Final
from uuid import uuid4

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from libs.common.errors import Unavailable

# Up to here a file goes in one conditional request, its bytes in memory for that long.
ONE_PUT_BYTES: Final = 8 * 1024 * 1024
PART_BYTES: Final = 8 * 1024 * 1024
# Of one file at once: they bound what an upload holds in memory.
PARTS_AT_ONCE: Final = 2
CHUNK_BYTES: Final = 256 * 1024
REQUEST_TIMEOUT: Final = timedelta(seconds=60)
CONNECT_TIMEOUT: Final = timedelta(seconds=5)
RETRY_TIMEOUT: Final = timedelta(seconds=15)
MAX_RETRIES: Final = 3
# No tenant's name begins so. What a crash leaves there may go after a day (a bucket's lifecycle rule).
INCOMING: Final = "_incoming"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What a file is, by its content. None where its kind has no such thing."""

    sha256: str
    size_bytes: int
    media_type: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    pages: int | None = None


def made_here(content: bytes, media_type: str) -> FileFacts:
    """The facts of a document of our own making: what it is we know, and it needs be none of
    MEDIA_TYPES."""
    return FileFacts(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        media_type=media_type,
    )


class Files:
    """Write-once files: a folder of this machine, or a bucket by its URL (`s3://...`).

    A bucket's endpoint and keys come by the AWS_* variables. Unavailable where it does not answer.
    `room` keeps a service's files apart: the same bytes may be forgotten by one and needed by another.
    """

    def __init__(self, place: str, *, room: str = "") -> None:
        self._room = f"{room}/" if room else ""
        self._store: Any = (
            _bucket(place) if "://" in place else LocalStore(Path(place).absolute(), mkdir=True)
        )

    async def keep(self, tenant_id: str, facts: FileFacts, content: bytes | IO[bytes]) -> None:
        """Bytes before the row that names them. The same bytes again are there already."""
        path = self._path(tenant_id, facts.sha256)
        with _answering():
            if facts.size_bytes > ONE_PUT_BYTES and not isinstance(content, bytes):
                await self._keep_in_parts(path, content)
                return
            whole = content if isinstance(content, bytes) else _whole(content)
            try:
                await obstore.put_async(self._store, path, whole, mode="create")
            except AlreadyExistsError:
                return

    async def is_there(self, tenant_id: str, sha256: str) -> bool:
        with _answering():
            return await self._has(self._path(tenant_id, sha256))

    async def read(self, tenant_id: str, sha256: str) -> bytes:
        """The file's bytes; FileNotFoundError where there is none."""
        with _answering():
            found = await obstore.get_async(self._store, self._path(tenant_id, sha256))
            return bytes(await found.bytes_async())

    async def stream(
        self, tenant_id: str, sha256: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """From `start` up to `end`, which is not of it; FileNotFoundError where there is none."""
        span: Any = {"offset": start} if end is None else (start, end)
        with _answering():
            found = await obstore.get_async(
                self._store, self._path(tenant_id, sha256), options={"range": span}
            )
            chunks = found.stream(min_chunk_size=CHUNK_BYTES)

        async def streamed() -> AsyncIterator[bytes]:
            with _answering():
                async for chunk in chunks:
                    yield bytes(chunk)

        return streamed()

    async def forget(self, tenant_id: str, sha256: str) -> None:
        """The bytes are gone; nothing where they were gone already."""
        with _answering():
            await self._remove(self._path(tenant_id, sha256))

    def _path(self, tenant_id: str, sha256: str) -> str:
        return f"{self._room}{tenant_id}/{sha256[:2]}/{sha256}"

    async def _keep_in_parts(self, path: str, file: IO[bytes]) -> None:
        """Under a name of its own first: only what is whole gets the final one, and only once."""
        if await self._has(path):
            return
        own = f"{INCOMING}/{uuid4().hex}"
        file.seek(0)
        try:
            await obstore.put_async(
                self._store,
                own,
                file,
                use_multipart=True,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
            await obstore.copy_async(self._store, own, path, overwrite=False)
        except AlreadyExistsError:
            return
        finally:
            await self._remove(own)

    async def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            await obstore.delete_async(self._store, path)

    async def _has(self, path: str) -> bool:
        try:
            await obstore.head_async(self._store, path)
        except FileNotFoundError:
            return False
        return True


def _bucket(url: str) -> Any:
    config: dict[str, Any] = {
        "client_options": {
            "timeout": REQUEST_TIMEOUT,
            "connect_timeout": CONNECT_TIMEOUT,
            # Options of ours keep the library from reading this one by itself.
            "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true"),
        },
        "retry_config": {"max_retries": MAX_RETRIES, "retry_timeout": RETRY_TIMEOUT},
    }
    if url.startswith("s3:"):
        config["config"] = {"copy_if_not_exists": "multipart"}
    return from_url(url, **config)


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except AlreadyExistsError:
        raise
    except BaseError as failure:
        raise Unavailable("The store of files does not answer. Try again soon.") from failure
