"""Many parcels at once: what a row of the file asks, what became of it, and how far the batch is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from libs.common.errors import Conflict, Invalid
from libs.common.money import Money

# A second one before its first second is over.
_MOMENT = timedelta(milliseconds=1)


class Result(StrEnum):
    """What became of a row; CANCELLED: its batch was stopped before."""

    WAITING = "waiting"
    BOOKED = "booked"
    REPEATED = "repeated"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class BatchOver(Conflict):
    code = "batch-over"
    title = "The batch is worked already"


class AmountNotConfirmed(Conflict):
    code = "amount-not-confirmed"
    title = "The premium is not known yet, so it cannot have been paid"


class PaymentNotAllowed(Invalid):
    code = "payment-not-allowed"
    title = "The caller may not report payments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why a row is not booked. `pointer` leads into the row, as its form has it."""

    code: str
    detail: str
    pointer: str = ""
    quote_id: str = ""
    # Why each plan declined, as the quote has it.
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`quote` is the JSON that the quote service takes, as it was sent."""

    quote: msgspec.Raw
    carrier: str = ""
    tracking_number: str = ""
    email: str | None = None
    locale: str = "en"
    # Under which the shop says the premium was paid whole.
    payment_reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A row as it came: what it asks, or why it cannot be read."""

    line: int
    reference: str
    asked: Asked | None = None
    refused: Refused | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row that waits to be worked; `reference` is the seller's own, and is booked once."""

    line: int
    reference: str
    asked: Asked

    @property
    def parcel(self) -> tuple[str, str]:
        return self.asked.carrier, self.asked.tracking_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a row. `premium` and `state` are the policy's when it was booked."""

    line: int
    reference: str
    result: Result
    policy_id: str = ""
    quote_id: str = ""
    premium: Money | None = None
    state: str = ""
    is_paid: bool = False
    refused: Refused | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`premium` and `paid` are minor units by currency; all times are real."""

    batch_id: str
    tenant_id: str
    name: str
    form: str
    uploaded_by: str
    rows: int
    unreadable: int
    started_at: datetime
    state: str = "RUNNING"
    booked: int = 0
    repeated: int = 0
    refused: int = 0
    premium: Mapping[str, int] = field(default_factory=dict)
    paid: Mapping[str, int] = field(default_factory=dict)
    worked_to: int = 0
    worked_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def done(self) -> int:
        return self.booked + self.repeated + self.refused

    @property
    def is_running(self) -> bool:
        return self.state == "RUNNING"

    @property
    def took(self) -> timedelta:
        """What the rows worked so far have taken."""
        return max((self.worked_at or self.started_at) - self.started_at, _MOMENT)

    def estimated_end(self) -> datetime | None:
        """When the last row will be worked at the pace so far; None before the first is."""
        worked = self.done - self.unreadable
        if not self.is_running or self.worked_at is None or worked <= 0:
            return None
        return self.worked_at + self.took * (self.rows - self.done) / worked


def after(batch: Batch, answers: Sequence[Answer], at: datetime) -> Batch:
    """The batch with these rows worked; DONE when they were the last."""
    results = Counter(answer.result for answer in answers)
    worked = replace(
        batch,
        booked=batch.booked + results[Result.BOOKED],
        repeated=batch.repeated + results[Result.REPEATED],
        refused=batch.refused + results[Result.REFUSED],
        premium=_added(batch.premium, answers),
        paid=_added(batch.paid, [answer for answer in answers if answer.is_paid]),
        worked_to=answers[-1].line,
        worked_at=at,
    )
    return finished(worked, at)


def finished(batch: Batch, at: datetime) -> Batch:
    """DONE where no row waits any more."""
    if batch.done < batch.rows:
        return batch
    return replace(batch, state="DONE", finished_at=at)


def cancelled(batch: Batch, at: datetime) -> Batch:
    """Nothing more of it is worked; BatchOver where nothing is left. Again changes nothing."""
    if batch.state == "DONE":
        raise BatchOver(
            f"All {batch.rows} rows of {batch.batch_id} are worked. Cancel single policies instead."
        )
    return batch if not batch.is_running else replace(batch, state="CANCELLED", finished_at=at)


def _added(totals: Mapping[str, int], answers: Sequence[Answer]) -> dict[str, int]:
    # Plain integers: a file's sum may be more than one amount can be.
    sums = Counter(totals)
    for answer in answers:
        if answer.result is Result.BOOKED and answer.premium is not None:
            sums[answer.premium.currency] += answer.premium.amount_minor
    return dict(sums)
