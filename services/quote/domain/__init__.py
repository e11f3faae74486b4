"""What a plan means before it is bought: pure decisions over the parcel's facts."""

from services.quote.domain.pricing import (
    CheckedDocuments,
    EligibleGoods,
    LimitCheck,
    Offered,
    Price,
    autopay,
    documents,
    eligibility,
    offer,
    price,
    quote_limit,
)

__all__ = [
    "CheckedDocuments",
    "EligibleGoods",
    "LimitCheck",
    "Offered",
    "Price",
    "autopay",
    "documents",
    "eligibility",
    "offer",
    "price",
    "quote_limit",
]
