"""An appeal as it is shown, by itself and with its claim."""

from datetime import date, datetime

from libs.common.wire import View
from services.claims.domain.appeals import Appeal


class AppealView(View):
    appeal_id: str
    claim_id: str
    tier: int
    body: str
    """Who decides it, by the plan."""
    state: str
    """OPEN; UPHELD: the decision stands; VARIED: a higher award took its place."""
    grounds: str
    filed_by: str
    filed_at: datetime
    file_by: date
    decide_by: date
    """The last local days to file it and to decide it."""
    is_final: bool
    against: str
    """The decision that it is about."""
    decision_id: str | None
    """The decision that took its place, where it was varied."""
    decided_by: str | None
    decided_at: datetime | None
    note: str | None
    """The reason in writing."""
    proposed_by: str | None
    """Who would override a reason, while a second person has to agree to that."""

    @classmethod
    def of(cls, appeal: Appeal) -> "AppealView":
        return cls(
            appeal_id=appeal.appeal_id,
            claim_id=appeal.claim_id,
            tier=appeal.tier,
            body=appeal.body,
            state=appeal.state,
            grounds=appeal.grounds,
            filed_by=appeal.filed_by,
            filed_at=appeal.filed_at,
            file_by=appeal.file_by,
            decide_by=appeal.decide_by,
            is_final=appeal.is_final,
            against=appeal.against,
            decision_id=appeal.decision_id,
            decided_by=appeal.decided_by,
            decided_at=appeal.decided_at,
            note=appeal.note,
            proposed_by=None if appeal.proposal is None else appeal.proposal.verdict.decided_by,
        )
