"""A file of parcels: taken in, worked a few hundred rows at a time, each row answered by itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from libs.common import ledger, outbox
from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadline, set_deadline, set_deadlines
from libs.common.errors import NotHereYet, Refusal, Unavailable
from libs.common.events import Announcement
from libs.common.plans.book import PlanBook
from services.policy import store
from services.policy.domain import batches, payments
from services.policy.domain.batches import (
    AmountNotConfirmed,
    Answer,
    Batch,
    Refused,
    Result,
    Row,
    Uploaded,
)
from services.policy.domain.columns import in_csv
from services.policy.domain.policies import Offer, Policy
from services.policy.events import BatchFinished, PolicyEvent
from services.policy.store import Contact, Payment, QuoteAlreadyBound
from services.policy.usecases.cover import cover_awaited, cover_began
from services.policy.usecases.notices import work_waiting
from services.policy.usecases.payments import (
    RecordPayment,
    payment_of,
    payment_received,
    policy_paid,
    premium_awaited,
    premium_received,
)
from services.policy.usecases.policies import (
    BindPolicy,
    bound,
    parcel_insured,
    policy_issued,
)
from services.policy.usecases.stories import story_awaited

WORK = "work_batch"

# What one transaction books. Each row of them is a quote in the one call before it.
ROWS_AT_ONCE = 250
BYTES_AT_ONCE = 4 * 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRows:
    """Rows of a batch in their order, and by line the offer of each that was not booked before.

    They are those that follow the line `behind`, with none between.
    """

    tenant_id: str
    batch_id: str
    behind: int
    rows: Sequence[Row]
    offers: Mapping[int, Offer | Refused]
    needs_consent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is to be worked next; `booked` are those of its references that have a policy already."""

    behind: int
    rows: Sequence[Row]
    booked: Mapping[str, str]


async def upload_batch(
    tx: Tx, batch: Batch, rows: Iterable[Sequence[Uploaded]], *, now: datetime
) -> Batch:
    """Keep the batch with its rows; nothing is decided yet. `batch` has been counted already."""
    begun = batches.finished(batch, batch.started_at)
    await store.insert_batch(tx, begun)
    for some in rows:
        await store.insert_rows(tx, batch.batch_id, some, tenant_id=batch.tenant_id)
    await _go_on(tx, begun, now=now)
    return begun


async def find_waiting_rows(
    tx: Tx, batch_id: str, *, tenant_id: str, behind: int = 0
) -> Waiting:
    """The next rows that nobody has worked, those `behind` a line; none where the batch is over."""
    batch = await store.get_batch(tx, batch_id, tenant_id=tenant_id)
    if not batch.is_running:
        await cancel_deadline(tx, tenant_id, WORK, batch_id)
        return Waiting(behind=behind, rows=(), booked={})
    behind = max(behind, batch.worked_to)
    rows = await store.list_waiting_rows(
        tx,
        batch,
        behind=behind,
        limit=ROWS_AT_ONCE,
        max_bytes=BYTES_AT_ONCE,
    )
    booked = await store.find_bookings(tx, [row.reference for row in rows], tenant_id=tenant_id)
    return Waiting(behind=behind, rows=rows, booked=booked)


async def work_rows(
    tx: Tx, plans: PlanBook, command: WorkRows, *, now: datetime, at: datetime
) -> None:
    """Book the rows that can be had, refuse the others, and go on with the next ones later.

    `at` is real time, which a batch's pace is told in. Where another has worked them meanwhile, or
    some of them, or has stopped the batch, nothing is done.
    """
    tenant_id, rows = command.tenant_id, command.rows
    batch = await store.lock_batch(tx, command.batch_id, tenant_id=tenant_id)
    if not batch.is_running or batch.worked_to != command.behind:
        return
    references = [row.reference for row in rows]
    desk = _Desk(
        plans=plans,
        command=command,
        now=now,
        is_csv=batch.form == "csv",
        booked=await store.lock_bookings(tx, references, tenant_id=tenant_id),
        held=await store.hold_parcels(
            tx, [row.parcel for row in rows if row.asked.tracking_number], tenant_id=tenant_id
        ),
    )
    answers = [desk.answer(row) for row in rows]
    await _save(tx, desk.bookings, tenant_id=tenant_id, now=now)
    await store.read_again_for_parcels(
        tx, [row.asked.tracking_number for row in rows], tenant_id=tenant_id
    )
    await work_waiting(
        tx,
        plans,
        [b.payment.reference for b in desk.bookings if b.payment is not None],
        tenant_id=tenant_id,
        now=now,
    )
    new = [answer for answer in answers if answer.result is Result.BOOKED]
    await store.insert_bookings(tx, batch.batch_id, new, tenant_id=tenant_id)
    await store.save_answers(tx, batch.batch_id, answers, tenant_id=tenant_id)
    worked = batches.after(batch, answers, at)
    await store.save_batch(tx, worked)
    await _go_on(tx, worked, now=now)


async def cancel_batch(
    tx: Tx, batch_id: str, *, tenant_id: str, now: datetime, at: datetime
) -> Batch:
    """Rows that wait are not worked any more; what is booked stays booked."""
    batch = await store.lock_batch(tx, batch_id, tenant_id=tenant_id)
    stopped = batches.cancelled(batch, at)
    if stopped == batch:
        return batch
    await store.cancel_rows(tx, stopped)
    await store.save_batch(tx, stopped)
    await _go_on(tx, stopped, now=now)
    return stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class _Booking:
    """A row that becomes a policy; `before` its premium came in, where it did."""

    before: Policy
    policy: Policy
    contact: Contact
    payment: Payment | None

    def said(self) -> list[PolicyEvent]:
        """As if it had been bound and paid by two calls."""
        events: list[PolicyEvent] = [policy_issued(self.before)]
        if self.payment is not None:
            events.append(payment_received(self.policy, self.payment))
        if self.policy.paid_at is not None:
            events.append(policy_paid(self.policy))
        began = cover_began(self.before, self.policy)
        return events if began is None else [*events, began]


@dataclass(slots=True, kw_only=True)
class _Desk:
    """Answers the rows one after the other: what one of them takes the next cannot have."""

    plans: PlanBook
    command: WorkRows
    now: datetime
    is_csv: bool
    # By reference, and by parcel, the policies that have it.
    booked: dict[str, str]
    held: dict[tuple[str, str], str]
    # By number alone, those booked here.
    numbers: dict[str, str] = field(default_factory=dict)
    bookings: list[_Booking] = field(default_factory=list)

    def answer(self, row: Row) -> Answer:
        if (policy_id := self.booked.get(row.reference)) is not None:
            return Answer(
                line=row.line,
                reference=row.reference,
                result=Result.REPEATED,
                policy_id=policy_id,
            )
        offer = self.command.offers[row.line]
        if isinstance(offer, Refused):
            pointer = in_csv(offer.pointer) if self.is_csv else offer.pointer
            return _refused(row, replace(offer, pointer=pointer))
        try:
            booking = self._book(row, offer)
        except (NotHereYet, Unavailable):
            raise
        except Refusal as refusal:
            why = Refused(code=refusal.code, detail=refusal.detail, quote_id=offer.quote_id)
            return _refused(row, why)
        self._take(row, booking)
        return _booked(row, booking.policy)

    def _book(self, row: Row, offer: Offer) -> _Booking:
        asked = row.asked
        contact = Contact(email=asked.email, locale=asked.locale)
        command = BindPolicy(
            tenant_id=self.command.tenant_id,
            offer=offer,
            contact=contact,
            carrier=asked.carrier,
            tracking_number=asked.tracking_number,
            needs_consent=self.command.needs_consent,
        )
        policy = bound(command, now=self.now)
        if (holder := self._holder(row)) is not None:
            raise parcel_insured(policy, holder)
        if not asked.payment_reference:
            return _Booking(before=policy, policy=policy, contact=contact, payment=None)
        paid, payment = self._paid(policy, asked.payment_reference)
        return _Booking(before=policy, policy=paid, contact=contact, payment=payment)

    def _paid(self, policy: Policy, reference: str) -> tuple[Policy, Payment]:
        """The premium paid whole, as the shop says it was."""
        if policy.confirmed_at is None:
            raise AmountNotConfirmed(
                "A person must see the papers first. Leave payment_reference out, and report the "
                "payment once the amount is confirmed."
            )
        command = RecordPayment(
            tenant_id=policy.tenant_id,
            policy_id=policy.policy_id,
            reference=reference,
            amount=policy.terms.premium,
        )
        plan = self.plans.pinned(policy.plan.sha256)
        receipt = payments.receive(policy, plan, command.amount, self.now)
        payment = payment_of(command, receipt, paid_at=self.now, now=self.now)
        return receipt.policy, payment

    def _holder(self, row: Row) -> str | None:
        """Who insures the parcel; a number whose carrier is not said may be any carrier's."""
        carrier, number = row.parcel
        found = self.held.get(row.parcel) or self.held.get(("", number))
        return found if carrier or found else self.numbers.get(number)

    def _take(self, row: Row, booking: _Booking) -> None:
        self.bookings.append(booking)
        self.booked[row.reference] = booking.policy.policy_id
        if row.asked.tracking_number:
            self.held[row.parcel] = booking.policy.policy_id
            self.numbers[row.asked.tracking_number] = booking.policy.policy_id


def _booked(row: Row, policy: Policy) -> Answer:
    return Answer(
        line=row.line,
        reference=row.reference,
        result=Result.BOOKED,
        policy_id=policy.policy_id,
        quote_id=policy.quote_id,
        premium=policy.terms.premium,
        state=policy.state,
        is_paid=policy.paid_at is not None,
    )


def _refused(row: Row, why: Refused) -> Answer:
    return Answer(
        line=row.line,
        reference=row.reference,
        result=Result.REFUSED,
        quote_id=why.quote_id,
        refused=why,
    )


async def _save(tx: Tx, bookings: Sequence[_Booking], *, tenant_id: str, now: datetime) -> None:
    if not bookings:
        return
    new = await store.insert_policies(
        tx, [(b.policy, b.contact) for b in bookings], tenant_id=tenant_id
    )
    for booking in bookings:
        if booking.policy.policy_id not in new:
            raise QuoteAlreadyBound(f"Quote {booking.policy.quote_id} has a policy already.")
    paid = [(b.before, b.payment) for b in bookings if b.payment is not None]
    await store.insert_payments(tx, [payment for _, payment in paid], tenant_id=tenant_id)
    received = [premium_received(policy, payment) for policy, payment in paid]
    await ledger.book(tx, tenant_id, received, now=now)
    awaited = [cover_awaited(b.before, b.policy) for b in bookings]
    premiums = [deadline for b in bookings for deadline in premium_awaited(b.policy)]
    stories = [deadline for b in bookings for deadline in story_awaited(b.policy)]
    await set_deadlines(tx, [*(d for d in awaited if d is not None), *premiums, *stories])
    said = [
        Announcement(tenant_id=tenant_id, key=b.policy.policy_id, event=event)
        for b in bookings
        for event in b.said()
    ]
    await outbox.append(tx, *said, now=now)


async def _go_on(tx: Tx, batch: Batch, *, now: datetime) -> None:
    """The next rows are due at once, behind what is due already; or it is said that it is over."""
    if batch.is_running:
        next_ = Deadline(
            tenant_id=batch.tenant_id, kind=WORK, subject=batch.batch_id, due_at=now
        )
        await set_deadline(tx, next_)
        return
    await cancel_deadline(tx, batch.tenant_id, WORK, batch.batch_id)
    finished = BatchFinished(
        batch_id=batch.batch_id,
        state=batch.state,
        rows=batch.rows,
        booked=batch.booked,
        repeated=batch.repeated,
        refused=batch.refused,
        finished_at=now,
    )
    announcement = Announcement(tenant_id=batch.tenant_id, key=batch.batch_id, event=finished)
    await outbox.append(tx, announcement, now=now)


def halves(command: WorkRows) -> tuple[WorkRows, WorkRows]:
    middle = len(command.rows) // 2
    left, right = command.rows[:middle], command.rows[middle:]
    return replace(command, rows=left), replace(command, rows=right, behind=left[-1].line)


def refusing(command: WorkRows, why: Refused) -> WorkRows:
    """The command for a row alone, which is refused."""
    [row] = command.rows
    return replace(command, offers={row.line: why})
