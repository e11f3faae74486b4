"""What the notifier makes of others' events: read the fields that are told, owe the notice."""

from libs.common.consumer import Handlers, reads
from libs.common.service import Running
from libs.common.testclock import TestClockMoved, on_test_clock_moved
from services.notifier.consumers import claims, money, policies

TOPICS = ("policies", "claims")

HANDLERS: Handlers = {
    **policies.HANDLERS,
    **claims.HANDLERS,
    **money.HANDLERS,
    **dict([reads(TestClockMoved, on_test_clock_moved)]),
}


def handlers(_: Running) -> Handlers:
    return HANDLERS
