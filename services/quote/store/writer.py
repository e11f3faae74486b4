"""The one who writes quotes: with their verifications, events and keys, in one commit for many."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby

from libs.common import groupcommit, outbox
from libs.common.db import Database, Tx
from libs.common.events import Announcement
from libs.common.groupcommit import PATIENCE_SECONDS, GroupWriter
from libs.common.idempotency import KeyReused
from libs.common.testclock import SANDBOX_PREFIX
from services.quote.events import QuoteIssued
from services.quote.store.quotes import Quote, UsedKey, find_quotes_of_keys, insert_quotes
from services.quote.store.verifications import Verification, insert_verifications


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The quote that is stored: the one given, or the earlier one of its key."""

    quote: Quote
    is_replayed: bool


@dataclass(frozen=True, slots=True)
class _Issue:
    """A quote and what is stored and said with it."""

    quote: Quote
    event: QuoteIssued
    verification: Verification | None


class QuoteWriter:
    """One a process. `writing` starts and stops it."""

    def __init__(self, writer: GroupWriter[_Issue, Written]) -> None:
        self._writer = writer

    async def write(
        self, quote: Quote, event: QuoteIssued, verification: Verification | None = None
    ) -> Written:
        """Store the quote and announce it; returns after the commit.

        `verification` is stored beside a quote that waits for papers or a person.
        Where its key was used before the earlier quote is returned, or KeyReused raised when that
        was another request. Otherwise it raises as GroupWriter does.
        """
        return await self._writer.write(_Issue(quote, event, verification))


@asynccontextmanager
async def writing(
    db: Database, *, patience_seconds: float = PATIENCE_SECONDS
) -> AsyncIterator[QuoteWriter]:
    """A writer at work; at the end everything that waits is written."""

    async def commit(batch: Sequence[_Issue]) -> Sequence[Written | Exception]:
        return await _transaction(db, batch)

    async with groupcommit.writing(
        commit, "quotes", patience_seconds=patience_seconds
    ) as writer:
        yield QuoteWriter(writer)


async def _transaction(db: Database, batch: Sequence[_Issue]) -> list[Written | Exception]:
    async with db.transaction(*sorted({i.quote.tenant_id for i in batch})) as tx:
        new = await insert_quotes(tx, [i.quote for i in batch])
        written = [i for i in batch if i.quote.quote_id in new]
        opened = [i.verification for i in written if i.verification is not None]
        await insert_verifications(tx, opened)
        await _announce(tx, written)
        earlier = await _earlier(tx, [i.quote for i in batch if i.quote.quote_id not in new])
    return [_answer(issue.quote, earlier.get(issue.quote.quote_id)) for issue in batch]


def _answer(quote: Quote, earlier: Quote | None) -> Written | Exception:
    """Committed; or its key was used before, by the earlier quote."""
    if earlier is None:
        return Written(quote=quote, is_replayed=False)
    assert quote.key is not None
    try:
        return replay(quote.key, earlier)
    except KeyReused as refusal:
        return refusal


async def _announce(tx: Tx, batch: Sequence[_Issue]) -> None:
    """One append for all, except that a sandbox's events bear its own time."""
    for _, group in groupby(sorted(batch, key=_clock), key=_clock):
        issued = list(group)
        await outbox.append(
            tx,
            *(
                Announcement(tenant_id=i.quote.tenant_id, key=i.quote.quote_id, event=i.event)
                for i in issued
            ),
            now=max(i.quote.created_at for i in issued),
        )


def _clock(issue: _Issue) -> str:
    tenant_id = issue.quote.tenant_id
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
