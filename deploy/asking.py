"""How commands ask a service: again while it is away, and showing how far they are."""

import time
from collections.abc import Callable
from typing import Final

import httpx
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

TIMEOUT_SECONDS: Final = 60
POLL_SECONDS: Final = 0.5
# How long a service that is away is waited for; what it has is not lost meanwhile.
PATIENCE_SECONDS: Final = 120.0


class NoAnswer(Exception):
    """The service did not answer in time, or only that it cannot; the message says what it said."""


def patiently(
    ask: Callable[[], httpx.Response], *, seconds: float = PATIENCE_SECONDS
) -> httpx.Response:
    """The answer, once there is one: for what is harmless to ask again."""
    end = time.monotonic() + seconds
    while True:
        try:
            response = ask()
            if response.status_code < 500:
                return response
            said = why(response)
        except httpx.TransportError as failure:
            said = f"No answer ({failure!r})."
        if time.monotonic() > end:
            raise NoAnswer(said)
        time.sleep(POLL_SECONDS)


def why(response: httpx.Response) -> str:
    try:
        problem = response.json()
        return f"{problem['title']} ({problem['code']}): {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"The service answered {response.status_code}."


def progress_of(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )
