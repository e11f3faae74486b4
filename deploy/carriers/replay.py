"""Posts, sent as their provider would: signed, again where nobody answers, one after the other."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console

from deploy.asking import (
    PATIENCE_SECONDS,
    TIMEOUT_SECONDS,
    NoAnswer,
    patiently,
    progress_of,
    why,
)
from deploy.carriers.posts import NoPosts, Post, posts_of
from deploy.carriers.sender import Hook, HookRefused, Sender, Unsignable

TAKEN: Final = ("kept", "repeated")
MAX_REFUSALS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """How posts are sent. `rate` None: as fast as they are answered; `seed`: one disorder again."""

    rate: float | None = None
    repeat: int = 1
    is_shuffled: bool = False
    seed: int | None = None
    patience_seconds: float = PATIENCE_SECONDS

    @property
    def pause_seconds(self) -> float:
        """From one post to the next, at least: what was late is not made up for by a burst."""
        return 0.0 if self.rate is None else 1 / self.rate

    def order(self, posts: Sequence[Post]) -> list[Post]:
        ordered = [post for post in posts for _ in range(self.repeat)]
        if self.is_shuffled:
            random.Random(self.seed).shuffle(ordered)
        return ordered


@dataclass(slots=True)
class Outcome:
    """What became of the posts; of each refusal, how often and where first."""

    kept: int = 0
    repeated: int = 0
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def refused(self) -> int:
        return sum(count for count, _ in self.refusals.values())

    @property
    def count(self) -> int:
        return self.kept + self.repeated + self.refused

    def refuse(self, cause: str, place: str) -> None:
        count, first = self.refusals.get(cause, (0, place))
        self.refusals[cause] = (count + 1, first)

    def take(self, response: httpx.Response, place: str) -> None:
        result = _result(response)
        if result == "kept":
            self.kept += 1
        elif result == "repeated":
            self.repeated += 1
        else:
            self.refuse(why(response), place)


def replay(file: Path, hook: Hook, how: Replay, console: Console, *, token: str | None) -> int:
    """With a token the hook is opened first.

    Exit code: 0 when all was taken, 1 when some was refused, 2 when it cannot be sent.
    """
    outcome = Outcome()
    try:
        posts = how.order(posts_of(file))
        sender = hook.sender() if token is None else hook.opened(token)
        _send_all(posts, sender, how, outcome, console)
        code = 1 if outcome.refused else 0
    except (NoPosts, HookRefused, NoAnswer) as absence:
        console.print(str(absence), markup=False)
        code = 2
    except KeyboardInterrupt:
        code = 130
    if outcome.count:
        _summarise(outcome, console)
    return code


def _send_all(
    posts: Sequence[Post], sender: Sender, how: Replay, outcome: Outcome, console: Console
) -> None:
    next_at = 0.0
    with httpx.Client(timeout=TIMEOUT_SECONDS) as client, progress_of(console) as progress:
        task = progress.add_task("Posting", total=len(posts))
        for post in posts:
            time.sleep(max(0.0, next_at - time.monotonic()))
            next_at = time.monotonic() + how.pause_seconds
            _send(client, post, sender, how, outcome)
            progress.advance(task)


def _send(
    client: httpx.Client, post: Post, sender: Sender, how: Replay, outcome: Outcome
) -> None:
    body = post.read()
    try:
        response = patiently(
            lambda: sender.send(client, body, post.media_type), seconds=how.patience_seconds
        )
    except Unsignable as wrong:
        outcome.refuse(str(wrong), post.place)
        return
    outcome.take(response, post.place)


def _result(response: httpx.Response) -> str:
    """`kept` or `repeated`; empty for any other answer."""
    if not response.is_success:
        return ""
    try:
        result = response.json()["result"]
    except (ValueError, KeyError, TypeError):
        return ""
    return result if result in TAKEN else ""


def _summarise(outcome: Outcome, console: Console) -> None:
    console.print(
        f"{outcome.kept} kept, {outcome.repeated} repeated, {outcome.refused} refused."
    )
    most = sorted(outcome.refusals.items(), key=lambda one: -one[1][0])
    for cause, (times, first) in most[:MAX_REFUSALS_SHOWN]:
        console.print(f"  {times} x {cause} First: {first}.", markup=False)
    if (left := len(most) - MAX_REFUSALS_SHOWN) > 0:
        console.print(f"  And {left} other reasons.")
