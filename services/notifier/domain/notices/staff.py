"""What a tenant's staff are told of a claim: facts, no words."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseBroken:
    """The last day of a `clock` has passed; `category` is the plan's, for DECIDE."""

    template: ClassVar[str] = "sla.breached"

    clock: str
    due_on: date
    category: str = ""
    is_priority: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalWanted:
    """A second person has to agree to a decision, a payout or an appeal; `asked_by` is the first."""

    template: ClassVar[str] = "approval.requested"

    about: str
    subject_id: str
    why: str
    asked_by: str
    asked_at: datetime


StaffLetter = PromiseBroken | ApprovalWanted
