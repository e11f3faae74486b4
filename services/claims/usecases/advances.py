"""What is paid ahead of the insurer's word."""

from dataclasses import dataclass
from datetime import datetime

from libs.common.db import Tx
from libs.common.ids import new_id
from libs.common.ledger import Account
from libs.common.money import Money
from libs.common.plans.codes import Outcome
from services.claims import store
from services.claims.domain import advance, filing, money_back
from services.claims.domain.cases import Cover
from services.claims.domain.filing import Payout
from services.claims.store import FiledClaim
from services.claims.usecases.locking import lock_claim
from services.claims.usecases.payouts import create_payout
from services.claims.usecases.proposing import propose
from services.claims.usecases.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class PayAdvance:
    tenant_id: str
    claim_id: str
    asked_by: str


async def pay_advance(
    tx: Tx, rules: Rules, command: PayAdvance, *, now: datetime
) -> FiledClaim:
    """Pay ahead of the insurer what the complete file is assessed at (TK-20), once a claim."""
    cover, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    filing.must_be_open(filed.claim_id, filed.state)
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    if any(p.kind == "ADVANCE" and p.state != "VOID" for p in payouts):
        raise money_back.AlreadyAdvanced(f"Claim {filed.claim_id} has its advance already.")
    amount = await _advanceable(tx, rules, cover, filed, now=now)
    latest = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert latest is not None
    payout = Payout(
        payout_id=new_id("pyt"),
        claim_id=filed.claim_id,
        policy_id=cover.policy_id,
        decision_id=latest.decision_id,
        amount=amount,
        instrument="cash",
        state="APPROVED",
        kind="ADVANCE",
    )
    by = command.asked_by
    await create_payout(tx, rules, filed, payout, debit=Account.ADVANCE, by=by, now=now)
    return filed


async def _advanceable(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> Money:
    """What the plan advances on the proposal; NoAdvance where it is nothing."""
    proposal = await propose(tx, rules, cover, filed, now=now)
    if proposal.decision.outcome is not Outcome.APPROVED:
        raise money_back.NoAdvance(
            f"The claim is {proposal.decision.outcome.value}: only a complete file that would be "
            "approved is advanced."
        )
    facts = {
        "file_complete": not proposal.decision.missing,
        "assessed_payout": proposal.decision.payout.decimal,
        "complete_at": now,
    }
    amount = advance(proposal.plan, facts).advance
    if amount.amount_minor == 0:
        raise money_back.NoAdvance("The plan advances nothing.")
    return amount
