"""The parcel's way: dispatch, acceptance, its carrier's number, scans in neutral words."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Request, Response
from pydantic import Field

from libs.common import web
from libs.common.auth import POLICIES_WRITE, TRACKING_WRITE, Caller, requires
from libs.common.db import Tx
from libs.common.history import ChangedMeanwhile, IfMatch
from libs.common.idempotency import key_of
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, now_of
from libs.common.wire import (
    Body,
    Code,
    Instant,
    Matching,
    OneLine,
    Reference,
    TrackingNumber,
    View,
)
from services.policy import store, usecases
from services.policy.api.parts import Carrier, PolicyId, must_be_current, view_of
from services.policy.api.views import PolicyView
from services.policy.domain.parcels import STATUSES, Bearer, NotDispatchable, owner
from services.policy.domain.policies import ParcelInsured
from services.policy.store import ReceivedScan, UnknownPolicy

router = web.api_router("/v1", tags=["tracking"])

MAX_SCANS = 500
Status = Annotated[
    str, Matching("|".join(sorted(STATUSES)), f"one of {', '.join(sorted(STATUSES))}")
]


class DispatchRequest(Body):
    dispatched_at: Instant | None = None
    """When the parcel left; now, where it is not said."""
    carrier: Carrier | None = None
    tracking_number: TrackingNumber | None = None


class AcceptanceRequest(Body):
    accepted_at: Instant | None = None
    """When the processing centre took the parcel in; now, where it is not said."""


class ParcelRequest(Body):
    carrier: Carrier
    tracking_number: TrackingNumber


class ScanIn(Body):
    policy_id: PolicyId | None = None
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


class ScanResult(View):
    index: int
    result: str
    """recorded, repeated, or unmatched: no policy of yours has this parcel."""
    policy_id: str | None


class ScansView(View):
    results: list[ScanResult]


@router.post(
    "/policies/{policy_id}/dispatch",
    response_model=PolicyView,
    responses=problem_responses(
        UnknownPolicy, NotDispatchable, ParcelInsured, ChangedMeanwhile
    ),
)
async def dispatch_parcel(
    policy_id: str,
    body: DispatchRequest,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
    parts: Parts,
    if_match: IfMatch = None,
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
        await must_be_current(tx, policy_id, if_match, tenant_id=caller.tenant_id)
        policy = await usecases.dispatch_parcel(tx, parts.plans, command, now=now)
        return await key.keep(tx, 200, await view_of(tx, policy))


@router.post(
    "/policies/{policy_id}/acceptance",
    response_model=PolicyView,
    responses=problem_responses(UnknownPolicy, NotDispatchable, ChangedMeanwhile),
)
async def accept_parcel(
    policy_id: str,
    body: AcceptanceRequest,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
    parts: Parts,
    if_match: IfMatch = None,
) -> Response:
    """The processing centre took the parcel in."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        await must_be_current(tx, policy_id, if_match, tenant_id=caller.tenant_id)
        policy = await usecases.accept_parcel(
            tx,
            parts.plans,
            policy_id,
            body.accepted_at or now,
            tenant_id=caller.tenant_id,
            now=now,
        )
        return await key.keep(tx, 200, await view_of(tx, policy))


@router.put(
    "/policies/{policy_id}/parcel",
    responses=problem_responses(UnknownPolicy, ParcelInsured, ChangedMeanwhile),
)
async def name_parcel(
    policy_id: str,
    body: ParcelRequest,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
    if_match: IfMatch = None,
) -> PolicyView:
    """Carrier and tracking number, where they were unknown or wrong: one open policy a parcel."""
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        await must_be_current(tx, policy_id, if_match, tenant_id=caller.tenant_id)
        policy = await usecases.name_parcel(
            tx,
            policy_id,
            body.carrier,
            body.tracking_number,
            tenant_id=caller.tenant_id,
            now=now,
        )
        return await view_of(tx, policy)


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
        scans = await _matched(tx, body.scans, tenant_id)
        matched = [scan for scan in scans if scan is not None]
        outcome = await usecases.record_scans(
            tx, parts.plans, matched, tenant_id=tenant_id, now=now
        )
    return ScansView(results=_results(scans, outcome))


async def _matched(
    tx: Tx, scans: Sequence[ScanIn], tenant_id: str
) -> list[ReceivedScan | None]:
    """Each scan with its policy, in order; None where it is nobody's."""
    numbers = {s.tracking_number for s in scans if s.policy_id is None and s.tracking_number}
    bearers = await store.list_bearers(tx, numbers, tenant_id=tenant_id)
    return [_received(scan, scan.policy_id or _owner(scan, bearers)) for scan in scans]


def _owner(scan: ScanIn, bearers: Mapping[str, Sequence[Bearer]]) -> str | None:
    named = bearers.get(scan.tracking_number or "", ())
    return owner(named, scan.carrier or "", scan.occurred_at)


def _received(scan: ScanIn, policy_id: str | None) -> ReceivedScan | None:
    if policy_id is None:
        return None
    return ReceivedScan(
        policy_id=policy_id,
        scan_id=scan.scan_id or _scan_id(scan),
        status=scan.status,
        reason=scan.reason,
        occurred_at=scan.occurred_at,
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
        key = (scan.policy_id, scan.scan_id)
        result = "recorded" if key in new else "repeated"
        new.discard(key)
        results.append(ScanResult(index=index, result=result, policy_id=scan.policy_id))
    return results
