"""What a checkout is answered: offers, and the terms that a policy takes over as they are."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from libs.common.money import Money, format_money
from services.quote.domain import ExchangeRate
from services.quote.store.consents import Consent
from services.quote.store.quotes import Quote
from services.quote.usecases import AskedItem, IssuedQuote, Offer, OfferedLine, wording_ids


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The base of everything that goes out through msgspec."""


class MoneyShown(Answer, frozen=True, kw_only=True):
    """An amount. `formatted` is for people; reckon with the other two."""

    amount_minor: int
    currency: str
    formatted: str

    @classmethod
    def of(cls, money: Money) -> "MoneyShown":
        return cls(
            amount_minor=money.amount_minor,
            currency=money.currency,
            formatted=format_money(money),
        )


class ItemVerdict(Answer, frozen=True, kw_only=True):
    """ACCEPT: insured. DECLINE: not insured, nor priced. REFER: a person decides."""

    item_id: str
    verdict: str
    reason: Annotated[
        str, Meta(description="GOODS_EXCLUDED or GOODS_REFERRED; empty for a line insured.")
    ]
    premium: Annotated[
        MoneyShown | None,
        Meta(
            description="What the line costs by itself: rate × its value, before the plan's "
            "minimum; of a referred line what it would cost. Null where it is excluded."
        ),
    ]

    @classmethod
    def of(cls, line: OfferedLine) -> "ItemVerdict":
        return cls(
            item_id=line.item_id,
            verdict=line.verdict.value,
            reason=line.reason,
            premium=_shown(line.premium),
        )


class ItemTerms(Answer, frozen=True, kw_only=True):
    item_id: str
    item_class: str
    quantity: int
    value: MoneyShown
    weight_kg: Decimal
    source: str
    marks: tuple[str, ...]
    verdict: str

    @classmethod
    def of(cls, item: AskedItem, verdict: str) -> "ItemTerms":
        return cls(
            item_id=item.item_id,
            item_class=item.item_class,
            quantity=item.quantity,
            value=MoneyShown.of(item.value),
            weight_kg=item.weight_kg,
            source=item.source,
            marks=item.marks,
            verdict=verdict,
        )


class DocumentTerms(Answer, frozen=True, kw_only=True):
    kind: str
    sha256: str
    evidence_id: str


class TermsShown(Answer, frozen=True, kw_only=True):
    """Every fact known at purchase: what a policy that binds this offer is about."""

    insured_value: MoneyShown
    goods_value: MoneyShown
    eligible_goods_value: MoneyShown
    shipping_fee: MoneyShown
    premium: MoneyShown
    rate: Decimal
    goods_limit: MoneyShown | None
    items: tuple[ItemTerms, ...]
    documents: tuple[DocumentTerms, ...]
    order_ref: str
    submitted_at: datetime | None
    line: str
    line_tags: tuple[str, ...]
    mode: str
    destination: str
    scope: str
    packing: str
    options: tuple[str, ...]
    customer_id: str
    customer_kind: str
    is_registered: bool
    is_vip: bool
    is_freight_paid: bool

    @classmethod
    def of(cls, quote: IssuedQuote, offer: Offer) -> "TermsShown | None":
        """None where there is no price."""
        ask, price = quote.ask, offer.price
        if price is None:
            return None
        return cls(
            insured_value=MoneyShown.of(offer.insured_value),
            goods_value=MoneyShown.of(ask.goods_value),
            eligible_goods_value=MoneyShown.of(offer.goods.eligible_goods_value),
            shipping_fee=MoneyShown.of(ask.shipping_fee),
            premium=MoneyShown.of(price.premium),
            rate=price.rate,
            goods_limit=_shown(offer.limit.goods_limit),
            items=tuple(
                ItemTerms.of(item, verdict.value)
                for item, verdict in zip(ask.items, offer.goods.verdicts, strict=True)
            ),
            documents=(),
            order_ref=ask.order_ref,
            submitted_at=ask.submitted_at,
            line=ask.line,
            line_tags=offer.line_tags,
            mode=offer.mode,
            destination=ask.destination,
            scope=ask.scope,
            packing=ask.packing,
            options=ask.options,
            customer_id=ask.customer_id,
            customer_kind=ask.customer_kind,
            is_registered=ask.is_registered,
            is_vip=ask.is_vip,
            is_freight_paid=True,
        )


class OfferView(Answer, frozen=True, kw_only=True):
    """One plan's answer."""

    plan: str
    version: int
    sha256: Annotated[
        str, Meta(description="Of the plan's document: a policy is pinned to it.")
    ]
    state: Annotated[
        str,
        Meta(
            description="PRICED, DRAFT (papers, or all of the goods, are still to be looked at) "
            "or DECLINED."
        ),
    ]
    is_available: bool
    reasons: Annotated[
        tuple[str, ...],
        Meta(
            description="Why it is not available: NOT_ON_OFFER (here and now), BUYER_NOT_SERVED, "
            "GOODS_EXCLUDED, NOTHING_INSURED, OVER_LIMIT, OVER_VALUE."
        ),
    ]
    reminder: Annotated[bool, Meta(description="Whether to remind the customer of the cover.")]
    warnings: Annotated[
        tuple[str, ...],
        Meta(
            description="OVER_VALUE: insured above the declared value, which a claim never pays. "
            "INSURED_VALUE_NOT_TAKEN: the plan insures the goods at their own value. "
            "GOODS_REFERRED: a person decides on some lines, which are not insured until then. "
            "NO_EXCHANGE_RATE: there was no rate to tell the order's value in USD by."
        ),
    ]
    premium: Annotated[
        MoneyShown | None, Meta(description="For the lines that are insured (ACCEPT).")
    ]
    raw_premium: Annotated[
        MoneyShown | None, Meta(description="Rate × value, before the plan's minimum.")
    ]
    rate: Decimal
    insured_value: MoneyShown
    limit: Annotated[
        MoneyShown | None,
        Meta(description="The highest value this line and country may be insured at."),
    ]
    goods_limit: Annotated[
        MoneyShown | None,
        Meta(description="The highest that is ever paid for the goods in it."),
    ]
    limit_when: Annotated[
        str | None,
        Meta(description="The row of the plan's limits that holds here, in the plan's words."),
    ]
    limit_rules: Annotated[
        tuple[str, ...], Meta(description="The programme's clauses that say so.")
    ]
    perils: tuple[str, ...]
    exclusions: tuple[str, ...]
    wordings: Annotated[
        dict[str, str],
        Meta(
            description="By language: the id of the plan in plain words, for a consent to name."
        ),
    ]
    items: tuple[ItemVerdict, ...]
    terms: TermsShown | None

    @classmethod
    def of(cls, quote: IssuedQuote, offer: Offer) -> "OfferView":
        plan, price, limit = offer.plan, offer.price, offer.limit
        return cls(
            plan=plan.plan,
            version=plan.version,
            sha256=plan.sha256,
            state=offer.state,
            is_available=offer.is_available,
            reasons=offer.reasons,
            reminder=offer.is_reminded,
            warnings=offer.warnings,
            premium=None if price is None else MoneyShown.of(price.premium),
            raw_premium=None if price is None else MoneyShown.of(price.raw),
            rate=plan.premium.rate,
            insured_value=MoneyShown.of(offer.insured_value),
            limit=_shown(limit.limit),
            goods_limit=_shown(limit.goods_limit),
            limit_when=None if limit.row is None else limit.row.when.text,
            limit_rules=() if limit.row is None else limit.row.rules,
            perils=tuple(name for name, peril in plan.perils.items() if peril.enabled),
            exclusions=plan.exclusions,
            wordings=wording_ids(plan),
            items=tuple(ItemVerdict.of(line) for line in offer.lines),
            terms=TermsShown.of(quote, offer),
        )


class ExchangeRateShown(Answer, frozen=True, kw_only=True):
    """USD for one unit of the currency, as it was entered for the day."""

    currency: str
    rate: Decimal
    day: date

    @classmethod
    def of(cls, rate: ExchangeRate) -> "ExchangeRateShown":
        return cls(currency=rate.currency, rate=rate.rate, day=rate.day)


class ConsentShown(Answer, frozen=True, kw_only=True):
    choice: Annotated[str, Meta(description="OPT_IN or OPT_OUT.")]
    plan: str
    consent_id: str
    wording_id: str
    given_at: datetime

    @classmethod
    def of(cls, consent: Consent) -> "ConsentShown":
        return cls(
            choice=consent.choice,
            plan=consent.plan,
            consent_id=consent.consent_id,
            wording_id=consent.wording_id,
            given_at=consent.given_at,
        )


class QuoteView(Answer, frozen=True, kw_only=True):
    """A quote, with the offer of each plan that was asked."""

    quote_id: str
    state: Annotated[
        str,
        Meta(
            description="PRICED: an offer can be bound. DRAFT: papers or goods are still to be "
            "looked at. UNDER_VERIFICATION: the staff look at them. INFO_REQUIRED: better papers "
            "are wanted. DECLINED: no plan insures this parcel. INVALID: the papers did not come. "
            "EXPIRED, BOUND: it is over."
        ),
    ]
    created_at: datetime
    valid_until: Annotated[
        datetime,
        Meta(
            description="The last instant a PRICED quote can be bound; set anew when the amount is "
            "confirmed. One that waits for papers or staff can be bound meanwhile."
        ),
    ]
    offers: tuple[OfferView, ...]
    exchange_rate: Annotated[
        ExchangeRateShown | None,
        Meta(description="Your rate that the order was valued with, if one was needed."),
    ] = None
    missing: Annotated[
        tuple[str, ...],
        Meta(
            description="What the proof of purchase does not show, where it was insufficient."
        ),
    ] = ()
    confirmed_at: Annotated[
        datetime | None, Meta(description="When the amount was confirmed to the customer.")
    ] = None
    consent: Annotated[
        ConsentShown | None, Meta(description="The customer's latest choice; null: none yet.")
    ] = None

    @classmethod
    def of(cls, quote: IssuedQuote) -> "QuoteView":
        return cls(
            quote_id=quote.quote_id,
            state=quote.state,
            created_at=quote.created_at,
            valid_until=quote.valid_until,
            offers=tuple(OfferView.of(quote, offer) for offer in quote.offers),
            exchange_rate=(
                ExchangeRateShown.of(quote.exchange_rate) if quote.exchange_rate else None
            ),
        )


class _Stored(Answer, frozen=True, kw_only=True):
    """The answer as it was given, its offers left as they are written."""

    quote_id: str
    state: str
    created_at: datetime
    valid_until: datetime
    offers: msgspec.Raw
    exchange_rate: ExchangeRateShown | None = None
    missing: tuple[str, ...] = ()
    confirmed_at: datetime | None = None
    consent: ConsentShown | None = None


_stored = msgspec.json.Decoder(_Stored)


def answer_at(quote: Quote, consent: Consent | None, now: datetime) -> bytes:
    """The quote's answer with the state it has at `now`, and the choice that stands."""
    answer = msgspec.structs.replace(
        _stored.decode(quote.verified or quote.answer),
        state=quote.state_at(now),
        valid_until=quote.valid_until,
        missing=quote.missing,
        confirmed_at=quote.confirmed_at,
        consent=None if consent is None else ConsentShown.of(consent),
    )
    return msgspec.json.encode(answer)


def _shown(money: Money | None) -> MoneyShown | None:
    return None if money is None else MoneyShown.of(money)
