"""Where a policy's parcel is, and what that means for its cover: dispatch, acceptance, scans."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from libs.common.carriers import may_be_one_carrier
from libs.common.errors import Conflict
from libs.common.plans.values import Plan
from services.policy.domain.policies import ENDED, Policy, Tracking, cover_facts, covered
from services.policy.domain.terms import effective


class NotDispatchable(Conflict):
    code = "policy-not-dispatchable"
    title = "The policy's state does not allow dispatch"


def dispatch(policy: Policy, plan: Plan, at: datetime, now: datetime) -> Policy:
    """The parcel left: `at` is the ship-out. A second dispatch changes nothing."""
    if policy.tracking.dispatched_at is not None:
        return policy
    if policy.state in ENDED:
        raise NotDispatchable(f"Policy {policy.policy_id} is {policy.state}.")
    return covered(
        replace(
            policy,
            tracking=replace(policy.tracking, dispatched_at=at, reported_dispatched_at=at),
        ),
        plan,
        now,
    )


def accept(policy: Policy, plan: Plan, at: datetime, now: datetime) -> Policy:
    """The processing centre took the parcel in (TK-08). Again changes nothing."""
    if policy.tracking.accepted_at is not None:
        return policy
    if policy.state in ENDED:
        raise NotDispatchable(f"Policy {policy.policy_id} is {policy.state}.")
    return covered(
        replace(policy, tracking=replace(policy.tracking, accepted_at=at)), plan, now
    )


# No parcel is insured when it has been on its way for longer: an older scan is another parcel's.
LONGEST_ON_ITS_WAY = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """A policy that has a tracking number, or had it."""

    policy_id: str
    carrier: str
    bound_at: datetime
    is_ended: bool


def owner(bearers: Iterable[Bearer], carrier: str, at: datetime) -> str | None:
    """Whose scan it is, of those whose number it names; None: nobody's.

    Numbers are used again, so a scan is of the newest policy that was bound by then. One from before
    them all is the first one's, unless it is older than any parcel that is still to be insured.
    A policy that ended before its time has its parcel's scans only where no other has.
    """
    possible = [
        bearer
        for bearer in bearers
        if bearer.bound_at - LONGEST_ON_ITS_WAY <= at
        and may_be_one_carrier(bearer.carrier, carrier)
    ]
    if not possible:
        return None
    return min(possible, key=lambda bearer: _nearness(bearer, at)).policy_id


def _nearness(bearer: Bearer, at: datetime) -> tuple[bool, bool, timedelta, str]:
    apart = at - bearer.bound_at
    return bearer.is_ended, apart < timedelta(), abs(apart), bearer.policy_id


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What a carrier says happened, in neutral words (status and reason).

    `is_trusted`: the sender's proof covers what it says, so that money may follow from it.
    """

    scan_id: str
    status: str
    occurred_at: datetime
    reason: str = "none"
    is_trusted: bool = True


STATUSES = frozenset(
    {
        "unknown", "pre_transit", "in_transit", "out_for_delivery", "available_for_pickup",
        "delivery_attempted", "delivered", "exception", "customs_hold", "damaged", "lost",
        "destroyed", "seized", "returning", "returned", "cancelled", "expired",
    }
)  # fmt: skip

REASONS = frozenset(
    {
        "none", "delayed", "weather", "missorted", "address", "refused", "no_access",
        "recipient_absent", "business_closed", "moved", "contact_needed", "rescheduled", "held",
        "payment_due", "customs_docs", "customs_duty", "customs_rejected", "prohibited", "security",
        "pickup_missed", "unclaimed", "undeliverable", "rejected_by_carrier", "damaged", "lost",
        "destroyed", "cancelled", "no_movement", "invalid_number", "carrier_error", "item_missing",
        "info", "other",
    }
)  # fmt: skip

# The carrier does not have the parcel yet, or nothing is known: no movement.
_NOT_MOVING = frozenset({"unknown", "pre_transit", "cancelled", "expired"})
# A parcel that was lost and is on its way again, or arrives, is found.
_FOUND = ("in_transit", "out_for_delivery", "available_for_pickup", "delivered", "returned")
# A parcel's way; whatever goes wrong on it comes after.
_ORDER = {
    status: place
    for place, status in enumerate(
        (
            "unknown", "pre_transit", "in_transit", "customs_hold", "out_for_delivery",
            "delivery_attempted", "available_for_pickup", "delivered", "returning", "returned",
        )
    )
}  # fmt: skip


def track(policy: Policy, plan: Plan, scans: Iterable[Scan], now: datetime) -> Policy:
    """The policy with its parcel's position computed from the whole set of scans.

    Order of arrival and repeats do not matter. The first movement stands for the ship-out where
    nobody reported it. A delivery ends the cover: RUN_OFF.
    """
    position = locate(scans, policy.tracking)
    if position == policy.tracking and policy.state != "SCHEDULED":
        return policy
    moved = covered(replace(policy, tracking=position), plan, now)
    if moved.state not in ("ACTIVE", "RUN_OFF"):
        return moved
    # From the whole set again: an earlier first movement may have been told later.
    starts_at = effective(plan, cover_facts(moved, now))
    state = "ACTIVE" if position.delivered_at is None else "RUN_OFF"
    if (starts_at, state) == (moved.cover_start, moved.state):
        return moved
    return replace(moved, cover_start=starts_at, state=state)


def happened_at(
    occurred_at: datetime | None, received_at: datetime, *, is_zoned: bool
) -> datetime:
    """When something happened, as far as is known: by the time it was told where no time was.

    A time without its zone may be hours off; what was told has happened.
    """
    if occurred_at is None:
        return received_at
    return occurred_at if is_zoned else min(occurred_at, received_at)


def locate(scans: Iterable[Scan], known: Tracking) -> Tracking:
    """The parcel's position: by when things happened, never by when they were told."""
    ordered = sorted(scans, key=when)
    if not ordered:
        return known
    moves = [scan for scan in ordered if scan.status not in _NOT_MOVING]
    # What says nothing leaves the parcel where it was.
    last = next((scan for scan in reversed(ordered) if scan.status != "unknown"), ordered[-1])
    # A loss is confirmed by a proven word alone; that it moves again takes any word.
    proven = [scan for scan in moves if scan.is_trusted or scan.status != "lost"]
    return Tracking(
        status=last.status,
        reason=last.reason,
        accepted_at=known.accepted_at,
        reported_dispatched_at=known.reported_dispatched_at,
        dispatched_at=_earlier(
            known.reported_dispatched_at, moves[0].occurred_at if moves else None
        ),
        last_update_at=moves[-1].occurred_at if moves else None,
        delivered_at=_standing(moves, "delivered", undone_by=("returning", "returned")),
        returned_at=_standing(moves, "returned", undone_by=()),
        loss_confirmed_at=_standing(proven, "lost", undone_by=_FOUND),
        lost_at=_standing(moves, "lost", undone_by=_FOUND),
        damaged_at=_standing(moves, "damaged", undone_by=()),
        destroyed_at=_standing(moves, "destroyed", undone_by=()),
        seized_at=_standing(moves, "seized", undone_by=()),
    )


def locate_at(scans: Iterable[Scan], known: Tracking, at: datetime) -> Tracking:
    """The position at an instant: what is dated later does not count yet."""
    return locate((scan for scan in scans if scan.occurred_at <= at), known)


def when(scan: Scan) -> tuple[datetime, int, str]:
    """Of what happened at one time, what comes later on any parcel's way is later."""
    return scan.occurred_at, _ORDER.get(scan.status, len(_ORDER)), scan.scan_id


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _standing(moves: list[Scan], status: str, *, undone_by: tuple[str, ...]) -> datetime | None:
    """When the status was first reached, unless a later scan undid it."""
    since: datetime | None = None
    for scan in moves:
        if scan.status == status:
            since = since or scan.occurred_at
        elif scan.status in undone_by:
            since = None
    return since
