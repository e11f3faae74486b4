"""The import contracts hold here, and each is seen to fail on a planted breach."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> dict[str, str]:
    """What the linter says of each contract: KEPT or BROKEN."""
    done = subprocess.run(
        [str(LINTER), "--no-cache"],
        cwd=folder,
        # The copy's packages, not the installed ones.
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = {
        name: verdict
        for line in done.stdout.splitlines()
        for name, _, verdict in [line.strip().rpartition(" ")]
        if verdict in ("KEPT", "BROKEN")
    }
    assert verdicts, done.stdout + done.stderr
    return verdicts


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for package in ("services", "libs", "deploy"):
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_every_contract_holds(copy: Path) -> None:
    assert set(lint(copy).values()) == {"KEPT"}


BREACHES = {
    "Services do not know each other": (
        "services/policy/usecases.py",
        "from services.claims.domain import cases",
    ),
    "Common knows no service": ("libs/common/ids.py", "import services.policy.events"),
    "Services know no deployment": ("services/quote/jobs.py", "import deploy.plans_check"),
    "Rooms stack one way": ("services/policy/store.py", "from services.policy import usecases"),
    "Domains are pure": ("libs/common/money.py", "import asyncpg"),
    "Clients never touch the database": (
        "services/policy/clients.py",
        "from services.policy import store",
    ),
}


@pytest.mark.parametrize(("contract", "breach"), BREACHES.items(), ids=BREACHES.keys())
def test_each_contract_is_broken_by_a_planted_breach(
    copy: Path, contract: str, breach: tuple[str, str]
) -> None:
    assert broken_by(copy, *breach)[contract] == "BROKEN"


def test_a_room_nobody_agreed_on_is_a_breach(copy: Path) -> None:
    verdicts = broken_by(copy, "services/policy/utils.py", "X = 1")
    assert verdicts["Rooms stack one way"] == "BROKEN"


def broken_by(folder: Path, file: str, line: str) -> dict[str, str]:
    """The verdicts with this line added to that file, which is as it was afterwards."""
    path = folder / file
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n")
    try:
        return lint(folder)
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)
