"""Claims: filed, shown, decided."""

from typing import Annotated

from fastapi import Request, Response

from libs.common import web
from libs.common.auth import (
    CLAIMS_DECIDE,
    CLAIMS_READ,
    CLAIMS_WRITE,
    Caller,
    requires,
)
from libs.common.idempotency import key_of
from libs.common.service import Db, Parts, now_of
from services.claims import store, usecases
from services.claims.api.parts import (
    cover_of,
    known_policies,
    policies_of,
    rules_of,
    which_policy,
)
from services.claims.api.requests import ClaimRequest, DecisionRequest
from services.claims.api.views import ClaimView, EligibilityView, PerilView, claim_view
from services.claims.domain import eligibility
from services.claims.domain.cases import Case, Claim, Statement
from services.claims.domain.facts_of_claim import facts
from services.claims.store import FiledClaim

router = web.api_router(prefix="/v1", tags=["claims"])


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
        known = await known_policies(tx, body, caller.tenant_id)
    policy_id, fetched = await which_policy(policies_of(parts), body, known, caller.tenant_id)
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


@router.get("/policies/{policy_id}/claim-eligibility")
async def show_eligibility(
    policy_id: str, caller: Annotated[Caller, requires(CLAIMS_READ)], db: Db, parts: Parts
) -> EligibilityView:
    """For each peril: open now? from when, until when, with which evidence? The decision's own rules."""
    cover = await cover_of(db, parts, policy_id, caller.tenant_id)
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
        filed = await usecases.decide_by_person(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 200, await claim_view(tx, filed))
