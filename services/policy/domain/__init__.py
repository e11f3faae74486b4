"""What a plan means for a policy: its premium, its cover, its refunds."""

from services.policy.domain.terms import (
    Refund,
    TopUp,
    Undeliverable,
    effective,
    refund,
    top_up,
    undeliverable,
)

__all__ = [
    "Refund",
    "TopUp",
    "Undeliverable",
    "effective",
    "refund",
    "top_up",
    "undeliverable",
]
