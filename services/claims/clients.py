"""What the claims service reads through from the policy service, always before a transaction."""

from collections.abc import Mapping
from datetime import datetime

import httpx
import msgspec

from libs.common.auth import ServiceSigner
from libs.common.errors import Unavailable
from libs.common.settings import Settings
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


class PolicyService:
    """The policy service, asked on a tenant's behalf."""

    def __init__(
        self, http: httpx.AsyncClient, signer: ServiceSigner, settings: Settings
    ) -> None:
        self._http = http
        self._signer = signer
        self._url = settings.policy_url

    async def fetch_cover(self, policy_id: str, *, tenant_id: str) -> Cover | None:
        """The policy as it is now; None where the tenant has no such policy."""
        response = await self._get(f"/internal/policies/{policy_id}", {}, tenant_id)
        if response.status_code == 404:
            return None
        policy = _policies.decode(_content(response))
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

    async def find_policy_ids(self, wanted: Mapping[str, str], *, tenant_id: str) -> list[str]:
        """Policies by `tracking_number` (and `carrier`) or `order_ref`, newest first."""
        response = await self._get("/internal/policies", wanted, tenant_id)
        return _found.decode(_content(response)).policy_ids

    async def _get(
        self, path: str, params: Mapping[str, str], tenant_id: str
    ) -> httpx.Response:
        try:
            return await self._http.get(
                f"{self._url}{path}", params=params, headers=self._signer.headers(tenant_id)
            )
        except httpx.HTTPError as failure:
            raise Unavailable(
                "The policy service does not answer. Try again soon."
            ) from failure


def _content(response: httpx.Response) -> bytes:
    if response.status_code != 200:
        raise Unavailable("The policy service answered with an error. Try again soon.")
    return response.content
