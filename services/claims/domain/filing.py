"""What a decision makes of a claim: its state, when it is looked at again, what it pays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from libs.common.errors import Conflict, Invalid
from libs.common.money import Money, zero
from libs.common.plans.codes import Outcome
from services.claims.domain.cases import Findings, Statement, Terms
from services.claims.domain.decision import Decision

# While a claim is in one of these, news about its parcel or papers decides it anew.
OPEN_STATES = frozenset({"SUBMITTED", "DEFERRED", "INFO_REQUIRED", "ON_HOLD", "REFERRED"})

# A decision stands, and what becomes of its money moves the claim on. Beyond them: WITHDRAWN, CLOSED.
STANDING_STATES = frozenset(
    {"APPROVED", "DENIED", "PAYING", "PAID", "UNDER_APPEAL", "RECOVERY"}
)

# Nothing more can come of it.
CLOSED = "CLOSED"
# Outcomes that end the deciding once they are settled; with all others it goes on.
FINAL = frozenset({Outcome.APPROVED, Outcome.DENIED})

# A first notice: it waits for its claimant, and nothing decides it.
NOTIFIED = "NOTIFIED"


class UnknownItem(Invalid):
    code = "unknown-item"
    title = "The parcel has no such item"


class ClaimNotOpen(Conflict):
    code = "claim-not-open"
    title = "The claim is decided"


class ClaimNotFiled(Conflict):
    code = "claim-not-filed"
    title = "The claim waits for its claimant"


class PayoutNotSent(Conflict):
    code = "payout-not-sent"
    title = "The payout has not been sent yet"


class PayoutNotFailed(Conflict):
    code = "payout-not-failed"
    title = "Only a failed payout is sent again"


class PayoutSettledOtherwise(Conflict):
    code = "payout-settled-otherwise"
    title = "The payout is settled, and otherwise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """CREATED waits for a second person; APPROVED is to be sent; a VOID one never is.

    `attempt` counts its sendings. ADVANCE goes ahead of the insurer, EXCESS is what the insurer paid
    above it.
    """

    payout_id: str
    claim_id: str
    policy_id: str
    decision_id: str
    amount: Money
    instrument: str
    state: str
    kind: str = "PAYOUT"
    reference: str | None = None
    sent_at: datetime | None = None
    settled_at: datetime | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Of a payout: what later claims on the policy count as paid."""

    goods: Money
    buy_yourself: Money
    shipping: Money
    delay: Money
    other: Money

    @classmethod
    def of(cls, decision: Decision) -> "Parts":
        assessed = decision.assessment
        if decision.outcome is not Outcome.APPROVED or assessed is None:
            nothing = zero(decision.payout.currency)
            return cls(
                goods=nothing,
                buy_yourself=nothing,
                shipping=nothing,
                delay=nothing,
                other=nothing,
            )
        return cls(
            goods=assessed.goods,
            buy_yourself=assessed.buy_yourself,
            shipping=assessed.shipping,
            delay=assessed.delay,
            other=assessed.other,
        )


def state_after(decision: Decision, *, is_settled: bool, is_held: bool = False) -> str:
    """The claim's state; a proposal that needs a person waits in REFERRED.

    `is_held`: a person has asked the claimant for more, and waits for it.
    """
    if is_held and not (is_settled and decision.outcome in FINAL):
        return "INFO_REQUIRED"
    return decision.outcome.value if is_settled else "REFERRED"


def standing(
    outcome: Outcome,
    payouts: Sequence[Payout],
    *,
    is_under_appeal: bool = False,
    owes: bool = False,
    was_closed: bool = False,
) -> str:
    """The state of a claim whose decision stands, by what became of its money (2.7).

    Money that failed is still being paid; an approval that leaves nothing to pay is paid. An open
    appeal goes before: its payouts go on meanwhile. One that `owes` waits for money back, and once
    it has it is closed again, where it was.
    """
    if is_under_appeal:
        return "UNDER_APPEAL"
    if owes:
        return "RECOVERY"
    state = _settled(outcome, payouts)
    return "CLOSED" if was_closed and state in ("PAID", "DENIED") else state


def _settled(outcome: Outcome, payouts: Sequence[Payout]) -> str:
    if outcome is Outcome.DENIED:
        return "DENIED"
    states = {p.state for p in payouts if p.kind != "ADVANCE" and p.state != "VOID"}
    if states & {"SENT", "FAILED"}:
        return "PAYING"
    return "APPROVED" if states & {"CREATED", "APPROVED"} else "PAID"


def look_again_at(decision: Decision) -> datetime | None:
    """The instant the claim is decided again by itself: it opens, or a window for papers closes."""
    if decision.outcome is Outcome.DEFERRED:
        return decision.resume_at
    return decision.lapses_at if decision.outcome is Outcome.INFO_REQUIRED else None


def must_be_open(claim_id: str, state: str) -> None:
    """ClaimNotFiled for a first notice, ClaimNotOpen for what is decided, paid or withdrawn."""
    if state == NOTIFIED:
        raise ClaimNotFiled(
            f"Claim {claim_id} is a first notice: file it with POST /v1/claims first."
        )
    if state not in OPEN_STATES:
        raise ClaimNotOpen(
            f"Claim {claim_id} is {state}; nothing can be added, and nothing decided again."
        )


def must_know(item_ids: tuple[str, ...], terms: Terms) -> None:
    """UnknownItem for an item the policy does not have."""
    known = {item.item_id for item in terms.items}
    for item_id in item_ids:
        if item_id not in known:
            raise UnknownItem(
                f"No item {item_id!r}; the parcel has: {', '.join(sorted(known)) or 'none'}."
            )


class ClaimInOtherCurrency(Invalid):
    code = "wrong-currency"
    title = "An amount is in another currency than the policy"


def must_be_in(currency: str, statement: Statement) -> None:
    """ClaimInOtherCurrency for an amount that is not in the policy's currency."""
    for amount in (statement.claimed_value, statement.carrier_paid, statement.refund_to_buyer):
        if amount is not None and amount.currency != currency:
            raise ClaimInOtherCurrency(f"The policy is in {currency}, not {amount.currency}.")


def merged(known: Findings, found: Findings) -> Findings:
    """What is established now: a new finding replaces the old one, an unset one leaves it."""
    changes = {
        field.name: getattr(found, field.name)
        for field in fields(Findings)
        if getattr(found, field.name) not in (None, (), {})
    }
    return replace(known, **changes)
