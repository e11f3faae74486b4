"""Files that go out: streamed, in parts where a player asks for parts, and never run in our name."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from libs.common.files import Files
from libs.common.filetypes import MEDIA_TYPES, download_name

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_HEADERS: Final = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file on hand: `name` is for people."""

    sha256: str
    size_bytes: int
    media_type: str
    name: str


async def file_response(
    files: Files, tenant_id: str, kept: Kept, request: Request, *, is_inline: bool = False
) -> Response:
    """The file, or the part that `Range` names (206), or 416 where it has no such part.

    It is to be saved, unless `is_inline` and of a type that browsers only show.
    """
    span = _span(request, kept)
    headers = {
        **_HEADERS,
        "Content-Disposition": _disposition(kept, is_inline=is_inline),
        "ETag": _etag(kept),
    }
    if span is None:
        headers["Content-Range"] = f"bytes */{kept.size_bytes}"
        return Response(status_code=416, headers=headers)
    start, end = span
    headers["Content-Length"] = str(end - start)
    is_part = end - start < kept.size_bytes
    if is_part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{kept.size_bytes}"
    chunks = await files.stream(tenant_id, kept.sha256, start=start, end=end)
    return StreamingResponse(
        chunks, 206 if is_part else 200, headers=headers, media_type=kept.media_type
    )


def _span(request: Request, kept: Kept) -> tuple[int, int] | None:
    """What to send, from and up to. More ranges than one are answered by the whole file (RFC 9110)."""
    whole = (0, kept.size_bytes)
    asked = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if asked is None or asked[0] == "bytes=-" or not _is_of(request, kept):
        return whole
    if not asked[1]:
        length = min(int(asked[2]), kept.size_bytes)
        return (kept.size_bytes - length, kept.size_bytes) if length else None
    start = int(asked[1])
    last = int(asked[2]) if asked[2] else max(start, kept.size_bytes - 1)
    if last < start:
        return whole
    return (start, min(last + 1, kept.size_bytes)) if start < kept.size_bytes else None


def _is_of(request: Request, kept: Kept) -> bool:
    return request.headers.get("if-range", _etag(kept)) == _etag(kept)


def _etag(kept: Kept) -> str:
    return f'"{kept.sha256}"'


def _disposition(kept: Kept, *, is_inline: bool) -> str:
    how = "inline" if is_inline and kept.media_type in MEDIA_TYPES else "attachment"
    name = quote(download_name(kept.name, kept.media_type), safe="")
    return f"{how}; filename*=UTF-8''{name}"
