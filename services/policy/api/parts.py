"""What several routes of policies share."""

from typing import Annotated, Final

from fastapi import Request

from libs.common import history
from libs.common.db import Tx
from libs.common.sealed import Sealer
from libs.common.wire import IdOf, Matching, OneLine
from services.policy import store
from services.policy.api.views import PolicyView
from services.policy.domain.policies import Policy

JSON: Final = "application/json"

Carrier = Annotated[str, OneLine(64)]
Country = Annotated[str, Matching("[A-Z]{2}", "a country of ISO 3166-1 such as DE")]
PolicyId = Annotated[str, IdOf("pol")]

# Of whoever posts to us: how long a secret of ours is, and how long a former one may be good.
SECRET_BYTES: Final = 32
MAX_OVERLAP_HOURS: Final = 168
Secret = Annotated[str, OneLine(200)]


def sealer_of(request: Request) -> Sealer:
    sealer: Sealer = request.app.state.sealer
    return sealer


async def view_of(tx: Tx, policy: Policy) -> PolicyView:
    """The policy as it is now, with its version."""
    version = await history.version_of(tx, policy.policy_id, tenant_id=policy.tenant_id)
    return PolicyView.of(policy, version)


async def must_be_current(
    tx: Tx, policy_id: str, if_match: str | None, *, tenant_id: str
) -> None:
    """ChangedMeanwhile where the caller saw another version; the policy is held from here on."""
    if if_match is not None:
        await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
        await history.must_be_current(tx, policy_id, if_match, tenant_id=tenant_id)
