"""Payment providers: where they post to, with which secret, and what they have said."""

import secrets as randomness
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response
from pydantic import Field

from libs.common import signatures, testclock, web
from libs.common.auth import HOOKS_WRITE, SIGNED, Caller, requires
from libs.common.clock import system_now
from libs.common.db import Tx
from libs.common.idempotency import RequestKey, key_of
from libs.common.ids import TENANT_ID
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
from libs.common.service import Db, Parts
from libs.common.signatures import BadSecret, BadSignature
from libs.common.wire import Body, View, Whole
from services.policy import store, usecases
from services.policy.api.parts import (
    JSON,
    MAX_OVERLAP_HOURS,
    SECRET_BYTES,
    Secret,
    sealer_of,
)
from services.policy.api.providers import PROVIDERS
from services.policy.store import Hook, Notice, UnknownHook

router = web.api_router("/v1", tags=["payment hooks"])
# Its callers have no token: the signature over the bytes says who they are.
signed = web.raw_router("/v1", tags=["payment hooks"], dependencies=[SIGNED])

_hooks: Listing[Moment] = Listing("payment-hooks", tuple[datetime, str])
_notices: Listing[Moment] = Listing("payment-notices", tuple[datetime, str])


class HookRequest(Body):
    provider: Literal["standard", "stripe"]
    secret: Secret | None = None
    """The provider's signing secret; one is made where there is none (Standard Webhooks only)."""


class RotationRequest(Body):
    secret: Secret | None = None
    overlap_hours: Annotated[Whole, Field(ge=0, le=MAX_OVERLAP_HOURS)] = 24
    """How long the secret before is still good."""


class HookView(View):
    hook_id: str
    provider: str
    path: str
    """Where the provider posts to."""
    created_at: datetime
    former_until: datetime | None
    """Until then the secret before is good too."""

    @classmethod
    def of(cls, hook: Hook) -> "HookView":
        return cls(
            hook_id=hook.hook_id,
            provider=hook.provider,
            path=f"/v1/tenants/{hook.tenant_id}/payment-hooks/{hook.hook_id}",
            created_at=hook.created_at,
            former_until=hook.former_until,
        )


class SecretView(HookView):
    secret: str | None
    """Shown this once, so keep it; null where the request is answered again."""

    @classmethod
    def with_secret(cls, hook: Hook, secret: str | None) -> "SecretView":
        return cls(**dict(HookView.of(hook)), secret=secret)


class NoticeView(View):
    notice_id: str
    hook_id: str
    provider_event_id: str
    kind: str
    policy_id: str
    reference: str
    received_at: datetime
    state: str
    """APPLIED; WAITING for the payment it is about; UNMATCHED, with why; IGNORED: no kind of ours."""
    detail: str

    @classmethod
    def of(cls, notice: Notice) -> "NoticeView":
        return cls(
            notice_id=notice.notice_id,
            hook_id=notice.hook_id,
            provider_event_id=notice.provider_event_id,
            kind=notice.kind,
            policy_id=notice.policy_id,
            reference=notice.reference,
            received_at=notice.received_at,
            state=notice.state,
            detail=notice.detail,
        )


@router.post(
    "/payment-hooks",
    status_code=201,
    response_model=SecretView,
    responses=problem_responses(BadSecret),
)
async def open_hook(
    body: HookRequest,
    request: Request,
    caller: Annotated[Caller, requires(HOOKS_WRITE)],
    db: Db,
) -> Response:
    """Let a payment provider tell us of payments, refunds and disputes."""
    key = await key_of(request, caller.tenant_id)
    secret = _secret(body.provider, body.secret)
    sealed = sealer_of(request).seal(secret.encode())
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        hook = await usecases.open_hook(
            tx, caller.tenant_id, body.provider, sealed, now=system_now()
        )
        return await _keep_without_secret(key, tx, 201, hook, secret)


@router.post(
    "/payment-hooks/{hook_id}/rotation",
    response_model=SecretView,
    responses=problem_responses(UnknownHook, BadSecret),
)
async def rotate_secret(
    hook_id: str,
    body: RotationRequest,
    request: Request,
    caller: Annotated[Caller, requires(HOOKS_WRITE)],
    db: Db,
) -> Response:
    """A new secret from now on; the one before is good for a while longer."""
    key = await key_of(request, caller.tenant_id)
    async with db.transaction(caller.tenant_id) as tx:
        hook = await store.get_hook(tx, hook_id, tenant_id=caller.tenant_id)
    secret = _secret(hook.provider, body.secret)
    sealed = sealer_of(request).seal(secret.encode())
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        rotated = await usecases.rotate_secret(
            tx,
            hook_id,
            sealed,
            timedelta(hours=body.overlap_hours),
            tenant_id=caller.tenant_id,
            now=system_now(),
        )
        return await _keep_without_secret(key, tx, 200, rotated, secret)


@router.get("/payment-hooks", responses=problem_responses(BadCursor))
async def list_hooks(
    caller: Annotated[Caller, requires(HOOKS_WRITE)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
) -> Page[HookView]:
    """Your payment hooks, the newest first. Secrets are never shown again."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_hooks(
            tx,
            tenant_id=caller.tenant_id,
            before=_hooks.after(paging.cursor) or NEWEST,
            limit=paging.limit + 1,
        )
    return _hooks.page(
        found,
        paging.limit,
        view=HookView.of,
        position=lambda hook: (hook.created_at, hook.hook_id),
    )


@router.get("/payment-notices", responses=problem_responses(BadCursor))
async def list_notices(
    caller: Annotated[Caller, requires(HOOKS_WRITE)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    span: Annotated[Span, Depends(span)],
    state: Annotated[
        Literal["APPLIED", "WAITING", "UNMATCHED", "IGNORED"] | None,
        Query(description="Only these."),
    ] = None,
) -> Page[NoticeView]:
    """What payment providers have said, the newest first, and what became of it."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_notices(
            tx,
            tenant_id=caller.tenant_id,
            state=state,
            since=span.since,
            until=span.until,
            before=_notices.after(paging.cursor) or NEWEST,
            limit=paging.limit + 1,
        )
    return _notices.page(
        found,
        paging.limit,
        view=NoticeView.of,
        position=lambda notice: (notice.received_at, notice.notice_id),
    )


@signed.post(
    "/tenants/{tenant_id}/payment-hooks/{hook_id}",
    responses=problem_responses(UnknownHook, BadSignature),
)
async def take_notice(
    tenant_id: str, hook_id: str, request: Request, db: Db, parts: Parts
) -> NoticeView:
    """A payment provider's signed notice. It is kept as it came, and worked through once.

    What cannot be applied (an unknown policy, more refunded than paid) is kept and listed, and
    answered 200 all the same: sending it again would not mend it.
    """
    body = await request.body()
    if not TENANT_ID.fullmatch(tenant_id):
        raise UnknownHook(f"No payment hook {hook_id} in your account.")
    async with db.transaction(tenant_id) as tx:
        hook = await store.get_hook(tx, hook_id, tenant_id=tenant_id)
    real_now = system_now()
    notice = PROVIDERS[hook.provider](
        hook_id, _good_secrets(request, hook, real_now), _headers(request), body, real_now
    )
    now = await testclock.business_now(db, tenant_id)
    async with db.transaction(tenant_id) as tx:
        kept = await usecases.take_notice(tx, parts.plans, notice, tenant_id=tenant_id, now=now)
    return NoticeView.of(kept)


async def _keep_without_secret(
    key: RequestKey, tx: Tx, status: int, hook: Hook, secret: str
) -> Response:
    """The answer for a repeat is kept in the open, so it does not hold the secret."""
    await key.keep(tx, status, SecretView.with_secret(hook, None))
    view = SecretView.with_secret(hook, secret)
    return Response(view.model_dump_json(), status, media_type=JSON)


def _secret(provider: str, given: str | None) -> str:
    """BadSecret where the provider could not sign with it."""
    if provider == "stripe":
        if given is None or len(given) < 16:
            raise BadSecret("Send the signing secret that Stripe shows for the endpoint.")
        return given
    secret = given or signatures.secret_of(randomness.token_bytes(SECRET_BYTES))
    signatures.check_standard_secret(secret)
    return secret


def _good_secrets(request: Request, hook: Hook, now: datetime) -> list[str]:
    sealer = sealer_of(request)
    good = [sealer.open(hook.sealed_secret).decode()]
    former, until = hook.sealed_former, hook.former_until
    if former is not None and until is not None and now < until:
        good.append(sealer.open(former).decode())
    return good


def _headers(request: Request) -> signatures.Headers:
    return {name: request.headers.getlist(name) for name in request.headers}
