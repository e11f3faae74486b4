"""What is measured: rounds of variants in turn, and the rows they make."""

from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

OURS = "ours"


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One variant measured once. `note` is what else the round showed."""

    variant: str
    per_second: float
    note: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the report. Without a goal it only informs."""

    name: str
    ours: float
    baseline: float | None
    ratio: float | None
    goal: float | None
    met: bool | None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A row, how it came to be, and where ours spends its time if that is wanted."""

    row: Row
    against: str
    rounds: tuple[Round, ...]
    profile: tuple[str, ...] = ()


def row_of(
    name: str, rounds: Sequence[Round], *, against: str = "", goal: float | None = None
) -> Row:
    """The medians of the rounds. Without a baseline that could be measured no goal is met."""
    ours = middle(rounds, OURS)
    assert ours is not None
    baseline = middle(rounds, against) if against else None
    ratio = None if baseline is None else ours / baseline
    return Row(
        name=name,
        ours=round(ours, 1),
        baseline=None if baseline is None else round(baseline, 1),
        ratio=None if ratio is None else round(ratio, 3),
        goal=goal,
        met=None if goal is None else ratio is not None and ratio >= goal,
    )


def middle(rounds: Iterable[Round], variant: str) -> float | None:
    rates = [one.per_second for one in rounds if one.variant == variant]
    return median(rates) if rates else None
