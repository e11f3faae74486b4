"""A parcel's history in neutral words, as it is known now or was known at an instant."""

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import Query
from pydantic import Field

from libs.common import web
from libs.common.auth import POLICIES_READ, Caller, requires
from libs.common.db import Database
from libs.common.errors import Fault, Invalid
from libs.common.problems import problem_responses
from libs.common.service import Db, now_of
from libs.common.wire import Instant, View
from services.policy import usecases
from services.policy.api.views import TrackingView
from services.policy.store import KnownScan, UnknownPolicy
from services.policy.usecases import MAX_SCANS, ParcelHistory

router = web.api_router("/v1", tags=["tracking"])


class AsOfAhead(Invalid):
    code = "as-of-ahead"
    title = "What will be known at that instant nobody knows yet"


AsOf = Annotated[
    Instant | None,
    Query(
        description="As it was known at this instant; as it is known now, where it is not said. "
        "What was told later is not in it, nor what was read otherwise later."
    ),
]


class KnownScanView(View):
    """One thing that happened, and who said so."""

    scan_id: str
    happened_at: datetime
    """When it happened, as far as is known: what scans are sorted by."""
    occurred_at: datetime | None
    """When it happened, as it was said; null where no time was."""
    time_raw: str | None
    """The time in the sender's own writing."""
    is_zoned: bool
    """Whether the sender said its time zone. Where not, it is taken for UTC, and never later than we
    were told."""
    status: str
    reason: str
    is_trusted: bool
    """Whether the sender's proof covers what it says; where not, no money follows from it."""
    is_withdrawn: bool
    """Its sender has taken it back: it says nothing any more."""
    provider: str | None
    """Who posted it; null for what you told in neutral words (`POST /v1/tracking`)."""
    code: str | None
    """The provider's own code, `status/sub`."""
    location: str | None
    description: str | None
    """In the sender's words."""
    received_at: datetime
    """When we were told."""
    read_at: datetime
    """When it was read as it is read here: later than `received_at` where a longer map of codes knew
    more, or the sender took it back."""
    notice_id: str | None
    """The body it stood in: `GET /v1/tracking-notices/{notice_id}/body`."""

    @classmethod
    def of(cls, known: KnownScan) -> "KnownScanView":
        return cls(
            scan_id=known.scan.scan_id,
            happened_at=known.scan.occurred_at,
            occurred_at=known.occurred_at,
            time_raw=known.time_raw or None,
            is_zoned=known.is_zoned,
            status=known.scan.status,
            reason=known.scan.reason,
            is_trusted=known.scan.is_trusted,
            is_withdrawn=known.is_withdrawn,
            provider=known.provider or None,
            code=known.code or None,
            location=known.location or None,
            description=known.description or None,
            received_at=known.received_at,
            read_at=known.read_at,
            notice_id=known.notice_id or None,
        )


class ParcelHistoryView(View):
    """What was known of a parcel's way at `as_of`."""

    policy_id: str
    as_of: datetime
    carrier: str
    """Carrier and number as they had been named by then; empty where they had not."""
    tracking_number: str
    position: TrackingView
    """Computed from these scans. A ship-out or acceptance that was reported by hand is in it from the
    instant of the report."""
    scans: Annotated[list[KnownScanView], Field(max_length=MAX_SCANS)]
    """In the order in which they happened."""
    scans_left_out: int
    """How many more there are, the later ones; the position counts them."""

    @classmethod
    def of(cls, history: ParcelHistory) -> "ParcelHistoryView":
        return cls(
            policy_id=history.policy_id,
            as_of=history.as_of,
            carrier=history.carrier,
            tracking_number=history.tracking_number,
            position=TrackingView(
                **msgspec.to_builtins(history.position, builtin_types=(datetime,))
            ),
            scans=[KnownScanView.of(scan) for scan in history.scans],
            scans_left_out=history.left_out,
        )


@router.get(
    "/policies/{policy_id}/tracking", responses=problem_responses(UnknownPolicy, AsOfAhead)
)
async def show_tracking(
    policy_id: str,
    caller: Annotated[Caller, requires(POLICIES_READ)],
    db: Db,
    as_of: AsOf = None,
) -> ParcelHistoryView:
    """A parcel's whole way: where it is, and what was said of it, by whom and when."""
    at = await instant_of(db, caller, as_of)
    async with db.transaction(caller.tenant_id) as tx:
        history = await usecases.parcel_history(
            tx, policy_id, tenant_id=caller.tenant_id, as_of=at
        )
    return ParcelHistoryView.of(history)


async def instant_of(db: Database, caller: Caller, as_of: datetime | None) -> datetime:
    """The instant asked for, or the caller's now; AsOfAhead where it is still to come."""
    now = await now_of(db, caller)
    if as_of is None:
        return now
    if as_of > now:
        detail = f"It is {now.isoformat()} now: ask for an instant that has been, or leave as_of out."
        raise AsOfAhead(detail, faults=[Fault(detail, "#/query/as_of")])
    return as_of
