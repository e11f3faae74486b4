"""Files: kept, brought to claims, scanned, and forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadline, set_deadlines
from libs.common.errors import Conflict, Invalid, Refusal
from libs.common.files import FileFacts
from libs.common.ids import new_id
from services.claims import store
from services.claims.domain import filing, requests
from services.claims.domain.evidence import must_fit
from services.claims.events import EvidenceAdded
from services.claims.store import INFECTED, SKIPPED, WAITING, Evidence, FiledClaim
from services.claims.usecases.announcing import announce
from services.claims.usecases.deciding import decide, look_again
from services.claims.usecases.following import take_answer
from services.claims.usecases.locking import lock_claim
from services.claims.usecases.reconsidering import reconsider
from services.claims.usecases.rules import Rules

FORGET_EVIDENCE = "forget_evidence"
SCAN_EVIDENCE = "scan_evidence"
UNTAKEN_DAYS = 7


class UnknownEvidence(Invalid):
    code = "unknown-evidence"
    title = "There is no such file of this policy, or another claim has it"


class EvidenceNotScanned(Conflict):
    code = "evidence-not-scanned"
    title = "The file has not been scanned for viruses yet"


class EvidenceInfected(Conflict):
    code = "evidence-infected"
    title = "The scanner found a virus in the file"


class EvidenceForgotten(Refusal):
    code = "evidence-forgotten"
    title = "The file has been removed, as its claim ended long ago"
    status = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepEvidence:
    """`is_to_be_scanned`: there is a scanner, and nobody gets the file before it has looked."""

    tenant_id: str
    policy_id: str
    kind: str
    name: str
    file: FileFacts
    submitted_by: str
    is_to_be_scanned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddEvidence:
    """`unavailable`: kinds that can never be had; `message` answers what the claimant was asked."""

    tenant_id: str
    claim_id: str
    evidence_ids: tuple[str, ...]
    unavailable: tuple[str, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteScan:
    """`found` names what is in the file; None: it is clean, or (`SKIPPED`) nobody looked."""

    tenant_id: str
    sha256: str
    state: str
    found: str | None = None


async def keep_evidence(tx: Tx, command: KeepEvidence, *, now: datetime) -> Evidence:
    """A file, whose bytes are stored already; forgotten after a week if no claim takes it."""
    must_fit(command.kind, command.file.media_type)
    await store.get_cover(tx, command.policy_id, tenant_id=command.tenant_id)
    file = command.file
    evidence = Evidence(
        evidence_id=new_id("evd"),
        policy_id=command.policy_id,
        kind=command.kind,
        name=command.name,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        media_type=file.media_type,
        submitted_by=command.submitted_by,
        uploaded_at=now,
        width=file.width,
        height=file.height,
        duration_ms=file.duration_ms,
        pages=file.pages,
        scan_state=WAITING if command.is_to_be_scanned else SKIPPED,
    )
    await store.hold_file(tx, file.sha256, tenant_id=command.tenant_id)
    await store.insert_evidence(tx, evidence, tenant_id=command.tenant_id)
    due = {FORGET_EVIDENCE: now + timedelta(days=UNTAKEN_DAYS)}
    if command.is_to_be_scanned:
        due[SCAN_EVIDENCE] = now
    await set_deadlines(
        tx,
        [
            Deadline(
                tenant_id=command.tenant_id, kind=kind, subject=evidence.evidence_id, due_at=at
            )
            for kind, at in due.items()
        ],
    )
    return await store.get_evidence(tx, evidence.evidence_id, tenant_id=command.tenant_id)


async def add_evidence(
    tx: Tx, rules: Rules, command: AddEvidence, *, now: datetime
) -> FiledClaim:
    """Give an open claim more papers, or say which there are none of, and decide it on that."""
    requests.must_say(command.evidence_ids, command.unavailable, command.message)
    cover, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    filing.must_be_open(filed.claim_id, filed.state)
    filed, taken = await with_evidence(tx, filed, command.evidence_ids)
    await announce(tx, filed, *evidence_added(filed, taken), now=now)
    filed = await take_answer(
        tx,
        filed,
        kinds=[evidence.kind for evidence in taken],
        unavailable=command.unavailable,
        reply=command.message,
    )
    return await decide(tx, rules, cover, filed, now=now)


async def with_evidence(
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
    for evidence in taken:
        _must_not_be_infected(evidence)
    kinds = tuple(sorted({one.kind for one in mine if one.scan_state != INFECTED}))
    return replace(filed, claim=replace(filed.claim, evidence=kinds)), taken


def evidence_added(filed: FiledClaim, taken: Sequence[Evidence]) -> list[EvidenceAdded]:
    return [
        EvidenceAdded(
            claim_id=filed.claim_id,
            policy_id=filed.policy_id or "",
            evidence_id=evidence.evidence_id,
            kind=evidence.kind,
            sha256=evidence.sha256,
        )
        for evidence in taken
    ]


async def get_openable(tx: Tx, evidence_id: str, *, tenant_id: str) -> Evidence:
    """A file that may be handed out: not while it waits for the scanner, nor once it has failed it.

    EvidenceForgotten once its bytes are gone for good.
    """
    evidence = await store.get_evidence(tx, evidence_id, tenant_id=tenant_id)
    if evidence.forgotten_at is not None:
        raise EvidenceForgotten(
            f"{evidence_id} was removed at {evidence.forgotten_at:%Y-%m-%d %H:%M} UTC; "
            "what it was is still shown."
        )
    if evidence.scan_state == WAITING:
        raise EvidenceNotScanned(
            f"The scanner has not looked at {evidence_id} yet. Try again in a moment."
        )
    _must_not_be_infected(evidence)
    return evidence


async def note_scan(tx: Tx, rules: Rules, command: NoteScan, *, now: datetime) -> None:
    """What the scanner said counts for every row of these bytes.

    An infected file is as good as none: claims that have it are decided anew, and a payout that has
    not gone out yet is made sure of.
    """
    tenant_id = command.tenant_id
    policies = await store.list_policies_with_file(tx, command.sha256, tenant_id=tenant_id)
    # Before the rows, as whoever takes a file does: nobody waits for each other.
    await store.lock_covers(tx, [(tenant_id, policy_id) for policy_id in policies])
    claims = await store.save_scan(
        tx, command.sha256, command.state, command.found, tenant_id=tenant_id
    )
    if command.state != INFECTED:
        return
    for claim_id in claims:
        await _decide_without(tx, rules, claim_id, tenant_id=tenant_id, now=now)


async def forget_evidence(tx: Tx, evidence_id: str, *, tenant_id: str) -> str | None:
    """The hash whose bytes nobody names any more, held until commit; None where they are needed."""
    evidence = await store.find_evidence(tx, evidence_id, tenant_id=tenant_id)
    if evidence is None:
        return None
    sha256 = evidence.sha256
    await store.hold_file(tx, sha256, tenant_id=tenant_id)
    if await store.remove_untaken_evidence(tx, evidence_id, tenant_id=tenant_id) is None:
        return None
    await cancel_deadline(tx, tenant_id, SCAN_EVIDENCE, evidence_id)
    return None if await store.is_file_named(tx, sha256, tenant_id=tenant_id) else sha256


async def _decide_without(
    tx: Tx, rules: Rules, claim_id: str, *, tenant_id: str, now: datetime
) -> None:
    cover, filed = await lock_claim(tx, claim_id, tenant_id=tenant_id)
    await look_again(tx, rules, cover, filed, now=now)
    for payout in await store.list_payouts(tx, claim_id, tenant_id=tenant_id):
        if payout.kind == "PAYOUT" and payout.state in ("CREATED", "APPROVED"):
            await reconsider(tx, rules, payout, tenant_id=tenant_id, now=now)


def _must_not_be_infected(evidence: Evidence) -> None:
    if evidence.scan_state == INFECTED:
        raise EvidenceInfected(
            f"The scanner found a virus in {evidence.evidence_id}. Send it from a clean machine."
        )
