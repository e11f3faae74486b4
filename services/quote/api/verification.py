"""Proof of purchase: uploaded by the customer, looked at by the staff."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from libs.common.auth import QUOTES_VERIFY, QUOTES_WRITE, Caller, requires
from libs.common.files import Files, examine
from libs.common.idempotency import key_of
from libs.common.plans.codes import EVIDENCE
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, now_of
from libs.common.web import api_router
from libs.common.wire import Body, Code, Matching, MoneyIn, MoneyView, OneLine, View
from services.quote import usecases
from services.quote.store.quotes import Document, Quote, UnknownQuote
from services.quote.usecases.verification import AlreadyVerified, NoDocuments, NothingToVerify

router = api_router("/v1", tags=["quotes"])
# Bodies that are files, not JSON.
raw = APIRouter(prefix="/v1", tags=["quotes"])

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


class VerificationRequest(Body):
    shown: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    """The fields that are legible on the papers; what is missing is asked of the customer."""
    verified_value: MoneyIn | None = None
    """The eligible goods' value by the papers."""
    actual_payment: MoneyIn | None = None
    """What was really paid: the lower of the two counts."""


class VerificationView(View):
    quote_id: str
    state: str
    missing: list[str]
    confirmed_at: datetime | None
    verified_value: MoneyView | None

    @classmethod
    def of(cls, quote: Quote, body: VerificationRequest) -> "VerificationView":
        is_confirmed = quote.confirmed_at is not None and body.verified_value is not None
        value = body.verified_value.to_money() if body.verified_value and is_confirmed else None
        return cls(
            quote_id=quote.quote_id,
            state=quote.state,
            missing=list(quote.missing),
            confirmed_at=quote.confirmed_at,
            verified_value=None if value is None else MoneyView.of(value),
        )


@raw.post(
    "/quotes/{quote_id}/documents",
    status_code=201,
    response_model=DocumentView,
    responses=problem_responses(UnknownQuote, NothingToVerify, AlreadyVerified),
)
async def upload_document(
    quote_id: str,
    request: Request,
    kind: Annotated[Kind, Query(description="What it is, such as proof_of_purchase.")],
    name: Annotated[str, OneLine(120), Query(description="The file's name, for people.")],
    caller: Annotated[Caller, requires(QUOTES_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Upload a purchase paper: its bytes are the body."""
    content = await request.body()
    file = examine(content)
    key = await key_of(request, caller.tenant_id)
    files: Files = request.app.state.files
    # Bytes before row: a row never names a file that is not there.
    await files.keep(caller.tenant_id, file, content)
    now = await now_of(db, caller)
    command = usecases.KeepDocument(
        tenant_id=caller.tenant_id, quote_id=quote_id, kind=kind, name=name, file=file
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        document = await usecases.keep_document(tx, parts.plans, command, now=now)
        return await key.keep(tx, 201, DocumentView.of(document))


@router.post(
    "/quotes/{quote_id}/verification",
    response_model=VerificationView,
    responses=problem_responses(UnknownQuote, NothingToVerify, AlreadyVerified, NoDocuments),
)
async def verify_quote(
    quote_id: str,
    body: VerificationRequest,
    request: Request,
    caller: Annotated[Caller, requires(QUOTES_VERIFY)],
    db: Db,
    parts: Parts,
) -> Response:
    """The staff's word on the papers: what is missing, or the amount, confirmed to the customer now."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.VerifyQuote(
        tenant_id=caller.tenant_id,
        quote_id=quote_id,
        shown=body.shown,
        value=None if body.verified_value is None else body.verified_value.to_money(),
        paid=None if body.actual_payment is None else body.actual_payment.to_money(),
        verified_by=caller.subject,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        quote = await usecases.verify_quote(tx, parts.plans, command, now=now)
        return await key.keep(tx, 200, VerificationView.of(quote, body))
