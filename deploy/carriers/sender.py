"""Whoever plays a provider: the address of a tenant's hook, and what proves a body there."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import httpx
import msgspec

from deploy.asking import TIMEOUT_SECONDS, patiently, why
from libs.common.clock import system_now
from libs.common.signatures import BadSecret
from services.policy.store import HasTrackingHook
from services.policy.tracking import Provider, Signed

HOOKS: Final = "/v1/tracking-hooks"


class HookRefused(Exception):
    """There is no such hook to be had; the message says why."""


class Unsignable(Exception):
    """The provider signs no such body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A provider that posts to a tenant's hook of the service at `to`."""

    provider: Provider
    scheme: str
    tenant: str
    secret: str
    to: str

    @property
    def url(self) -> str:
        query = {"tenant": self.tenant}
        token = self.provider.schemes[self.scheme].url_token(self.secret)
        if token is not None:
            query["token"] = token
        return f"{self.to.rstrip('/')}/v1/tracking/{self.provider.name}?{urlencode(query)}"

    def send(self, client: httpx.Client, body: bytes, media_type: str) -> httpx.Response:
        """Signed now: a signature grows stale while one tries again. Unsignable where it cannot be."""
        signed = self._signed(body)
        headers = {"content-type": media_type, **signed.headers}
        return client.post(self.url, content=signed.body, headers=headers)

    def _signed(self, body: bytes) -> Signed:
        scheme = self.provider.schemes[self.scheme]
        path = urlsplit(self.url).path
        try:
            return scheme.sign(self.secret, body, path=path, now=system_now())
        except (ValueError, msgspec.MsgspecError) as wrong:
            raise Unsignable(f"It cannot be signed: {wrong}.") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A tenant's hook as far as one knows it: else the usual scheme, and a new secret."""

    provider: Provider
    tenant: str
    to: str
    scheme: str | None
    secret: str | None

    def sender(self) -> Sender:
        """HookRefused where the secret is none of the provider's."""
        secret = self.secret or ""
        try:
            self.provider.check_secret(secret)
        except BadSecret as refusal:
            raise HookRefused(refusal.detail) from None
        return self._sender(self.scheme or next(iter(self.provider.schemes)), secret)

    def opened(self, token: str) -> Sender:
        """A new hook, or a new secret of the one there is; HookRefused where the caller may not."""
        asked = {"scheme": self.scheme, "secret": self.secret}
        headers = {"authorization": f"Bearer {token}"}
        with httpx.Client(base_url=self.to, headers=headers, timeout=TIMEOUT_SECONDS) as client:
            response = _post(client, HOOKS, {"provider": self.provider.name, **asked})
            # There is one too where it was opened and the answer was lost.
            if _code(response) == HasTrackingHook.code:
                response = _post(client, f"{HOOKS}/{self.provider.name}/rotation", asked)
        if not response.is_success:
            raise HookRefused(why(response))
        hook = response.json()
        return self._sender(hook["scheme"], hook["secret"])

    def _sender(self, scheme: str, secret: str) -> Sender:
        return Sender(
            provider=self.provider,
            scheme=scheme,
            tenant=self.tenant,
            secret=secret,
            to=self.to,
        )


def _post(client: httpx.Client, path: str, body: dict[str, str | None]) -> httpx.Response:
    return patiently(
        lambda: client.post(path, json=body, headers={"idempotency-key": uuid4().hex})
    )


def _code(response: httpx.Response) -> str:
    if response.is_success:
        return ""
    try:
        return str(response.json()["code"])
    except (ValueError, KeyError, TypeError):
        return ""
