"""Group commit: a transaction every few milliseconds for all who wait.

A commit costs the disk the same for one row as for a hundred. So requests put what they have into a
queue, and each is answered after the commit that holds it. While one transaction is on its way
the next batch gathers: an idle writer that waited a millisecond for company wrote no more quotes a
second at any load, and made a lone one wait (2.6 ms instead of 1.5). A batch that is worth it does
not wait for the transaction before it: were all clients in one, nobody would ask meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import structlog

from libs.common.db import is_away
from libs.common.errors import Unavailable

# More would only wait longer than a caller does.
MAX_WAITING = 1_000
MAX_BATCH = 200
# So many share the round trips of a transaction that another may begin at once.
WORTHWHILE_BATCH = 16
MAX_UNDER_WAY = 3
PATIENCE_SECONDS = 5.0
STOP_SECONDS = 10.0

T = TypeVar("T")
R = TypeVar("R")

# One transaction for all of them; for each, in order, what came of it, or why not.
Commit = Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]]

_log = structlog.get_logger()


class _Waiting(Generic[T, R]):
    __slots__ = ("done", "item")

    def __init__(self, item: T) -> None:
        self.item = item
        self.done: asyncio.Future[R] = asyncio.get_running_loop().create_future()

    def answer(self, result: R | Exception) -> None:
        if self.done.done():
            return
        if isinstance(result, Exception):
            self.done.set_exception(result)
        else:
            self.done.set_result(result)


class GroupWriter(Generic[T, R]):
    """One a process and kind of row; `writing` starts and stops it."""

    def __init__(
        self, commit: Commit[T, R], name: str, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._commit = commit
        self._name = name
        self._patience_seconds = patience_seconds
        self._queue: deque[_Waiting[T, R]] = deque()
        self._wake = asyncio.Event()
        self._under_way = 0
        self._is_open = True

    async def write(self, item: T) -> R:
        """Returns after the commit; raises what `commit` has for the item.

        Unavailable when too many wait, when the writer stops, or when the database is away;
        TimeoutError when patience is at its end.
        """
        if not self._is_open or len(self._queue) >= MAX_WAITING:
            raise Unavailable(
                f"Too many {self._name} are being written. Try again in a moment."
            )
        waiting: _Waiting[T, R] = _Waiting(item)
        self._queue.append(waiting)
        if self._is_due():
            self._wake.set()
        patience = asyncio.get_running_loop().call_later(
            self._patience_seconds, waiting.answer, TimeoutError()
        )
        try:
            return await waiting.done
        finally:
            patience.cancel()

    async def run(self) -> None:
        """Until stopped and nobody waits any more."""
        async with asyncio.TaskGroup() as transactions:
            while self._is_open or self._queue:
                if self._is_due():
                    batch = self._next_batch()
                    self._under_way += 1
                    transactions.create_task(self._write_batch(batch))
                else:
                    self._wake.clear()
                    await self._wake.wait()

    def stop(self) -> None:
        """No more from now on; what waits is still written."""
        self._is_open = False
        self._wake.set()

    def abandon(self) -> None:
        """Tell those who still wait that it was in vain."""
        while self._queue:
            self._queue.popleft().answer(
                Unavailable("The service stops. Try again in a moment.")
            )

    def _is_due(self) -> bool:
        """Whether a transaction should begin: the first for whoever waits, more if worth it."""
        if not self._queue or self._under_way == MAX_UNDER_WAY:
            return False
        return self._under_way == 0 or len(self._queue) >= WORTHWHILE_BATCH

    def _next_batch(self) -> list[_Waiting[T, R]]:
        """A fair share of those who wait for each transaction that may begin."""
        share = -(-len(self._queue) // (MAX_UNDER_WAY - self._under_way))
        size = min(MAX_BATCH, max(WORTHWHILE_BATCH, share))
        batch: list[_Waiting[T, R]] = []
        while self._queue and len(batch) < size:
            waiting = self._queue.popleft()
            # Who has stopped waiting gets nothing.
            if not waiting.done.done():
                batch.append(waiting)
        return batch

    async def _write_batch(self, batch: Sequence[_Waiting[T, R]]) -> None:
        try:
            await self._write(batch)
        finally:
            self._under_way -= 1
            self._wake.set()

    async def _write(self, batch: Sequence[_Waiting[T, R]]) -> None:
        if not batch:
            return
        try:
            results = await self._commit([waiting.item for waiting in batch])
        except Exception as failure:  # noqa: BLE001  each waiting request is told
            await self._fail(batch, failure)
            return
        for waiting, result in zip(batch, results, strict=True):
            waiting.answer(result)

    async def _fail(self, batch: Sequence[_Waiting[T, R]], failure: Exception) -> None:
        """A database that is away fails all; a row that it refuses must not fail its neighbours."""
        if is_away(failure):
            _log.warning(f"{self._name}_not_written", count=len(batch), cause=repr(failure))
            for waiting in batch:
                waiting.answer(
                    Unavailable("Please try again in a moment; nothing was charged or lost.")
                )
        elif len(batch) == 1:
            batch[0].answer(failure)
        else:
            _log.warning(
                f"{self._name}_redone_in_halves", count=len(batch), cause=repr(failure)
            )
            middle = len(batch) // 2
            await self._write(batch[:middle])
            await self._write(batch[middle:])


@asynccontextmanager
async def writing(
    commit: Commit[T, R], name: str, *, patience_seconds: float = PATIENCE_SECONDS
) -> AsyncIterator[GroupWriter[T, R]]:
    """A writer at work; at the end everything that waits is written. `name` is what it writes."""
    writer = GroupWriter(commit, name, patience_seconds=patience_seconds)
    task = asyncio.create_task(writer.run(), name=f"{name}-writer")
    try:
        yield writer
    finally:
        writer.stop()
        try:
            await asyncio.wait_for(task, STOP_SECONDS)
        except TimeoutError:
            _log.error("writer_cut_off", writes=name)
        writer.abandon()
