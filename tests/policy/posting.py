"""Carriers as they post: an EasyPost tracker's event, signed with its hook's secret, and read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import msgspec

from libs.common.clock import system_now
from services.policy.jobs import TrackingReader
from services.policy.tracking import PROVIDERS, StatusMap
from tests.policy.builders import Json
from tests.policy.conftest import Shop, answered


@dataclass(kw_only=True)
class Sender:
    """A provider that posts to a tenant's hook."""

    shop: Shop
    provider: str
    path: str
    secret: str
    scheme: str
    answers: list[httpx.Response] = field(default_factory=list)

    @classmethod
    async def opened(cls, shop: Shop, provider: str = "easypost", **asked: str) -> "Sender":
        hook = answered(
            await shop.post("/v1/tracking-hooks", {"provider": provider, **asked}), 201
        )
        return cls(
            shop=shop,
            provider=provider,
            path=hook["path"],
            secret=hook["secret"],
            scheme=hook["scheme"],
        )

    async def post(
        self, body: bytes, *, secret: str | None = None, **headers: str
    ) -> httpx.Response:
        """Signed as the provider would; `headers` come on top."""
        scheme = PROVIDERS[self.provider].schemes[self.scheme]
        signed = scheme.sign(
            secret or self.secret, body, path=urlsplit(self.path).path, now=system_now()
        )
        return await self.post_as_is(signed.body, {**signed.headers, **headers})

    async def post_as_is(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        return await self.shop.policies.post(self.path, content=body, headers=headers)

    async def read(self, *bodies: bytes) -> None:
        """Post them, then let all that waits be read."""
        for body in bodies:
            answered(await self.post(body), PROVIDERS[self.provider].status)
        await read_waiting(self.shop.policies)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)


async def read_waiting(client: Any, codes: StatusMap | None = None) -> None:
    running = client.app.state.running
    reader = TrackingReader(running=running, codes=codes or StatusMap.load())
    async with running.db.worker() as connection:
        while await reader.read_tracking(connection):
            pass


def a_detail(status: str, at: str, sub: str = "", **more: object) -> Json:
    return {
        "object": "TrackingDetail",
        "status": status,
        "status_detail": sub or None,
        "message": f"{status} {sub}".strip(),
        "datetime": at,
        "tracking_location": {"city": "Testville", "country": "US"},
        **more,
    }


def a_tracker_event(
    number: str, *details: Json, carrier: str = "USPS", event_id: str | None = None
) -> bytes:
    """All scans so far, as EasyPost tells them."""
    return msgspec.json.encode(
        {
            "id": event_id or f"evt_{uuid4().hex}",
            "object": "Event",
            "mode": "test",
            "description": "tracker.updated",
            "result": {
                "id": "trk_1",
                "object": "Tracker",
                "tracking_code": number,
                "carrier": carrier,
                "status": details[-1]["status"] if details else "unknown",
                "tracking_details": list(details),
            },
        }
    )


def snapshots(number: str, details: Sequence[Json], **more: Any) -> list[bytes]:
    """One event a scan, each with all scans before it."""
    return [
        a_tracker_event(number, *details[: count + 1], **more) for count in range(len(details))
    ]
