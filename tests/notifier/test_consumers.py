"""What events make the notifier owe: once, to the right customer, and nothing of what is internal."""

from datetime import date, timedelta
from typing import Any

import pytest

from libs.common import deadletter, testclock
from libs.common.consumer import deliver
from services.claims.events import Reason
from services.notifier.consumers import HANDLERS
from services.notifier.domain.notices import (
    ClaimAnswered,
    ClaimEligible,
    ClaimInReview,
    CoverBegan,
    NoticeClosed,
    ParcelInterrupted,
)
from tests.notifier.builders import (
    CLAIM,
    CONSUMER,
    NOW,
    OTHER,
    POLICY,
    TENANT,
    Bus,
    claim_decided,
    claim_filed,
    claim_notice_closed,
    claim_notified,
    clock_moved,
    myr,
    of_claim,
    payout_sent,
    policy_activated,
    policy_cancelled,
    policy_paid,
)

TOMORROW = NOW + timedelta(days=1)


async def test_tells_of_a_cover_that_begins_with_its_payment(bus: Bus) -> None:
    await bus.say(policy_paid())

    [owed] = await bus.owed()
    assert owed.notice.letter == CoverBegan(
        insured_value=myr("1000"), premium=myr("38"), cover_start=NOW
    )
    assert (owed.state, owed.channel, owed.recipient) == ("PENDING", "mail", "customer")
    assert owed.notice.policy_id == POLICY
    assert await bus.deadlines() == [owed.notification_id]


async def test_tells_of_a_cover_that_begins_later_when_it_begins(bus: Bus) -> None:
    await bus.say(policy_paid(state="SCHEDULED", cover_start=TOMORROW))
    assert await bus.owed() == []

    await bus.say(policy_activated(cover_start=TOMORROW))

    [owed] = await bus.owed()
    assert owed.notice.letter == CoverBegan(
        insured_value=myr("1000"), premium=myr("38"), cover_start=TOMORROW
    )


async def test_tells_of_a_cover_once_though_two_events_say_it(bus: Bus) -> None:
    await bus.say(policy_paid(), policy_activated())
    await bus.say(policy_activated())

    assert await bus.templates() == ["policy.active"]
    assert len(await bus.deadlines()) == 1


async def test_an_activation_nobody_paid_for_is_parked_not_told(bus: Bus) -> None:
    await deliver(bus.db, CONSUMER, HANDLERS, [bus.message(policy_activated())])

    [letter] = await deadletter.list_letters(bus.db)
    assert letter.parking.cause == "unknown-policy"
    assert await bus.owed() == []


async def test_a_policys_events_are_told_as_they_come(bus: Bus) -> None:
    await bus.say(
        policy_paid(), policy_cancelled(), claim_filed(), claim_decided(), payout_sent()
    )

    assert await bus.templates() == [
        "policy.active",
        "policy.cancelled",
        "claim.received",
        "claim.decided",
        "payout.sent",
    ]
    assert [owed.notice.claim_id for owed in await bus.owed()] == [
        None,
        None,
        CLAIM,
        CLAIM,
        CLAIM,
    ]


@pytest.mark.parametrize(
    "repeats", ["in one batch", "in two batches", "under another event id"]
)
async def test_an_event_that_comes_again_is_one_obligation(bus: Bus, repeats: str) -> None:
    events = [policy_paid(), policy_cancelled(), claim_filed(), claim_decided(), payout_sent()]
    messages = [bus.message(event) for event in events]

    match repeats:
        case "in one batch":
            await bus.hand_over(*messages, *messages)
        case "in two batches":
            await bus.hand_over(*messages)
            await bus.hand_over(*messages)
        case _:
            await bus.hand_over(*messages)
            await bus.say(*events)

    assert len(await bus.owed()) == 5
    assert len(await bus.deadlines()) == 5


async def test_an_obligation_and_its_deadline_share_the_fate_of_the_inbox(bus: Bus) -> None:
    """The second of the batch cannot be handled: redone singly, the first still is owed once."""
    bad = bus.message(claim_decided(outcome="MAYBE", claim_id="clm_2", policy_id="pol_2"))

    await deliver(bus.db, CONSUMER, HANDLERS, [bus.message(claim_filed()), bad])

    assert await bus.templates() == ["claim.received"]
    assert len(await bus.deadlines()) == 1
    [letter] = await deadletter.list_letters(bus.db)
    assert letter.parking.cause == "unknown-outcome"


async def test_of_proposals_only_that_somebody_looks_at_it_is_told_and_once(bus: Bus) -> None:
    denied: dict[str, Any] = {"outcome": "DENIED", "reasons": (Reason(code="LATE_NOTICE"),)}
    await bus.say(
        claim_decided(decision_id="dec_1", is_settled=False, **denied),
        claim_decided(decision_id="dec_2", is_settled=False),
        claim_decided(decision_id="dec_3", is_settled=False, outcome="REFERRED"),
        claim_decided(decision_id="dec_4", is_settled=True, outcome="REFERRED"),
    )

    [owed] = await bus.owed()
    assert owed.notice.letter == ClaimInReview(peril="LOSS")


async def test_says_whose_answer_a_claim_waits_for(bus: Bus) -> None:
    awaited = (Reason(code="AWAITING_INSURER"),)
    await bus.say(claim_decided(outcome="REFERRED", reasons=awaited))

    [owed] = await bus.owed()
    assert owed.notice.letter == ClaimInReview(peril="LOSS", awaits="AWAITING_INSURER")


async def test_what_names_a_day_is_told_before_anybody_settles_it(bus: Bus) -> None:
    day = date(2026, 3, 20)
    await bus.say(claim_decided(is_settled=False, outcome="DEFERRED", eligible_on=day))

    [owed] = await bus.owed()
    assert isinstance(owed.notice.letter, ClaimAnswered)
    assert owed.notice.letter.eligible_on == day


async def test_missing_papers_are_one_letter_that_of_the_request(bus: Bus) -> None:
    missing = ("police_report",)
    await bus.say(
        claim_decided(is_settled=False, outcome="INFO_REQUIRED", missing=missing),
        claim_decided(is_settled=True, outcome="INFO_REQUIRED", missing=missing),
        of_claim("EvidenceRequested", missing=missing),
    )

    assert await bus.templates() == ["claim.info_required"]


async def test_a_decision_that_says_what_was_told_last_is_no_news(bus: Bus) -> None:
    held = {"outcome": "ON_HOLD", "reasons": (Reason(code="FREIGHT_UNPAID"),)}
    less = {"outcome": "DEFERRED"}

    await bus.say(
        claim_decided(decision_id="dec_1", **held),
        claim_decided(decision_id="dec_2", **held),
        claim_decided(decision_id="dec_3", **less),
        claim_decided(decision_id="dec_4", **held),
        claim_decided(decision_id="dec_5", claim_id="clm_2", **held),
    )

    told = [owed.notice.occasion for owed in await bus.owed()]
    assert told == ["dec_1", "dec_3", "dec_4", "dec_5"]


async def test_a_first_notice_is_told_by_what_suggested_it(bus: Bus) -> None:
    needed = {"missing": ("police_report",), "eligible_on": date(2026, 3, 20)}
    await bus.say(
        claim_notified(**needed),
        claim_notified(claim_id="clm_2", cause="silence", closes_at=TOMORROW),
    )

    said, silent = [owed.notice.letter for owed in await bus.owed()]
    assert said == ClaimEligible(
        peril="LOSS", cause="lost", seen_at=NOW, notified_at=NOW, **needed
    )
    assert silent == ParcelInterrupted(
        peril="LOSS", cause="silence", seen_at=NOW, notified_at=NOW, closes_at=TOMORROW
    )


async def test_a_first_notice_and_its_end_are_told_once_each(bus: Bus) -> None:
    await bus.say(claim_notified(), claim_notice_closed())
    await bus.say(claim_notified(), claim_notice_closed())

    assert await bus.templates() == ["claim.eligible", "claim.notice_closed"]
    [_, over] = await bus.owed()
    assert over.notice.letter == NoticeClosed(peril="LOSS", reason="DELIVERED", closed_at=NOW)
    assert over.notice.claim_id == CLAIM


async def test_a_first_notice_that_is_taken_up_is_told_as_any_claim(bus: Bus) -> None:
    await bus.say(claim_notified(cause="silence"), claim_filed(), claim_decided())

    assert await bus.templates() == ["parcel.interrupted", "claim.received", "claim.decided"]


async def test_two_tenants_with_the_same_ids_are_told_apart(bus: Bus) -> None:
    await bus.say(policy_paid(), claim_filed())
    await bus.say(policy_paid(), claim_filed(), tenant_id=OTHER)

    assert await bus.templates(TENANT) == ["policy.active", "claim.received"]
    assert await bus.templates(OTHER) == ["policy.active", "claim.received"]


async def test_a_claim_on_no_policy_is_owed_under_its_own_id(bus: Bus) -> None:
    await bus.say(claim_filed(policy_id=""))

    [owed] = await bus.owed()
    assert owed.notice.policy_id is None
    assert owed.key == CLAIM


async def test_follows_a_sandboxs_test_clock(bus: Bus) -> None:
    await bus.say(clock_moved(TOMORROW))

    assert await testclock.business_now(bus.db, TENANT) == TOMORROW


async def test_consuming_says_nothing_by_itself(bus: Bus) -> None:
    await bus.say(policy_paid())

    async with bus.db.transaction(TENANT) as tx:
        assert (
            await tx.fetchval("SELECT count(*) FROM outbox WHERE tenant_id = $1", TENANT) == 0
        )
