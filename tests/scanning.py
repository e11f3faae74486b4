"""A peer that talks clamd's INSTREAM protocol, as its manual has it: it stands in for clamd itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

# The test file that every scanner knows, put together here so that none finds it in this file.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


@dataclass(slots=True, kw_only=True)
class Clamd:
    """`answer`: said instead of a verdict. `seen`: the streams that came in whole."""

    stream_max_length: int = 100_000_000
    answer: bytes | None = None
    is_mute: bool = False
    address: str = ""
    seen: list[bytes] = field(default_factory=list)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self, path: Path | None = None) -> AsyncIterator["Clamd"]:
        if path is None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        else:
            server = await asyncio.start_unix_server(self._serve, path)
            self.address = f"unix:{path}"
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        assert await reader.readuntil(b"\x00") == b"zINSTREAM\x00"
        answer = await self._verdict(reader)
        if not self.is_mute:
            writer.write(answer if self.answer is None else self.answer)
            await writer.drain()
            writer.close()

    async def _verdict(self, reader: asyncio.StreamReader) -> bytes:
        content = b""
        while length := int.from_bytes(await reader.readexactly(4), "big"):
            content += await reader.readexactly(length)
            if len(content) > self.stream_max_length:
                return b"INSTREAM size limit exceeded. ERROR\x00"
        self.seen.append(content)
        found = b"Eicar-Test-Signature FOUND" if EICAR in content else b"OK"
        return b"stream: " + found + b"\x00"
