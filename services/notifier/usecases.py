"""What the notifier does: owe a notice, and write down what became of it; in the door's transaction."""

from datetime import datetime

from libs.common import outbox
from libs.common.db import Tx
from libs.common.deadlines import Deadline, set_deadline
from libs.common.events import Announcement
from libs.common.ids import new_id
from services.notifier import store
from services.notifier.domain import notices
from services.notifier.domain.notices import Attempt, ClaimAnswered, Cover, Notice, Notification
from services.notifier.events import NotificationSent

SEND = "send_notification"


async def owe(tx: Tx, notice: Notice) -> None:
    """Its recipient is to be told this, once; the sending is due as soon as this is committed.

    It is due since the event was said, which is in the past by every clock: the tenant's test
    clock may be far from the machine's, and may not even be known here yet.
    """
    notification = Notification(notification_id=new_id("ntf"), notice=notice)
    if await store.insert_notification(tx, notification):
        await set_deadline(
            tx,
            Deadline(
                tenant_id=notice.tenant_id,
                kind=SEND,
                subject=notification.notification_id,
                due_at=notice.caused_at,
            ),
        )


async def remember_cover(tx: Tx, cover: Cover) -> None:
    """Keep what a letter about the policy will say, or the plan of it."""
    await store.save_cover(tx, cover)


async def begin_cover(
    tx: Tx,
    policy_id: str,
    *,
    tenant_id: str,
    event_id: str,
    at: datetime,
    cover_start: datetime,
) -> None:
    """Tell what is covered since when, once a start: a premium that was taken back and is paid
    again may bring another."""
    cover = await store.get_paid_cover(tx, policy_id, tenant_id=tenant_id)
    await owe(
        tx,
        Notice(
            tenant_id=tenant_id,
            event_id=event_id,
            occasion=notices.occasion_at(policy_id, cover_start),
            caused_at=at,
            letter=notices.cover_began(cover, cover_start),
            policy_id=policy_id,
        ),
    )


async def answer_claim(tx: Tx, notice: Notice, answer: ClaimAnswered) -> None:
    """Tell the decision, unless it says what the customer was told last about this claim.

    A claim is decided again with every scan and paper; "still missing the letter" is no news.
    """
    assert notice.claim_id is not None
    told = await store.find_last_letter(
        tx, notice.claim_id, answer.template, tenant_id=notice.tenant_id
    )
    if told != answer:
        await owe(tx, notice)


async def settle(
    tx: Tx,
    notification_id: str,
    attempt: Attempt,
    *,
    tenant_id: str,
    most_attempts: int,
    now: datetime,
) -> Notification:
    """The notification after the attempt; one that is done already stays as it is."""
    owed = await store.lock_notification(tx, notification_id, tenant_id=tenant_id)
    if owed.state != "PENDING":
        return owed
    settled = notices.settle(owed, attempt, most_attempts=most_attempts, now=now)
    await store.save_notification(tx, settled)
    if settled.sent_at is not None:
        sent = NotificationSent(
            notification_id=settled.notification_id,
            template=settled.notice.letter.template,
            channel=settled.channel,
            event_id=settled.notice.event_id,
            sent_at=settled.sent_at,
        )
        announcement = Announcement(
            tenant_id=tenant_id,
            key=settled.key,
            event=sent,
            causation_id=settled.notice.event_id,
        )
        await outbox.append(tx, announcement, now=now)
    return settled
