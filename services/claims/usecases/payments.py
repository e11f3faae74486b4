"""Money out and money back: payouts, advances, what carriers and insurers pay."""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.common import ledger
from libs.common.db import Tx
from libs.common.ids import new_id
from libs.common.ledger import Account, Transfer, move
from libs.common.money import Money, zero
from libs.common.plans.codes import Outcome
from services.claims import store
from services.claims.domain import advance, filing, money_back
from services.claims.domain.cases import Cover
from services.claims.domain.filing import Payout
from services.claims.domain.money_back import Recovery
from services.claims.domain.settlement import Settlement
from services.claims.events import AdvancePaid, PayoutSent, PayoutSettled, RecoveryRecorded
from services.claims.store import FiledClaim
from services.claims.usecases.decisions import (
    Rules,
    announce,
    create_payout,
    decide,
    lock_claim,
    owed,
    propose,
    restand,
    schedule,
)

CARRIER, INSURER = "carrier", "insurer"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlePayout:
    tenant_id: str
    payout_id: str
    state: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PayAdvance:
    tenant_id: str
    claim_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRecovery:
    """Money the carrier paid the customer, or the insurer paid us. `is_fraud` shown by the insurer."""

    tenant_id: str
    claim_id: str
    source: str
    reference: str
    amount: Money
    is_fraud: bool = False


async def send_payout(tx: Tx, payout_id: str, *, tenant_id: str, now: datetime) -> None:
    """Instruct the payment. It is out with the commit, and never a second time."""
    payout, filed = await _lock_payout(tx, payout_id, tenant_id=tenant_id)
    if payout.state != "APPROVED":
        return
    await store.save_payout(tx, replace(payout, state="SENT", sent_at=now), tenant_id=tenant_id)
    await restand(tx, filed)
    sent = PayoutSent(
        claim_id=filed.claim_id,
        policy_id=payout.policy_id,
        payout_id=payout_id,
        amount=payout.amount,
        instrument=payout.instrument,
        sent_at=now,
        kind=payout.kind,
    )
    await announce(tx, filed, sent, now=now)


async def settle_payout(tx: Tx, command: SettlePayout, *, now: datetime) -> Payout:
    """The payment system's answer, which may come twice; a CONFIRMED payout leaves the books."""
    payout, filed = await _lock_payout(tx, command.payout_id, tenant_id=command.tenant_id)
    if not filing.settle(payout, command.state, command.reference):
        return payout
    settled = replace(payout, state=command.state, reference=command.reference, settled_at=now)
    await store.save_payout(tx, settled, tenant_id=command.tenant_id)
    if settled.state == "CONFIRMED":
        await _confirmed(tx, filed, settled, now=now)
    event = PayoutSettled(
        claim_id=filed.claim_id,
        policy_id=payout.policy_id,
        payout_id=payout.payout_id,
        amount=payout.amount,
        state=settled.state,
        settled_at=now,
    )
    await announce(tx, filed, event, now=now)
    return settled


async def retry_payout(tx: Tx, payout_id: str, *, tenant_id: str, now: datetime) -> Payout:
    """A payout that failed is sent again: the same one, with the payment system's next answer."""
    payout, _ = await _lock_payout(tx, payout_id, tenant_id=tenant_id)
    if payout.state != "FAILED":
        raise filing.PayoutNotFailed(f"Payout {payout_id} is {payout.state}.")
    again = replace(payout, state="APPROVED", reference=None, sent_at=None, settled_at=None)
    await store.save_payout(tx, again, tenant_id=tenant_id)
    await schedule(tx, again, tenant_id=tenant_id, now=now)
    return again


async def pay_advance(
    tx: Tx, rules: Rules, command: PayAdvance, *, now: datetime
) -> FiledClaim:
    """Pay ahead of the insurer what the complete file is assessed at (TK-20), once a claim."""
    cover, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    filing.must_be_open(filed.claim_id, filed.state)
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    if any(payout.kind == "ADVANCE" for payout in payouts):
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
    await create_payout(tx, filed, payout, debit=Account.ADVANCE, now=now)
    return filed


async def record_recovery(
    tx: Tx, rules: Rules, command: RecordRecovery, *, now: datetime
) -> Recovery:
    """Money back for a claim. The same reference again changes nothing."""
    cover, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    known = await store.list_recoveries(tx, filed.claim_id, tenant_id=filed.tenant_id)
    repeated = _repeated(known, command)
    if repeated is not None:
        return repeated
    recovery = Recovery(
        recovery_id=new_id("rec"),
        claim_id=filed.claim_id,
        source=command.source,
        reference=command.reference,
        amount=command.amount,
        is_fraud=command.is_fraud,
        recorded_at=now,
    )
    if command.source == CARRIER:
        await _from_carrier(tx, rules, cover, filed, recovery, known, now=now)
    else:
        await _from_insurer(tx, rules, cover, filed, recovery, now=now)
    return recovery


async def _confirmed(tx: Tx, filed: FiledClaim, payout: Payout, *, now: datetime) -> None:
    left = move(
        f"{payout.kind.lower()}-settled",
        payout.payout_id,
        payout.policy_id,
        payout.amount,
        debit=owed(payout.instrument),
        credit=Account.CASH,
    )
    await ledger.book(tx, filed.tenant_id, [left], now=now)
    if payout.kind == "PAYOUT":
        await restand(tx, filed)
        return
    paid = AdvancePaid(
        claim_id=filed.claim_id,
        policy_id=payout.policy_id,
        payout_id=payout.payout_id,
        amount=payout.amount,
        paid_at=now,
    )
    await announce(tx, filed, paid, now=now)


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


async def _from_carrier(
    tx: Tx,
    rules: Rules,
    cover: Cover,
    filed: FiledClaim,
    recovery: Recovery,
    known: list[Recovery],
    *,
    now: datetime,
) -> None:
    """Before the decision it lowers the payout; after it, what is above the loss is owed back."""
    proposal = await propose(tx, rules, cover, filed, now=now)
    loss = money_back.loss_of(proposal.plan, proposal.facts)
    before = sum(
        (r.amount for r in known if r.source == CARRIER), zero(recovery.amount.currency)
    )
    money_back.must_fit(loss, before, recovery.amount)
    total = before + recovery.amount
    found = replace(filed.claim.findings, carrier_paid=total)
    told = replace(filed, claim=replace(filed.claim, findings=found))
    await store.save_claim(tx, told)
    await _keep(tx, told, recovery, now=now)
    if filed.state in filing.OPEN_STATES:
        await decide(tx, rules, cover, told, now=now)
        return
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    paid = sum((p.amount for p in payouts if p.state not in filing.UNPAID), zero(loss.currency))
    excess = money_back.overpaid(loss, paid, total) - money_back.overpaid(loss, paid, before)
    if excess.amount_minor:
        back = move(
            "recovery-due",
            recovery.recovery_id,
            cover.policy_id,
            excess,
            debit=Account.RECOVERY,
            credit=Account.CLAIMS,
        )
        await ledger.book(tx, filed.tenant_id, [back], now=now)


async def _from_insurer(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, recovery: Recovery, *, now: datetime
) -> None:
    """The insurer settles what was advanced (TK-21); the claim is then decided."""
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    advanced = next((p.amount for p in payouts if p.kind == "ADVANCE"), None)
    if advanced is None:
        raise money_back.NothingAdvanced(
            f"Claim {filed.claim_id} has no advance for the insurer to settle."
        )
    plan = rules.plans.pinned(cover.plan_sha256)
    settled = money_back.split(plan, advanced, recovery.amount, is_fraud=recovery.is_fraud)
    await _keep(tx, filed, recovery, now=now)
    transfers = _settlement(cover.policy_id, recovery, settled)
    await ledger.book(tx, filed.tenant_id, transfers, now=now)
    if settled.to_seller.amount_minor:
        await _pay_excess(tx, filed, cover, settled.to_seller, now=now)
    if filed.state in filing.OPEN_STATES:
        await decide(tx, rules, cover, filed, now=now, decided_by=INSURER, is_accepted=True)


def _settlement(policy_id: str, recovery: Recovery, settled: Settlement) -> list[Transfer]:
    """The insurer's money in, the advance out of the books, and who bears what is missing."""

    def booked(kind: str, amount: Money, debit: Account, credit: Account) -> list[Transfer]:
        if not amount.amount_minor:
            return []
        return [move(kind, recovery.recovery_id, policy_id, amount, debit=debit, credit=credit)]

    return [
        *booked("insurer-paid", recovery.amount, Account.CASH, Account.RECOVERY),
        *booked("advance-repaid", settled.to_provider, Account.RECOVERY, Account.ADVANCE),
        *booked("shortfall-borne", settled.provider_bears, Account.CLAIMS, Account.ADVANCE),
        *booked("clawback-due", settled.clawback, Account.RECOVERY, Account.ADVANCE),
    ]


async def _pay_excess(
    tx: Tx, filed: FiledClaim, cover: Cover, amount: Money, *, now: datetime
) -> None:
    """What the insurer paid above the advance is the seller's."""
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
    )
    await create_payout(tx, filed, payout, debit=Account.RECOVERY, now=now)


async def _keep(tx: Tx, filed: FiledClaim, recovery: Recovery, *, now: datetime) -> None:
    await store.insert_recovery(tx, recovery, tenant_id=filed.tenant_id)
    event = RecoveryRecorded(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        recovery_id=recovery.recovery_id,
        paid_by=recovery.source,
        amount=recovery.amount,
        recorded_at=now,
    )
    await announce(tx, filed, event, now=now)


def _repeated(known: list[Recovery], command: RecordRecovery) -> Recovery | None:
    """The same money told again; InsurerAnsweredOtherwise where the insurer says two things."""
    for recovery in known:
        if recovery.source != command.source:
            continue
        is_same = (recovery.reference, recovery.amount) == (command.reference, command.amount)
        if is_same:
            return recovery
        if command.source == INSURER or recovery.reference == command.reference:
            raise money_back.InsurerAnsweredOtherwise(
                f"The {recovery.source} paid {recovery.amount} with reference {recovery.reference}."
            )
    return None


async def _lock_payout(tx: Tx, payout_id: str, *, tenant_id: str) -> tuple[Payout, FiledClaim]:
    """The payout and its claim, behind the cover's lock."""
    payout = await store.get_payout(tx, payout_id, tenant_id=tenant_id)
    _, filed = await lock_claim(tx, payout.claim_id, tenant_id=tenant_id)
    return await store.get_payout(tx, payout_id, tenant_id=tenant_id), filed
