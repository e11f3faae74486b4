"""What goes back to a payer: owed with what brings it about, and settled by the payment system."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from libs.common import ledger
from libs.common.db import Tx
from libs.common.deadlines import cancel_deadline
from libs.common.errors import Conflict
from libs.common.ids import new_id
from libs.common.ledger import Account, move
from libs.common.money import Money
from services.policy import store
from services.policy.domain.payments import Ended
from services.policy.domain.policies import Policy
from services.policy.events import RefundRequested, RefundSettled
from services.policy.store import Refund
from services.policy.usecases.cover import ACTIVATE
from services.policy.usecases.saying import announce

LAPSE = "lapse_top_up"
WARN = "warn_top_up"


class RefundSettledAlready(Conflict):
    code = "refund-settled-already"
    title = "The refund is settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleRefund:
    """The payment system's answer; `reference` is its own, `failure` why it did not go through."""

    tenant_id: str
    refund_id: str
    state: Literal["CONFIRMED", "FAILED"]
    reference: str
    failure: str = ""


async def end(tx: Tx, policy: Policy, ended: Ended, *, reason: str, now: datetime) -> None:
    """Save a policy that is over before its time; what it gives back of its premium is owed."""
    after = replace(ended.policy, refund=policy.refund + ended.refund)
    await store.save_policy(tx, after)
    for kind in (ACTIVATE, LAPSE, WARN):
        await cancel_deadline(tx, policy.tenant_id, kind, policy.policy_id)
    if ended.refund.amount_minor == 0:
        return
    refund = await owe(tx, policy, ended.refund, reason=reason, payment_id=None, now=now)
    owed = move(
        "refund",
        refund.refund_id,
        policy.policy_id,
        ended.refund,
        debit=account_of(policy),
        credit=Account.REFUND,
    )
    await ledger.book(tx, policy.tenant_id, [owed], now=now)


async def owe(
    tx: Tx,
    policy: Policy,
    amount: Money,
    *,
    reason: str,
    payment_id: str | None,
    now: datetime,
) -> Refund:
    """A refund that is due, and said. The ledger's side is booked by whoever owes it."""
    refund = store.new_refund(
        new_id("ref"),
        policy.policy_id,
        amount,
        reason=reason,
        payment_id=payment_id,
        now=now,
    )
    await store.insert_refund(tx, refund, tenant_id=policy.tenant_id)
    requested = RefundRequested(
        policy_id=policy.policy_id,
        refund_id=refund.refund_id,
        amount=amount,
        reason=reason,
        requested_at=now,
    )
    await announce(tx, policy, requested, now=now)
    return refund


async def settle_refund(tx: Tx, command: SettleRefund, *, now: datetime) -> Refund:
    """CONFIRMED: the rest of it has left our hands, once. FAILED: it is still owed."""
    policy_id = await store.find_policy_of_refund(
        tx, command.refund_id, tenant_id=command.tenant_id
    )
    policy = await store.lock_policy(tx, policy_id, tenant_id=command.tenant_id)
    refunds = await store.list_refunds_of(tx, policy_id, tenant_id=command.tenant_id)
    refund = next(one for one in refunds if one.refund_id == command.refund_id)
    if refund.state == "SETTLED":
        if command.state == "CONFIRMED" and refund.reference == command.reference:
            return refund
        raise RefundSettledAlready(
            f"Refund {refund.refund_id} was settled as {refund.reference or 'a provider notice'}."
        )
    if command.state == "FAILED":
        failed = replace(refund, state="FAILED", failure=command.failure)
        await store.save_refund(tx, failed, tenant_id=command.tenant_id)
        await _say_settled(tx, policy, failed, failed.open, now=now)
        return failed
    paid_out = move(
        "refund-settled",
        f"{refund.refund_id}:{refund.settled.amount_minor}",
        policy_id,
        refund.open,
        debit=Account.REFUND,
        credit=Account.CASH,
    )
    await ledger.book(tx, command.tenant_id, [paid_out], now=now)
    return await settle(tx, policy, refund, refund.open, reference=command.reference, now=now)


async def settle_oldest(
    tx: Tx, policy: Policy, amount: Money, *, reference: str, now: datetime
) -> Money:
    """Take the amount for refunds that are owed, the oldest first; what is left of it."""
    refunds = await store.list_refunds_of(tx, policy.policy_id, tenant_id=policy.tenant_id)
    left = amount
    for refund in _open(refunds):
        part = min(left, refund.open)
        if part.amount_minor == 0:
            break
        await settle(tx, policy, refund, part, reference=reference, now=now)
        left -= part
    return left


async def settle(
    tx: Tx, policy: Policy, refund: Refund, part: Money, *, reference: str, now: datetime
) -> Refund:
    is_whole = refund.settled + part == refund.amount
    settled = replace(
        refund,
        settled=refund.settled + part,
        state="SETTLED" if is_whole else "DUE",
        settled_at=now if is_whole else None,
        reference=reference,
        failure="",
    )
    await store.save_refund(tx, settled, tenant_id=policy.tenant_id)
    await _say_settled(tx, policy, settled, part, now=now)
    return settled


def account_of(policy: Policy) -> Account:
    """Where what was paid is held: a deposit until the amount is confirmed."""
    return Account.DEPOSIT if policy.confirmed_at is None else Account.PREMIUM


def _open(refunds: Sequence[Refund]) -> list[Refund]:
    return [refund for refund in refunds if refund.state != "SETTLED"]


async def _say_settled(
    tx: Tx, policy: Policy, refund: Refund, part: Money, *, now: datetime
) -> None:
    event = RefundSettled(
        policy_id=policy.policy_id,
        refund_id=refund.refund_id,
        state=refund.state,
        amount=part,
        settled_at=now,
    )
    await announce(tx, policy, event, now=now)
