"""A closed-loop sender in a process of its own: each connection sends as soon as it is answered.

    python -m tests.bench.sender ORDERS    (the path of a JSON file with an `Orders`)

A bare HTTP/1.1 client on sockets: it looks for the end of the head, the length and the status, and
nothing else, so that it takes a few microseconds a request and the server is what is measured.
"""

import asyncio
import sys
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import uvloop

KEY_PLACE = b"{key}"


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: whole bodies in turn, each request with a key of its own."""

    host: str
    port: int
    path: str
    headers: dict[str, str]
    bodies: list[str]
    connections: int
    warmup_seconds: float
    seconds: float
    # Sets this run's keys apart from those of all others.
    run: str
    # Headers of each body, where they have some of their own, such as a signature.
    own_headers: list[dict[str, str]] = []
    # Each body once, and no longer, instead of for some seconds.
    is_once: bool = False
    cpu: int | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """`by_status` counts answers within the measured seconds; latencies are of them all."""

    by_status: dict[str, int]
    # All answers, those of the warm-up too.
    answered: int
    seconds: float
    p50_ms: float
    p99_ms: float
    # Of one core: near 1 the sender, not the server, would be what was measured.
    cpu_share: float

    @property
    def per_second(self) -> float:
        good = sum(n for status, n in self.by_status.items() if status.startswith("2"))
        return good / self.seconds


class _Measure:
    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        own = orders.own_headers or [{}] * len(orders.bodies)
        self.requests = [
            _request(orders, body.encode(), headers)
            for body, headers in zip(orders.bodies, own, strict=True)
        ]
        self.numbers = iter(range(len(self.requests))) if orders.is_once else count()
        self.is_done = asyncio.Event()
        self.is_measuring = False
        self.is_over = False
        self.answered = 0
        self.statuses: Counter[bytes] = Counter()
        self.latencies: list[float] = []

    def next_request(self) -> bytes | None:
        """None once each was sent that is sent once."""
        number = next(self.numbers, None)
        if number is None:
            return None
        head, tail = self.requests[number % len(self.requests)]
        return b"%b%b-%d%b" % (head, self.orders.run.encode(), number, tail)


class _Connection(asyncio.Protocol):
    def __init__(self, measure: _Measure) -> None:
        self._measure = measure
        self._transport: Any = None
        self._got = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        request = self._measure.next_request()
        if request is not None:
            self._sent_at = time.perf_counter()
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        got = self._got + data if self._got else data
        if not _is_whole(got):
            self._got = got
            return
        self._got = b""
        measure = self._measure
        measure.answered += 1
        if measure.is_measuring:
            measure.statuses[got[9:12]] += 1
            measure.latencies.append(time.perf_counter() - self._sent_at)
        if measure.orders.is_once and measure.answered == len(measure.requests):
            measure.is_done.set()
        if not measure.is_over:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._measure.is_over:
            self._measure.statuses[b"lost"] += 1


def _request(orders: Orders, body: bytes, own_headers: dict[str, str]) -> tuple[bytes, bytes]:
    """The request before and after its key."""
    lines = [
        f"POST {orders.path} HTTP/1.1",
        f"host: {orders.host}:{orders.port}",
        *(f"{name}: {value}" for name, value in (orders.headers | own_headers).items()),
        "content-type: application/json",
        f"content-length: {len(body)}",
        "idempotency-key: {key}",
    ]
    head, tail = "\r\n".join(lines).encode().split(KEY_PLACE)
    return head, tail + b"\r\n\r\n" + body


def _is_whole(got: bytes) -> bool:
    end = got.find(b"\r\n\r\n")
    if end < 0:
        return False
    at = got.find(b"content-length: ", 0, end + 2)
    if at < 0:
        raise ValueError(f"an answer without length: {got[:end]!r}")
    length = int(got[at + 16 : got.find(b"\r", at)])
    return len(got) >= end + 4 + length


async def send(orders: Orders) -> Result:
    """Keep all connections busy for the warm-up and the measured seconds, or until all are sent."""
    measure = _Measure(orders)
    measure.is_measuring = orders.is_once
    began, cpu = time.perf_counter(), time.process_time()
    loop = asyncio.get_running_loop()
    transports = [
        (await loop.create_connection(lambda: _Connection(measure), orders.host, orders.port))[
            0
        ]
        for _ in range(orders.connections)
    ]
    if orders.is_once:
        await measure.is_done.wait()
    else:
        await asyncio.sleep(orders.warmup_seconds)
        measure.is_measuring = True
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(orders.seconds)
    measure.is_measuring = False
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    measure.is_over = True
    for transport in transports:
        transport.close()
    latencies = sorted(measure.latencies) or [0.0]
    return Result(
        answered=measure.answered,
        by_status={status.decode(): n for status, n in measure.statuses.items()},
        seconds=seconds,
        p50_ms=latencies[len(latencies) // 2] * 1000,
        p99_ms=latencies[len(latencies) * 99 // 100] * 1000,
        cpu_share=cpu_seconds / seconds,
    )


def main(path: Path) -> None:
    orders = msgspec.json.decode(path.read_bytes(), type=Orders)
    if orders.cpu is not None:
        from tests.bench.machine import pin

        pin(orders.cpu)
    print(msgspec.json.encode(uvloop.run(send(orders))).decode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
