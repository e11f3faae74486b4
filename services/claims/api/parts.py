"""What the routes of claims share: rules, the policy service, and which policy is meant."""

from libs.common.db import Database, Tx
from libs.common.errors import Conflict, Fault, Invalid
from libs.common.peers import Peer
from libs.common.service import Running
from services.claims import clients, store, usecases
from services.claims.api.requests import ParcelRequest
from services.claims.domain.cases import Cover
from services.claims.store import UnknownPolicy
from services.claims.usecases import Rules


class WhichPolicy(Invalid):
    code = "which-policy"
    title = "The request does not say which parcel"


class SeveralPolicies(Conflict):
    code = "several-policies"
    title = "Several of your policies fit"


def rules_of(parts: Running) -> Rules:
    return Rules(plans=parts.plans, tenants=parts.tenants)


async def cover_of(db: Database, parts: Running, policy_id: str, tenant_id: str) -> Cover:
    """Our copy, or the policy read through where its event has not arrived yet, kept then."""
    async with db.transaction(tenant_id) as tx:
        known = await store.find_cover(tx, policy_id, tenant_id=tenant_id)
    if known is not None:
        return known
    fetched = await clients.fetch_cover(parts.peer("policy"), policy_id, tenant_id=tenant_id)
    if fetched is None:
        raise UnknownPolicy(f"No policy {policy_id} in your account.")
    async with db.transaction(tenant_id) as tx:
        await usecases.remember_fetched(tx, fetched)
    return fetched


async def known_policies(tx: Tx, body: ParcelRequest, tenant_id: str) -> list[str]:
    """The policies we know that the claim may mean."""
    if body.policy_id is not None:
        cover = await store.find_cover(tx, body.policy_id, tenant_id=tenant_id)
        return [] if cover is None else [cover.policy_id]
    return await store.list_policy_ids(tx, tenant_id=tenant_id, **_wanted(body))


async def which_policy(
    policies: Peer, body: ParcelRequest, known: list[str], tenant_id: str
) -> tuple[str | None, Cover | None]:
    """The policy claimed on, and its copy where it had to be read through; None: not insured."""
    found = known
    if not found and body.policy_id is None:
        found = await clients.find_policy_ids(policies, _wanted(body), tenant_id=tenant_id)
        if not found:
            return None, None
    if len(found) > 1:
        raise SeveralPolicies(
            f"Say which as `policy_id`: {', '.join(found)}.", policy_ids=found
        )
    policy_id = found[0] if found else str(body.policy_id)
    if policy_id in known:
        return policy_id, None
    fetched = await clients.fetch_cover(policies, policy_id, tenant_id=tenant_id)
    if fetched is None:
        raise UnknownPolicy(f"No policy {policy_id} in your account.")
    return policy_id, fetched


def _wanted(body: ParcelRequest) -> dict[str, str]:
    if not body.tracking_number and not body.order_ref:
        detail = "Name the policy_id, or a tracking_number, or an order_ref."
        raise WhichPolicy(detail, faults=[Fault(detail, "#/policy_id")])
    return {
        "carrier": body.carrier or "",
        "tracking_number": body.tracking_number or "",
        "order_ref": body.order_ref or "",
    }
