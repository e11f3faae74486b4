"""Money that has not gone out yet, looked at once more on what is known now."""

from dataclasses import replace
from datetime import datetime

from libs.common.db import Tx
from services.claims import store
from services.claims.domain import appeals, filing
from services.claims.domain.cases import Cover
from services.claims.domain.filing import Payout
from services.claims.store import FiledClaim
from services.claims.usecases.deciding import decide
from services.claims.usecases.locking import lock_claim
from services.claims.usecases.payouts import list_unsent, void_payout
from services.claims.usecases.proposing import propose
from services.claims.usecases.rules import Rules


async def reconsider(
    tx: Tx, rules: Rules, payout: Payout, *, tenant_id: str, now: datetime
) -> bool:
    """Decide once more on fresher copies, before the money goes; whether the payout stands.

    A payout that does not is void, booked back, and the new answer takes its place.
    """
    cover, filed = await lock_claim(tx, payout.claim_id, tenant_id=tenant_id)
    if await _still_pays(tx, rules, cover, filed, now=now):
        return True
    await void_payout(tx, payout, "PROPOSAL_CHANGED", tenant_id=tenant_id, now=now)
    await decide(tx, rules, cover, replace(filed, state="SUBMITTED"), now=now)
    return False


async def take_back_unsent(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> FiledClaim:
    """Where what is known now pays otherwise: no payout that is still here goes out as it is.

    They are void, and the claim is decided anew.
    """
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    unsent = list_unsent(payouts)
    if not unsent or await _still_pays(tx, rules, cover, filed, now=now):
        return filed
    for payout in unsent:
        await void_payout(tx, payout, "PROPOSAL_CHANGED", tenant_id=filed.tenant_id, now=now)
    if filed.state in filing.STANDING_STATES:
        filed = replace(filed, state="SUBMITTED")
    return await decide(tx, rules, cover, filed, now=now)


async def _still_pays(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> bool:
    """Whether the latest decision would be made again, to the cent."""
    latest = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    proposal = await propose(tx, rules, cover, filed, now=now)
    assert latest is not None
    is_appealed = filed.state == "UNDER_APPEAL"
    return appeals.still_pays(latest.payout, proposal.decision, is_appealed=is_appealed)
