"""What posts read to, without any server: one history per parcel, and the codes that no map has."""

import csv
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console

from deploy.carriers.posts import Post
from libs.common.clock import system_now
from services.policy.domain.parcels import Scan, locate
from services.policy.domain.policies import Tracking
from services.policy.tracking import (
    Code,
    NeutralScan,
    Provider,
    StatusMap,
    Unreadable,
    neutral,
)
from services.policy.tracking.meaning import COLUMNS

Parcel = tuple[str, str]


@dataclass(slots=True)
class Histories:
    """By parcel and key, each scan once however often it was told; and what says nothing to us."""

    scans: dict[Parcel, dict[str, NeutralScan]] = field(default_factory=dict)
    unknown: set[Code] = field(default_factory=set)
    unreadable: list[tuple[Post, str]] = field(default_factory=list)

    def add(self, scan: NeutralScan) -> None:
        history = self.scans.setdefault((scan.carrier, scan.number), {})
        known = history.get(scan.key)
        if known is None or (scan.is_withdrawn and not known.is_withdrawn):
            history[scan.key] = scan
        self.unknown.update(scan.unknown)


def show_history(
    provider: Provider, posts: Sequence[Post], codes: StatusMap, console: Console
) -> int:
    """Exit code: 0 when all of it says something, 1 when a post or a code does not."""
    found = _read(provider, posts, codes)
    now = system_now()
    for (carrier, number), history in sorted(found.scans.items()):
        ordered = sorted(history.values(), key=lambda scan: (_at(scan, now), scan.key))
        parcel = f"{number} ({carrier or 'carrier not known'})"
        _say(console, f"{parcel} is {_position(ordered, now)}:")
        for scan in ordered:
            _say(console, _line(scan))
    for post, why in found.unreadable:
        _say(console, f"{post.place} cannot be read: {why or 'it has no meaning.'}")
    if found.unknown:
        _say(console, "Codes in no map, as rows of one of your own, to be filled in:")
        _write_rows(provider, found.unknown)
    return 1 if found.unknown or found.unreadable else 0


def _read(provider: Provider, posts: Iterable[Post], codes: StatusMap) -> Histories:
    found = Histories()
    for post in posts:
        try:
            reading = provider.read(post.read())
        except Unreadable as wrong:
            found.unreadable.append((post, str(wrong)))
            continue
        for scan in reading.scans:
            found.add(neutral(scan, provider, codes))
    return found


def _at(scan: NeutralScan, now: datetime) -> datetime:
    """Without a time it counts as of when it comes, as in the service."""
    return scan.occurred_at or now


def _position(scans: Iterable[NeutralScan], now: datetime) -> str:
    located = locate(
        [
            Scan(
                scan_id=scan.key,
                status=scan.status,
                reason=scan.reason,
                occurred_at=_at(scan, now),
                is_trusted=scan.is_trusted,
            )
            for scan in scans
        ],
        Tracking(),
    )
    return _meaning(located.status, located.reason)


def _line(scan: NeutralScan) -> str:
    """Aligned as far as usual codes are short."""
    meaning = _meaning(scan.status, scan.reason)
    rest = ", ".join(part for part in (scan.location, scan.description) if part)
    return f"  {_time(scan):<21} {meaning:<32} {scan.code:<36} {rest}".rstrip()


def _time(scan: NeutralScan) -> str:
    """With a Z where its offset was said, as it was said where nothing could be read from it."""
    if scan.occurred_at is None:
        return scan.time_raw or "no time"
    text = scan.occurred_at.isoformat(timespec="seconds").removesuffix("+00:00")
    return f"{text}Z" if scan.is_zoned else text


def _meaning(status: str, reason: str) -> str:
    return status if reason == "none" else f"{status}/{reason}"


def _write_rows(provider: Provider, codes: Iterable[Code]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for code in sorted(codes, key=lambda one: (one.kind, one.code)):
        writer.writerow((provider.name, code.kind, code.code, "", ""))


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
