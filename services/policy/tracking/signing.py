"""The ways carriers and aggregators prove what they post (carriers.md 2.0), each with its other side.

All compare over the raw bytes, in constant time, and refuse what is missing, sent twice or stale.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from libs.common.signatures import BadSignature, only
from services.policy.tracking.adapter import Message, Signed

TOKEN: Final = "token"
Key = Callable[[str], bytes]


def utf8(secret: str) -> bytes:
    return secret.encode()


def hmac_sha256(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyHmac:
    """HMAC-SHA256 over the body in a header, in hex or base64, perhaps behind a prefix."""

    header: str
    prefix: str = ""
    forms: tuple[str, ...] = ("hex",)
    key: Key = utf8

    def verify(self, secrets: Sequence[str], message: Message, *, now: datetime) -> None:
        given = only(message.headers, self.header)
        if not given.startswith(self.prefix):
            raise BadSignature(f"{self.header} begins with {self.prefix}")
        digests = [hmac_sha256(self.key(secret), message.body) for secret in secrets]
        must_match([decoded(given.removeprefix(self.prefix), self.forms)], digests)

    def sign(self, secret: str, body: bytes, *, path: str, now: datetime) -> Signed:
        digest = hmac_sha256(self.key(secret), body)
        return Signed(
            body=body, headers={self.header: self.prefix + encoded(digest, self.forms[0])}
        )

    def url_token(self, secret: str) -> str | None:
        return None


def decoded(text: str, forms: Sequence[str]) -> bytes:
    """The bytes that a signature is written for: hex of either case, or base64 of either alphabet."""
    if "hex" in forms and len(text) == 64:
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    if "base64" in forms:
        try:
            return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise BadSignature(f"The signature is not in {' or '.join(forms)}.")


def encoded(digest: bytes, form: str) -> str:
    return digest.hex() if form == "hex" else base64.b64encode(digest).decode()


def must_match(given: Sequence[bytes], expected: Sequence[bytes]) -> None:
    """BadSignature unless one of those given is one of those expected."""
    # Every pair is compared, so that time says nothing of which was near.
    matches = [hmac.compare_digest(one, other) for one in given for other in expected]
    if not any(matches):
        raise BadSignature("None of the signatures is made with this hook's secret and body.")
