"""Asking a virus scanner: clamd, by its own protocol (INSTREAM), over TCP or a socket file."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from libs.common.errors import Unavailable

CONNECT_SECONDS: Final = 5
SCAN_SECONDS: Final = 300
MAX_ANSWER_BYTES: Final = 4_096
MAX_CHUNK_BYTES: Final = 256 * 1024


class FileBeyondScanner(Unavailable):
    """Its StreamMaxLength is smaller than our limit: a setting of the scanner, not of the file."""

    code = "file-beyond-scanner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`found` names what is in the file; empty: nothing known is."""

    found: str = ""


class Scanner:
    """A clamd at `host:port`, or at `unix:/path`. Unavailable while it cannot say."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def scan(self, content: AsyncIterator[bytes]) -> Verdict:
        try:
            async with asyncio.timeout(SCAN_SECONDS):
                return _verdict(await self._ask(content))
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as failure:
            raise Unavailable(f"The scanner does not answer: {failure!r}.") from failure

    async def _ask(self, content: AsyncIterator[bytes]) -> str:
        reader, writer = await self._connected()
        try:
            await _send(writer, content)
            answer = await reader.readuntil(b"\x00")
        finally:
            writer.close()
        return answer.rstrip(b"\x00").decode("utf-8", "replace").strip()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(CONNECT_SECONDS):
            if self._address.startswith("unix:"):
                return await asyncio.open_unix_connection(
                    self._address.removeprefix("unix:"), limit=MAX_ANSWER_BYTES
                )
            host, _, port = self._address.rpartition(":")
            return await asyncio.open_connection(
                host.strip("[]"), int(port), limit=MAX_ANSWER_BYTES
            )


async def _send(writer: asyncio.StreamWriter, content: AsyncIterator[bytes]) -> None:
    """Each chunk behind its length, an empty one last. It answers early where it has had enough."""
    try:
        writer.write(b"zINSTREAM\x00")
        async for chunk in content:
            for start in range(0, len(chunk), MAX_CHUNK_BYTES):
                part = chunk[start : start + MAX_CHUNK_BYTES]
                writer.write(len(part).to_bytes(4, "big") + part)
                await writer.drain()
        writer.write(bytes(4))
        await writer.drain()
    except (BrokenPipeError, ConnectionResetError):
        return


def _verdict(answer: str) -> Verdict:
    said = answer.removeprefix("stream: ")
    if said == "OK":
        return Verdict()
    if said.endswith(" FOUND"):
        return Verdict(found=said.removesuffix(" FOUND"))
    if "size limit exceeded" in said:
        raise FileBeyondScanner(
            f"The scanner takes no file of this size ({said}): raise its StreamMaxLength."
        )
    raise Unavailable(f"The scanner could not look: {said[:200]!a}.")
