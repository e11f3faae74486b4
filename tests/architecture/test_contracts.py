"""The import contracts hold here, and each is seen to fail on a planted breach."""

import os
import shutil
import subprocess
import sys
import tomllib
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


# A contract, a module (a room's, whether it is a file or a package), and the line that is added.
BREACHES = [
    (
        "Services do not know each other",
        "services/policy/usecases",
        "import services.claims.store",
    ),
    (
        "Services do not know each other",
        "services/notifier/app",
        "import services.quote.settings",
    ),
    ("Common knows no service", "libs/common/migrate", "import services.policy.settings"),
    ("Common knows no service", "libs/common/migrate", "import deploy.local.ports"),
    ("Services know no deployment", "services/quote/app", "import deploy.local.ports"),
    ("Rooms stack one way", "services/policy/store", "import services.policy.usecases"),
    ("Rooms stack one way", "services/policy/usecases", "import services.policy.clients"),
    ("Rooms stack one way", "services/claims/events", "import services.claims.store"),
    # A room that nobody agreed on.
    ("Rooms stack one way", "services/policy/utils", "WORDS = 1"),
    ("Domains are pure", "services/policy/domain", "import asyncpg"),
    # By way of another module, and the standard library counts too.
    ("Domains are pure", "libs/common/money", "import random"),
    ("Domains are pure", "libs/common/plans/values", "import libs.common.plans.reading"),
    ("Clients never touch the database", "services/policy/clients", "import asyncpg"),
    (
        "Clients never touch the database",
        "services/claims/clients",
        "import services.claims.store",
    ),
]


@pytest.mark.parametrize(("contract", "module", "line"), BREACHES)
def test_a_planted_breach_breaks_its_contract_and_no_other(
    copy: Path, contract: str, module: str, line: str
) -> None:
    assert broken_by(copy, module, line) == {contract}


def test_no_contract_is_without_a_breach() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert {contract["name"] for contract in contracts["contracts"]} == {b[0] for b in BREACHES}


def broken_by(folder: Path, module: str, line: str) -> set[str]:
    """The contracts broken by this line in that module, which is as it was afterwards."""
    package = folder / module / "__init__.py"
    path = package if package.exists() else folder / f"{module}.py"
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n")
    try:
        return {name for name, verdict in lint(folder).items() if verdict == "BROKEN"}
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)
