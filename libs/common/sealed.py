"""Secrets that must be read again, such as a webhook's, sealed before they are stored.

Fernet (AES-128-CBC with HMAC-SHA256). The newest key seals; older ones still open, so that keys can be
changed: put the new one in front, and take the last out once all is sealed anew.
"""

from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Unsealable(Exception):
    """None of our keys opens it."""


class Sealer:
    """By a file of keys, one a line, the newest first; read when first needed."""

    def __init__(self, keys: Path) -> None:
        self._path = keys
        self._fernet: MultiFernet | None = None

    def seal(self, secret: bytes) -> bytes:
        return self._keys().encrypt(secret)

    def open(self, sealed: bytes) -> bytes:
        try:
            return self._keys().decrypt(sealed)
        except InvalidToken:
            raise Unsealable("No key here opens what was sealed.") from None

    def _keys(self) -> MultiFernet:
        if self._fernet is None:
            lines = self._path.read_text().split()
            self._fernet = MultiFernet([Fernet(line) for line in lines])
        return self._fernet


def new_key() -> bytes:
    """A line for the file of keys."""
    return Fernet.generate_key()
