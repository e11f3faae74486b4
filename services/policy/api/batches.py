"""Batches: thousands of parcels in one file, streamed in, worked meanwhile, streamed out answered."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Annotated, Final, Literal

import msgspec
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse

from libs.common import web
from libs.common.auth import PAYMENTS_WRITE, POLICIES_READ, POLICIES_WRITE, Caller, requires
from libs.common.clock import system_now
from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.idempotency import MissingKey, RequestKey, bare_key, key_of
from libs.common.ids import new_id
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
from libs.common.problems import BodyTooLarge, UnsupportedMediaType, problem_responses
from libs.common.service import Db, now_of
from libs.common.uploads import TooSlow
from libs.common.wire import Code, OneLine
from services.policy import store, usecases
from services.policy.api.batch_files import (
    FORMS,
    UNREADABLE,
    Defaults,
    rows_of,
)
from services.policy.api.batch_views import (
    AnswerView,
    BatchView,
    as_csv,
    as_ndjson,
    csv_header,
)
from services.policy.domain.batches import Batch, BatchOver, Result, Uploaded
from services.policy.domain.columns import COLUMNS
from services.policy.store import UnknownBatch

router = web.api_router("/v1", tags=["batches"])

PATH: Final = "/v1/batches"
# Each holds a file of its rows on disk, and no connection to the database, while it comes in.
MAX_UPLOADS_AT_ONCE: Final = 8
UPLOAD_SECONDS: Final = 900
INSERT_ROWS: Final = 1_000
ANSWER_ROWS: Final = 1_000

_batches: Listing[Moment] = Listing("batches", tuple[datetime, str])
_answers: Listing[tuple[int, str]] = Listing("batch-rows", tuple[int, str])
_rows: msgspec.json.Decoder[list[Uploaded]] = msgspec.json.Decoder(list[Uploaded])

State = Literal["RUNNING", "DONE", "CANCELLED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spooled:
    """A file that has come in: its rows in `spool`, and what makes it another file."""

    spool: IO[bytes]
    sha256: bytes
    rows: int
    unreadable: int

    def chunks(self) -> Iterator[list[Uploaded]]:
        self.spool.seek(0)
        gathered: list[Uploaded] = []
        for line in self.spool:
            gathered += _rows.decode(line)
            if len(gathered) >= INSERT_ROWS:
                yield gathered
                gathered = []
        yield gathered


@router.post(
    "/batches",
    status_code=202,
    response_model=BatchView,
    responses=problem_responses(
        MissingKey, BodyTooLarge, UnsupportedMediaType, TooSlow, *UNREADABLE
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "\r\n".join(
                        (",".join(COLUMNS), ",".join(c.example for c in COLUMNS.values()))
                    ),
                },
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        }
    },
)
async def upload_batch(
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
    plan: Annotated[Code | None, Query(description="For rows that name none.")] = None,
    point: Annotated[Code | None, Query(description="For rows that name none.")] = None,
    name: Annotated[
        Annotated[str, OneLine(200)] | None, Query(description="Yours, such as the file's.")
    ] = None,
) -> Response:
    """Upload a file of parcels to insure: CSV, or JSON lines. It is answered once all of it is here.

    The rows are then worked, each by itself: see how far it is at the `Location`. A line that cannot
    be read is a refused row; a row whose `reference` was booked before is answered `repeated`. JSON
    lines are `{"reference", "quote", "carrier"?, "tracking_number"?, "contact"?,
    "payment_reference"?}`, `quote` as in `POST /v1/quotes`. A CSV has one item a row, amounts as plain
    decimals and no line breaks in cells; a cell that looks like a formula is taken as text. A row
    with a `payment_reference` is paid at once, by a caller who may report payments.
    """
    form = _form(request)
    header = request.headers.get("idempotency-key")
    if header is None:
        raise MissingKey("Send an Idempotency-Key: the same file again is then one batch.")
    key = bare_key(header)
    defaults = Defaults(plan=plan, point=point, may_pay=PAYMENTS_WRITE in caller.scopes)
    async with _spooled(request, form, defaults) as spooled:
        request_key = RequestKey(
            tenant_id=caller.tenant_id,
            route=f"POST {PATH}",
            key=key,
            fingerprint=spooled.sha256,
        )
        now = await now_of(db, caller)
        batch = Batch(
            batch_id=new_id("bat"),
            tenant_id=caller.tenant_id,
            name=name or "",
            form=form,
            uploaded_by=caller.subject,
            rows=spooled.rows,
            unreadable=spooled.unreadable,
            refused=spooled.unreadable,
            started_at=system_now(),
        )
        async with db.transaction(caller.tenant_id) as tx:
            answer = await request_key.replay(tx)
            if answer is None:
                kept = await usecases.upload_batch(tx, batch, spooled.chunks(), now=now)
                answer = await request_key.keep(tx, 202, BatchView.of(kept))
    answer.headers["location"] = f"{PATH}/{msgspec.json.decode(answer.body)['batch_id']}"
    return answer


@router.get("/batches", responses=problem_responses(BadCursor))
async def list_batches(
    caller: Annotated[Caller, requires(POLICIES_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    span: Annotated[Span, Depends(span)],
    state: Annotated[State | None, Query(description="Only batches in this state.")] = None,
) -> Page[BatchView]:
    """Your batches, the newest first; `since` and `until` go by when they were uploaded."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_batches(
            tx,
            tenant_id=caller.tenant_id,
            state=state,
            since=span.since,
            until=span.until,
            before=_batches.after(paging.cursor) or NEWEST,
            limit=paging.limit + 1,
        )
    return _batches.page(
        found,
        paging.limit,
        view=BatchView.of,
        position=lambda batch: (batch.started_at, batch.batch_id),
    )


@router.get(
    "/batches/{batch_id}", response_model=BatchView, responses=problem_responses(UnknownBatch)
)
async def show_batch(
    batch_id: str,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_READ)],
    db: Db,
) -> Response:
    """How far it is. Send its ETag as If-None-Match: 304 where nothing was worked since."""
    async with db.transaction(caller.tenant_id) as tx:
        batch = await store.get_batch(tx, batch_id, tenant_id=caller.tenant_id)
    # Weak: the estimate may be told otherwise while nothing has changed.
    etag = f'W/"{batch.worked_to}-{batch.state.lower()}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": etag})
    view = BatchView.of(batch).model_dump_json()
    return Response(view, media_type="application/json", headers={"ETag": etag})


@router.get("/batches/{batch_id}/rows", responses=problem_responses(UnknownBatch, BadCursor))
async def list_batch_rows(
    batch_id: str,
    caller: Annotated[Caller, requires(POLICIES_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    result: Annotated[Result | None, Query(description="Only these.")] = None,
) -> Page[AnswerView]:
    """What became of its rows, in the file's order."""
    tenant_id = caller.tenant_id
    after, _ = _answers.after(paging.cursor) or (0, "")
    async with db.transaction(tenant_id) as tx:
        await store.get_batch(tx, batch_id, tenant_id=tenant_id)
        found = await store.list_answers(
            tx,
            batch_id,
            tenant_id=tenant_id,
            result=result,
            after=after,
            limit=paging.limit + 1,
        )
    return _answers.page(
        found, paging.limit, view=AnswerView.of, position=lambda answer: (answer.line, batch_id)
    )


@router.get(
    "/batches/{batch_id}/answers",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "All rows, in the file's order",
            "content": {"application/x-ndjson": {}, "text/csv": {}},
        },
        **problem_responses(UnknownBatch),
    },
)
async def stream_answers(
    batch_id: str,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_READ)],
    db: Db,
) -> Response:
    """Every row's answer, also while it runs: JSON lines, or CSV where `Accept` asks for it.

    A cell that a spreadsheet would take for a formula has an apostrophe in front.
    """
    async with db.transaction(caller.tenant_id) as tx:
        await store.get_batch(tx, batch_id, tenant_id=caller.tenant_id)
    is_csv = "text/csv" in request.headers.get("accept", "")
    return StreamingResponse(
        _streamed(db, caller.tenant_id, batch_id, is_csv=is_csv),
        media_type="text/csv; charset=utf-8" if is_csv else "application/x-ndjson",
        headers={
            "content-disposition": (
                f'attachment; filename="answers.{"csv" if is_csv else "ndjson"}"'
            )
        },
    )


@router.post(
    "/batches/{batch_id}/cancellation",
    response_model=BatchView,
    responses=problem_responses(UnknownBatch, BatchOver),
)
async def cancel_batch(
    batch_id: str,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
) -> Response:
    """Work no more of its rows. What is booked stays booked."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        batch = await usecases.cancel_batch(
            tx, batch_id, tenant_id=caller.tenant_id, now=now, at=system_now()
        )
        return await key.keep(tx, 200, BatchView.of(batch))


def _form(request: Request) -> str:
    media_type, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    form = FORMS.get(media_type.strip())
    if form is None or charset not in ("", "charset=utf-8", "header=present"):
        raise UnsupportedMediaType(
            f"Send {' or '.join(FORMS)} in UTF-8 and say so in Content-Type."
        )
    return form


@asynccontextmanager
async def _spooled(request: Request, form: str, defaults: Defaults) -> AsyncIterator[_Spooled]:
    """The rows in a file without a name, which is gone with this block, or with the process.

    So a slow upload keeps nobody from the database, and a broken one leaves nothing there.
    """
    app: FastAPI = request.app
    uploads: asyncio.Semaphore = app.state.uploads
    if uploads.locked():
        raise Unavailable("Too many files are being uploaded. Try again in a moment.")
    async with uploads:
        with await asyncio.to_thread(tempfile.TemporaryFile) as spool:
            try:
                async with asyncio.timeout(UPLOAD_SECONDS):
                    spooled = await _spool(request, form, defaults, spool)
            except TimeoutError:
                raise TooSlow(
                    f"A file has {UPLOAD_SECONDS} seconds to come in. Upload it in parts."
                ) from None
            yield spooled


async def _spool(request: Request, form: str, defaults: Defaults, spool: IO[bytes]) -> _Spooled:
    digest = hashlib.sha256(f"{request.url.query}\n{form}\n".encode())
    rows, unreadable = 0, 0

    async def hashed() -> AsyncIterator[bytes]:
        async for chunk in request.stream():
            digest.update(chunk)
            yield chunk

    async for some in rows_of(hashed(), form, defaults):
        rows += len(some)
        unreadable += sum(row.refused is not None for row in some)
        await asyncio.to_thread(spool.write, _packed(some))
    return _Spooled(spool=spool, sha256=digest.digest(), rows=rows, unreadable=unreadable)


def _packed(rows: Sequence[Uploaded]) -> bytes:
    """Lines of at most as many rows as are inserted at once."""
    return b"".join(
        msgspec.json.encode(rows[first : first + INSERT_ROWS]) + b"\n"
        for first in range(0, len(rows), INSERT_ROWS)
    )


async def _streamed(
    db: Database, tenant_id: str, batch_id: str, *, is_csv: bool
) -> AsyncIterator[bytes]:
    """A page of rows at a time, each in a transaction of its own: a slow reader holds none."""
    if is_csv:
        yield csv_header()
    after = 0
    while True:
        async with db.transaction(tenant_id) as tx:
            answers = await store.list_answers(
                tx, batch_id, tenant_id=tenant_id, result=None, after=after, limit=ANSWER_ROWS
            )
        if answers:
            yield as_csv(answers) if is_csv else as_ndjson(answers)
        if len(answers) < ANSWER_ROWS:
            return
        after = answers[-1].line
