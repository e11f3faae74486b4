"""What the claims service reads through from the policy service, always before a transaction."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from libs.common.peers import Peer
from services.claims.domain.cases import Cover, Terms, Tracking


class _Pin(msgspec.Struct):
    plan: str
    version: int
    sha256: str


class _Policy(msgspec.Struct):
    policy_id: str
    plan: _Pin
    terms: Terms
    state: str
    carrier: str
    tracking_number: str
    tracking: Tracking
    sequence: int
    paid_at: datetime | None = None
    confirmed_at: datetime | None = None


class _Found(msgspec.Struct):
    policy_ids: list[str]


_policies = msgspec.json.Decoder(_Policy)
_found = msgspec.json.Decoder(_Found)


async def fetch_cover(policies: Peer, policy_id: str, *, tenant_id: str) -> Cover | None:
    """The policy as it is now; None where the tenant has no such policy."""
    found = await policies.find("internal", "policies", policy_id, tenant_id=tenant_id)
    if found is None:
        return None
    policy = _policies.decode(found)
    return Cover(
        policy_id=policy.policy_id,
        tenant_id=tenant_id,
        plan=policy.plan.plan,
        plan_version=policy.plan.version,
        plan_sha256=policy.plan.sha256,
        state=policy.state,
        terms=policy.terms,
        tracking=policy.tracking,
        paid_at=policy.paid_at,
        confirmed_at=policy.confirmed_at,
        carrier=policy.carrier,
        tracking_number=policy.tracking_number,
        sequence=policy.sequence,
    )


async def fetch_tracking_snapshot(
    policies: Peer, policy_id: str, *, tenant_id: str, as_of: datetime
) -> bytes:
    """What was known of the parcel at an instant, hashed and signed: bytes to be kept as they are."""
    return await policies.get(
        "internal",
        "policies",
        policy_id,
        "tracking-snapshot",
        tenant_id=tenant_id,
        params={"as_of": as_of.isoformat()},
    )


async def find_policy_ids(
    policies: Peer, wanted: Mapping[str, str], *, tenant_id: str
) -> list[str]:
    """Policies by `tracking_number` (and `carrier`) or `order_ref`, newest first."""
    answer = await policies.get("internal", "policies", tenant_id=tenant_id, params=wanted)
    return _found.decode(answer).policy_ids
