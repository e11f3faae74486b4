"""A sandbox's own business time."""

from dataclasses import replace
from datetime import datetime

from libs.common import outbox, testclock
from libs.common.db import Tx
from libs.common.errors import Conflict, Invalid
from libs.common.events import Announcement
from libs.common.ids import new_id
from libs.common.testclock import TestClock
from services.policy.events import TestClockMoved


class AlreadyHasClock(Conflict):
    code = "already-has-clock"
    title = "The sandbox has a test clock already"


class ClockGoesBack(Invalid):
    code = "clock-goes-back"
    title = "A test clock only goes forward"


async def create_test_clock(tx: Tx, tenant_id: str, now: datetime) -> TestClock:
    """The sandbox tenant's one clock; AlreadyHasClock where it has one."""
    clock = TestClock(clock_id=new_id("clk"), tenant_id=tenant_id, now=now)
    if not await testclock.create(tx, clock):
        raise AlreadyHasClock(
            f"{tenant_id} has a test clock. Advance it, or use a new sandbox."
        )
    await _say_moved(tx, clock)
    return clock


async def advance_test_clock(tx: Tx, tenant_id: str, clock_id: str, to: datetime) -> TestClock:
    """Forward only: ClockGoesBack otherwise."""
    clock = await testclock.get(tx, tenant_id, clock_id)
    if to <= clock.now:
        raise ClockGoesBack(f"The clock shows {clock.now.isoformat()}; it only goes forward.")
    moved = replace(clock, now=to)
    await testclock.follow(tx, moved)
    await _say_moved(tx, moved)
    return moved


async def _say_moved(tx: Tx, clock: TestClock) -> None:
    moved = TestClockMoved(clock_id=clock.clock_id, now=clock.now)
    announcement = Announcement(tenant_id=clock.tenant_id, key=clock.tenant_id, event=moved)
    await outbox.append(tx, announcement, now=clock.now)
