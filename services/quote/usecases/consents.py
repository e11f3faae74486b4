"""The customer's choice, kept as it was made: nobody is opted in by default."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from libs.common.db import Tx
from libs.common.errors import Fault, Invalid
from libs.common.ids import new_id
from services.quote.events import ConsentRecorded
from services.quote.store import consents, quotes
from services.quote.store.consents import Consent
from services.quote.store.quotes import Quote
from services.quote.usecases.held import say

OPT_IN, OPT_OUT = "OPT_IN", "OPT_OUT"
TICKED_BY_CUSTOMER, NO_BOX = "TICKED_BY_CUSTOMER", "NONE"
# Where the customer is alone with the page: the box is all there is to show the choice.
CHECKOUT: Final = "checkout"

_WHY_NOT: Final = {
    "PRE_TICKED": "A box that was ticked for the customer is no consent.",
    "UNTICKED": "A box that the customer left empty is no consent.",
    NO_BOX: "At the checkout a consent is a box that the customer ticks.",
}


class ConsentNotGiven(Invalid):
    code = "consent-not-given"
    title = "Nobody is opted in by default"


class ConsentAhead(Invalid):
    code = "given-in-the-future"
    title = "The choice is said to have been made in the future"


class PlanNotAsked(Invalid):
    code = "plan-not-offered"
    title = "The quote has no offer of this plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordConsent:
    """`given_at` None: now."""

    tenant_id: str
    quote_id: str
    choice: str
    plan: str
    wording_id: str
    locale: str
    box_state: str
    channel: str
    given_at: datetime | None
    recorded_by: str


async def record_consent(tx: Tx, command: RecordConsent, *, now: datetime) -> Consent:
    """Kept for good; the latest given stands."""
    quote = await quotes.lock_quote(tx, command.quote_id, tenant_id=command.tenant_id)
    _must_be_offered(quote, command.plan)
    _must_be_given(command, now)
    consent = Consent(
        consent_id=new_id("cns"),
        tenant_id=command.tenant_id,
        quote_id=command.quote_id,
        choice=command.choice,
        plan=command.plan,
        wording_id=command.wording_id,
        locale=command.locale,
        box_state=command.box_state,
        channel=command.channel,
        given_at=command.given_at or now,
        recorded_at=now,
        recorded_by=command.recorded_by,
    )
    await consents.insert_consent(tx, consent)
    await say(tx, command.tenant_id, _recorded(consent), now=now)
    return consent


def _must_be_offered(quote: Quote, plan: str) -> None:
    offered = [offer["plan"] for offer in msgspec.json.decode(quote.answer)["offers"]]
    if plan not in offered:
        detail = f"Name a plan of the quote: {', '.join(offered)}."
        raise PlanNotAsked(detail, faults=[Fault(detail, "#/plan")])


def _must_be_given(command: RecordConsent, now: datetime) -> None:
    if command.given_at is not None and command.given_at > now:
        detail = f"It is {now.isoformat()} now; a choice was made by then."
        raise ConsentAhead(detail, faults=[Fault(detail, "#/given_at")])
    if command.choice != OPT_IN or command.box_state == TICKED_BY_CUSTOMER:
        return
    # Who speaks with the staff says it to them; the staff say so.
    if command.box_state == NO_BOX and command.channel != CHECKOUT:
        return
    detail = _WHY_NOT[command.box_state]
    raise ConsentNotGiven(detail, faults=[Fault(detail, "#/box_state")])


def _recorded(consent: Consent) -> ConsentRecorded:
    return ConsentRecorded(
        quote_id=consent.quote_id,
        consent_id=consent.consent_id,
        choice=consent.choice,
        plan=consent.plan,
        wording_id=consent.wording_id,
        locale=consent.locale,
        box_state=consent.box_state,
        channel=consent.channel,
        given_at=consent.given_at,
    )
