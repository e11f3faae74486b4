"""Who is calling: bearer tokens of customers' issuers, and 60-second tokens between our services.

A token's algorithm is the one its key is for, never the one its header asks for. What a token says
is kept once it is verified, for at most CACHED_SECONDS, and can be taken back at once.
"""

import asyncio
import hashlib
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import httpx
import msgspec
import structlog
from fastapi import Request, Security
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

from libs.common.acting import acting
from libs.common.clock import system_now
from libs.common.errors import Forbidden, Unauthorised, Unavailable
from libs.common.ids import TENANT_ID
from libs.common.settings import Settings

QUOTES_WRITE: Final = "quotes:write"
QUOTES_READ: Final = "quotes:read"
QUOTES_VERIFY: Final = "quotes:verify"
RATES_WRITE: Final = "rates:write"
POLICIES_WRITE: Final = "policies:write"
POLICIES_READ: Final = "policies:read"
POLICIES_VOID: Final = "policies:void"
PAYMENTS_WRITE: Final = "payments:write"
HOOKS_WRITE: Final = "hooks:write"
TRACKING_WRITE: Final = "tracking:write"
CLAIMS_WRITE: Final = "claims:write"
CLAIMS_READ: Final = "claims:read"
CLAIMS_DECIDE: Final = "claims:decide"
CLAIMS_MANAGE: Final = "claims:manage"
CLAIMS_REVIEW: Final = "claims:review"
PAYOUTS_APPROVE: Final = "payouts:approve"
PAYOUTS_SETTLE: Final = "payouts:settle"
CLOCKS_WRITE: Final = "clocks:write"
NOTIFICATIONS_READ: Final = "notifications:read"
DEADLETTERS_WRITE: Final = "deadletters:write"
INTERNAL_READ: Final = "internal:read"
INTERNAL_QUOTE: Final = "internal:quote"

SCOPES: Final[Mapping[str, str]] = {
    QUOTES_WRITE: "ask for offers and record the customer's choice",
    QUOTES_READ: "see quotes and the catalogue",
    QUOTES_VERIFY: "check proofs of purchase, as staff",
    RATES_WRITE: "enter daily exchange rates",
    POLICIES_WRITE: "bind, dispatch and cancel policies",
    POLICIES_READ: "see policies, their tracking and what may be claimed",
    POLICIES_VOID: "void policies for a false declaration, as staff",
    PAYMENTS_WRITE: "record payments and settle refunds",
    HOOKS_WRITE: "let payment providers and carriers report, and see what they said",
    TRACKING_WRITE: "report what happened to a parcel",
    CLAIMS_WRITE: "file claims, add evidence and appeal",
    CLAIMS_READ: "see claims and how they were decided",
    CLAIMS_DECIDE: "decide claims that are referred to a person",
    CLAIMS_MANAGE: "decide claims and appeals that are beyond an adjudicator",
    CLAIMS_REVIEW: "decide appeals as the independent reviewer",
    PAYOUTS_APPROVE: "agree to payouts that need two people",
    PAYOUTS_SETTLE: "record that money has moved",
    CLOCKS_WRITE: "move a sandbox's test clock",
    NOTIFICATIONS_READ: "see what was sent, and follow the event feed",
    DEADLETTERS_WRITE: "replay or drop parked events",
    INTERNAL_READ: "read on behalf of a tenant; only our services are given it",
    INTERNAL_QUOTE: "ask for quotes on behalf of a tenant; only our services are given it",
}
_INTERNAL: Final = "internal:"

SERVICES: Final = frozenset({"quote", "policy", "claims", "notifier"})
SERVICE_AUDIENCE: Final = "parcelcover-services"
SERVICE_TOKEN_SECONDS: Final = 60
# A minted token is used again while it has at least this long to live.
REUSE_SECONDS: Final = 20

LEEWAY_SECONDS: Final = 60
# Also how long a key that its issuer has withdrawn can go on being trusted, per token.
CACHED_SECONDS: Final = 300
MAX_CACHED: Final = 10_000
MAX_REVOKED: Final = 100_000
MAX_TOKEN_CHARACTERS: Final = 8_192
# What a token may say that it is (RFC 8725, 3.11), in lower case; it need not say it.
TOKEN_TYPES: Final = frozenset({"jwt", "at+jwt"})

KEYS_FRESH_SECONDS: Final = 300
KEYS_RETRY_SECONDS: Final = 10
KEYS_TIMEOUT_SECONDS: Final = 5
MAX_JWKS_BYTES: Final = 1_048_576
MIN_RSA_BITS: Final = 2048

Now = Callable[[], datetime]
SigningKey = OKPKey | RSAKey | ECKey

_log = structlog.get_logger()
_REALM: Final = 'Bearer realm="parcelcover"'


class NoToken(Unauthorised):
    http_headers: ClassVar[Mapping[str, str]] = {"www-authenticate": _REALM}


class BadToken(Unauthorised):
    http_headers: ClassVar[Mapping[str, str]] = {
        "www-authenticate": f'{_REALM}, error="invalid_token"'
    }


class MissingScope(Forbidden):
    def __init__(self, scope: str) -> None:
        super().__init__(f"Your token lacks the scope {scope}: {SCOPES[scope]}.", scope=scope)
        self.http_headers = {
            "www-authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope}"'
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. `service` names one of ours that asks on the tenant's behalf."""

    tenant_id: str
    subject: str
    scopes: frozenset[str]
    service: str | None = None

    def must(self, scope: str) -> None:
        """MissingScope unless the caller has it."""
        if scope not in self.scopes:
            raise MissingScope(scope)


# --- keys ------------------------------------------------------------------------------------


def _registry(*algorithms: str) -> jws.JWSRegistry:
    registry = jws.JWSRegistry(algorithms=algorithms, strict_check_header=False)
    # RFC 9864 renames EdDSA to Ed25519 and joserfc warns of the old name, which everybody sends.
    eddsa = copy(jws.JWSRegistry.algorithms["EdDSA"])
    eddsa.security_warning = None
    registry.algorithms = {**jws.JWSRegistry.algorithms, "EdDSA": eddsa}
    return registry


# What a key may verify follows from its kind alone.
_REGISTRIES: Final = {
    "OKP": _registry("EdDSA", "Ed25519"),
    "RSA": _registry("RS256"),
    "EC": _registry("ES256"),
}


class Keys:
    """Public keys by kid, from a JWKS file or URL; read again when old or when a kid is unknown."""

    def __init__(
        self,
        source: str,
        *,
        now: Now = system_now,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._source = source
        self._now = now
        self._transport = transport
        self._lock = asyncio.Lock()
        self._keys: dict[str, SigningKey] | None = None
        self._read_at = float("-inf")
        self._tried_at = float("-inf")

    async def get(self, kid: str) -> SigningKey:
        """BadToken where the issuer has no such key, Unavailable where it cannot be asked."""
        is_known = self._keys is not None and kid in self._keys
        # Who needs a key waits for whoever is fetching it; known keys are good meanwhile.
        if not is_known or (self._is_due(kid) and not self._lock.locked()):
            async with self._lock:
                if self._is_due(kid):
                    await self._refresh()
        if self._keys is None:
            raise Unavailable(
                "The keys that tokens are checked with cannot be read at the moment."
            )
        try:
            return self._keys[kid]
        except KeyError:
            raise BadToken(
                "The token is signed with a key that its issuer does not list."
            ) from None

    def _is_due(self, kid: str) -> bool:
        now = self._now().timestamp()
        is_wanted = (
            self._keys is None
            or kid not in self._keys
            or now - self._read_at > KEYS_FRESH_SECONDS
        )
        return is_wanted and now - self._tried_at > KEYS_RETRY_SECONDS

    async def _refresh(self) -> None:
        self._tried_at = self._now().timestamp()
        try:
            self._keys = _usable_keys(await self._read())
        except (
            OSError,
            httpx.HTTPError,
            msgspec.MsgspecError,
            ValueError,
            JoseError,
        ) as failure:
            # What is known stays good: an issuer that is away must not lock everybody out.
            _log.error("keys_not_read", source=self._source, cause=repr(failure))
        else:
            self._read_at = self._tried_at

    async def _read(self) -> bytes:
        if not self._source.startswith(("https://", "http://")):
            return await asyncio.to_thread(Path(self._source).read_bytes)
        async with httpx.AsyncClient(
            timeout=KEYS_TIMEOUT_SECONDS, transport=self._transport
        ) as client:
            response = await client.get(self._source, headers={"accept": "application/json"})
        response.raise_for_status()
        if len(response.content) > MAX_JWKS_BYTES:
            raise ValueError(f"A key set of more than {MAX_JWKS_BYTES} bytes.")
        return response.content


class _Jwks(msgspec.Struct):
    keys: list[dict[str, Any]]


def _usable_keys(document: bytes) -> dict[str, SigningKey]:
    """The set's signature keys of the kinds we take; others are an issuer's own business."""
    entries = msgspec.json.decode(document, type=_Jwks).keys
    keys = (_usable_key(entry) for entry in entries)
    return {str(key.kid): key for key in keys if key is not None}


def _usable_key(entry: dict[str, Any]) -> SigningKey | None:
    if entry.get("kty") not in _REGISTRIES or entry.get("use", "sig") != "sig":
        return None
    if not isinstance(entry.get("kid"), str):
        return None
    with suppress(JoseError, ValueError, TypeError, KeyError):
        key = JWKRegistry.import_key(entry)
        if isinstance(key, OKPKey) and key.curve_name == "Ed25519":
            return key
        if isinstance(key, ECKey) and key.curve_name == "P-256":
            return key
        if isinstance(key, RSAKey) and key.raw_value.key_size >= MIN_RSA_BITS:
            return key
    _log.warning("key_not_usable", kid=entry["kid"], kty=entry["kty"])
    return None


# --- tokens ----------------------------------------------------------------------------------


class _Header(msgspec.Struct):
    alg: str
    kid: str
    typ: str | None = None
    crit: list[str] | None = None


class _Claims(msgspec.Struct):
    iss: str
    aud: str | list[str]
    exp: int | float
    sub: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    tenant: str
    scope: str
    nbf: int | float | None = None
    jti: Annotated[str, msgspec.Meta(max_length=255)] | None = None


_header_decoder: Final = msgspec.json.Decoder(_Header)
_claims_decoder: Final = msgspec.json.Decoder(_Claims)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verified:
    caller: Caller
    jti: str | None
    until: float


class Authenticator:
    """Tells callers from their tokens. One a process; nothing is read before the first token."""

    def __init__(
        self,
        settings: Settings,
        *,
        now: Now = system_now,
        keys: Keys | None = None,
        service_keys: Keys | None = None,
    ) -> None:
        self._issuer = settings.issuer
        self._audience = settings.audience
        self._now = now
        self._keys = keys or Keys(settings.jwks, now=now)
        self._service_keys = service_keys or Keys(settings.service_jwks, now=now)
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._revoked: OrderedDict[str, None] = OrderedDict()

    @property
    def service_keys(self) -> Keys:
        """What our services' own signatures are checked with."""
        return self._service_keys

    async def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """The caller named by `authorization` (names of `headers` are lower case).

        NoToken or BadToken (401) where nobody is; Unavailable (503) where keys cannot be had.
        """
        token = _bearer(headers)
        mark = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(mark)
        if known is None or known.until <= self._now().timestamp():
            known = await self._verify(token)
            self._remember(mark, known)
        else:
            self._verified.move_to_end(mark)
        if known.jti is not None and known.jti in self._revoked:
            raise BadToken("The token has been revoked. Ask for a new one.")
        caller = known.caller
        acting.set(f"service:{caller.service}" if caller.service else caller.subject)
        return caller

    def revoke(self, jti: str) -> None:
        """From now on no token with this `jti` is taken by this process."""
        self._revoked[jti] = None
        if len(self._revoked) > MAX_REVOKED:
            self._revoked.popitem(last=False)

    def clear(self) -> None:
        """Forget what was verified: every token is looked at again."""
        self._verified.clear()

    def _remember(self, mark: bytes, verified: _Verified) -> None:
        self._verified[mark] = verified
        self._verified.move_to_end(mark)
        if len(self._verified) > MAX_CACHED:
            self._verified.popitem(last=False)

    async def _verify(self, token: str) -> _Verified:
        header, unproven = _peek(token)
        service = unproven.iss if unproven.iss in SERVICES else None
        if service and not is_key_of(header.kid, service):
            raise BadToken("The token is signed with another service's key.")
        key = await (self._service_keys if service else self._keys).get(header.kid)
        claims = _proven_claims(token, key)
        now = self._now().timestamp()
        _check_times(claims, now)
        if not TENANT_ID.fullmatch(claims.tenant):
            raise BadToken(
                "The token's tenant is not 2 to 63 lower case letters, digits, dashes."
            )
        caller = self._service_caller(claims, now) if service else self._caller(claims)
        until = min(claims.exp + LEEWAY_SECONDS, now + CACHED_SECONDS)
        return _Verified(caller=caller, jti=claims.jti, until=until)

    def _caller(self, claims: _Claims) -> Caller:
        if claims.iss != self._issuer:
            raise BadToken("The token is not from the issuer that is trusted here.")
        if self._audience not in _audiences(claims):
            raise BadToken(f"The token is not meant for {self._audience} (aud).")
        scopes = frozenset(
            scope
            for scope in claims.scope.split()
            if scope in SCOPES and not scope.startswith(_INTERNAL)
        )
        return Caller(tenant_id=claims.tenant, subject=claims.sub, scopes=scopes)

    def _service_caller(self, claims: _Claims, now: float) -> Caller:
        if _audiences(claims) != {SERVICE_AUDIENCE}:
            raise BadToken(f"A service's token is meant for {SERVICE_AUDIENCE} (aud) alone.")
        if claims.exp > now + SERVICE_TOKEN_SECONDS + LEEWAY_SECONDS:
            raise BadToken(
                f"A service's token lives for {SERVICE_TOKEN_SECONDS} seconds at most."
            )
        if claims.scope not in SCOPES or not claims.scope.startswith(_INTERNAL):
            raise BadToken(f"A service's token has one scope, and it begins with {_INTERNAL}.")
        return Caller(
            tenant_id=claims.tenant,
            subject=claims.sub,
            scopes=frozenset({claims.scope}),
            service=claims.iss,
        )


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NoToken("Send a token: `Authorization: Bearer <token>`.")
    token = token.strip()
    if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
        raise BadToken(f"A token is at most {MAX_TOKEN_CHARACTERS} ASCII characters.")
    return token


def _peek(token: str) -> tuple[_Header, _Claims]:
    """What the token says of itself, to find the key that could prove it."""
    parts = token.split(".")
    if len(parts) != 3:
        raise BadToken("The token is not a signed JWT, which has three parts.")
    try:
        header = _header_decoder.decode(urlsafe_b64decode(parts[0].encode()))
        claims = _claims_decoder.decode(urlsafe_b64decode(parts[1].encode()))
    except msgspec.ValidationError as wrong:
        raise BadToken(f"The token cannot be used: {wrong}.") from None
    except (ValueError, RecursionError):
        raise BadToken("The token is not a JWT: its parts are not JSON in base64url.") from None
    if header.crit is not None:
        raise BadToken("The token has critical headers that are not understood here.")
    if header.typ is not None and not _is_token_type(header.typ):
        raise BadToken("It is signed, but as something else than a token (typ).")
    return header, claims


def _is_token_type(typ: str) -> bool:
    return typ.lower().removeprefix("application/") in TOKEN_TYPES


def _proven_claims(token: str, key: SigningKey) -> _Claims:
    try:
        return _claims_decoder.decode(proven(token, key))
    except (JoseError, ValueError, TypeError):
        raise BadToken("The token's signature is not right for its key.") from None


def proven(compact: str, key: SigningKey) -> bytes:
    """What was signed; JoseError or ValueError where it was not with this key."""
    return jws.deserialize_compact(compact, key, registry=_REGISTRIES[key.key_type]).payload


def _check_times(claims: _Claims, now: float) -> None:
    if claims.exp + LEEWAY_SECONDS <= now:
        raise BadToken("The token has expired. Ask for a new one.")
    if claims.nbf is not None and claims.nbf - LEEWAY_SECONDS > now:
        raise BadToken("The token is not valid yet (nbf).")


def _audiences(claims: _Claims) -> set[str]:
    return {claims.aud} if isinstance(claims.aud, str) else set(claims.aud)


def is_key_of(kid: str, service: str) -> bool:
    """A service's keys are named after it: `claims`, or `claims.2` while keys are changed."""
    return kid == service or kid.startswith(f"{service}.")


# --- routes ----------------------------------------------------------------------------------


class _Guard(SecurityBase):
    """A dependency that FastAPI also writes into the OpenAPI document."""

    def __init__(self, scope: str, *, or_service: bool) -> None:
        self.model = HTTPBearerModel(
            bearerFormat="JWT", description="A token of the configured issuer, tenant in it."
        )
        self.scheme_name = "bearer"
        self.scope = scope
        self.or_service = or_service

    async def __call__(self, request: Request) -> Caller:
        authenticator: Authenticator = request.app.state.authenticator
        caller = await authenticator.authenticate(request.headers)
        if not (self.or_service and INTERNAL_READ in caller.scopes):
            caller.must(self.scope)
        return caller


def requires(scope: str, *, or_service: bool = False) -> Any:
    """For a route: `caller: Annotated[Caller, requires(CLAIMS_WRITE)]`. 401, or 403 without it.

    `or_service`: one of our own services may read it too, on behalf of its token's tenant.
    """
    if scope not in SCOPES:
        raise LookupError(f"{scope!r} is not in the table of scopes.")
    return Security(_Guard(scope, or_service=or_service), scopes=[scope])


class _Signature(SecurityBase):
    """For a route whose callers have no token: the route itself proves who signed the body."""

    def __init__(self) -> None:
        self.model = APIKey(
            name="webhook-signature",
            description="The sender's own signature over the bytes of the body.",
            **{"in": APIKeyIn.header},
        )
        self.scheme_name = "signature"

    async def __call__(self) -> None:
        return None


SIGNED: Final = Security(_Signature())


# --- minting ---------------------------------------------------------------------------------


def new_key(kid: str) -> OKPKey:
    """A fresh Ed25519 key pair named `kid`."""
    return OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig", "alg": "EdDSA"})


def private_jwk(key: SigningKey) -> bytes:
    """The key file of whoever signs with it. Keep it to its owner."""
    return msgspec.json.encode(key.as_dict(private=True))


def public_jwks(keys: Iterable[SigningKey]) -> bytes:
    """The key set that those keys' tokens are checked with."""
    return msgspec.json.encode({"keys": [key.as_dict(private=False) for key in keys]})


def read_key(path: Path) -> OKPKey:
    """A key file as `private_jwk` wrote it; ValueError where it is something else."""
    entry = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    key = _usable_key(entry)
    if not isinstance(key, OKPKey) or not key.is_private:
        raise ValueError(f"{path} holds no private Ed25519 key with a kid.")
    return key


def sign(key: OKPKey, claims: Mapping[str, object], *, typ: str = "JWT") -> str:
    """A JWT over the claims, EdDSA; `typ` where it is to be no token."""
    header = {"typ": typ, "alg": "EdDSA", "kid": key.kid}
    return jws.serialize_compact(
        header, msgspec.json.encode(claims), key, registry=_REGISTRIES["OKP"]
    )


def issue_token(
    key: OKPKey,
    settings: Settings,
    *,
    tenant_id: str,
    subject: str,
    scopes: Iterable[str],
    now: datetime,
    lifetime_seconds: int = 900,
) -> str:
    """A caller's token as the configured issuer would sign it: for development and tests."""
    return sign(
        key,
        {
            "iss": settings.issuer,
            "aud": settings.audience,
            "sub": subject,
            "tenant": tenant_id,
            "scope": " ".join(sorted(scopes)),
            "iat": int(now.timestamp()),
            "exp": int(now.timestamp()) + lifetime_seconds,
            "jti": uuid.uuid4().hex,
        },
    )


class ServiceSigner:
    """Tokens with which one of our services asks another on a tenant's behalf.

    ValueError where the settings' key file is not this service's own.
    """

    def __init__(self, settings: Settings, service: str, *, now: Now = system_now) -> None:
        self._key = read_key(settings.service_key)
        if service not in SERVICES or not is_key_of(str(self._key.kid), service):
            raise ValueError(f"{settings.service_key} is not a key of the service {service!r}.")
        self._service = service
        self._now = now
        self._minted: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def mint(self, tenant_id: str, scope: str = INTERNAL_READ) -> str:
        """A token that lives for 60 seconds at most, and for 20 at least."""
        now = self._now().timestamp()
        token, expires_at = self._minted.get((tenant_id, scope), ("", 0.0))
        if expires_at - now < REUSE_SECONDS:
            token = self._sign(tenant_id, scope, now)
            self._minted[tenant_id, scope] = (token, now + SERVICE_TOKEN_SECONDS)
            if len(self._minted) > MAX_CACHED:
                self._minted.popitem(last=False)
        return token

    def headers(self, tenant_id: str, scope: str = INTERNAL_READ) -> dict[str, str]:
        """The headers of a request that asks for this tenant."""
        return {"authorization": f"Bearer {self.mint(tenant_id, scope)}"}

    def attest(self, typ: str, statement: Mapping[str, object]) -> str:
        """A statement that is signed for good. Its `typ` is none of a token's."""
        assert not _is_token_type(typ)
        return sign(self._key, statement, typ=typ)

    def _sign(self, tenant_id: str, scope: str, now: float) -> str:
        return sign(
            self._key,
            {
                "iss": self._service,
                "aud": SERVICE_AUDIENCE,
                "sub": self._service,
                "tenant": tenant_id,
                "scope": scope,
                "iat": int(now),
                "exp": int(now) + SERVICE_TOKEN_SECONDS,
                "jti": uuid.uuid4().hex,
            },
        )
