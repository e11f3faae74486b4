"""Asking a second person."""

from datetime import datetime

from libs.common.db import Tx
from libs.common.ids import new_id
from services.claims import store
from services.claims.domain.approvals import Approval, Wanted
from services.claims.events import ApprovalRequested
from services.claims.store import FiledClaim
from services.claims.usecases.announcing import announce


async def ask(
    tx: Tx,
    filed: FiledClaim,
    about: str,
    subject_id: str,
    wanted: Wanted,
    *,
    by: str,
    now: datetime,
) -> None:
    """Ask somebody else than `by` to agree."""
    approval = Approval(
        approval_id=new_id("apr"),
        claim_id=filed.claim_id,
        about=about,
        subject_id=subject_id,
        why=wanted.why,
        scope=wanted.scope,
        asked_by=by,
        asked_at=now,
    )
    await store.insert_approval(tx, approval, tenant_id=filed.tenant_id)
    event = ApprovalRequested(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        about=about,
        subject_id=subject_id,
        why=wanted.why,
        asked_by=by,
        asked_at=now,
    )
    await announce(tx, filed, event, now=now)
