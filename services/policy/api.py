"""The policy service's routes: translate, open, call, render."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import Request, Response
from pydantic import Field

from libs.common import testclock, web
from libs.common.auth import (
    CLOCKS_WRITE,
    INTERNAL_READ,
    PAYMENTS_WRITE,
    POLICIES_READ,
    POLICIES_WRITE,
    TRACKING_WRITE,
    Caller,
    requires,
)
from libs.common.idempotency import key_of
from libs.common.progress import Progress
from libs.common.progress_api import progress_of
from libs.common.service import Db, Parts, now_of
from libs.common.wire import (
    Body,
    Code,
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
from services.policy import clients, store, usecases
from services.policy.domain.parcels import STATUSES, Scan
from services.policy.domain.policies import Policy
from services.policy.store import Contact, ReceivedScan

MAX_SCANS = 500

JSON = "application/json"

router = web.api_router(prefix="/v1")
internal = web.api_router(prefix="/internal")

QuoteId = Annotated[str, IdOf("quo")]
Email = Annotated[
    str, Matching(r"[^@\s]{1,64}@[^@\s]{1,189}", "an e-mail address such as ann@example.com")
]
Locale = Annotated[
    str, Matching(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*", "a language such as en or zh-Hans")
]
Carrier = Annotated[str, OneLine(64)]
Status = Annotated[
    str, Matching("|".join(sorted(STATUSES)), f"one of {', '.join(sorted(STATUSES))}")
]


class ContactIn(Body):
    email: Email | None = None
    locale: Locale = "en"


class BindRequest(Body):
    quote_id: QuoteId
    plan: Code | None = None
    """Which of the quote's offers; not needed where it has one."""
    premium: MoneyIn | None = None
    """What the customer was shown; the policy is refused when the quote says otherwise."""
    contact: ContactIn = ContactIn()
    carrier: Carrier | None = None
    tracking_number: TrackingNumber | None = None


class PaymentRequest(Body):
    reference: Reference
    """The payer's own: the same payment reported twice is one."""
    amount: MoneyIn


class DispatchRequest(Body):
    dispatched_at: Instant | None = None
    """When the parcel left; now, where it is not said."""
    carrier: Carrier | None = None
    tracking_number: TrackingNumber | None = None


class AcceptanceRequest(Body):
    accepted_at: Instant | None = None
    """When the processing centre took the parcel in; now, where it is not said."""


class CancellationRequest(Body):
    reason: Code = "CUSTOMER_CANCEL"
    """One of the plan's refund reasons."""


class ScanIn(Body):
    policy_id: Annotated[str, IdOf("pol")] | None = None
    carrier: Carrier | None = None
    tracking_number: TrackingNumber | None = None
    scan_id: Reference | None = None
    """The sender's own id of the scan; made from its content where there is none."""
    status: Status
    reason: Code = "none"
    occurred_at: Instant
    location: Annotated[str, OneLine(200)] | None = None
    description: Annotated[str, OneLine(500)] | None = None


class ScansRequest(Body):
    scans: Annotated[list[ScanIn], Field(min_length=1, max_length=MAX_SCANS)]


class ClockRequest(Body):
    now: Instant


class PlanView(View):
    plan: str
    version: int
    sha256: str


class TrackingView(View):
    status: str
    reason: str
    accepted_at: datetime | None
    dispatched_at: datetime | None
    last_update_at: datetime | None
    delivered_at: datetime | None
    returned_at: datetime | None
    loss_confirmed_at: datetime | None


class PolicyView(View):
    policy_id: str
    quote_id: str
    plan: PlanView
    state: str
    insured_value: MoneyView
    premium: MoneyView
    premium_paid: MoneyView
    premium_due: MoneyView
    bound_at: datetime
    confirmed_at: datetime | None
    """When the amount was confirmed; null while the proof of purchase is being verified."""
    paid_at: datetime | None
    top_up_lapses_at: datetime | None
    """The first instant at which a top-up is too late."""
    cover_start: datetime | None
    carrier: str
    tracking_number: str
    tracking: TrackingView
    terms: dict[str, Any]
    """Every fact known at purchase."""

    @classmethod
    def of(cls, policy: Policy) -> "PolicyView":
        return cls(
            policy_id=policy.policy_id,
            quote_id=policy.quote_id,
            plan=PlanView(**msgspec.to_builtins(policy.plan)),
            state=policy.state,
            insured_value=MoneyView.of(policy.terms.insured_value),
            premium=MoneyView.of(policy.terms.premium),
            premium_paid=MoneyView.of(policy.premium_paid),
            premium_due=MoneyView.of(policy.premium_due),
            bound_at=policy.bound_at,
            confirmed_at=policy.confirmed_at,
            paid_at=policy.paid_at,
            top_up_lapses_at=policy.top_up_lapses_at,
            cover_start=policy.cover_start,
            carrier=policy.carrier,
            tracking_number=policy.tracking_number,
            tracking=TrackingView(
                **msgspec.to_builtins(policy.tracking, builtin_types=(datetime,))
            ),
            terms=msgspec.to_builtins(policy.terms),
        )


class CancellationView(View):
    policy: PolicyView
    refund: MoneyView


class ContactView(View):
    policy_id: str
    email: str | None
    locale: str
    order_ref: str


class FoundView(View):
    policy_ids: list[str]


class ScanResult(View):
    index: int
    result: str
    """recorded, repeated, or unmatched: no policy of yours has this parcel."""
    policy_id: str | None


class ScansView(View):
    results: list[ScanResult]


class WaitingView(View):
    service: str
    now: datetime | None
    due_deadlines: int
    pending_events: int
    is_idle: bool


class ClockView(View):
    clock_id: str
    tenant_id: str
    now: datetime
    state: str
    """`ready` when every service has reached the instant and nothing moves any more."""
    waiting_for: list[WaitingView]


@router.post("/policies", status_code=201, response_model=PolicyView)
async def bind_policy(
    body: BindRequest,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Bind a quote, once. The quote is fetched from the quote service, never taken from the caller."""
    key = await key_of(request, caller.tenant_id)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.find(tx)) is not None:
            return answer
    offer = await clients.fetch_offer(
        parts.peer("quote"),
        tenant_id=caller.tenant_id,
        quote_id=body.quote_id,
        plan=body.plan,
    )
    now = await now_of(db, caller)
    command = usecases.BindPolicy(
        tenant_id=caller.tenant_id,
        offer=offer,
        contact=Contact(email=body.contact.email, locale=body.contact.locale),
        premium=body.premium.to_money() if body.premium else None,
        carrier=body.carrier or "",
        tracking_number=body.tracking_number or "",
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        policy = await usecases.bind_policy(tx, command, now=now)
        return await key.keep(tx, 201, PolicyView.of(policy))


@router.get("/policies/{policy_id}")
async def show_policy(
    policy_id: str,
    caller: Annotated[Caller, requires(POLICIES_READ, or_service=True)],
    db: Db,
) -> PolicyView:
    async with db.transaction(caller.tenant_id) as tx:
        return PolicyView.of(await store.get_policy(tx, policy_id, tenant_id=caller.tenant_id))


@router.get("/policies/{policy_id}/contact", include_in_schema=False)
async def show_contact(
    policy_id: str, caller: Annotated[Caller, requires(INTERNAL_READ)], db: Db
) -> ContactView:
    """For the notifier alone: personal data is asked for when it is needed, never in an event."""
    async with db.transaction(caller.tenant_id) as tx:
        contact, order_ref = await store.get_contact(tx, policy_id, tenant_id=caller.tenant_id)
    return ContactView(
        policy_id=policy_id, email=contact.email, locale=contact.locale, order_ref=order_ref
    )


@internal.get("/policies/{policy_id}", include_in_schema=False)
async def show_snapshot(
    policy_id: str, caller: Annotated[Caller, requires(INTERNAL_READ)], db: Db
) -> Response:
    """A policy as its events would tell it, with their count: for a service that reads through."""
    async with db.transaction(caller.tenant_id) as tx:
        policy, sequence = await store.get_snapshot(tx, policy_id, tenant_id=caller.tenant_id)
    return Response(msgspec.json.encode(_snapshot(policy, sequence)), media_type=JSON)


@internal.get("/policies", include_in_schema=False)
async def find_policies(
    caller: Annotated[Caller, requires(INTERNAL_READ)],
    db: Db,
    carrier: str = "",
    tracking_number: str = "",
    order_ref: str = "",
) -> FoundView:
    """The policies of a parcel's number or of an order."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_policy_ids(
            tx,
            tenant_id=caller.tenant_id,
            carrier=carrier,
            tracking_number=tracking_number,
            order_ref=order_ref,
        )
    return FoundView(policy_ids=found)


@router.post("/policies/{policy_id}/payments", status_code=201, response_model=PolicyView)
async def record_payment(
    policy_id: str,
    body: PaymentRequest,
    request: Request,
    caller: Annotated[Caller, requires(PAYMENTS_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """A payment towards the premium; the policy is paid when the premium is complete."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.RecordPayment(
        tenant_id=caller.tenant_id,
        policy_id=policy_id,
        reference=body.reference,
        amount=body.amount.to_money(),
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        policy = await usecases.record_payment(tx, parts.plans, command, now=now)
        return await key.keep(tx, 201, PolicyView.of(policy))


@router.post("/policies/{policy_id}/dispatch", response_model=PolicyView)
async def dispatch_parcel(
    policy_id: str,
    body: DispatchRequest,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """The parcel was handed to its carrier."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.DispatchParcel(
        tenant_id=caller.tenant_id,
        policy_id=policy_id,
        dispatched_at=body.dispatched_at or now,
        carrier=body.carrier or "",
        tracking_number=body.tracking_number or "",
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        policy = await usecases.dispatch_parcel(tx, parts.plans, command, now=now)
        return await key.keep(tx, 200, PolicyView.of(policy))


@router.post("/policies/{policy_id}/acceptance", response_model=PolicyView)
async def accept_parcel(
    policy_id: str,
    body: AcceptanceRequest,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """The processing centre took the parcel in."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        policy = await usecases.accept_parcel(
            tx,
            parts.plans,
            policy_id,
            body.accepted_at or now,
            tenant_id=caller.tenant_id,
            now=now,
        )
        return await key.keep(tx, 200, PolicyView.of(policy))


@router.post("/policies/{policy_id}/cancellation", response_model=CancellationView)
async def cancel_policy(
    policy_id: str,
    body: CancellationRequest,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Cancel while the plan still refunds; the answer says what goes back."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        cancelled = await usecases.cancel_policy(
            tx, parts.plans, policy_id, body.reason, tenant_id=caller.tenant_id, now=now
        )
        view = CancellationView(
            policy=PolicyView.of(cancelled.policy), refund=MoneyView.of(cancelled.refund)
        )
        return await key.keep(tx, 200, view)


@router.post("/tracking")
async def record_scans(
    body: ScansRequest,
    caller: Annotated[Caller, requires(TRACKING_WRITE)],
    db: Db,
    parts: Parts,
) -> ScansView:
    """Scans in neutral words, by policy or by carrier and tracking number; repeats are harmless."""
    now = await now_of(db, caller)
    tenant_id = caller.tenant_id
    async with db.transaction(tenant_id) as tx:
        parcels = [
            (s.carrier or "", s.tracking_number or "") for s in body.scans if s.tracking_number
        ]
        found = await store.find_policies_of_parcels(tx, parcels, tenant_id=tenant_id)
        scans = [_received(scan, found) for scan in body.scans]
        matched = [scan for scan in scans if scan is not None]
        outcome = await usecases.record_scans(
            tx, parts.plans, matched, tenant_id=tenant_id, now=now
        )
    return ScansView(results=_results(scans, outcome))


@router.post("/test-clocks", status_code=201, response_model=ClockView)
async def create_test_clock(
    body: ClockRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLOCKS_WRITE)],
    db: Db,
) -> Response:
    """Give a sandbox tenant its own business time, starting at `now`."""
    key = await key_of(request, caller.tenant_id)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        clock = await usecases.create_test_clock(tx, caller.tenant_id, body.now)
        return await key.keep(tx, 201, _clock_view(clock, "advancing", {}))


@router.post("/test-clocks/{clock_id}/advance", response_model=ClockView)
async def advance_test_clock(
    clock_id: str,
    body: ClockRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLOCKS_WRITE)],
    db: Db,
) -> Response:
    """Move the clock forward; what falls due on the way runs at its own instant."""
    key = await key_of(request, caller.tenant_id)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        clock = await usecases.advance_test_clock(tx, caller.tenant_id, clock_id, body.now)
        return await key.keep(tx, 200, _clock_view(clock, "advancing", {}))


@router.get("/test-clocks/{clock_id}")
async def show_test_clock(
    clock_id: str, caller: Annotated[Caller, requires(CLOCKS_WRITE)], db: Db, parts: Parts
) -> ClockView:
    async with db.transaction(caller.tenant_id) as tx:
        clock = await testclock.get(tx, caller.tenant_id, clock_id)
    first = await _all_progress(parts, caller.tenant_id)
    waiting = {name: p for name, p in first.items() if not p.has_settled_at(clock.now)}
    if waiting or await _all_progress(parts, caller.tenant_id) != first:
        return _clock_view(clock, "advancing", waiting)
    return _clock_view(clock, "ready", {})


async def _all_progress(parts: Parts, tenant_id: str) -> dict[str, Progress]:
    others = await clients.fetch_progress(
        [parts.peer(name) for name in ("quote", "claims", "notifier")], tenant_id=tenant_id
    )
    return {"policy": await progress_of(parts, tenant_id), **others}


def _clock_view(
    clock: testclock.TestClock, state: str, waiting: dict[str, Progress]
) -> ClockView:
    return ClockView(
        clock_id=clock.clock_id,
        tenant_id=clock.tenant_id,
        now=clock.now,
        state=state,
        waiting_for=[
            WaitingView(
                service=name,
                now=progress.now,
                due_deadlines=progress.due_deadlines,
                pending_events=progress.pending_events,
                is_idle=progress.is_idle,
            )
            for name, progress in waiting.items()
        ],
    )


def _snapshot(policy: Policy, sequence: int) -> dict[str, object]:
    return {
        "policy_id": policy.policy_id,
        "plan": policy.plan,
        "terms": policy.terms,
        "state": policy.state,
        "paid_at": policy.paid_at,
        "confirmed_at": policy.confirmed_at,
        "carrier": policy.carrier,
        "tracking_number": policy.tracking_number,
        "tracking": policy.tracking,
        "sequence": sequence,
    }


def _received(scan: ScanIn, found: dict[tuple[str, str], str]) -> ReceivedScan | None:
    policy_id = scan.policy_id or found.get((scan.carrier or "", scan.tracking_number or ""))
    if policy_id is None:
        return None
    return ReceivedScan(
        policy_id=policy_id,
        scan=Scan(
            scan_id=scan.scan_id or _scan_id(scan),
            status=scan.status,
            occurred_at=scan.occurred_at,
            reason=scan.reason,
        ),
        location=scan.location or "",
        description=scan.description or "",
    )


def _scan_id(scan: ScanIn) -> str:
    """The same scan told again has the same id (carriers.md 1.3)."""
    told = (
        scan.carrier, scan.tracking_number, scan.occurred_at.isoformat(), scan.status, scan.reason,
        scan.location,
    )  # fmt: skip
    return hashlib.sha256("|".join(str(part or "") for part in told).encode()).hexdigest()


def _results(
    scans: Sequence[ReceivedScan | None], outcome: usecases.ScanOutcome
) -> list[ScanResult]:
    """Each scan's answer, in order; of one that stands twice in a batch the second is a repeat."""
    new = set(outcome.new)
    results = []
    for index, scan in enumerate(scans):
        if scan is None or scan.policy_id not in outcome.known:
            results.append(ScanResult(index=index, result="unmatched", policy_id=None))
            continue
        key = (scan.policy_id, scan.scan.scan_id)
        result = "recorded" if key in new else "repeated"
        new.discard(key)
        results.append(ScanResult(index=index, result=result, policy_id=scan.policy_id))
    return results
