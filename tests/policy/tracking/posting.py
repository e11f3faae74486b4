"""Requests as a provider sends them, through the other side of its scheme."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from libs.common.signatures import BadSignature
from services.policy.tracking import PROVIDERS, Message, Scheme

NOW: Final = datetime(2026, 3, 2, 10, 0, 0, tzinfo=UTC)
PATH: Final = "/v1/tracking/{provider}"

# Each provider with each of its schemes.
SCHEMES: Final = [
    (provider.name, name) for provider in PROVIDERS.values() for name in provider.schemes
]


def scheme_of(provider: str, name: str = "") -> Scheme:
    """The scheme of that name, or the usual one."""
    schemes = PROVIDERS[provider].schemes
    return schemes[name or next(iter(schemes))]


def secret_for(provider: str, word: str = "one") -> str:
    """A secret such as we make for the provider; another word, another secret."""
    return PROVIDERS[provider].secret_of(word.encode().ljust(32, b"-"))


def posted(
    scheme: Scheme, secret: str, body: bytes, *, path: str = PATH, now: datetime = NOW
) -> Message:
    """The request that proves itself with the secret."""
    signed = scheme.sign(secret, body, path=path, now=now)
    token = scheme.url_token(secret)
    return Message(
        body=signed.body,
        headers={name: [value] for name, value in signed.headers.items()},
        path=path,
        query={} if token is None else {"token": [token]},
    )


def with_headers(message: Message, headers: Mapping[str, str | list[str]]) -> Message:
    given = {
        name: value if isinstance(value, list) else [value] for name, value in headers.items()
    }
    return replace(message, headers={**message.headers, **given})


def is_proven(scheme: Scheme, message: Message, *secrets: str, now: datetime = NOW) -> bool:
    """Whether one of the secrets proves it. Whatever else than BadSignature is raised, is raised."""
    try:
        scheme.verify(secrets, message, now=now)
    except BadSignature:
        return False
    return True
