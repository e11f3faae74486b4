"""What the quote service does: decide offers, take a quote through its verification, say a plan."""

from services.quote.usecases.quotes import (
    AskedItem,
    AskQuote,
    IssuedQuote,
    Offer,
    OfferedLine,
    bind_quotes,
    current_plan,
    issue_quote,
    plans_asked,
    quote_issued,
    rate_wanted,
    takes_insured_value,
    unknown_plan,
)
from services.quote.usecases.rates import EnterExchangeRate, enter_exchange_rate
from services.quote.usecases.verification import (
    KeepDocument,
    VerifyQuote,
    keep_document,
    say_again,
    verify_quote,
)
from services.quote.usecases.wordings import prepare_wordings, wording_ids, wording_of

__all__ = [
    "AskQuote",
    "AskedItem",
    "EnterExchangeRate",
    "IssuedQuote",
    "KeepDocument",
    "Offer",
    "OfferedLine",
    "VerifyQuote",
    "bind_quotes",
    "current_plan",
    "enter_exchange_rate",
    "issue_quote",
    "keep_document",
    "plans_asked",
    "prepare_wordings",
    "quote_issued",
    "rate_wanted",
    "say_again",
    "takes_insured_value",
    "unknown_plan",
    "verify_quote",
    "wording_ids",
    "wording_of",
]
