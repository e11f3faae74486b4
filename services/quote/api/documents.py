"""Proof of purchase: papers come in by the customer, and are downloaded by the staff."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from libs.common.auth import QUOTES_VERIFY, QUOTES_WRITE, Caller, requires
from libs.common.downloads import Kept, file_response
from libs.common.files import Files
from libs.common.filetypes import FileName
from libs.common.idempotency import key_of_file, sent_key
from libs.common.plans.codes import EVIDENCE
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, now_of
from libs.common.uploads import REFUSALS, Uploads
from libs.common.web import api_router, raw_router
from libs.common.wire import (
    Matching,
    View,
)
from services.quote import usecases
from services.quote.store import quotes
from services.quote.store.quotes import Document, UnknownDocument, UnknownQuote
from services.quote.usecases.held import (
    AlreadyVerified,
    DocumentsTooLate,
    NothingToVerify,
)
from services.quote.usecases.verification import (
    MAX_DOCUMENTS,
    TooManyDocuments,
)

router = api_router("/v1", tags=["quotes"])
# Bodies that are files, not JSON.
raw = raw_router("/v1", tags=["quotes"])

Kind = Annotated[
    str, Matching("|".join(sorted(EVIDENCE)), f"one of {', '.join(sorted(EVIDENCE))}")
]


class DocumentView(View):
    evidence_id: str
    quote_id: str
    kind: str
    name: str
    sha256: str
    size_bytes: int
    media_type: str
    uploaded_at: datetime

    @classmethod
    def of(cls, document: Document) -> "DocumentView":
        return cls(**asdict(document))


class DocumentsView(View):
    items: Annotated[list[DocumentView], Field(max_length=MAX_DOCUMENTS)]


@raw.post(
    "/quotes/{quote_id}/documents",
    status_code=201,
    response_model=DocumentView,
    responses=problem_responses(
        UnknownQuote,
        NothingToVerify,
        AlreadyVerified,
        DocumentsTooLate,
        TooManyDocuments,
        *REFUSALS,
    ),
)
async def upload_document(
    quote_id: str,
    request: Request,
    kind: Annotated[Kind, Query(description="What it is, such as proof_of_purchase.")],
    name: Annotated[FileName, Query(description="The file's name, for people.")],
    caller: Annotated[Caller, requires(QUOTES_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Upload a purchase paper: its bytes are the body."""
    sent_key(request)
    uploads: Uploads = request.app.state.uploads
    async with uploads.received(request) as upload:
        key = key_of_file(request, caller.tenant_id, upload.sha256)
        async with db.transaction(caller.tenant_id) as tx:
            if (answer := await key.find(tx)) is not None:
                return answer
        file = await upload.facts()
        files: Files = request.app.state.files
        # Bytes before row: a row never names a file that is not there.
        await files.keep(caller.tenant_id, file, upload.file)
        now = await now_of(db, caller)
        command = usecases.KeepDocument(
            tenant_id=caller.tenant_id, quote_id=quote_id, kind=kind, name=name, file=file
        )
        async with db.transaction(caller.tenant_id) as tx:
            if (answer := await key.replay(tx)) is not None:
                return answer
            document = await usecases.keep_document(tx, parts.plans, command, now=now)
            return await key.keep(tx, 201, DocumentView.of(document))


@router.get("/quotes/{quote_id}/documents", responses=problem_responses(UnknownQuote))
async def list_documents(
    quote_id: str, caller: Annotated[Caller, requires(QUOTES_VERIFY)], db: Db
) -> DocumentsView:
    """The quote's papers, the first one first."""
    async with db.transaction(caller.tenant_id) as tx:
        quote = await quotes.get_quote(tx, quote_id, tenant_id=caller.tenant_id)
        papers = await quotes.list_documents(tx, quote.quote_id, tenant_id=caller.tenant_id)
    return DocumentsView(items=[DocumentView.of(paper) for paper in papers])


@router.get(
    "/quotes/{quote_id}/documents/{evidence_id}",
    response_class=Response,
    responses={
        200: {"description": "The file's bytes, of the type they are", "content": {"*/*": {}}},
        **problem_responses(UnknownDocument),
    },
)
async def download_document(
    quote_id: str,
    evidence_id: str,
    request: Request,
    caller: Annotated[Caller, requires(QUOTES_VERIFY)],
    db: Db,
) -> Response:
    """A paper's bytes, to be saved and never shown in our name."""
    async with db.transaction(caller.tenant_id) as tx:
        paper = await quotes.get_document(tx, quote_id, evidence_id, tenant_id=caller.tenant_id)
    files: Files = request.app.state.files
    kept = Kept(
        sha256=paper.sha256,
        size_bytes=paper.size_bytes,
        media_type=paper.media_type,
        name=paper.name,
    )
    return await file_response(files, caller.tenant_id, kept, request)
