"""A parcel's history as it was known at an instant: nothing that was told later is in it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from libs.common.db import Tx
from services.policy import store
from services.policy.domain import parcels
from services.policy.domain.policies import Tracking
from services.policy.store import KnownScan, NoticeDigest

# No parcel has as many; a sender that posts more must not make the answer larger than anybody reads.
MAX_SCANS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelHistory:
    """`scans` in the order in which they happened; `left_out` more are counted in the position."""

    policy_id: str
    tenant_id: str
    as_of: datetime
    carrier: str
    tracking_number: str
    position: Tracking
    scans: tuple[KnownScan, ...]
    left_out: int


async def parcel_history(
    tx: Tx, policy_id: str, *, tenant_id: str, as_of: datetime
) -> ParcelHistory:
    """The position is computed anew from the scans received by then, as they were read then.

    Carrier, number, ship-out and acceptance are what had been said last by then.
    """
    await store.get_policy(tx, policy_id, tenant_id=tenant_id)
    told = await store.parcel_told(tx, policy_id, tenant_id=tenant_id, as_of=as_of)
    known = await store.list_known_scans(tx, policy_id, tenant_id=tenant_id, as_of=as_of)
    scans = [one.scan for one in known]
    return ParcelHistory(
        policy_id=policy_id,
        tenant_id=tenant_id,
        as_of=as_of,
        carrier=told.carrier,
        tracking_number=told.tracking_number,
        position=parcels.locate_at(scans, told.departure, as_of),
        scans=tuple(known[:MAX_SCANS]),
        left_out=len(known[MAX_SCANS:]),
    )


async def notices_behind(tx: Tx, history: ParcelHistory) -> list[NoticeDigest]:
    """What was posted that the history rests on."""
    return await store.list_notice_digests(
        tx,
        (one.notice_id for one in history.scans if one.notice_id),
        tenant_id=history.tenant_id,
    )
