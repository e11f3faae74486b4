"""`parcelcover batch upload`: streams the file, follows it, writes its answers beside it."""

import asyncio
import csv
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.conftest import AppOf, Token
from tests.policy.builders import TENANT
from tests.policy.conftest import Serve
from tests.policy.test_batches import a_csv, a_line, ndjson, numbered


@pytest_asyncio.fixture
async def url(app_of: AppOf, serve: Serve, quote_url: str) -> AsyncIterator[str]:
    """The policy service, its deadlines fired as they are due."""
    client: Any = await app_of("policy", quote_url=quote_url, roles={"api", "deadlines"})
    yield await serve(client.app)


async def upload(file: Path, url: str, token: Token, *more: str) -> tuple[int, str]:
    bearer = token(TENANT)["authorization"].removeprefix("Bearer ")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", "batch", "upload", file),
        *("--to", url, "--token", bearer, *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, printed.decode()


def answers_of(file: Path) -> list[dict[str, str]]:
    with file.with_name(f"{file.name}.answers.csv").open(newline="") as opened:
        return list(csv.DictReader(opened))


async def test_uploads_a_file_and_writes_its_answers_beside_it(
    tmp_path: Path, url: str, token: Token
) -> None:
    file = tmp_path / "monday.csv"
    file.write_bytes(a_csv(*numbered(3, payment_reference="c")))

    code, printed = await upload(file, url, token)

    assert code == 0, printed
    assert "of 3 rows 3 booked, 0 repeated, 0 refused" in printed
    assert "Premium ¥108.00, of it paid ¥108.00" in printed
    assert [row["result"] for row in answers_of(file)] == ["booked"] * 3
    # The same file is the same batch, unless that is not wanted.
    assert "3 booked, 0 repeated" in (await upload(file, url, token))[1]
    assert "0 booked, 3 repeated" in (await upload(file, url, token, "--again"))[1]


async def test_ends_with_1_when_rows_are_refused(
    tmp_path: Path, url: str, token: Token
) -> None:
    file = tmp_path / "monday.ndjson"
    file.write_bytes(ndjson(a_line("A-1"), {"reference": "A-2"}))

    code, printed = await upload(file, url, token)

    assert code == 1
    assert "1 booked, 0 repeated, 1 refused" in printed
    assert [row["code"] for row in answers_of(file)] == ["", "invalid-request"]


async def test_ends_with_2_when_the_file_is_refused(
    tmp_path: Path, url: str, token: Token
) -> None:
    file, unnamed = tmp_path / "monday.csv", tmp_path / "monday.xlsx"
    file.write_bytes(b"reference,colour\r\n1,red\r\n")
    unnamed.write_bytes(b"PK")

    code, printed = await upload(file, url, token)

    assert code == 2
    assert "unknown-column" in printed
    assert "colour" in printed
    assert (await upload(unnamed, url, token))[0] == 2
    assert not file.with_name("monday.csv.answers.csv").exists()
