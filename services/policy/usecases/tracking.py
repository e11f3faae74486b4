"""What carriers posted becomes one history per parcel: read in batches, matched, moved."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from libs.common import telemetry
from libs.common.db import Tx
from libs.common.plans.book import PlanBook
from services.policy import store
from services.policy.domain.parcels import Bearer, owner
from services.policy.store import NoticeReading, ReceivedScan, Tally
from services.policy.store.tracking_notices import Waiting
from services.policy.tracking import (
    PROVIDERS,
    Code,
    NeutralScan,
    Reading,
    StatusMap,
    Unreadable,
    neutral,
)
from services.policy.usecases.parcels import record_scans

READ_TRACKING: Final = "read_tracking"
# Of a tenant's notices in one transaction: more would hold its policies for longer than a second.
NOTICES_AT_ONCE = 500
MAX_DETAIL = 500
MAX_CODE = 128

_Bearers = Mapping[str, Sequence[Bearer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A notice with its meaning; `detail` says why it has none."""

    notice: Waiting
    reading: Reading
    scans: tuple[NeutralScan, ...] = ()
    detail: str = ""

    @property
    def unknown(self) -> frozenset[Code]:
        return frozenset(code for scan in self.scans for code in scan.unknown)


async def read_notices(
    tx: Tx,
    plans: PlanBook,
    codes: StatusMap,
    *,
    tenant_id: str,
    now: datetime,
    at: datetime,
    place: int | None = None,
) -> int:
    """Read the tenant's oldest notices that wait, and move the policies of their parcels; how many.

    `place`: that one of the queue alone. `at` is real time. A notice whose parcel is nobody's waits
    for a policy that has its number.
    """
    waiting = await store.take_waiting_notices(
        tx, tenant_id=tenant_id, limit=NOTICES_AT_ONCE, place=place
    )
    if not waiting:
        return 0
    read = [_read(notice, codes) for notice in waiting]
    numbers = {scan.number for one in read for scan in one.scans}
    bearers = await store.list_bearers(tx, numbers, tenant_id=tenant_id)
    matched = _matched(read, bearers, now)
    if matched.scans:
        await record_scans(
            tx, plans, list(matched.scans.values()), tenant_id=tenant_id, now=now
        )
    readings = [_kept(one, matched.counts[one.notice.notice_id]) for one in read]
    await store.save_readings(tx, readings, tenant_id=tenant_id, at=at)
    await _keep_unmatched(tx, matched, bearers, tenant_id=tenant_id)
    # Last what all readers write to, so that they wait for each other as shortly as can be, and
    # always in one order.
    await _count(tx, read, readings, tenant_id=tenant_id, at=at)
    return len(waiting)


async def give_up_notice(tx: Tx, place: int, why: str, *, tenant_id: str, at: datetime) -> None:
    """A notice that cannot be worked by our own fault stands aside, to be read again."""
    taken = await store.take_waiting_notices(tx, tenant_id=tenant_id, limit=1, place=place)
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


def _read(notice: Waiting, codes: StatusMap) -> _Read:
    provider = PROVIDERS.get(notice.provider)
    if provider is None:
        return _Read(
            notice=notice, reading=Reading(), detail="The provider is no longer known."
        )
    try:
        reading = provider.read(notice.body)
    except Unreadable as wrong:
        return _Read(
            notice=notice, reading=Reading(), detail=str(wrong) or "It has no meaning."
        )
    scans = tuple(neutral(scan, provider, codes) for scan in reading.scans)
    return _Read(notice=notice, reading=reading, scans=scans)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matched:
    """Scans by policy and key, the number of each notice's, and (number, notice) that are nobody's."""

    scans: dict[tuple[str, str], ReceivedScan]
    counts: Counter[str]
    nobodys: set[tuple[str, str]]


def _matched(read: Iterable[_Read], bearers: _Bearers, now: datetime) -> _Matched:
    found = _Matched(scans={}, counts=Counter(), nobodys=set())
    for one in read:
        for scan in one.scans:
            policy_id = owner(
                bearers.get(scan.number, ()), scan.carrier, scan.occurred_at or now
            )
            if policy_id is None:
                found.nobodys.add((scan.number, one.notice.notice_id))
                continue
            found.counts[one.notice.notice_id] += 1
            key = (policy_id, scan.key)
            known = found.scans.get(key)
            # Most bodies tell all scans so far: one that is told twice is written once.
            if known is None or (scan.is_withdrawn and not known.is_withdrawn):
                found.scans[key] = _received(policy_id, scan, one.notice)
    return found


def _received(policy_id: str, scan: NeutralScan, notice: Waiting) -> ReceivedScan:
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
        may_replace=notice.is_again or scan.is_withdrawn,
    )


async def _count(
    tx: Tx,
    read: Sequence[_Read],
    readings: Sequence[NoticeReading],
    *,
    tenant_id: str,
    at: datetime,
) -> None:
    for one, reading in zip(read, readings, strict=True):
        lag = (at - one.notice.received_at).total_seconds()
        telemetry.count_tracking_read(
            reading.provider, reading.state, None if one.notice.is_again else lag
        )
    if unknown := _unknown_codes(read):
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


def _kept(one: _Read, matched: int) -> NoticeReading:
    return NoticeReading(
        notice_id=one.notice.notice_id,
        provider=one.notice.provider,
        state="UNREADABLE" if one.detail else "READ",
        message_id=_text(one.reading.message_id, MAX_CODE),
        kind=_text(one.reading.kind, MAX_CODE),
        detail=_text(one.detail, MAX_DETAIL),
        scans=len(one.scans),
        matched=matched,
        unknown=sum(bool(scan.unknown) for scan in one.scans),
    )


def _unknown_codes(
    read: Sequence[_Read],
) -> dict[tuple[str, str, str], tuple[int, str]]:
    """By (provider, kind, code): in how many notices, and one of them."""
    found: dict[tuple[str, str, str], tuple[int, str]] = {}
    for one in read:
        for code in one.unknown:
            key = (one.notice.provider, code.kind, _text(code.code, MAX_CODE))
            count, _ = found.get(key, (0, ""))
            found[key] = (count + 1, one.notice.notice_id)
    return found


async def _keep_unmatched(
    tx: Tx, matched: _Matched, bearers: _Bearers, *, tenant_id: str
) -> None:
    """What is nobody's is read again when a policy takes its number, and that may be just now.

    After the policies, as whoever names a parcel holds its policy first and the number then.
    """
    if not matched.nobodys:
        return
    numbers = {number for number, _ in matched.nobodys}
    await store.lock_numbers(tx, numbers, tenant_id=tenant_id)
    await store.insert_unmatched(tx, matched.nobodys, tenant_id=tenant_id)
    after = await store.list_bearers(tx, numbers, tenant_id=tenant_id)
    taken = [number for number in numbers if _ids(after, number) != _ids(bearers, number)]
    if taken:
        await store.read_again_for_parcels(tx, taken, tenant_id=tenant_id)


def _ids(bearers: _Bearers, number: str) -> set[str]:
    return {bearer.policy_id for bearer in bearers.get(number, ())}


def _text(text: str, length: int) -> str:
    """What a text column takes of it."""
    return text.encode("utf-8", "replace").decode().replace("\x00", " ")[:length]
