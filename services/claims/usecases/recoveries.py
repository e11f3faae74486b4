"""Money that comes back for a claim: from carriers, insurers and customers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.common import ledger
from libs.common.db import Tx
from libs.common.ids import new_id
from libs.common.ledger import Account, Transfer, move
from libs.common.money import Money, zero
from services.claims import store
from services.claims.domain import filing, money_back
from services.claims.domain.cases import Cover
from services.claims.domain.filing import Payout
from services.claims.domain.money_back import Recovery
from services.claims.domain.repayments import ARRIVED, Because
from services.claims.domain.settlement import Settlement
from services.claims.events import RecoveryRecorded
from services.claims.store import FiledClaim
from services.claims.usecases.announcing import announce
from services.claims.usecases.deciding import decide
from services.claims.usecases.locking import lock_claim
from services.claims.usecases.payouts import create_payout
from services.claims.usecases.proposing import propose
from services.claims.usecases.reconsidering import take_back_unsent
from services.claims.usecases.repayments import asked_back, kept, owe, receive
from services.claims.usecases.rules import Rules

CARRIER, INSURER, CUSTOMER = "carrier", "insurer", "customer"
OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRecovery:
    """Money for a loss from elsewhere, or back from the customer, who repays a repayment.

    The carrier pays the customer, or us (`paid_to`), the insurer us. `is_fraud` shown by the insurer.
    """

    tenant_id: str
    claim_id: str
    source: str
    reference: str
    amount: Money
    recorded_by: str
    is_fraud: bool = False
    paid_to: str = CUSTOMER
    repayment_id: str | None = None


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
        paid_to=command.paid_to,
        repayment_id=command.repayment_id,
    )
    if command.source == CARRIER:
        await _from_carrier(tx, rules, cover, filed, recovery, known, now=now)
    elif command.source == INSURER:
        by = command.recorded_by
        await _from_insurer(tx, rules, cover, filed, recovery, by=by, now=now)
    else:
        await _from_customer(tx, filed, recovery, now=now)
    return recovery


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
    """What is not sent yet is lowered by it; what has arrived above the loss is owed back (BM-24)."""
    proposal = await propose(tx, rules, cover, filed, now=now)
    loss = money_back.loss_of(proposal.plan, proposal.facts)
    before = [r for r in known if r.source == CARRIER]
    money_back.must_fit(loss, _sum(before, loss.currency), recovery.amount)
    if recovery.paid_to == OPERATOR:
        await _to_us(tx, cover, filed, recovery, before, now=now)
        return
    to_customer = [r for r in before if r.paid_to != OPERATOR]
    total = _sum(to_customer, loss.currency) + recovery.amount
    found = replace(filed.claim.findings, carrier_paid=total)
    told = replace(filed, claim=replace(filed.claim, findings=found))
    await store.save_claim(tx, told)
    await _keep(tx, told, recovery, now=now)
    told = await take_back_unsent(tx, rules, cover, told, now=now)
    if told.state in filing.OPEN_STATES:
        told = await decide(tx, rules, cover, told, now=now)
    await ask_excess_back(tx, rules, cover, told, now=now)


async def ask_excess_back(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> None:
    """Beside the carrier's money, what has arrived with the customer above the loss (BM-24, G-10).

    Money that is on its way may fail: it is looked at when it has arrived.
    """
    known = await store.list_recoveries(tx, filed.claim_id, tenant_id=filed.tenant_id)
    from_carrier = [r for r in known if (r.source, r.paid_to) == (CARRIER, CUSTOMER)]
    if not from_carrier:
        return
    proposal = await propose(tx, rules, cover, filed, now=now)
    loss = money_back.loss_of(proposal.plan, proposal.facts)
    arrived = await kept(tx, filed, loss.currency, states=ARRIVED)
    excess = money_back.overpaid(loss, arrived, _sum(from_carrier, loss.currency))
    await owe(tx, filed, Because.CARRIER_PAID_LATE, excess, credit=Account.CLAIMS, now=now)


async def _to_us(
    tx: Tx,
    cover: Cover,
    filed: FiledClaim,
    recovery: Recovery,
    before: Sequence[Recovery],
    *,
    now: datetime,
) -> None:
    """The customer's rights passed to us, up to what we paid: it lowers what the claim costs (TK-23)."""
    ours = _sum([r for r in before if r.paid_to == OPERATOR], cover.currency)
    money_back.must_be_ours(await kept(tx, filed, cover.currency), ours, recovery.amount)
    await _keep(tx, filed, recovery, now=now)
    entries = _booked(
        recovery, filed.key, "subrogation", recovery.amount, Account.CASH, Account.CLAIMS
    )
    await ledger.book(tx, filed.tenant_id, entries, now=now)


async def _from_customer(
    tx: Tx, filed: FiledClaim, recovery: Recovery, *, now: datetime
) -> None:
    assert recovery.repayment_id is not None, "the door asks for it"
    await _keep(tx, filed, recovery, now=now)
    await receive(
        tx, filed, recovery.repayment_id, recovery.amount, recovery.recovery_id, now=now
    )


async def _from_insurer(
    tx: Tx,
    rules: Rules,
    cover: Cover,
    filed: FiledClaim,
    recovery: Recovery,
    *,
    by: str,
    now: datetime,
) -> None:
    """The insurer settles what was advanced (TK-21); the claim is then decided."""
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    waits = ("CREATED", "VOID")
    advances = (p for p in payouts if p.kind == "ADVANCE" and p.state not in waits)
    advanced = next((p.amount for p in advances), None)
    if advanced is None:
        raise money_back.NothingAdvanced(
            f"Claim {filed.claim_id} has no advance for the insurer to settle."
        )
    plan = rules.plans.pinned(cover.plan_sha256)
    settled = money_back.split(plan, advanced, recovery.amount, is_fraud=recovery.is_fraud)
    settled = money_back.asked_once(
        settled, advanced - await asked_back(tx, filed, cover.currency)
    )
    # A difference that the seller has of us already is ours, not paid a second time (G-10).
    ours = sum(
        (p.amount for p in payouts if p.kind == "PAYOUT" and p.state != "VOID"),
        zero(advanced.currency),
    )
    ours = min(ours, settled.to_seller)
    await _keep(tx, filed, recovery, now=now)
    transfers = [
        *_settlement(cover.policy_id, recovery, settled),
        *_booked(
            recovery,
            cover.policy_id,
            "difference-reimbursed",
            ours,
            Account.RECOVERY,
            Account.CLAIMS,
        ),
    ]
    await ledger.book(tx, filed.tenant_id, transfers, now=now)
    if settled.to_seller > ours:
        excess = settled.to_seller - ours
        await _pay_excess(tx, rules, filed, cover, excess, by=by, now=now)
    if filed.state in filing.OPEN_STATES:
        filed = await decide(
            tx, rules, cover, filed, now=now, decided_by=INSURER, is_accepted=True
        )
    # The clawback is booked by the settlement (TK-21).
    await owe(tx, filed, Because.FRAUD, settled.clawback, credit=None, now=now)


def _settlement(policy_id: str, recovery: Recovery, settled: Settlement) -> list[Transfer]:
    """The insurer's money in, the advance out of the books, and who bears what is missing."""

    def booked(kind: str, amount: Money, debit: Account, credit: Account) -> list[Transfer]:
        return _booked(recovery, policy_id, kind, amount, debit, credit)

    return [
        *booked("insurer-paid", recovery.amount, Account.CASH, Account.RECOVERY),
        *booked("advance-repaid", settled.to_provider, Account.RECOVERY, Account.ADVANCE),
        *booked("shortfall-borne", settled.provider_bears, Account.CLAIMS, Account.ADVANCE),
        *booked("clawback-due", settled.clawback, Account.RECOVERY, Account.ADVANCE),
    ]


def _booked(
    recovery: Recovery,
    policy_id: str,
    kind: str,
    amount: Money,
    debit: Account,
    credit: Account,
) -> list[Transfer]:
    """The movement under the recovery's id; none where nothing moves."""
    if not amount.amount_minor:
        return []
    return [move(kind, recovery.recovery_id, policy_id, amount, debit=debit, credit=credit)]


def _sum(recoveries: Sequence[Recovery], currency: str) -> Money:
    return sum((r.amount for r in recoveries), zero(currency))


async def _pay_excess(
    tx: Tx,
    rules: Rules,
    filed: FiledClaim,
    cover: Cover,
    amount: Money,
    *,
    by: str,
    now: datetime,
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
        kind="EXCESS",
    )
    await create_payout(tx, rules, filed, payout, debit=Account.RECOVERY, by=by, now=now)


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
        is_same = (recovery.reference, recovery.amount, recovery.repayment_id) == (
            command.reference,
            command.amount,
            command.repayment_id,
        )
        if is_same:
            return recovery
        if command.source == INSURER or recovery.reference == command.reference:
            raise money_back.InsurerAnsweredOtherwise(
                f"The {recovery.source} paid {recovery.amount} with reference {recovery.reference}."
            )
    return None
