"""What was read from the database a moment ago, so that a hot route need not ask each time."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Known(Generic[K, V]):
    """One a process. What this process changes it forgets at once; another's change shows later."""

    def __init__(
        self,
        *,
        fresh_seconds: float,
        max_known: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fresh_seconds = fresh_seconds
        self._max_known = max_known
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._known: OrderedDict[K, tuple[V | None, float]] = OrderedDict()
        self._drops = 0

    async def find(self, key: K, read: Callable[[K], Awaitable[V | None]]) -> V | None:
        """By `read` where it is not known; that there is none is known too."""
        if self._is_known(key):
            return self._known[key][0]
        # Many requests at once need one reading.
        async with self._lock:
            if self._is_known(key):
                return self._known[key][0]
            drops = self._drops
            value = await read(key)
            # What was read while something changed may be what was before.
            if drops == self._drops:
                self._remember(key, value)
            return value

    def forget(self, is_changed: Callable[[K], bool]) -> None:
        self._drops += 1
        for key in [key for key in self._known if is_changed(key)]:
            del self._known[key]

    def _is_known(self, key: K) -> bool:
        return key in self._known and self._monotonic() < self._known[key][1]

    def _remember(self, key: K, value: V | None) -> None:
        self._known[key] = (value, self._monotonic() + self._fresh_seconds)
        self._known.move_to_end(key)
        if len(self._known) > self._max_known:
            self._known.popitem(last=False)
