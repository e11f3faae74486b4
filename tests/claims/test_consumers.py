"""What claims hears: its copies of policies go forward only, and news decides open claims anew."""

from typing import Any

import msgspec
import pytest

from libs.common import deadletter
from libs.common.bus import Inbound
from libs.common.consumer import replay
from libs.common.errors import NotHereYet
from services.claims.consumers import handlers
from services.claims.domain.cases import Tracking
from services.policy.domain.policies import PlanPin
from services.policy.events import PolicyCancelled, PolicyLapsed
from tests.claims.desk import (
    CONSUMER,
    POLICY_ID,
    Desk,
    activated,
    again,
    issued,
    paid,
    told,
    tracked,
    way_of,
)
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import OTHER_TENANT, at, bound, premium_of

OTHER_POLICY = "pol_01JQZX7Y5V0000000000000002"


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> Desk:
    return await Desk.open(app_of, db_of, token)


async def letters(desk: Desk) -> list[tuple[str, str | None]]:
    """Key and cause of what is parked."""
    return [
        (letter.message.key, letter.parking.cause)
        for letter in await deadletter.list_letters(desk.db)
    ]


async def seen(desk: Desk) -> int:
    found: int = (await desk.rows("SELECT count(*) FROM inbox WHERE tenant_id = $1"))[0][0]
    return found


# --- copies ----------------------------------------------------------------------------------


async def test_a_policy_is_followed_from_its_issue_to_its_delivery(desk: Desk) -> None:
    steps = way_of(tracking=tracked(state="RUN_OFF", delivered_at="2024-03-02T07:00"))
    states = []
    for message in steps:
        await desk.hears(message)
        cover = await desk.cover()
        states.append((cover.state, cover.sequence))

    assert states == [("PENDING", 1), ("SCHEDULED", 2), ("ACTIVE", 3), ("RUN_OFF", 4)]
    assert cover.paid_at == at("2024-01-01T02:00")
    assert cover.tracking == Tracking(
        status="in_transit",
        dispatched_at=at("2024-01-04T01:00"),
        last_update_at=at("2024-01-04T01:00"),
        delivered_at=at("2024-03-02T07:00"),
    )


async def test_one_batch_and_one_by_one_lead_to_the_same_copy(desk: Desk) -> None:
    await desk.hears(*way_of())
    together = await desk.cover()
    for message in way_of(OTHER_POLICY):
        await desk.hears(message)
    one_by_one = await desk.cover(OTHER_POLICY)

    assert (together.state, together.tracking, together.sequence) == (
        one_by_one.state,
        one_by_one.tracking,
        one_by_one.sequence,
    )


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (
            PolicyCancelled(
                policy_id=POLICY_ID,
                reason="CUSTOMER_CANCEL",
                refund=premium_of(bound()),
                cancelled_at=at("2024-01-02T00:00"),
            ),
            "CANCELLED",
        ),
        (
            PolicyLapsed(
                policy_id=POLICY_ID,
                state="CANCELLED",
                refund=premium_of(bound()),
                lapsed_at=at("2024-01-02T00:00"),
            ),
            "CANCELLED",
        ),
    ],
    ids=["cancelled", "lapsed"],
)
async def test_a_policys_end_is_kept(desk: Desk, event: Any, state: str) -> None:
    await desk.hears(told(issued(), 1), told(event, 2))

    cover = await desk.cover()
    assert (cover.state, cover.sequence) == (state, 2)


@pytest.mark.parametrize(
    "late",
    [
        told(issued(), 1),
        told(paid(), 2),
        told(activated(), 3),
        told(tracked(state="ACTIVE"), 3),
    ],
    ids=["issued", "paid", "activated", "tracked"],
)
async def test_an_older_event_told_late_changes_nothing(desk: Desk, late: Inbound) -> None:
    delivered = tracked(state="RUN_OFF", delivered_at="2024-03-01T07:00")
    await desk.hears(*way_of(tracking=delivered))
    before = await desk.cover()

    await desk.hears(again(late))

    assert await desk.cover() == before
    assert await letters(desk) == []


async def test_an_older_position_told_late_decides_nothing(desk: Desk) -> None:
    await desk.at("2024-02-20T00:00")
    await desk.hears(*way_of())
    claim = await desk.a_claim()

    await desk.hears(told(tracked(state="RUN_OFF", delivered_at="2024-02-01T00:00"), 3))

    assert (await desk.show(claim))["decision"]["outcome"] == "DEFERRED"
    assert await desk.said() == ["ClaimFiled", "ClaimDecided"]


async def test_events_that_come_again_have_no_second_effect(desk: Desk) -> None:
    await desk.at("2024-02-20T00:00")
    first = way_of()
    await desk.hears(*first)
    await desk.a_claim()
    before, told_before, inbox = await desk.cover(), await desk.said(), await seen(desk)

    await desk.hears(*map(again, first))
    for message in reversed(first):
        await desk.hears(again(message), again(message))

    assert await desk.cover() == before
    assert await desk.said() == told_before
    assert await seen(desk) == inbox
    assert await letters(desk) == []


# --- news decides ----------------------------------------------------------------------------


async def test_a_delivery_decides_a_deferred_claim(desk: Desk) -> None:
    await desk.at("2024-02-20T00:00")
    await desk.hears(*way_of())
    claim = await desk.a_claim()
    assert claim["state"] == "DEFERRED"

    await desk.hears(told(tracked(state="RUN_OFF", delivered_at="2024-02-19T00:00"), 5))

    shown = await desk.show(claim)
    decision = shown["decision"]
    assert (decision["number"], decision["outcome"]) == (2, "DENIED")
    assert decision["reasons"][0]["code"] == "NOT_DELAYED"
    # A denial on merit is a proposal: it waits for a person.
    assert (shown["state"], decision["is_settled"]) == ("REFERRED", False)
    assert await desk.said() == ["ClaimFiled", "ClaimDecided", "ClaimDecided"]
    assert "look_again_at_claim" not in await desk.deadlines()


async def test_of_several_positions_in_a_batch_the_last_decides(desk: Desk) -> None:
    await desk.at("2024-02-20T00:00")
    await desk.hears(*way_of())
    claim = await desk.a_claim()

    await desk.hears(
        told(tracked(state="RUN_OFF", delivered_at="2024-02-19T00:00"), 5),
        told(tracked(state="ACTIVE", returned_at="2024-02-19T01:00"), 6),
    )

    assert (await desk.show(claim))["state"] == "DEFERRED"
    outcomes = await desk.rows("SELECT DISTINCT outcome FROM decisions WHERE tenant_id = $1")
    assert [row["outcome"] for row in outcomes] == ["DEFERRED"]


async def test_news_does_not_open_a_claim_that_is_decided(desk: Desk) -> None:
    await desk.at("2024-03-03T00:00")
    await desk.hears(*way_of())
    claim = await desk.a_claim()
    assert claim["state"] == "APPROVED"

    await desk.hears(told(tracked(state="RUN_OFF", delivered_at="2024-02-19T00:00"), 5))

    assert (await desk.show(claim))["decision"]["number"] == 1


# --- what cannot be ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event", [tracked(), activated()], ids=lambda event: type(event).__name__
)
async def test_an_event_in_another_tenants_name_is_parked(desk: Desk, event: Any) -> None:
    await desk.hears(*way_of())
    before = await desk.cover()

    await desk.hears(told(event, 5, tenant=OTHER_TENANT))

    assert await letters(desk) == [(POLICY_ID, "cover-of-another-tenant")]
    assert await desk.cover() == before


@pytest.mark.parametrize("event", [issued(), paid()], ids=lambda event: type(event).__name__)
async def test_a_policy_sold_in_another_tenants_name_changes_nothing(
    desk: Desk, event: Any
) -> None:
    await desk.hears(*way_of())
    before = await desk.cover()

    await desk.hears(told(event, 5, tenant=OTHER_TENANT))

    assert await desk.cover() == before
    held = await desk.of(OTHER_TENANT).rows("SELECT 1 FROM covers WHERE tenant_id = $1")
    assert held == []


async def test_behind_a_parked_event_its_policys_wait_and_others_go_on(desk: Desk) -> None:
    await desk.hears(*way_of(), *way_of(OTHER_POLICY))

    await desk.hears(told(tracked(), 5, tenant=OTHER_TENANT))
    await desk.hears(
        told(tracked(state="RUN_OFF"), 6),
        told(tracked(OTHER_POLICY, state="RUN_OFF"), 5),
        told(activated(), 7),
    )

    assert await letters(desk) == [
        (POLICY_ID, "cover-of-another-tenant"),
        (POLICY_ID, None),
        (POLICY_ID, None),
    ]
    assert (await desk.cover()).sequence == 4
    assert (await desk.cover(OTHER_POLICY)).state == "RUN_OFF"


async def test_parked_events_are_redone_in_order_once_their_cause_is_gone(desk: Desk) -> None:
    *before, last = way_of()
    await desk.hears(last, told(tracked(state="RUN_OFF"), 5))
    assert await letters(desk) == [(POLICY_ID, "cover-of-another-tenant"), (POLICY_ID, None)]
    async with desk.db.worker() as connection:
        # As an operator who takes a letter out: what it waited for is told first.
        held = await deadletter.of_key(desk.db, CONSUMER, POLICY_ID)
        await connection.execute("DELETE FROM dead_letters")
    await desk.hears(*before)
    for letter in held:
        await deadletter.park(desk.db, CONSUMER, letter.message, letter.parking)

    running = desk.client.app.state.running
    assert await replay(desk.db, CONSUMER, handlers(running), POLICY_ID) == 2

    assert ((await desk.cover()).state, await letters(desk)) == ("RUN_OFF", [])


@pytest.mark.parametrize("event", [issued(), paid()], ids=lambda e: type(e).__name__)
async def test_a_policy_of_a_plan_that_is_not_here_yet_waits_and_nothing_is_parked(
    desk: Desk, event: Any
) -> None:
    pin = PlanPin(plan="cssecure", version=9, sha256="9" * 64)
    of_tomorrow = told(msgspec.structs.replace(event, plan=pin), 1)

    with pytest.raises(NotHereYet, match="9" * 64):
        await desk.hears(told(issued(OTHER_POLICY), 1), of_tomorrow)

    assert await letters(desk) == []
    # The whole batch is taken again later: nothing of it is remembered as seen.
    assert await seen(desk) == 0


async def test_news_that_changes_no_answer_is_not_told(desk: Desk) -> None:
    await desk.at("2024-02-20T00:00")
    await desk.hears(*way_of())
    claim = await desk.a_claim()

    await desk.hears(told(tracked(last_update_at="2024-02-19T00:00"), 5))

    assert (await desk.show(claim))["decision"]["number"] == 1
    assert await desk.said() == ["ClaimFiled", "ClaimDecided"]
    assert (await desk.cover()).sequence == 5


async def test_an_event_in_another_tenants_name_is_parked_in_a_mixed_batch_too(
    desk: Desk,
) -> None:
    await desk.hears(*way_of())

    await desk.hears(told(activated(), 7, tenant=OTHER_TENANT), told(activated(), 5))

    assert (await desk.cover()).sequence == 4
    assert await letters(desk) == [
        (POLICY_ID, "cover-of-another-tenant"),
        (POLICY_ID, None),
    ]


@pytest.mark.parametrize("event", [issued(), paid()], ids=lambda event: type(event).__name__)
async def test_a_policy_sold_in_another_tenants_name_is_parked(desk: Desk, event: Any) -> None:
    await desk.hears(*way_of())

    await desk.hears(told(event, 5, tenant=OTHER_TENANT))

    assert await letters(desk) == [(POLICY_ID, "cover-of-another-tenant")]
