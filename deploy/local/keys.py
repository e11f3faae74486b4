"""The keys of a stack on one machine: an issuer's of callers' tokens, one a service, one to seal with.

They are made once and kept in a folder only its owner may enter. They are for development: a real
installation names its own issuer (`PARCELCOVER_ISSUER`, `PARCELCOVER_JWKS`).
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from libs.common import auth
from libs.common.clock import system_now
from libs.common.migrate import SERVICES
from libs.common.sealed import new_key
from libs.common.settings import Settings

ISSUER = "issuer"
ISSUER_JWKS = "issuer.jwks.json"
SERVICES_JWKS = "services.jwks.json"
SEALING_KEYS = "sealing.keys"
TOKEN_SECONDS = 3600


def make_keys(folder: Path) -> None:
    """Make the keys that are missing, and write both public sets from what is there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in (ISSUER, *SERVICES):
        if not (path := key_file(folder, name)).exists():
            _write(path, auth.private_jwk(auth.new_key(name)), mode=0o600)
    if not (sealing := folder / SEALING_KEYS).exists():
        _write(sealing, new_key() + b"\n", mode=0o600)
    issuer = auth.read_key(key_file(folder, ISSUER))
    services = [auth.read_key(key_file(folder, service)) for service in SERVICES]
    _write(folder / ISSUER_JWKS, auth.public_jwks([issuer]), mode=0o644)
    _write(folder / SERVICES_JWKS, auth.public_jwks(services), mode=0o644)


def key_file(folder: Path, name: str) -> Path:
    """Where the private key of a service, or of the issuer, is kept."""
    return folder / f"{name}.jwk.json"


def issue_token(
    folder: Path,
    *,
    tenant: str,
    scopes: Iterable[str],
    subject: str = "local",
    lifetime_seconds: int = TOKEN_SECONDS,
) -> str:
    """A caller's token, signed by the folder's issuer, as the services' settings expect it."""
    return auth.issue_token(
        auth.read_key(key_file(folder, ISSUER)),
        Settings(),
        tenant_id=tenant,
        subject=subject,
        scopes=scopes,
        now=system_now(),
        lifetime_seconds=lifetime_seconds,
    )


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Whole or not at all, and never readable by more than `mode` says."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=mode)
    unfinished.write_bytes(content)
    unfinished.replace(path)


if __name__ == "__main__":
    # `python -m deploy.local.keys FOLDER`, for a container that only makes keys.
    make_keys(Path(sys.argv[1]))
