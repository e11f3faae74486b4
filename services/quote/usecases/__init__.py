"""What the quote service does: decide offers, verify, keep choices, say a plan."""

from services.quote.usecases.bindings import follow_bindings
from services.quote.usecases.consents import RecordConsent, record_consent
from services.quote.usecases.held import opened_with
from services.quote.usecases.quotes import (
    AskedItem,
    AskQuote,
    BindQuote,
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
from services.quote.usecases.reviews import ReviewQuote, review_quote
from services.quote.usecases.verification import (
    KeepDocument,
    VerifyQuote,
    keep_document,
    verify_quote,
)
from services.quote.usecases.wordings import prepare_wordings, wording_ids, wording_of
from services.quote.usecases.work import (
    AssignVerification,
    assign_verification,
    escalate_verification,
    lapse_documents,
)

__all__ = [
    "AskQuote",
    "AskedItem",
    "AssignVerification",
    "BindQuote",
    "EnterExchangeRate",
    "IssuedQuote",
    "KeepDocument",
    "Offer",
    "OfferedLine",
    "RecordConsent",
    "ReviewQuote",
    "VerifyQuote",
    "assign_verification",
    "bind_quotes",
    "current_plan",
    "enter_exchange_rate",
    "escalate_verification",
    "follow_bindings",
    "issue_quote",
    "keep_document",
    "lapse_documents",
    "opened_with",
    "plans_asked",
    "prepare_wordings",
    "quote_issued",
    "rate_wanted",
    "record_consent",
    "review_quote",
    "takes_insured_value",
    "unknown_plan",
    "verify_quote",
    "wording_ids",
    "wording_of",
]
