"""What carriers posted becomes one history per parcel: read in batches, matched, moved."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import structlog

from libs.common import telemetry
from libs.common.db import Tx
from libs.common.plans.book import PlanBook
from services.policy import store
from services.policy.domain.parcels import Bearer, owner
from services.policy.store import NoticeReading, ReceivedScan, Tally
from services.policy.store.tracking_notices import Waiting
from services.policy.tracking import (
    PROVIDERS,
    CarrierScan,
    Code,
    NeutralScan,
    Reading,
    StatusMap,
    Unreadable,
    carrier_of,
    key_of,
    neutral,
    number_of,
    unknown_in,
)
from services.policy.usecases.parcels import History, hold_histories, record_news

READ_TRACKING: Final = "read_tracking"
# Of a tenant's notices in one transaction: more would hold its policies for longer than a second.
NOTICES_AT_ONCE = 500
MAX_DETAIL = 500
MAX_CODE = 128

_log = structlog.get_logger()

_Bearers = Mapping[str, Sequence[Bearer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadNotice:
    """A notice with its scans in its provider's words; `detail` says why it has none."""

    notice: Waiting
    reading: Reading
    state: str = "READ"
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class _Found:
    """What a portion of notices comes to.

    `owned` are scans with their policies, `nobodys` (number, notice) that have none; by notice how
    many of its scans are owned, and the codes in them that no map has.
    """

    owned: list[tuple[str, ReadNotice, CarrierScan]] = field(default_factory=list)
    nobodys: set[tuple[str, str]] = field(default_factory=set)
    matched: Counter[str] = field(default_factory=Counter)
    unknown: defaultdict[str, list[Code]] = field(default_factory=lambda: defaultdict(list))


async def next_notices(tx: Tx, *, tenant_id: str, behind: int = 0) -> list[ReadNotice]:
    """The tenant's oldest notices that wait behind that place of the queue, read; none where none do."""
    waiting = await store.list_waiting_notices(
        tx, tenant_id=tenant_id, behind=behind, limit=NOTICES_AT_ONCE
    )
    return [_read(notice) for notice in waiting]


async def work_notices(
    tx: Tx,
    plans: PlanBook,
    codes: StatusMap,
    notices: Sequence[ReadNotice],
    *,
    tenant_id: str,
    now: datetime,
    at: datetime,
) -> None:
    """Put what the notices say into their parcels' histories, and move the policies.

    `at` is real time. A notice whose parcel is nobody's waits for a policy that has its number.
    """
    taken = await store.take_waiting_notices(
        tx, [one.notice for one in notices], tenant_id=tenant_id
    )
    still = {notice.notice_id for notice in taken}
    read = [one for one in notices if one.notice.notice_id in still]
    numbers = {number_of(scan) for one in read for scan in one.reading.scans}
    bearers = await store.list_bearers(tx, numbers, tenant_id=tenant_id)
    found = _found(read, bearers, codes, now)
    if found.owned:
        ids = {policy_id for policy_id, _, _ in found.owned}
        held = await hold_histories(tx, ids, tenant_id=tenant_id)
        scans = _received(found, held.history, codes)
        await record_news(tx, plans, held, scans, tenant_id=tenant_id, now=now)
    readings = [_kept(one, found) for one in read]
    await store.save_readings(tx, readings, tenant_id=tenant_id, at=at)
    await _keep_unmatched(tx, found.nobodys, bearers, tenant_id=tenant_id)
    await _count(tx, read, readings, found, tenant_id=tenant_id, at=at)


async def give_up_notice(
    tx: Tx, read: ReadNotice, why: str, *, tenant_id: str, at: datetime
) -> None:
    """A notice that cannot be worked by our own fault stands aside, to be read again."""
    taken = await store.take_waiting_notices(tx, [read.notice], tenant_id=tenant_id)
    failed = [
        NoticeReading(
            notice_id=notice.notice_id,
            provider=notice.provider,
            state="FAILED",
            detail=_text(why, MAX_DETAIL),
        )
        for notice in taken
    ]
    await store.save_readings(tx, failed, tenant_id=tenant_id, at=at)


def _read(notice: Waiting) -> ReadNotice:
    provider = PROVIDERS.get(notice.provider)
    if provider is None:
        return _without_meaning(notice, "UNREADABLE", "The provider is no longer known.")
    try:
        return ReadNotice(notice=notice, reading=provider.read(notice.body))
    except Unreadable as wrong:
        return _without_meaning(notice, "UNREADABLE", str(wrong) or "It has no meaning.")
    except Exception as failure:  # noqa: BLE001  a reader's bug takes no neighbour with it
        _log.error("tracking_not_read", notice=notice.notice_id, exc_info=failure)
        return _without_meaning(notice, "FAILED", repr(failure))


def _without_meaning(notice: Waiting, state: str, detail: str) -> ReadNotice:
    return ReadNotice(notice=notice, reading=Reading(), state=state, detail=detail)


def _found(
    read: Iterable[ReadNotice], bearers: _Bearers, codes: StatusMap, now: datetime
) -> _Found:
    found = _Found()
    for one in read:
        notice_id, provider = one.notice.notice_id, one.notice.provider
        for scan in one.reading.scans:
            number = number_of(scan)
            policy_id = owner(
                bearers.get(number, ()),
                carrier_of(provider, scan.carrier),
                scan.happened.at or now,
            )
            if policy_id is None:
                found.nobodys.add((number, notice_id))
                meaning = codes.meaning(provider, scan.status, scan.sub)
                found.unknown[notice_id] += unknown_in(meaning)
            else:
                found.matched[notice_id] += 1
                found.owned.append((policy_id, one, scan))
    return found


def _received(found: _Found, history: History, codes: StatusMap) -> list[ReceivedScan]:
    """Of the owned scans those that may be news: most bodies tell all scans so far, over and over."""
    received: dict[tuple[str, str], ReceivedScan] = {}
    for policy_id, one, scan in found.owned:
        provider = PROVIDERS[one.notice.provider]
        key = (policy_id, key_of(scan, provider.name))
        may_replace = one.notice.is_again or scan.is_withdrawn
        if not may_replace and (key in received or key[1] in history.get(policy_id, ())):
            continue
        told = neutral(scan, provider, codes)
        found.unknown[one.notice.notice_id] += told.unknown
        # What is taken back is so, whatever else is told of it.
        if key not in received or told.is_withdrawn:
            received[key] = _as_received(policy_id, told, one.notice, may_replace=may_replace)
    return list(received.values())


def _as_received(
    policy_id: str, scan: NeutralScan, notice: Waiting, *, may_replace: bool
) -> ReceivedScan:
    return ReceivedScan(
        policy_id=policy_id,
        scan_id=scan.key,
        status=scan.status,
        reason=scan.reason,
        occurred_at=scan.occurred_at,
        location=scan.location,
        description=scan.description,
        provider=notice.provider,
        notice_id=notice.notice_id,
        code=scan.code,
        time_raw=scan.time_raw,
        is_zoned=scan.is_zoned,
        is_trusted=scan.is_trusted,
        is_withdrawn=scan.is_withdrawn,
        may_replace=may_replace,
    )


async def _count(
    tx: Tx,
    read: Sequence[ReadNotice],
    readings: Sequence[NoticeReading],
    found: _Found,
    *,
    tenant_id: str,
    at: datetime,
) -> None:
    for one, reading in zip(read, readings, strict=True):
        lag = (at - one.notice.received_at).total_seconds()
        telemetry.count_tracking_read(
            reading.provider, reading.state, None if one.notice.is_again else lag
        )
    if unknown := _unknown_codes(read, found):
        await store.add_unknown_codes(tx, unknown, tenant_id=tenant_id, at=at)
    if tallies := _tallies([one.notice for one in read if not one.notice.is_again], tenant_id):
        await store.count_tracking(tx, tallies)


def _tallies(new: Iterable[Waiting], tenant_id: str) -> list[Tally]:
    received: dict[tuple[str, date], list[datetime]] = {}
    for notice in new:
        key = (notice.provider, notice.received_at.date())
        received.setdefault(key, []).append(notice.received_at)
    return [
        Tally(
            tenant_id=tenant_id,
            provider=provider,
            day=day,
            received=len(times),
            last_received_at=max(times),
        )
        for (provider, day), times in received.items()
    ]


def _kept(one: ReadNotice, found: _Found) -> NoticeReading:
    notice_id = one.notice.notice_id
    return NoticeReading(
        notice_id=notice_id,
        provider=one.notice.provider,
        state=one.state,
        message_id=_text(one.reading.message_id, MAX_CODE),
        kind=_text(one.reading.kind, MAX_CODE),
        detail=_text(one.detail, MAX_DETAIL),
        scans=len(one.reading.scans),
        matched=found.matched[notice_id],
        unknown=len(set(found.unknown.get(notice_id, ()))),
    )


def _unknown_codes(
    read: Iterable[ReadNotice], found: _Found
) -> dict[tuple[str, str, str], tuple[int, str]]:
    """By (provider, kind, code): in how many notices, and one of them."""
    seen: dict[tuple[str, str, str], tuple[int, str]] = {}
    for one in read:
        for code in set(found.unknown.get(one.notice.notice_id, ())):
            key = (one.notice.provider, code.kind, code.code)
            count, _ = seen.get(key, (0, ""))
            seen[key] = (count + 1, one.notice.notice_id)
    return seen


async def _keep_unmatched(
    tx: Tx, nobodys: Set[tuple[str, str]], bearers: _Bearers, *, tenant_id: str
) -> None:
    """What is nobody's is read again when a policy takes its number, and that may be just now.

    After the policies, as whoever names a parcel holds its policy first and the number then.
    """
    if not nobodys:
        return
    numbers = {number for number, _ in nobodys}
    await store.lock_numbers(tx, numbers, tenant_id=tenant_id)
    await store.insert_unmatched(tx, nobodys, tenant_id=tenant_id)
    after = await store.list_bearers(tx, numbers, tenant_id=tenant_id)
    taken = [number for number in numbers if _ids(after, number) != _ids(bearers, number)]
    if taken:
        await store.read_again_for_parcels(tx, taken, tenant_id=tenant_id)


def _ids(bearers: _Bearers, number: str) -> set[str]:
    return {bearer.policy_id for bearer in bearers.get(number, ())}


def _text(text: str, length: int) -> str:
    """What a text column takes of it."""
    return text.encode("utf-8", "replace").decode().replace("\x00", " ")[:length]
