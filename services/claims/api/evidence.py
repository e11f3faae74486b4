"""Evidence: uploaded first, then named by a claim."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from libs.common import web
from libs.common.auth import (
    CLAIMS_DECIDE,
    CLAIMS_WRITE,
    Caller,
    requires,
)
from libs.common.errors import Forbidden
from libs.common.files import Files, examine
from libs.common.idempotency import key_of
from libs.common.plans.codes import Supplier, supplier
from libs.common.service import Db, Parts, now_of
from libs.common.wire import (
    OneLine,
)
from services.claims import usecases
from services.claims.api.parts import cover_of, rules_of
from services.claims.api.requests import EvidenceRequest, Kind
from services.claims.api.views import ClaimView, EvidenceView, claim_view

router = web.api_router(prefix="/v1", tags=["evidence"])
# Bodies that are files, not JSON.
raw = APIRouter(prefix="/v1", tags=["evidence"])


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
    cover = await cover_of(db, parts, policy_id, caller.tenant_id)
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
    """Give an open claim uploaded files, or say which can never be had; it is decided at once."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.AddEvidence(
        tenant_id=caller.tenant_id,
        claim_id=claim_id,
        evidence_ids=body.evidence_ids,
        unavailable=body.unavailable_evidence,
        message=body.message or "",
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        filed = await usecases.add_evidence(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 200, await claim_view(tx, filed))


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
