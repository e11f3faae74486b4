import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from libs.common import auth
from libs.common.auth import (
    CLAIMS_DECIDE,
    CLAIMS_WRITE,
    INTERNAL_QUOTE,
    INTERNAL_READ,
    SCOPES,
    Authenticator,
    BadToken,
    Caller,
    Keys,
    NoToken,
    ServiceSigner,
    issue_token,
    new_key,
    private_jwk,
    public_jwks,
    requires,
    sign,
)
from libs.common.errors import Unauthorised, Unavailable
from libs.common.ids import TENANT_ID
from libs.common.settings import Settings
from libs.common.web import api_router, create_app

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ISSUER_KEY = new_key("issuer-1")
CLAIMS_KEY = new_key("claims.2")
QUOTE_KEY = new_key("quote")
RSA_KEY = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
EC_KEY = ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"})

router = api_router("/v1/claims")


@router.post("/decide")
async def decide(caller: Annotated[Caller, requires(CLAIMS_DECIDE)]) -> dict[str, str]:
    return {"tenant": caller.tenant_id, "subject": caller.subject}


@router.get("/internal")
async def read_internally(
    caller: Annotated[Caller, requires(INTERNAL_READ)],
) -> dict[str, str | None]:
    return {"tenant": caller.tenant_id, "service": caller.service}


class Clock:
    def __init__(self) -> None:
        self.instant = NOON

    def __call__(self) -> datetime:
        return self.instant

    def forward(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("keys")
    (folder / "issuer.json").write_bytes(public_jwks([ISSUER_KEY, RSA_KEY, EC_KEY]))
    (folder / "services.json").write_bytes(public_jwks([CLAIMS_KEY, QUOTE_KEY]))
    (folder / "claims.json").write_bytes(private_jwk(CLAIMS_KEY))
    return Settings(
        jwks=str(folder / "issuer.json"),
        service_jwks=str(folder / "services.json"),
        service_key=folder / "claims.json",
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authenticator(settings: Settings, clock: Clock) -> Authenticator:
    return Authenticator(settings, now=clock)


@pytest.fixture
def app(settings: Settings, authenticator: Authenticator) -> FastAPI:
    app = create_app("claims", settings, routers=[router])
    app.state.authenticator = authenticator
    return app


@pytest.fixture
def ask(app: FastAPI) -> Callable[..., Awaitable[httpx.Response]]:
    async def ask(
        token: str | None, method: str = "POST", path: str = "/v1/claims/decide"
    ) -> httpx.Response:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://claims"
        ) as client:
            return await client.request(method, path, headers=headers)

    return ask


def claims(settings: Settings, **changed: Any) -> dict[str, Any]:
    whole = {
        "iss": settings.issuer,
        "aud": settings.audience,
        "sub": "agent-7",
        "tenant": "shop-1",
        "scope": f"{CLAIMS_WRITE} {CLAIMS_DECIDE}",
        "exp": NOON.timestamp() + 600,
        "jti": "token-1",
    }
    return {name: value for name, value in {**whole, **changed}.items() if value is not None}


def service_claims(**changed: Any) -> dict[str, Any]:
    return {
        "iss": "claims",
        "aud": auth.SERVICE_AUDIENCE,
        "sub": "claims",
        "tenant": "shop-1",
        "scope": INTERNAL_READ,
        "exp": NOON.timestamp() + 60,
        **changed,
    }


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


# --- a good token ----------------------------------------------------------------------------


async def test_a_good_token_names_its_tenant(ask: Any, settings: Settings) -> None:
    response = await ask(sign(ISSUER_KEY, claims(settings)))

    assert response.status_code == 200
    assert response.json() == {"tenant": "shop-1", "subject": "agent-7"}


@pytest.mark.parametrize(("key", "alg"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
async def test_an_issuer_may_sign_with_rsa_or_p256(
    ask: Any, settings: Settings, key: RSAKey | ECKey, alg: str
) -> None:
    header = {"alg": alg, "kid": key.kid, "typ": "at+jwt"}
    token = jws.serialize_compact(header, json.dumps(claims(settings)), key, algorithms=[alg])

    assert (await ask(token)).status_code == 200


async def test_issued_tokens_are_good_ones(
    authenticator: Authenticator, settings: Settings
) -> None:
    token = issue_token(
        ISSUER_KEY, settings, tenant_id="shop-1", subject="dev", scopes=[CLAIMS_WRITE], now=NOON
    )

    caller = await authenticator.authenticate(bearer(token))

    assert caller == Caller(
        tenant_id="shop-1", subject="dev", scopes=frozenset({CLAIMS_WRITE}), service=None
    )


async def test_audience_may_be_one_of_several(
    authenticator: Authenticator, settings: Settings
) -> None:
    token = sign(ISSUER_KEY, claims(settings, aud=["other", settings.audience]))

    assert (await authenticator.authenticate(bearer(token))).tenant_id == "shop-1"


# --- the matrix of bad ones ------------------------------------------------------------------


def forged_hs256(settings: Settings) -> str:
    """The public key, which everybody has, used as if it were a shared secret."""
    signed = f"{packed({'alg': 'HS256', 'kid': 'rsa-1'})}.{packed(claims(settings))}"
    pem = RSA_KEY.as_pem(private=False)
    mark = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"


def unsigned(settings: Settings) -> str:
    return f"{packed({'alg': 'none', 'kid': 'issuer-1'})}.{packed(claims(settings))}."


def tampered(settings: Settings) -> str:
    header, _, signature = sign(ISSUER_KEY, claims(settings)).split(".")
    return f"{header}.{packed(claims(settings, tenant='shop-2'))}.{signature}"


def critical(settings: Settings) -> str:
    header = {"alg": "EdDSA", "kid": "issuer-1", "crit": ["b64"], "b64": True}
    return f"{packed(header)}.{packed(claims(settings))}.AAAA"


def renamed_key(kid: str) -> OKPKey:
    return OKPKey.import_key({**CLAIMS_KEY.as_dict(private=True), "kid": kid})


def issued(key: OKPKey = ISSUER_KEY, **changed: Any) -> Callable[[Settings], str]:
    return lambda settings: sign(key, claims(settings, **changed))


def served(key: OKPKey = CLAIMS_KEY, **changed: Any) -> Callable[[Settings], str]:
    return lambda settings: sign(key, service_claims(**changed))


BAD = {
    "garbage": lambda _: "garbage",
    "three parts of garbage": lambda _: "a.b.c",
    "not ascii": lambda _: "é",
    "too long": lambda _: "a" * 9000,
    "unsigned (alg none)": unsigned,
    "HS256 with the public key": forged_hs256,
    "tampered": tampered,
    "critical header": critical,
    "expired": issued(exp=NOON.timestamp() - 61),
    "not yet valid": issued(nbf=NOON.timestamp() + 61),
    "other audience": issued(aud="somebody-else"),
    "other issuer": issued(iss="https://evil.invalid"),
    "unknown kid": issued(new_key("issuer-9")),
    "another's key under a known kid": issued(new_key("issuer-1")),
    "no tenant": issued(tenant=None),
    "no subject": issued(sub=None),
    "empty subject": issued(sub=""),
    "no scope": issued(scope=None),
    "no expiry": issued(exp=None),
    "expiry in words": issued(exp="tomorrow"),
    "tenant with a comma": issued(tenant="shop-1,shop-2"),
    "tenant with a newline": issued(tenant="shop-1\n"),
    "tenant in capitals": issued(tenant="Shop"),
    "tenant of one letter": issued(tenant="a"),
    "service name as issuer, issuer's key": issued(iss="claims"),
    "a service in the issuer's name": lambda settings: sign(CLAIMS_KEY, claims(settings)),
    "one service in another's name": served(QUOTE_KEY),
    "a service with the audience of customers": served(aud="parcelcover"),
    "a service with both audiences": served(aud=["parcelcover", auth.SERVICE_AUDIENCE]),
    "a service with a public scope": served(scope=CLAIMS_DECIDE),
    "a service with two scopes": served(scope=f"{INTERNAL_READ} {CLAIMS_DECIDE}"),
    "a service for an hour": served(exp=NOON.timestamp() + 3600),
    "an unknown service": served(renamed_key("billing"), iss="billing"),
    "a service whose name begins alike": served(renamed_key("claimsx"), iss="claims"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_a_bad_token_is_answered_401(
    authenticator: Authenticator, ask: Any, settings: Settings, bad: Callable[[Settings], str]
) -> None:
    token = bad(settings)
    if token.isascii():
        response = await ask(token)

        assert response.status_code == 401
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["www-authenticate"] == (
            'Bearer realm="parcelcover", error="invalid_token"'
        )
        assert response.json()["code"] == "unauthorised"
    with pytest.raises(BadToken):
        await authenticator.authenticate(bearer(token))


async def test_no_token_is_answered_401_with_the_scheme(ask: Any) -> None:
    response = await ask(None)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="parcelcover"'
    assert response.json()["code"] == "unauthorised"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dXNlcg==", "token"])
async def test_another_scheme_is_no_token(authenticator: Authenticator, header: str) -> None:
    with pytest.raises(NoToken):
        await authenticator.authenticate({"authorization": header})


async def test_a_missing_scope_is_answered_403_and_named(ask: Any, settings: Settings) -> None:
    response = await ask(sign(ISSUER_KEY, claims(settings, scope=CLAIMS_WRITE)))

    assert response.status_code == 403
    assert response.json()["code"] == "forbidden"
    assert response.json()["scope"] == CLAIMS_DECIDE
    assert CLAIMS_DECIDE in response.json()["detail"]
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


def test_a_scope_outside_the_table_is_refused_when_the_route_is_made() -> None:
    with pytest.raises(LookupError):
        requires("claims:everything")


def test_every_scope_says_what_it_is_for() -> None:
    assert all(SCOPES.values())
    assert len(SCOPES) == 22


# --- time ------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [0, 59])
async def test_clocks_may_differ_by_a_minute(
    authenticator: Authenticator, settings: Settings, late: int
) -> None:
    token = sign(
        ISSUER_KEY,
        claims(settings, exp=NOON.timestamp() - late, nbf=NOON.timestamp() + late),
    )

    assert (await authenticator.authenticate(bearer(token))).subject == "agent-7"


async def test_a_token_that_was_good_is_not_good_after_its_time(
    authenticator: Authenticator, settings: Settings, clock: Clock
) -> None:
    token = sign(ISSUER_KEY, claims(settings, exp=NOON.timestamp() + 10))
    await authenticator.authenticate(bearer(token))
    clock.forward(69)
    await authenticator.authenticate(bearer(token))
    clock.forward(1)

    with pytest.raises(BadToken):
        await authenticator.authenticate(bearer(token))


# --- what is kept ----------------------------------------------------------------------------


async def test_a_revoked_token_is_refused_at_once_and_after_forgetting(
    authenticator: Authenticator, settings: Settings
) -> None:
    token = sign(ISSUER_KEY, claims(settings))
    await authenticator.authenticate(bearer(token))
    authenticator.revoke("token-1")

    for _ in range(2):
        with pytest.raises(BadToken):
            await authenticator.authenticate(bearer(token))
        authenticator.clear()


async def test_revoking_one_token_leaves_the_others(
    authenticator: Authenticator, settings: Settings
) -> None:
    authenticator.revoke("token-1")

    other = await authenticator.authenticate(
        bearer(sign(ISSUER_KEY, claims(settings, jti="token-2")))
    )

    assert other.tenant_id == "shop-1"


async def test_what_is_kept_is_bounded(
    authenticator: Authenticator, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "MAX_CACHED", 3)
    for number in range(5):
        await authenticator.authenticate(
            bearer(sign(ISSUER_KEY, claims(settings, jti=f"token-{number}")))
        )

    assert len(authenticator._verified) == 3


async def test_a_withdrawn_key_stops_working_within_its_time(
    settings: Settings, clock: Clock, tmp_path: Path
) -> None:
    source = tmp_path / "jwks.json"
    source.write_bytes(public_jwks([ISSUER_KEY]))
    authenticator = Authenticator(settings, now=clock, keys=Keys(str(source), now=clock))
    token = bearer(sign(ISSUER_KEY, claims(settings, exp=NOON.timestamp() + 3600)))
    await authenticator.authenticate(token)
    source.write_bytes(public_jwks([EC_KEY]))
    clock.forward(auth.KEYS_FRESH_SECONDS + 1)

    with pytest.raises(BadToken):
        await authenticator.authenticate(token)


# --- keys ------------------------------------------------------------------------------------


class Issuer:
    """An issuer's key address: what it serves and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.body = public_jwks([ISSUER_KEY])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": self.body})


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def keys(issuer: Issuer, clock: Clock) -> Iterator[Keys]:
    transport = httpx.ASGITransport(issuer)
    with capture_logs():
        yield Keys("https://issuer.invalid/jwks", now=clock, transport=transport)


async def test_a_new_key_is_fetched_when_a_token_names_it(
    keys: Keys, issuer: Issuer, clock: Clock
) -> None:
    await keys.get("issuer-1")
    issuer.body = public_jwks([ISSUER_KEY, EC_KEY])
    clock.forward(auth.KEYS_RETRY_SECONDS + 1)

    assert (await keys.get("ec-1")).kid == "ec-1"
    assert issuer.asked == 2


async def test_all_who_come_while_keys_are_fetched_wait_for_them(
    keys: Keys, issuer: Issuer, clock: Clock
) -> None:
    first = await asyncio.gather(*(keys.get("issuer-1") for _ in range(20)))
    issuer.body = public_jwks([ISSUER_KEY, EC_KEY])
    clock.forward(auth.KEYS_RETRY_SECONDS + 1)
    second = await asyncio.gather(*(keys.get(kid) for kid in ["ec-1", "issuer-1"] * 10))

    assert {key.kid for key in first} == {"issuer-1"}
    assert {key.kid for key in second} == {"issuer-1", "ec-1"}
    assert issuer.asked == 2


async def test_invented_kids_do_not_make_us_ask_the_issuer_each_time(
    keys: Keys, issuer: Issuer
) -> None:
    for number in range(50):
        with pytest.raises(BadToken):
            await keys.get(f"invented-{number}")

    assert issuer.asked == 1


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (200, b"<html>"), (200, b'{"keys": 7}'), (302, b"")]
)
async def test_an_issuer_that_fails_does_not_lock_out_known_keys(
    keys: Keys, issuer: Issuer, clock: Clock, status: int, body: bytes
) -> None:
    await keys.get("issuer-1")
    issuer.status, issuer.body = status, body
    clock.forward(auth.KEYS_FRESH_SECONDS + 1)

    assert (await keys.get("issuer-1")).kid == "issuer-1"
    assert issuer.asked == 2


async def test_without_any_keys_we_say_that_we_cannot_tell(keys: Keys, issuer: Issuer) -> None:
    issuer.status = 500

    with pytest.raises(Unavailable):
        await keys.get("issuer-1")


async def test_a_missing_key_file_is_our_trouble_not_the_callers(
    settings: Settings, tmp_path: Path, app: FastAPI, ask: Any, clock: Clock
) -> None:
    app.state.authenticator = Authenticator(
        settings, now=clock, keys=Keys(str(tmp_path / "nothing.json"), now=clock)
    )
    with capture_logs() as logs:
        response = await ask(sign(ISSUER_KEY, claims(settings)))

    assert response.status_code == 503
    assert response.json()["code"] == "temporarily-unavailable"
    assert response.headers["retry-after"]
    assert [line["event"] for line in logs][:1] == ["keys_not_read"]


def short_rsa_key(kid: str) -> dict[str, Any]:
    numbers = generate_private_key(public_exponent=65537, key_size=1024).public_key()
    modulus = numbers.public_numbers().n.to_bytes(128)
    return {
        "kty": "RSA",
        "kid": kid,
        "n": base64.urlsafe_b64encode(modulus).rstrip(b"=").decode(),
        "e": "AQAB",
    }


@pytest.mark.filterwarnings("ignore:Key size should be")
async def test_keys_that_cannot_sign_for_us_are_left_out(tmp_path: Path, clock: Clock) -> None:
    source = tmp_path / "jwks.json"
    entries = [
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
        {**ISSUER_KEY.as_dict(private=False), "kid": "for-encryption", "use": "enc"},
        {**EC_KEY.as_dict(private=False), "kid": None},
        {"kty": "RSA", "kid": "broken", "n": "AQAB"},
        OKPKey.generate_key("X25519", {"kid": "x25519"}).as_dict(private=False),
        short_rsa_key("short"),
        ISSUER_KEY.as_dict(private=False),
    ]
    source.write_text(json.dumps({"keys": entries}))
    with capture_logs():
        keys = Keys(str(source), now=clock)
        await keys.get("issuer-1")

        for kid in ("shared", "for-encryption", "broken", "x25519", "short"):
            with pytest.raises(BadToken):
                await keys.get(kid)


# --- services --------------------------------------------------------------------------------


async def test_a_service_may_read_on_a_tenants_behalf(
    settings: Settings, ask: Any, clock: Clock
) -> None:
    token = ServiceSigner(settings, "claims", now=clock).mint("shop-1")

    response = await ask(token, "GET", "/v1/claims/internal")

    assert response.json() == {"tenant": "shop-1", "service": "claims"}


async def test_a_service_token_opens_no_public_route(
    settings: Settings, ask: Any, clock: Clock
) -> None:
    response = await ask(ServiceSigner(settings, "claims", now=clock).mint("shop-1"))

    assert response.status_code == 403
    assert response.json()["scope"] == CLAIMS_DECIDE


@pytest.mark.parametrize("scope", [INTERNAL_READ, INTERNAL_QUOTE])
async def test_an_issuer_cannot_give_the_scope_of_services(
    ask: Any, settings: Settings, scope: str
) -> None:
    token = sign(ISSUER_KEY, claims(settings, scope=scope))

    assert (await ask(token, "GET", "/v1/claims/internal")).status_code == 403


def test_a_minted_token_is_used_again_while_it_has_time(
    settings: Settings, clock: Clock
) -> None:
    signer = ServiceSigner(settings, "claims", now=clock)
    first = signer.mint("shop-1")
    clock.forward(39)
    again = signer.mint("shop-1")
    clock.forward(2)

    assert again == first
    assert signer.mint("shop-1") != first
    assert signer.mint("shop-2") != signer.mint("shop-1")


@pytest.mark.parametrize("service", ["quote", "billing"])
def test_a_service_signs_with_its_own_key_only(settings: Settings, service: str) -> None:
    with pytest.raises(ValueError, match="not a key of the service"):
        ServiceSigner(settings, service)


def test_a_key_file_holds_a_private_key(tmp_path: Path, settings: Settings) -> None:
    public = tmp_path / "public.json"
    public.write_text(json.dumps(CLAIMS_KEY.as_dict(private=False)))

    with pytest.raises(ValueError, match="no private Ed25519 key"):
        ServiceSigner(settings.model_copy(update={"service_key": public}), "claims")


# --- whatever comes --------------------------------------------------------------------------

_json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["alg", "kid", "iss", "aud", "exp", "tenant"]), inner)
    ),
    max_leaves=5,
)


@given(
    token=st.text(max_size=60) | st.lists(_json_values.map(packed), max_size=4).map(".".join)
)
async def test_no_token_breaks_us(settings: Settings, token: str) -> None:
    authenticator = Authenticator(settings, now=Clock())

    with pytest.raises(Unauthorised):
        await authenticator.authenticate(bearer(token))


@given(
    changed=st.dictionaries(
        st.sampled_from(["iss", "aud", "sub", "tenant", "scope", "exp", "nbf", "jti"]),
        _json_values,
        min_size=1,
        max_size=3,
    )
)
async def test_signed_nonsense_is_refused_or_harmless(
    settings: Settings, changed: dict[str, Any]
) -> None:
    authenticator = Authenticator(settings, now=Clock())
    whole = {**claims(settings), **changed}
    header = {"alg": "EdDSA", "kid": "issuer-1"}
    token = jws.serialize_compact(
        header, json.dumps(whole), ISSUER_KEY, registry=auth._REGISTRIES["OKP"]
    )
    try:
        caller = await authenticator.authenticate(bearer(token))
    except BadToken:
        return
    assert TENANT_ID.fullmatch(caller.tenant_id)
    assert caller.scopes <= set(SCOPES) - {INTERNAL_READ, INTERNAL_QUOTE}
