"""What the notifier makes of others' events: read the fields that are told, owe the notice."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from libs.common.consumer import Handlers, Received, reads
from libs.common.db import Tx
from libs.common.events import Reading
from libs.common.money import Money
from libs.common.service import Running
from libs.common.testclock import TestClockMoved, on_test_clock_moved
from services.notifier import usecases
from services.notifier.domain import notices
from services.notifier.domain.notices import (
    ClaimAnswered,
    ClaimReceived,
    Cover,
    CoverCancelled,
    Letter,
    Line,
    MoneySent,
    Notice,
)

TOPICS = ("policies", "claims")


class PlanPin(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    insured_value: Money


class PolicyPaid(Reading, frozen=True, kw_only=True):
    policy_id: str
    plan: PlanPin
    terms: Terms
    state: str
    premium_paid: Money
    cover_start: datetime | None = None


class PolicyActivated(Reading, frozen=True, kw_only=True):
    policy_id: str
    cover_start: datetime


class PolicyCancelled(Reading, frozen=True, kw_only=True):
    policy_id: str
    reason: str
    refund: Money
    cancelled_at: datetime


class ClaimReading(Reading, frozen=True, kw_only=True):
    claim_id: str
    policy_id: str


class ClaimFiled(ClaimReading, frozen=True, kw_only=True):
    peril: str
    filed_at: datetime


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    code: str


class ClaimDecided(ClaimReading, frozen=True, kw_only=True):
    decision_id: str
    peril: str
    outcome: str
    is_settled: bool
    payout: Money
    instrument: str
    reasons: tuple[Reason, ...] = ()
    caps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    eligible_on: date | None = None

    def to_answer(self) -> ClaimAnswered:
        return ClaimAnswered(
            peril=self.peril,
            outcome=self.outcome,
            payout=self.payout,
            instrument=self.instrument,
            reasons=tuple(reason.code for reason in self.reasons),
            caps=self.caps,
            notes=self.notes,
            missing=self.missing,
            lines=self.lines,
            eligible_on=self.eligible_on,
        )


class PayoutSent(ClaimReading, frozen=True, kw_only=True):
    payout_id: str
    amount: Money
    instrument: str
    sent_at: datetime


async def on_policy_paid(tx: Tx, events: Sequence[Received[PolicyPaid]]) -> None:
    for received in events:
        paid = received.event
        await usecases.remember_cover(
            tx,
            Cover(
                tenant_id=received.tenant_id,
                policy_id=paid.policy_id,
                plan_sha256=paid.plan.sha256,
                insured_value=paid.terms.insured_value,
                premium=paid.premium_paid,
            ),
        )
        if paid.cover_start is not None and notices.is_in_force(paid.state):
            await _begin_cover(tx, received, paid.policy_id, paid.cover_start)


async def on_policy_activated(tx: Tx, events: Sequence[Received[PolicyActivated]]) -> None:
    for received in events:
        await _begin_cover(tx, received, received.event.policy_id, received.event.cover_start)


async def on_policy_cancelled(tx: Tx, events: Sequence[Received[PolicyCancelled]]) -> None:
    for received in events:
        cancelled = received.event
        letter = CoverCancelled(
            reason=cancelled.reason,
            refund=cancelled.refund,
            cancelled_at=cancelled.cancelled_at,
        )
        await usecases.owe(
            tx,
            Notice(
                tenant_id=received.tenant_id,
                event_id=received.event_id,
                occasion=cancelled.policy_id,
                caused_at=received.at,
                letter=letter,
                policy_id=cancelled.policy_id,
            ),
        )


async def on_claim_filed(tx: Tx, events: Sequence[Received[ClaimFiled]]) -> None:
    for received in events:
        filed = received.event
        letter = ClaimReceived(peril=filed.peril, filed_at=filed.filed_at)
        await usecases.owe(tx, _about_claim(received, letter, occasion=filed.claim_id))


async def on_claim_decided(tx: Tx, events: Sequence[Received[ClaimDecided]]) -> None:
    for received in events:
        decided = received.event
        if notices.is_told(decided.outcome, is_settled=decided.is_settled):
            answer = decided.to_answer()
            notice = _about_claim(received, answer, occasion=decided.decision_id)
            await usecases.answer_claim(tx, notice, answer)


async def on_payout_sent(tx: Tx, events: Sequence[Received[PayoutSent]]) -> None:
    for received in events:
        sent = received.event
        letter = MoneySent(amount=sent.amount, instrument=sent.instrument, sent_at=sent.sent_at)
        await usecases.owe(tx, _about_claim(received, letter, occasion=sent.payout_id))


HANDLERS: Handlers = dict(
    [
        reads(PolicyPaid, on_policy_paid),
        reads(PolicyActivated, on_policy_activated),
        reads(PolicyCancelled, on_policy_cancelled),
        reads(TestClockMoved, on_test_clock_moved),
        reads(ClaimFiled, on_claim_filed),
        reads(ClaimDecided, on_claim_decided),
        reads(PayoutSent, on_payout_sent),
    ]
)


def handlers(_: Running) -> Handlers:
    return HANDLERS


async def _begin_cover(
    tx: Tx,
    received: Received[PolicyPaid] | Received[PolicyActivated],
    policy_id: str,
    cover_start: datetime,
) -> None:
    await usecases.begin_cover(
        tx,
        policy_id,
        tenant_id=received.tenant_id,
        event_id=received.event_id,
        at=received.at,
        cover_start=cover_start,
    )


def _about_claim(
    received: Received[ClaimFiled] | Received[ClaimDecided] | Received[PayoutSent],
    letter: Letter,
    *,
    occasion: str,
) -> Notice:
    return Notice(
        tenant_id=received.tenant_id,
        event_id=received.event_id,
        occasion=occasion,
        caused_at=received.at,
        letter=letter,
        policy_id=received.event.policy_id or None,
        claim_id=received.event.claim_id,
    )
