"""Policies: bound, shown, listed, with what became of them."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response

from libs.common import history, web
from libs.common.auth import POLICIES_READ, POLICIES_WRITE, Caller, requires
from libs.common.history import ChangedMeanwhile, ChangeView, IfMatch
from libs.common.idempotency import key_of
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
from libs.common.service import Db, Parts, now_of
from libs.common.wire import (
    Body,
    Code,
    IdOf,
    Matching,
    MoneyIn,
    Reference,
    TrackingNumber,
    View,
)
from services.policy import clients, store, usecases
from services.policy.api.parts import Carrier, must_be_current, view_of
from services.policy.api.views import PolicySummary, PolicyView
from services.policy.domain.policies import OptedOut, ParcelInsured, QuoteExpired
from services.policy.store import Contact, QuoteAlreadyBound, UnknownPolicy, Wanted

router = web.api_router("/v1", tags=["policies"])

_listing: Listing[Moment] = Listing("policies", tuple[datetime, str])

QuoteId = Annotated[str, IdOf("quo")]
Email = Annotated[
    str, Matching(r"[^@\s]{1,64}@[^@\s]{1,189}", "an e-mail address such as ann@example.com")
]
Locale = Annotated[
    str, Matching(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*", "a language such as en or zh-Hans")
]
State = Literal[
    "PENDING", "SCHEDULED", "ACTIVE", "RUN_OFF", "EXPIRED", "CANCELLED", "INVALID", "VOID"
]


class ContactIn(Body):
    email: Email | None = None
    locale: Locale = "en"

    def to_contact(self) -> Contact:
        return Contact(email=self.email, locale=self.locale)


class BindRequest(Body):
    quote_id: QuoteId
    plan: Code | None = None
    """Which of the quote's offers; not needed where it has one."""
    premium: MoneyIn | None = None
    """What the customer was shown; the policy is refused when the quote says otherwise."""
    contact: ContactIn = ContactIn()
    carrier: Carrier | None = None
    tracking_number: TrackingNumber | None = None


class ChangedContactView(View):
    policy_id: str
    version: int


@router.post(
    "/policies",
    status_code=201,
    response_model=PolicyView,
    responses=problem_responses(QuoteAlreadyBound, QuoteExpired, OptedOut, ParcelInsured),
)
async def bind_policy(
    body: BindRequest,
    request: Request,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Bind a quote, once. The quote is fetched from the quote service, never taken from the caller."""
    key = await key_of(request, caller.tenant_id)
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.find(tx)) is not None:
            return answer
    offer = await clients.fetch_offer(
        parts.peer("quote"),
        tenant_id=caller.tenant_id,
        quote_id=body.quote_id,
        plan=body.plan,
    )
    now = await now_of(db, caller)
    tenant = parts.tenants.get(caller.tenant_id)
    command = usecases.BindPolicy(
        tenant_id=caller.tenant_id,
        offer=offer,
        contact=body.contact.to_contact(),
        premium=body.premium.to_money() if body.premium else None,
        carrier=body.carrier or "",
        tracking_number=body.tracking_number or "",
        needs_consent=tenant is not None and tenant.requires_consent,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        policy = await usecases.bind_policy(tx, command, now=now)
        return await key.keep(tx, 201, await view_of(tx, policy))


@router.get("/policies", responses=problem_responses(BadCursor))
async def list_policies(
    caller: Annotated[Caller, requires(POLICIES_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    span: Annotated[Span, Depends(span)],
    state: Annotated[State | None, Query(description="Only policies in this state.")] = None,
    plan: Annotated[Code | None, Query(description="Only policies of this plan.")] = None,
    order_ref: Annotated[
        Reference | None, Query(description="Only those of this order.")
    ] = None,
    tracking_number: Annotated[
        TrackingNumber | None, Query(description="Only those of this parcel.")
    ] = None,
) -> Page[PolicySummary]:
    """Your policies, the newest first; `since` and `until` go by when they were bound."""
    wanted = Wanted(
        state=state,
        plan=plan,
        order_ref=order_ref,
        tracking_number=tracking_number,
        since=span.since,
        until=span.until,
    )
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_policies(
            tx,
            wanted,
            tenant_id=caller.tenant_id,
            before=_listing.after(paging.cursor) or NEWEST,
            limit=paging.limit + 1,
        )
    return _listing.page(
        found,
        paging.limit,
        view=PolicySummary.of,
        position=lambda policy: (policy.bound_at, policy.policy_id),
    )


@router.get("/policies/{policy_id}", responses=problem_responses(UnknownPolicy))
async def show_policy(
    policy_id: str,
    response: Response,
    caller: Annotated[Caller, requires(POLICIES_READ, or_service=True)],
    db: Db,
) -> PolicyView:
    """A policy with its parcel's position. Unknown and another's are the same 404."""
    async with db.transaction(caller.tenant_id) as tx:
        policy, version = await store.get_snapshot(tx, policy_id, tenant_id=caller.tenant_id)
    response.headers.update(history.etag(version))
    return PolicyView.of(policy, version)


@router.get("/policies/{policy_id}/history", responses=problem_responses(UnknownPolicy))
async def show_policy_history(
    policy_id: str,
    caller: Annotated[Caller, requires(POLICIES_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
) -> Page[ChangeView]:
    """What became of it, the first change first: each the event that was said of it, and by whom."""
    async with db.transaction(caller.tenant_id) as tx:
        await store.get_policy(tx, policy_id, tenant_id=caller.tenant_id)
        return await history.page_of(tx, policy_id, paging, tenant_id=caller.tenant_id)


@router.put(
    "/policies/{policy_id}/contact",
    responses=problem_responses(UnknownPolicy, ChangedMeanwhile),
)
async def change_contact(
    policy_id: str,
    body: ContactIn,
    caller: Annotated[Caller, requires(POLICIES_WRITE)],
    db: Db,
    if_match: IfMatch = None,
) -> ChangedContactView:
    """Where the customer is told things from now on. It is never shown, and stands in no event."""
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        await must_be_current(tx, policy_id, if_match, tenant_id=caller.tenant_id)
        policy = await usecases.change_contact(
            tx, policy_id, body.to_contact(), tenant_id=caller.tenant_id, now=now
        )
        version = await history.version_of(tx, policy_id, tenant_id=caller.tenant_id)
    return ChangedContactView(policy_id=policy.policy_id, version=version)
