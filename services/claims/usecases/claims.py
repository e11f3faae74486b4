"""Filing claims; keeping copies of covers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.db import Tx
from libs.common.errors import Conflict
from libs.common.ids import new_id
from services.claims import store
from services.claims.domain import filing
from services.claims.domain.cases import Claim, Cover, Statement
from services.claims.events import ClaimFiled
from services.claims.store import Beside, Evidence, FiledClaim, Policy
from services.claims.usecases.announcing import announce
from services.claims.usecases.deciding import decide, decide_uninsured
from services.claims.usecases.evidence import evidence_added, with_evidence
from services.claims.usecases.rules import Rules
from services.claims.usecases.tracking_evidence import await_tracking


class CoverOfAnother(Conflict):
    code = "cover-of-another-tenant"
    title = "The event's tenant is not the policy's"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileClaim:
    """`policy_id` None: no policy of the tenant has this parcel."""

    tenant_id: str
    policy_id: str | None
    statement: Statement
    filed_by: str
    evidence_ids: tuple[str, ...] = ()


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
    return await enter(tx, rules, cover, filed, command.evidence_ids, now=now)


async def enter(
    tx: Tx,
    rules: Rules,
    cover: Cover | None,
    filed: FiledClaim,
    evidence_ids: Sequence[str],
    *,
    moved: Sequence[Evidence] = (),
    now: datetime,
) -> FiledClaim:
    """A claim that is in the books: its papers, what is said of it, its first decision."""
    filed, taken = await with_evidence(tx, filed, evidence_ids)
    papers = [*moved, *taken]
    added = evidence_added(filed, papers)
    await announce(tx, filed, _claim_filed(filed, papers), *added, now=now)
    if cover is None:
        return await decide_uninsured(tx, rules, filed, now=now)
    await await_tracking(tx, rules, cover, filed, now=now)
    return await decide(tx, rules, cover, filed, now=now, beside=Beside())


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
