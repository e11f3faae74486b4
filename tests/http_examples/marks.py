"""Examples as test parameters: named by plan and id, and marked where a service answers otherwise."""

from typing import Any

import pytest

from tests.http_examples.not_by_http import ANSWERED_OTHERWISE, key_of, run_through_http


def through_http(*asks: str) -> list[Any]:
    """The examples of these operations that are run."""
    return [
        pytest.param(
            example,
            id=f"{example.plan}-{example.id}",
            marks=[pytest.mark.xfail(reason=reason, strict=True)]
            if (reason := ANSWERED_OTHERWISE.get(key_of(example)))
            else [],
        )
        for example in run_through_http(*asks)
    ]
