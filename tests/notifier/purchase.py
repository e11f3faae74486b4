"""What the policy service says while cover is bought, as its consumers agreed with it."""

from datetime import datetime
from typing import Any

from libs.common.money import Money
from services.policy import events as policy
from services.policy.events import PolicyEvent
from tests.notifier.builders import NOW, POLICY, myr


class DocumentsRequested(PolicyEvent, frozen=True, kw_only=True):
    missing: tuple[str, ...]
    lapses_at: datetime | None = None


class TopUpWarned(PolicyEvent, frozen=True, kw_only=True):
    due: Money
    lapses_at: datetime


class PolicyInvalidated(PolicyEvent, frozen=True, kw_only=True):
    cause: str
    refund: Money
    invalidated_at: datetime


class PolicyVoided(PolicyEvent, frozen=True, kw_only=True):
    cause: str
    voided_at: datetime


class RefundRequested(PolicyEvent, frozen=True, kw_only=True):
    refund_id: str
    amount: Money
    reason: str
    requested_at: datetime


class PremiumReversed(PolicyEvent, frozen=True, kw_only=True):
    state: str
    amount: Money
    premium_paid: Money
    premium_due: Money
    reason: str
    reversed_at: datetime


def documents_requested(**changes: Any) -> DocumentsRequested:
    values = {
        "policy_id": POLICY,
        "missing": ("product_name", "actual_payment_amount"),
        **changes,
    }
    return DocumentsRequested(**values)


def top_up_requested(**changes: Any) -> policy.TopUpRequested:
    values = {
        "policy_id": POLICY,
        "premium": myr("38"),
        "due": myr("13"),
        "confirmed_at": NOW,
        **changes,
    }
    return policy.TopUpRequested(**values)


def top_up_warned(**changes: Any) -> TopUpWarned:
    values = {"policy_id": POLICY, "due": myr("13"), "lapses_at": NOW, **changes}
    return TopUpWarned(**values)


def policy_lapsed(**changes: Any) -> policy.PolicyLapsed:
    values = {
        "policy_id": POLICY,
        "state": "CANCELLED",
        "refund": myr("25"),
        "lapsed_at": NOW,
        **changes,
    }
    return policy.PolicyLapsed(**values)


def policy_invalidated(**changes: Any) -> PolicyInvalidated:
    values = {
        "policy_id": POLICY,
        "cause": "DOCUMENTS_LAPSED",
        "refund": myr("25"),
        "invalidated_at": NOW,
        **changes,
    }
    return PolicyInvalidated(**values)


def policy_voided(**changes: Any) -> PolicyVoided:
    values = {"policy_id": POLICY, "cause": "address_changed", "voided_at": NOW, **changes}
    return PolicyVoided(**values)


def refund_requested(**changes: Any) -> RefundRequested:
    values = {
        "policy_id": POLICY,
        "refund_id": "rfd_01JQZX7Y5V0000000000000001",
        "amount": myr("1234.56"),
        "reason": "OVERPAID",
        "requested_at": NOW,
        **changes,
    }
    return RefundRequested(**values)


def premium_reversed(**changes: Any) -> PremiumReversed:
    values = {
        "policy_id": POLICY,
        "state": "PENDING",
        "amount": myr("25"),
        "premium_paid": myr("13"),
        "premium_due": myr("25"),
        "reason": "DISPUTE_LOST",
        "reversed_at": NOW,
        **changes,
    }
    return PremiumReversed(**values)
