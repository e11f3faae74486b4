"""The claims service's routes: translate, open, call, render."""

from dataclasses import asdict, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from libs.common import web
from libs.common.auth import (
    CLAIMS_DECIDE,
    CLAIMS_READ,
    CLAIMS_WRITE,
    PAYOUTS_SETTLE,
    Caller,
    requires,
)
from libs.common.db import Database, Tx
from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from libs.common.files import Files, examine
from libs.common.idempotency import key_of
from libs.common.money import Money
from libs.common.plans.codes import CAUSES, EVIDENCE, PERILS, Supplier, supplier
from libs.common.service import Db, Parts, Running, now_of
from libs.common.wire import (
    Body,
    Code,
    Flag,
    IdOf,
    Instant,
    Matching,
    MoneyIn,
    MoneyView,
    OneLine,
    Reference,
    TrackingNumber,
    View,
)
from services.claims import store, usecases
from services.claims.clients import PolicyService
from services.claims.domain import Eligibility, eligibility
from services.claims.domain.cases import Case, Claim, Cover, Findings, Statement
from services.claims.domain.facts_of_claim import facts
from services.claims.domain.filing import Payout
from services.claims.domain.money_back import Recovery
from services.claims.store import Evidence, FiledClaim, KeptDecision, UnknownPolicy
from services.claims.usecases import Rules

MAX_ITEMS = 100

router = web.api_router(prefix="/v1")
# Bodies that are files, not JSON.
raw = APIRouter(prefix="/v1")

Peril = Annotated[
    str, Matching("|".join(sorted(PERILS)), f"one of {', '.join(sorted(PERILS))}")
]
Cause = Annotated[
    str, Matching("|".join(sorted(CAUSES)), f"one of {', '.join(sorted(CAUSES))}")
]


Kind = Annotated[
    str, Matching("|".join(sorted(EVIDENCE)), f"one of {', '.join(sorted(EVIDENCE))}")
]
EvidenceIds = Annotated[tuple[Annotated[str, IdOf("evd")], ...], Field(max_length=50)]


class WhichPolicy(Invalid):
    code = "which-policy"
    title = "The request does not say which parcel"


class SeveralPolicies(Conflict):
    code = "several-policies"
    title = "Several of your policies fit"


class ClaimRequest(Body):
    """Name the policy, or its parcel by tracking number, or its order."""

    policy_id: Annotated[str, IdOf("pol")] | None = None
    tracking_number: TrackingNumber | None = None
    carrier: Annotated[str, OneLine(64)] | None = None
    order_ref: Reference | None = None
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


def _money(amount: MoneyIn | None) -> Money | None:
    return None if amount is None else amount.to_money()


class SettlementRequest(Body):
    state: Annotated[str, Matching("CONFIRMED|FAILED", "CONFIRMED or FAILED")]
    reference: Reference
    """The payment system's own reference."""


class EvidenceRequest(Body):
    evidence_ids: Annotated[EvidenceIds, Field(min_length=1)]


Grade = Annotated[
    str, Matching(r"0(\.\d{1,4})?|1(\.0{1,4})?", 'a grade from "0" to "1", such as "0.5"')
]


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
    loss_confirmed_at: Instant | None = None

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
            loss_confirmed_at=self.loss_confirmed_at,
        )


class DecisionRequest(Body):
    findings: FindingsIn = FindingsIn()
    insurer_approved: MoneyIn | None = None
    """Short for `findings.insurer_approved`."""
    settles: Flag = True
    """Whether the engine's answer on these findings stands now; false only records them."""

    def to_findings(self) -> Findings:
        found = self.findings.to_findings()
        if self.insurer_approved is None:
            return found
        return replace(
            found, insurer_approved=self.insurer_approved.to_money(), insurer_decided=True
        )


class RecoveryRequest(Body):
    source: Annotated[str, Matching("carrier|insurer", "carrier or insurer")]
    reference: Reference
    """The payer's own: the same money told twice is one."""
    amount: MoneyIn
    is_fraud: Flag = False
    """The insurer refuses because of fraud or false papers."""


class AdvanceRequest(Body):
    pass


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
    kind: str
    """PAYOUT, or ADVANCE: paid ahead of the insurer."""
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
            kind=payout.kind,
            amount=MoneyView.of(payout.amount),
            instrument=payout.instrument,
            state=payout.state,
            reference=payout.reference,
            sent_at=payout.sent_at,
            settled_at=payout.settled_at,
        )


class EvidenceView(View):
    evidence_id: str
    policy_id: str
    claim_id: str | None
    kind: str
    name: str
    sha256: str
    size_bytes: int
    media_type: str
    """What the file is by its content."""
    submitted_by: str
    uploaded_at: datetime

    @classmethod
    def of(cls, evidence: Evidence) -> "EvidenceView":
        return cls(**asdict(evidence))


class RecoveryView(View):
    recovery_id: str
    claim_id: str
    source: str
    reference: str
    amount: MoneyView
    recorded_at: datetime

    @classmethod
    def of(cls, recovery: Recovery) -> "RecoveryView":
        return cls(
            recovery_id=recovery.recovery_id,
            claim_id=recovery.claim_id,
            source=recovery.source,
            reference=recovery.reference,
            amount=MoneyView.of(recovery.amount),
            recorded_at=recovery.recorded_at,
        )


class PerilView(View):
    """One peril as if it were claimed now."""

    peril: str
    is_covered: bool
    is_open: bool
    reasons: list[str]
    earliest: date | None
    opens_at: datetime | None
    awaits: str
    """The event that must come first, where it is not a date."""
    latest: date | None
    closes_at: datetime | None
    required: list[str]
    present: list[str]
    missing: list[str]
    supporting: list[str]
    instrument: str

    @classmethod
    def of(cls, peril: Eligibility) -> "PerilView":
        return cls(
            peril=peril.peril,
            is_covered=peril.is_covered,
            is_open=peril.is_open,
            reasons=[str(reason) for reason in peril.reasons],
            earliest=peril.earliest,
            opens_at=peril.opens_at,
            awaits=peril.awaits,
            latest=peril.latest,
            closes_at=peril.closes_at,
            required=list(peril.required),
            present=list(peril.present),
            missing=[str(gap) for gap in peril.missing],
            supporting=list(peril.supporting),
            instrument=peril.instrument,
        )


class EligibilityView(View):
    policy_id: str
    as_of: datetime
    perils: list[PerilView]


class ClaimView(View):
    claim_id: str
    policy_id: str | None
    """Null: no policy of yours has this parcel."""
    peril: str
    state: str
    notified_at: datetime
    filed_at: datetime
    filed_by: str
    decision: DecisionView
    evidence: list[EvidenceView]
    payouts: list[PayoutView]
    recoveries: list[RecoveryView]


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
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.find(tx)) is not None:
            return answer
        known = await _known_policies(tx, body, caller.tenant_id)
    policy_id, fetched = await _which_policy(_policies(parts), body, known, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.FileClaim(
        tenant_id=caller.tenant_id,
        policy_id=policy_id,
        statement=body.to_statement(),
        filed_by=caller.subject,
        evidence_ids=body.evidence_ids,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        if fetched is not None:
            await usecases.remember_fetched(tx, fetched)
        filed = await usecases.file_claim(tx, _rules(parts), command, now=now)
        return await key.keep(tx, 201, await _claim_view(tx, filed))


@router.get("/policies/{policy_id}/claim-eligibility")
async def show_eligibility(
    policy_id: str, caller: Annotated[Caller, requires(CLAIMS_READ)], db: Db, parts: Parts
) -> EligibilityView:
    """For each peril: open now? from when, until when, with which evidence? The decision's own rules."""
    cover = await _cover_of(db, parts, policy_id, caller.tenant_id)
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        claims = await store.list_claims_of_policy(tx, policy_id, tenant_id=caller.tenant_id)
        asked = Claim(
            claim_id="", statement=Statement(peril="LOSS"), notified_at=now, filed_at=now
        )
        probe = FiledClaim(
            claim=asked,
            tenant_id=caller.tenant_id,
            policy_id=policy_id,
            state="SUBMITTED",
            filed_by=caller.subject,
        )
        earlier = await store.list_earlier(tx, probe) if claims else ()
        order = await store.order_position(tx, cover)
    case = Case(cover=cover, claim=asked, earlier=earlier, order=order)
    known = {name: value for name, value in facts(case, now).items() if name != "peril"}
    perils = eligibility(parts.plans.pinned(cover.plan_sha256), known)
    return EligibilityView(
        policy_id=policy_id, as_of=now, perils=[PerilView.of(peril) for peril in perils]
    )


@raw.post("/evidence", status_code=201, response_model=EvidenceView)
async def upload_evidence(
    request: Request,
    policy_id: Annotated[str, Query(description="The policy it is about.")],
    kind: Annotated[Kind, Query(description="What it is.")],
    name: Annotated[str, OneLine(120), Query(description="The file's name, for people.")],
    caller: Annotated[Caller, requires(CLAIMS_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Upload a file: its bytes are the body. It is kept for a week until a claim takes it."""
    submitted_by = _supplier(kind, caller)
    content = await request.body()
    file = examine(content)
    key = await key_of(request, caller.tenant_id)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.find(tx)) is not None:
            return answer
    cover = await _cover_of(db, parts, policy_id, caller.tenant_id)
    # Bytes before row: a row never names a file that is not there.
    await _files(request).keep(caller.tenant_id, file, content)
    now = await now_of(db, caller)
    command = usecases.KeepEvidence(
        tenant_id=caller.tenant_id,
        policy_id=cover.policy_id,
        kind=kind,
        name=name,
        file=file,
        submitted_by=submitted_by,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        evidence = await usecases.keep_evidence(tx, command, now=now)
        return await key.keep(tx, 201, EvidenceView.of(evidence))


@router.post("/claims/{claim_id}/evidence", response_model=ClaimView)
async def add_evidence(
    claim_id: str,
    body: EvidenceRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Give an open claim uploaded files; it is decided on them at once."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.AddEvidence(
        tenant_id=caller.tenant_id, claim_id=claim_id, evidence_ids=body.evidence_ids
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        filed = await usecases.add_evidence(tx, _rules(parts), command, now=now)
        return await key.keep(tx, 200, await _claim_view(tx, filed))


@router.post("/claims/{claim_id}/decision", response_model=ClaimView)
async def decide_claim(
    claim_id: str,
    body: DecisionRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_DECIDE)],
    db: Db,
    parts: Parts,
) -> Response:
    """An adjudicator's findings; the engine answers on them, and the answer stands if `settles`."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.DecideClaim(
        tenant_id=caller.tenant_id,
        claim_id=claim_id,
        findings=body.to_findings(),
        settles=body.settles,
        decided_by=caller.subject,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        filed = await usecases.decide_by_person(tx, _rules(parts), command, now=now)
        return await key.keep(tx, 200, await _claim_view(tx, filed))


@router.post("/claims/{claim_id}/recoveries", status_code=201, response_model=RecoveryView)
async def record_recovery(
    claim_id: str,
    body: RecoveryRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_DECIDE)],
    db: Db,
    parts: Parts,
) -> Response:
    """What the carrier paid for the loss, or the insurer for what was advanced."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.RecordRecovery(
        tenant_id=caller.tenant_id,
        claim_id=claim_id,
        source=body.source,
        reference=body.reference,
        amount=body.amount.to_money(),
        is_fraud=body.is_fraud,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        recovery = await usecases.record_recovery(tx, _rules(parts), command, now=now)
        return await key.keep(tx, 201, RecoveryView.of(recovery))


@router.post("/claims/{claim_id}/advance", response_model=ClaimView)
async def pay_advance(
    claim_id: str,
    body: AdvanceRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_DECIDE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Pay ahead of the insurer what the complete file is assessed at, once."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.PayAdvance(tenant_id=caller.tenant_id, claim_id=claim_id)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        filed = await usecases.pay_advance(tx, _rules(parts), command, now=now)
        return await key.keep(tx, 200, await _claim_view(tx, filed))


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


def _rules(parts: Running) -> Rules:
    return Rules(plans=parts.plans, tenants=parts.tenants)


def _policies(parts: Running) -> PolicyService:
    return PolicyService(parts.http, parts.signer, parts.settings)


def _files(request: Request) -> Files:
    files: Files = request.app.state.files
    return files


def _supplier(kind: str, caller: Caller) -> str:
    """Who brings such a paper; the provider's own are not taken from a claimant."""
    brought_by = supplier(kind)
    if brought_by is not Supplier.CLAIMANT and CLAIMS_DECIDE not in caller.scopes:
        raise Forbidden(
            f"A {kind} comes from the {brought_by.value}: it needs the scope {CLAIMS_DECIDE}.",
            scope=CLAIMS_DECIDE,
        )
    return brought_by.value


async def _cover_of(db: Database, parts: Running, policy_id: str, tenant_id: str) -> Cover:
    """Our copy, or the policy read through where its event has not arrived yet, kept then."""
    async with db.transaction(tenant_id) as tx:
        known = await store.find_cover(tx, policy_id, tenant_id=tenant_id)
    if known is not None:
        return known
    fetched = await _policies(parts).fetch_cover(policy_id, tenant_id=tenant_id)
    if fetched is None:
        raise UnknownPolicy(f"No policy {policy_id} in your account.")
    async with db.transaction(tenant_id) as tx:
        await usecases.remember_fetched(tx, fetched)
    return fetched


async def _known_policies(tx: Tx, body: ClaimRequest, tenant_id: str) -> list[str]:
    """The policies we know that the claim may mean."""
    if body.policy_id is not None:
        cover = await store.find_cover(tx, body.policy_id, tenant_id=tenant_id)
        return [] if cover is None else [cover.policy_id]
    return await store.list_policy_ids(tx, tenant_id=tenant_id, **_wanted(body))


async def _which_policy(
    policies: PolicyService, body: ClaimRequest, known: list[str], tenant_id: str
) -> tuple[str | None, Cover | None]:
    """The policy claimed on, and its copy where it had to be read through; None: not insured."""
    found = known
    if not found and body.policy_id is None:
        found = await policies.find_policy_ids(_wanted(body), tenant_id=tenant_id)
        if not found:
            return None, None
    if len(found) > 1:
        raise SeveralPolicies(
            f"Say which as `policy_id`: {', '.join(found)}.", policy_ids=found
        )
    policy_id = found[0] if found else str(body.policy_id)
    if policy_id in known:
        return policy_id, None
    fetched = await policies.fetch_cover(policy_id, tenant_id=tenant_id)
    if fetched is None:
        raise UnknownPolicy(f"No policy {policy_id} in your account.")
    return policy_id, fetched


def _wanted(body: ClaimRequest) -> dict[str, str]:
    if not body.tracking_number and not body.order_ref:
        detail = "Name the policy_id, or a tracking_number, or an order_ref."
        raise WhichPolicy(detail, faults=[Fault(detail, "#/policy_id")])
    return {
        "carrier": body.carrier or "",
        "tracking_number": body.tracking_number or "",
        "order_ref": body.order_ref or "",
    }


async def _claim_view(tx: Tx, filed: FiledClaim) -> ClaimView:
    decision = await store.find_latest_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert decision is not None, "a claim is decided when it is filed"
    evidence = await store.list_evidence(tx, filed.claim_id, tenant_id=filed.tenant_id)
    payouts = await store.list_payouts(tx, filed.claim_id, tenant_id=filed.tenant_id)
    recoveries = await store.list_recoveries(tx, filed.claim_id, tenant_id=filed.tenant_id)
    return ClaimView(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id,
        peril=filed.claim.statement.peril,
        state=filed.state,
        notified_at=filed.claim.notified_at,
        filed_at=filed.claim.filed_at,
        filed_by=filed.filed_by,
        decision=DecisionView.of(decision),
        evidence=[EvidenceView.of(file) for file in evidence],
        payouts=[PayoutView.of(payout) for payout in payouts],
        recoveries=[RecoveryView.of(recovery) for recovery in recoveries],
    )
