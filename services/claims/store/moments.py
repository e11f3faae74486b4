"""What happened to a claim, moment by moment. Every query names its tenant."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from libs.common.db import Tx
from libs.common.events import TYPE_PREFIX
from services.claims.store.claims import FiledClaim

MAX_MOMENTS: Final = 1_000

# Each gives at, place (among those of one instant), what, by and told; $1 is the tenant, $2 the
# claim, $3 the key of its events. What an event says of a claim is read already: the history has
# all of them, whoever adds one. A moment that no event says is one SELECT more.
_FIRST_CONTACT: Final = """
    SELECT notified_at AS at, 0::bigint AS place, 'FirstContact' AS what,
        CASE WHEN cause IS NULL THEN filed_by ELSE 'platform' END AS by,
        json_build_object('peril', peril, 'cause', cause) AS told
    FROM claims WHERE tenant_id = $1 AND claim_id = $2
"""
_SAID: Final = """
    SELECT occurred_at, sequence, type, acted_by, data FROM history
    WHERE tenant_id = $1 AND key = $3 AND data ->> 'claim_id' = $2
"""
_READERS: Final = (_FIRST_CONTACT, _SAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """`what` is the name of an event, or FirstContact; `told` what it said."""

    at: datetime
    what: str
    by: str
    told: dict[str, Any]


async def list_moments(tx: Tx, filed: FiledClaim) -> list[Moment]:
    """In the order in which they happened."""
    rows = await tx.fetch(
        f"{' UNION ALL '.join(_READERS)} ORDER BY at, place LIMIT {MAX_MOMENTS}",
        filed.tenant_id,
        filed.claim_id,
        filed.key,
    )
    return [
        Moment(
            at=row["at"],
            what=row["what"].removeprefix(TYPE_PREFIX).split(".")[0],
            by=row["by"],
            told=msgspec.json.decode(row["told"]),
        )
        for row in rows
    ]
