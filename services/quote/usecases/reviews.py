"""Goods that a plan refers: a person says line by line what is insured (MP-28)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from libs.common.db import Tx
from libs.common.errors import Conflict, Invalid
from libs.common.plans.book import PlanBook
from libs.common.plans.codes import Verdict
from services.quote.domain import ExchangeRate
from services.quote.events import ItemVerdict, QuoteDeclined, QuoteEvent, QuoteReviewed
from services.quote.store import verifications
from services.quote.store.quotes import Quote
from services.quote.store.verifications import VERIFIED, Verification
from services.quote.usecases.held import Held, Json, answer_with, hold, save
from services.quote.usecases.quotes import (
    DECLINED,
    PRICED,
    AskQuote,
    IssuedQuote,
    Offer,
    make_offer,
)
from services.quote.usecases.verification import confirmed, verified

GOODS_DECLINED = "GOODS_DECLINED"

# How an offer is answered: the rendering is the door's.
Show = Callable[[IssuedQuote, Offer], Json]


class NothingToReview(Conflict):
    code = "nothing-to-review"
    title = "No goods of the quote are referred to a person"


class AlreadyReviewed(Conflict):
    code = "already-reviewed"
    title = "A person has said which goods are insured"


class VerdictsDiffer(Invalid):
    code = "verdicts-incomplete"
    title = "The verdicts are not those of the referred goods"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewQuote:
    """`ask` is the quote's own, as it was asked: it is priced anew with the verdicts, by item id."""

    tenant_id: str
    quote_id: str
    ask: AskQuote
    verdicts: Mapping[str, Verdict]
    note: str | None
    reviewed_by: str
    if_match: str | None = None


async def review_quote(
    tx: Tx, plans: PlanBook, command: ReviewQuote, show: Show, *, now: datetime
) -> Quote:
    """Priced anew with the verdicts. Nothing accepted: DECLINED; papers still wanted: they go on."""
    held = await hold(
        tx,
        plans,
        command.quote_id,
        tenant_id=command.tenant_id,
        if_match=command.if_match,
        now=now,
    )
    _must_await_review(held.verification)
    _must_be_the_referred(held.offer, command.verdicts)
    ask = _with_verdicts(command.ask, command.verdicts)
    rate = _rate_of(held.quote)
    offer = make_offer(ask, held.plan, now=held.quote.created_at, rate=rate)
    issued = IssuedQuote(
        quote_id=command.quote_id,
        ask=ask,
        offers=(offer,),
        created_at=held.quote.created_at,
        valid_until=held.quote.valid_until,
        exchange_rate=rate,
    )
    shown = replace(held.quote, verified=answer_with(held.quote, show(issued, offer)))
    return await _go_on(tx, held, shown, _reviewed(held.verification, command, now), offer, now)


async def _go_on(
    tx: Tx, held: Held, quote: Quote, reviewed: Verification, offer: Offer, now: datetime
) -> Quote:
    if offer.state == DECLINED:
        ended = replace(reviewed, state=verifications.DECLINED)
        said = QuoteDeclined(quote_id=quote.quote_id, cause=GOODS_DECLINED, declined_at=now)
        return await save(tx, held, quote, ended, said, now=now)
    if offer.state == PRICED:
        quote = confirmed(held, quote, now)
        reviewed = replace(reviewed, state=VERIFIED)
    said_of_it: list[QuoteEvent] = [_said(reviewed, offer, now)]
    if offer.state == PRICED and quote.policy_id is not None:
        said_of_it += verified(quote, held.plan.plan)
    return await save(tx, held, quote, reviewed, *said_of_it, now=now)


def _rate_of(quote: Quote) -> ExchangeRate | None:
    """The rate that the quote was made with, and keeps (G-09)."""
    answer: Json = msgspec.json.decode(quote.answer)
    return msgspec.convert(answer.get("exchange_rate"), ExchangeRate | None, strict=False)


def _must_await_review(verification: Verification) -> None:
    if not verification.needs_review:
        raise NothingToReview(
            f"The plan itself decides on the goods of {verification.quote_id}."
        )
    if not verification.awaits_review:
        raise AlreadyReviewed(
            f"{verification.reviewed_by} has reviewed the goods of {verification.quote_id}."
        )


def _must_be_the_referred(offer: Json, verdicts: Mapping[str, Verdict]) -> None:
    items = offer["items"]
    assert isinstance(items, list)
    referred = {item["item_id"] for item in items if item["verdict"] == Verdict.REFER}
    if referred != verdicts.keys():
        raise VerdictsDiffer(
            f"Give one for each referred line, and for no other: {', '.join(sorted(referred))}."
        )


def _with_verdicts(ask: AskQuote, verdicts: Mapping[str, Verdict]) -> AskQuote:
    items = tuple(replace(item, verdict=verdicts.get(item.item_id)) for item in ask.items)
    return replace(ask, items=items)


def _reviewed(verification: Verification, command: ReviewQuote, now: datetime) -> Verification:
    return replace(
        verification,
        verdicts={item_id: verdict.value for item_id, verdict in command.verdicts.items()},
        reviewed_at=now,
        reviewed_by=command.reviewed_by,
        note=command.note,
        decided_by=command.reviewed_by,
    )


def _said(reviewed: Verification, offer: Offer, now: datetime) -> QuoteReviewed:
    assert offer.price is not None
    assert reviewed.verdicts is not None
    return QuoteReviewed(
        quote_id=reviewed.quote_id,
        plan=reviewed.plan,
        verdicts=tuple(
            ItemVerdict(item_id=item_id, verdict=verdict)
            for item_id, verdict in sorted(reviewed.verdicts.items())
        ),
        state=reviewed.state,
        premium=offer.price.premium,
        insured_value=offer.insured_value,
        reviewed_at=now,
    )
