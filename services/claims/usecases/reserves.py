"""What open claims are expected to cost, put by in the ledger until they are decided."""

from datetime import datetime

from libs.common import ledger
from libs.common.db import Tx
from libs.common.ledger import Account, move
from libs.common.money import Money, zero
from libs.common.plans.codes import Outcome
from services.claims import store
from services.claims.domain.decision import Decision
from services.claims.store import FiledClaim


async def reserve(
    tx: Tx,
    filed: FiledClaim,
    decision: Decision,
    decision_id: str,
    held: Money | None,
    *,
    is_settled: bool,
    now: datetime,
) -> None:
    """Put by what the latest decision would cost, whatever its outcome; nothing once one stands.

    Only the difference to what is `held` already is booked. An approval that stands releases it all:
    its payout then books the cost. An appeal puts nothing by: its decider may raise it, by no known
    sum.
    """
    nothing = zero(decision.payout.currency)
    stands = is_settled and decision.outcome in (Outcome.APPROVED, Outcome.DENIED)
    assessed = decision.assessment
    wanted = nothing if stands or assessed is None else assessed.amount
    await _put_by(
        tx, filed, held or nothing, wanted, kind="reserve", reference=decision_id, now=now
    )


async def release_reserve(tx: Tx, filed: FiledClaim, *, now: datetime) -> None:
    """The claim is withdrawn: it costs nothing. Once a claim."""
    held = await store.find_reserve(tx, filed.claim_id, tenant_id=filed.tenant_id)
    if held is not None:
        await _put_by(
            tx,
            filed,
            held,
            zero(held.currency),
            kind="reserve-released",
            reference=filed.claim_id,
            now=now,
        )


async def _put_by(
    tx: Tx,
    filed: FiledClaim,
    held: Money,
    wanted: Money,
    *,
    kind: str,
    reference: str,
    now: datetime,
) -> None:
    more = wanted - held
    if filed.policy_id is None or not more.amount_minor:
        return
    # A reserve that shrinks is the same transfer with its amount negative: costs go down again.
    entry = move(
        kind, reference, filed.policy_id, more, debit=Account.CLAIMS, credit=Account.RESERVE
    )
    await ledger.book(tx, filed.tenant_id, [entry], now=now)
    await store.save_reserve(tx, filed.claim_id, wanted, tenant_id=filed.tenant_id)
