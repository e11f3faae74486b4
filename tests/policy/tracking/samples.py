"""What carriers really posted, beside the repository; a test that needs it is skipped without it."""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

SHARED: Final = Path(__file__).parents[4] / "shared"


def sample(name: str) -> bytes:
    file = SHARED / "samples" / name
    if not file.exists():
        pytest.skip(f"{file} is not there")
    return file.read_bytes()


def sampled(name: str) -> Any:
    return msgspec.json.decode(sample(name))
