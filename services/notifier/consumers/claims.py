"""What is told of a claim, from its first notice to its money."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TypeVar

import msgspec

from libs.common.consumer import Handlers, Received, reads
from libs.common.db import Tx
from libs.common.events import Reading
from libs.common.money import Money
from services.notifier import usecases
from services.notifier.domain import notices
from services.notifier.domain.notices import (
    SILENCE,
    ClaimAnswered,
    ClaimEligible,
    ClaimReceived,
    Letter,
    Line,
    MoneySent,
    Notice,
    NoticeClosed,
    ParcelInterrupted,
)


class ClaimReading(Reading, frozen=True, kw_only=True):
    claim_id: str
    policy_id: str


C = TypeVar("C", bound=ClaimReading)


class ClaimNotified(ClaimReading, frozen=True, kw_only=True):
    peril: str
    cause: str
    seen_at: datetime
    notified_at: datetime
    eligible_on: date | None = None
    closes_at: datetime | None = None
    missing: tuple[str, ...] = ()

    def to_letter(self) -> ClaimEligible:
        shape = ParcelInterrupted if self.cause == SILENCE else ClaimEligible
        return shape(
            peril=self.peril,
            cause=self.cause,
            seen_at=self.seen_at,
            notified_at=self.notified_at,
            eligible_on=self.eligible_on,
            closes_at=self.closes_at,
            missing=self.missing,
        )


class ClaimNoticeClosed(ClaimReading, frozen=True, kw_only=True):
    peril: str
    reason: str
    closed_at: datetime


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


async def on_claim_notified(tx: Tx, events: Sequence[Received[ClaimNotified]]) -> None:
    for received in events:
        notified = received.event
        letter = notified.to_letter()
        await usecases.owe(tx, _about_claim(received, letter, occasion=notified.claim_id))


async def on_claim_notice_closed(tx: Tx, events: Sequence[Received[ClaimNoticeClosed]]) -> None:
    for received in events:
        closed = received.event
        letter = NoticeClosed(
            peril=closed.peril, reason=closed.reason, closed_at=closed.closed_at
        )
        await usecases.owe(tx, _about_claim(received, letter, occasion=closed.claim_id))


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
        reads(ClaimNotified, on_claim_notified),
        reads(ClaimNoticeClosed, on_claim_notice_closed),
        reads(ClaimFiled, on_claim_filed),
        reads(ClaimDecided, on_claim_decided),
        reads(PayoutSent, on_payout_sent),
    ]
)


def _about_claim(received: Received[C], letter: Letter, *, occasion: str) -> Notice:
    return Notice(
        tenant_id=received.tenant_id,
        event_id=received.event_id,
        occasion=occasion,
        caused_at=received.at,
        letter=letter,
        policy_id=received.event.policy_id or None,
        claim_id=received.event.claim_id,
    )
