"""Policies that have bound a quote which still waits: they hear what they have missed."""

from collections.abc import Iterable

from libs.common.db import Tx
from libs.common.plans.book import PlanBook
from services.quote.events import (
    QuoteDeclined,
    QuoteEvent,
)
from services.quote.store import quotes, verifications
from services.quote.store.quotes import Quote
from services.quote.store.verifications import (
    DECLINED,
    INVALID,
    Verification,
)
from services.quote.usecases.held import (
    offer_of,
    opened,
    say,
)
from services.quote.usecases.quotes import (
    DRAFT,
    BindQuote,
)
from services.quote.usecases.reviews import GOODS_DECLINED
from services.quote.usecases.verification import verified
from services.quote.usecases.work import invalidated


async def follow_bindings(tx: Tx, plans: PlanBook, bindings: Iterable[BindQuote]) -> None:
    """Policies that wait for an amount: what they have missed is said again.

    A policy that was bound while the word on its quote was on its way has not heard it. And the
    offer that was bound is the one whose papers are awaited, whatever else the quote held.
    """
    for binding in sorted(bindings, key=lambda one: (one.tenant_id, one.quote_id)):
        quote = await quotes.lock_quote(tx, binding.quote_id, tenant_id=binding.tenant_id)
        found = await verifications.find_verification(
            tx, binding.quote_id, tenant_id=binding.tenant_id
        )
        if quote.confirmed_at is not None:
            said = verified(quote, binding.plan)
            await say(tx, quote.tenant_id, *said, now=quote.confirmed_at)
        elif found is not None and found.state in (DECLINED, INVALID):
            await say(tx, quote.tenant_id, _ended(found), now=binding.bound_at)
        elif found is None or found.plan != binding.plan:
            await _await_bound_offer(tx, plans, quote, found, binding)


async def _await_bound_offer(
    tx: Tx, plans: PlanBook, quote: Quote, found: Verification | None, binding: BindQuote
) -> None:
    offer = offer_of(quote, binding.plan)
    if offer is None or offer["state"] != DRAFT:
        return
    items = offer["items"]
    assert isinstance(items, list)
    waiting = opened(
        plans.pinned(str(offer["sha256"])),
        quote_id=quote.quote_id,
        tenant_id=quote.tenant_id,
        verdicts=[item["verdict"] for item in items],
        at=binding.bound_at,
    )
    if found is None:
        await verifications.insert_verifications(tx, [waiting])
    else:
        await verifications.save_verification(tx, found, waiting)


def _ended(verification: Verification) -> QuoteEvent:
    if verification.state == INVALID:
        return invalidated(verification)
    assert verification.reviewed_at is not None
    return QuoteDeclined(
        quote_id=verification.quote_id,
        cause=GOODS_DECLINED,
        declined_at=verification.reviewed_at,
    )
