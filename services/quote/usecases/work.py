"""Verifications as work: taken and given back, escalated, and ended where the papers do not come."""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.db import Tx
from libs.common.errors import Conflict
from libs.common.history import must_be_current
from services.quote.events import (
    QuoteInvalidated,
    VerificationAssigned,
    VerificationOverdue,
)
from services.quote.store import quotes, verifications
from services.quote.store.verifications import (
    AWAITING,
    INVALID,
    UNDER_VERIFICATION,
    Verification,
)
from services.quote.usecases.held import (
    NothingToVerify,
    say,
)

DOCUMENTS_LAPSED = "DOCUMENTS_LAPSED"


class AlreadyAssigned(Conflict):
    code = "already-assigned"
    title = "Somebody else has taken the verification"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignVerification:
    """`is_taken` False: whoever has it gives it back to the queue."""

    tenant_id: str
    quote_id: str
    is_taken: bool
    assigned_by: str
    if_match: str | None = None


async def assign_verification(
    tx: Tx, command: AssignVerification, *, now: datetime
) -> Verification:
    """Taken by whoever asks, or given back; one that another has is given back first."""
    await quotes.lock_quote(tx, command.quote_id, tenant_id=command.tenant_id)
    await must_be_current(tx, command.quote_id, command.if_match, tenant_id=command.tenant_id)
    found = await verifications.get_verification(
        tx, command.quote_id, tenant_id=command.tenant_id
    )
    if not found.is_open:
        raise NothingToVerify(f"The verification of quote {found.quote_id} is {found.state}.")
    if command.is_taken and found.assigned_to not in (None, command.assigned_by):
        raise AlreadyAssigned(f"{found.assigned_to} has it. It is taken once it is given back.")
    assigned = replace(found, assigned_to=command.assigned_by if command.is_taken else None)
    if assigned != found:
        await verifications.save_verification(tx, found, assigned)
        said = VerificationAssigned(quote_id=found.quote_id, assigned_to=assigned.assigned_to)
        await say(tx, command.tenant_id, said, now=now)
    return assigned


async def escalate_verification(
    tx: Tx, quote_id: str, *, tenant_id: str, now: datetime
) -> None:
    """The staff's time is over: it is said, and nothing is approved by it (MP-10)."""
    await quotes.lock_quote(tx, quote_id, tenant_id=tenant_id)
    found = await verifications.get_verification(tx, quote_id, tenant_id=tenant_id)
    if found.state != UNDER_VERIFICATION or found.due_at is None:
        return
    await verifications.save_verification(tx, found, replace(found, escalated_at=now))
    said = VerificationOverdue(quote_id=quote_id, due_at=found.due_at, escalated_at=now)
    await say(tx, tenant_id, said, now=now)


async def lapse_documents(tx: Tx, quote_id: str, *, tenant_id: str, now: datetime) -> None:
    """The papers did not come in time: the quote is INVALID, bound or not (MP-13)."""
    quote = await quotes.lock_quote(tx, quote_id, tenant_id=tenant_id)
    found = await verifications.get_verification(tx, quote_id, tenant_id=tenant_id)
    if found.state not in AWAITING:
        return
    lapsed = replace(found, state=INVALID)
    await quotes.save_quote(tx, replace(quote, state=INVALID))
    await verifications.save_verification(tx, found, lapsed)
    await say(tx, tenant_id, invalidated(lapsed), now=now)


def invalidated(verification: Verification) -> QuoteInvalidated:
    assert verification.lapses_at is not None
    return QuoteInvalidated(
        quote_id=verification.quote_id,
        cause=DOCUMENTS_LAPSED,
        invalidated_at=verification.lapses_at,
    )
