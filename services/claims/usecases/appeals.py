"""Appeals: filed against a decision that stands, and decided by somebody who had no part in it."""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadline, set_deadline
from libs.common.ids import new_id
from services.claims import store
from services.claims.domain import appeals, approvals, filing
from services.claims.domain.appeals import Appeal, Proposed, Verdict
from services.claims.domain.cases import Cover
from services.claims.domain.service_terms import AppealAnswer
from services.claims.events import AppealDecided, ClaimAppealed, ClaimOverdue
from services.claims.store import FiledClaim, KeptDecision
from services.claims.usecases.announcing import announce
from services.claims.usecases.closing import end_window, follow_end, open_window
from services.claims.usecases.evidence import evidence_added, with_evidence
from services.claims.usecases.locking import lock_claim
from services.claims.usecases.proposing import as_kept, is_still_answer, propose
from services.claims.usecases.recording import record
from services.claims.usecases.rules import Rules
from services.claims.usecases.second_person import ask
from services.claims.usecases.standing import restand, stand_or_close

APPEAL_DECIDE = "APPEAL_DECIDE"
APPEAL_OVERDUE = "say_appeal_is_overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAppeal:
    """`tier` None: the next one."""

    tenant_id: str
    claim_id: str
    tier: int | None
    grounds: str
    filed_by: str
    evidence_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideAppeal:
    tenant_id: str
    appeal_id: str
    verdict: Verdict


async def file_appeal(tx: Tx, rules: Rules, command: FileAppeal, *, now: datetime) -> Appeal:
    """The appeal, where the plan takes it; the claim waits for it, its payouts go on."""
    cover, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    appeals.must_be_decided(filed.claim_id, filed.state, is_filed=filed.is_filed)
    heard = await store.list_appeals(tx, filed.claim_id, tenant_id=filed.tenant_id)
    appeals.must_have_none_open(heard)
    stands = await _standing(tx, filed)
    taken = _taken(rules, cover, heard, stands, command, now=now)
    asked = _asked(command, taken, stands, now=now)
    await store.insert_appeal(tx, asked, tenant_id=filed.tenant_id)
    filed, files = await with_evidence(tx, filed, command.evidence_ids)
    # A claim whose window closed while this request waited for it is open again.
    filed = await restand(tx, replace(filed, state="UNDER_APPEAL", closed_at=None))
    await follow_end(tx, filed, now=now)
    await _set_overdue(tx, filed, asked, taken)
    appealed, added = _claim_appealed(filed, asked), evidence_added(filed, files)
    await announce(tx, filed, appealed, *added, now=now)
    return asked


async def decide_appeal(
    tx: Tx, rules: Rules, command: DecideAppeal, *, now: datetime
) -> Appeal:
    """The engine answers anew on what is known and found; only a higher award takes the old one's
    place (BM-27), and a person's word settles it.

    With discretionary reasons to override it is a proposal that a second person has to agree to
    (G-13). A later verdict takes the place of one that is not agreed to yet.
    """
    asked = await store.get_appeal(tx, command.appeal_id, tenant_id=command.tenant_id)
    cover, filed = await lock_claim(tx, asked.claim_id, tenant_id=command.tenant_id)
    asked = await store.get_appeal(tx, command.appeal_id, tenant_id=command.tenant_id)
    appeals.must_be_open(asked)
    appeals.must_be_heard(filed.claim_id, filed.state)
    earlier = await store.list_deciders(tx, filed.claim_id, tenant_id=filed.tenant_id)
    verdict = command.verdict
    appeals.must_be_new(verdict.decided_by, earlier)
    filing.must_know(tuple(verdict.findings.grades), cover.terms)
    granted = {override.code for override in filed.overrides}
    fresh = tuple(one for one in verdict.overrides if one.code not in granted)
    verdict = replace(verdict, overrides=fresh)
    await store.void_approval(tx, asked.appeal_id, "DECIDED_ANEW", tenant_id=filed.tenant_id)
    if fresh:
        return await _propose(tx, rules, cover, filed, asked, verdict, now=now)
    return await _decide(tx, rules, cover, filed, asked, verdict, now=now)


async def is_still_proposed(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, asked: Appeal, *, now: datetime
) -> bool:
    """Whether what somebody proposed is the answer on what is known now, too."""
    assert asked.proposal is not None, "only what is proposed is agreed to"
    if filed.state != "UNDER_APPEAL":
        return False
    examined = _examined(filed, asked.proposal.verdict)
    anew = await propose(tx, rules, cover, examined, now=now)
    return is_still_answer(asked.proposal.answer, anew.decision)


async def decide_as_proposed(
    tx: Tx,
    rules: Rules,
    cover: Cover,
    filed: FiledClaim,
    asked: Appeal,
    *,
    approved_by: str,
    now: datetime,
) -> None:
    assert asked.proposal is not None, "only what is proposed is agreed to"
    verdict = asked.proposal.verdict
    await _decide(tx, rules, cover, filed, asked, verdict, approved_by=approved_by, now=now)


async def drop_proposal(tx: Tx, filed: FiledClaim, asked: Appeal) -> None:
    """The appeal is open, for another verdict."""
    await store.save_appeal(tx, replace(asked, proposal=None), tenant_id=filed.tenant_id)


async def _propose(
    tx: Tx,
    rules: Rules,
    cover: Cover,
    filed: FiledClaim,
    asked: Appeal,
    verdict: Verdict,
    *,
    now: datetime,
) -> Appeal:
    """Ask a second person; the appeal stays open, and its claim under appeal."""
    anew = await propose(tx, rules, cover, _examined(filed, verdict), now=now)
    approvals.must_be_overridable([one.code for one in verdict.overrides], anew.decision)
    proposed = replace(asked, proposal=Proposed(verdict=verdict, answer=as_kept(anew.decision)))
    await store.save_appeal(tx, proposed, tenant_id=filed.tenant_id)
    is_senior = asked.body != appeals.SECOND_ADJUDICATOR
    wanted = approvals.second_hearer(verdict.overrides, is_senior=is_senior)
    by = verdict.decided_by
    await ask(tx, filed, approvals.APPEAL, asked.appeal_id, wanted, by=by, now=now)
    return proposed


async def _decide(
    tx: Tx,
    rules: Rules,
    cover: Cover,
    filed: FiledClaim,
    asked: Appeal,
    verdict: Verdict,
    *,
    approved_by: str | None = None,
    now: datetime,
) -> Appeal:
    filed, anew = await _decide_anew(
        tx, rules, cover, filed, verdict, approved_by=approved_by, now=now
    )
    decided = replace(
        asked,
        state=appeals.UPHELD if anew is None else appeals.VARIED,
        findings=verdict.findings,
        decided_by=verdict.decided_by,
        decided_at=now,
        decision_id=None if anew is None else anew.decision_id,
        note=verdict.note,
        proposal=None,
    )
    await store.save_appeal(tx, decided, tenant_id=filed.tenant_id)
    await cancel_deadline(tx, filed.tenant_id, APPEAL_OVERDUE, asked.appeal_id)
    await _conclude(tx, rules, cover, filed, decided, now=now)
    return decided


async def close_claim(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, *, now: datetime
) -> None:
    """The last day to appeal is over."""
    if filed.state not in appeals.APPEALABLE:
        return
    window = await store.find_window(tx, filed.claim_id, tenant_id=filed.tenant_id)
    if window is not None:
        await end_window(tx, filed, now=now)
        return
    # Decided before windows were kept: it gets the one that it had all the time.
    stands = await _standing(tx, filed)
    plan = rules.plans.pinned(cover.plan_sha256)
    heard = await store.list_appeals(tx, filed.claim_id, tenant_id=filed.tenant_id)
    await open_window(tx, filed, plan, heard, decided_at=stands.decided_at)


async def say_appeal_is_overdue(
    tx: Tx, filed: FiledClaim, asked: Appeal, *, now: datetime
) -> None:
    """To staff: the day by which it was to be decided is over."""
    if asked.state != appeals.OPEN:
        return
    event = ClaimOverdue(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        clock=APPEAL_DECIDE,
        level="BREACH",
        due_on=asked.decide_by,
    )
    await announce(tx, filed, event, now=now)


async def _standing(tx: Tx, filed: FiledClaim) -> KeptDecision:
    stands = await store.find_standing_decision(tx, filed.claim_id, tenant_id=filed.tenant_id)
    assert stands is not None, "what is not open is decided"
    return stands


def _taken(
    rules: Rules,
    cover: Cover,
    heard: list[Appeal],
    stands: KeptDecision,
    command: FileAppeal,
    *,
    now: datetime,
) -> AppealAnswer:
    """What the plan says to it, where that is yes."""
    plan = rules.plans.pinned(cover.plan_sha256)
    following = appeals.answer(plan, heard, decided_at=stands.decided_at, filed_at=now)
    asked = following
    if command.tier is not None:
        asked = appeals.answer(
            plan, heard, decided_at=stands.decided_at, filed_at=now, tier=command.tier
        )
    appeals.must_be_taken(asked, following)
    return asked


def _asked(
    command: FileAppeal, taken: AppealAnswer, stands: KeptDecision, *, now: datetime
) -> Appeal:
    assert taken.file_by is not None
    assert taken.decide_by is not None
    return Appeal(
        appeal_id=new_id("apl"),
        claim_id=command.claim_id,
        tier=taken.tier,
        body=taken.body,
        grounds=command.grounds,
        filed_by=command.filed_by,
        filed_at=now,
        file_by=taken.file_by,
        decide_by=taken.decide_by,
        is_final=taken.is_final,
        against=stands.decision_id,
    )


async def _set_overdue(tx: Tx, filed: FiledClaim, asked: Appeal, taken: AppealAnswer) -> None:
    assert taken.breaches_at is not None
    await set_deadline(
        tx,
        Deadline(
            tenant_id=filed.tenant_id,
            kind=APPEAL_OVERDUE,
            subject=asked.appeal_id,
            due_at=taken.breaches_at,
        ),
    )


async def _decide_anew(
    tx: Tx,
    rules: Rules,
    cover: Cover,
    filed: FiledClaim,
    verdict: Verdict,
    *,
    approved_by: str | None,
    now: datetime,
) -> tuple[FiledClaim, KeptDecision | None]:
    """The claim, and its new decision; None where the one appealed against stands.

    Findings that win nothing stay with the appeal: they must not lower the award later. So do
    reasons that were overridden for nothing.
    """
    stands = await _standing(tx, filed)
    examined = _examined(filed, verdict)
    proposal = await propose(tx, rules, cover, examined, now=now)
    if not appeals.varies(appeals.award(stands.outcome, stands.payout), proposal.decision):
        return filed, None
    varied = await record(
        tx,
        rules,
        examined,
        await store.get_beside(tx, examined),
        proposal,
        is_settled=True,
        decided_by=verdict.decided_by,
        approved_by=approved_by,
        policy_sequence=cover.sequence,
        overrides=examined.overrides,
        now=now,
    )
    return varied, await _standing(tx, filed)


def _examined(filed: FiledClaim, verdict: Verdict) -> FiledClaim:
    """The claim as whoever hears the appeal sees it."""
    found = filing.merged(filed.claim.findings, verdict.findings)
    return replace(
        filed,
        claim=replace(filed.claim, findings=found),
        overrides=(*filed.overrides, *verdict.overrides),
    )


async def _conclude(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, decided: Appeal, *, now: datetime
) -> None:
    """Announce the result, open the next tier's window, and let the claim stand again or close."""
    plan = rules.plans.pinned(cover.plan_sha256)
    heard = await store.list_appeals(tx, filed.claim_id, tenant_id=filed.tenant_id)
    window = await open_window(tx, filed, plan, heard, decided_at=now)
    stands = await _standing(tx, filed)
    event = AppealDecided(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        appeal_id=decided.appeal_id,
        tier=decided.tier,
        result=decided.state,
        payout=appeals.award(stands.outcome, stands.payout),
        is_final=window.tier is None,
        decided_by=decided.decided_by or "",
        decided_at=now,
        decision_id=decided.decision_id or "",
        file_by=window.file_by,
        next_body=window.body,
    )
    await announce(tx, filed, event, now=now)
    await stand_or_close(tx, filed, now=now)


def _claim_appealed(filed: FiledClaim, asked: Appeal) -> ClaimAppealed:
    return ClaimAppealed(
        claim_id=filed.claim_id,
        policy_id=filed.policy_id or "",
        appeal_id=asked.appeal_id,
        tier=asked.tier,
        body=asked.body,
        filed_at=asked.filed_at,
        decide_by=asked.decide_by,
    )
