"""The desk that quotes are verified at."""

from pathlib import Path

import pytest

from tests.conftest import AppOf, Token
from tests.quote.desk import Desk


@pytest.fixture
async def desk(app_of: AppOf, token: Token, tmp_path: Path) -> Desk:
    return Desk(await app_of("quote", evidence=str(tmp_path)), token)
