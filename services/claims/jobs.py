"""What the claims service does when something is due."""

from collections.abc import Mapping
from typing import Final

from libs.common.clamd import Scanner
from libs.common.deadlines import Deadline, Job, take
from libs.common.files import Files, made_here
from libs.common.service import Running
from libs.common.testclock import business_now
from services.claims import clients, store, usecases
from services.claims.settings import ClaimsSettings
from services.claims.store import CLEAN, INFECTED, SKIPPED, WAITING, Evidence
from services.claims.usecases import AttachTracking, NoteScan, Rules

SNAPSHOT_TYPE: Final = "application/json"


def jobs(running: Running) -> Mapping[str, Job]:
    rules = Rules(plans=running.plans, tenants=running.tenants)
    policies = running.peer("policy")
    settings = running.settings
    files = Files(settings.evidence)
    assert isinstance(settings, ClaimsSettings)
    scanner = Scanner(settings.clamd) if settings.clamd else None

    async def look_again_at_claim(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            # Before the deadline, as the consumers do who move it: nobody waits for each other.
            cover, filed = await usecases.lock_claim(
                tx, deadline.subject, tenant_id=deadline.tenant_id
            )
            if await take(tx, deadline):
                await usecases.look_again(tx, rules, cover, filed, now=deadline.due_at)

    async def note_overdue(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            _, filed = await usecases.lock_claim(
                tx, deadline.subject, tenant_id=deadline.tenant_id
            )
            if await take(tx, deadline):
                await usecases.note_overdue(tx, filed, now=deadline.due_at)

    async def remind_claimant(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            cover, filed = await usecases.lock_claim(
                tx, deadline.subject, tenant_id=deadline.tenant_id
            )
            if await take(tx, deadline):
                plan = rules.plans.pinned(cover.plan_sha256)
                await usecases.remind_claimant(tx, filed, plan, now=deadline.due_at)

    async def send_payout(deadline: Deadline) -> None:
        """Before money goes out the policy is read again from its owner: a stale copy never pays."""
        tenant_id, now = deadline.tenant_id, deadline.due_at
        async with running.db.transaction(tenant_id) as tx:
            payout = await store.get_payout(tx, deadline.subject, tenant_id=tenant_id)
            known = await store.get_cover(tx, payout.policy_id, tenant_id=tenant_id)
        fresh = await clients.fetch_cover(policies, payout.policy_id, tenant_id=tenant_id)
        async with running.db.transaction(tenant_id) as tx:
            # The cover first, as whoever stops a payout does: nobody waits for each other.
            await store.lock_cover(tx, payout.policy_id, tenant_id=tenant_id)
            if not await take(tx, deadline):
                return
            payout = await store.get_payout(tx, payout.payout_id, tenant_id=tenant_id)
            if payout.state != "APPROVED":
                return
            if fresh is not None and fresh.sequence > known.sequence:
                await usecases.remember_fetched(tx, fresh)
                if not await usecases.reconsider(
                    tx, rules, payout, tenant_id=tenant_id, now=now
                ):
                    return
            await usecases.send_payout(
                tx, rules, payout.payout_id, tenant_id=tenant_id, now=now
            )

    async def notice_silence(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            # Before the deadline, as the consumers do who move it: nobody waits for each other.
            cover = await store.lock_cover(tx, deadline.subject, tenant_id=deadline.tenant_id)
            if await take(tx, deadline):
                await usecases.notice_silence(tx, rules, cover, now=deadline.due_at)

    async def attach_tracking(deadline: Deadline) -> None:
        """As of the claim's filing, however long the policy service was away. Bytes before row."""
        tenant_id, now = deadline.tenant_id, deadline.due_at
        async with running.db.transaction(tenant_id) as tx:
            filed = await store.get_claim(tx, deadline.subject, tenant_id=tenant_id)
        assert filed.policy_id is not None, "only a claim on a policy waits for its tracking"
        snapshot = await clients.fetch_tracking_snapshot(
            policies, filed.policy_id, tenant_id=tenant_id, as_of=now
        )
        file = made_here(snapshot, SNAPSHOT_TYPE)
        await files.keep(tenant_id, file, snapshot)
        command = AttachTracking(tenant_id=tenant_id, claim_id=filed.claim_id, file=file)
        async with running.db.transaction(tenant_id) as tx:
            await store.lock_cover(tx, filed.policy_id, tenant_id=tenant_id)
            if await take(tx, deadline):
                await usecases.attach_tracking(tx, rules, command, now=now)

    async def lapse_voucher(deadline: Deadline) -> None:
        tenant_id = deadline.tenant_id
        async with running.db.transaction(tenant_id) as tx:
            voucher = await store.get_voucher(tx, deadline.subject, tenant_id=tenant_id)
            await store.lock_cover(tx, voucher.policy_id, tenant_id=tenant_id)
            if await take(tx, deadline):
                await usecases.lapse_voucher(
                    tx, voucher.voucher_id, tenant_id=tenant_id, now=deadline.due_at
                )

    async def forget_evidence(deadline: Deadline) -> None:
        """The bytes go while the row's end holds them: who uploads them meanwhile waits, and looks."""
        tenant_id = deadline.tenant_id
        async with running.db.transaction(tenant_id) as tx:
            if await take(tx, deadline):
                nobodys = await usecases.forget_evidence(
                    tx, deadline.subject, tenant_id=tenant_id
                )
                if nobodys is not None:
                    await files.forget(tenant_id, nobodys)

    async def forget_claims_files(deadline: Deadline) -> None:
        """The bytes go while the rows' end holds them, as with a file that no claim took."""
        tenant_id = deadline.tenant_id
        async with running.db.transaction(tenant_id) as tx:
            # Before the deadline, as those do who move it: nobody waits for each other.
            _, filed = await usecases.lock_claim(tx, deadline.subject, tenant_id=tenant_id)
            if not await take(tx, deadline):
                return
            nobodys = await usecases.forget_claims_files(tx, rules, filed, now=deadline.due_at)
            for sha256 in nobodys:
                await files.forget(tenant_id, sha256)

    async def scan_evidence(deadline: Deadline) -> None:
        """Tried again while the scanner is away; the file is not handed out until it has looked."""
        tenant_id = deadline.tenant_id
        async with running.db.transaction(tenant_id) as tx:
            evidence = await store.find_evidence(tx, deadline.subject, tenant_id=tenant_id)
        is_waiting = evidence is not None and evidence.scan_state == WAITING
        said = await _scanned(evidence, tenant_id) if evidence and is_waiting else None
        # Not when it was due: claims may have been filed since, and are not decided as of before.
        now = await business_now(running.db, tenant_id)
        async with running.db.transaction(tenant_id) as tx:
            if await take(tx, deadline) and said is not None:
                await usecases.note_scan(tx, rules, said, now=now)

    async def _scanned(evidence: Evidence, tenant_id: str) -> NoteScan:
        state, found = SKIPPED, None
        if scanner is not None:
            verdict = await scanner.scan(await files.stream(tenant_id, evidence.sha256))
            state, found = (INFECTED, verdict.found) if verdict.found else (CLEAN, None)
        return NoteScan(tenant_id=tenant_id, sha256=evidence.sha256, state=state, found=found)

    async def close_claim(deadline: Deadline) -> None:
        async with running.db.transaction(deadline.tenant_id) as tx:
            # Before the deadline, as those do who move it: nobody waits for each other.
            cover, filed = await usecases.lock_claim(
                tx, deadline.subject, tenant_id=deadline.tenant_id
            )
            if await take(tx, deadline):
                await usecases.close_claim(tx, rules, cover, filed, now=deadline.due_at)

    async def say_appeal_is_overdue(deadline: Deadline) -> None:
        tenant_id = deadline.tenant_id
        async with running.db.transaction(tenant_id) as tx:
            appeal = await store.get_appeal(tx, deadline.subject, tenant_id=tenant_id)
            _, filed = await usecases.lock_claim(tx, appeal.claim_id, tenant_id=tenant_id)
            if await take(tx, deadline):
                await usecases.say_appeal_is_overdue(tx, filed, appeal, now=deadline.due_at)

    return {
        usecases.LOOK_AGAIN: look_again_at_claim,
        usecases.REMIND_CLAIMANT: remind_claimant,
        usecases.NOTE_OVERDUE: note_overdue,
        usecases.NOTICE_SILENCE: notice_silence,
        usecases.ATTACH_TRACKING: attach_tracking,
        usecases.SCAN_EVIDENCE: scan_evidence,
        usecases.FORGET_EVIDENCE: forget_evidence,
        usecases.FORGET_CLAIMS_FILES: forget_claims_files,
        usecases.SEND_PAYOUT: send_payout,
        usecases.LAPSE_VOUCHER: lapse_voucher,
        usecases.APPEAL_OVERDUE: say_appeal_is_overdue,
        usecases.CLOSE_CLAIM: close_claim,
    }
