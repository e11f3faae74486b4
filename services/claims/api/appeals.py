"""Appeals: filed by the shop, decided tier by tier by whom the plan names."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import Request, Response
from pydantic import Field

from libs.common import web
from libs.common.auth import (
    CLAIMS_DECIDE,
    CLAIMS_MANAGE,
    CLAIMS_READ,
    CLAIMS_REVIEW,
    CLAIMS_WRITE,
    Caller,
    requires,
)
from libs.common.idempotency import key_of
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, now_of
from libs.common.wire import Body, Prose
from services.claims import store, usecases
from services.claims.api.appeal_views import AppealView
from services.claims.api.parts import rules_of
from services.claims.api.requests import MAX_OVERRIDES, EvidenceIds, FindingsIn, OverrideIn
from services.claims.domain.appeals import (
    SECOND_ADJUDICATOR,
    AppealExhausted,
    AppealIsDecided,
    AppealLate,
    AppealOpen,
    AppealTierSkipped,
    ClaimNotDecided,
    DecidedBefore,
    Verdict,
)
from services.claims.domain.approvals import NotOverridable, Override
from services.claims.store import UnknownAppeal, UnknownClaim

router = web.api_router(prefix="/v1", tags=["appeals"])

MAX_TIER = 9
GROUNDS_CHARACTERS = 4_000
NOTE_CHARACTERS = 4_000

# Who decides, by the plans' word for the body; any other one is the tenant's own, and senior.
_SCOPES: Final[Mapping[str, str]] = {
    SECOND_ADJUDICATOR: CLAIMS_DECIDE,
    "claims_manager_panel": CLAIMS_MANAGE,
    "independent_reviewer": CLAIMS_REVIEW,
}


class AppealRequest(Body):
    grounds: Annotated[str, Prose(GROUNDS_CHARACTERS)]
    """Why the decision is wrong, in the claimant's words."""
    tier: Annotated[int, Field(strict=True, ge=1, le=MAX_TIER)] | None = None
    """The next one, where it is left out."""
    evidence_ids: EvidenceIds = ()
    """New files (POST /v1/evidence)."""


class AppealDecisionRequest(Body):
    note: Annotated[str, Prose(NOTE_CHARACTERS)]
    """The reason in writing."""
    findings: FindingsIn = FindingsIn()
    overrides: Annotated[tuple[OverrideIn, ...], Field(max_length=MAX_OVERRIDES)] = ()
    """Discretionary reasons that are not to count. A second person has to agree."""

    def to_verdict(self, decided_by: str) -> Verdict:
        return Verdict(
            findings=self.findings.to_findings(),
            note=self.note,
            decided_by=decided_by,
            overrides=tuple(
                Override(code=one.code, why=one.why, by=decided_by) for one in self.overrides
            ),
        )


@router.post(
    "/claims/{claim_id}/appeals",
    status_code=201,
    response_model=AppealView,
    responses=problem_responses(
        UnknownClaim,
        ClaimNotDecided,
        AppealOpen,
        AppealLate,
        AppealTierSkipped,
        AppealExhausted,
    ),
)
async def file_appeal(
    claim_id: str,
    body: AppealRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Appeal against the decision that stands. A refused appeal says until when, or which tier."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.FileAppeal(
        tenant_id=caller.tenant_id,
        claim_id=claim_id,
        tier=body.tier,
        grounds=body.grounds,
        filed_by=caller.subject,
        evidence_ids=body.evidence_ids,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        appeal = await usecases.file_appeal(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 201, AppealView.of(appeal))


@router.get("/appeals/{appeal_id}", responses=problem_responses(UnknownAppeal))
async def show_appeal(
    appeal_id: str, caller: Annotated[Caller, requires(CLAIMS_READ)], db: Db
) -> AppealView:
    async with db.transaction(caller.tenant_id) as tx:
        return AppealView.of(await store.get_appeal(tx, appeal_id, tenant_id=caller.tenant_id))


@router.post(
    "/appeals/{appeal_id}/decision",
    response_model=AppealView,
    responses=problem_responses(
        UnknownAppeal, AppealIsDecided, ClaimNotDecided, DecidedBefore, NotOverridable
    ),
)
async def decide_appeal(
    appeal_id: str,
    body: AppealDecisionRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_READ)],
    db: Db,
    parts: Parts,
) -> Response:
    """Hear an appeal: the engine answers anew on your findings, and only a higher award takes effect.

    Besides claims:read it needs the scope of the tier's body: claims:decide for a second
    adjudicator, claims:review for an independent reviewer, claims:manage for any other. Who
    decided on the claim before may not. With `overrides` the appeal stays open until somebody else who
    did not decide before agrees (`GET /v1/approvals?about=appeal`), or for another decision if not.
    """
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.DecideAppeal(
        tenant_id=caller.tenant_id,
        appeal_id=appeal_id,
        verdict=body.to_verdict(caller.subject),
    )
    async with db.transaction(caller.tenant_id) as tx:
        appeal = await store.get_appeal(tx, appeal_id, tenant_id=caller.tenant_id)
        caller.must(_SCOPES.get(appeal.body, CLAIMS_MANAGE))
        if (answer := await key.replay(tx)) is not None:
            return answer
        decided = await usecases.decide_appeal(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 200, AppealView.of(decided))
