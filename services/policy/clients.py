"""What the policy service asks of others over HTTP, always before a transaction is opened."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec

from libs.common.auth import INTERNAL_QUOTE
from libs.common.errors import NotFound, Unavailable
from libs.common.peers import Peer
from libs.common.progress import Progress
from services.policy.domain.batches import Refused
from services.policy.domain.policies import PRICED, Consent, Offer, PlanPin, Terms


class UnknownQuote(NotFound):
    code = "unknown-quote"
    title = "There is no such quote in your account"


class NotOffered(NotFound):
    code = "plan-not-offered"
    title = "The quote has no such offer"


class _Offer(msgspec.Struct):
    plan: str
    version: int
    sha256: str
    state: str
    is_available: bool
    reasons: tuple[str, ...] = ()
    terms: Terms | None = None


class _Consent(msgspec.Struct):
    consent_id: str
    choice: str
    plan: str


class _Quote(msgspec.Struct):
    quote_id: str
    state: str
    valid_until: datetime
    offers: list[_Offer]
    confirmed_at: datetime | None = None
    consent: _Consent | None = None


class _Fault(msgspec.Struct):
    pointer: str = ""


class _Problem(msgspec.Struct):
    status: int
    code: str
    detail: str
    errors: tuple[_Fault, ...] = ()


class _Result(msgspec.Struct):
    quote: _Quote | None = None
    problem: _Problem | None = None


class _Results(msgspec.Struct):
    results: list[_Result]


# Several hundred quotes are stored meanwhile, on a machine that may have much else to do.
QUOTES_TIMEOUT_SECONDS = 30

_results = msgspec.json.Decoder(_Results)
_quotes = msgspec.json.Decoder(_Quote)
_progress = msgspec.json.Decoder(Progress)


async def fetch_offer(
    quotes: Peer, *, tenant_id: str, quote_id: str, plan: str | None
) -> Offer:
    """The quote's offer of `plan`, or its only one; as the quote service has it now.

    Fetched, never taken from the caller: a quote cannot be bound altered.
    """
    found = await quotes.find("v1", "quotes", quote_id, tenant_id=tenant_id)
    if found is None:
        raise UnknownQuote(f"No quote {quote_id} in your account.")
    quote = _quotes.decode(found)
    return _offer(quote, _choose(quote, plan))


async def fetch_quotes(
    quotes: Peer, *, tenant_id: str, key: str, requests: Sequence[bytes]
) -> list[Offer | Refused]:
    """A new quote for each request and its one offer, or why there is none.

    The same key with the same requests gets the same quotes. Unavailable where one of them could not
    be had for now: then all are asked for again.
    """
    answer = await quotes.post(
        "internal",
        "quotes",
        tenant_id=tenant_id,
        body=b'{"quotes":[%b]}' % b",".join(requests),
        scope=INTERNAL_QUOTE,
        headers={"idempotency-key": key},
        timeout_seconds=QUOTES_TIMEOUT_SECONDS,
    )
    results = _results.decode(answer).results
    assert len(results) == len(requests)
    return [_quoted(index, result) for index, result in enumerate(results)]


def _quoted(index: int, result: _Result) -> Offer | Refused:
    problem, quote = result.problem, result.quote
    if problem is not None:
        if problem.status == Unavailable.status:
            raise Unavailable(problem.detail)
        # Told of the row, not of its place among those that were asked for together.
        pointers = [
            one.pointer.replace(f"#/quotes/{index}", "#/quote") for one in problem.errors
        ]
        return Refused(
            code=problem.code, detail=problem.detail, pointer=next(iter(pointers), "")
        )
    assert quote is not None
    if not any(offer.is_available for offer in quote.offers):
        return _declined(quote)
    if not any(offer.terms for offer in quote.offers):
        return Refused(
            code="quote-needs-verification",
            detail=(
                f"Some goods must be looked at first: upload the papers of quote {quote.quote_id}, "
                "and bind it once they are verified."
            ),
            quote_id=quote.quote_id,
        )
    try:
        return _offer(quote, _choose(quote, None))
    except NotOffered as refusal:
        return Refused(code=refusal.code, detail=refusal.detail, quote_id=quote.quote_id)


def _declined(quote: _Quote) -> Refused:
    why = "; ".join(f"{offer.plan}: {', '.join(offer.reasons)}" for offer in quote.offers)
    return Refused(
        code="quote-declined",
        detail=f"No plan of yours insures this parcel ({why}).",
        quote_id=quote.quote_id,
        reasons=tuple(reason for offer in quote.offers for reason in offer.reasons),
    )


def _offer(quote: _Quote, offer: _Offer) -> Offer:
    assert offer.terms is not None
    return Offer(
        quote_id=quote.quote_id,
        plan=PlanPin(plan=offer.plan, version=offer.version, sha256=offer.sha256),
        terms=offer.terms,
        # A PRICED quote may hold an offer that is still a DRAFT: its papers are yet to be seen.
        state=offer.state if quote.state == PRICED else quote.state,
        valid_until=quote.valid_until,
        confirmed_at=quote.confirmed_at,
        consent=_consent_to(quote, offer.plan),
    )


def _consent_to(quote: _Quote, plan: str) -> Consent | None:
    """What the customer last said, where it was about this plan."""
    said = quote.consent
    if said is None or said.plan != plan:
        return None
    return Consent(consent_id=said.consent_id, choice=said.choice)


def _choose(quote: _Quote, plan: str | None) -> _Offer:
    open_offers = [offer for offer in quote.offers if offer.is_available and offer.terms]
    chosen = [offer for offer in open_offers if plan in (None, offer.plan)]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(offer.plan for offer in open_offers) or "none"
    if plan is None and chosen:
        raise NotOffered(
            f"Quote {quote.quote_id} has several offers: name one of {names} as `plan`."
        )
    raise NotOffered(f"Quote {quote.quote_id} has no such offer to bind; it has: {names}.")


async def fetch_progress(peers: Sequence[Peer], *, tenant_id: str) -> dict[str, Progress]:
    """How far these services are for the tenant, asked at the same time."""
    answers = await asyncio.gather(
        *(peer.get("internal", "progress", tenant_id=tenant_id) for peer in peers)
    )
    return {
        peer.name: _progress.decode(answer) for peer, answer in zip(peers, answers, strict=True)
    }
