"""Requests that may come twice: the first answer is stored with its effect and given again.

At the door:  `if (done := await key.replay(tx)): return done`, then the effect, then
`return await key.keep(tx, 201, view)`, all inside one transaction.
"""

import hashlib
from dataclasses import dataclass

import msgspec
from fastapi import Request, Response
from pydantic import BaseModel

from libs.common.db import Tx
from libs.common.errors import Conflict, Invalid, Refusal

KEY_LENGTH = 255


class MissingKey(Refusal):
    code = "idempotency-key-required"
    title = "The request needs an Idempotency-Key"
    status = 400


class BadKey(Invalid):
    code = "bad-idempotency-key"
    title = "The Idempotency-Key cannot be used"


class KeyReused(Invalid):
    code = "idempotency-key-reused"
    title = "The Idempotency-Key was used for another request"


class StillRunning(Conflict):
    code = "request-still-running"
    title = "A request with this Idempotency-Key is still running"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """One request's key, in its tenant and route; `fingerprint` is the SHA-256 of its body."""

    tenant_id: str
    route: str
    key: str
    fingerprint: bytes

    async def replay(self, tx: Tx) -> Response | None:
        """The answer given before; None for the first, who then holds the key till commit."""
        if (answer := await self.find(tx)) is not None:
            return answer
        lock = int.from_bytes(
            hashlib.sha256(f"{self.tenant_id}\n{self.route}\n{self.key}".encode()).digest()[:8],
            signed=True,
        )
        if not await tx.fetchval("SELECT pg_try_advisory_xact_lock($1)", lock):
            raise StillRunning("The first request is not done yet. Send it again in a second.")
        # Another may have answered between the look and the lock.
        return await self.find(tx)

    async def keep(self, tx: Tx, status: int, view: BaseModel) -> Response:
        """Build the answer and store it beside the effect."""
        body = view.model_dump_json().encode()
        await tx.execute(
            """
            INSERT INTO idempotency_keys (tenant_id, route, key, fingerprint, status, body)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            self.tenant_id,
            self.route,
            self.key,
            self.fingerprint,
            status,
            body,
        )
        return Response(body, status, media_type="application/json")

    async def find(self, tx: Tx) -> Response | None:
        """The answer given before, without holding the key: before remote reads."""
        row = await tx.fetchrow(
            """
            SELECT fingerprint, status, body FROM idempotency_keys
            WHERE tenant_id = $1 AND route = $2 AND key = $3
            """,
            self.tenant_id,
            self.route,
            self.key,
        )
        if row is None:
            return None
        if bytes(row["fingerprint"]) != self.fingerprint:
            raise KeyReused(
                "This key came with another body before. Use a new key for a new request."
            )
        return Response(
            row["body"],
            row["status"],
            headers={"Idempotency-Replayed": "true"},
            media_type="application/json",
        )


async def key_of(request: Request, tenant_id: str) -> RequestKey:
    """The request's key, from a header quoted as the draft has it or bare as most send it."""
    return _key(request, tenant_id, sent_key(request), await request.body())


def sent_key(request: Request) -> str:
    """The key as it was sent: for a route whose body takes long, and is not read without one."""
    header = request.headers.get("idempotency-key")
    if header is None:
        raise MissingKey(
            'Send a header such as Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324".'
        )
    return bare_key(header)


def key_of_file(request: Request, tenant_id: str, sha256: str) -> RequestKey:
    """The key of a request whose body was a file of that hash: the same file is the same body."""
    return _key(request, tenant_id, sent_key(request), sha256.encode())


def _key(request: Request, tenant_id: str, key: str, body: bytes) -> RequestKey:
    return RequestKey(
        tenant_id=tenant_id,
        route=f"{request.method} {request.url.path}",
        key=key,
        fingerprint=fingerprint(request.url.query.encode(), body),
    )


def fingerprint(query: bytes, body: bytes) -> bytes:
    """What makes a request another one: its query, such as a file's kind and name, and its body."""
    return hashlib.sha256(query + b"\n" + _canonical(body)).digest()


def bare_key(header: str) -> str:
    key = header.strip().removeprefix('"').removesuffix('"')
    if not 0 < len(key) <= KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise BadKey(f"A key is 1 to {KEY_LENGTH} printable ASCII characters, such as a UUID.")
    return key


def _canonical(body: bytes) -> bytes:
    """The same JSON written otherwise is the same request."""
    try:
        return msgspec.json.encode(msgspec.json.decode(body), order="sorted")
    except (msgspec.MsgspecError, RecursionError):
        return body
