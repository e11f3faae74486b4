"""Where a file of its type begins and ends: whether all of it is there, and nothing else with it."""

import re
from collections.abc import Callable, Mapping
from typing import IO, Final

from libs.common.filetypes import PolyglotFile, UnreadableFile

HEAD_BYTES: Final = 1_024
# As far back as the directory of a ZIP archive may stand: its record and the longest comment.
ZIP_TAIL_BYTES: Final = 22 + 65_535
PADDING_BYTES: Final = 1_048_576
MAX_ELEMENTS: Final = 100_000

_MARKUP: Final = re.compile(rb"<(?:html|script|!doctype html|svg|\?php)", re.IGNORECASE)
# In the coded data of a JPEG: neither a stuffed byte, nor a restart, nor a filler.
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_BOXES: Final = frozenset(
    b"ftyp moov mdat free skip wide uuid moof mfra meta sidx styp pnot udta prft emsg".split()
)
_EBML, _SEGMENT, _VOID = 0x1A45DFA3, 0x18538067, 0xEC


def must_be_one_whole_file(file: IO[bytes], size: int, media_type: str) -> None:
    """UnreadableFile where its end is missing, PolyglotFile where there is more than that file."""
    file.seek(0)
    if _MARKUP.search(file.read(HEAD_BYTES)):
        raise _polyglot("a page or script in its first bytes")
    file.seek(max(0, size - ZIP_TAIL_BYTES))
    if _ends_as_zip(file.read()):
        raise _polyglot("a ZIP archive at its end")
    _CHECKS[media_type](file, size)


def _ends_as_zip(tail: bytes) -> bool:
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        comment = int.from_bytes(tail[at + 20 : at + 22], "little")
        if at + 22 <= len(tail) and at + 22 + comment == len(tail):
            return True
        at = tail.rfind(b"PK\x05\x06", 0, at)
    return False


def _pdf(file: IO[bytes], size: int) -> None:
    file.seek(max(0, size - PADDING_BYTES))
    tail = file.read()
    end = tail.rfind(b"%%EOF")
    if end < 0:
        raise _cut_off()
    if tail[end + 5 :].strip(b"\x00\t\n\x0c\r "):
        raise _polyglot("bytes behind the end of the PDF")


def _png(file: IO[bytes], size: int) -> None:
    at = 8
    for _ in range(MAX_ELEMENTS):
        file.seek(at)
        header = file.read(8)
        at += 12 + int.from_bytes(header[:4], "big")
        if len(header) < 8 or at > size:
            raise _cut_off()
        if header[4:] == b"IEND":
            return _must_end(file, at, "the PNG")
    raise UnreadableFile(f"It has more than {MAX_ELEMENTS} chunks. Save it anew.")


def _webp(file: IO[bytes], size: int) -> None:
    file.seek(4)
    length = int.from_bytes(file.read(4), "little")
    end = 8 + length + length % 2
    if end > size + length % 2:
        raise _cut_off()
    _must_end(file, end, "the WebP")


def _jpeg(file: IO[bytes], size: int) -> None:
    file.seek(0)
    content = file.read()
    rest = content[_end_of_jpeg(content) :]
    if rest.strip(b"\x00") and not _is_of_a_camera(rest):
        raise _polyglot("bytes behind the end of the JPEG")


def _end_of_jpeg(content: bytes) -> int:
    at = 2
    while True:
        marker = _MARKER.search(content, at)
        if marker is None:
            raise _cut_off()
        if marker[0] == b"\xff\xd9":
            return marker.end()
        length = content[marker.end() : marker.end() + 2]
        at = marker.end() + max(2, int.from_bytes(length, "big"))


def _is_of_a_camera(rest: bytes) -> bool:
    """What phones put behind a picture: further pictures, its film, or the maker's own record."""
    is_picture, is_film = rest.startswith(b"\xff\xd8"), rest[4:8] == b"ftyp"
    return (is_picture or is_film or rest.endswith(b"SEFT")) and not _MARKUP.search(rest)


def _iso_boxes(file: IO[bytes], size: int) -> None:
    """MP4 and QuickTime: boxes, one behind the other, up to the last byte."""
    at = 0
    for _ in range(MAX_ELEMENTS):
        if at == size:
            return None
        file.seek(at)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if not header.strip(b"\x00"):
            return _must_end(file, at, "the film")
        if len(header) < 8 or not _is_box(header[4:8]):
            raise _polyglot("bytes behind the end of the film")
        if length == 0:
            return None
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8 or at + length > size:
            # Makers have boxes of their own, but none that goes on behind the end.
            raise _cut_off() if header[4:8] in _BOXES else _polyglot("bytes that are no film's")
        at += length
    raise UnreadableFile(f"It has more than {MAX_ELEMENTS} boxes. Save it anew.")


def _is_box(name: bytes) -> bool:
    return all(0x20 <= one < 0x7F or one == 0xA9 for one in name)


def _webm(file: IO[bytes], size: int) -> None:
    at = 0
    for _ in range(MAX_ELEMENTS):
        if at == size:
            return
        file.seek(at)
        element, length, header = _ebml_element(file.read(12))
        if element not in (_EBML, _SEGMENT, _VOID):
            raise _polyglot("bytes behind the end of the film")
        if length is None:
            # Recorded live: it goes on to the end of the file, however far that is.
            return
        at += header + length
        if at > size:
            raise _cut_off()
    raise UnreadableFile(f"It has more than {MAX_ELEMENTS} elements. Save it anew.")


def _ebml_element(header: bytes) -> tuple[int, int | None, int]:
    """Its id, its length (None: unknown), and how long these two are."""
    id_length = _ebml_length(header, 0)
    size_length = _ebml_length(header, id_length)
    size = header[id_length : id_length + size_length]
    value = int.from_bytes(size, "big") & ((1 << 7 * size_length) - 1)
    is_unknown = value == (1 << 7 * size_length) - 1
    element = int.from_bytes(header[:id_length], "big")
    return element, None if is_unknown else value, id_length + size_length


def _ebml_length(header: bytes, at: int) -> int:
    first = header[at] if at < len(header) else 0
    return 9 - first.bit_length() if first else 1


def _must_end(file: IO[bytes], at: int, what: str) -> None:
    """Nothing but padding behind it."""
    file.seek(at)
    rest = file.read(PADDING_BYTES + 1)
    if len(rest) > PADDING_BYTES or rest.strip(b"\x00"):
        raise _polyglot(f"bytes behind the end of {what}")


def _polyglot(what: str) -> PolyglotFile:
    return PolyglotFile(
        f"It holds {what}, which another program may read as something else. Save it anew, or "
        "send a picture of the screen."
    )


def _cut_off() -> UnreadableFile:
    return UnreadableFile("Its end is missing: it was cut off on the way. Send all of it.")


_CHECKS: Final[Mapping[str, Callable[[IO[bytes], int], None]]] = {
    "application/pdf": _pdf,
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/webp": _webp,
    "video/mp4": _iso_boxes,
    "video/quicktime": _iso_boxes,
    "video/webm": _webm,
}
