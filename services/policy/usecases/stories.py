"""Magic tracking numbers: in a sandbox a carrier tells the whole story of such a parcel.

It posts as any carrier does, so that the story takes the way of every notice: kept, queued, read.
"""

from datetime import datetime
from typing import Final

import msgspec

from libs.common.db import Tx
from libs.common.deadlines import Deadline, set_deadlines
from libs.common.testclock import SANDBOX_PREFIX
from services.policy import store
from services.policy.domain.policies import ENDED, Policy
from services.policy.domain.stories import Happening, Play, Telling, play_of
from services.policy.store import TrackingNotice, notice_id_of

PLAY: Final = "play_story"
PROVIDER: Final = "neutral"


def story_awaited(policy: Policy) -> list[Deadline]:
    """When the story of the policy's number begins, from when it was bound; none in earnest."""
    play = _play_of(policy)
    return [] if play is None else [_deadline(policy, play.begins_at)]


async def play_story(
    tx: Tx, policy_id: str, *, tenant_id: str, now: datetime, at: datetime
) -> None:
    """The carrier tells what it tells by now, and goes on when the next is due. `at` is real time.

    What it has told before is the same notice and known. The policy is only read: whoever changes
    its number holds it while they move this deadline, which is held here.
    """
    policy = await store.get_policy(tx, policy_id, tenant_id=tenant_id)
    play = _play_of(policy)
    if play is None:
        return
    notices = [_notice(policy, play, telling, at) for telling in play.told_by(now)]
    await store.insert_tracking_notices(tx, notices)
    if (next_at := play.next_after(now)) is not None:
        await set_deadlines(tx, [_deadline(policy, next_at)])


def _play_of(policy: Policy) -> Play | None:
    """A policy that has ended has no more story; a real tenant's number is a number."""
    if policy.state in ENDED or not policy.tenant_id.startswith(SANDBOX_PREFIX):
        return None
    return play_of(policy.tracking_number, policy.bound_at)


def _deadline(policy: Policy, due_at: datetime) -> Deadline:
    return Deadline(
        tenant_id=policy.tenant_id, kind=PLAY, subject=policy.policy_id, due_at=due_at
    )


def _notice(policy: Policy, play: Play, telling: Telling, at: datetime) -> TrackingNotice:
    scans = [_scan(policy, play, happening) for happening in telling.happenings]
    # The policy tells the notice from those of another that had the number at the same instant.
    body = msgspec.json.encode({"policy_id": policy.policy_id, "scans": scans})
    return TrackingNotice(
        notice_id=notice_id_of(policy.tenant_id, PROVIDER, body),
        tenant_id=policy.tenant_id,
        provider=PROVIDER,
        body=body,
        headers="{}",
        received_at=at,
    )


def _scan(policy: Policy, play: Play, happening: Happening) -> dict[str, object]:
    return {
        "carrier": policy.carrier,
        "tracking_number": policy.tracking_number,
        "status": happening.status,
        "reason": happening.reason,
        "occurred_at": play.at(happening.after),
        "location": happening.location,
        "description": happening.description,
    }
