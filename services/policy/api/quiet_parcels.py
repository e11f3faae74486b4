"""Parcels of which nothing has been heard: to be asked about before it is too late to claim."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import Depends, Query

from libs.common import web
from libs.common.auth import POLICIES_READ, Caller, requires
from libs.common.pagination import OLDEST, BadCursor, Listing, Moment, Page, Paging, paging
from libs.common.problems import problem_responses
from libs.common.service import Db, now_of
from libs.common.wire import View
from services.policy import store
from services.policy.store import QuietParcel

router = web.api_router("/v1", tags=["tracking"])

MAX_DAYS: Final = 365
_listing: Listing[Moment] = Listing("quiet-parcels", tuple[datetime, str])


class QuietParcelView(View):
    policy_id: str
    carrier: str
    tracking_number: str
    status: str
    """Where it was when it was last heard of. `lost` or `returned` are quiet too, as long as the
    policy is in force."""
    reason: str
    moved_at: datetime
    """When something last moved it, or it left where nothing has yet."""
    quiet_days: int
    """Whole days since then."""
    destination: str
    line: str

    @classmethod
    def at(cls, parcel: QuietParcel, now: datetime) -> "QuietParcelView":
        return cls(
            policy_id=parcel.policy_id,
            carrier=parcel.carrier,
            tracking_number=parcel.tracking_number,
            status=parcel.status,
            reason=parcel.reason,
            moved_at=parcel.moved_at,
            quiet_days=parcel.quiet_days(now),
            destination=parcel.destination,
            line=parcel.line,
        )


@router.get("/quiet-parcels", responses=problem_responses(BadCursor))
async def list_quiet_parcels(
    caller: Annotated[Caller, requires(POLICIES_READ)],
    db: Db,
    paging: Annotated[Paging, Depends(paging)],
    days: Annotated[
        int, Query(ge=1, le=MAX_DAYS, description="Not moved for as many whole days, or more.")
    ],
) -> Page[QuietParcelView]:
    """Parcels under cover (ACTIVE) that left and have not moved since, the longest quiet first."""
    now = await now_of(db, caller)
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.list_quiet_parcels(
            tx,
            tenant_id=caller.tenant_id,
            quiet_since=now - timedelta(days=days),
            after=_listing.after(paging.cursor) or OLDEST,
            limit=paging.limit + 1,
        )
    return _listing.page(
        found,
        paging.limit,
        view=lambda parcel: QuietParcelView.at(parcel, now),
        position=lambda parcel: (parcel.moved_at, parcel.policy_id),
    )
