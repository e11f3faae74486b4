"""What a plan means for a claim: decided by pure functions over a plan and facts."""

from services.claims.domain.adjudication import adjudicate
from services.claims.domain.decision import Assessment, Decision, Gap, Line, Reason
from services.claims.domain.eligibility import Eligibility, eligibility, eligibility_of
from services.claims.domain.service_terms import AppealAnswer, SlaTerms, appeal, pay_by, sla
from services.claims.domain.settlement import (
    Advance,
    Redemption,
    Settlement,
    StraightThrough,
    advance,
    found_after_payout,
    redeem_voucher,
    settle_advance,
    straight_through,
)

__all__ = [
    "Advance",
    "AppealAnswer",
    "Assessment",
    "Decision",
    "Eligibility",
    "Gap",
    "Line",
    "Reason",
    "Redemption",
    "Settlement",
    "SlaTerms",
    "StraightThrough",
    "adjudicate",
    "advance",
    "appeal",
    "eligibility",
    "eligibility_of",
    "found_after_payout",
    "pay_by",
    "redeem_voucher",
    "settle_advance",
    "sla",
    "straight_through",
]
