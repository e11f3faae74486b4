"""What was known of a parcel at an instant, besides its scans. Every query names its tenant."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from libs.common.db import Tx
from libs.common.events import wire_type
from services.policy.domain.policies import Tracking
from services.policy.events import PolicyIssued, TrackingUpdated

# What names the parcel: the first the policy, each of the others its position too.
_NAMING: Final = [wire_type(shape) for shape in (PolicyIssued, TrackingUpdated)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelTold:
    """What was said last: under which name the parcel goes, and what was reported of it by hand."""

    carrier: str = ""
    tracking_number: str = ""
    accepted_at: datetime | None = None
    reported_dispatched_at: datetime | None = None

    @property
    def departure(self) -> Tracking:
        """A position that no scan has moved yet."""
        return Tracking(
            accepted_at=self.accepted_at,
            dispatched_at=self.reported_dispatched_at,
            reported_dispatched_at=self.reported_dispatched_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeDigest:
    """A body as it was posted, by its SHA-256. `received_at` is real time."""

    notice_id: str
    provider: str
    sha256: str
    size_bytes: int
    received_at: datetime


_told = msgspec.json.Decoder(ParcelTold)


async def parcel_told(tx: Tx, policy_id: str, *, tenant_id: str, as_of: datetime) -> ParcelTold:
    """What had been said of the parcel by then; nothing, where nothing had.

    Reports by hand (dispatch, acceptance) leave no other trace of when they were made.
    """
    told = await tx.fetchval(
        """
        SELECT data FROM history
        WHERE tenant_id = $1 AND key = $2 AND type = ANY($3) AND occurred_at <= $4
        ORDER BY sequence DESC LIMIT 1
        """,
        tenant_id,
        policy_id,
        _NAMING,
        as_of,
    )
    return ParcelTold() if told is None else _told.decode(told)


async def list_notice_digests(
    tx: Tx, notice_ids: Iterable[str], *, tenant_id: str
) -> list[NoticeDigest]:
    """The oldest first."""
    rows = await tx.fetch(
        """
        SELECT notice_id, provider, encode(sha256(body), 'hex') AS sha256, size_bytes, received_at
        FROM tracking_notices WHERE tenant_id = $1 AND notice_id = ANY($2)
        ORDER BY received_at, notice_id
        """,
        tenant_id,
        sorted(set(notice_ids)),
    )
    return [NoticeDigest(**dict(row)) for row in rows]
