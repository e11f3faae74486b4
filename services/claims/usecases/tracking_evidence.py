"""Evidence that the platform brings itself: what was known of the parcel when the claim was filed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from libs.common.db import Tx
from libs.common.deadlines import Deadline, set_deadline
from libs.common.files import FileFacts
from libs.common.ids import new_id
from libs.common.plans.codes import Supplier
from services.claims import store
from services.claims.domain.cases import Cover
from services.claims.domain.evidence import supplied
from services.claims.store import Evidence, FiledClaim
from services.claims.usecases.announcing import announce
from services.claims.usecases.evidence import evidence_added
from services.claims.usecases.locking import lock_claim
from services.claims.usecases.rules import Rules

PLATFORM: Final = Supplier.PLATFORM.value
ATTACH_TRACKING = "attach_tracking"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachTracking:
    """`file`: a snapshot of the parcel's tracking, whose bytes are stored already."""

    tenant_id: str
    claim_id: str
    file: FileFacts


async def await_tracking(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> None:
    """Have the platform's own evidence attached, where the plan says that it brings some.

    The decision need not wait for it: it counts as on file (BM-16).
    """
    plan = rules.plans.pinned(cover.plan_sha256)
    if supplied(plan, filed.peril):
        await set_deadline(
            tx,
            Deadline(
                tenant_id=filed.tenant_id,
                kind=ATTACH_TRACKING,
                subject=filed.claim_id,
                due_at=now,
            ),
        )


async def attach_tracking(
    tx: Tx, rules: Rules, command: AttachTracking, *, now: datetime
) -> None:
    """Give the claim the snapshot, once, as each kind of evidence that its plan has the platform bring.

    The claim is not decided anew: what the platform brings has counted as on file from the first.
    """
    cover, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    mine = await store.list_evidence(tx, filed.claim_id, tenant_id=filed.tenant_id)
    attached = {evidence.kind for evidence in mine if evidence.submitted_by == PLATFORM}
    plan = rules.plans.pinned(cover.plan_sha256)
    kinds = supplied(plan, filed.peril) - attached
    brought = [_evidence(kind, filed, command.file, now=now) for kind in sorted(kinds)]
    for evidence in brought:
        await store.insert_evidence(tx, evidence, tenant_id=filed.tenant_id)
    taken = await store.take_evidence(tx, [one.evidence_id for one in brought], filed)
    await announce(tx, filed, *evidence_added(filed, taken), now=now)


def _evidence(kind: str, filed: FiledClaim, file: FileFacts, *, now: datetime) -> Evidence:
    assert filed.policy_id is not None
    return Evidence(
        evidence_id=new_id("evd"),
        policy_id=filed.policy_id,
        kind=kind,
        name=f"tracking-{filed.policy_id}-{now:%Y-%m-%d}.json",
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        media_type=file.media_type,
        submitted_by=PLATFORM,
        uploaded_at=now,
    )
