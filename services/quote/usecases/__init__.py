"""What the quote service does: decide offers, take a quote through its verification, keep choices."""

from services.quote.usecases.bindings import follow_bindings
from services.quote.usecases.consents import RecordConsent, record_consent
from services.quote.usecases.held import opened_with
from services.quote.usecases.quotes import (
    AskedItem,
    AskQuote,
    BindQuote,
    IssuedQuote,
    Offer,
    bind_quotes,
    current_plan,
    issue_quote,
    plans_asked,
    quote_issued,
    takes_insured_value,
    unknown_plan,
)
from services.quote.usecases.reviews import ReviewQuote, review_quote
from services.quote.usecases.verification import (
    KeepDocument,
    VerifyQuote,
    keep_document,
    verify_quote,
)
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
    "IssuedQuote",
    "KeepDocument",
    "Offer",
    "RecordConsent",
    "ReviewQuote",
    "VerifyQuote",
    "assign_verification",
    "bind_quotes",
    "current_plan",
    "escalate_verification",
    "follow_bindings",
    "issue_quote",
    "keep_document",
    "lapse_documents",
    "opened_with",
    "plans_asked",
    "quote_issued",
    "record_consent",
    "review_quote",
    "takes_insured_value",
    "unknown_plan",
    "verify_quote",
]
