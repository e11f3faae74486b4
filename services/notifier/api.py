"""The notifier's routes: what was told to whom, and what became of it."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query

from libs.common.auth import NOTIFICATIONS_READ, Caller, requires
from libs.common.pagination import Listing, Page, Paging, paging
from libs.common.service import Db
from libs.common.web import api_router
from libs.common.wire import Code, View
from services.notifier import store
from services.notifier.domain.notices import Notification, State
from services.notifier.store import Filters, Numbered

router = api_router("/v1", tags=["notifications"])

_listing = Listing("notifications", tuple[int])

Reader = Annotated[Caller, requires(NOTIFICATIONS_READ)]


class NotificationView(View):
    """Without the address: it is the recipient's, and this service keeps it to itself."""

    notification_id: str
    template: str
    channel: str
    recipient: str
    """`customer` or `staff`."""
    state: State
    """PENDING until it is SENT, SKIPPED (nobody to tell) or FAILED (given up)."""
    policy_id: str | None
    claim_id: str | None
    event_id: str
    """The event that caused it."""
    caused_at: datetime
    attempts: int
    cause: str | None
    """Why it was skipped or failed; while PENDING, why the last attempt did."""
    sent_at: datetime | None

    @classmethod
    def of(cls, notification: Notification) -> "NotificationView":
        notice = notification.notice
        return cls(
            notification_id=notification.notification_id,
            template=notice.letter.template,
            channel=notification.channel,
            recipient=notification.recipient,
            state=notification.state,
            policy_id=notice.policy_id,
            claim_id=notice.claim_id,
            event_id=notice.event_id,
            caused_at=notice.caused_at,
            attempts=notification.attempts,
            cause=notification.cause,
            sent_at=notification.sent_at,
        )


@router.get("/notifications")
async def list_notifications(
    caller: Reader,
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    policy_id: Annotated[Code | None, Query()] = None,
    claim_id: Annotated[Code | None, Query()] = None,
    state: Annotated[State | None, Query()] = None,
    template: Annotated[Code | None, Query(description="Such as claim.decided.")] = None,
) -> Page[NotificationView]:
    """What the tenant's customers and staff were told, the newest first."""
    after = _listing.after(paging.cursor)
    filters = Filters(policy_id=policy_id, claim_id=claim_id, state=state, template=template)
    async with db.transaction(caller.tenant_id) as tx:
        rows = await store.list_notifications(
            tx,
            filters,
            tenant_id=caller.tenant_id,
            before=after[0] if after else None,
            limit=paging.limit + 1,
        )
    return _listing.page(rows, paging.limit, view=_view, position=_position)


@router.get("/notifications/{notification_id}")
async def show_notification(notification_id: str, caller: Reader, db: Db) -> NotificationView:
    async with db.transaction(caller.tenant_id) as tx:
        return NotificationView.of(
            await store.get_notification(tx, notification_id, tenant_id=caller.tenant_id)
        )


def _view(row: Numbered) -> NotificationView:
    return NotificationView.of(row.notification)


def _position(row: Numbered) -> tuple[int]:
    return (row.number,)
