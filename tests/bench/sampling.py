"""Where a process spends its time: the stack, looked at once a millisecond of CPU.

with sampling.watched(): ...     what is measured; nothing happens unless `sampling.start()` was called
"""

import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_PERIOD_SECONDS = 0.001
_ROOT = str(Path(__file__).parents[2])
_STANDARD = (str(Path(signal.__file__).parent), "<frozen", "<string>")
_PACKAGES = "site-packages/"

_places: Counter[str] = Counter()
_is_started = False


def start() -> None:
    """From now on what is watched is sampled. In the main thread only."""
    global _is_started
    _is_started = True
    signal.signal(signal.SIGPROF, _look)


@contextmanager
def watched() -> Iterator[None]:
    if not _is_started:
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, _PERIOD_SECONDS, _PERIOD_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def lines(most: int = 14) -> tuple[str, ...]:
    """The places with their shares, the largest first."""
    total = sum(_places.values()) or 1
    return tuple(f"{100 * n / total:4.1f} % {place}" for place, n in _places.most_common(most))


def _look(_: int, frame: FrameType | None) -> None:
    _places[_place(frame)] += 1


def _place(frame: FrameType | None) -> str:
    """Our file, or the package: of the innermost code that is not the standard library's.

    What the standard library and C code do is thereby counted to whoever called them.
    """
    while frame is not None:
        file = frame.f_code.co_filename
        if _PACKAGES in file:
            return file.rpartition(_PACKAGES)[2].partition("/")[0]
        if file.startswith(_ROOT) and "tests/bench" not in file:
            return file.removeprefix(_ROOT).lstrip("/")
        if not file.startswith(_STANDARD) and "tests/bench" not in file:
            return Path(file).name
        frame = frame.f_back
    return f"Python {sys.version_info.major}.{sys.version_info.minor} and its event loop"
