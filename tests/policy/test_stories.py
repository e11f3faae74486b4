"""Magic tracking numbers: what stories they tell, and how a sandbox's carrier plays them."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.clock import system_now
from libs.common.db import Database
from libs.common.deadlines import Deadline, set_deadline, take
from libs.common.progress_api import progress_of
from services.policy import usecases
from services.policy.domain.parcels import REASONS, STATUSES, Scan, locate
from services.policy.domain.policies import Tracking
from services.policy.domain.stories import MAX_SPEED, STORIES, Happening, Play, play_of
from services.policy.usecases import PLAY
from tests.conftest import AppOf
from tests.policy.builders import BOUND_AT, TENANT, Json, at
from tests.policy.conftest import SetClock, Shop, answered
from tests.policy.posting import read_waiting
from tests.policy.serving import fire_due
from tests.policy.test_batches import Seller, a_line, ndjson

LONG_AFTER = BOUND_AT + timedelta(days=365)
IN_SUMMER = "2024-06-01T00:00:00"

every_story = pytest.mark.parametrize("name", STORIES)


# --- numbers ---------------------------------------------------------------------------------


def played(number: str) -> Play:
    play = play_of(number, BOUND_AT)
    assert play is not None
    return play


@every_story
def test_a_story_has_its_numbers(name: str) -> None:
    plain = [f"SBX-{name}", f"SBX-{name}-1", f"SBX-{name}-my.order_7"]
    fast = [f"SBX-{name}-X60", f"SBX-{name}-1-X60", f"SBX-{name}-X1-X60"]

    assert {(played(n).story.name, played(n).speed) for n in plain} == {(name, 1)}
    assert {(played(n).story.name, played(n).speed) for n in fast} == {(name, 60)}


@pytest.mark.parametrize(
    "number",
    [
        "", "EZ1000000001CN", "SBX", "SBX-", "SBX-LOS", "SBX-LOST-", "SBX-LOST1", "sbx-lost-1",
        "SBX-NOTHING-1", "XSBX-LOST-1",
    ],
)  # fmt: skip
def test_any_other_number_is_only_a_number(number: str) -> None:
    assert play_of(number, BOUND_AT) is None


@pytest.mark.parametrize("speed", ["0", "00", str(MAX_SPEED + 1), "9" * 40])
def test_a_speed_out_of_bounds_is_no_story(speed: str) -> None:
    assert play_of(f"SBX-LOST-1-X{speed}", BOUND_AT) is None
    assert play_of(f"SBX-LOST-1-X{MAX_SPEED}", BOUND_AT) is not None


# --- stories ---------------------------------------------------------------------------------


def scans_of(play: Play, happenings: Iterable[Happening]) -> list[Scan]:
    return [
        Scan(
            scan_id=one.description,
            status=one.status,
            reason=one.reason,
            occurred_at=play.at(one.after),
        )
        for one in happenings
    ]


def told(play: Play, now: datetime = LONG_AFTER) -> list[Happening]:
    return [one for telling in play.told_by(now) for one in telling.happenings]


def position(play: Play, now: datetime = LONG_AFTER) -> Tracking:
    return locate(scans_of(play, told(play, now)), Tracking())


# What stands at the end, besides the status.
ENDS = {
    "DELIVERED": ("delivered", {"delivered_at"}),
    "LATE": ("delivered", {"delivered_at"}),
    "LOST": ("lost", {"lost_at", "loss_confirmed_at"}),
    "FOUND": ("delivered", {"delivered_at"}),
    "DAMAGED": ("delivered", {"delivered_at", "damaged_at"}),
    "DESTROYED": ("destroyed", {"damaged_at", "destroyed_at"}),
    "SEIZED": ("seized", {"seized_at"}),
    "RETURNED": ("returned", {"returned_at"}),
    "SENTBACK": ("returned", {"returned_at"}),
    "STUCK": ("in_transit", set()),
    "DISORDER": ("delivered", {"delivered_at"}),
    "REPEATED": ("delivered", {"delivered_at"}),
}


@every_story
def test_a_story_ends_as_it_promises(name: str) -> None:
    status, stands = ENDS[name]
    ends = ("delivered", "returned", "loss_confirmed", "lost", "damaged", "destroyed", "seized")

    at_last = position(played(f"SBX-{name}"))

    assert at_last.status == status
    assert {f"{end}_at" for end in ends if getattr(at_last, f"{end}_at")} == stands
    assert at_last.dispatched_at == BOUND_AT + timedelta(days=1)


@every_story
def test_a_story_is_told_in_our_words_and_never_ahead_of_time(name: str) -> None:
    for telling in STORIES[name].tellings:
        for one in telling.happenings:
            assert one.status in STATUSES
            assert one.reason in REASONS
            assert timedelta() <= one.after < telling.after


@given(name=st.sampled_from(sorted(STORIES)), speed=st.integers(1, MAX_SPEED))
def test_any_speed_keeps_the_order_and_the_end(name: str, speed: int) -> None:
    slow, fast = played(f"SBX-{name}"), played(f"SBX-{name}-X{speed}")

    moments = [fast.begins_at]
    while (next_at := fast.next_after(moments[-1])) is not None:
        moments.append(next_at)

    assert moments == sorted(set(moments))
    assert [fast.at(telling.after) for telling in fast.story.tellings] == moments
    assert all(
        fast.at(one.after) <= fast.at(telling.after)
        for telling in fast.story.tellings
        for one in telling.happenings
    )
    # By and by, and all at once.
    for moment, telling in zip(moments, slow.story.tellings, strict=True):
        so_far = position(fast, moment), position(slow, slow.at(telling.after))
        assert so_far[0].status == so_far[1].status


def test_the_late_one_is_late_for_every_programme() -> None:
    delivered_at = position(played("SBX-LATE")).delivered_at

    assert delivered_at is not None
    assert delivered_at - BOUND_AT > timedelta(days=60)


def test_the_stuck_one_is_not_heard_of_after_its_first_days() -> None:
    last = position(played("SBX-STUCK")).last_update_at

    assert last == BOUND_AT + timedelta(days=3)


def test_the_found_one_was_lost_for_a_while() -> None:
    play = played("SBX-FOUND")

    assert position(play, BOUND_AT + timedelta(days=31)).status == "lost"


def test_disorder_and_repeats_tell_of_the_same_parcel_as_order_does() -> None:
    usual = told(played("SBX-DELIVERED"))
    disorder, repeated = told(played("SBX-DISORDER")), told(played("SBX-REPEATED"))

    assert sorted(disorder, key=lambda one: one.after) == usual
    assert disorder != usual
    assert disorder[-1].after < usual[-1].after
    assert dict.fromkeys(repeated).keys() == dict.fromkeys(usual).keys()
    assert len(repeated) > 3 * len(usual)


# --- in a sandbox ----------------------------------------------------------------------------


@pytest.fixture
async def sandbox(shop: Shop, set_clock: SetClock) -> Shop:
    """On 1 January."""
    await set_clock("2024-01-01T01:00:00")
    return shop


async def play(shop: Shop) -> None:
    """Let the carrier tell what is due by the sandbox's clock, and read it."""
    await fire_due(shop.policies, IN_SUMMER)
    await read_waiting(shop.policies)


async def notices(shop: Shop) -> list[Json]:
    items: list[Json] = answered(await shop.get("/v1/tracking-notices?limit=200"), 200)["items"]
    return items


async def awaited(db: Database) -> list[Deadline]:
    async with db.worker() as connection:
        rows = await connection.fetch(
            "SELECT tenant_id, kind, subject, due_at FROM deadlines WHERE kind = $1", PLAY
        )
    return [Deadline(**dict(row)) for row in rows]


async def test_a_sandboxs_carrier_loses_the_parcel_in_its_own_time(
    sandbox: Shop, set_clock: SetClock
) -> None:
    policy = await sandbox.a_paid_policy(carrier="usps", tracking_number="SBX-LOST-1")

    seen = []
    for day in ("2024-01-01T01:00", "2024-01-02T02:00", "2024-01-30T00:00", "2024-02-10T00:00"):
        await set_clock(day)
        await play(sandbox)
        seen.append((await sandbox.show(policy))["tracking"])

    assert [one["status"] for one in seen] == ["unknown", "in_transit", "exception", "lost"]
    assert seen[1]["dispatched_at"] == "2024-01-02T01:00:00Z"
    assert seen[3]["loss_confirmed_at"] == "2024-01-31T01:00:00Z"
    kept = await notices(sandbox)
    assert len(kept) == 5
    assert {
        (n["state"], n["provider"], n["scans"], n["matched"], n["unknown"]) for n in kept
    } == {("READ", "neutral", 1, 1, 0)}


async def test_every_story_is_played_to_its_end_at_once(
    sandbox: Shop, set_clock: SetClock, db: Database
) -> None:
    policies = {
        name: await sandbox.a_paid_policy(carrier="usps", tracking_number=f"SBX-{name}-1")
        for name in STORIES
    }

    await set_clock(IN_SUMMER)
    await play(sandbox)

    for name, policy in policies.items():
        tracking, at_last = (
            (await sandbox.show(policy))["tracking"],
            position(played(f"SBX-{name}")),
        )
        assert (tracking["status"], tracking["reason"]) == (at_last.status, at_last.reason)
        assert await scans(db, policy) == scans_told(f"SBX-{name}")
    assert await awaited(db) == []


ScanRow = tuple[str, str, datetime]


async def scans(db: Database, policy: Json) -> list[ScanRow]:
    async with db.transaction(TENANT) as tx:
        rows = await tx.fetch(
            "SELECT status, reason, occurred_at FROM scans "
            "WHERE tenant_id = $1 AND policy_id = $2 ORDER BY 1, 2, 3",
            TENANT,
            policy["policy_id"],
        )
    return [tuple(row) for row in rows]


def scans_told(number: str, now: datetime = LONG_AFTER) -> list[ScanRow]:
    """Each once, however often it is told."""
    play = played(number)
    return sorted({(one.status, one.reason, play.at(one.after)) for one in told(play, now)})


async def test_what_is_told_again_after_a_crash_is_known(
    sandbox: Shop, set_clock: SetClock, db: Database
) -> None:
    policy = await sandbox.a_paid_policy(carrier="usps", tracking_number="SBX-REPEATED-1")
    await set_clock("2024-01-05T00:00:00")
    [first] = await awaited(db)

    # One that dies before its commit has done nothing; one whose deadline comes again, no more.
    with pytest.raises(ConnectionError):
        async with db.transaction(TENANT) as tx:
            assert await take(tx, first)
            await usecases.play_story(
                tx, first.subject, tenant_id=TENANT, now=first.due_at, at=system_now()
            )
            raise ConnectionError
    assert await notices(sandbox) == []
    await play(sandbox)
    once = await notices(sandbox), await scans(db, policy), await awaited(db)
    async with db.transaction(TENANT) as tx:
        await set_deadline(tx, first)
    await play(sandbox)

    assert (await notices(sandbox), await scans(db, policy), await awaited(db)) == once
    assert once[1] == scans_told("SBX-REPEATED-1", at("2024-01-05T00:00"))


async def test_a_number_that_is_given_late_is_caught_up_with(
    sandbox: Shop, set_clock: SetClock
) -> None:
    policy = await sandbox.a_paid_policy()
    await set_clock("2024-01-20T00:00:00")

    await name_parcel(sandbox, policy, "SBX-SEIZED-1")
    await play(sandbox)

    tracking = (await sandbox.show(policy))["tracking"]
    assert (tracking["status"], tracking["reason"]) == ("seized", "prohibited")
    assert tracking["dispatched_at"] == "2024-01-02T01:00:00Z"


async def name_parcel(shop: Shop, policy: Json, number: str) -> None:
    path = f"/v1/policies/{policy['policy_id']}/parcel"
    body = {"carrier": "usps", "tracking_number": number}
    answered(await shop.policies.put(path, json=body, headers=shop.token(shop.tenant)), 200)


@pytest.mark.parametrize(
    ("number", "played_on"), [("SBX-DELIVERED-2", True), ("EZ1000000001CN", False)]
)
async def test_another_number_ends_the_story_of_the_one_before(
    sandbox: Shop, set_clock: SetClock, db: Database, number: str, played_on: bool
) -> None:
    policy = await sandbox.a_paid_policy(carrier="usps", tracking_number="SBX-LOST-1")
    await set_clock("2024-01-03T00:00:00")
    await play(sandbox)

    await name_parcel(sandbox, policy, number)
    await set_clock(IN_SUMMER)
    await play(sandbox)

    tracking = (await sandbox.show(policy))["tracking"]
    assert tracking["status"] == ("delivered" if played_on else "in_transit")
    assert await awaited(db) == []


async def test_a_policy_that_ends_ends_its_story(
    sandbox: Shop, set_clock: SetClock, db: Database
) -> None:
    policy = await sandbox.a_paid_policy(carrier="usps", tracking_number="SBX-LOST-1")
    path = f"/v1/policies/{policy['policy_id']}/cancellation"

    answered(await sandbox.post(path, {}), 200)
    await set_clock(IN_SUMMER)
    await play(sandbox)

    assert await notices(sandbox) == []
    assert await awaited(db) == []


async def test_a_number_that_is_used_again_plays_for_the_policy_that_has_it(
    sandbox: Shop, set_clock: SetClock, db: Database
) -> None:
    """Both are bound at one instant, so that the carrier says the very same of both."""
    ended, policy = await sandbox.a_paid_policy(), await sandbox.a_paid_policy()
    await set_clock("2024-01-01T05:00:00")
    await name_parcel(sandbox, ended, "SBX-LOST-1")
    await play(sandbox)
    answered(await sandbox.post(f"/v1/policies/{ended['policy_id']}/cancellation", {}), 200)

    await name_parcel(sandbox, policy, "SBX-LOST-1")
    await set_clock(IN_SUMMER)
    await play(sandbox)

    assert (await sandbox.show(policy))["tracking"]["status"] == "lost"
    assert await scans(db, policy) == scans_told("SBX-LOST-1")
    assert [status for status, _, _ in await scans(db, ended)] == ["pre_transit"]


async def test_a_real_tenants_number_is_only_a_number(
    shop_of: Callable[..., Shop], db: Database
) -> None:
    shop = shop_of(tenant="cssbuy")

    policy = await shop.a_paid_policy(carrier="usps", tracking_number="SBX-LOST-1-X1000000")
    await play(shop)

    assert await awaited(db) == []
    assert await notices(shop) == []
    assert (await shop.show(policy))["tracking"]["status"] == "unknown"


async def test_a_file_of_parcels_has_its_stories(sandbox: Shop, set_clock: SetClock) -> None:
    rows = [
        a_line(name, carrier="usps", tracking_number=f"SBX-{name}-1", payment_reference=name)
        for name in ("DAMAGED", "RETURNED")
    ]
    seller = Seller(client=sandbox.policies, token=sandbox.token)
    answers = await seller.done(ndjson(*rows), "application/x-ndjson")

    await set_clock(IN_SUMMER)
    await play(sandbox)

    shown = [(await sandbox.show(answer))["tracking"] for answer in answers]
    assert [one["status"] for one in shown] == ["delivered", "returned"]
    assert shown[0]["damaged_at"] == "2024-01-08T01:00:00Z"


async def test_a_story_is_not_over_before_all_of_it_is_read(
    sandbox: Shop, set_clock: SetClock
) -> None:
    await sandbox.a_paid_policy(carrier="usps", tracking_number="SBX-DISORDER-1")
    running: Any = sandbox.policies.app.state.running  # type: ignore[attr-defined]
    await set_clock(IN_SUMMER)

    async def left() -> int:
        return (await progress_of(running, TENANT)).due_deadlines

    assert await left() == 1
    await fire_due(sandbox.policies, IN_SUMMER)
    assert await left() == len(STORIES["DISORDER"].tellings)
    await read_waiting(sandbox.policies)
    assert await left() == 0


async def test_without_a_test_clock_a_fast_story_is_played_as_one_looks_on(
    app_of: AppOf, shop: Shop, quote_url: str
) -> None:
    """By the service's own rounds: eight days in less than a second."""
    policies: Any = await app_of("policy", quote_url=quote_url, roles={"api", "deadlines"})
    busy = replace(shop, policies=policies)

    policy = await busy.a_paid_policy(
        carrier="usps", tracking_number="SBX-DELIVERED-1-X1000000"
    )

    async with asyncio.timeout(20):
        while (await busy.show(policy))["tracking"]["status"] != "delivered":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await busy.show(policy))["state"] == "RUN_OFF"
