"""What ends or changes a policy: cancellation, seen first and then confirmed; a new address; void."""

from typing import Annotated, Literal

from fastapi import Request, Response

from libs.common import web
from libs.common.auth import POLICIES_READ, POLICIES_VOID, POLICIES_WRITE, Caller, requires
from libs.common.history import ChangedMeanwhile, IfMatch
from libs.common.idempotency import key_of
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, now_of
from libs.common.wire import Body, Code, MoneyIn, MoneyView, View
from services.policy import store, usecases
from services.policy.api.parts import Country, must_be_current, view_of
from services.policy.api.views import CancellationPreview, PolicyView, StepView
from services.policy.domain import endings
from services.policy.domain.endings import (
    DestinationDiffers,
    NotCancellable,
    NotVoided,
    UnknownReason,
)
from services.policy.store import UnknownPolicy
from services.policy.usecases.endings import RefundDiffers

router = web.api_router("/v1", tags=["policies"])


class ReasonRequest(Body):
    reason: Code = "CUSTOMER_CANCEL"
    """One of the plan's refund reasons."""


class CancellationRequest(ReasonRequest):
    refund: MoneyIn | None = None
    """What the customer was shown; refused where it is another by now."""


class CancellationView(View):
    policy: PolicyView
    refund: MoneyView
    steps: list[StepView]
    """The refund's arithmetic."""


class AddressRequest(Body):
    destination: Country
    """The country of the new address."""


class AddressPreview(View):
    """What a new address would mean for the cover."""

    policy_id: str
    version: int
    becomes_void: bool
    state: str
    refund: MoneyView
    rule_ids: list[str]


class VoidRequest(Body):
    cause: Literal["fraud"]
    """A false declaration voids every policy."""


@router.post(
    "/policies/{policy_id}/cancellation/preview",
    responses=problem_responses(UnknownPolicy, UnknownReason),
)
async def preview_cancellation(
    policy_id: str,
    body: ReasonRequest,
    caller: Annotated[Caller, requires(POLICIES_READ)],
    db: Db,
    parts: Parts,
) -> CancellationPreview:
    """What would go back if it were cancelled now, and how that comes about. Nothing is changed."""
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        policy, version = await store.get_snapshot(tx, policy_id, tenant_id=caller.tenant_id)
    plan = parts.plans.pinned(policy.plan.sha256)
    return CancellationPreview.of(endings.cancellation(policy, plan, body.reason, now), version)


@router.post(
    "/policies/{policy_id}/cancellation",
    response_model=CancellationView,
    responses=problem_responses(
        UnknownPolicy, UnknownReason, NotCancellable, RefundDiffers, ChangedMeanwhile
    ),
)
async def cancel_policy(
    policy_id: str,
    body: CancellationRequest,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
    parts: Parts,
    if_match: IfMatch = None,
) -> Response:
    """Cancel while the plan still refunds; the answer says what goes back."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.CancelPolicy(
        tenant_id=caller.tenant_id,
        policy_id=policy_id,
        reason=body.reason,
        refund=body.refund.to_money() if body.refund else None,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        await must_be_current(tx, policy_id, if_match, tenant_id=caller.tenant_id)
        cancelled = await usecases.cancel_policy(tx, parts.plans, command, now=now)
        view = CancellationView(
            policy=await view_of(tx, cancelled.policy),
            refund=MoneyView.of(cancelled.refund),
            steps=[StepView.of(step) for step in cancelled.steps],
        )
        return await key.keep(tx, 200, view)


@router.post(
    "/policies/{policy_id}/address/preview", responses=problem_responses(UnknownPolicy)
)
async def preview_address(
    policy_id: str,
    body: AddressRequest,
    caller: Annotated[Caller, requires(POLICIES_READ)],
    db: Db,
    parts: Parts,
) -> AddressPreview:
    """Whether a new address would make the policy void. Nothing is changed."""
    async with db.transaction(caller.tenant_id) as tx:
        policy, version = await store.get_snapshot(tx, policy_id, tenant_id=caller.tenant_id)
    plan = parts.plans.pinned(policy.plan.sha256)
    is_void = endings.is_voided_by_address(policy, plan)
    if not is_void:
        endings.must_keep_country(policy, body.destination)
    return AddressPreview(
        policy_id=policy_id,
        version=version,
        becomes_void=is_void,
        state="VOID" if is_void else policy.state,
        refund=MoneyView.of(policy.refund),
        rule_ids=list(plan.cover.void_rules) if is_void else [],
    )


@router.post(
    "/policies/{policy_id}/address",
    response_model=PolicyView,
    responses=problem_responses(UnknownPolicy, DestinationDiffers, NotVoided, ChangedMeanwhile),
)
async def change_address(
    policy_id: str,
    body: AddressRequest,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
    parts: Parts,
    if_match: IfMatch = None,
) -> Response:
    """The parcel goes to another address. Under some plans that makes the policy void: look first."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        await must_be_current(tx, policy_id, if_match, tenant_id=caller.tenant_id)
        policy = await usecases.change_address(
            tx,
            parts.plans,
            policy_id,
            body.destination,
            tenant_id=caller.tenant_id,
            now=now,
        )
        return await key.keep(tx, 200, await view_of(tx, policy))


@router.post(
    "/policies/{policy_id}/void",
    response_model=PolicyView,
    responses=problem_responses(UnknownPolicy, NotVoided, ChangedMeanwhile),
)
async def void_policy(
    policy_id: str,
    body: VoidRequest,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_VOID)],
    db: Db,
    parts: Parts,
    if_match: IfMatch = None,
) -> Response:
    """A false declaration came out: no cover, and no refund."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        await must_be_current(tx, policy_id, if_match, tenant_id=caller.tenant_id)
        policy = await usecases.void_policy(
            tx, parts.plans, policy_id, body.cause, tenant_id=caller.tenant_id, now=now
        )
        return await key.keep(tx, 200, await view_of(tx, policy))
