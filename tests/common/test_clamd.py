"""The scanner's client, against a peer that talks clamd's documented protocol: no clamd is here."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.common.clamd import FileBeyondScanner, Scanner, Verdict
from libs.common.errors import Unavailable
from tests.scanning import EICAR, Clamd


async def parts(content: bytes, size: int = 1_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def test_a_file_is_clean_or_what_is_found_in_it_is_named() -> None:
    async with Clamd().serving() as clamd:
        scanner = Scanner(clamd.address)

        assert await scanner.scan(parts(b"nothing bad")) == Verdict()
        assert await scanner.scan(parts(b"x" * 5_000 + EICAR)) == Verdict(
            found="Eicar-Test-Signature"
        )
        assert await scanner.scan(parts(b"")) == Verdict()


async def test_all_of_a_large_file_gets_there_in_chunks_the_scanner_takes() -> None:
    content = bytes(range(256)) * 8_192
    async with Clamd().serving() as clamd:
        await Scanner(clamd.address).scan(parts(content, size=1_000_000))

        assert clamd.seen == [content]


async def test_a_scanner_is_asked_over_a_socket_file_too(tmp_path: Path) -> None:
    async with Clamd().serving(tmp_path / "clamd.ctl") as clamd:
        assert clamd.address.startswith("unix:")
        assert (await Scanner(clamd.address).scan(parts(EICAR))).found


async def test_a_file_beyond_the_scanners_own_limit_is_neither_clean_nor_infected() -> None:
    async with Clamd(stream_max_length=10_000).serving() as clamd:
        with pytest.raises(FileBeyondScanner, match="StreamMaxLength"):
            await Scanner(clamd.address).scan(parts(bytes(20_000)))


@pytest.mark.parametrize("answer", [b"", b"stream: lstat() failed. ERROR\x00", b"x" * 9_000])
async def test_a_scanner_that_cannot_say_is_away(answer: bytes) -> None:
    async with Clamd(answer=answer).serving() as clamd:
        with pytest.raises(Unavailable):
            await Scanner(clamd.address).scan(parts(b"a file"))


async def test_a_scanner_that_is_not_there_is_away() -> None:
    async with Clamd().serving() as clamd:
        address = clamd.address
    with pytest.raises(Unavailable):
        await Scanner(address).scan(parts(b"a file"))


async def test_a_scanner_that_says_nothing_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("libs.common.clamd.SCAN_SECONDS", 0.1)
    async with Clamd(is_mute=True).serving() as clamd:
        with pytest.raises(Unavailable):
            await asyncio.wait_for(Scanner(clamd.address).scan(parts(b"a file")), 5)
