"""What a customer is told of a claim's money, both ways, and of vouchers: facts, no words."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from libs.common.money import Money

_FAILED = "FAILED"
_ADVANCE = "ADVANCE"
_VOUCHER = "voucher"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneySent:
    template: ClassVar[str] = "payout.sent"

    amount: Money
    instrument: str
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyNotSent:
    """The payment did not go through; it is tried again."""

    template: ClassVar[str] = "payout.failed"

    amount: Money
    failed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceArrived:
    """Paid ahead of the insurer's answer (TK-20)."""

    template: ClassVar[str] = "advance.paid"

    amount: Money
    paid_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherGiven:
    """For one second shipment; what it does not use lapses (CS-29, CS-30). `number` is what the
    customer shows."""

    template: ClassVar[str] = "voucher.issued"

    number: str
    amount: Money
    expires_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherOver:
    template: ClassVar[str] = "voucher.lapsed"

    amount: Money
    lapsed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RepaymentAsked:
    """The customer owes money back; `why` as in RepaymentDue."""

    template: ClassVar[str] = "repayment.due"

    amount: Money
    why: str
    due_at: datetime


def is_sending_told(*, kind: str, instrument: str) -> bool:
    """Whether the sending is a letter: an advance's arrival is one, and a voucher's issue."""
    return kind != _ADVANCE and instrument != _VOUCHER


def is_settlement_told(state: str) -> bool:
    """Only that it failed: who has got the money sees it."""
    return state == _FAILED
