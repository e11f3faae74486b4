"""A link is our word that its holder may have a file, for a quarter of an hour, and no token."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from libs.common import auth
from libs.common.auth import Authenticator, BadToken, Keys, ServiceSigner
from libs.common.clock import system_now
from libs.common.links import (
    LINK_LIFETIME,
    Link,
    LinkExpired,
    UnknownLink,
    opened_link,
    signed_link,
)
from libs.common.settings import Settings

SettingsOf = Callable[..., Settings]


@pytest.fixture
def service_keys(keys: Path) -> Keys:
    return Keys(str(keys / "services.jwks.json"))


@pytest.fixture
def settings(keys: Path) -> Settings:
    return Settings(
        service_key=keys / "claims.jwk.json",
        service_jwks=str(keys / "services.jwks.json"),
        jwks=str(keys / "issuer.jwks.json"),
    )


def a_link(settings: Settings, service: str = "claims") -> str:
    signer = ServiceSigner(settings, service)
    return signed_link(signer, tenant_id="t-1", file="evd_1", now=system_now())[0]


async def test_a_link_opens_its_file_until_it_expires(
    settings: Settings, service_keys: Keys
) -> None:
    now = system_now().replace(microsecond=0)
    token, expires_at = signed_link(
        ServiceSigner(settings, "claims"), tenant_id="t-1", file="evd_1", now=now
    )

    last = expires_at - timedelta(seconds=1)
    link = await opened_link(token, service_keys, service="claims", now=last)

    assert link == Link(tenant="t-1", file="evd_1", exp=int(expires_at.timestamp()))
    assert expires_at == now + LINK_LIFETIME
    with pytest.raises(LinkExpired):
        await opened_link(token, service_keys, service="claims", now=expires_at)


async def test_what_we_did_not_sign_opens_nothing(
    settings: Settings, service_keys: Keys, keys: Path
) -> None:
    token = a_link(settings)
    header, payload, signature = token.split(".")
    other = Settings(service_key=keys / "policy.jwk.json")
    forged = auth.sign(
        auth.new_key("claims"), {"tenant": "t-1", "file": "evd_1", "exp": 9_999_999_999},
        typ="parcelcover-link+jws",
    )  # fmt: skip
    changed = auth.sign(
        auth.new_key("claims"), {"tenant": "t-2", "file": "evd_1", "exp": 9_999_999_999}
    ).split(".")[1]
    for wrong in (
        "", "a", "a.b.c", token[:-1], f"{token}A", "x" * 2_000, "größe",
        f"{header}.{changed}.{signature}", f"{header}.{payload}.", forged,
        a_link(other, "policy"),
    ):  # fmt: skip
        with pytest.raises(UnknownLink):
            await opened_link(wrong, service_keys, service="claims", now=system_now())


async def test_a_token_is_no_link_and_a_link_no_token(
    settings: Settings, service_keys: Keys
) -> None:
    token = ServiceSigner(settings, "claims").mint("t-1")
    with pytest.raises(UnknownLink):
        await opened_link(token, service_keys, service="claims", now=system_now())

    with pytest.raises(BadToken):
        await Authenticator(settings).authenticate(
            {"authorization": f"Bearer {a_link(settings)}"}
        )
