"""Secrets are sealed before they are stored; the newest key seals, older ones still open."""

from pathlib import Path

import pytest

from libs.common.sealed import Sealer, Unsealable, new_key


def a_sealer(folder: Path, *keys: bytes) -> Sealer:
    file = folder / "sealing.keys"
    file.write_bytes(b"\n".join(keys))
    return Sealer(file)


def test_what_is_sealed_says_nothing_and_opens_again(tmp_path: Path) -> None:
    sealer = a_sealer(tmp_path, new_key())

    sealed = sealer.seal(b"whsec_secret")

    assert b"whsec_secret" not in sealed
    assert sealer.open(sealed) == b"whsec_secret"


def test_a_new_key_in_front_opens_what_the_old_one_sealed(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    sealed = a_sealer(tmp_path, old).seal(b"whsec_secret")

    assert a_sealer(tmp_path, new, old).open(sealed) == b"whsec_secret"
    with pytest.raises(Unsealable):
        a_sealer(tmp_path, new).open(sealed)


def test_what_was_tampered_with_does_not_open(tmp_path: Path) -> None:
    sealer = a_sealer(tmp_path, new_key())

    with pytest.raises(Unsealable):
        sealer.open(sealer.seal(b"whsec_secret")[:-4] + b"AAA=")
