"""Which files are taken: their types, how large each may be, their names, and why one is refused."""

import re
from mimetypes import guess_type
from pathlib import PurePath
from typing import Annotated, Final

import puremagic
from pydantic import AfterValidator

from libs.common.errors import Invalid, Refusal
from libs.common.wire import OneLine

MIB: Final = 1024 * 1024
# By family, which is the first half of a media type.
MAX_FILE_BYTES: Final = {"application": 20 * MIB, "image": 20 * MIB, "video": 500 * MIB}
LARGEST_FILE_BYTES: Final = max(MAX_FILE_BYTES.values())
# Enough for every type below to show itself.
HEAD_BYTES: Final = 4_096
MAX_NAME_CHARACTERS: Final = 120

# The names each type may have; the first is the one it gets.
EXTENSIONS: Final = {
    "application/pdf": (".pdf",),
    "image/jpeg": (".jpg", ".jpeg", ".jfif"),
    "image/png": (".png",),
    "image/webp": (".webp",),
    "video/mp4": (".mp4", ".m4v"),
    "video/quicktime": (".mov", ".qt"),
    "video/webm": (".webm",),
}
MEDIA_TYPES: Final = frozenset(EXTENSIONS)
_MADE_HERE: Final = {"application/json": (".json",)}
# Of the same container as MP4, and none: pictures, which nobody decodes here, and phones' of old.
_OTHER_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif",
                        b"avis", b"crx ", b"jp2 ", b"3g", b"M4A", b"M4B")  # fmt: skip
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}")


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


class UnreadableFile(Invalid):
    code = "unreadable-file"
    title = "The file cannot be read to its end"


class FileTooComplex(Invalid):
    code = "file-too-complex"
    title = "The file takes more to read than is allowed"


class PolyglotFile(Invalid):
    code = "polyglot-file"
    title = "The file is of two types at once"


class ActiveContent(Invalid):
    code = "active-content"
    title = "The file would do something when it is opened"


def media_type_of(head: bytes) -> str:
    """What the first bytes say, never what the sender says; UnknownFileType where it is not taken."""
    media_type = _video_type(head) or _magic(head)
    if media_type not in MEDIA_TYPES:
        taken = ", ".join(sorted(MEDIA_TYPES))
        raise UnknownFileType(f"Its content is none of these, whatever its name says: {taken}.")
    return media_type


def max_bytes(media_type: str) -> int:
    return MAX_FILE_BYTES[media_type.partition("/")[0]]


def too_large(limit: int) -> FileTooLarge:
    each = "; ".join(
        f"{family} files have at most {limit // MIB} MiB"
        for family, limit in MAX_FILE_BYTES.items()
    )
    return FileTooLarge(f"It goes beyond {limit} bytes: {each}.", max_file_bytes=limit)


def download_name(name: str, media_type: str) -> str:
    """The name for people, with an extension that is right for what the file is."""
    right = (EXTENSIONS | _MADE_HERE).get(media_type, ())
    extension = PurePath(name).suffix
    if not right or extension.lower() in right:
        return name
    # As `photo.jpg.html` might be.
    is_known = _EXTENSION.fullmatch(extension) and (
        guess_type(f"x{extension}")[0] or extension.lower() in sum(EXTENSIONS.values(), ())
    )
    stem = name.removesuffix(extension) if is_known else name
    return stem if PurePath(stem).suffix.lower() in right else stem + right[0]


def _magic(head: bytes) -> str:
    try:
        return str(puremagic.from_string(head, mime=True))
    except (puremagic.PureError, ValueError):
        return ""


def _video_type(head: bytes) -> str:
    """By the brand of an ISO container: there are more of them than any list of magic knows."""
    if head[4:8] != b"ftyp" or head[8:12].startswith(_OTHER_BRANDS):
        return ""
    return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"


def _last_part(name: str) -> str:
    """Browsers send whole paths at times; only what stands last in one is the file's name."""
    last = re.split(r"[/\\]", name)[-1].strip()
    if last in ("", ".", ".."):
        raise ValueError("A file's name is wanted, such as receipt.pdf")
    return last


# For people, and for nothing else: neither the type nor where it is kept goes by it.
FileName = Annotated[str, OneLine(MAX_NAME_CHARACTERS), AfterValidator(_last_part)]
