"""What only our own services ask: a policy read through, and where to tell its customer."""

from typing import Annotated

import msgspec
from fastapi import Response

from libs.common import web
from libs.common.auth import INTERNAL_READ, Caller, requires
from libs.common.service import Db
from libs.common.wire import View
from services.policy import store
from services.policy.api.parts import JSON
from services.policy.domain.policies import Policy

router = web.api_router()


class ContactView(View):
    policy_id: str
    email: str | None
    locale: str
    order_ref: str


class FoundView(View):
    policy_ids: list[str]


@router.get("/internal/policies/{policy_id}/contact", include_in_schema=False)
async def show_contact(
    policy_id: str, caller: Annotated[Caller, requires(INTERNAL_READ)], db: Db
) -> ContactView:
    """For the notifier alone: personal data is asked for when it is needed, never in an event."""
    async with db.transaction(caller.tenant_id) as tx:
        contact, order_ref = await store.get_contact(tx, policy_id, tenant_id=caller.tenant_id)
    return ContactView(
        policy_id=policy_id, email=contact.email, locale=contact.locale, order_ref=order_ref
    )


@router.get("/internal/policies/{policy_id}", include_in_schema=False)
async def show_snapshot(
    policy_id: str, caller: Annotated[Caller, requires(INTERNAL_READ)], db: Db
) -> Response:
    """A policy as its events would tell it, with their count: for a service that reads through."""
    async with db.transaction(caller.tenant_id) as tx:
        policy, sequence = await store.get_snapshot(tx, policy_id, tenant_id=caller.tenant_id)
    return Response(msgspec.json.encode(_snapshot(policy, sequence)), media_type=JSON)


@router.get("/internal/policies", include_in_schema=False)
async def find_policies(
    caller: Annotated[Caller, requires(INTERNAL_READ)],
    db: Db,
    carrier: str = "",
    tracking_number: str = "",
    order_ref: str = "",
) -> FoundView:
    """The policies of a parcel's number or of an order."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_policy_ids(
            tx,
            tenant_id=caller.tenant_id,
            carrier=carrier,
            tracking_number=tracking_number,
            order_ref=order_ref,
        )
    return FoundView(policy_ids=found)


def _snapshot(policy: Policy, sequence: int) -> dict[str, object]:
    return {
        "policy_id": policy.policy_id,
        "plan": policy.plan,
        "terms": policy.terms,
        "state": policy.state,
        "paid_at": policy.paid_at,
        "confirmed_at": policy.confirmed_at,
        "carrier": policy.carrier,
        "tracking_number": policy.tracking_number,
        "tracking": policy.tracking,
        "sequence": sequence,
    }
