"""What became of a quote, change by change."""

from typing import Annotated, Any

import msgspec
from fastapi import Depends

from libs.common import history
from libs.common.auth import QUOTES_READ, Caller, requires
from libs.common.history import Change, ChangeView
from libs.common.pagination import BadCursor, Page, Paging, paging
from libs.common.problems import problem_responses
from libs.common.service import Db
from libs.common.web import api_router
from services.quote.store import quotes
from services.quote.store.quotes import Quote, UnknownQuote

router = api_router("/v1", tags=["quotes"])


@router.get("/quotes/{quote_id}/history", responses=problem_responses(UnknownQuote, BadCursor))
async def list_changes(
    quote_id: str,
    caller: Annotated[Caller, requires(QUOTES_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
) -> Page[ChangeView]:
    """The quote's changes, the first one first; that is how it was issued."""
    async with db.transaction(caller.tenant_id) as tx:
        quote = await quotes.get_quote(tx, quote_id, tenant_id=caller.tenant_id)
        return await history.page_of(
            tx, quote_id, paging, tenant_id=caller.tenant_id, first=_issued(quote)
        )


def _issued(quote: Quote) -> Change:
    """QuoteIssued as it was said: it is not kept, since the row holds all of it for good."""
    answer = msgspec.json.decode(quote.answer)
    said = {
        "quote_id": quote.quote_id,
        "state": answer["state"],
        "offers": [_offered(offer) for offer in answer["offers"]],
        "valid_until": answer["valid_until"],
    }
    return Change(
        sequence=1,
        type="QuoteIssued",
        occurred_at=quote.created_at,
        acted_by="",
        data=msgspec.json.encode(said).decode(),
    )


def _offered(offer: dict[str, Any]) -> dict[str, Any]:
    members = ("plan", "version", "is_available", "premium", "insured_value", "reasons")
    return {name: offer[name] for name in members}
