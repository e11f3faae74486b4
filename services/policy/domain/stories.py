"""Stories that a sandbox's carrier tells of a parcel, each by its own magic tracking number.

`SBX-LOST`, `SBX-LOST-1` and, a thousand times faster, `SBX-LOST-1-X1000`. A story is when things
happen and when they are told, from its start; nothing else is known of it while it is played.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from typing import Final

# A day passes in less than a tenth of a second.
MAX_SPEED: Final = 1_000_000

_NUMBER: Final = re.compile(r"SBX-(?P<story>[A-Z]+)(?:-.+?)??(?:-X(?P<speed>[0-9]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What happens to the parcel, in neutral words; `after` the start."""

    after: timedelta
    status: str
    reason: str
    location: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One notice of the carrier: when it comes, `after` the start, and what it tells."""

    after: timedelta
    happenings: tuple[Happening, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """In the order it is told."""

    name: str
    tellings: tuple[Telling, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """A story in time: from its start, so many times as fast as it was."""

    story: Story
    speed: int
    started_at: datetime

    def at(self, after: timedelta) -> datetime:
        return self.started_at + after / self.speed

    def told_by(self, now: datetime) -> tuple[Telling, ...]:
        return tuple(one for one in self.story.tellings if self.at(one.after) <= now)

    def next_after(self, now: datetime) -> datetime | None:
        """When more is told; None once all is."""
        times = (self.at(telling.after) for telling in self.story.tellings)
        return next((at for at in times if at > now), None)

    @property
    def begins_at(self) -> datetime:
        return self.at(self.story.tellings[0].after)


def play_of(number: str, started_at: datetime) -> Play | None:
    """The story of that tracking number; None where it is a number like any other."""
    match = _NUMBER.fullmatch(number)
    story = STORIES.get(match["story"]) if match else None
    if match is None or story is None:
        return None
    speed = int(match["speed"] or 1)
    if not 1 <= speed <= MAX_SPEED:
        return None
    return Play(story=story, speed=speed, started_at=started_at)


# --- what happens ----------------------------------------------------------------------------

_HERE: Final = "Guangzhou, CN"
_PORT: Final = "Shenzhen, CN"
_THERE: Final = "Chicago, US"


def _on(
    day: int, status: str, reason: str, location: str, description: str, *, hour: int = 0
) -> Happening:
    return Happening(
        after=timedelta(days=day, hours=hour),
        status=status,
        reason=reason,
        location=location,
        description=description,
    )


_LABEL = _on(0, "pre_transit", "info", _HERE, "Label printed", hour=3)
_TAKEN = _on(1, "in_transit", "none", _HERE, "Taken over by the carrier")
_LEFT = _on(3, "in_transit", "none", _PORT, "Left the country")
_ARRIVED = _on(6, "in_transit", "none", _THERE, "Arrived in the country")
_ON_VAN = _on(8, "out_for_delivery", "none", _THERE, "Out for delivery")
_DELIVERED = _on(8, "delivered", "none", _THERE, "Left at the door", hour=6)

_USUAL: Final = (_LABEL, _TAKEN, _LEFT, _ARRIVED, _ON_VAN, _DELIVERED)

_LATE = (
    *_USUAL[:3],
    _on(10, "exception", "weather", _PORT, "No flights: typhoon"),
    _on(35, "exception", "delayed", _PORT, "Waits for a flight"),
    _on(62, "in_transit", "none", _THERE, "Arrived in the country"),
    _on(65, "delivered", "none", _THERE, "Left at the door"),
)
_LOST = (
    *_USUAL[:3],
    _on(20, "exception", "no_movement", _PORT, "Looked for"),
    _on(30, "lost", "lost", _PORT, "Not found: declared lost"),
)
_FOUND = (
    *_LOST,
    _on(34, "in_transit", "none", _THERE, "Found in another depot"),
    _on(36, "delivered", "none", _THERE, "Left at the door"),
)
_DAMAGED = (
    *_USUAL[:4],
    _on(7, "damaged", "damaged", _THERE, "Packaging torn, content damaged"),
    _on(8, "delivered", "none", _THERE, "Handed over, damage noted", hour=6),
)
_DESTROYED = (
    *_USUAL[:4],
    _on(7, "damaged", "damaged", _THERE, "Leaking"),
    _on(12, "destroyed", "destroyed", _THERE, "Disposed of"),
)
_SEIZED = (
    *_USUAL[:4],
    _on(7, "customs_hold", "customs_docs", _THERE, "Customs want the invoice"),
    _on(10, "customs_hold", "prohibited", _THERE, "Content may not be imported"),
    _on(15, "seized", "prohibited", _THERE, "Seized by customs"),
)
_RETURNED = (
    *_USUAL[:5],
    _on(8, "delivery_attempted", "recipient_absent", _THERE, "Nobody at home", hour=6),
    _on(9, "available_for_pickup", "none", _THERE, "Waits at the post office"),
    _on(24, "returning", "unclaimed", _THERE, "Not collected: goes back"),
    _on(38, "returned", "unclaimed", _HERE, "Back at the sender"),
)
_SENT_BACK = (
    *_USUAL,
    _on(12, "returning", "refused", _THERE, "Handed back to the carrier"),
    _on(26, "returned", "refused", _HERE, "Back at the sender"),
)


# --- how it is told --------------------------------------------------------------------------

# Carriers are not instant, nor do they say the same twice in one instant.
_LAG: Final = timedelta(minutes=10)
_AGAIN: Final = timedelta(hours=1)


def _in_order(happenings: tuple[Happening, ...]) -> tuple[Telling, ...]:
    """Each by itself, soon after it happened."""
    return tuple(
        Telling(after=happening.after + _LAG, happenings=(happening,))
        for happening in happenings
    )


def _in_disorder(happenings: tuple[Happening, ...]) -> tuple[Telling, ...]:
    """Every second one late: what comes before the delivery is told days after it."""
    late = timedelta(days=9)
    told = [
        Telling(after=happening.after + lag, happenings=(happening,))
        for happening, lag in zip(happenings, cycle((late, _LAG)), strict=False)
    ]
    return tuple(sorted(told, key=lambda telling: telling.after))


def _repeatedly(happenings: tuple[Happening, ...]) -> tuple[Telling, ...]:
    """All so far each time, as many aggregators do; at once, again, and turned round."""
    told: list[Telling] = []
    for place, happening in enumerate(happenings, start=1):
        so_far, at = happenings[:place], happening.after + _LAG
        told += [
            Telling(after=at, happenings=so_far),
            Telling(after=at + _AGAIN, happenings=so_far),
            Telling(after=at + 2 * _AGAIN, happenings=so_far[::-1]),
        ]
    return tuple(told)


STORIES: Final[Mapping[str, Story]] = {
    name: Story(name=name, tellings=tellings)
    for name, tellings in {
        "DELIVERED": _in_order(_USUAL),
        "LATE": _in_order(_LATE),
        "LOST": _in_order(_LOST),
        "FOUND": _in_order(_FOUND),
        "DAMAGED": _in_order(_DAMAGED),
        "DESTROYED": _in_order(_DESTROYED),
        "SEIZED": _in_order(_SEIZED),
        "RETURNED": _in_order(_RETURNED),
        "SENTBACK": _in_order(_SENT_BACK),
        # It moves, and then nothing is heard of it any more.
        "STUCK": _in_order(_USUAL[:3]),
        "DISORDER": _in_disorder(_USUAL),
        "REPEATED": _repeatedly(_USUAL),
    }.items()
}
