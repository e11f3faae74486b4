"""Carriers and aggregators: their hooks and secrets, what came, and what it was read as."""

import secrets as randomness
from datetime import datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response
from pydantic import Field

from libs.common import web
from libs.common.auth import HOOKS_WRITE, Caller, requires
from libs.common.clock import system_now
from libs.common.db import Tx
from libs.common.errors import Invalid
from libs.common.idempotency import RequestKey, key_of
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
from libs.common.service import Db
from libs.common.signatures import BadSecret
from libs.common.wire import Body, OneLine, View, Whole
from services.policy import store, usecases
from services.policy.api.carriers import UnknownProvider, desk_of, provider_of
from services.policy.api.parts import (
    JSON,
    MAX_OVERLAP_HOURS,
    SECRET_BYTES,
    Secret,
    sealer_of,
)
from services.policy.store import (
    HasTrackingHook,
    KeptNotice,
    TrackingHook,
    Traffic,
    UnknownCode,
    UnknownTrackingHook,
    UnknownTrackingNotice,
)
from services.policy.tracking import PROVIDERS, Provider

router = web.api_router("/v1", tags=["tracking hooks"])

_notices: Listing[Moment] = Listing("tracking-notices", tuple[datetime, str])
_codes: Listing[tuple[str, str, str]] = Listing("tracking-codes", tuple[str, str, str])

_BYTES = "application/octet-stream"
MIN_SECRET_CHARACTERS = 8

Scheme = Annotated[str, OneLine(32)]


class UnknownScheme(Invalid):
    code = "unknown-scheme"
    title = "The provider does not prove itself in this way"


class TrackingHookRequest(Body):
    provider: Annotated[str, OneLine(64)]
    scheme: Scheme | None = None
    """How it proves itself, where it has several ways; else the usual one."""
    secret: Secret | None = None
    """The one that the provider shows; one is made where there is none, to be entered there."""


class TrackingRotationRequest(Body):
    scheme: Scheme | None = None
    secret: Secret | None = None
    overlap_hours: Annotated[Whole, Field(ge=0, le=MAX_OVERLAP_HOURS)] = 24
    """How long the secret before is still good."""


class TrafficView(View):
    received: int
    """New notices, counted once they are read."""
    repeated: int
    refused: int
    """For a signature that was not right, or a body that was no JSON or XML."""
    waiting: int
    unread: int
    """Read, and of no shape that we know, or failed."""
    unknown_codes: int
    last_received_at: datetime | None
    lag_seconds: int
    """How long the oldest that waits to be read has waited."""


class TrackingHookView(View):
    provider: str
    title: str
    scheme: str
    path: str
    """Where the provider posts to; with its token, where that proves it, when it is made only."""
    created_at: datetime
    former_until: datetime | None
    """Until then the secret before is good too."""

    @classmethod
    def of(cls, hook: TrackingHook) -> "TrackingHookView":
        return cls(
            provider=hook.provider,
            title=PROVIDERS[hook.provider].title,
            scheme=hook.scheme,
            path=_path(hook, None),
            created_at=hook.created_at,
            former_until=hook.former_until,
        )


class TrackingSecretView(TrackingHookView):
    secret: str | None
    """Shown this once, so keep it; null where the request is answered again."""

    @classmethod
    def with_secret(cls, hook: TrackingHook, secret: str | None) -> "TrackingSecretView":
        shown = dict(TrackingHookView.of(hook))
        return cls(**{**shown, "path": _path(hook, secret)}, secret=secret)


class TrackingSourceView(TrackingHookView):
    traffic: TrafficView

    @classmethod
    def seen(
        cls, hook: TrackingHook, traffic: Traffic, *, now: datetime
    ) -> "TrackingSourceView":
        oldest = traffic.oldest_waiting_at
        lag = timedelta() if oldest is None else max(now - oldest, timedelta())
        view = TrafficView(
            received=traffic.received,
            repeated=traffic.repeated,
            refused=traffic.refused,
            waiting=traffic.waiting,
            unread=traffic.unread,
            unknown_codes=traffic.unknown_codes,
            last_received_at=traffic.last_received_at,
            lag_seconds=int(lag.total_seconds()),
        )
        return cls(**dict(TrackingHookView.of(hook)), traffic=view)


class TrackingSourcesView(View):
    items: list[TrackingSourceView]


class TrackingNoticeView(View):
    notice_id: str
    provider: str
    received_at: datetime
    size_bytes: int
    state: str
    """WAITING; READ; UNREADABLE, with why; FAILED by our own fault. The latter two are read again."""
    message_id: str
    kind: str
    detail: str
    scans: int
    matched: int
    """Of its scans, those of a policy's parcel."""
    unknown: int
    """How many codes it brought that are in no map."""

    @classmethod
    def of(cls, kept: KeptNotice) -> "TrackingNoticeView":
        reading = kept.reading
        return cls(
            notice_id=kept.notice_id,
            provider=kept.provider,
            received_at=kept.received_at,
            size_bytes=kept.size_bytes,
            state="WAITING" if reading is None else reading.state,
            message_id="" if reading is None else reading.message_id,
            kind="" if reading is None else reading.kind,
            detail="" if reading is None else reading.detail,
            scans=0 if reading is None else reading.scans,
            matched=0 if reading is None else reading.matched,
            unknown=0 if reading is None else reading.unknown,
        )


class RawNoticeView(TrackingNoticeView):
    headers: dict[str, list[str]]
    """As they came, but for what proves the sender in the clear."""


class UnknownCodeView(View):
    provider: str
    kind: str
    """`status` for a top-level code, `sub` for a finer one."""
    code: str
    notices: int
    first_at: datetime
    last_at: datetime
    notice_id: str
    """One that has it."""

    @classmethod
    def of(cls, code: UnknownCode) -> "UnknownCodeView":
        return cls(
            provider=code.provider,
            kind=code.kind,
            code=code.code,
            notices=code.notices,
            first_at=code.first_at,
            last_at=code.last_at,
            notice_id=code.notice_id,
        )


class ReadAgainView(View):
    notices: int
    """How many are read again, within seconds."""


@router.post(
    "/tracking-hooks",
    status_code=201,
    response_model=TrackingSecretView,
    responses=problem_responses(UnknownProvider, UnknownScheme, BadSecret, HasTrackingHook),
)
async def open_tracking_hook(
    body: TrackingHookRequest,
    request: Request,
    caller: Annotated[Caller, requires(HOOKS_WRITE)],
    db: Db,
) -> Response:
    """Let a carrier or aggregator post what happens to your parcels, in its own form."""
    key = await key_of(request, caller.tenant_id)
    provider = provider_of(body.provider)
    secret = _secret(provider, body.secret)
    hook = TrackingHook(
        tenant_id=caller.tenant_id,
        provider=provider.name,
        scheme=_scheme(provider, body.scheme) or next(iter(provider.schemes)),
        sealed_secret=sealer_of(request).seal(secret.encode()),
        created_at=system_now(),
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        await usecases.open_tracking_hook(tx, hook)
        answer = await _keep_without_secret(key, tx, 201, hook, secret)
    desk_of(request.app).forget(caller.tenant_id, provider.name)
    return answer


@router.post(
    "/tracking-hooks/{provider}/rotation",
    response_model=TrackingSecretView,
    responses=problem_responses(UnknownProvider, UnknownTrackingHook, UnknownScheme, BadSecret),
)
async def rotate_tracking_secret(
    provider: str,
    body: TrackingRotationRequest,
    request: Request,
    caller: Annotated[Caller, requires(HOOKS_WRITE)],
    db: Db,
) -> Response:
    """A new secret from now on; the one before is good for a while longer."""
    key = await key_of(request, caller.tenant_id)
    known = provider_of(provider)
    secret = _secret(known, body.secret)
    sealed = sealer_of(request).seal(secret.encode())
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        hook = await usecases.rotate_tracking_secret(
            tx,
            known.name,
            sealed,
            timedelta(hours=body.overlap_hours),
            scheme=_scheme(known, body.scheme),
            tenant_id=caller.tenant_id,
            now=system_now(),
        )
        answer = await _keep_without_secret(key, tx, 200, hook, secret)
    desk_of(request.app).forget(caller.tenant_id, known.name)
    return answer


@router.delete(
    "/tracking-hooks/{provider}",
    status_code=204,
    responses=problem_responses(UnknownProvider, UnknownTrackingHook),
)
async def close_tracking_hook(
    provider: str,
    request: Request,
    caller: Annotated[Caller, requires(HOOKS_WRITE)],
    db: Db,
) -> None:
    """Take nothing from the provider any more. What it has said stays."""
    known = provider_of(provider)
    async with db.transaction(caller.tenant_id) as tx:
        await usecases.close_tracking_hook(tx, known.name, tenant_id=caller.tenant_id)
    desk_of(request.app).forget(caller.tenant_id, known.name)


@router.post("/tracking-hooks/{provider}/reading", responses=problem_responses(UnknownProvider))
async def read_tracking_again(
    provider: str, caller: Annotated[Caller, requires(HOOKS_WRITE)], db: Db
) -> ReadAgainView:
    """Read once more what could not be read, or has a code that the map did not have."""
    known = provider_of(provider)
    async with db.transaction(caller.tenant_id) as tx:
        notices = await store.read_again(tx, known.name, tenant_id=caller.tenant_id)
    return ReadAgainView(notices=notices)


@router.get("/tracking-hooks")
async def list_tracking_hooks(
    caller: Annotated[Caller, requires(HOOKS_WRITE)], db: Db
) -> TrackingSourcesView:
    """Your tracking hooks, and how much came by each: received, refused, not understood, waiting."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_tracking_hooks(tx, tenant_id=caller.tenant_id)
    now = system_now()
    return TrackingSourcesView(
        items=[TrackingSourceView.seen(hook, traffic, now=now) for hook, traffic in found]
    )


@router.get("/tracking-notices", responses=problem_responses(BadCursor))
async def list_tracking_notices(
    caller: Annotated[Caller, requires(HOOKS_WRITE)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    span: Annotated[Span, Depends(span)],
    provider: Annotated[
        str | None, Query(max_length=64, description="Only this one's.")
    ] = None,
    state: Annotated[
        Literal["WAITING", "READ", "UNREADABLE", "FAILED"] | None,
        Query(description="Only these."),
    ] = None,
) -> Page[TrackingNoticeView]:
    """What carriers and aggregators posted, the newest first, and what it was read as."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_tracking_notices(
            tx,
            tenant_id=caller.tenant_id,
            provider=provider,
            state=state,
            since=span.since,
            until=span.until,
            before=_notices.after(paging.cursor) or NEWEST,
            limit=paging.limit + 1,
        )
    return _notices.page(
        found,
        paging.limit,
        view=TrackingNoticeView.of,
        position=lambda kept: (kept.received_at, kept.notice_id),
    )


@router.get("/tracking-notices/{notice_id}", responses=problem_responses(UnknownTrackingNotice))
async def show_tracking_notice(
    notice_id: str, caller: Annotated[Caller, requires(HOOKS_WRITE)], db: Db
) -> RawNoticeView:
    """A notice with the headers it came with; its body is at `/body`."""
    async with db.transaction(caller.tenant_id) as tx:
        notice, reading = await store.get_tracking_notice(
            tx, notice_id, tenant_id=caller.tenant_id
        )
    kept = KeptNotice(
        notice_id=notice.notice_id,
        provider=notice.provider,
        size_bytes=len(notice.body),
        received_at=notice.received_at,
        reading=reading,
    )
    headers = {name: list(values) for name, values in store.headers_of(notice).items()}
    return RawNoticeView(**dict(TrackingNoticeView.of(kept)), headers=headers)


@router.get(
    "/tracking-notices/{notice_id}/body",
    response_class=Response,
    responses={
        200: {"description": "The bytes as they came", "content": {_BYTES: {}}},
        **problem_responses(UnknownTrackingNotice),
    },
)
async def show_tracking_body(
    notice_id: str, caller: Annotated[Caller, requires(HOOKS_WRITE)], db: Db
) -> Response:
    """What was posted, byte for byte."""
    async with db.transaction(caller.tenant_id) as tx:
        notice, _ = await store.get_tracking_notice(tx, notice_id, tenant_id=caller.tenant_id)
    return Response(notice.body, media_type=_BYTES)


@router.get("/tracking-codes", responses=problem_responses(BadCursor))
async def list_unknown_codes(
    caller: Annotated[Caller, requires(HOOKS_WRITE)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
) -> Page[UnknownCodeView]:
    """Codes that were posted and are in no map: add them to yours, then read them again."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_unknown_codes(
            tx,
            tenant_id=caller.tenant_id,
            after=_codes.after(paging.cursor) or ("", "", ""),
            limit=paging.limit + 1,
        )
    return _codes.page(
        found,
        paging.limit,
        view=UnknownCodeView.of,
        position=lambda code: (code.provider, code.kind, code.code),
    )


async def _keep_without_secret(
    key: RequestKey, tx: Tx, status: int, hook: TrackingHook, secret: str
) -> Response:
    """The answer for a repeat is kept in the open, so it does not hold the secret."""
    await key.keep(tx, status, TrackingSecretView.with_secret(hook, None))
    view = TrackingSecretView.with_secret(hook, secret)
    return Response(view.model_dump_json(), status, media_type=JSON)


def _secret(provider: Provider, given: str | None) -> str:
    """BadSecret where the provider could not sign with it, or anybody could guess it."""
    secret = given or provider.secret_of(randomness.token_bytes(SECRET_BYTES))
    if len(secret) < MIN_SECRET_CHARACTERS:
        raise BadSecret(f"A secret has at least {MIN_SECRET_CHARACTERS} characters.")
    provider.check_secret(secret)
    return secret


def _scheme(provider: Provider, named: str | None) -> str | None:
    if named is not None and named not in provider.schemes:
        raise UnknownScheme(
            f"{provider.title} proves itself by one of: {', '.join(provider.schemes)}."
        )
    return named


def _path(hook: TrackingHook, secret: str | None) -> str:
    query = {"tenant": hook.tenant_id}
    scheme = PROVIDERS[hook.provider].schemes[hook.scheme]
    if secret is not None and (token := scheme.url_token(secret)) is not None:
        query["token"] = token
    return f"/v1/tracking/{hook.provider}?{urlencode(query)}"
