"""Appeals: which one is taken, who may decide it, what it makes of the award, when all is over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from libs.common.errors import Conflict, Forbidden
from libs.common.money import Money, zero
from libs.common.plans.codes import Outcome
from libs.common.plans.values import Plan
from services.claims.domain.approvals import Override
from services.claims.domain.cases import Findings
from services.claims.domain.decision import Decision
from services.claims.domain.filing import CLOSED, STANDING_STATES, Payout
from services.claims.domain.service_terms import AppealAnswer, appeal

OPEN, UPHELD, VARIED = "OPEN", "UPHELD", "VARIED"

# The plans' word for the tier that any other adjudicator hears; all others are senior.
SECOND_ADJUDICATOR: Final = "second_adjudicator"

# The next tier may be filed in these; a closed claim is answered too, by its window.
APPEALABLE: Final = STANDING_STATES - {"UNDER_APPEAL"}

# What can be over: the decision stands, and nobody waits for an appeal, money or a repayment.
ENDED: Final = frozenset({"PAID", "DENIED"})
_ON_ITS_WAY: Final = frozenset({"CREATED", "APPROVED", "SENT", "FAILED"})


class ClaimNotDecided(Conflict):
    code = "claim-not-decided"
    title = "Only a decision that stands can be appealed"


class AppealOpen(Conflict):
    code = "appeal-open"
    title = "An appeal of the claim is open already"


class AppealLate(Conflict):
    code = "appeal-late"
    title = "The time to appeal is over"


class AppealTierSkipped(Conflict):
    code = "appeal-tier-skipped"
    title = "An earlier tier comes first"


class AppealExhausted(Conflict):
    code = "appeal-exhausted"
    title = "The decision is final"


class AppealIsDecided(Conflict):
    code = "appeal-decided"
    title = "The appeal is decided"


class DecidedBefore(Forbidden):
    code = "decided-before"
    title = "Whoever decided before does not decide the appeal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the deciding person established, their reason in writing, and what they override."""

    findings: Findings
    note: str
    decided_by: str
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A verdict that a second person has to agree to, and the engine's answer to it, as kept."""

    verdict: Verdict
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """One tier's hearing. `against` is the decision appealed, `decision_id` the one in its place."""

    appeal_id: str
    claim_id: str
    tier: int
    body: str
    grounds: str
    filed_by: str
    filed_at: datetime
    file_by: date
    decide_by: date
    is_final: bool
    against: str
    state: str = OPEN
    findings: Findings = field(default_factory=Findings)
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_id: str | None = None
    note: str | None = None
    proposal: Proposed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The next appeal, and the first instant too late for it; `tier` None: there is none."""

    closes_at: datetime
    tier: int | None = None
    body: str = ""
    file_by: date | None = None


def answer(
    plan: Plan,
    heard: Sequence[Appeal],
    *,
    decided_at: datetime,
    filed_at: datetime,
    tier: int | None = None,
) -> AppealAnswer:
    """What the plan says to an appeal of `tier`, the next one where it is None.

    Its time runs from the decision, or from that of the tier before, whichever came last.
    """
    done = [one for one in heard if one.state != OPEN]
    times = [decided_at, *(one.decided_at for one in done if one.decided_at is not None)]
    facts: dict[str, object] = {
        "as_of": filed_at,
        "filed_at": filed_at,
        "previous_decided_at": max(times),
        "tiers_exhausted": tuple(one.tier for one in done),
    }
    return appeal(plan, facts if tier is None else {**facts, "tier": tier})


def window(plan: Plan, heard: Sequence[Appeal], *, decided_at: datetime) -> Window:
    """Until when what was decided then may be appealed."""
    following = answer(plan, heard, decided_at=decided_at, filed_at=decided_at)
    if following.closes_at is None:
        return Window(closes_at=decided_at)
    return Window(
        tier=following.tier,
        body=following.body,
        file_by=following.file_by,
        closes_at=following.closes_at,
    )


def must_be_decided(claim_id: str, state: str, *, is_filed: bool) -> None:
    """ClaimNotDecided for what is open, withdrawn, or a first notice, closed or not."""
    if not is_filed or state not in STANDING_STATES | {CLOSED}:
        raise ClaimNotDecided(f"Claim {claim_id} is {state}: no decision of it stands.")


def must_have_none_open(heard: Iterable[Appeal]) -> None:
    """AppealOpen while one is to be decided."""
    for one in heard:
        if one.state == OPEN:
            raise AppealOpen(
                f"Appeal {one.appeal_id} of tier {one.tier} is to be decided until "
                f"{one.decide_by}; wait for its decision.",
                appeal_id=one.appeal_id,
            )


def must_be_taken(asked: AppealAnswer, following: AppealAnswer) -> None:
    """The refusal that says why not; `following` answers the tier that comes next."""
    if asked.accepted:
        return
    if asked.reason == "APPEAL_LATE":
        raise AppealLate(
            f"Tier {asked.tier} was to be filed until {asked.file_by}.",
            reason=asked.reason,
            file_by=str(asked.file_by),
        )
    if asked.reason == "APPEAL_TIER_SKIPPED":
        raise AppealTierSkipped(
            f"Tier {asked.tier} is not reached yet: tier {following.tier} comes next.",
            reason=asked.reason,
            next_tier=following.tier,
        )
    raise AppealExhausted(
        "No tier is left to appeal to."
        if following.reason == asked.reason
        else f"There is no tier {asked.tier} to appeal to; tier {following.tier} comes next.",
        reason=asked.reason,
    )


def must_be_open(asked: Appeal) -> None:
    """AppealIsDecided for one that is."""
    if asked.state != OPEN:
        raise AppealIsDecided(f"Appeal {asked.appeal_id} is {asked.state}.")


def must_be_heard(claim_id: str, state: str) -> None:
    """ClaimNotDecided where a fresh look at the policy opened the claim again meanwhile."""
    if state != "UNDER_APPEAL":
        raise ClaimNotDecided(f"Claim {claim_id} is {state}: decide the claim itself first.")


def must_be_new(decider: str, earlier: frozenset[str]) -> None:
    """DecidedBefore for who had a hand in a decision of the claim (2.7)."""
    if decider in earlier:
        raise DecidedBefore(f"{decider} has decided on this claim; another person has to.")


def award(outcome: str, payout: Money) -> Money:
    """What a decision gives in all: nothing but where it approves."""
    return payout if outcome == Outcome.APPROVED.value else zero(payout.currency)


def varies(stands: Money, anew: Decision) -> bool:
    """Whether the appeal is won: only where more is approved, so that it never lowers (BM-27)."""
    return award(anew.outcome.value, anew.payout) > stands


def still_pays(awarded: Money, anew: Decision, *, is_appealed: bool) -> bool:
    """Whether a payout goes out on a fresh look at its claim.

    What an appeal may add to it is the appeal's to decide; a smaller award never went out.
    """
    if anew.outcome is not Outcome.APPROVED:
        return False
    return anew.payout >= awarded if is_appealed else anew.payout == awarded


def is_open(known: Iterable[Appeal]) -> bool:
    return any(one.state == OPEN for one in known)


def is_over(state: str, last: Window, payouts: Iterable[Payout], now: datetime) -> bool:
    """Whether nothing more can come of the claim: no appeal, no money on its way."""
    is_paid_out = all(payout.state not in _ON_ITS_WAY for payout in payouts)
    return state in ENDED and is_paid_out and now >= last.closes_at
