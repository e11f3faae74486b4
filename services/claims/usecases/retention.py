"""The files of a claim that has ended: kept as long as the tenant says, then forgotten (Q47)."""

from datetime import datetime

from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadlines, set_deadline
from services.claims import store
from services.claims.domain.retention import kept_until
from services.claims.store import FiledClaim
from services.claims.usecases.closing import FORGET_CLAIMS_FILES
from services.claims.usecases.evidence import SCAN_EVIDENCE
from services.claims.usecases.rules import Rules


async def forget_claims_files(
    tx: Tx, rules: Rules, filed: FiledClaim, *, now: datetime
) -> list[str]:
    """The hashes whose bytes nobody names any more, held until commit.

    Before the time is over, its end is set: a tenant may have lengthened it meanwhile. A claim that
    something may come of again keeps all.
    """
    tenant_id = filed.tenant_id
    ended_at = await store.find_end(tx, filed.claim_id, tenant_id=tenant_id)
    if ended_at is None:
        return []
    until = kept_until(ended_at, rules.tenant(tenant_id).evidence_years)
    if now < until:
        await set_deadline(
            tx,
            Deadline(
                tenant_id=tenant_id,
                kind=FORGET_CLAIMS_FILES,
                subject=filed.claim_id,
                due_at=until,
            ),
        )
        return []
    return await _forget_files(tx, filed, now=now)


async def _forget_files(tx: Tx, filed: FiledClaim, *, now: datetime) -> list[str]:
    tenant_id = filed.tenant_id
    kept = await store.list_kept_files(tx, filed.claim_id, tenant_id=tenant_id)
    hashes = list(kept.values())
    # Before the rows: whoever uploads the same bytes meanwhile waits, and looks.
    await store.hold_files(tx, hashes, tenant_id=tenant_id)
    await store.forget_files(tx, list(kept), tenant_id=tenant_id, now=now)
    # Nothing is left to scan of one that the scanner was never there for.
    await cancel_deadlines(tx, SCAN_EVIDENCE, [(tenant_id, one) for one in kept])
    return await store.list_unnamed(tx, hashes, tenant_id=tenant_id)
