"""One of our services asks another, on a tenant's behalf, by a token that lives a minute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import httpx
from httpx import USE_CLIENT_DEFAULT

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
        request = self.http.build_request(
            "GET", self._url(steps), params=params, headers=self.signer.headers(tenant_id)
        )
        return await self._answer_to(request)

    async def get(
        self, *steps: str, tenant_id: str, params: Mapping[str, str] | None = None
    ) -> bytes:
        """As `find`, where there is always something."""
        return self._known(await self.find(*steps, tenant_id=tenant_id, params=params))

    async def post(
        self,
        *steps: str,
        tenant_id: str,
        body: bytes,
        scope: str,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: int | None = None,
    ) -> bytes:
        """What it answers to this JSON, by a token of `scope`; Unavailable when it cannot be had.

        Whether it was done is then unknown: send an `idempotency-key` where that matters.
        `timeout_seconds` is for much work at once, which takes longer than others may.
        """
        request = self.http.build_request(
            "POST",
            self._url(steps),
            content=body,
            timeout=USE_CLIENT_DEFAULT if timeout_seconds is None else timeout_seconds,
            headers={
                **(headers or {}),
                **self.signer.headers(tenant_id, scope),
                "content-type": "application/json",
            },
        )
        return self._known(await self._answer_to(request))

    def _url(self, steps: Sequence[str]) -> str:
        return "/".join((self.url, *(quote(step, safe="") for step in steps)))

    async def _answer_to(self, request: httpx.Request) -> bytes | None:
        try:
            response = await self.http.send(request)
        except httpx.HTTPError as failure:
            raise Unavailable(
                f"The {self.name} service does not answer. Try again soon."
            ) from failure
        if response.status_code == 404:
            return None
        if response.status_code not in (200, 201):
            raise Unavailable(
                f"The {self.name} service answered with an error. Try again soon."
            )
        return response.content

    def _known(self, body: bytes | None) -> bytes:
        if body is None:
            raise Unavailable(f"The {self.name} service does not know this. Try again soon.")
        return body
