"""Two people for one thing: reasons overridden, large approvals, large payouts (G-13, Q44)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from libs.common.money import Money
from libs.common.plans.codes import Outcome
from services.claims.domain.decision import Decision

DECISION, PAYOUT, APPEAL = "decision", "payout", "appeal"

# Who may answer: an adjudicator, somebody who answers for money, or a manager.
ADJUDICATOR, CASHIER, MANAGER = "claims:decide", "payouts:approve", "claims:manage"


class NotOverridable(Invalid):
    code = "not-overridable"
    title = "Only a discretionary reason of the proposal can be overridden"


class NothingToSettle(Invalid):
    code = "override-without-decision"
    title = "An override is part of a decision"


class ProposalChanged(Conflict):
    code = "proposal-changed"
    title = "The claim has another proposal by now"


class SamePerson(Forbidden):
    code = "same-person"
    title = "Somebody else has to agree"


class AlreadyAnswered(Conflict):
    code = "approval-answered"
    title = "The approval is answered, or no longer asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A discretionary reason that somebody does not want to hold, and why."""

    code: str
    why: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a second person has to be asked, and which scope lets them agree."""

    why: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Asked for once a subject at a time. VOID: it is not needed any more, `void_why` says why."""

    approval_id: str
    claim_id: str
    about: str
    subject_id: str
    why: str
    scope: str
    asked_by: str
    asked_at: datetime
    state: str = "OPEN"
    answered_by: str | None = None
    answered_at: datetime | None = None
    note: str = ""
    void_why: str = ""


def second_person(
    decision: Decision, asked: Sequence[Override], authority: Money | None
) -> Wanted | None:
    """Who else has to agree before a person's decision stands; None: nobody.

    Overriding takes another adjudicator (Q44); an approval that pays more than the person's
    `authority` (None: it has no limit) takes a manager.
    """
    whys = [f"{override.code}: {override.why}" for override in asked]
    is_above = (
        authority is not None
        and decision.outcome is Outcome.APPROVED
        and decision.payout > authority
    )
    if is_above:
        whys.append(f"It pays {decision.payout}, more than an adjudicator's {authority}.")
    if not whys:
        return None
    return Wanted(why="\n".join(whys), scope=MANAGER if is_above else ADJUDICATOR)


def second_hearer(asked: Sequence[Override], *, is_senior: bool) -> Wanted:
    """Who has to agree to what an appeal's decider overrides: a manager where the tier is senior."""
    whys = [f"{override.code}: {override.why}" for override in asked]
    return Wanted(why="\n".join(whys), scope=MANAGER if is_senior else ADJUDICATOR)


def must_be_overridable(codes: Sequence[str], decision: Decision) -> None:
    """NotOverridable unless each code is of a discretionary reason, set aside in the decision."""
    overridden = {reason.code for reason in decision.overridden}
    wrong = [code for code in codes if code not in overridden]
    if not wrong:
        return
    could = sorted(overridden | {reason.code for reason in decision.discretionary})
    detail = f"{', '.join(wrong)}: only {', '.join(could) or 'nothing'} could be overridden."
    raise NotOverridable(detail, faults=[Fault(detail, "#/overrides")], overridable=could)


def must_settle(overrides: Sequence[Override]) -> None:
    """NothingToSettle for overrides where a person only records what they found."""
    if overrides:
        detail = "Leave `settles` out, or true: an override is decided on, not recorded."
        raise NothingToSettle(detail, faults=[Fault(detail, "#/settles")])


def must_be_latest(decision_id: str | None, latest_id: str) -> None:
    """ProposalChanged where a person looked at another proposal than the latest."""
    if decision_id not in (None, latest_id):
        raise ProposalChanged(
            f"You decided on {decision_id}; the latest is {latest_id}. Look at it first.",
            decision_id=latest_id,
        )


def is_news(approval: Approval, *, is_granted: bool, by: str) -> bool:
    """Whether the answer is the first: the same person's same answer again changes nothing."""
    if approval.asked_by == by:
        raise SamePerson(f"{by} asked for it; somebody else with {approval.scope} answers.")
    if approval.state == "OPEN":
        return True
    # One that proved void when it was granted was answered too.
    was_granted = approval.state in ("GRANTED", "VOID")
    if (approval.answered_by, was_granted) != (by, is_granted):
        raise AlreadyAnswered(
            f"Approval {approval.approval_id} is {approval.state}{_why_void(approval)}."
        )
    return False


def _why_void(approval: Approval) -> str:
    return f" ({approval.void_why})" if approval.void_why else ""
