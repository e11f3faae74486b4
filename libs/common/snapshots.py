"""Snapshots: what was known at an instant, in bytes that can be shown years later to be ours.

    {"sha256": "...", "signature": "...", "snapshot": {...}}

All of it is canonical JSON (RFC 8785), so the same facts are the same bytes. `sha256` is that of the
snapshot; the signature is a JWS that states it, made with the key of the service that took it. Its
`typ` tells it from a token, and a token from it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from libs.common.auth import BadToken, Keys, ServiceSigner, is_key_of, proven

TYPE: Final = "parcelcover-snapshot+jws"


class NotAsTaken(Exception):
    """The document is not one that the service gave; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`content` holds plain JSON values without fractions, their names in ASCII; `kid` the key's."""

    content: Mapping[str, Any]
    sha256: str
    signature: str
    kid: str

    @property
    def document(self) -> bytes:
        return canonical(
            {"snapshot": self.content, "sha256": self.sha256, "signature": self.signature}
        )


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    snapshot: dict[str, Any]
    sha256: str
    signature: str


class _Header(msgspec.Struct):
    typ: str
    kid: str


_document = msgspec.json.Decoder(_Document)
_header = msgspec.json.Decoder(_Header)


def canonical(content: Mapping[str, Any]) -> bytes:
    """RFC 8785 for texts, whole numbers, flags and nulls."""
    return msgspec.json.encode(content, order="sorted")


def taken(content: Mapping[str, Any], signer: ServiceSigner) -> Snapshot:
    """The content with its hash, signed."""
    sha256 = _sha256(content)
    signature = signer.attest(TYPE, {"sha256": sha256})
    return Snapshot(
        content=content,
        sha256=sha256,
        signature=signature,
        kid=_header_of(signature).kid,
    )


async def verified(document: bytes, keys: Keys, *, service: str) -> Snapshot:
    """The snapshot that the service gave as these bytes; NotAsTaken where any of them is another.

    Unavailable where the keys cannot be had. A line's end behind the last byte is nothing.
    """
    snapshot = _read(document)
    if _sha256(snapshot.content) != snapshot.sha256:
        raise NotAsTaken(
            "The snapshot is not what its sha256 says: something in it was changed."
        )
    await _must_be_signed(snapshot, keys, service)
    if snapshot.document != document.removesuffix(b"\n"):
        raise NotAsTaken(
            "Its content is what was signed, but it is laid out anew: keep the answer as it came, "
            "byte for byte."
        )
    return snapshot


def _read(document: bytes) -> Snapshot:
    try:
        read = _document.decode(document)
        header = _header_of(read.signature)
    except (ValueError, RecursionError) as wrong:
        raise NotAsTaken(f"It is no snapshot of ours: {wrong}.") from None
    return Snapshot(
        content=read.snapshot, sha256=read.sha256, signature=read.signature, kid=header.kid
    )


async def _must_be_signed(snapshot: Snapshot, keys: Keys, service: str) -> None:
    signature, kid = snapshot.signature, snapshot.kid
    if not is_key_of(kid, service):
        raise NotAsTaken(f"It is signed with the key {kid!a}, which is none of {service}'s.")
    try:
        stated = proven(signature, await keys.get(kid))
    except BadToken:
        raise NotAsTaken(f"The key {kid!a} is not among the public keys given.") from None
    except (JoseError, ValueError):
        raise NotAsTaken(
            "The signature is not right: it, or what it states, was changed."
        ) from None
    if stated != canonical({"sha256": snapshot.sha256}):
        raise NotAsTaken("The signature is of another snapshot.")


def _header_of(signature: str) -> _Header:
    """ValueError where it is no signature of a snapshot."""
    header = _header.decode(urlsafe_b64decode(signature.partition(".")[0].encode()))
    if header.typ != TYPE:
        raise ValueError(f"its signature is for something else ({header.typ!a})")
    return header


def _sha256(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(content)).hexdigest()
