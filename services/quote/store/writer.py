"""The one who writes quotes: a transaction every few milliseconds for all who wait.

A commit costs the disk the same for one quote as for a hundred. So requests put their quote into a
queue, and each is answered after the commit that holds it. While one transaction is on its way
the next batch gathers: an idle writer that waited a millisecond for company wrote no more quotes a
second at any load, and made a lone one wait (2.6 ms instead of 1.5). A batch that is worth it does
not wait for the transaction before it: were all clients in one, nobody would ask meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby

import structlog

from libs.common import outbox
from libs.common.db import Database, Tx, is_away
from libs.common.errors import Unavailable
from libs.common.events import Announcement
from libs.common.idempotency import KeyReused
from libs.common.testclock import SANDBOX_PREFIX
from services.quote.events import QuoteIssued
from services.quote.store.quotes import Quote, UsedKey, find_quotes_of_keys, insert_quotes
from services.quote.store.verifications import Verification, insert_verifications

# More would only wait longer than a checkout does.
MAX_WAITING = 1_000
MAX_BATCH = 200
# So many quotes share the four round trips of a transaction that another may begin at once.
WORTHWHILE_BATCH = 16
MAX_UNDER_WAY = 3
PATIENCE_SECONDS = 5.0
STOP_SECONDS = 10.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The quote that is stored: the one given, or the earlier one of its key."""

    quote: Quote
    is_replayed: bool


class _Waiting:
    __slots__ = ("done", "event", "quote", "verification")

    def __init__(
        self, quote: Quote, event: QuoteIssued, verification: Verification | None
    ) -> None:
        self.quote = quote
        self.event = event
        self.verification = verification
        self.done: asyncio.Future[Written] = asyncio.get_running_loop().create_future()

    def answer(self, earlier: Quote | None) -> None:
        """Committed; or its key was used before, by the earlier quote."""
        if self.done.done():
            return
        if earlier is None:
            self.done.set_result(Written(quote=self.quote, is_replayed=False))
            return
        assert self.quote.key is not None
        try:
            self.done.set_result(replay(self.quote.key, earlier))
        except KeyReused as refusal:
            self.done.set_exception(refusal)

    def fail(self, failure: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(failure)


class QuoteWriter:
    """One a process. `writing` starts and stops it."""

    def __init__(self, db: Database, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._db = db
        self._patience_seconds = patience_seconds
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._under_way = 0
        self._is_open = True

    async def write(
        self, quote: Quote, event: QuoteIssued, verification: Verification | None = None
    ) -> Written:
        """Store the quote and announce it; returns after the commit.

        `verification` is stored beside a quote that waits for papers or a person.
        Where its key was used before the earlier quote is returned, or KeyReused raised when that
        was another request. Unavailable when too many wait, when the writer stops, or when the
        database is away; TimeoutError when patience is at its end.
        """
        if not self._is_open or len(self._queue) >= MAX_WAITING:
            raise Unavailable("Too many quotes are being written. Try again in a moment.")
        waiting = _Waiting(quote, event, verification)
        self._queue.append(waiting)
        if self._is_due():
            self._wake.set()
        patience = asyncio.get_running_loop().call_later(
            self._patience_seconds, waiting.fail, TimeoutError()
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

    def _is_due(self) -> bool:
        """Whether a transaction should begin: the first for whoever waits, more if worth it."""
        if not self._queue or self._under_way == MAX_UNDER_WAY:
            return False
        return self._under_way == 0 or len(self._queue) >= WORTHWHILE_BATCH

    async def _write_batch(self, batch: Sequence[_Waiting]) -> None:
        try:
            await self._write(batch)
        finally:
            self._under_way -= 1
            self._wake.set()

    def stop(self) -> None:
        """No more from now on; what waits is still written."""
        self._is_open = False
        self._wake.set()

    def abandon(self) -> None:
        """Tell those who still wait that it was in vain."""
        while self._queue:
            self._queue.popleft().fail(Unavailable("The service stops. Try again in a moment."))

    def _next_batch(self) -> list[_Waiting]:
        """A fair share of those who wait for each transaction that may begin."""
        share = -(-len(self._queue) // (MAX_UNDER_WAY - self._under_way))
        size = min(MAX_BATCH, max(WORTHWHILE_BATCH, share))
        batch: list[_Waiting] = []
        while self._queue and len(batch) < size:
            waiting = self._queue.popleft()
            # Who has stopped waiting gets no quote.
            if not waiting.done.done():
                batch.append(waiting)
        return batch

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        if not batch:
            return
        try:
            earlier = await self._transaction(batch)
        except Exception as failure:  # noqa: BLE001  each waiting request is told
            await self._fail(batch, failure)
            return
        for waiting in batch:
            waiting.answer(earlier.get(waiting.quote.quote_id))

    async def _fail(self, batch: Sequence[_Waiting], failure: Exception) -> None:
        """A database that is away fails all; a row that it refuses must not fail its neighbours."""
        if is_away(failure):
            _log.warning("quotes_not_written", count=len(batch), cause=repr(failure))
            for waiting in batch:
                waiting.fail(
                    Unavailable("Please try again in a moment; nothing was charged or lost.")
                )
        elif len(batch) == 1:
            batch[0].fail(failure)
        else:
            _log.warning("quotes_redone_in_halves", count=len(batch), cause=repr(failure))
            middle = len(batch) // 2
            await self._write(batch[:middle])
            await self._write(batch[middle:])

    async def _transaction(self, batch: Sequence[_Waiting]) -> dict[str, Quote]:
        """Write the batch; by their ids, the earlier quotes of those whose key was used before."""
        async with self._db.transaction(*sorted({w.quote.tenant_id for w in batch})) as tx:
            new = await insert_quotes(tx, [w.quote for w in batch])
            written = [w for w in batch if w.quote.quote_id in new]
            opened = [w.verification for w in written if w.verification is not None]
            await insert_verifications(tx, opened)
            await _announce(tx, written)
            return await _earlier(tx, [w.quote for w in batch if w.quote.quote_id not in new])


@asynccontextmanager
async def writing(
    db: Database, *, patience_seconds: float = PATIENCE_SECONDS
) -> AsyncIterator[QuoteWriter]:
    """A writer at work; at the end everything that waits is written."""
    writer = QuoteWriter(db, patience_seconds=patience_seconds)
    task = asyncio.create_task(writer.run(), name="quote-writer")
    try:
        yield writer
    finally:
        writer.stop()
        try:
            await asyncio.wait_for(task, STOP_SECONDS)
        except TimeoutError:
            _log.error("quote_writer_cut_off")
        writer.abandon()


async def _announce(tx: Tx, batch: Sequence[_Waiting]) -> None:
    """One append for all, except that a sandbox's events bear its own time."""
    for _, group in groupby(sorted(batch, key=_clock), key=_clock):
        waiting = list(group)
        await outbox.append(
            tx,
            *(
                Announcement(tenant_id=w.quote.tenant_id, key=w.quote.quote_id, event=w.event)
                for w in waiting
            ),
            now=max(w.quote.created_at for w in waiting),
        )


def _clock(waiting: _Waiting) -> str:
    tenant_id = waiting.quote.tenant_id
    return tenant_id if tenant_id.startswith(SANDBOX_PREFIX) else ""


async def _earlier(tx: Tx, repeated: Sequence[Quote]) -> dict[str, Quote]:
    """By the id of the quote that came second, the one that came first."""
    keys = {q.quote_id: (q.tenant_id, q.key.key) for q in repeated if q.key is not None}
    if not keys:
        return {}
    found = await find_quotes_of_keys(tx, set(keys.values()))
    return {quote_id: found[key] for quote_id, key in keys.items()}


def replay(key: UsedKey, earlier: Quote) -> Written:
    """The quote that was asked for with this key before; KeyReused where that was another body."""
    assert earlier.key is not None
    if earlier.key.body_sha256 != key.body_sha256:
        raise KeyReused(
            "This key came with another body before. Use a new key for a new request."
        )
    return Written(quote=earlier, is_replayed=True)
