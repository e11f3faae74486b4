"""The claims service's routes: translate, open, call, render."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import Field

from libs.common import web
from libs.common.auth import (
    CLAIMS_READ,
    CLAIMS_WRITE,
    PAYOUTS_SETTLE,
    Caller,
    requires,
)
from libs.common.db import Tx
from libs.common.idempotency import key_of
from libs.common.money import Money
from libs.common.plans.codes import CAUSES, PERILS
from libs.common.service import Db, Parts, now_of
from libs.common.wire import (
    Body,
    Code,
    Flag,
    IdOf,
    Instant,
    Matching,
    MoneyIn,
    MoneyView,
    Reference,
    View,
)
from services.claims import store, usecases
from services.claims.domain.cases import Statement
from services.claims.domain.filing import Payout
from services.claims.store import FiledClaim, KeptDecision
from services.claims.usecases import Rules

MAX_ITEMS = 100

router = web.api_router(prefix="/v1")

Peril = Annotated[
    str, Matching("|".join(sorted(PERILS)), f"one of {', '.join(sorted(PERILS))}")
]
Cause = Annotated[
    str, Matching("|".join(sorted(CAUSES)), f"one of {', '.join(sorted(CAUSES))}")
]


class ClaimRequest(Body):
    policy_id: Annotated[str, IdOf("pol")]
    peril: Peril
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


def _money(amount: MoneyIn | None) -> Money | None:
    return None if amount is None else amount.to_money()


class SettlementRequest(Body):
    state: Annotated[str, Matching("CONFIRMED|FAILED", "CONFIRMED or FAILED")]
    reference: Reference
    """The payment system's own reference."""


class DecisionView(View):
    decision_id: str
    number: int
    outcome: str
    is_settled: bool
    """False: a proposal that waits for a person."""
    payout: MoneyView
    instrument: str
    reasons: list[dict[str, Any]]
    """The decisive one first; a discretionary one may be overridden by a person."""
    caps: list[str]
    notes: list[dict[str, Any]]
    missing: list[dict[str, Any]]
    lines: list[dict[str, Any]]
    """The arithmetic, exact and in the plan's currency."""
    eligible_on: date | None
    info_until: date | None
    grace_until: date | None
    rule_ids: list[str]
    plan: str
    plan_version: int
    decided_by: str
    decided_at: datetime

    @classmethod
    def of(cls, kept: KeptDecision) -> "DecisionView":
        decision = kept.decision
        return cls(
            decision_id=kept.decision_id,
            number=kept.number,
            outcome=kept.outcome,
            is_settled=kept.is_settled,
            payout=MoneyView.of(kept.payout),
            instrument=decision["instrument"],
            reasons=decision["reasons"],
            caps=decision["caps"],
            notes=decision["notes"],
            missing=decision["missing"],
            lines=(decision["assessment"] or {}).get("lines", []),
            eligible_on=decision["eligible_on"],
            info_until=decision["info_until"],
            grace_until=decision["grace_until"],
            rule_ids=decision["rule_ids"],
            plan=kept.plan,
            plan_version=kept.plan_version,
            decided_by=kept.decided_by,
            decided_at=kept.decided_at,
        )


class PayoutView(View):
    payout_id: str
    claim_id: str
    amount: MoneyView
    instrument: str
    state: str
    reference: str | None
    sent_at: datetime | None
    settled_at: datetime | None

    @classmethod
    def of(cls, payout: Payout) -> "PayoutView":
        return cls(
            payout_id=payout.payout_id,
            claim_id=payout.claim_id,
            amount=MoneyView.of(payout.amount),
            instrument=payout.instrument,
            state=payout.state,
            reference=payout.reference,
            sent_at=payout.sent_at,
            settled_at=payout.settled_at,
        )


class ClaimView(View):
    claim_id: str
    policy_id: str
    peril: str
    state: str
    notified_at: datetime
    filed_at: datetime
    filed_by: str
    decision: DecisionView
    payouts: list[PayoutView]


@router.post("/claims", status_code=201, response_model=ClaimView)
async def file_claim(
    body: ClaimRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """File a claim; the answer holds its decision. Too early is no error: DEFERRED, with its date."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.FileClaim(
        tenant_id=caller.tenant_id,
        policy_id=body.policy_id,
        statement=body.to_statement(),
        filed_by=caller.subject,
    )
    rules = Rules(plans=parts.plans, tenants=parts.tenants)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        filed = await usecases.file_claim(tx, rules, command, now=now)
        return await key.keep(tx, 201, await _claim_view(tx, filed))


@router.get("/claims/{claim_id}")
async def show_claim(
    claim_id: str, caller: Annotated[Caller, requires(CLAIMS_READ)], db: Db
) -> ClaimView:
    async with db.transaction(caller.tenant_id) as tx:
        filed = await store.get_claim(tx, claim_id, tenant_id=caller.tenant_id)
        return await _claim_view(tx, filed)


@router.post("/payouts/{payout_id}/settlement", response_model=PayoutView)
async def settle_payout(
    payout_id: str,
    body: SettlementRequest,
    request: Request,
    caller: Annotated[Caller, requires(PAYOUTS_SETTLE)],
    db: Db,
) -> Response:
    """The payment system's answer to a payout it was sent. It may come twice."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.SettlePayout(
        tenant_id=caller.tenant_id,
        payout_id=payout_id,
        state=body.state,
        reference=body.reference,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        payout = await usecases.settle_payout(tx, command, now=now)
        return await key.keep(tx, 200, PayoutView.of(payout))


async def _claim_view(tx: Tx, filed: FiledClaim) -> ClaimView:
    decision = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert decision is not None, "a claim is decided when it is filed"
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    return ClaimView(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id,
        peril=filed.claim.statement.peril,
        state=filed.state,
        notified_at=filed.claim.notified_at,
        filed_at=filed.claim.filed_at,
        filed_by=filed.filed_by,
        decision=DecisionView.of(decision),
        payouts=[PayoutView.of(payout) for payout in payouts],
    )
