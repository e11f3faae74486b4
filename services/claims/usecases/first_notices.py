"""News of policies and their parcels: copies moved, open claims decided, first notices kept in step."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.common import outbox
from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadlines, set_deadlines
from libs.common.events import Announcement
from libs.common.ids import new_id
from libs.common.plans.values import Plan
from services.claims import store
from services.claims.domain import filing
from services.claims.domain.cases import Claim, Cover, EarlierClaim, Statement
from services.claims.domain.first_notices import FirstNotice, Watched, look, told
from services.claims.events import ClaimEvent, ClaimNoticeClosed, ClaimNotified
from services.claims.store import FiledClaim, Policy
from services.claims.usecases.deciding import decide
from services.claims.usecases.rules import Rules

NOTICE_SILENCE = "notice_silence"
PLATFORM = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveNotice:
    """A claimant's first contact about a peril of the policy, before they file (2.7)."""

    tenant_id: str
    policy_id: str
    peril: str
    told_by: str


async def give_notice(
    tx: Tx, rules: Rules, command: GiveNotice, *, now: datetime
) -> FiledClaim:
    """The notice that waits for its claimant: told now, or known before, which was the first contact.

    One that the platform made is the claimant's from now on: no scan ends it.
    """
    cover = await store.lock_cover(tx, command.policy_id, tenant_id=command.tenant_id)
    known = await store.find_notice(
        tx, cover.policy_id, command.peril, tenant_id=command.tenant_id
    )
    if known is not None:
        theirs = replace(known, filed_by=command.told_by)
        if known.filed_by == PLATFORM:
            await store.save_claim(tx, theirs)
            return theirs
        return known
    plan = rules.plans.pinned(cover.plan_sha256)
    notice = told(plan, Watched(cover=cover), command.peril, now)
    made = _noticed(cover, notice, now=now, by=command.told_by)
    await store.insert_claim(tx, made)
    said = Announcement(
        tenant_id=command.tenant_id,
        key=cover.policy_id,
        event=_claim_notified(made, notice),
    )
    await outbox.append(tx, said, now=now)
    return made


async def move_covers(
    tx: Tx,
    rules: Rules,
    covers: Sequence[Cover],
    moved: Sequence[Cover],
    *,
    now: Mapping[str, datetime],
) -> None:
    """Keep those `moved`, decide their open claims anew, and look at the first notices of all.

    `now` is by tenant. A batch costs a few statements, however many covers it has; only deciding
    an open claim costs more.
    """
    await store.save_moved(tx, moved)
    claims = await store.list_claims_of(tx, [_policy(cover) for cover in covers])
    for cover in moved:
        for filed in claims.get(_policy(cover), ()):
            if filed.state in filing.OPEN_STATES:
                await decide(tx, rules, cover, filed, now=now[cover.tenant_id])
    await _keep_in_step(tx, rules, covers, claims, now=now)


async def notice_silence(tx: Tx, rules: Rules, cover: Cover, *, now: datetime) -> None:
    """The loss opens now if nothing more was heard: the plan is asked again whether it does."""
    claims = await store.list_claims_of(tx, [_policy(cover)])
    await _keep_in_step(tx, rules, [cover], claims, now={cover.tenant_id: now})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What a cover's outlook comes to: rows, and the events that tell them."""

    cover: Cover
    noticed: tuple[FiledClaim, ...]
    closed: tuple[FiledClaim, ...]
    events: tuple[ClaimEvent, ...]
    silent_at: datetime | None


async def _keep_in_step(
    tx: Tx,
    rules: Rules,
    covers: Sequence[Cover],
    claims: Mapping[Policy, Sequence[FiledClaim]],
    *,
    now: Mapping[str, datetime],
) -> None:
    """Make the notices that are suggested, end those that no longer are, watch for silence."""
    earlier = await store.list_earlier_of(tx, list(claims)) if claims else {}
    steps = [
        _step(
            rules.plans.pinned(cover.plan_sha256),
            cover,
            claims.get(_policy(cover), ()),
            earlier.get(_policy(cover), ()),
            now=now[cover.tenant_id],
        )
        for cover in covers
    ]
    await store.insert_claims(tx, [made for step in steps for made in step.noticed])
    await store.close_notices(tx, [over for step in steps for over in step.closed])
    await _announce(tx, steps, now=now)
    await set_deadlines(tx, [due for step in steps if (due := _due(step)) is not None])
    heard = [_policy(step.cover) for step in steps if step.silent_at is None]
    await cancel_deadlines(tx, NOTICE_SILENCE, heard)


def _step(
    plan: Plan,
    cover: Cover,
    known: Sequence[FiledClaim],
    earlier: tuple[EarlierClaim, ...],
    *,
    now: datetime,
) -> _Step:
    waiting = {filed.peril: filed for filed in known if filed.state == filing.NOTIFIED}
    watched = Watched(
        cover=cover,
        waiting={peril: filed.claim for peril, filed in waiting.items()},
        claimed=frozenset(filed.peril for filed in known if filed.is_filed),
        earlier=earlier,
    )
    outlook = look(plan, watched, now)
    made = [(_noticed(cover, notice, now=now), notice) for notice in outlook.notices]
    # What a claimant told is theirs: no scan ends it.
    over = [
        (waiting[peril], why)
        for peril, why in outlook.closed.items()
        if waiting[peril].filed_by == PLATFORM
    ]
    return _Step(
        cover=cover,
        noticed=tuple(filed for filed, _ in made),
        closed=tuple(filed for filed, _ in over),
        events=(
            *(_claim_notified(filed, notice) for filed, notice in made),
            *(_notice_closed(filed, why, now=now) for filed, why in over),
        ),
        silent_at=outlook.silent_at,
    )


async def _announce(tx: Tx, steps: Sequence[_Step], *, now: Mapping[str, datetime]) -> None:
    said: defaultdict[str, list[Announcement]] = defaultdict(list)
    for step in steps:
        tenant_id, policy_id = _policy(step.cover)
        said[tenant_id] += [
            Announcement(tenant_id=tenant_id, key=policy_id, event=event)
            for event in step.events
        ]
    for tenant_id, announcements in said.items():
        await outbox.append(tx, *announcements, now=now[tenant_id])


def _due(step: _Step) -> Deadline | None:
    if step.silent_at is None:
        return None
    tenant_id, policy_id = _policy(step.cover)
    return Deadline(
        tenant_id=tenant_id, kind=NOTICE_SILENCE, subject=policy_id, due_at=step.silent_at
    )


def _noticed(
    cover: Cover, notice: FirstNotice, *, now: datetime, by: str = PLATFORM
) -> FiledClaim:
    statement = Statement(peril=notice.sign.peril)
    return FiledClaim(
        claim=Claim(
            claim_id=new_id("clm"), statement=statement, notified_at=now, filed_at=None
        ),
        tenant_id=cover.tenant_id,
        policy_id=cover.policy_id,
        state=filing.NOTIFIED,
        filed_by=by,
        cause=notice.sign.cause,
    )


def _claim_notified(made: FiledClaim, notice: FirstNotice) -> ClaimNotified:
    return ClaimNotified(
        claim_id=made.claim_id,
        policy_id=made.key,
        peril=made.peril,
        cause=notice.sign.cause,
        seen_at=notice.sign.seen_at,
        notified_at=made.claim.notified_at,
        eligible_on=notice.eligible_on,
        closes_at=notice.closes_at,
        missing=notice.missing,
    )


def _notice_closed(over: FiledClaim, why: str, *, now: datetime) -> ClaimNoticeClosed:
    return ClaimNoticeClosed(
        claim_id=over.claim_id,
        policy_id=over.key,
        peril=over.peril,
        cause=over.cause or "",
        reason=why,
        closed_at=now,
    )


def _policy(cover: Cover) -> Policy:
    return cover.tenant_id, cover.policy_id
