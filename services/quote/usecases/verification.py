"""Proof of purchase: papers come in, the staff look at them, and the amount is confirmed.

A quote that was bound meanwhile stays BOUND; its policy hears of the amount by QuoteVerified.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from libs.common import outbox
from libs.common.db import Tx
from libs.common.errors import Conflict, Invalid
from libs.common.events import Announcement
from libs.common.files import FileFacts
from libs.common.ids import new_id
from libs.common.money import Money
from libs.common.plans.book import PlanBook
from libs.common.plans.values import Plan
from libs.common.wire import money_wire
from services.quote.domain import Price, documents, price
from services.quote.events import PlanPin, QuoteVerified, Terms
from services.quote.store import quotes
from services.quote.store.quotes import Document, Quote

# The states in which papers are still looked at; BOUND joins them while nothing is confirmed.
VERIFYING = ("DRAFT", "UNDER_VERIFICATION", "INFO_REQUIRED")

Json = dict[str, object]


class NothingToVerify(Conflict):
    code = "nothing-to-verify"
    title = "The quote needs no verification"


class AlreadyVerified(Conflict):
    code = "already-verified"
    title = "The quote's amount is confirmed already"


class NoDocuments(Conflict):
    code = "documents-missing"
    title = "The proof of purchase has not been uploaded"


class VerifiedInOtherCurrency(Invalid):
    code = "wrong-currency"
    title = "The verified value is in another currency than the plan"


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


async def keep_document(
    tx: Tx, plans: PlanBook, command: KeepDocument, *, now: datetime
) -> Document:
    """A purchase paper; once every kind that is needed is there, the quote is looked at (MP-08)."""
    quote = await quotes.lock_quote(tx, command.quote_id, tenant_id=command.tenant_id)
    plan, _ = _offer_to_verify(plans, quote)
    document = Document(
        evidence_id=new_id("evd"),
        quote_id=quote.quote_id,
        kind=command.kind,
        name=command.name,
        sha256=command.file.sha256,
        size_bytes=command.file.size_bytes,
        media_type=command.file.media_type,
        uploaded_at=now,
    )
    await quotes.insert_document(tx, document, tenant_id=command.tenant_id)
    kept = await quotes.list_documents(tx, quote.quote_id, tenant_id=command.tenant_id)
    is_complete = {paper.kind for paper in plan.documents} <= {paper.kind for paper in kept}
    if is_complete and quote.state in ("DRAFT", "INFO_REQUIRED"):
        await quotes.save_verification(tx, replace(quote, state="UNDER_VERIFICATION"))
    return document


async def verify_quote(
    tx: Tx, plans: PlanBook, command: VerifyQuote, *, now: datetime
) -> Quote:
    """The staff's word: what is missing (MP-11), or the amount, confirmed now (MP-12)."""
    quote = await quotes.lock_quote(tx, command.quote_id, tenant_id=command.tenant_id)
    plan, offer = _offer_to_verify(plans, quote)
    papers = await quotes.list_documents(tx, quote.quote_id, tenant_id=command.tenant_id)
    if not papers:
        raise NoDocuments(
            "Upload the proof of purchase first (POST /v1/quotes/{id}/documents)."
        )
    checked = documents(plan, {"shown": command.shown})
    if checked.missing or command.value is None:
        asked = replace(quote, state=_open_state(quote, checked.state), missing=checked.missing)
        await quotes.save_verification(tx, asked)
        return asked
    value = _counted(plan, command.value, command.paid)
    priced = price(plan, {"eligible_goods_value": value.decimal})
    verified = replace(
        quote,
        state=_open_state(quote, "PRICED"),
        missing=(),
        verified=_verified_answer(quote, offer, priced, value, papers),
        confirmed_at=now,
    )
    await quotes.save_verification(tx, verified, verified_by=command.verified_by)
    await _announce(tx, verified, now=now)
    return verified


async def say_again(tx: Tx, unconfirmed: Sequence[tuple[str, str]]) -> None:
    """Of these (tenant, quote) whose policies wait for an amount: say it, where it is confirmed.

    A policy that was bound while the confirmation was on its way has missed it.
    """
    for tenant_id, quote_id in sorted(unconfirmed):
        quote = await quotes.lock_quote(tx, quote_id, tenant_id=tenant_id)
        if quote.confirmed_at is not None:
            await _announce(tx, quote, now=quote.confirmed_at)


async def _announce(tx: Tx, quote: Quote, *, now: datetime) -> None:
    assert quote.verified is not None
    assert quote.confirmed_at is not None
    answer = msgspec.json.decode(quote.verified)
    offer = next(one for one in answer["offers"] if one["state"] == "PRICED")
    event = QuoteVerified(
        quote_id=quote.quote_id,
        plan=PlanPin(plan=offer["plan"], version=offer["version"], sha256=offer["sha256"]),
        terms=msgspec.json.decode(msgspec.json.encode(offer["terms"]), type=Terms),
        confirmed_at=quote.confirmed_at,
    )
    await outbox.append(
        tx, Announcement(tenant_id=quote.tenant_id, key=quote.quote_id, event=event), now=now
    )


def _offer_to_verify(plans: PlanBook, quote: Quote) -> tuple[Plan, Json]:
    """The one offer that waits for papers, and its plan."""
    if quote.confirmed_at is not None:
        raise AlreadyVerified(f"Quote {quote.quote_id} is confirmed; it is not verified twice.")
    answer = msgspec.json.decode(quote.answer)
    offer: Json | None = next((o for o in answer["offers"] if o["state"] == "DRAFT"), None)
    if offer is None or quote.state not in (*VERIFYING, "BOUND"):
        raise NothingToVerify(f"Quote {quote.quote_id} is {quote.state} and needs no papers.")
    plan = plans.pinned(str(offer["sha256"]))
    if not plan.documents:
        raise NothingToVerify(f"The plan {plan.plan} asks for no papers.")
    return plan, offer


def _open_state(quote: Quote, state: str) -> str:
    return quote.state if quote.state == "BOUND" else state


def _counted(plan: Plan, value: Money, paid: Money | None) -> Money:
    for amount in (value, paid):
        if amount is not None and amount.currency != plan.currency:
            raise VerifiedInOtherCurrency(
                f"The plan is in {plan.currency}, not {amount.currency}."
            )
    return value if paid is None else min(value, paid)


def _verified_answer(
    quote: Quote, offer: Json, priced: Price, value: Money, papers: Sequence[Document]
) -> bytes:
    """The answer as it is given from now on: the verified offer alone is PRICED."""
    answer = msgspec.json.decode(quote.answer)
    terms = offer["terms"]
    assert isinstance(terms, dict)
    changed = offer | {
        "state": "PRICED",
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
    offers = [changed if one["plan"] == offer["plan"] else one for one in answer["offers"]]
    return msgspec.json.encode(answer | {"offers": offers})
