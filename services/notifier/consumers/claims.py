"""What is told of a claim's course, from its first notice to its last appeal; staff hear of delays."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TypeVar

import msgspec

from libs.common.consumer import Handlers, Received, reads
from libs.common.db import Tx
from libs.common.events import Reading
from libs.common.money import Money
from libs.common.plans.codes import REFER_CODES
from services.notifier import usecases
from services.notifier.domain import notices
from services.notifier.domain.notices import (
    SILENCE,
    TOLD,
    AppealAnswered,
    AppealReceived,
    ApprovalWanted,
    ClaimAnswered,
    ClaimEligible,
    ClaimInReview,
    ClaimLate,
    ClaimReceived,
    ClaimTakenBack,
    ClaimTold,
    Letter,
    Line,
    Notice,
    NoticeClosed,
    PapersStillWanted,
    PapersWanted,
    ParcelInterrupted,
    PromiseBroken,
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
        shape = {SILENCE: ParcelInterrupted, TOLD: ClaimTold}.get(self.cause, ClaimEligible)
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
    lines: tuple[Line, ...] = ()
    rule_ids: tuple[str, ...] = ()
    eligible_on: date | None = None
    appeal_until: date | None = None
    appeal_body: str = ""

    def to_answer(self) -> ClaimAnswered:
        return ClaimAnswered(
            peril=self.peril,
            outcome=self.outcome,
            payout=self.payout,
            instrument=self.instrument,
            reasons=tuple(reason.code for reason in self.reasons),
            caps=self.caps,
            notes=self.notes,
            lines=self.lines,
            rule_ids=self.rule_ids,
            eligible_on=self.eligible_on,
            appeal_until=self.appeal_until,
            appeal_body=self.appeal_body,
        )

    def to_review(self) -> ClaimInReview:
        """What it waits for is said of a referral only: the rest is a proposal."""
        first = next((reason.code for reason in self.reasons), "")
        return ClaimInReview(peril=self.peril, awaits=first if first in REFER_CODES else "")


class ClaimWithdrawn(ClaimReading, frozen=True, kw_only=True):
    peril: str
    withdrawn_at: datetime
    replaced_by: str = ""


class EvidenceRequested(ClaimReading, frozen=True, kw_only=True):
    request_id: str
    missing: tuple[str, ...]
    info_until: date | None = None
    grace_until: date | None = None
    message: str = ""
    may_follow: tuple[str, ...] = ()


class EvidenceReminded(ClaimReading, frozen=True, kw_only=True):
    request_id: str
    missing: tuple[str, ...]
    until: date


class ClaimAppealed(ClaimReading, frozen=True, kw_only=True):
    appeal_id: str
    body: str
    filed_at: datetime
    decide_by: date | None = None


class AppealDecided(ClaimReading, frozen=True, kw_only=True):
    appeal_id: str
    result: str
    payout: Money
    is_final: bool
    file_by: date | None = None
    next_body: str = ""


class ClaimOverdue(ClaimReading, frozen=True, kw_only=True):
    clock: str
    level: str
    due_on: date
    category: str = ""
    is_priority: bool = False


class ApprovalRequested(ClaimReading, frozen=True, kw_only=True):
    about: str
    subject_id: str
    why: str
    asked_by: str
    asked_at: datetime


async def on_claim_notified(tx: Tx, events: Sequence[Received[ClaimNotified]]) -> None:
    for received in events:
        notified = received.event
        letter = notified.to_letter()
        await usecases.owe(tx, about_claim(received, letter, occasion=notified.claim_id))


async def on_claim_notice_closed(tx: Tx, events: Sequence[Received[ClaimNoticeClosed]]) -> None:
    for received in events:
        closed = received.event
        letter = NoticeClosed(
            peril=closed.peril, reason=closed.reason, closed_at=closed.closed_at
        )
        await usecases.owe(tx, about_claim(received, letter, occasion=closed.claim_id))


async def on_claim_filed(tx: Tx, events: Sequence[Received[ClaimFiled]]) -> None:
    for received in events:
        filed = received.event
        letter = ClaimReceived(peril=filed.peril, filed_at=filed.filed_at)
        await usecases.owe(tx, about_claim(received, letter, occasion=filed.claim_id))


async def on_claim_decided(tx: Tx, events: Sequence[Received[ClaimDecided]]) -> None:
    for received in events:
        decided = received.event
        if notices.is_told(decided.outcome, is_settled=decided.is_settled):
            answer = decided.to_answer()
            notice = about_claim(received, answer, occasion=decided.decision_id)
            await usecases.answer_claim(tx, notice, answer)
        elif notices.is_in_review(decided.outcome, is_settled=decided.is_settled):
            # Once a claim, however often it is proposed anew.
            review = about_claim(received, decided.to_review(), occasion=decided.claim_id)
            await usecases.owe(tx, review)


async def on_claim_withdrawn(tx: Tx, events: Sequence[Received[ClaimWithdrawn]]) -> None:
    for received in events:
        withdrawn = received.event
        letter = ClaimTakenBack(
            peril=withdrawn.peril,
            withdrawn_at=withdrawn.withdrawn_at,
            replaced_by=withdrawn.replaced_by,
        )
        await usecases.owe(tx, about_claim(received, letter, occasion=withdrawn.claim_id))


async def on_evidence_requested(tx: Tx, events: Sequence[Received[EvidenceRequested]]) -> None:
    for received in events:
        asked = received.event
        letter = PapersWanted(
            missing=asked.missing,
            info_until=asked.info_until,
            grace_until=asked.grace_until,
            may_follow=asked.may_follow,
            message=asked.message,
        )
        await usecases.owe(tx, about_claim(received, letter, occasion=asked.request_id))


async def on_evidence_reminded(tx: Tx, events: Sequence[Received[EvidenceReminded]]) -> None:
    """Once a last day: that of the papers at once, and that of those that may follow."""
    for received in events:
        reminded = received.event
        letter = PapersStillWanted(missing=reminded.missing, until=reminded.until)
        occasion = notices.occasion_on(reminded.request_id, reminded.until)
        await usecases.owe(tx, about_claim(received, letter, occasion=occasion))


async def on_claim_appealed(tx: Tx, events: Sequence[Received[ClaimAppealed]]) -> None:
    for received in events:
        appealed = received.event
        letter = AppealReceived(
            body=appealed.body, filed_at=appealed.filed_at, decide_by=appealed.decide_by
        )
        await usecases.owe(tx, about_claim(received, letter, occasion=appealed.appeal_id))


async def on_appeal_decided(tx: Tx, events: Sequence[Received[AppealDecided]]) -> None:
    for received in events:
        decided = received.event
        letter = AppealAnswered(
            result=decided.result,
            payout=decided.payout,
            is_final=decided.is_final,
            file_by=decided.file_by,
            next_body=decided.next_body,
        )
        await usecases.owe(tx, about_claim(received, letter, occasion=decided.appeal_id))


async def on_claim_overdue(tx: Tx, events: Sequence[Received[ClaimOverdue]]) -> None:
    """Of a broken promise the staff hear, and the claimant where it was made to them."""
    for received in events:
        overdue = received.event
        if not notices.is_broken(overdue.level):
            continue
        occasion = notices.occasion_on(f"{overdue.claim_id}/{overdue.clock}", overdue.due_on)
        broken = PromiseBroken(
            clock=overdue.clock,
            due_on=overdue.due_on,
            category=overdue.category,
            is_priority=overdue.is_priority,
        )
        await usecases.owe(tx, about_claim(received, broken, occasion=occasion))
        if notices.is_counted_on(overdue.clock):
            late = ClaimLate(clock=overdue.clock, due_on=overdue.due_on)
            await usecases.owe(tx, about_claim(received, late, occasion=occasion))


async def on_approval_requested(tx: Tx, events: Sequence[Received[ApprovalRequested]]) -> None:
    for received in events:
        asked = received.event
        letter = ApprovalWanted(
            about=asked.about,
            subject_id=asked.subject_id,
            why=asked.why,
            asked_by=asked.asked_by,
            asked_at=asked.asked_at,
        )
        occasion = notices.occasion_at(asked.subject_id, asked.asked_at)
        await usecases.owe(tx, about_claim(received, letter, occasion=occasion))


HANDLERS: Handlers = dict(
    [
        reads(ClaimNotified, on_claim_notified),
        reads(ClaimNoticeClosed, on_claim_notice_closed),
        reads(ClaimFiled, on_claim_filed),
        reads(ClaimDecided, on_claim_decided),
        reads(ClaimWithdrawn, on_claim_withdrawn),
        reads(EvidenceRequested, on_evidence_requested),
        reads(EvidenceReminded, on_evidence_reminded),
        reads(ClaimAppealed, on_claim_appealed),
        reads(AppealDecided, on_appeal_decided),
        reads(ClaimOverdue, on_claim_overdue),
        reads(ApprovalRequested, on_approval_requested),
    ]
)


def about_claim(received: Received[C], letter: Letter, *, occasion: str) -> Notice:
    return Notice(
        tenant_id=received.tenant_id,
        event_id=received.event_id,
        occasion=occasion,
        caused_at=received.at,
        letter=letter,
        policy_id=received.event.policy_id or None,
        claim_id=received.event.claim_id,
    )
