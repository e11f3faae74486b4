"""In whatever order scans are told, and however often: the parcel is in one place."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.db import Database
from services.policy.domain.parcels import STATUSES, Scan, locate, track
from services.policy.domain.policies import Policy, Tracking
from tests.policy.builders import BOUND_AT, Json, bound, names, plan_of, said
from tests.policy.conftest import SetClock, Shop
from tests.policy.posting import Sender, a_detail, a_tracker_event, read_waiting

NOW = BOUND_AT + timedelta(days=90)
SUBMITTED, LATER = "2024-01-01T01:00:00", "2024-03-10T00:00:00"

# A day in which much happens at once: ties are what an order could break.
_scans = st.lists(
    st.builds(
        Scan,
        scan_id=st.uuids().map(str),
        status=st.sampled_from(sorted(STATUSES)),
        occurred_at=st.integers(0, 12).map(lambda hours: BOUND_AT + timedelta(hours=hours)),
        is_trusted=st.booleans(),
    ),
    max_size=12,
)


def paid(plan: str) -> Policy:
    policy = bound(plan)
    return replace(policy, state="SCHEDULED", paid_at=BOUND_AT, confirmed_at=BOUND_AT)


@pytest.mark.parametrize("plan", ["bml-shipping", "cssecure", "jsx-cargo", "tks-warehouse"])
@settings(max_examples=120, deadline=None)
@given(scans=_scans, seed=st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_scans_is_one_position(
    plan: str, scans: list[Scan], seed: random.Random
) -> None:
    policy = paid(plan)
    told = scans + seed.choices(scans, k=len(scans)) if scans else []
    seed.shuffle(told)

    assert track(policy, plan_of(policy), told, NOW) == track(
        policy, plan_of(policy), scans, NOW
    )


@settings(max_examples=120, deadline=None)
@given(scans=_scans, seed=st.randoms(use_true_random=False))
def test_scans_that_come_one_by_one_end_where_all_at_once_do(
    scans: list[Scan], seed: random.Random
) -> None:
    whole = track(paid("cssecure"), plan_of(paid("cssecure")), scans, NOW)
    told = list(scans)
    seed.shuffle(told)

    policy = paid("cssecure")
    for count in range(1, len(told) + 1):
        policy = track(policy, plan_of(policy), told[:count], NOW)

    assert policy == whole


def a_scan_at(hour: int, status: str, *, is_trusted: bool = True) -> Scan:
    at = BOUND_AT + timedelta(hours=hour)
    return Scan(scan_id=f"{hour}{status}", status=status, occurred_at=at, is_trusted=is_trusted)


def test_a_loss_is_confirmed_by_a_proven_word_alone_and_undone_by_any() -> None:
    unproven = a_scan_at(1, "lost", is_trusted=False)
    proven = a_scan_at(2, "lost")
    found = a_scan_at(3, "in_transit", is_trusted=False)

    told = locate([unproven], Tracking())
    confirmed = locate([unproven, proven], Tracking())
    undone = locate([unproven, proven, found], Tracking())

    assert (told.lost_at, told.loss_confirmed_at) == (unproven.occurred_at, None)
    assert confirmed.loss_confirmed_at == proven.occurred_at
    assert (undone.lost_at, undone.loss_confirmed_at) == (None, None)


# --- through the door ------------------------------------------------------------------------

WAY = [
    a_detail("pre_transit", "2024-01-03T20:00:00Z", "label_created"),
    a_detail("in_transit", "2024-01-04T09:00:00Z", "received_at_origin_facility"),
    a_detail("in_transit", "2024-01-06T09:00:00+08:00", "arrived_at_facility"),
    a_detail("failure", "2024-01-07T03:00:00Z", "damaged"),
    a_detail("out_for_delivery", "2024-01-09T08:00:00Z"),
    a_detail("delivered", "2024-01-09T15:00:00Z"),
    a_detail("return_to_sender", "2024-01-11T10:00:00Z", "return"),
]


def shuffled(number: str, seed: random.Random) -> list[bytes]:
    """Events of some scans each, every scan in one at least, some events twice, in no order."""
    parts = [[scan] for scan in WAY] + [seed.sample(WAY, seed.randint(1, 5)) for _ in range(4)]
    for part in parts:
        seed.shuffle(part)
    bodies = [a_tracker_event(number, *part) for part in parts]
    bodies += seed.choices(bodies, k=4)
    seed.shuffle(bodies)
    return bodies


async def told_of(db: Database, policy: Json) -> list[tuple[str, Json]]:
    """What was said of its parcel, but for which policy it is."""
    events = [
        event
        for event in await said(db, policy["policy_id"])
        if names([event])[0] in ("TrackingUpdated", "PolicyActivated")
    ]
    own = {"policy_id", "tracking_number"}
    return [
        (
            names([event])[0],
            {k: v for k, v in msgspec.json.decode(event.data).items() if k not in own},
        )
        for event in events
    ]


@pytest.fixture
async def parcels(shop: Shop, set_clock: SetClock) -> Sequence[Json]:
    await set_clock(SUBMITTED)
    policies = [
        await shop.a_paid_policy(carrier="usps", tracking_number=f"ORDER{n}") for n in range(16)
    ]
    await set_clock(LATER)
    return policies


async def test_any_order_and_repetition_of_posts_says_the_same_events(
    shop: Shop, db: Database, parcels: Sequence[Json]
) -> None:
    sender = await Sender.opened(shop)
    first, *others = parcels
    await sender.read(a_tracker_event("ORDER0", *WAY))
    expected = await told_of(db, first)
    assert [name for name, _ in expected] == ["PolicyActivated", "TrackingUpdated"]

    for n, policy in enumerate(others, start=1):
        await sender.read(*shuffled(f"ORDER{n}", random.Random(n)))
        assert await told_of(db, policy) == expected, f"seed {n}"


async def test_posts_read_one_by_one_in_any_order_end_alike_and_begin_cover_once(
    shop: Shop, db: Database, parcels: Sequence[Json]
) -> None:
    sender = await Sender.opened(shop)
    first, *others = parcels
    await sender.read(a_tracker_event("ORDER0", *WAY))
    (_, activated), (_, last) = await told_of(db, first)
    end = await shop.show(first)

    for n, policy in enumerate(others[:6], start=1):
        for body in shuffled(f"ORDER{n}", random.Random(n)):
            await sender.post(body)
            await read_waiting(shop.policies)
        events = await told_of(db, policy)
        assert [name for name, _ in events].count("PolicyActivated") == 1
        assert events[-1] == ("TrackingUpdated", last), f"seed {n}"
        shown = await shop.show(policy)
        assert shown["tracking"] == end["tracking"]
        assert (shown["state"], shown["cover_start"]) == (end["state"], end["cover_start"])
    assert activated["state"] == "ACTIVE"
