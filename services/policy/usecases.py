"""What the policy service does: load, decide, save, announce; always inside the door's transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.common import ledger, outbox, testclock
from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadline, set_deadline
from libs.common.errors import Conflict, Invalid
from libs.common.events import Announcement
from libs.common.ids import new_id
from libs.common.ledger import Account, move
from libs.common.money import Money
from libs.common.plans.book import PlanBook
from libs.common.testclock import TestClock
from services.policy import store
from services.policy.domain import parcels, payments, policies
from services.policy.domain.parcels import Scan
from services.policy.domain.payments import Cancellation, Verification
from services.policy.domain.policies import Offer, Policy
from services.policy.events import (
    PolicyActivated,
    PolicyCancelled,
    PolicyEvent,
    PolicyIssued,
    PolicyLapsed,
    PolicyPaid,
    TestClockMoved,
    TopUpRequested,
    TrackingUpdated,
)
from services.policy.store import Contact, Payment, ReceivedScan

ACTIVATE = "activate_policy"
LAPSE = "lapse_top_up"


class PaymentDiffers(Conflict):
    code = "payment-reference-reused"
    title = "The payment's reference was used for another amount"


class AlreadyHasClock(Conflict):
    code = "already-has-clock"
    title = "The sandbox has a test clock already"


class ClockGoesBack(Invalid):
    code = "clock-goes-back"
    title = "A test clock only goes forward"


@dataclass(frozen=True, slots=True, kw_only=True)
class BindPolicy:
    tenant_id: str
    offer: Offer
    contact: Contact
    # What the customer was shown, where the shop says so.
    premium: Money | None = None
    carrier: str = ""
    tracking_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPayment:
    tenant_id: str
    policy_id: str
    reference: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchParcel:
    tenant_id: str
    policy_id: str
    dispatched_at: datetime
    carrier: str = ""
    tracking_number: str = ""


async def bind_policy(tx: Tx, command: BindPolicy, *, now: datetime) -> Policy:
    policy = replace(
        policies.bind(
            command.offer,
            policy_id=new_id("pol"),
            tenant_id=command.tenant_id,
            premium=command.premium,
            now=now,
        ),
        carrier=command.carrier,
        tracking_number=command.tracking_number,
    )
    await store.insert_policy(tx, policy, command.contact)
    await _announce(
        tx,
        policy,
        PolicyIssued(
            policy_id=policy.policy_id,
            quote_id=policy.quote_id,
            plan=policy.plan,
            terms=policy.terms,
            state=policy.state,
            confirmed_at=policy.confirmed_at,
        ),
        now=now,
    )
    return policy


async def record_payment(
    tx: Tx, plans: PlanBook, command: RecordPayment, *, now: datetime
) -> Policy:
    """The policy after the payment. The same reference again changes nothing."""
    policy = await store.lock_policy(tx, command.policy_id, tenant_id=command.tenant_id)
    known = await store.find_payment(
        tx, policy.policy_id, command.reference, tenant_id=command.tenant_id
    )
    if known is not None:
        _must_be_same(known, command)
        return policy
    plan = plans.pinned(policy.plan.sha256)
    paid = payments.pay(policy, plan, command.amount, now)
    payment = Payment(
        payment_id=new_id("pay"),
        policy_id=policy.policy_id,
        reference=command.reference,
        amount=command.amount,
        received_at=now,
    )
    await store.insert_payment(tx, payment, tenant_id=command.tenant_id)
    received = move(
        "premium-received",
        payment.payment_id,
        policy.policy_id,
        payment.amount,
        debit=Account.CASH,
        credit=Account.DEPOSIT if policy.confirmed_at is None else Account.PREMIUM,
    )
    await ledger.book(tx, command.tenant_id, [received], now=now)
    await _save_paid(tx, policy, paid, now=now)
    return paid


async def confirm_amount(
    tx: Tx, plans: PlanBook, quote_id: str, verification: Verification, *, tenant_id: str
) -> None:
    """The quote's verification brought the final amount; a quote nobody bound concerns nobody here.

    `now` is the instant of the confirmation: the top-up's clock starts there (MP-19).
    """
    policy = await store.find_policy_of_quote(tx, quote_id, tenant_id=tenant_id)
    if policy is None:
        return
    now, plan = verification.confirmed_at, plans.pinned(verification.plan.sha256)
    confirmed = payments.confirm(policy, plan, verification, now)
    if confirmed == policy:
        return
    await _keep_deposit(tx, policy, now=now)
    await _save_paid(tx, policy, confirmed, now=now)
    if confirmed.paid_at is None:
        await _announce(tx, confirmed, _top_up_requested(confirmed), now=now)
    if confirmed.top_up_lapses_at is not None:
        await set_deadline(
            tx,
            Deadline(
                tenant_id=tenant_id,
                kind=LAPSE,
                subject=policy.policy_id,
                due_at=confirmed.top_up_lapses_at,
            ),
        )


async def lapse_top_up(
    tx: Tx, plans: PlanBook, policy_id: str, *, tenant_id: str, now: datetime
) -> None:
    """The first instant too late has come (MP-20)."""
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    if policy.top_up_lapses_at is None:
        return
    lapsed = payments.lapse(policy, plans.pinned(policy.plan.sha256))
    await _give_back(tx, policy, lapsed, now=now)
    event = PolicyLapsed(
        policy_id=policy_id, state=lapsed.policy.state, refund=lapsed.refund, lapsed_at=now
    )
    await _announce(tx, lapsed.policy, event, now=now)


async def cancel_policy(
    tx: Tx, plans: PlanBook, policy_id: str, reason: str, *, tenant_id: str, now: datetime
) -> Cancellation:
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    cancelled = payments.cancel(policy, plans.pinned(policy.plan.sha256), reason, now)
    await _give_back(tx, policy, cancelled, now=now)
    for kind in (ACTIVATE, LAPSE):
        await cancel_deadline(tx, tenant_id, kind, policy_id)
    event = PolicyCancelled(
        policy_id=policy_id, reason=reason, refund=cancelled.refund, cancelled_at=now
    )
    await _announce(tx, cancelled.policy, event, now=now)
    return cancelled


async def accept_parcel(
    tx: Tx, plans: PlanBook, policy_id: str, at: datetime, *, tenant_id: str, now: datetime
) -> Policy:
    """The processing centre took the parcel in."""
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    accepted = parcels.accept(policy, plans.pinned(policy.plan.sha256), at, now)
    await _save_moved(tx, policy, accepted, now=now)
    return accepted


async def dispatch_parcel(
    tx: Tx, plans: PlanBook, command: DispatchParcel, *, now: datetime
) -> Policy:
    """The ship-out, reported by whoever hands the parcel over. A repeat changes nothing."""
    policy = await store.lock_policy(tx, command.policy_id, tenant_id=command.tenant_id)
    named = replace(
        policy,
        carrier=command.carrier or policy.carrier,
        tracking_number=command.tracking_number or policy.tracking_number,
    )
    sent = parcels.dispatch(named, plans.pinned(policy.plan.sha256), command.dispatched_at, now)
    await _save_moved(tx, policy, sent, now=now)
    return sent


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOutcome:
    """`known`: the policies that are there; `new`: (policy, scan) ids not seen before."""

    known: frozenset[str]
    new: frozenset[tuple[str, str]]


async def record_scans(
    tx: Tx, plans: PlanBook, scans: Sequence[ReceivedScan], *, tenant_id: str, now: datetime
) -> ScanOutcome:
    """Keep the scans and move their policies.

    Each policy is computed from all its scans, so repeats and disorder change nothing.
    """
    locked = await store.lock_policies(tx, {s.policy_id for s in scans}, tenant_id=tenant_id)
    known = frozenset(policy.policy_id for policy in locked)
    new = await store.insert_scans(
        tx, [s for s in scans if s.policy_id in known], tenant_id=tenant_id, now=now
    )
    touched = [policy for policy in locked if policy.policy_id in {p for p, _ in new}]
    history = await store.list_scans(tx, (p.policy_id for p in touched), tenant_id=tenant_id)
    for policy in touched:
        happened = _until(history[policy.policy_id], now)
        moved = parcels.track(policy, plans.pinned(policy.plan.sha256), happened, now)
        await _save_moved(tx, policy, moved, now=now)
    return ScanOutcome(known=known, new=frozenset(new))


async def activate_policy(
    tx: Tx, plans: PlanBook, policy_id: str, *, tenant_id: str, now: datetime
) -> None:
    """Its scheduled cover start has come."""
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    active = policies.activate(policy, plans.pinned(policy.plan.sha256), now)
    if active == policy:
        return
    await store.save_policy(tx, active)
    await _watch_cover(tx, policy, active, now=now)


async def create_test_clock(tx: Tx, tenant_id: str, now: datetime) -> TestClock:
    """The sandbox tenant's one clock; AlreadyHasClock where it has one."""
    clock = TestClock(clock_id=new_id("clk"), tenant_id=tenant_id, now=now)
    if not await testclock.create(tx, clock):
        raise AlreadyHasClock(
            f"{tenant_id} has a test clock. Advance it, or use a new sandbox."
        )
    await _say_moved(tx, clock)
    return clock


async def advance_test_clock(tx: Tx, tenant_id: str, clock_id: str, to: datetime) -> TestClock:
    """Forward only: ClockGoesBack otherwise."""
    clock = await testclock.get(tx, tenant_id, clock_id)
    if to <= clock.now:
        raise ClockGoesBack(f"The clock shows {clock.now.isoformat()}; it only goes forward.")
    moved = replace(clock, now=to)
    await testclock.follow(tx, moved)
    await _say_moved(tx, moved)
    return moved


async def _say_moved(tx: Tx, clock: TestClock) -> None:
    moved = TestClockMoved(clock_id=clock.clock_id, now=clock.now)
    announcement = Announcement(tenant_id=clock.tenant_id, key=clock.tenant_id, event=moved)
    await outbox.append(tx, announcement, now=clock.now)


async def _save_paid(tx: Tx, before: Policy, after: Policy, *, now: datetime) -> None:
    await store.save_policy(tx, after)
    if after.paid_at is not None:
        await cancel_deadline(tx, after.tenant_id, LAPSE, after.policy_id)
        await _announce(tx, after, _policy_paid(after), now=now)
        await _watch_cover(tx, before, after, now=now)


async def _keep_deposit(tx: Tx, policy: Policy, *, now: datetime) -> None:
    """Once the amount is confirmed a held deposit is premium."""
    if policy.premium_paid.amount_minor == 0:
        return
    kept = move(
        "deposit-kept",
        policy.policy_id,
        policy.policy_id,
        policy.premium_paid,
        debit=Account.DEPOSIT,
        credit=Account.PREMIUM,
    )
    await ledger.book(tx, policy.tenant_id, [kept], now=now)


async def _give_back(tx: Tx, policy: Policy, ended: Cancellation, *, now: datetime) -> None:
    await store.save_policy(tx, ended.policy, refund=ended.refund)
    if ended.refund.amount_minor == 0:
        return
    refund = move(
        "refund",
        policy.policy_id,
        policy.policy_id,
        ended.refund,
        debit=Account.DEPOSIT if policy.confirmed_at is None else Account.PREMIUM,
        credit=Account.REFUND,
    )
    await ledger.book(tx, policy.tenant_id, [refund], now=now)


async def _save_moved(tx: Tx, before: Policy, after: Policy, *, now: datetime) -> None:
    if after == before:
        return
    await store.save_policy(tx, after)
    # The start of cover first: a first scan that is the delivery begins and ends it at once.
    await _watch_cover(tx, before, after, now=now)
    await _announce(tx, after, _tracking_updated(after), now=now)


async def _watch_cover(tx: Tx, before: Policy, after: Policy, *, now: datetime) -> None:
    """Say when cover began, or wait for the instant it does."""
    if after.state in ("ACTIVE", "RUN_OFF") and before.state in ("PENDING", "SCHEDULED"):
        assert after.cover_start is not None
        await cancel_deadline(tx, after.tenant_id, ACTIVATE, after.policy_id)
        activated = PolicyActivated(
            policy_id=after.policy_id, cover_start=after.cover_start, state=after.state
        )
        await _announce(tx, after, activated, now=now)
    elif after.state == "SCHEDULED" and after.cover_start not in (None, before.cover_start):
        await set_deadline(
            tx,
            Deadline(
                tenant_id=after.tenant_id,
                kind=ACTIVATE,
                subject=after.policy_id,
                due_at=after.cover_start,
            ),
        )


async def _announce(tx: Tx, policy: Policy, event: PolicyEvent, *, now: datetime) -> None:
    await outbox.append(
        tx, Announcement(tenant_id=policy.tenant_id, key=policy.policy_id, event=event), now=now
    )


def _top_up_requested(policy: Policy) -> TopUpRequested:
    assert policy.confirmed_at is not None
    return TopUpRequested(
        policy_id=policy.policy_id,
        premium=policy.terms.premium,
        due=policy.premium_due,
        confirmed_at=policy.confirmed_at,
        lapses_at=policy.top_up_lapses_at,
    )


def _policy_paid(policy: Policy) -> PolicyPaid:
    assert policy.paid_at is not None
    return PolicyPaid(
        policy_id=policy.policy_id,
        quote_id=policy.quote_id,
        plan=policy.plan,
        terms=policy.terms,
        state=policy.state,
        premium_paid=policy.premium_paid,
        paid_at=policy.paid_at,
        confirmed_at=policy.confirmed_at,
        cover_start=policy.cover_start,
    )


def _tracking_updated(policy: Policy) -> TrackingUpdated:
    position = policy.tracking
    return TrackingUpdated(
        policy_id=policy.policy_id,
        state=policy.state,
        status=position.status,
        reason=position.reason,
        carrier=policy.carrier,
        tracking_number=policy.tracking_number,
        accepted_at=position.accepted_at,
        dispatched_at=position.dispatched_at,
        last_update_at=position.last_update_at,
        delivered_at=position.delivered_at,
        returned_at=position.returned_at,
        loss_confirmed_at=position.loss_confirmed_at,
    )


def _until(scans: Iterable[Scan], now: datetime) -> list[Scan]:
    return [scan for scan in scans if scan.occurred_at <= now]


def _must_be_same(known: Payment, command: RecordPayment) -> None:
    if known.amount != command.amount:
        raise PaymentDiffers(
            f"Payment {known.reference} was of {known.amount}, not {command.amount}. "
            "Use a new reference for a new payment."
        )
