"""Asking the claimant for more."""

from typing import Annotated

from fastapi import Request, Response

from libs.common import web
from libs.common.auth import CLAIMS_DECIDE, Caller, requires
from libs.common.idempotency import key_of
from libs.common.service import Db, Parts, now_of
from services.claims import usecases
from services.claims.api.claim_views import ClaimView, claim_view
from services.claims.api.parts import rules_of
from services.claims.api.requests import InformationRequestRequest

router = web.api_router(prefix="/v1", tags=["claims"])


@router.post(
    "/claims/{claim_id}/information-requests", status_code=201, response_model=ClaimView
)
async def request_information(
    claim_id: str,
    body: InformationRequestRequest,
    request: Request,
    caller: Annotated[Caller, requires(CLAIMS_DECIDE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Ask the claimant for more than the plan does, on a claim that waits for staff. It waits for
    the claimant then, its decision clock stands still, and it comes back by itself."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.RequestInformation(
        tenant_id=caller.tenant_id,
        claim_id=claim_id,
        kinds=body.kinds,
        message=body.message or "",
        asked_by=caller.subject,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        filed = await usecases.request_information(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 201, await claim_view(tx, filed))
