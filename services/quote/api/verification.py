"""The staff's word: on the papers and the amount, and on goods that the plan refers."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from fastapi import Request, Response
from pydantic import Field

from libs.common.auth import QUOTES_VERIFY, Caller, requires
from libs.common.history import BadETag, ChangedMeanwhile, IfMatch
from libs.common.idempotency import key_of
from libs.common.plans.codes import Verdict
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, now_of
from libs.common.web import api_router
from libs.common.wire import (
    Body,
    Code,
    MoneyIn,
    MoneyView,
    OneLine,
    Prose,
    View,
)
from services.quote import usecases
from services.quote.api.requests import MAX_ITEMS, QuoteRequest
from services.quote.api.views import OfferView
from services.quote.api.work import with_etag
from services.quote.store import quotes, verifications
from services.quote.store.quotes import Quote, UnknownQuote
from services.quote.store.verifications import (
    Verification,
)
from services.quote.usecases.held import (
    AlreadyVerified,
    DocumentsTooLate,
    Json,
    NothingToVerify,
    offer_of,
)
from services.quote.usecases.quotes import AskQuote, IssuedQuote, Offer
from services.quote.usecases.reviews import AlreadyReviewed, NothingToReview, VerdictsDiffer
from services.quote.usecases.verification import (
    GoodsNotReviewed,
    NoDocuments,
    NothingInsured,
    VerifiedInOtherCurrency,
)

router = api_router("/v1", tags=["quotes"])

ItemId = Annotated[str, OneLine(64)]

_request = msgspec.json.Decoder(QuoteRequest)


class VerificationRequest(Body):
    shown: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    """The fields that are legible on the papers; what is missing is asked of the customer."""
    verified_value: MoneyIn | None = None
    """The eligible goods' value by the papers."""
    actual_payment: MoneyIn | None = None
    """What was really paid: the lower of the two counts."""


class VerificationView(View):
    quote_id: str
    state: str
    missing: list[str]
    confirmed_at: datetime | None
    verified_value: MoneyView | None

    @classmethod
    def of(cls, quote: Quote, body: VerificationRequest) -> "VerificationView":
        is_confirmed = quote.confirmed_at is not None and body.verified_value is not None
        value = body.verified_value.to_money() if body.verified_value and is_confirmed else None
        return cls(
            quote_id=quote.quote_id,
            state=quote.state,
            missing=list(quote.missing),
            confirmed_at=quote.confirmed_at,
            verified_value=None if value is None else MoneyView.of(value),
        )


class ReviewRequest(Body):
    verdicts: Annotated[
        dict[ItemId, Literal["ACCEPT", "DECLINE"]], Field(min_length=1, max_length=MAX_ITEMS)
    ]
    """One for each line that the plan refers, by its `item_id`."""
    note: Annotated[str, Prose(1_000)] | None = None
    """For the staff: it is not told to the customer."""


class ReviewView(View):
    quote_id: str
    state: str
    """PRICED: it can be bound. DRAFT, UNDER_VERIFICATION, INFO_REQUIRED: papers are still wanted."""
    confirmed_at: datetime | None
    premium: MoneyView | None
    insured_value: MoneyView | None


@router.post(
    "/quotes/{quote_id}/verification",
    response_model=VerificationView,
    responses=problem_responses(
        UnknownQuote,
        NothingToVerify,
        AlreadyVerified,
        DocumentsTooLate,
        NoDocuments,
        GoodsNotReviewed,
        NothingInsured,
        VerifiedInOtherCurrency,
        ChangedMeanwhile,
        BadETag,
    ),
)
async def verify_quote(
    quote_id: str,
    body: VerificationRequest,
    request: Request,
    caller: Annotated[Caller, requires(QUOTES_VERIFY)],
    db: Db,
    parts: Parts,
    if_match: IfMatch = None,
) -> Response:
    """The staff's word on the papers: what is missing, or the amount, confirmed to the customer now."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.VerifyQuote(
        tenant_id=caller.tenant_id,
        quote_id=quote_id,
        shown=body.shown,
        value=None if body.verified_value is None else body.verified_value.to_money(),
        paid=None if body.actual_payment is None else body.actual_payment.to_money(),
        verified_by=caller.subject,
        if_match=if_match,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        quote = await usecases.verify_quote(tx, parts.plans, command, now=now)
        answer = await key.keep(tx, 200, VerificationView.of(quote, body))
        return await with_etag(tx, answer, quote.quote_id, caller.tenant_id)


@router.post(
    "/quotes/{quote_id}/review",
    response_model=ReviewView,
    responses=problem_responses(
        UnknownQuote,
        NothingToVerify,
        AlreadyVerified,
        DocumentsTooLate,
        NothingToReview,
        AlreadyReviewed,
        VerdictsDiffer,
        ChangedMeanwhile,
        BadETag,
    ),
)
async def review_quote(
    quote_id: str,
    body: ReviewRequest,
    request: Request,
    caller: Annotated[Caller, requires(QUOTES_VERIFY)],
    db: Db,
    parts: Parts,
    if_match: IfMatch = None,
) -> Response:
    """Which of the goods that the plan refers are insured; the offer is priced anew with that."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        asked = await quotes.get_quote(tx, quote_id, tenant_id=caller.tenant_id)
        command = usecases.ReviewQuote(
            tenant_id=caller.tenant_id,
            quote_id=quote_id,
            ask=_ask_of(asked),
            verdicts={item_id: Verdict(one) for item_id, one in body.verdicts.items()},
            note=body.note,
            reviewed_by=caller.subject,
            if_match=if_match,
        )
        quote = await usecases.review_quote(tx, parts.plans, command, _shown, now=now)
        reviewed = await verifications.get_verification(
            tx, quote_id, tenant_id=caller.tenant_id
        )
        answer = await key.keep(tx, 200, _review_view(quote, reviewed))
        return await with_etag(tx, answer, quote_id, caller.tenant_id)


def _ask_of(quote: Quote) -> AskQuote:
    """The parcel as it was understood when the quote was asked."""
    return _request.decode(quote.request).to_ask(quote.tenant_id)


def _shown(issued: IssuedQuote, offer: Offer) -> Json:
    shown: Json = msgspec.json.decode(msgspec.json.encode(OfferView.of(issued, offer)))
    return shown


def _review_view(quote: Quote, reviewed: Verification) -> ReviewView:
    offer = offer_of(quote, reviewed.plan) or {}
    is_available = offer["state"] != "DECLINED"
    return ReviewView(
        quote_id=quote.quote_id,
        state=quote.state,
        confirmed_at=quote.confirmed_at,
        premium=_money_view(offer["premium"]),
        insured_value=_money_view(offer["insured_value"]) if is_available else None,
    )


def _money_view(amount: object) -> MoneyView | None:
    return None if amount is None else MoneyView.model_validate(amount)
