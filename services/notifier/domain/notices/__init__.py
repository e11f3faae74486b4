"""What a customer is told of which event, and what becomes of a notification that is owed.

    event -> Notice (owed once an occasion) -> attempts -> SENT, SKIPPED or FAILED

Letters hold facts only; the words for them are in `words` and the templates.
"""

from services.notifier.domain.notices.claims import (
    ClaimAnswered,
    ClaimReceived,
    Line,
    MoneySent,
    Step,
    UnknownOutcome,
    is_told,
)
from services.notifier.domain.notices.notifications import (
    BAD_ADDRESS,
    CUSTOMER,
    LETTERS,
    MAIL,
    NO_ADDRESS,
    NO_POLICY,
    UNKNOWN_POLICY,
    Attempt,
    Delayed,
    Delivered,
    Letter,
    Notice,
    Notification,
    Refused,
    State,
    Unreachable,
    settle,
)
from services.notifier.domain.notices.policies import (
    Cover,
    CoverBegan,
    CoverCancelled,
    cover_began,
    is_in_force,
)

__all__ = [
    "BAD_ADDRESS",
    "CUSTOMER",
    "LETTERS",
    "MAIL",
    "NO_ADDRESS",
    "NO_POLICY",
    "UNKNOWN_POLICY",
    "Attempt",
    "ClaimAnswered",
    "ClaimReceived",
    "Cover",
    "CoverBegan",
    "CoverCancelled",
    "Delayed",
    "Delivered",
    "Letter",
    "Line",
    "MoneySent",
    "Notice",
    "Notification",
    "Refused",
    "State",
    "Step",
    "UnknownOutcome",
    "Unreachable",
    "cover_began",
    "is_in_force",
    "is_told",
    "settle",
]
