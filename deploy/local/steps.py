"""What a start says while it goes on: one line a finished step, with its seconds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.status import Status


@dataclass(slots=True)
class Step:
    """A step that goes on. What it turns out to be may be better known at its end."""

    name: str


class Steps:
    """Lines on a console; on a terminal also a spinner with what goes on now."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._going_on: list[Step] = []
        self._spinner: Status | None = None

    @classmethod
    def quiet(cls) -> "Steps":
        return cls(Console(quiet=True))

    def say(self, text: str) -> None:
        self.console.print(escape(text), highlight=False)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time what happens inside. Steps may overlap; a failed one prints no line."""
        step = Step(name)
        begin = time.monotonic()
        self._going_on.append(step)
        self._show()
        try:
            yield step
            seconds = time.monotonic() - begin
            self.console.print(f"[green]✓[/] {escape(step.name):<34} {seconds:6.1f} s")
        finally:
            self._going_on.remove(step)
            self._show()

    def _show(self) -> None:
        if self.console.is_terminal and self._spinner is None:
            self._spinner = self.console.status("")
        if self._spinner is None:
            return
        if self._going_on:
            self._spinner.update(escape(", ".join(step.name for step in self._going_on)))
            self._spinner.start()
        else:
            self._spinner.stop()
