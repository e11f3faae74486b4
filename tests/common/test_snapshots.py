"""Snapshots: the same facts are the same bytes, any other byte is found out, and none is a token."""

import asyncio
import base64
import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common import auth, snapshots
from libs.common.auth import SERVICE_AUDIENCE, Authenticator, BadToken, Keys, ServiceSigner
from libs.common.errors import Unavailable
from libs.common.settings import Settings
from libs.common.snapshots import TYPE, NotAsTaken, taken, verified

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
POLICY_KEY, FORMER_KEY, QUOTE_KEY = map(auth.new_key, ("policy", "policy.0", "quote"))
CONTENT: dict[str, Any] = {
    "policy_id": "pol_1",
    "as_of": "2026-03-02T12:00:00Z",
    "is_zoned": True,
    "reason": None,
    "scans": [{"location": 'São Paulo, \u2028"5\\', "count": 3}],
}


def at_noon() -> datetime:
    return NOON


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    (folder / "keys.json").write_bytes(auth.public_jwks([POLICY_KEY, QUOTE_KEY]))
    for key in (POLICY_KEY, FORMER_KEY, QUOTE_KEY):
        (folder / f"{key.kid}.json").write_bytes(auth.private_jwk(key))
    return folder


@pytest.fixture(scope="module")
def keys(folder: Path) -> Keys:
    return Keys(str(folder / "keys.json"), now=at_noon)


def signer_of(folder: Path, kid: str) -> ServiceSigner:
    own = Settings(service_key=folder / f"{kid}.json")
    return ServiceSigner(own, kid.partition(".")[0], now=at_noon)


@pytest.fixture(scope="module")
def document(folder: Path) -> bytes:
    return taken(CONTENT, signer_of(folder, "policy")).document


async def why_not(document: bytes, keys: Keys) -> str:
    with pytest.raises(NotAsTaken) as refused:
        await verified(document, keys, service="policy")
    return str(refused.value)


async def test_what_was_taken_is_known_again(document: bytes, keys: Keys) -> None:
    snapshot = await verified(document, keys, service="policy")

    assert snapshot.content == CONTENT
    assert snapshot.document == document
    assert (await verified(document + b"\n", keys, service="policy")).kid == "policy"


def test_the_same_facts_are_the_same_bytes_whatever_their_order(
    folder: Path, document: bytes
) -> None:
    other_way = dict(reversed(CONTENT.items()))

    assert taken(other_way, signer_of(folder, "policy")).document == document


@pytest.mark.parametrize("place", range(0, 600, 7))
async def test_no_byte_can_be_another(document: bytes, keys: Keys, place: int) -> None:
    place %= len(document)
    for other in (document[place] ^ 1, document[place] ^ 32, ord(" "), ord("0")):
        if other != document[place]:
            changed = document[:place] + bytes([other]) + document[place + 1 :]
            await why_not(changed, keys)


async def test_not_even_the_bits_that_base64_leaves_over(document: bytes, keys: Keys) -> None:
    signature = json.loads(document)["signature"]
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        if last != signature[-1]:
            other = signature[:-1] + last
            await why_not(document.replace(signature.encode(), other.encode()), keys)


async def test_nothing_can_be_added_or_left_out(document: bytes, keys: Keys) -> None:
    laid_out = json.dumps(json.loads(document), indent=2).encode()
    twice = document.replace(b'{"sha256"', b'{"sha256":"","sha256"', 1)
    for changed in (document[1:], document[:-1], document + b" ", b" " + document, b"", b"[]"):
        await why_not(changed, keys)
    assert "laid out anew" in await why_not(laid_out, keys)
    assert "laid out anew" in await why_not(twice, keys)


@given(st.binary(max_size=60), st.integers(0, 600))
@settings(max_examples=200)
def test_nothing_breaks_the_one_who_looks(inserted: bytes, place: int) -> None:
    shape = b'{"sha256":"00","signature":"e30.e30.e30","snapshot":{}}'
    for changed in (inserted, shape[:place] + inserted + shape[place:], b"[" * 100_000):
        with pytest.raises(NotAsTaken):
            asyncio.run(verified(changed, Keys("/nowhere"), service="policy"))


@pytest.mark.parametrize(
    ("kid", "why"), [("quote", "none of policy's"), ("policy.0", "not among the public keys")]
)
async def test_only_a_key_of_the_service_that_is_given_counts(
    folder: Path, keys: Keys, kid: str, why: str
) -> None:
    document = taken(CONTENT, signer_of(folder, kid)).document

    assert why in await why_not(document, keys)


async def test_a_signature_is_good_for_its_own_snapshot_alone(folder: Path, keys: Keys) -> None:
    signer = signer_of(folder, "policy")
    one, other = taken(CONTENT, signer), taken({**CONTENT, "reason": "lost"}, signer)
    mixed = one.document.replace(one.signature.encode(), other.signature.encode())

    assert "of another snapshot" in await why_not(mixed, keys)


async def test_without_keys_we_say_that_we_cannot_tell(document: bytes, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await verified(document, Keys(str(tmp_path / "nothing")), service="policy")


def test_anybody_can_check_it_without_us(document: bytes, folder: Path) -> None:
    """As the page says: the hash over the snapshot's bytes, the JWS with a public key."""
    snapshot = document[document.index(b'"snapshot":') + 11 : -1]
    parsed = json.loads(document)
    head, payload, signature = parsed["signature"].split(".")
    (public,) = [
        one for one in json.loads((folder / "keys.json").read_bytes())["keys"]
        if one["kid"] == "policy"
    ]  # fmt: skip
    check = (
        "import base64, sys\n"
        "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey\n"
        "unpad = lambda text: base64.urlsafe_b64decode(text + '==')\n"
        "key, signed, signature = sys.argv[1:]\n"
        "Ed25519PublicKey.from_public_bytes(unpad(key)).verify(unpad(signature), signed.encode())"
    )
    subprocess.run(
        [sys.executable, "-c", check, public["x"], f"{head}.{payload}", signature], check=True
    )
    stated = json.loads(base64.urlsafe_b64decode(payload + "=="))

    assert stated == {"sha256": hashlib.sha256(snapshot).hexdigest()}
    assert parsed["sha256"] == stated["sha256"]


# --- tokens ----------------------------------------------------------------------------------

CLAIMS = {
    "iss": "policy",
    "aud": SERVICE_AUDIENCE,
    "sub": "policy",
    "tenant": "cssbuy",
    "scope": "internal:read",
    "exp": int(NOON.timestamp()) + 60,
}


@pytest.fixture
def authenticator(folder: Path) -> Authenticator:
    trusted = Settings(jwks=str(folder / "keys.json"), service_jwks=str(folder / "keys.json"))
    return Authenticator(trusted, now=at_noon)


async def test_a_snapshots_signature_is_no_token(
    authenticator: Authenticator, document: bytes
) -> None:
    signature = json.loads(document)["signature"]

    with pytest.raises(BadToken):
        await authenticator.authenticate({"authorization": f"Bearer {signature}"})


async def test_nor_would_it_be_if_it_said_what_tokens_say(authenticator: Authenticator) -> None:
    token = auth.sign(POLICY_KEY, CLAIMS)
    attested = auth.sign(POLICY_KEY, CLAIMS, typ=TYPE)

    assert (await authenticator.authenticate({"authorization": f"Bearer {token}"})).service
    with pytest.raises(BadToken, match="something else than a token"):
        await authenticator.authenticate({"authorization": f"Bearer {attested}"})


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
async def test_a_token_may_say_that_it_is_one(authenticator: Authenticator, typ: str) -> None:
    token = auth.sign(POLICY_KEY, CLAIMS, typ=typ)

    caller = await authenticator.authenticate({"authorization": f"Bearer {token}"})

    assert caller.tenant_id == "cssbuy"


async def test_a_token_signs_no_snapshot(keys: Keys) -> None:
    """Not even one that a service could be made to sign over a hash."""
    content = {"policy_id": "pol_1"}
    sha256 = hashlib.sha256(snapshots.canonical(content)).hexdigest()
    token = auth.sign(POLICY_KEY, {"sha256": sha256})
    document = snapshots.canonical({"snapshot": content, "sha256": sha256, "signature": token})

    assert "something else" in await why_not(document, keys)
