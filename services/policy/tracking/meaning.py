"""The status map: each provider's codes in our words. A CSV file, so that an operator can add to it.

Columns `provider,kind,code,status,reason` (carriers.md 3.2). Kinds `status` and `bizStep` are
top-level codes; `sub` and `disposition` are finer ones, which win. An empty status keeps what the
top-level code says.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from services.policy.domain.parcels import REASONS, STATUSES

SHIPPED: Final = Path(__file__).parent / "status_map.csv"
COLUMNS: Final = ("provider", "kind", "code", "status", "reason")
TOP: Final = "status"
FINE: Final = "sub"
_KINDS: Final = {"status": TOP, "bizStep": TOP, "sub": FINE, "disposition": FINE}


class BadStatusMap(Exception):
    """A row of a status map is not right; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code that a map does not have. `kind` is `status` or `sub`."""

    kind: str
    code: str


@dataclass(frozen=True, slots=True)
class Meaning:
    status: str
    reason: str
    unknown: tuple[Code, ...] = ()


# (provider, kind, code) -> (status, reason)
_Rows = Mapping[tuple[str, str, str], tuple[str, str]]


class StatusMap:
    """Whose rows come later counts: the shipped map first, then the operator's own."""

    def __init__(self, rows: _Rows) -> None:
        self.rows = rows

    @classmethod
    def load(cls, own: Path | None = None) -> "StatusMap":
        """The shipped map, and the rows of the operator's own file; BadStatusMap where one is wrong."""
        rows = dict(_shipped())
        if own is not None:
            rows.update(_read(own))
        return cls(rows)

    def meaning(self, provider: str, status: str, sub: str) -> Meaning:
        """What the codes say. A code that is not in the map says nothing, and is named.

        (`unknown`, `none`) where nothing is said: the parcel is where it was.
        """
        unknown: list[Code] = []
        top = self._find(provider, TOP, status, unknown)
        fine = self._find(provider, FINE, sub, unknown)
        if fine is None:
            said, reason = top or ("", "none")
        elif fine[0]:
            said, reason = fine
        else:
            said, reason = (top[0] if top else ""), fine[1]
        return Meaning(said or "unknown", reason, tuple(unknown))

    def _find(
        self, provider: str, kind: str, code: str, unknown: list[Code]
    ) -> tuple[str, str] | None:
        if not code:
            return None
        found = self.rows.get((provider, kind, code))
        if found is None:
            unknown.append(Code(kind, code))
        return found


@cache
def _shipped() -> _Rows:
    return _read(SHIPPED)


def _read(file: Path) -> _Rows:
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            reader = csv.DictReader(opened, strict=True)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise BadStatusMap(f"{file}: the first line is {','.join(COLUMNS)}.")
            return dict(_checked(file, reader))
    except (UnicodeDecodeError, csv.Error) as wrong:
        raise BadStatusMap(f"{file} is no CSV in UTF-8: {wrong}.") from None


def _checked(
    file: Path, rows: Iterable[Mapping[str, str]]
) -> Iterable[tuple[tuple[str, str, str], tuple[str, str]]]:
    for line, row in enumerate(rows, start=2):
        kind, status, reason = _KINDS.get(row["kind"]), row["status"], row["reason"]
        if kind is None:
            raise BadStatusMap(
                f"{file}, line {line}: {row['kind']!r} is no kind: {', '.join(_KINDS)}."
            )
        if status and status not in STATUSES:
            raise BadStatusMap(f"{file}, line {line}: {status!r} is no status of ours.")
        if reason not in REASONS:
            raise BadStatusMap(f"{file}, line {line}: {reason!r} is no reason of ours.")
        yield (row["provider"], kind, row["code"]), (status, reason)
