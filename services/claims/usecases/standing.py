"""Where a decided claim stands: what its decision, its money and its appeals make of it."""

from dataclasses import replace
from datetime import datetime

from libs.common.db import Tx
from libs.common.plans.codes import Outcome
from services.claims import store
from services.claims.domain import appeals, filing
from services.claims.store import FiledClaim
from services.claims.usecases.closing import close_when_over


async def restand(tx: Tx, filed: FiledClaim) -> FiledClaim:
    """The claim in the state that its decision and its money give it.

    One that is open, withdrawn or closed stays as it is; but a closed one may owe money back.
    """
    is_closed = filed.state == filing.CLOSED
    if filed.state not in filing.STANDING_STATES and not is_closed:
        return filed
    beside = await store.get_beside(tx, filed)
    owes = any(repayment.state == "OPEN" for repayment in beside.repayments)
    if is_closed and not owes:
        return filed
    latest = await store.find_standing_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert latest is not None, "what is not open is decided"
    state = filing.standing(
        Outcome(latest.outcome),
        beside.payouts,
        is_under_appeal=appeals.is_open(beside.appeals),
        owes=owes,
        was_closed=filed.closed_at is not None,
    )
    stands = replace(filed, state=state)
    await store.save_claim(tx, stands)
    return stands


async def stand_or_close(tx: Tx, filed: FiledClaim, *, now: datetime) -> FiledClaim:
    """The same, and CLOSED where nothing more can come of it: its money has moved, or comes back."""
    return await close_when_over(tx, await restand(tx, filed), now=now)
