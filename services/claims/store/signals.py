"""What else of a tenant's touches a claim: files, parcels, customers. Every query names its tenant."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from libs.common.db import Tx
from services.claims.domain.cases import Cover
from services.claims.domain.signals import (
    MANY_CLAIMS_DAYS,
    OtherPolicy,
    SharedFile,
    Surroundings,
)
from services.claims.store.claims import FiledClaim

# Of each sort; a person who sees so many needs no more.
MAX_FOUND: Final = 50

_files = msgspec.json.Decoder(tuple[SharedFile, ...])
_policies = msgspec.json.Decoder(tuple[OtherPolicy, ...])

# What platform and provider bring may be of many parcels, as a carrier's letter is. A claim that was
# withdrawn for another one on the same parcel (JS-12) leaves it its papers, and is none of its
# customer's any more.
_AROUND = """
    SELECT
        (SELECT coalesce(jsonb_agg(f), '[]') FROM (
            SELECT DISTINCT mine.kind, other.claim_id
            FROM evidence mine
            JOIN evidence other ON other.tenant_id = mine.tenant_id AND other.sha256 = mine.sha256
                AND other.claim_id <> mine.claim_id AND other.submitted_by = 'claimant'
            JOIN claims c ON c.claim_id = other.claim_id AND c.tenant_id = other.tenant_id
            WHERE mine.tenant_id = $1 AND mine.claim_id = $2 AND mine.submitted_by = 'claimant'
                AND NOT (c.state = 'WITHDRAWN' AND c.policy_id = $3)
            ORDER BY other.claim_id, mine.kind LIMIT $8
        ) f) AS files,
        (SELECT coalesce(jsonb_agg(p), '[]') FROM (
            SELECT policy_id, carrier, paid_at, (tracking ->> 'delivered_at') AS delivered_at
            FROM covers
            WHERE tenant_id = $1 AND tracking_number = $4 AND tracking_number <> ''
                AND policy_id <> $3 AND state NOT IN ('PENDING', 'CANCELLED', 'INVALID', 'LAPSED')
            ORDER BY policy_id LIMIT $8
        ) p) AS policies,
        ARRAY(
            SELECT c.claim_id FROM covers o
            JOIN claims c ON c.tenant_id = o.tenant_id AND c.policy_id = o.policy_id
            WHERE o.tenant_id = $1 AND o.terms ->> 'customer_id' = $5
                AND o.terms ->> 'customer_id' <> ''
                AND c.claim_id <> $2 AND c.filed_at > $6 AND c.filed_at <= $7
                AND c.state <> 'WITHDRAWN'
            ORDER BY c.filed_at DESC, c.claim_id LIMIT $8
        ) AS claims
"""


async def find_surroundings(tx: Tx, cover: Cover, filed: FiledClaim) -> Surroundings:
    """In one query, whatever there is."""
    filed_at: datetime = filed.claim.filed_at or filed.claim.notified_at
    row = await tx.fetchrow(
        _AROUND,
        filed.tenant_id,
        filed.claim_id,
        cover.policy_id,
        cover.tracking_number,
        cover.terms.customer_id,
        filed_at - timedelta(days=MANY_CLAIMS_DAYS),
        filed_at,
        MAX_FOUND,
    )
    assert row is not None
    return Surroundings(
        files=_files.decode(row["files"]),
        policies=_policies.decode(row["policies"]),
        claims=tuple(row["claims"]),
    )
