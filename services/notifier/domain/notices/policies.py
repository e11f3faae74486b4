"""What a customer is told while cover is bought, and when it begins or ends: facts, no words."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from libs.common.money import Money

_IN_FORCE = "ACTIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The notifier's own copy of a policy; `plan_sha256` pins the plan that it keeps for life."""

    tenant_id: str
    policy_id: str
    plan_sha256: str
    insured_value: Money
    premium: Money


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


def is_in_force(state: str) -> bool:
    """Whether a policy that was just paid is covered already; else its activation tells it."""
    return state == _IN_FORCE


def cover_began(cover: Cover, cover_start: datetime) -> CoverBegan:
    return CoverBegan(
        insured_value=cover.insured_value, premium=cover.premium, cover_start=cover_start
    )
