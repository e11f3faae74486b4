"""What callers of the claims service send."""

from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from libs.common.money import Money
from libs.common.plans.codes import CAUSES, EVIDENCE, PERILS
from libs.common.wire import (
    Body,
    Code,
    Flag,
    IdOf,
    Instant,
    Matching,
    MoneyIn,
    OneLine,
    Prose,
    Reference,
    TrackingNumber,
    Whole,
)
from services.claims.domain.cases import Findings, Statement

MAX_ITEMS = 100
MAX_OVERRIDES = 10
MAX_ATTEMPT = 1_000
# Characters.
MAX_WHY = 2_000
MAX_MESSAGE = 2_000

Peril = Annotated[
    str, Matching("|".join(sorted(PERILS)), f"one of {', '.join(sorted(PERILS))}")
]
Cause = Annotated[
    str, Matching("|".join(sorted(CAUSES)), f"one of {', '.join(sorted(CAUSES))}")
]
Kind = Annotated[
    str, Matching("|".join(sorted(EVIDENCE)), f"one of {', '.join(sorted(EVIDENCE))}")
]
Grade = Annotated[
    str, Matching(r"0(\.\d{1,4})?|1(\.0{1,4})?", 'a grade from "0" to "1", such as "0.5"')
]
EvidenceIds = Annotated[tuple[Annotated[str, IdOf("evd")], ...], Field(max_length=50)]


class StatementRequest(Body):
    """What happened, in the claimant's words."""

    peril: Peril
    evidence_ids: EvidenceIds = ()
    """Files uploaded for this policy (POST /v1/evidence)."""
    is_whole_parcel: Flag = False
    item_ids: Annotated[tuple[Code, ...], Field(max_length=MAX_ITEMS)] = ()
    """The items concerned, where it is not the whole parcel."""
    claimed_value: MoneyIn | None = None
    causes: Annotated[tuple[Cause, ...], Field(max_length=10)] = ()
    event_at: Instant | None = None
    exception_noted: Flag = False
    """Whether the loss or damage was noted on the delivery receipt."""
    carrier_paid: MoneyIn | None = None
    """What the carrier paid already for the same items."""
    refund_to_buyer: MoneyIn | None = None
    unavailable_evidence: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    """Kinds of evidence that can never be had."""

    def to_statement(self) -> Statement:
        return Statement(
            peril=self.peril,
            is_whole_parcel=self.is_whole_parcel,
            item_ids=self.item_ids,
            claimed_value=_money(self.claimed_value),
            causes=self.causes,
            event_at=self.event_at,
            exception_noted=self.exception_noted,
            carrier_paid=_money(self.carrier_paid),
            refund_to_buyer=_money(self.refund_to_buyer),
            unavailable=self.unavailable_evidence,
        )


class ParcelRequest(Body):
    """Name the policy, or its parcel by tracking number, or its order."""

    policy_id: Annotated[str, IdOf("pol")] | None = None
    tracking_number: TrackingNumber | None = None
    carrier: Annotated[str, OneLine(64)] | None = None
    order_ref: Reference | None = None


class ClaimRequest(ParcelRequest, StatementRequest):
    """Name the policy, or its parcel by tracking number, or its order."""


class NoticeRequest(ParcelRequest):
    """Name the policy, or its parcel by tracking number, or its order."""

    peril: Peril


class WithdrawalRequest(Body):
    reason: Annotated[str, Prose(MAX_WHY)] | None = None


class SwapRequest(StatementRequest):
    """A claim of another peril of the same parcel, in the place of this one."""

    reason: Annotated[str, Prose(MAX_WHY)] | None = None


class SettlementRequest(Body):
    state: Annotated[str, Matching("CONFIRMED|FAILED", "CONFIRMED or FAILED")]
    reference: Reference
    """The payment system's own reference."""
    attempt: Annotated[Whole, Field(ge=1, le=MAX_ATTEMPT)] | None = None
    """The sending that is meant, as PayoutSent has it; else that with this reference, or the latest."""


class EvidenceRequest(Body):
    """Files, or kinds there are none of, or a word to what you were asked; any of them."""

    evidence_ids: EvidenceIds = ()
    unavailable_evidence: Annotated[tuple[Kind, ...], Field(max_length=20)] = ()
    """Kinds of evidence that can never be had."""
    message: Annotated[str, Prose(MAX_MESSAGE)] | None = None
    """For whoever asked. Only while you are asked for something."""


class InformationRequestRequest(Body):
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1, max_length=20)]
    """What the claimant is asked for, beyond what the plan asks for anyway."""
    message: Annotated[str, Prose(MAX_MESSAGE)] | None = None
    """For the claimant: what it has to show."""


class FindingsIn(Body):
    """What was established; what is left out stays as it was."""

    proven_value: MoneyIn | None = None
    refund_to_buyer: MoneyIn | None = None
    insurer_approved: MoneyIn | None = None
    """The amount the insurer approved in the end."""
    insurer_decided: Flag | None = None
    """False while the case lies with the insurer."""
    video_elements: Annotated[tuple[Code, ...], Field(max_length=10)] = ()
    grades: dict[Code, Grade] = {}  # noqa: RUF012 - pydantic copies it
    """How badly each item is damaged, by item id."""
    packing: Code | None = None
    exception_noted: Flag | None = None
    freight_paid: Flag | None = None
    is_misdeclared: Flag | None = None
    """Buy-yourself goods that were not marked as what they are."""
    fraud: Flag | None = None
    """A false declaration or false papers: excluded under every programme (G-15)."""
    loss_confirmed_at: Instant | None = None
    insurer_accepted_at: Instant | None = None
    """When the insurer took the case on."""

    def to_findings(self) -> Findings:
        return Findings(
            proven_value=_money(self.proven_value),
            refund_to_buyer=_money(self.refund_to_buyer),
            insurer_approved=_money(self.insurer_approved),
            insurer_decided=self.insurer_decided,
            video_elements=self.video_elements,
            grades={item_id: Decimal(grade) for item_id, grade in self.grades.items()},
            packing=self.packing,
            exception_noted=self.exception_noted,
            is_freight_paid=self.freight_paid,
            is_misdeclared=self.is_misdeclared,
            is_fraud=self.fraud,
            loss_confirmed_at=self.loss_confirmed_at,
            insurer_accepted_at=self.insurer_accepted_at,
        )


class OverrideIn(Body):
    code: Code
    """Of a discretionary reason or note of the proposal, such as LATE_NOTICE."""
    why: Annotated[str, Prose(MAX_WHY, shortest=10)]
    """The written reason, which is kept with the decision."""


class DecisionRequest(Body):
    findings: FindingsIn = FindingsIn()
    insurer_approved: MoneyIn | None = None
    """Short for `findings.insurer_approved`."""
    settles: Flag = True
    """Whether the engine's answer on these findings stands now; false only records them."""
    overrides: Annotated[tuple[OverrideIn, ...], Field(max_length=MAX_OVERRIDES)] = ()
    """Discretionary reasons that are not to count. A second person has to agree."""
    decision_id: Annotated[str, IdOf("dec")] | None = None
    """The proposal you looked at: if there is a newer one, nothing is decided (409)."""

    def to_findings(self) -> Findings:
        found = self.findings.to_findings()
        if self.insurer_approved is None:
            return found
        return replace(
            found, insurer_approved=self.insurer_approved.to_money(), insurer_decided=True
        )


class AnswerRequest(Body):
    is_granted: Flag
    note: Annotated[str, Prose(MAX_WHY)] | None = None


class RecoveryRequest(Body):
    source: Annotated[str, Matching("carrier|insurer|customer", "carrier, insurer or customer")]
    reference: Reference
    """The payer's own: the same money told twice is one."""
    amount: MoneyIn
    is_fraud: Flag = False
    """The insurer refuses because of fraud or false papers."""
    paid_to: Annotated[str, Matching("customer|operator", "customer or operator")] = "customer"
    """`operator`: the carrier paid you, for what you had paid before."""
    repayment_id: Annotated[str, IdOf("rpy")] | None = None
    """What the customer pays back; for no other source."""

    @model_validator(mode="after")
    def _repays_something(self) -> Self:
        if (self.source == "customer") != (self.repayment_id is not None):
            raise ValueError("Name the repayment_id of a customer's money, and of no other's.")
        if self.paid_to == "operator" and self.source != "carrier":
            raise ValueError("Only a carrier pays either the customer or the operator.")
        return self


class RedemptionRequest(Body):
    second_fee: MoneyIn
    """What the second shipment costs."""
    reference: Reference
    """That shipment's own: the same use told twice is one."""


class FoundRequest(Body):
    found_at: Instant
    note: Annotated[str, Prose(MAX_WHY)]
    goods_returned: Flag = False
    """The customer gives the goods up instead: then nothing is due."""


class FraudRequest(Body):
    why: Annotated[str, Prose(MAX_WHY)]


class WriteOffRequest(Body):
    why: Annotated[str, Prose(MAX_WHY)]


class AdvanceRequest(Body):
    pass


class RetryRequest(Body):
    pass


def _money(amount: MoneyIn | None) -> Money | None:
    return None if amount is None else amount.to_money()
