"""What the policy service asks of others over HTTP, always before a transaction is opened."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

import httpx
import msgspec

from libs.common.auth import ServiceSigner
from libs.common.errors import NotFound, Unavailable
from libs.common.progress import Progress
from libs.common.settings import Settings
from services.policy.domain.policies import PRICED, Offer, PlanPin, Terms


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
    terms: Terms | None = None


class _Quote(msgspec.Struct):
    quote_id: str
    state: str
    valid_until: datetime
    offers: list[_Offer]
    confirmed_at: datetime | None = None


_quotes = msgspec.json.Decoder(_Quote)
_progress = msgspec.json.Decoder(Progress)


async def fetch_offer(
    http: httpx.AsyncClient,
    signer: ServiceSigner,
    settings: Settings,
    *,
    tenant_id: str,
    quote_id: str,
    plan: str | None,
) -> Offer:
    """The quote's offer of `plan`, or its only one; as the quote service has it now.

    Fetched, never taken from the caller: a quote cannot be bound altered.
    """
    response = await _get(http, signer, f"{settings.quote_url}/v1/quotes/{quote_id}", tenant_id)
    if response.status_code == 404:
        raise UnknownQuote(f"No quote {quote_id} in your account.")
    quote = _quotes.decode(_content(response))
    offer = _choose(quote, plan)
    assert offer.terms is not None
    return Offer(
        quote_id=quote.quote_id,
        plan=PlanPin(plan=offer.plan, version=offer.version, sha256=offer.sha256),
        terms=offer.terms,
        # A PRICED quote may hold an offer that is still a DRAFT: its papers are yet to be seen.
        state=offer.state if quote.state == PRICED else quote.state,
        valid_until=quote.valid_until,
        confirmed_at=quote.confirmed_at,
    )


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


async def fetch_progress(
    http: httpx.AsyncClient, signer: ServiceSigner, urls: Mapping[str, str], *, tenant_id: str
) -> dict[str, Progress]:
    """How far the services at these URLs are for the tenant, asked at the same time."""
    responses = await asyncio.gather(
        *(_get(http, signer, f"{url}/internal/progress", tenant_id) for url in urls.values())
    )
    return {
        service: _progress.decode(_content(response))
        for service, response in zip(urls, responses, strict=True)
    }


async def _get(
    http: httpx.AsyncClient, signer: ServiceSigner, url: str, tenant_id: str
) -> httpx.Response:
    try:
        return await http.get(url, headers=signer.headers(tenant_id))
    except httpx.HTTPError as failure:
        raise Unavailable(
            f"{httpx.URL(url).host} does not answer. Try again soon."
        ) from failure


def _content(response: httpx.Response) -> bytes:
    if response.status_code != 200:
        raise Unavailable("A service this needs answered with an error. Try again soon.")
    return response.content
