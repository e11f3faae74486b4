"""Files as evidence: kept once under their hash, checked for size and for what they really are."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
import puremagic
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, from_url

from libs.common.errors import Invalid, Refusal

MAX_FILE_BYTES = 20 * 1024 * 1024
MEDIA_TYPES = frozenset(
    {
        "application/pdf",
        "image/jpeg",
        "image/png",
        "image/webp",
        "video/mp4",
        "video/quicktime",
        "video/webm",
    }
)


class EmptyFile(Invalid):
    code = "empty-file"
    title = "The file is empty"


class FileTooLarge(Refusal):
    code = "file-too-large"
    title = "The file is larger than the limit"
    status = 413


class UnknownFileType(Refusal):
    code = "unsupported-file-type"
    title = "The file is of a type that is no evidence here"
    status = 415


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What a file is, by its content."""

    sha256: str
    size_bytes: int
    media_type: str


def examine(content: bytes) -> FileFacts:
    """Size, hash and type; EmptyFile, FileTooLarge or UnknownFileType.

    The type is what the first bytes say, never what the sender says.
    """
    if not content:
        raise EmptyFile("Send the file's bytes as the body of the request.")
    if len(content) > MAX_FILE_BYTES:
        raise FileTooLarge(f"A file is at most {MAX_FILE_BYTES} bytes.")
    try:
        media_type = puremagic.from_string(content, mime=True)
    except (puremagic.PureError, ValueError):
        media_type = ""
    if media_type not in MEDIA_TYPES:
        raise UnknownFileType(f"Its content is none of: {', '.join(sorted(MEDIA_TYPES))}.")
    return FileFacts(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        media_type=media_type,
    )


def made_here(content: bytes, media_type: str) -> FileFacts:
    """The facts of a document of our own making: what it is we know, and it needs be none of
    MEDIA_TYPES."""
    return FileFacts(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        media_type=media_type,
    )


class Files:
    """Write-once files: a folder of this machine, or a bucket by its URL (`s3://...`)."""

    def __init__(self, place: str) -> None:
        self._store: Any = (
            from_url(place)
            if "://" in place
            else LocalStore(Path(place).absolute(), mkdir=True)
        )

    async def keep(self, tenant_id: str, facts: FileFacts, content: bytes) -> None:
        """Bytes before the row that names them. The same bytes again are there already."""
        try:
            await obstore.put_async(
                self._store, _path(tenant_id, facts.sha256), content, mode="create"
            )
        except AlreadyExistsError:
            return

    async def read(self, tenant_id: str, sha256: str) -> bytes:
        """The file's bytes; FileNotFoundError where there is none."""
        found = await obstore.get_async(self._store, _path(tenant_id, sha256))
        return bytes(await found.bytes_async())


def _path(tenant_id: str, sha256: str) -> str:
    return f"{tenant_id}/{sha256[:2]}/{sha256}"
