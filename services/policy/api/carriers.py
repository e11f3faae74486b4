"""The door of carriers and aggregators: proven, kept as it came, answered; read afterwards.

`POST /v1/tracking/{provider}?tenant=...`. It answers 4xx for a signature that is not right and for a
body that is no JSON or XML alone: whatever else is wrong with what it says is for us to mend, and
sending it again would not help (carriers.md 1.2).
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from libs.common import groupcommit, telemetry
from libs.common.clock import system_now
from libs.common.db import Database
from libs.common.errors import NotFound, Refusal
from libs.common.groupcommit import GroupWriter
from libs.common.ids import TENANT_ID
from libs.common.known import Known
from libs.common.sealed import Sealer
from libs.common.service import Running
from libs.common.signatures import BadSignature, Headers
from libs.common.web import KEPT_KEY, whole_body
from services.policy import store
from services.policy.store import Tally, TrackingHook, TrackingNotice, notice_id_of
from services.policy.tracking import PROVIDERS, XML, Message, Provider, Scheme
from services.policy.tracking.reading import is_xml
from services.policy.usecases import READ_TRACKING

PATH: Final = "/v1/tracking/{provider}"
MAX_BODY_BYTES: Final = 1_048_576
# How long another process's change of a secret may go unnoticed here, and how often one that does
# not fit makes us look for a new one.
FRESH_SECONDS: Final = 5.0
LOOK_AGAIN_SECONDS: Final = 1.0
MAX_KNOWN: Final = 10_000
# Repeats and refusals are counted in memory; a crash forgets this much of them.
COUNT_SECONDS: Final = 1.0
MAX_QUERY_FIELDS: Final = 20

_PRIVATE: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_REDACTED: Final = "[redacted]"

HookKey = tuple[str, str]


class UnknownProvider(NotFound):
    code = "unknown-provider"
    title = "Nobody of this name posts here"


class MalformedBody(Refusal):
    code = "malformed-body"
    title = "The body cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHook:
    """A hook with its secrets unsealed: the one that counts, and the former one until then."""

    scheme: Scheme
    secret: str
    former: str | None
    former_until: datetime | None

    def secrets_at(self, now: datetime) -> list[str]:
        if self.former is None or self.former_until is None or now >= self.former_until:
            return [self.secret]
        return [self.secret, self.former]


class Counts:
    """What was repeated and refused since it was last written down."""

    def __init__(self) -> None:
        self._counts: dict[tuple[HookKey, date], list[int]] = {}
        self._due_at = time.monotonic() + COUNT_SECONDS

    def add(self, key: HookKey, day: date, *, repeated: int = 0, refused: int = 0) -> None:
        counted = self._counts.setdefault((key, day), [0, 0])
        counted[0] += repeated
        counted[1] += refused

    def is_due(self) -> bool:
        return bool(self._counts) and time.monotonic() >= self._due_at

    def take(self) -> list[Tally]:
        taken, self._counts = self._counts, {}
        self._due_at = time.monotonic() + COUNT_SECONDS
        return [
            Tally(
                tenant_id=tenant_id,
                provider=provider,
                day=day,
                repeated=repeated,
                refused=refused,
            )
            for ((tenant_id, provider), day), (repeated, refused) in taken.items()
        ]


class TrackingDesk:
    """Takes what is posted. One a process."""

    def __init__(self, running: Running, sealer: Sealer) -> None:
        self._running = running
        self._db: Database = running.db
        self._sealer = sealer
        self._hooks: Known[HookKey, OpenHook] = Known(
            fresh_seconds=FRESH_SECONDS, max_known=MAX_KNOWN
        )
        self._looked_again: dict[HookKey, float] = {}
        self._counts = Counts()
        self.writer: GroupWriter[TrackingNotice, bool]

    async def take(
        self, provider: Provider, tenant_id: str, message: Message
    ) -> tuple[str, bool]:
        """The notice's id, and whether it is new; BadSignature or MalformedBody."""
        now = system_now()
        key = (tenant_id, provider.name)
        try:
            secrets = await self._proven(key, message, now)
            _must_be_a_document(provider, message.body)
        except (BadSignature, MalformedBody):
            await self._refused(key, provider, now)
            raise
        notice = TrackingNotice(
            notice_id=notice_id_of(tenant_id, provider.name, message.body),
            tenant_id=tenant_id,
            provider=provider.name,
            body=message.body,
            headers=_kept_headers(message.headers, secrets),
            received_at=now,
        )
        is_new = await self.writer.write(notice)
        telemetry.count_tracking_post(provider.name, "kept" if is_new else "repeated")
        if not is_new:
            self._counts.add(key, now.date(), repeated=1)
            await self._write_counts_when_due()
        return notice.notice_id, is_new

    async def commit(self, batch: Sequence[TrackingNotice]) -> list[bool | Exception]:
        """One transaction; of the same notice twice the first is new."""
        async with self._db.transaction(*sorted({one.tenant_id for one in batch})) as tx:
            new = await store.insert_tracking_notices(tx, batch)
        if new:
            self._running.wake(READ_TRACKING)
        results: list[bool | Exception] = []
        for notice in batch:
            results.append(notice.notice_id in new)
            new.discard(notice.notice_id)
        return results

    def forget(self, tenant_id: str, provider: str) -> None:
        """The hook was changed here: its new secret counts at once."""
        self._hooks.forget(lambda key: key == (tenant_id, provider))

    async def write_counts(self) -> None:
        tallies = self._counts.take()
        if not tallies:
            return
        async with self._db.transaction(*sorted({one.tenant_id for one in tallies})) as tx:
            await store.count_tracking(tx, tallies)

    async def _proven(self, key: HookKey, message: Message, now: datetime) -> list[str]:
        """The secrets that are good. A signature that does not fit may be made with a new one."""
        hook = await self._hooks.find(key, self._read_hook)
        try:
            return _proven_by(hook, message, now)
        except BadSignature:
            if not self._may_look_again(key):
                raise
        self._hooks.forget(lambda known: known == key)
        return _proven_by(await self._hooks.find(key, self._read_hook), message, now)

    def _may_look_again(self, key: HookKey) -> bool:
        at = time.monotonic()
        if at - self._looked_again.get(key, 0.0) < LOOK_AGAIN_SECONDS:
            return False
        if len(self._looked_again) >= MAX_KNOWN:
            self._looked_again.clear()
        self._looked_again[key] = at
        return True

    async def _read_hook(self, key: HookKey) -> OpenHook | None:
        tenant_id, provider = key
        async with self._db.transaction(tenant_id) as tx:
            hook = await store.find_tracking_hook(tx, provider, tenant_id=tenant_id)
        return None if hook is None else self._opened(hook)

    def _opened(self, hook: TrackingHook) -> OpenHook:
        former = hook.sealed_former
        return OpenHook(
            scheme=PROVIDERS[hook.provider].schemes[hook.scheme],
            secret=self._sealer.open(hook.sealed_secret).decode(),
            former=None if former is None else self._sealer.open(former).decode(),
            former_until=hook.former_until,
        )

    async def _refused(self, key: HookKey, provider: Provider, now: datetime) -> None:
        telemetry.count_tracking_post(provider.name, "refused")
        # Where there is no hook there is nobody to tell, and names would have no end.
        if await self._hooks.find(key, self._read_hook) is not None:
            self._counts.add(key, now.date(), refused=1)
            await self._write_counts_when_due()

    async def _write_counts_when_due(self) -> None:
        if self._counts.is_due():
            await self.write_counts()


@asynccontextmanager
async def at_work(running: Running, sealer: Sealer) -> AsyncIterator[TrackingDesk]:
    """A desk that takes what is posted; at the end everything is written down."""
    desk = TrackingDesk(running, sealer)
    async with groupcommit.writing(desk.commit, "tracking_notices") as writer:
        desk.writer = writer
        yield desk
    await desk.write_counts()


class TakeTracking:
    """Written on ASGI itself: carriers post more than anybody, and wait for a few seconds only."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        provider = provider_of(scope["path_params"]["provider"])
        if scope["method"] == "HEAD":
            # Ship24 asks so whether the address is there.
            await _send(send, 200, b"")
            return
        desk: TrackingDesk = scope["app"].state.tracking_desk
        query = _query(scope["query_string"])
        tenant_id = _tenant(query)
        message = Message(
            body=await whole_body(receive),
            headers=_headers(scope),
            path=scope["raw_path"].decode("latin-1"),
            query=query,
        )
        notice_id, is_new = await desk.take(provider, tenant_id, message)
        scope[KEPT_KEY] = True
        result = "kept" if is_new else "repeated"
        body = b'{"result":"%b","notice_id":"%b"}' % (result.encode(), notice_id.encode())
        await _send(send, provider.status, body)


TAKE_TRACKING = Route(PATH, TakeTracking(), methods=["POST", "HEAD"])


def desk_of(app: FastAPI) -> TrackingDesk:
    desk: TrackingDesk = app.state.tracking_desk
    return desk


def provider_of(name: str) -> Provider:
    provider = PROVIDERS.get(name)
    if provider is None:
        raise UnknownProvider(
            f"{name[:64]!a} is no provider here. There are: {', '.join(sorted(PROVIDERS))}."
        )
    return provider


def _tenant(query: Headers) -> str:
    """Whose address it is. A tenant that is not there is answered as one whose signature is wrong."""
    named = query.get("tenant", ())
    if len(named) != 1 or not TENANT_ID.fullmatch(named[0]):
        raise BadSignature("The address names its tenant once: ?tenant=...")
    return named[0]


def _proven_by(hook: OpenHook | None, message: Message, now: datetime) -> list[str]:
    if hook is None:
        raise BadSignature("No hook is open for this tenant and provider.")
    secrets = hook.secrets_at(now)
    hook.scheme.verify(secrets, message, now=now)
    return secrets


_any: msgspec.json.Decoder[msgspec.Raw] = msgspec.json.Decoder(msgspec.Raw)


def _must_be_a_document(provider: Provider, body: bytes) -> None:
    if XML in provider.forms and is_xml(body):
        # Whether it is well formed takes the reader longer than a carrier should wait.
        return
    try:
        _any.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as wrong:
        raise MalformedBody(f"The body is no JSON: {wrong}.") from None


def _kept_headers(headers: Headers, secrets: Sequence[str]) -> str:
    """What came with the body, without what proves its sender in the clear."""
    kept = {
        name: [_REDACTED if _is_private(name, value, secrets) else value for value in values]
        for name, values in headers.items()
    }
    return msgspec.json.encode(kept).decode()


def _is_private(name: str, value: str, secrets: Sequence[str]) -> bool:
    return name in _PRIVATE or any(secret in value for secret in secrets)


def _headers(scope: Scope) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return headers


@lru_cache(maxsize=4096)
def _query(text: bytes) -> Mapping[str, list[str]]:
    """A hook is posted to with one query, over and over."""
    try:
        return parse_qs(
            text.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS
        )
    except ValueError:
        return {}


async def _send(send: Send, status: int, body: bytes) -> None:
    headers: list[Any] = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
