"""How far a service is for one tenant: what a test clock waits for before it says `ready`.

Nothing moves any more when every service has reached the instant, has no deadline due, no event to
send and none to read, twice in a row with the same counts: a message in flight between two looks
would have raised one of them.
"""

from datetime import datetime

import msgspec


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What a service says of itself. `now` None: it has not heard of the tenant's clock."""

    now: datetime | None
    due_deadlines: int
    pending_events: int
    announced: int
    handled: int
    is_idle: bool

    def has_settled_at(self, instant: datetime) -> bool:
        is_there = self.now is not None and self.now >= instant
        return is_there and self.is_idle and not self.due_deadlines and not self.pending_events
