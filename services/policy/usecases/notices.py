"""What payment providers say, kept as it came and worked through: in any order, each once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from libs.common.db import Tx
from libs.common.errors import NotHereYet, Refusal, Unavailable
from libs.common.money import Money
from libs.common.plans.book import PlanBook
from services.policy import store
from services.policy.store.notices import RECEIVED, Notice
from services.policy.usecases import payments, reversals
from services.policy.usecases.payments import Received, RecordPayment
from services.policy.usecases.reversals import Movement, UnknownPayment

REFUNDED: Final = "payment.refunded"
DISPUTE_OPENED: Final = "dispute.opened"
DISPUTE_WON: Final = "dispute.won"
DISPUTE_LOST: Final = "dispute.lost"
KINDS: Final = frozenset({RECEIVED, REFUNDED, DISPUTE_OPENED, DISPUTE_WON, DISPUTE_LOST})


async def record_payment(
    tx: Tx, plans: PlanBook, command: RecordPayment, *, now: datetime
) -> Received:
    """A payment, and then what a provider has said of it before it was known."""
    received = await payments.receive_payment(tx, plans, command, now=now)
    tenant_id = command.tenant_id
    if not await work_waiting(tx, plans, [command.reference], tenant_id=tenant_id, now=now):
        return received
    policy = await store.get_policy(tx, command.policy_id, tenant_id=tenant_id)
    return replace(received, policy=policy)


async def work_waiting(
    tx: Tx, plans: PlanBook, references: Sequence[str], *, tenant_id: str, now: datetime
) -> bool:
    """What was said of these payments before they were known; whether anything was."""
    waiting = await store.list_waiting(tx, references, tenant_id=tenant_id)
    for notice in waiting:
        worked = await _worked(tx, plans, notice, tenant_id=tenant_id, now=now)
        await store.save_notice(tx, worked, tenant_id=tenant_id)
    return bool(waiting)


async def take_notice(
    tx: Tx, plans: PlanBook, notice: Notice, *, tenant_id: str, now: datetime
) -> Notice:
    """The notice and what became of it. The provider's same event again changes nothing."""
    if not await store.insert_notice(tx, notice, tenant_id=tenant_id):
        known = await store.find_notice(
            tx, notice.hook_id, notice.provider_event_id, tenant_id=tenant_id
        )
        assert known is not None
        return known
    worked = await _worked(tx, plans, notice, tenant_id=tenant_id, now=now)
    await store.save_notice(tx, worked, tenant_id=tenant_id)
    return worked


async def _worked(
    tx: Tx, plans: PlanBook, notice: Notice, *, tenant_id: str, now: datetime
) -> Notice:
    """What cannot be applied is kept with its reason: the provider cannot mend it by trying again."""
    if notice.kind not in KINDS or notice.amount is None:
        return replace(notice, state="IGNORED")
    try:
        await _apply(tx, plans, notice, notice.amount, tenant_id=tenant_id, now=now)
    except (NotHereYet, Unavailable):
        raise
    except UnknownPayment as refusal:
        return replace(notice, state="WAITING", detail=refusal.detail)
    except Refusal as refusal:
        return replace(notice, state="UNMATCHED", detail=f"{refusal.code}: {refusal.detail}")
    return replace(notice, state="APPLIED", detail="")


async def _apply(
    tx: Tx, plans: PlanBook, notice: Notice, amount: Money, *, tenant_id: str, now: datetime
) -> None:
    if notice.kind == RECEIVED:
        command = RecordPayment(
            tenant_id=tenant_id,
            policy_id=notice.policy_id,
            reference=notice.reference,
            amount=amount,
            channel=notice.hook_id,
            paid_at=notice.occurred_at,
        )
        await record_payment(tx, plans, command, now=now)
        return
    movement = Movement(
        tenant_id=tenant_id,
        policy_id=notice.policy_id or await _policy_of(tx, notice.reference, tenant_id),
        reference=notice.reference,
        amount=amount,
        event_id=f"{notice.hook_id}:{notice.provider_event_id}",
    )
    match notice.kind:
        case "payment.refunded":
            await reversals.reverse_payment(tx, movement, now=now)
        case "dispute.opened":
            await reversals.open_dispute(tx, movement, now=now)
        case "dispute.won":
            await reversals.close_dispute(tx, movement, is_won=True, now=now)
        case "dispute.lost":
            await reversals.close_dispute(tx, movement, is_won=False, now=now)


async def _policy_of(tx: Tx, reference: str, tenant_id: str) -> str:
    policy_id = await store.find_policy_of_payment(tx, reference, tenant_id=tenant_id)
    if policy_id is None:
        raise UnknownPayment(f"No payment {reference} is known yet.")
    return policy_id
