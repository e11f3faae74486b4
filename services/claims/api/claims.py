"""Claims: filed, listed, shown, decided."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response

from libs.common import web
from libs.common.auth import (
    CLAIMS_DECIDE,
    CLAIMS_MANAGE,
    CLAIMS_READ,
    CLAIMS_WRITE,
    Caller,
    requires,
)
from libs.common.idempotency import key_of
from libs.common.pagination import (
    NEWEST,
    BadCursor,
    Listing,
    Moment,
    Page,
    Paging,
    Span,
    paging,
    span,
)
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, now_of
from libs.common.wire import IdOf
from services.claims import store, usecases
from services.claims.api.claim_views import ClaimSummary, ClaimView, claim_view
from services.claims.api.eligibility_views import EligibilityView, PerilView
from services.claims.api.parts import cover_of, known_policies, rules_of, which_policy
from services.claims.api.requests import ClaimRequest, DecisionRequest, NoticeRequest, Peril
from services.claims.domain.approvals import Override
from services.claims.store import UnknownPolicy

router = web.api_router(prefix="/v1", tags=["claims"])

_listing: Listing[Moment] = Listing("claims", tuple[datetime, str])

State = Literal[
    "NOTIFIED", "SUBMITTED", "DEFERRED", "INFO_REQUIRED", "ON_HOLD", "REFERRED", "APPROVED",
    "DENIED", "PAYING", "PAID", "UNDER_APPEAL", "RECOVERY", "WITHDRAWN", "CLOSED",
]  # fmt: skip


@router.post("/claims", status_code=201, response_model=ClaimView)
async def file_claim(
    body: ClaimRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """File a claim; the answer holds its decision. Too early is no error: DEFERRED, with its date.

    A first notice of the same peril becomes this claim, with its id and its first contact.
    """
    key = await key_of(request, caller.tenant_id)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.find(tx)) is not None:
            return answer
        known = await known_policies(tx, body, caller.tenant_id)
    policy_id, fetched = await which_policy(parts.peer("policy"), body, known, caller.tenant_id)
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
        filed = await usecases.file_claim(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 201, await claim_view(tx, filed))


@router.post("/claims/notices", status_code=201, response_model=ClaimView)
async def give_notice(
    body: NoticeRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Tell of a loss or damage before it is claimed: the first contact, which deadlines go by.

    It waits for its claimant as NOTIFIED; `POST /v1/claims` for the same peril files it.
    """
    key = await key_of(request, caller.tenant_id)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.find(tx)) is not None:
            return answer
        known = await known_policies(tx, body, caller.tenant_id)
    policy_id, fetched = await which_policy(parts.peer("policy"), body, known, caller.tenant_id)
    if policy_id is None:
        raise UnknownPolicy("No policy in your account has this parcel: nothing is insured.")
    now = await now_of(db, caller)
    command = usecases.GiveNotice(
        tenant_id=caller.tenant_id,
        policy_id=policy_id,
        peril=body.peril,
        told_by=caller.subject,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        if fetched is not None:
            await usecases.remember_fetched(tx, fetched)
        notice = await usecases.give_notice(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 201, await claim_view(tx, notice))


@router.get("/claims", responses=problem_responses(BadCursor))
async def list_claims(
    caller: Annotated[Caller, requires(CLAIMS_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    span: Annotated[Span, Depends(span)],
    state: Annotated[
        State | None, Query(description="Only these; NOTIFIED ones wait for their claimants.")
    ] = None,
    policy_id: Annotated[
        Annotated[str, IdOf("pol")] | None, Query(description="Only those on this policy.")
    ] = None,
    peril: Annotated[Peril | None, Query(description="Only those of this peril.")] = None,
    overdue: Annotated[
        bool | None,
        Query(description="Only those with a promised day that has passed, or not."),
    ] = None,
    priority: Annotated[
        bool | None, Query(description="Only those that staff take first, or the others.")
    ] = None,
) -> Page[ClaimSummary]:
    """Your claims, the newest first; `since` and `until` go by when they were first heard of."""
    wanted = store.Wanted(
        state=state,
        policy_id=policy_id,
        peril=peril,
        since=span.since,
        until=span.until,
        is_overdue=overdue,
        is_priority=priority,
    )
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_claims(
            tx,
            wanted,
            tenant_id=caller.tenant_id,
            before=_listing.after(paging.cursor) or NEWEST,
            limit=paging.limit + 1,
        )
    return _listing.page(
        found,
        paging.limit,
        view=ClaimSummary.of,
        position=lambda filed: (filed.claim.notified_at, filed.claim_id),
    )


@router.get("/policies/{policy_id}/claim-eligibility")
async def show_eligibility(
    policy_id: str, caller: Annotated[Caller, requires(CLAIMS_READ)], db: Db, parts: Parts
) -> EligibilityView:
    """For each peril: open now? from when, until when, with which evidence? The decision's own rules."""
    cover = await cover_of(db, parts, policy_id, caller.tenant_id)
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        perils = await usecases.list_perils(tx, rules_of(parts), cover, now=now)
    return EligibilityView(
        policy_id=policy_id, as_of=now, perils=[PerilView.of(peril) for peril in perils]
    )


@router.get("/claims/{claim_id}")
async def show_claim(
    claim_id: str, caller: Annotated[Caller, requires(CLAIMS_READ)], db: Db
) -> ClaimView:
    async with db.transaction(caller.tenant_id) as tx:
        filed = await store.get_claim(tx, claim_id, tenant_id=caller.tenant_id)
        return await claim_view(tx, filed)


@router.post("/claims/{claim_id}/decision", response_model=ClaimView)
async def decide_claim(
    claim_id: str,
    body: DecisionRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_DECIDE)],
    db: Db,
    parts: Parts,
) -> Response:
    """An adjudicator's findings; the engine answers on them, and the answer stands if `settles`.

    It waits for a second person (`awaits_approval`) where it overrides a discretionary reason, or
    approves more than an adjudicator may.
    """
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.DecideClaim(
        tenant_id=caller.tenant_id,
        claim_id=claim_id,
        findings=body.to_findings(),
        settles=body.settles,
        decided_by=caller.subject,
        overrides=tuple(
            Override(code=one.code, why=one.why, by=caller.subject) for one in body.overrides
        ),
        decision_id=body.decision_id,
        is_manager=CLAIMS_MANAGE in caller.scopes,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        filed = await usecases.decide_by_person(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 200, await claim_view(tx, filed))
