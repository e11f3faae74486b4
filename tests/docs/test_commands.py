"""The README's commands, run in its order on a stack of their own, print what it shows."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.services import USUAL_PORTS
from deploy.local.stack import Stack
from tests.docs.page import ROOT, Block, readme

TIMEOUT_SECONDS = 120
END = "--- end of block"


@pytest_asyncio.fixture
async def checkout(tmp_path: Path) -> AsyncIterator[tuple[Path, Stack]]:
    """A folder that looks like a checkout of the project, with its stack up."""
    for name in ("libs", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    async with Stack.up(tmp_path / ".parcelcover", fsync=False) as stack:
        yield tmp_path, stack


async def test_the_readmes_commands_print_what_it_shows(checkout: tuple[Path, Stack]) -> None:
    folder, stack = checkout
    blocks = readme().blocks
    run = [index for index, block in enumerate(blocks) if block.is_run]
    script = "\n".join(f"{blocks[index].text}\necho '{END}'" for index in run)

    printed = await _bash(_on(stack, script), folder)

    outputs = [part.strip("\n") for part in printed.split(END)[:-1]]
    assert len(outputs) == len(run), printed
    for index, output in zip(run, outputs, strict=True):
        _compare(output, blocks[index + 1 : index + 2])


def _on(stack: Stack, script: str) -> str:
    """The script with the addresses of this stack."""
    for name, port in USUAL_PORTS.items():
        script = script.replace(f"http://127.0.0.1:{port}", stack.urls[name])
    return script


async def _bash(script: str, folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-uo",
        "pipefail",
        "-c",
        script,
        cwd=folder,
        # Its python3 is this one: a version manager's shim takes a tenth of a second a call.
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_SECONDS)
    except TimeoutError:
        process.kill()
        pytest.fail("The README's commands do not come to an end.")
    return printed.decode()


def _compare(output: str, following: list[Block]) -> None:
    """With what the next block shows; nothing is printed where it shows no output."""
    shown = following[0].text.strip("\n") if following and following[0].form == "text" else ""
    pattern = "(?s:.*)".join(
        re.escape(part) for part in re.split(r"^\.\.\.$", shown, flags=re.MULTILINE)
    )
    assert re.fullmatch(pattern, output), f"shown:\n{shown}\n\nprinted:\n{output}"
