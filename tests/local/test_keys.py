"""The local issuer's tokens are what our services' doors take."""

import stat
from pathlib import Path

import pytest

from deploy.local import keys
from libs.common import auth
from libs.common.auth import Authenticator, ServiceSigner
from libs.common.settings import Settings


async def test_a_token_of_the_local_issuer_names_its_caller(tmp_path: Path) -> None:
    keys.make_keys(tmp_path)
    token = keys.issue_token(
        tmp_path, tenant="sbx-cssbuy-1", scopes=[auth.CLAIMS_WRITE], subject="ann"
    )

    caller = await _door(tmp_path).authenticate({"authorization": f"Bearer {token}"})

    assert (caller.tenant_id, caller.subject) == ("sbx-cssbuy-1", "ann")
    assert caller.scopes == {auth.CLAIMS_WRITE}


async def test_a_service_is_known_by_its_own_key(tmp_path: Path) -> None:
    keys.make_keys(tmp_path)
    settings = Settings(service_key=keys.key_file(tmp_path, "claims"))
    signer = ServiceSigner(settings, "claims")

    caller = await _door(tmp_path).authenticate(signer.headers("sbx-cssbuy-1"))

    assert caller.service == "claims"


def test_keys_are_made_once(tmp_path: Path) -> None:
    keys.make_keys(tmp_path)
    before = _contents(tmp_path)

    keys.make_keys(tmp_path)

    assert _contents(tmp_path) == before


@pytest.mark.parametrize("name", ["issuer", "quote", "policy", "claims", "notifier"])
def test_private_keys_are_their_owners_alone(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "keys"
    keys.make_keys(folder)

    assert stat.S_IMODE(keys.key_file(folder, name).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def _door(folder: Path) -> Authenticator:
    return Authenticator(
        Settings(
            jwks=str(folder / keys.ISSUER_JWKS), service_jwks=str(folder / keys.SERVICES_JWKS)
        )
    )


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
