"""What is said: a line a round while it runs, a table at the end, and bench.json."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.rounds import Measured, Row


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """bench.json. `details` has each row's rounds as they came, by the row's name."""

    rows: list[Row]
    machine: dict[str, Any]
    load: dict[str, Any]
    details: dict[str, Measured]
    seconds: float


def report_of(
    measured: Sequence[Measured],
    *,
    machine: dict[str, Any],
    load: dict[str, Any],
    seconds: float,
) -> Report:
    return Report(
        rows=[one.row for one in measured],
        machine=machine,
        load=load,
        details={one.row.name: one for one in measured},
        seconds=round(seconds, 1),
    )


def write(report: Report, path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))


def print_table(console: Console, measured: Sequence[Measured]) -> None:
    table = Table("a second", "against", title="Ours and the baseline, medians of the rounds")
    for heading in ("ours", "baseline", "ratio", "goal"):
        table.add_column(heading, justify="right")
    table.add_column("met")
    for one in measured:
        row = one.row
        table.add_row(
            row.name,
            one.against,
            _number(row.ours),
            _number(row.baseline),
            "" if row.ratio is None else f"{row.ratio:.2f}",
            "" if row.goal is None else f"{row.goal:.2f}",
            _word(row.met),
        )
    console.print(table)
    for one in measured:
        if one.profile:
            console.print(f"Not met: {one.row.name}. Where ours spends its time:")
            for line in one.profile:
                console.print(f"    {line}", markup=False)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _word(met: bool | None) -> str:
    if met is None:
        return ""
    return "[green]yes[/]" if met else "[red]no[/]"
