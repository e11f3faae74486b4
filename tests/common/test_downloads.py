"""Files go out whole or in the parts that are asked for, and are never run in our name."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from fastapi import Request, Response
from starlette.responses import StreamingResponse

from libs.common.downloads import Kept, file_response
from libs.common.files import Files, made_here

CONTENT = bytes(range(100))


async def asked(
    tmp_path: Path, *, media_type: str = "video/mp4", is_inline: bool = False, **sent: str
) -> tuple[int, Mapping[str, str], bytes]:
    files = Files(str(tmp_path))
    facts = made_here(CONTENT, media_type)
    await files.keep("t-1", facts, CONTENT)
    headers = [
        (name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()
    ]
    request = Request({"type": "http", "method": "GET", "headers": headers})
    kept = Kept(sha256=facts.sha256, size_bytes=100, media_type=media_type, name="größe.exe")
    response: Response = await file_response(files, "t-1", kept, request, is_inline=is_inline)
    body = (
        b"".join([bytes(part) async for part in response.body_iterator])  # type: ignore[arg-type]
        if isinstance(response, StreamingResponse)
        else bytes(response.body)
    )
    return response.status_code, response.headers, body


async def test_a_file_is_saved_under_its_own_type_and_nothing_runs(tmp_path: Path) -> None:
    status, headers, body = await asked(tmp_path, media_type="application/pdf")

    assert (status, body) == (200, CONTENT)
    assert headers["content-type"] == "application/pdf"
    assert headers["content-length"] == "100"
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe.pdf"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["cache-control"] == "private, no-store"


async def test_only_what_a_browser_merely_shows_is_shown(tmp_path: Path) -> None:
    for media_type, how in (
        ("image/png", "inline"),
        ("application/pdf", "inline"),
        ("video/webm", "inline"),
        ("application/json", "attachment"),
        ("text/html", "attachment"),
    ):
        _, headers, _ = await asked(tmp_path, media_type=media_type, is_inline=True)
        assert headers["content-disposition"].partition(";")[0] == how


@pytest.mark.parametrize(
    ("asked_for", "part", "content_range"),
    [
        ("bytes=0-9", CONTENT[:10], "bytes 0-9/100"),
        ("bytes=90-", CONTENT[90:], "bytes 90-99/100"),
        ("bytes=-5", CONTENT[95:], "bytes 95-99/100"),
        ("bytes=99-99", CONTENT[99:], "bytes 99-99/100"),
        ("bytes=50-1000", CONTENT[50:], "bytes 50-99/100"),
    ],
)
async def test_a_player_gets_the_part_it_asks_for(
    tmp_path: Path, asked_for: str, part: bytes, content_range: str
) -> None:
    status, headers, body = await asked(tmp_path, range=asked_for)

    assert (status, body, headers["content-range"]) == (206, part, content_range)
    assert headers["content-length"] == str(len(part))


@pytest.mark.parametrize(
    "asked_for",
    [
        "bytes=0-1,5-6",
        "bytes=9-3",
        "bytes=-",
        "lines=1-2",
        "bytes=a-b",
        "bytes=0-99",
        "bytes=-200",
    ],
)
async def test_what_is_no_single_part_is_answered_by_the_whole(
    tmp_path: Path, asked_for: str
) -> None:
    status, _, body = await asked(tmp_path, range=asked_for)

    assert (status, body) == (200, CONTENT)


@pytest.mark.parametrize("asked_for", ["bytes=100-", "bytes=500-600", "bytes=-0"])
async def test_a_part_that_is_not_there_is_refused(tmp_path: Path, asked_for: str) -> None:
    status, headers, body = await asked(tmp_path, range=asked_for)

    assert (status, headers["content-range"], body) == (416, "bytes */100", b"")


async def test_a_part_of_another_file_is_not_mixed_in(tmp_path: Path) -> None:
    _, headers, _ = await asked(tmp_path)

    same = await asked(tmp_path, range="bytes=0-9", if_range=headers["etag"])
    other = await asked(tmp_path, range="bytes=0-9", if_range='"another"')

    assert (same[0], other[0]) == (206, 200)
