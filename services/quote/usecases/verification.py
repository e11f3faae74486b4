"""Proof of purchase: papers come in, the staff look at them, and the amount is confirmed.

A quote that was bound meanwhile stays BOUND; its policy hears of the amount by QuoteVerified.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import msgspec

from libs.common.db import Tx
from libs.common.errors import Conflict, Invalid
from libs.common.files import FileFacts
from libs.common.ids import new_id
from libs.common.money import Money
from libs.common.plans.book import PlanBook
from libs.common.plans.values import Plan
from libs.common.wire import money_wire
from services.quote.domain import Price, documents, price
from services.quote.events import (
    PlanPin,
    QuoteDocumentAdded,
    QuoteInfoRequired,
    QuoteVerified,
    Terms,
    VerificationResumed,
)
from services.quote.store import quotes
from services.quote.store.quotes import Document, Quote
from services.quote.store.verifications import (
    AWAITING,
    UNDER_VERIFICATION,
    VERIFIED,
    Verification,
)
from services.quote.usecases.held import (
    Held,
    Json,
    NothingToVerify,
    answer_with,
    hold,
    offer_of,
    save,
    sent_back,
    submitted,
)
from services.quote.usecases.quotes import (
    PRICED,
    takes_insured_value,
    validity,
)

MAX_DOCUMENTS: Final = 50


class NoDocuments(Conflict):
    code = "documents-missing"
    title = "The proof of purchase has not been uploaded"


class TooManyDocuments(Conflict):
    code = "too-many-documents"
    title = "The quote has as many documents as it may have"


class GoodsNotReviewed(Conflict):
    code = "goods-not-reviewed"
    title = "A person has not yet said which of the goods are insured"


class VerifiedInOtherCurrency(Invalid):
    code = "wrong-currency"
    title = "The verified value is in another currency than the plan"


class NothingInsured(Invalid):
    code = "nothing-insured"
    title = "The verified value is nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepDocument:
    tenant_id: str
    quote_id: str
    kind: str
    name: str
    file: FileFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyQuote:
    """What the staff saw: `shown` the fields that are legible; `value` the eligible goods' value.

    `paid` is the actual payment where the papers show it: the lower of the two counts (MP-17).
    """

    tenant_id: str
    quote_id: str
    shown: tuple[str, ...]
    value: Money | None
    paid: Money | None
    verified_by: str
    if_match: str | None = None


async def keep_document(
    tx: Tx, plans: PlanBook, command: KeepDocument, *, now: datetime
) -> Document:
    """A purchase paper; once every kind that is needed is there, the quote is looked at (MP-08)."""
    held = await hold(tx, plans, command.quote_id, tenant_id=command.tenant_id, now=now)
    _must_want_papers(held)
    earlier = await quotes.list_documents(tx, command.quote_id, tenant_id=command.tenant_id)
    if len(earlier) >= MAX_DOCUMENTS:
        raise TooManyDocuments(f"A quote has at most {MAX_DOCUMENTS} documents.")
    document = Document(
        evidence_id=new_id("evd"),
        quote_id=command.quote_id,
        kind=command.kind,
        name=command.name,
        sha256=command.file.sha256,
        size_bytes=command.file.size_bytes,
        media_type=command.file.media_type,
        uploaded_at=now,
    )
    await quotes.insert_document(tx, document, tenant_id=command.tenant_id)
    quote, verification = held.quote, held.verification
    if verification.state in AWAITING and not _missing_kinds(held.plan, [*earlier, document]):
        quote = replace(quote, missing=())
        verification = submitted(verification, held.plan, now)
    await save(tx, held, quote, verification, _added(document, verification), now=now)
    return document


async def verify_quote(
    tx: Tx, plans: PlanBook, command: VerifyQuote, *, now: datetime
) -> Quote:
    """The staff's word: what is missing (MP-11), or the amount, confirmed now (MP-12)."""
    held = await hold(
        tx,
        plans,
        command.quote_id,
        tenant_id=command.tenant_id,
        if_match=command.if_match,
        now=now,
    )
    _must_want_papers(held)
    papers = await quotes.list_documents(tx, command.quote_id, tenant_id=command.tenant_id)
    _must_have_papers(held.plan, papers)
    looked_at = replace(held.verification, decided_by=command.verified_by)
    missing = documents(held.plan, {"shown": command.shown}).missing
    if missing:
        return await _ask_for_more(tx, held, looked_at, missing, now=now)
    if command.value is None:
        return await _resume(tx, held, looked_at, now=now)
    if held.verification.awaits_review:
        raise GoodsNotReviewed(
            "Say first which referred goods are insured (POST /v1/quotes/{id}/review)."
        )
    value = _counted(held.plan, command.value, command.paid)
    return await _confirm(tx, held, looked_at, value, papers, now=now)


def verified(quote: Quote, plan: str) -> tuple[QuoteVerified, ...]:
    """What is said of the confirmed offer of that plan; nothing where it is not priced."""
    offer = offer_of(quote, plan)
    if offer is None or offer["state"] != PRICED:
        return ()
    assert quote.confirmed_at is not None
    pin = {name: offer[name] for name in ("plan", "version", "sha256")}
    return (
        QuoteVerified(
            quote_id=quote.quote_id,
            plan=msgspec.convert(pin, PlanPin),
            terms=msgspec.json.decode(msgspec.json.encode(offer["terms"]), type=Terms),
            confirmed_at=quote.confirmed_at,
        ),
    )


def confirmed(held: Held, quote: Quote, now: datetime) -> Quote:
    """Its amount told to the customer now, who has the days of a price to accept it."""
    is_bound = quote.policy_id is not None
    return replace(
        quote,
        missing=(),
        confirmed_at=now,
        valid_until=quote.valid_until if is_bound else now + validity(held.plan),
    )


async def _ask_for_more(
    tx: Tx, held: Held, looked_at: Verification, missing: tuple[str, ...], *, now: datetime
) -> Quote:
    asked = sent_back(looked_at, held.plan, now)
    said = QuoteInfoRequired(
        quote_id=asked.quote_id, missing=missing, lapses_at=asked.lapses_at
    )
    return await save(tx, held, replace(held.quote, missing=missing), asked, said, now=now)


async def _resume(tx: Tx, held: Held, looked_at: Verification, *, now: datetime) -> Quote:
    """The papers suffice, and the amount is still to come: it stays with the staff, or comes back."""
    if held.verification.state == UNDER_VERIFICATION:
        return held.quote
    resumed = submitted(looked_at, held.plan, now)
    said = VerificationResumed(quote_id=resumed.quote_id, due_at=resumed.due_at)
    return await save(tx, held, replace(held.quote, missing=()), resumed, said, now=now)


async def _confirm(
    tx: Tx,
    held: Held,
    looked_at: Verification,
    value: Money,
    papers: Sequence[Document],
    *,
    now: datetime,
) -> Quote:
    priced = price(held.plan, _facts(held, value))
    offer = _verified_offer(held.offer, priced, value, papers)
    quote = replace(confirmed(held, held.quote, now), verified=answer_with(held.quote, offer))
    said = verified(quote, held.plan.plan)
    return await save(tx, held, quote, replace(looked_at, state=VERIFIED), *said, now=now)


def _must_want_papers(held: Held) -> None:
    if not held.plan.documents:
        raise NothingToVerify(f"The plan {held.plan.plan} asks for no papers.")


def _must_have_papers(plan: Plan, papers: Sequence[Document]) -> None:
    missing = _missing_kinds(plan, papers)
    if missing:
        raise NoDocuments(
            f"Upload {', '.join(missing)} first (POST /v1/quotes/{{id}}/documents)."
        )


def _missing_kinds(plan: Plan, papers: Sequence[Document]) -> list[str]:
    return sorted({paper.kind for paper in plan.documents} - {paper.kind for paper in papers})


def _added(document: Document, verification: Verification) -> QuoteDocumentAdded:
    return QuoteDocumentAdded(
        quote_id=document.quote_id,
        evidence_id=document.evidence_id,
        kind=document.kind,
        sha256=document.sha256,
        state=verification.state,
        due_at=verification.due_at,
    )


def _counted(plan: Plan, value: Money, paid: Money | None) -> Money:
    """The lower of the two; a price caps it itself, by the plan's base (MP-17)."""
    for amount in (value, paid):
        if amount is not None and amount.currency != plan.currency:
            raise VerifiedInOtherCurrency(
                f"The plan is in {plan.currency}, not {amount.currency}."
            )
    counted = value if paid is None else min(value, paid)
    if not counted.amount_minor:
        raise NothingInsured("Goods that are worth nothing, or cost nothing, are not insured.")
    return counted


def _facts(held: Held, value: Money) -> dict[str, object]:
    """A sum that the customer named stays; else the plan takes it from the verified value."""
    facts: dict[str, object] = {"eligible_goods_value": value.decimal}
    if takes_insured_value(held.plan):
        facts["insured_value"] = msgspec.convert(held.offer["insured_value"], Money).decimal
    return facts


def _verified_offer(
    offer: Json, priced: Price, value: Money, papers: Sequence[Document]
) -> Json:
    terms = offer["terms"]
    assert isinstance(terms, dict)
    return offer | {
        "state": PRICED,
        "premium": money_wire(priced.premium),
        "raw_premium": money_wire(priced.raw),
        "insured_value": money_wire(priced.insured_value),
        "terms": terms
        | {
            "premium": money_wire(priced.premium),
            "insured_value": money_wire(priced.insured_value),
            "eligible_goods_value": money_wire(value),
            "documents": [
                {"kind": p.kind, "sha256": p.sha256, "evidence_id": p.evidence_id}
                for p in papers
            ],
        },
    }
