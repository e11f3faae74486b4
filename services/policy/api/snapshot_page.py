"""How a snapshot's page speaks: its sentences, and codes, names and times as people read them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.policy.api.histories import KnownScanView
from services.policy.api.views import TrackingView
from services.policy.domain.words import word
from services.policy.tracking import PROVIDERS

# The position's instants, in the order of a parcel's way.
_INSTANTS: Final = (
    "accepted_at", "dispatched_at", "last_update_at", "delivered_at", "returned_at", "damaged_at",
    "lost_at", "loss_confirmed_at", "destroyed_at", "seized_at",
)  # fmt: skip
# They tell a reader nothing.
_NO_REASONS: Final = ("none", "info", "other")


@dataclass(frozen=True, slots=True)
class Wording:
    """For the template, which has no words of its own."""

    language: str

    def say(self, code: str, **values: object) -> str:
        """A heading or sentence of the page."""
        return word("snapshot", code, self.language).format(**values)

    def what(self, status: str, reason: str) -> str:
        """`held by customs: duty or tax is due`."""
        said = word("tracking_status", status, self.language)
        if reason in (*_NO_REASONS, status):
            return said
        because = word("tracking_reason", reason, self.language)
        return f"{said}：{because}" if self.language == "zh-Hans" else f"{said}: {because}"

    def at(self, instant: datetime) -> str:
        """`2024-01-04 09:00:00`, which reads alike in every language."""
        return instant.strftime("%Y-%m-%d %H:%M:%S")

    def who(self, provider: str | None) -> str:
        if provider is None:
            return self.say("by_hand")
        known = PROVIDERS.get(provider)
        return provider if known is None else known.title

    def instants(self, position: TrackingView) -> list[tuple[str, str]]:
        """What is known of the position, each with its heading."""
        told = ((name, getattr(position, name)) for name in _INSTANTS)
        return [(self.say(name), self.at(at)) for name, at in told if at is not None]

    def remarks(self, scan: KnownScanView) -> list[str]:
        """What whoever weighs this scan should know of it."""
        found = []
        if scan.occurred_at is None:
            found.append(self.say("no_time"))
        elif not scan.is_zoned:
            found.append(self.say("no_zone", raw=scan.time_raw or self.at(scan.occurred_at)))
        if scan.is_withdrawn:
            found.append(self.say("withdrawn", at=self.at(scan.read_at)))
        elif scan.read_at != scan.received_at:
            found.append(self.say("read_later", at=self.at(scan.read_at)))
        if not scan.is_trusted:
            found.append(self.say("untrusted"))
        return found
