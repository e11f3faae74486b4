"""What the quote service says. The key is the quote's id."""

from datetime import datetime
from typing import ClassVar

import msgspec

from libs.common.events import Event
from libs.common.money import Money


class QuoteEvent(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "quotes"
    source: ClassVar[str] = "/quote"

    quote_id: str


class Offer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`premium` None: the plan does not insure this parcel, or cannot price it yet."""

    plan: str
    version: int
    is_available: bool
    premium: Money | None = None
    insured_value: Money | None = None
    reasons: tuple[str, ...] = ()


class QuoteIssued(QuoteEvent, frozen=True, kw_only=True):
    state: str
    offers: tuple[Offer, ...]
    valid_until: datetime


EVENTS = (QuoteIssued,)
