"""Filing claims and bringing papers to them; keeping copies of covers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.common.db import Tx
from libs.common.deadlines import Deadline, set_deadline
from libs.common.errors import Conflict, Invalid
from libs.common.files import FileFacts
from libs.common.ids import new_id
from services.claims import store
from services.claims.domain import filing, requests
from services.claims.domain.cases import Claim, Cover, Statement
from services.claims.events import ClaimFiled, EvidenceAdded
from services.claims.store import Evidence, FiledClaim, Policy
from services.claims.usecases.decisions import (
    Rules,
    announce,
    await_tracking,
    decide,
    decide_uninsured,
    lock_claim,
)
from services.claims.usecases.following import take_answer

FORGET_EVIDENCE = "forget_evidence"
UNTAKEN_DAYS = 7


class CoverOfAnother(Conflict):
    code = "cover-of-another-tenant"
    title = "The event's tenant is not the policy's"


class UnknownEvidence(Invalid):
    code = "unknown-evidence"
    title = "There is no such file of this policy, or another claim has it"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileClaim:
    """`policy_id` None: no policy of the tenant has this parcel."""

    tenant_id: str
    policy_id: str | None
    statement: Statement
    filed_by: str
    evidence_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepEvidence:
    tenant_id: str
    policy_id: str
    kind: str
    name: str
    file: FileFacts
    submitted_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddEvidence:
    """`unavailable`: kinds that can never be had; `message` answers what the claimant was asked."""

    tenant_id: str
    claim_id: str
    evidence_ids: tuple[str, ...]
    unavailable: tuple[str, ...] = ()
    message: str = ""


async def file_claim(tx: Tx, rules: Rules, command: FileClaim, *, now: datetime) -> FiledClaim:
    """The claim, filed and decided in one transaction: ClaimFiled first, ClaimDecided second.

    A first notice of the same peril is taken over: it was the first contact, and stays it.
    """
    cover = notice = None
    if command.policy_id is not None:
        cover = await store.lock_cover(tx, command.policy_id, tenant_id=command.tenant_id)
        filing.must_know(command.statement.item_ids, cover.terms)
        filing.must_be_in(cover.currency, command.statement)
        notice = await store.find_notice(
            tx, cover.policy_id, command.statement.peril, tenant_id=command.tenant_id
        )
    filed = (
        _filed(command, now=now) if notice is None else _taken_over(notice, command, now=now)
    )
    await (store.insert_claim if notice is None else store.save_claim)(tx, filed)
    filed, taken = await _with_evidence(tx, filed, command.evidence_ids)
    await announce(tx, filed, _claim_filed(filed, taken), now=now)
    await announce_evidence(tx, filed, taken, now=now)
    if cover is None:
        return await decide_uninsured(tx, rules, filed, now=now)
    await await_tracking(tx, rules, cover, filed, now=now)
    return await decide(tx, rules, cover, filed, now=now)


async def keep_evidence(tx: Tx, command: KeepEvidence, *, now: datetime) -> Evidence:
    """A file, whose bytes are stored already; forgotten after a week if no claim takes it."""
    await store.get_cover(tx, command.policy_id, tenant_id=command.tenant_id)
    evidence = Evidence(
        evidence_id=new_id("evd"),
        policy_id=command.policy_id,
        kind=command.kind,
        name=command.name,
        sha256=command.file.sha256,
        size_bytes=command.file.size_bytes,
        media_type=command.file.media_type,
        submitted_by=command.submitted_by,
        uploaded_at=now,
    )
    await store.insert_evidence(tx, evidence, tenant_id=command.tenant_id)
    await set_deadline(
        tx,
        Deadline(
            tenant_id=command.tenant_id,
            kind=FORGET_EVIDENCE,
            subject=evidence.evidence_id,
            due_at=now + timedelta(days=UNTAKEN_DAYS),
        ),
    )
    return evidence


async def add_evidence(
    tx: Tx, rules: Rules, command: AddEvidence, *, now: datetime
) -> FiledClaim:
    """Give an open claim more papers, or say which there are none of, and decide it on that."""
    requests.must_say(command.evidence_ids, command.unavailable, command.message)
    cover, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    filing.must_be_open(filed.claim_id, filed.state)
    filed, taken = await _with_evidence(tx, filed, command.evidence_ids)
    await announce_evidence(tx, filed, taken, now=now)
    filed = await take_answer(
        tx,
        filed,
        kinds=[evidence.kind for evidence in taken],
        unavailable=command.unavailable,
        reply=command.message,
    )
    return await decide(tx, rules, cover, filed, now=now)


async def remember_covers(tx: Tx, covers: Sequence[Cover]) -> list[Policy]:
    """Keep copies of sold policies; of one policy's the last is the newest.

    Those whose parcel is on its way already. CoverOfAnother where a policy is another tenant's.
    """
    newest = {(cover.tenant_id, cover.policy_id): cover for cover in covers}
    # One row a policy goes into the upsert; a second tenant's is found out below.
    by_policy = {cover.policy_id: cover for cover in reversed(newest.values())}
    tracked = await store.upsert_covers(tx, list(by_policy.values()))
    if foreign := await store.list_foreign(tx, list(newest.values())):
        raise CoverOfAnother(f"{', '.join(foreign)}: the event's tenant is not the policy's.")
    return tracked


async def remember_fetched(tx: Tx, cover: Cover) -> None:
    """Keep a copy that was read through, where it is newer than ours."""
    # A copy that is new comes without its tracking first, so that the save finds it older.
    await store.upsert_covers(tx, [replace(cover, sequence=0)])
    await store.save_cover(tx, cover)


async def _with_evidence(
    tx: Tx, filed: FiledClaim, evidence_ids: Sequence[str]
) -> tuple[FiledClaim, list[Evidence]]:
    """The claim with these files; those it has already are no news."""
    if not evidence_ids:
        return filed, []
    taken = await store.take_evidence(tx, evidence_ids, filed)
    mine = await store.list_evidence(tx, filed.claim_id, tenant_id=filed.tenant_id)
    unknown = sorted(set(evidence_ids) - {evidence.evidence_id for evidence in mine})
    if unknown:
        raise UnknownEvidence(
            f"{', '.join(unknown)}: upload the file for this policy first (POST /v1/evidence)."
        )
    kinds = tuple(sorted({evidence.kind for evidence in mine}))
    return replace(filed, claim=replace(filed.claim, evidence=kinds)), taken


async def announce_evidence(
    tx: Tx, filed: FiledClaim, taken: Sequence[Evidence], *, now: datetime
) -> None:
    for evidence in taken:
        added = EvidenceAdded(
            claim_id=filed.claim_id,
            policy_id=filed.policy_id or "",
            evidence_id=evidence.evidence_id,
            kind=evidence.kind,
            sha256=evidence.sha256,
        )
        await announce(tx, filed, added, now=now)


def _filed(command: FileClaim, *, now: datetime) -> FiledClaim:
    return FiledClaim(
        claim=Claim(
            claim_id=new_id("clm"), statement=command.statement, notified_at=now, filed_at=now
        ),
        tenant_id=command.tenant_id,
        policy_id=command.policy_id,
        state="SUBMITTED",
        filed_by=command.filed_by,
    )


def _taken_over(notice: FiledClaim, command: FileClaim, *, now: datetime) -> FiledClaim:
    claim = replace(notice.claim, statement=command.statement, filed_at=now)
    return replace(notice, claim=claim, state="SUBMITTED", filed_by=command.filed_by)


def _claim_filed(filed: FiledClaim, taken: Sequence[Evidence]) -> ClaimFiled:
    assert filed.claim.filed_at is not None
    return ClaimFiled(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        peril=filed.claim.statement.peril,
        notified_at=filed.claim.notified_at,
        filed_at=filed.claim.filed_at,
        filed_by=filed.filed_by,
        evidence_ids=tuple(evidence.evidence_id for evidence in taken),
    )
