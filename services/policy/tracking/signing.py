"""The ways carriers and aggregators prove what they post (carriers.md 2.0), each with its other side.

All compare over the raw bytes, in constant time, and refuse what is missing, sent twice or stale. A
secret that is empty proves nothing.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final
from urllib.parse import parse_qs

import msgspec

from libs.common.signatures import (
    BadSecret,
    BadSignature,
    check_standard_secret,
    must_be_fresh,
    only,
    standard_webhook,
)
from services.policy.tracking.adapter import Message, Signed

TOKEN: Final = "token"

# A secret and a body in, what proves the body out.
Digest = Callable[[str, bytes], bytes]


def hmac_sha256(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, hashlib.sha256)


def hmac_of(secret: str, body: bytes) -> bytes:
    return hmac_sha256(secret.encode(), body)


def sha256_with_key(secret: str, body: bytes) -> bytes:
    """17TRACK: a plain hash of body, slash and key, no HMAC."""
    return hashlib.sha256(body + b"/" + secret.encode()).digest()


class Unaddressed:
    """Of a scheme whose proof is in the message: nothing in the address is secret."""

    __slots__ = ()

    def url_token(self, secret: str) -> str | None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyDigest(Unaddressed):
    """A digest of the body in a header, in hex or base64, perhaps behind a prefix."""

    header: str
    prefix: str = ""
    forms: tuple[str, ...] = ("hex",)
    digest: Digest = hmac_of

    def verify(self, secrets: Sequence[str], message: Message, *, now: datetime) -> None:
        given = only(message.headers, self.header)
        if not given.startswith(self.prefix):
            raise BadSignature(f"{self.header} begins with {self.prefix}")
        digests = [self.digest(secret, message.body) for secret in usable(secrets)]
        must_match([decoded(given.removeprefix(self.prefix), self.forms)], digests)

    def sign(self, secret: str, body: bytes, *, path: str, now: datetime) -> Signed:
        proof = encoded(self.digest(secret, body), self.forms[0])
        return Signed(body=body, headers={self.header: self.prefix + proof})


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedHmac(Unaddressed):
    """`t=<seconds>,v1=<hex>` over time and body (Shippo); several v1 while a secret is replaced."""

    header: str

    def verify(self, secrets: Sequence[str], message: Message, *, now: datetime) -> None:
        parts = [part.partition("=") for part in only(message.headers, self.header).split(",")]
        times = [value for name, _, value in parts if name.strip() == "t"]
        if len(times) != 1:
            raise BadSignature(f"{self.header} holds one t=<seconds>.")
        must_be_fresh(times[0], now)
        given = [value.lower().encode() for name, _, value in parts if name.strip() == "v1"]
        proofs = [self._proof(secret, times[0], message.body) for secret in usable(secrets)]
        must_match(given, [proof.encode() for proof in proofs])

    def sign(self, secret: str, body: bytes, *, path: str, now: datetime) -> Signed:
        seconds = str(int(now.timestamp()))
        proof = self._proof(secret, seconds, body)
        return Signed(body=body, headers={self.header: f"t={seconds},v1={proof}"})

    def _proof(self, secret: str, seconds: str, body: bytes) -> str:
        return hmac_of(secret, f"{seconds}.".encode() + body).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHmac(Unaddressed):
    """HMAC-SHA256 over time, method, path and body (EasyPost v2).

    The path is the signer's, in `x-path`: it has to be the request's, so that a message for another
    address is none for this one. Where a query is written there, it has to be the request's too.
    """

    prefix: str = "hmac-sha256-hex="
    digest: Digest = hmac_of

    def verify(self, secrets: Sequence[str], message: Message, *, now: datetime) -> None:
        given = only(message.headers, "x-hmac-signature-v2").removeprefix(self.prefix)
        timestamp = only(message.headers, "x-timestamp")
        path = only(message.headers, "x-path")
        if not _is_of(path, message):
            raise BadSignature("x-path is not this request's path.")
        _must_be_recent(timestamp, now)
        signed = f"{timestamp}POST{path}".encode() + message.body
        digests = [self.digest(secret, signed) for secret in usable(secrets)]
        must_match([decoded(given, ("hex",))], digests)

    def sign(self, secret: str, body: bytes, *, path: str, now: datetime) -> Signed:
        timestamp = format_datetime(now.astimezone(UTC))
        proof = self.digest(secret, f"{timestamp}POST{path}".encode() + body).hex()
        headers = {
            "x-hmac-signature-v2": self.prefix + proof,
            "x-timestamp": timestamp,
            "x-path": path,
        }
        return Signed(body=body, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretHeader(Unaddressed):
    """The secret itself in a header, perhaps behind a word such as Bearer."""

    header: str = "authorization"
    word: str = ""
    is_word_needed: bool = True

    def verify(self, secrets: Sequence[str], message: Message, *, now: datetime) -> None:
        given = self._readings(only(message.headers, self.header))
        must_match([one.encode() for one in given], [one.encode() for one in usable(secrets)])

    def sign(self, secret: str, body: bytes, *, path: str, now: datetime) -> Signed:
        return Signed(body=body, headers={self.header: f"{self.word} {secret}".strip()})

    def _readings(self, given: str) -> list[str]:
        word, _, rest = given.partition(" ")
        behind = [rest.strip()] if self.word and word.lower() == self.word.lower() else []
        return behind if self.word and self.is_word_needed else [given, *behind]


def check_shown(secret: str) -> None:
    """BadSecret where a header could not show it: headers are ASCII, without blanks around them."""
    if not (secret.isascii() and secret.isprintable() and secret == secret.strip()):
        raise BadSecret("A secret that a header shows has visible ASCII characters alone.")


def itself(secret: str) -> str:
    return secret


def made_of(secret: str) -> str:
    """A part of an address that is made of a secret, and does not tell it."""
    return hmac_sha256(secret.encode(), b"parcelcover-url").hex()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretUrl:
    """An address that nobody else knows: `?token=` with the secret, or with what is made of it."""

    token: Callable[[str], str] = itself

    def verify(self, secrets: Sequence[str], message: Message, *, now: datetime) -> None:
        given = message.query.get(TOKEN, ())
        if len(given) != 1:
            raise BadSignature(f"The address has one {TOKEN}=<token>.")
        tokens = [self.token(secret).encode() for secret in usable(secrets)]
        must_match([given[0].encode(errors="surrogatepass")], tokens)

    def sign(self, secret: str, body: bytes, *, path: str, now: datetime) -> Signed:
        return Signed(body=body)

    def url_token(self, secret: str) -> str | None:
        return self.token(secret)


class _VerifyInfo(msgspec.Struct, rename="camel"):
    time_str: str | int
    signature: str


class _Verified(msgspec.Struct, rename="camel"):
    verify_info: _VerifyInfo


_verified = msgspec.json.Decoder(_Verified)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyInfo:
    """A time and its HMAC inside of the body (TrackingMore), which it does not cover.

    Whoever has seen one pair can put it into any body: so it counts only at a secret address. The time
    is not compared with now, as tries to deliver go on for days and say nothing of signing anew.
    """

    address: SecretUrl = field(default_factory=lambda: SecretUrl(token=made_of))

    def verify(self, secrets: Sequence[str], message: Message, *, now: datetime) -> None:
        self.address.verify(secrets, message, now=now)
        try:
            proof = _verified.decode(message.body).verify_info
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise BadSignature("The body has verifyInfo with timeStr and signature.") from None
        signed = str(proof.time_str).encode()
        digests = [hmac_of(secret, signed) for secret in usable(secrets)]
        must_match([decoded(proof.signature, ("hex",))], digests)

    def sign(self, secret: str, body: bytes, *, path: str, now: datetime) -> Signed:
        seconds = str(int(now.timestamp()))
        proof = {"timeStr": seconds, "signature": hmac_of(secret, seconds.encode()).hex()}
        members = {**_members.decode(body), "verifyInfo": proof}
        return Signed(body=msgspec.json.encode(members))

    def url_token(self, secret: str) -> str | None:
        return self.address.url_token(secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardWebhook(Unaddressed):
    """Standard Webhooks, as this software signs its own notices."""

    def verify(self, secrets: Sequence[str], message: Message, *, now: datetime) -> None:
        standard = [secret for secret in usable(secrets) if _is_standard(secret)]
        standard_webhook(standard, message.headers, message.body, now=now)

    def sign(self, secret: str, body: bytes, *, path: str, now: datetime) -> Signed:
        # One id a body, so that it is the same whenever it is sent again.
        message_id = f"msg_{hashlib.sha256(body).hexdigest()[:24]}"
        seconds = str(int(now.timestamp()))
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac_sha256(key, f"{message_id}.{seconds}.".encode() + body)
        headers: Mapping[str, str] = {
            "webhook-id": message_id,
            "webhook-timestamp": seconds,
            "webhook-signature": "v1," + encoded(digest, "base64"),
        }
        return Signed(body=body, headers=headers)


def usable(secrets: Sequence[str]) -> list[str]:
    """Those that are not empty: with an empty one everybody could sign."""
    return [secret for secret in secrets if secret.strip()]


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


def _is_of(path: str, message: Message) -> bool:
    """Whether a signed path is the request's; one without a query stands for all queries."""
    plain, has_query, query = path.partition("?")
    if plain != message.path:
        return False
    asked = {name: list(values) for name, values in message.query.items()}
    return not has_query or parse_qs(query, keep_blank_values=True) == asked


def _must_be_recent(timestamp: str, now: datetime) -> None:
    """A time of RFC 2822, near now; its zone `-0000` is UTC."""
    try:
        at = parsedate_to_datetime(timestamp)
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        raise BadSignature("x-timestamp is not a time of RFC 2822.") from None
    must_be_fresh(str(max(0, int(seconds))), now)


def _is_standard(secret: str) -> bool:
    try:
        check_standard_secret(secret)
    except (BadSecret, ValueError):
        return False
    return True
