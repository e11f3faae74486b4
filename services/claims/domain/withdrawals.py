"""A claim taken back by its claimant, perhaps for another peril (2.7, JS-12, Q35)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.common.errors import Conflict, Fault, Invalid
from services.claims.domain import filing
from services.claims.domain.filing import Payout

WITHDRAWN = "WITHDRAWN"
# Payouts that are owed and still here.
UNSENT = frozenset({"CREATED", "APPROVED"})
# What follows money that has gone, or has been on its way.
_AFTER_MONEY = frozenset({"PAYING", "PAID", "RECOVERY"})


class ClaimPaid(Conflict):
    code = "claim-paid"
    title = "Money has gone out for the claim"


class SamePeril(Invalid):
    code = "same-peril"
    title = "The claim is of this peril already"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    claim_id: str
    withdrawn_by: str
    withdrawn_at: datetime
    reason: str = ""
    # The claim of another peril that took its place.
    replaced_by: str | None = None


def must_be_withdrawable(claim_id: str, state: str, payouts: Sequence[Payout]) -> None:
    """Until money has gone: ClaimPaid after that, ClaimNotFiled and ClaimNotOpen as always.

    What is denied or closed is left alone: it stands in no other claim's way.
    """
    has_gone = any(p.state not in UNSENT and p.state != "VOID" for p in payouts)
    if has_gone or state in _AFTER_MONEY:
        raise ClaimPaid(f"Claim {claim_id} is {state}, and money has gone out for it.")
    if state != "APPROVED":
        filing.must_be_open(claim_id, state)


def must_differ(claimed: str, wanted: str) -> None:
    """SamePeril where a swap names the peril that is claimed already."""
    if claimed == wanted:
        detail = (
            f"The claim is of {claimed} already: add evidence to it, or name another peril."
        )
        raise SamePeril(detail, faults=[Fault(detail, "#/peril")])
