"""Signed messages of other systems: proven over the bytes as they came, or refused.

Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`) and Stripe's scheme. Several
secrets may be good for a while, when one is changed for another.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from libs.common.errors import Invalid, Unauthorised

TOLERANCE_SECONDS: Final = 300
MAX_ID_CHARACTERS: Final = 255
PREFIX: Final = "whsec_"

# All values of each header, by its name in lower case.
Headers = Mapping[str, Sequence[str]]


class BadSignature(Unauthorised):
    code = "bad-signature"
    title = "The message's signature is not right"


class BadSecret(Invalid):
    code = "bad-secret"
    title = "The secret cannot be used"


def standard_webhook(
    secrets: Iterable[str], headers: Headers, body: bytes, *, now: datetime
) -> str:
    """The message's id, the same over all tries to deliver it. BadSignature where it is not proven."""
    message_id = only(headers, "webhook-id")
    timestamp = only(headers, "webhook-timestamp")
    given = only(headers, "webhook-signature").split(" ")
    if not 0 < len(message_id) <= MAX_ID_CHARACTERS:
        raise BadSignature(f"webhook-id has 1 to {MAX_ID_CHARACTERS} characters.")
    must_be_fresh(timestamp, now)
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = [
        "v1," + base64.b64encode(_hmac(_key_of(secret), signed)).decode() for secret in secrets
    ]
    _must_match(given, expected)
    return message_id


def stripe(secrets: Iterable[str], headers: Headers, body: bytes, *, now: datetime) -> None:
    """BadSignature unless one of the `v1` signatures of `stripe-signature` is right."""
    parts = [part.partition("=") for part in only(headers, "stripe-signature").split(",")]
    timestamps = [value for name, _, value in parts if name.strip() == "t"]
    if len(timestamps) != 1:
        raise BadSignature("stripe-signature holds one t=<seconds>.")
    must_be_fresh(timestamps[0], now)
    signed = f"{timestamps[0]}.".encode() + body
    given = [value for name, _, value in parts if name.strip() == "v1"]
    _must_match(given, [_hmac(secret.encode(), signed).hex() for secret in secrets])


def secret_of(key: bytes) -> str:
    """A Standard Webhooks secret of 24 to 64 random bytes."""
    return PREFIX + base64.b64encode(key).decode()


def check_standard_secret(secret: str) -> None:
    """BadSecret unless it is `whsec_` and 24 to 64 bytes in base64."""
    try:
        is_usable = secret.startswith(PREFIX) and 24 <= len(_key_of(secret)) <= 64
    except ValueError:
        # Of the wrong alphabet, or not even of ASCII.
        is_usable = False
    if not is_usable:
        raise BadSecret("A secret is whsec_ and 24 to 64 random bytes in base64.")


def only(headers: Headers, name: str) -> str:
    """A header that comes twice could be read as one by us and as the other by somebody else."""
    values = headers.get(name, ())
    if len(values) != 1 or not values[0].isascii():
        raise BadSignature(f"The header {name} is sent once, in ASCII.")
    return values[0]


def must_be_fresh(timestamp: str, now: datetime) -> None:
    if not (timestamp.isdigit() and len(timestamp) <= 12):
        raise BadSignature("The timestamp is not a number of seconds.")
    if abs(int(timestamp) - int(now.timestamp())) > TOLERANCE_SECONDS:
        raise BadSignature(
            f"The signature was made more than {TOLERANCE_SECONDS} seconds before or after now. "
            "Sign it anew when it is sent again."
        )


def _key_of(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def _hmac(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def _must_match(given: Sequence[str], expected: Sequence[str]) -> None:
    # Every pair is compared, so that time says nothing of which was near.
    matches = [
        hmac.compare_digest(one.encode(), other.encode()) for one in given for other in expected
    ]
    if not any(matches):
        raise BadSignature("None of the signatures is made with this hook's secret and body.")
