"""One of our services asks another, on a tenant's behalf, by a token that lives a minute."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from libs.common.auth import ServiceSigner
from libs.common.errors import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another service, as `name` at `url`. It is asked before a transaction is opened, never within."""

    name: str
    url: str
    http: httpx.AsyncClient
    signer: ServiceSigner

    async def find(
        self, *steps: str, tenant_id: str, params: Mapping[str, str] | None = None
    ) -> bytes | None:
        """The body at this path, None where there is none (404); Unavailable when it cannot be had.

        A step may be a caller's own text, such as an id: none of it is read as part of the path.
        """
        path = "/".join(quote(step, safe="") for step in steps)
        try:
            response = await self.http.get(
                f"{self.url}/{path}", params=params, headers=self.signer.headers(tenant_id)
            )
        except httpx.HTTPError as failure:
            raise Unavailable(
                f"The {self.name} service does not answer. Try again soon."
            ) from failure
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise Unavailable(
                f"The {self.name} service answered with an error. Try again soon."
            )
        return response.content

    async def get(
        self, *steps: str, tenant_id: str, params: Mapping[str, str] | None = None
    ) -> bytes:
        """As `find`, where there is always something."""
        body = await self.find(*steps, tenant_id=tenant_id, params=params)
        if body is None:
            raise Unavailable(f"The {self.name} service does not know this. Try again soon.")
        return body
