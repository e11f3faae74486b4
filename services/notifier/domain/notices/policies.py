"""What a customer is told while cover is bought, and when it begins or ends: facts, no words."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from libs.common.money import Money

_IN_FORCE = "ACTIVE"
# A premium is no longer asked for: what is paid then goes back.
_ENDED = frozenset({"CANCELLED", "INVALID", "VOID", "LAPSED", "EXPIRED"})
# The other refunds follow from an end of the policy, and its own letter says them.
_TOLD_REFUNDS = frozenset(
    {"OVERPAID", "DUPLICATE_CHARGE", "LATE", "POLICY_ENDED", "NOT_CONFIRMED"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The notifier's own copy of a policy; `plan_sha256` pins the plan that it keeps for life.

    `premium` is what was paid, None until that is all of it.
    """

    tenant_id: str
    policy_id: str
    plan_sha256: str
    insured_value: Money
    premium: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PapersAsked:
    """The proof of purchase does not show what is `missing`. No `lapses_at`: no clock runs."""

    template: ClassVar[str] = "quote.info_required"

    missing: tuple[str, ...]
    lapses_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpAsked:
    """The amount is confirmed. Without `lapses_at` no deposit was paid and no clock runs."""

    template: ClassVar[str] = "topup.requested"

    premium: Money
    due: Money
    lapses_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpStillDue:
    template: ClassVar[str] = "topup.warning"

    due: Money
    lapses_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpLapsed:
    template: ClassVar[str] = "topup.lapsed"

    refund: Money
    lapsed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverBegan:
    template: ClassVar[str] = "policy.active"

    insured_value: Money
    premium: Money
    cover_start: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverCancelled:
    template: ClassVar[str] = "policy.cancelled"

    reason: str
    refund: Money
    cancelled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverInvalidated:
    """No cover ever began."""

    template: ClassVar[str] = "policy.invalid"

    cause: str
    refund: Money
    invalidated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverVoided:
    template: ClassVar[str] = "policy.void"

    cause: str
    voided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPromised:
    template: ClassVar[str] = "refund.requested"

    amount: Money
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PremiumTakenBack:
    """A payment went back to the payer; `due` is what is missing from the premium since."""

    template: ClassVar[str] = "premium.reversed"

    amount: Money
    due: Money
    reason: str
    state: str
    reversed_at: datetime

    @property
    def is_payable(self) -> bool:
        """Whether it is asked for again."""
        return self.due.amount_minor > 0 and self.state not in _ENDED


def is_in_force(state: str) -> bool:
    """Whether a policy that was just paid is covered already; else its activation tells it."""
    return state == _IN_FORCE


def is_refund_told(reason: str) -> bool:
    """Whether a refund has a letter of its own."""
    return reason in _TOLD_REFUNDS


def cover_began(cover: Cover, cover_start: datetime) -> CoverBegan:
    assert cover.premium is not None
    return CoverBegan(
        insured_value=cover.insured_value, premium=cover.premium, cover_start=cover_start
    )
