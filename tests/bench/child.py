"""A measured process: it runs the rounds of one piece of work and prints each as a line of JSON.

python -m tests.bench.child relay|consume|expressions ORDER CPU [profile]
"""

import gc
import sys
from pathlib import Path

import msgspec
import uvloop

from libs.common.telemetry import configure_logging
from tests.bench import consume, expressions, relay, sampling
from tests.bench.machine import pin
from tests.bench.orders import Order

WORK = {"relay": relay.rounds, "consume": consume.rounds, "expressions": expressions.rounds}


async def run(work: str, order: Order) -> None:
    async for one in WORK[work](order):
        print(msgspec.json.encode(one).decode(), flush=True)


async def run_profiled(work: str, order: Order) -> None:
    """The shares of the places, as lines, instead of the rounds."""
    sampling.start()
    async for _ in WORK[work](order):
        pass
    print(*sampling.lines(), sep="\n", flush=True)


def main(work: str, path: Path, cpu: int, *, is_profiled: bool) -> None:
    pin(cpu)
    configure_logging(f"bench-{work}", "ERROR")
    order = msgspec.json.decode(path.read_bytes(), type=Order)
    gc.collect()
    gc.freeze()
    uvloop.run((run_profiled if is_profiled else run)(work, order))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), is_profiled="profile" in sys.argv)
