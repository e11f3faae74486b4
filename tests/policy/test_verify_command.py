"""`parcelcover tracking verify`: says what a snapshot is, and ends with 1 when a byte was changed."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.policy.builders import Json
from tests.policy.conftest import SetClock, Shop
from tests.policy.posting import Sender, a_detail, a_tracker_event

NUMBER = "EZ6000000006"


async def verify(file: Path, *more: object) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", "tracking", "verify", str(file)),
        *map(str, more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, printed.decode()


def change(file: Path, old: bytes, new: bytes) -> None:
    file.write_bytes(file.read_bytes().replace(old, new, 1))


@pytest.fixture
async def policy(shop: Shop, set_clock: SetClock) -> Json:
    await set_clock("2024-01-01T01:00:00")
    paid = await shop.a_paid_policy(carrier="usps", tracking_number=NUMBER)
    await set_clock("2024-03-10T00:00:00")
    return paid


@pytest.fixture
async def file(shop: Shop, policy: Json, tmp_path: Path) -> Path:
    """The snapshot of a delivered parcel, kept as it was answered."""
    delivered = a_detail("delivered", "2024-01-09T15:00:00Z")
    await (await Sender.opened(shop)).read(a_tracker_event(NUMBER, delivered))
    response = await shop.get(f"/v1/policies/{policy['policy_id']}/tracking-snapshot")
    kept = tmp_path / "snapshot.json"
    kept.write_bytes(response.content)
    return kept


async def test_says_what_it_is_and_that_nothing_was_changed(
    file: Path, policy: Json, keys: Path
) -> None:
    code, printed = await verify(file, "--jwks", keys / "services.jwks.json")

    assert code == 0, printed
    assert f"of policy {policy['policy_id']} (sbx-cssbuy-tests)" in printed
    assert "as it was known at 2024-03-10T00:00:00Z." in printed
    assert (
        f"Parcel {NUMBER} of usps: delivered (none), last moved 2024-01-09T15:00:00Z" in printed
    )
    assert "events: 1, messages behind them: 1." in printed
    assert "Signed with the key policy: no byte of it was changed." in printed


async def test_ends_with_1_when_a_byte_was_changed(file: Path, keys: Path) -> None:
    change(file, b"2024-01-09", b"2024-01-08")

    code, printed = await verify(file, "--jwks", keys / "services.jwks.json")

    assert code == 1
    assert "is not as it was given. The snapshot is not what its sha256 says" in printed


async def test_ends_with_1_when_it_is_signed_by_somebody_else(file: Path, keys: Path) -> None:
    code, printed = await verify(file, "--jwks", keys / "issuer.jwks.json")

    assert code == 1
    assert "not among the public keys" in printed


async def test_ends_with_2_when_nobody_can_tell(file: Path, tmp_path: Path) -> None:
    without_keys, printed = await verify(file, "--jwks", tmp_path / "nothing")
    without_file, _ = await verify(tmp_path / "none.json")

    assert (without_keys, without_file) == (2, 2)
    assert "No public keys can be read" in printed
