"""Evidence: bytes before row, for what they are; handed out by links that expire."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Query, Request, Response

from libs.common import links, web
from libs.common.auth import (
    CLAIMS_DECIDE,
    CLAIMS_READ,
    CLAIMS_WRITE,
    Authenticator,
    Caller,
    requires,
)
from libs.common.clock import system_now
from libs.common.downloads import Kept, file_response
from libs.common.errors import Forbidden
from libs.common.files import Files
from libs.common.filetypes import FileName
from libs.common.idempotency import key_of, key_of_file, sent_key
from libs.common.links import LinkExpired, UnknownLink
from libs.common.plans.codes import Supplier, supplier
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, now_of
from libs.common.uploads import REFUSALS, Uploads
from services.claims import store, usecases
from services.claims.api.claim_views import ClaimView, claim_view
from services.claims.api.evidence_views import EvidenceLinkView, EvidenceView
from services.claims.api.parts import cover_of, rules_of
from services.claims.api.requests import EvidenceRequest, Kind
from services.claims.domain.evidence import WrongKindOfFile, must_fit
from services.claims.settings import ClaimsSettings
from services.claims.store import UnknownFile, UnknownPolicy
from services.claims.usecases import EvidenceForgotten, EvidenceInfected, EvidenceNotScanned

router = web.api_router(prefix="/v1", tags=["evidence"])
# Bodies that are files, not JSON.
raw = web.raw_router("/v1", tags=["evidence"])
# For whoever has a link, and no token.
files = web.raw_router("/v1", tags=["evidence"])

FILES = "/v1/evidence-files"


@raw.post(
    "/evidence",
    status_code=201,
    response_model=EvidenceView,
    responses=problem_responses(*REFUSALS, WrongKindOfFile, UnknownPolicy),
)
async def upload_evidence(
    request: Request,
    policy_id: Annotated[str, Query(description="The policy it is about.")],
    kind: Annotated[Kind, Query(description="What it is.")],
    name: Annotated[FileName, Query(description="The file's name, for people.")],
    caller: Annotated[Caller, requires(CLAIMS_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Upload a file: its bytes are the body. It is kept for a week until a claim takes it.

    Pictures and PDFs have at most 20 MiB, films 500 MiB. All of it is decoded: what is cut off, of two
    types at once, or more than can be read with reason, is refused.
    """
    submitted_by = _supplier(kind, caller)
    sent_key(request)
    cover = await cover_of(db, parts, policy_id, caller.tenant_id)
    uploads: Uploads = request.app.state.uploads
    async with uploads.received(request) as upload:
        key = key_of_file(request, caller.tenant_id, upload.sha256)
        async with db.transaction(caller.tenant_id) as tx:
            if (answer := await key.find(tx)) is not None:
                return answer
        must_fit(kind, upload.media_type)
        file = await upload.facts()
        # Bytes before row: a row never names a file that is not there.
        await _files(request).keep(caller.tenant_id, file, upload.file)
        now = await now_of(db, caller)
        command = usecases.KeepEvidence(
            tenant_id=caller.tenant_id,
            policy_id=cover.policy_id,
            kind=kind,
            name=name,
            file=file,
            submitted_by=submitted_by,
            is_to_be_scanned=bool(_settings(request).clamd),
        )
        async with db.transaction(caller.tenant_id) as tx:
            if (answer := await key.replay(tx)) is not None:
                return answer
            evidence = await usecases.keep_evidence(tx, command, now=now)
            answer = await key.keep(tx, 201, EvidenceView.of(evidence))
        # The same bytes may have been forgotten between the two; from the row on they are not.
        if not await _files(request).is_there(caller.tenant_id, file.sha256):
            await _files(request).keep(caller.tenant_id, file, upload.file)
        return answer


@router.get("/evidence/{evidence_id}", responses=problem_responses(UnknownFile))
async def show_evidence(
    evidence_id: str, caller: Annotated[Caller, requires(CLAIMS_READ)], db: Db
) -> EvidenceView:
    """What the file is, who has it, and whether it was scanned."""
    async with db.transaction(caller.tenant_id) as tx:
        evidence = await store.get_evidence(tx, evidence_id, tenant_id=caller.tenant_id)
    return EvidenceView.of(evidence)


@router.post(
    "/evidence/{evidence_id}/links",
    status_code=201,
    responses=problem_responses(
        UnknownFile, EvidenceNotScanned, EvidenceInfected, EvidenceForgotten
    ),
)
async def create_evidence_link(
    evidence_id: str,
    caller: Annotated[Caller, requires(CLAIMS_READ)],
    db: Db,
    parts: Parts,
) -> EvidenceLinkView:
    """A link that gives the file to whoever has it, for a quarter of an hour.

    Add `?inline=true` to have it shown instead of saved.
    """
    async with db.transaction(caller.tenant_id) as tx:
        await usecases.get_openable(tx, evidence_id, tenant_id=caller.tenant_id)
    token, expires_at = links.signed_link(
        parts.signer, tenant_id=caller.tenant_id, file=evidence_id, now=system_now()
    )
    return EvidenceLinkView(url=f"{FILES}/{quote(token, safe='')}", expires_at=expires_at)


@files.get(
    "/evidence-files/{token}",
    response_class=Response,
    responses={
        200: {"description": "The file's bytes, of the type they are", "content": {"*/*": {}}},
        206: {"description": "The part that `Range` names", "content": {"*/*": {}}},
        416: {"description": "The file has no such part"},
        **problem_responses(
            UnknownLink, LinkExpired, EvidenceNotScanned, EvidenceInfected, EvidenceForgotten
        ),
    },
)
async def open_evidence_file(
    token: str,
    request: Request,
    db: Db,
    inline: Annotated[bool, Query(description="To be shown instead of saved.")] = False,
) -> Response:
    """The file behind a link, whole or in parts (`Range`)."""
    authenticator: Authenticator = request.app.state.authenticator
    link = await links.opened_link(
        token, authenticator.service_keys, service="claims", now=system_now()
    )
    async with db.transaction(link.tenant) as tx:
        evidence = await usecases.get_openable(tx, link.file, tenant_id=link.tenant)
    kept = Kept(
        sha256=evidence.sha256,
        size_bytes=evidence.size_bytes,
        media_type=evidence.media_type,
        name=evidence.name,
    )
    return await file_response(_files(request), link.tenant, kept, request, is_inline=inline)


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
    found: Files = request.app.state.files
    return found


def _settings(request: Request) -> ClaimsSettings:
    settings: ClaimsSettings = request.app.state.settings
    return settings


def _supplier(kind: str, caller: Caller) -> str:
    """Who brings such a paper; the provider's own are not taken from a claimant."""
    brought_by = supplier(kind)
    if brought_by is not Supplier.CLAIMANT and CLAIMS_DECIDE not in caller.scopes:
        raise Forbidden(
            f"A {kind} comes from the {brought_by.value}: it needs the scope {CLAIMS_DECIDE}.",
            scope=CLAIMS_DECIDE,
        )
    return brought_by.value
