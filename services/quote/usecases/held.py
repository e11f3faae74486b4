"""A quote that waits for papers or a person: its clocks, and how it is held and saved as one.

The verification says where the quote stands; the quote's own state follows from it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from libs.common import outbox
from libs.common.db import Tx
from libs.common.errors import Conflict
from libs.common.events import Announcement
from libs.common.history import must_be_current
from libs.common.plans.book import PlanBook
from libs.common.plans.clocks import first_late_instant
from libs.common.plans.values import Plan
from services.quote.events import QuoteEvent
from services.quote.store import quotes, verifications
from services.quote.store.quotes import Quote
from services.quote.store.verifications import (
    AWAITING_DOCUMENTS,
    DECLINED,
    INFO_REQUIRED,
    INVALID,
    UNDER_VERIFICATION,
    VERIFIED,
    Verification,
)
from services.quote.usecases.quotes import PRICED, IssuedQuote

Json = dict[str, object]

_TICK = timedelta(microseconds=1)
_QUOTE_STATES = {AWAITING_DOCUMENTS: "DRAFT", VERIFIED: PRICED}


class NothingToVerify(Conflict):
    code = "nothing-to-verify"
    title = "The quote needs no verification"


class AlreadyVerified(Conflict):
    code = "already-verified"
    title = "The quote's amount is confirmed already"


class DocumentsTooLate(Conflict):
    code = "documents-too-late"
    title = "The time for the papers is over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An open quote whose row is locked; `offer` is the one that waits, `plan` is its plan."""

    quote: Quote
    verification: Verification
    plan: Plan
    offer: Json


# --- clocks ----------------------------------------------------------------------------------


def opened_with(issued: IssuedQuote) -> Verification | None:
    """What a new quote waits for; None where it has a price, or none to wait for."""
    waiting = issued.waiting_offer
    if waiting is None or issued.state == PRICED:
        return None
    return opened(
        waiting.plan,
        quote_id=issued.quote_id,
        tenant_id=issued.ask.tenant_id,
        verdicts=[verdict.value for verdict in waiting.goods.verdicts],
        at=issued.created_at,
    )


def opened(
    plan: Plan, *, quote_id: str, tenant_id: str, verdicts: list[str], at: datetime
) -> Verification:
    """Papers are awaited (MP-07) where the plan wants any; else the staff look at once (MP-28)."""
    start = Verification(
        quote_id=quote_id,
        tenant_id=tenant_id,
        plan=plan.plan,
        state=AWAITING_DOCUMENTS,
        needs_documents=bool(plan.documents),
        needs_review="REFER" in verdicts,
        opened_at=at,
    )
    if plan.documents:
        return replace(start, lapses_at=_lapses_at(plan, at))
    return submitted(start, plan, at)


def submitted(verification: Verification, plan: Plan, at: datetime) -> Verification:
    """With the staff from now on: their clock starts, the customer's stands no more (MP-10)."""
    return replace(
        verification,
        state=UNDER_VERIFICATION,
        submitted_at=at,
        due_at=_due_at(plan, at),
        escalated_at=None,
        lapses_at=None,
    )


def sent_back(verification: Verification, plan: Plan, at: datetime) -> Verification:
    """With the customer again: better papers are awaited, from the first day anew (MP-11, MP-13)."""
    return replace(
        verification,
        state=INFO_REQUIRED,
        due_at=None,
        escalated_at=None,
        lapses_at=_lapses_at(plan, at),
    )


def _due_at(plan: Plan, at: datetime) -> datetime | None:
    """The last instant in time: exactly four hours are (G-05)."""
    terms = plan.verification
    if terms is None or terms.target is None:
        return None
    return first_late_instant(at, terms.target, plan.zone, plan.calendar) - _TICK


def _lapses_at(plan: Plan, at: datetime) -> datetime | None:
    terms = plan.verification
    if terms is None or terms.lapse is None:
        return None
    return first_late_instant(at, terms.lapse, plan.zone, plan.calendar)


# --- held and saved --------------------------------------------------------------------------


async def hold(
    tx: Tx,
    plans: PlanBook,
    quote_id: str,
    *,
    tenant_id: str,
    if_match: str | None = None,
    now: datetime,
) -> Held:
    """The quote, locked, with what it waits for.

    ChangedMeanwhile, AlreadyVerified, DocumentsTooLate, or NothingToVerify where it waits for nothing.
    """
    quote = await quotes.lock_quote(tx, quote_id, tenant_id=tenant_id)
    await must_be_current(tx, quote_id, if_match, tenant_id=tenant_id)
    verification = await verifications.find_verification(tx, quote_id, tenant_id=tenant_id)
    if quote.confirmed_at is not None:
        raise AlreadyVerified(f"Quote {quote_id} is confirmed; it is not verified twice.")
    if verification is None or not verification.is_open:
        raise NothingToVerify(f"Quote {quote_id} is {quote.state_at(now)} and needs no papers.")
    if verification.has_lapsed(now):
        assert verification.lapses_at is not None
        raise DocumentsTooLate(
            f"The papers were due before {verification.lapses_at.isoformat()}. Ask for a new quote."
        )
    offer = offer_of(quote, verification.plan)
    assert offer is not None
    return Held(
        quote=quote,
        verification=verification,
        plan=plans.pinned(str(offer["sha256"])),
        offer=offer,
    )


async def save(
    tx: Tx,
    held: Held,
    quote: Quote,
    verification: Verification,
    *said: QuoteEvent,
    now: datetime,
) -> Quote:
    """Both as they are now, the quote's state by its verification's, and what is said of it."""
    saved = replace(quote, state=_state(quote, verification))
    is_confirmed = saved.confirmed_at is not None
    await quotes.save_quote(
        tx, saved, verified_by=verification.decided_by if is_confirmed else None
    )
    await verifications.save_verification(tx, held.verification, verification)
    await say(tx, saved.tenant_id, *said, now=now)
    return saved


async def say(tx: Tx, tenant_id: str, *said: QuoteEvent, now: datetime) -> None:
    await outbox.append(
        tx,
        *(Announcement(tenant_id=tenant_id, key=one.quote_id, event=one) for one in said),
        now=now,
    )


def offer_of(quote: Quote, plan: str) -> Json | None:
    """The quote's offer of that plan, as it is answered now."""
    return next((offer for offer in _offers(quote) if offer["plan"] == plan), None)


def answer_with(quote: Quote, changed: Json) -> bytes:
    """The answer as it is given from now on: this offer in the place of its plan's."""
    answer = msgspec.json.decode(quote.verified or quote.answer)
    offers = [changed if one["plan"] == changed["plan"] else one for one in answer["offers"]]
    return msgspec.json.encode(answer | {"offers": offers})


def _offers(quote: Quote) -> list[Json]:
    offers: list[Json] = msgspec.json.decode(quote.verified or quote.answer)["offers"]
    return offers


def _state(quote: Quote, verification: Verification) -> str:
    """A bound quote stays BOUND, unless it has come to nothing (MP-13)."""
    if quote.policy_id is not None and verification.state not in (DECLINED, INVALID):
        return "BOUND"
    return _QUOTE_STATES.get(verification.state, verification.state)
