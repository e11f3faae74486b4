"""What the notifier says."""

from datetime import datetime
from typing import ClassVar

from libs.common.events import Event


class NotificationSent(Event, frozen=True, kw_only=True):
    """A message was handed to its channel. The key is the policy's id where there is one."""

    topic: ClassVar[str] = "notifications"
    source: ClassVar[str] = "/notifier"
    # The notification's own row holds all of it.
    is_kept: ClassVar[bool] = False

    notification_id: str
    template: str
    channel: str
    event_id: str
    sent_at: datetime


EVENTS = (NotificationSent,)
