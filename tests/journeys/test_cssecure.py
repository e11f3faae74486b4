"""One late parcel's whole way: what everybody hears of it, its early twin, and a crash in the middle."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest_asyncio

from deploy.local.shop import Json, Shop, yuan
from deploy.local.stack import Stack
from deploy.local.steps import Steps
from deploy.local.stories import Ending, asked, bought, cssecure_delay
from libs.common.bus import subscribe
from libs.common.events import Envelope, decode
from tests.journeys.conftest import ShopOf

SHANGHAI = ZoneInfo("Asia/Shanghai")
TOPICS = ("quotes", "policies", "claims", "notifications")
READING_SECONDS = 30

SUBMITTED = datetime(2024, 1, 1, 9, tzinfo=SHANGHAI)
SHIPPED = datetime(2024, 1, 4, 9, tzinfo=SHANGHAI)
DAY_50 = datetime(2024, 2, 20, 12, tzinfo=SHANGHAI)
DAY_61 = datetime(2024, 3, 2, tzinfo=SHANGHAI)

# What the two services say of the parcel, each in this order.
OF_POLICY = [
    "PolicyIssued", "PaymentReceived", "PolicyPaid", "PolicyActivated",
    # Shipped, scanned once, delivered.
    "TrackingUpdated", "TrackingUpdated", "TrackingUpdated",
]  # fmt: skip
OF_CLAIM = ["ClaimFiled", "ClaimDecided", "PayoutSent", "PayoutSettled"]
PAID_BOOKS = {"cash": -7_000, "claims": 7_000}


async def heard(stack: Stack, tenant_id: str) -> list[Envelope]:
    """Every event of the tenant on the bus, as a dashboard that was never here before reads it."""
    events: list[Envelope] = []
    async with (
        asyncio.timeout(READING_SECONDS),
        subscribe(stack.bootstrap, f"journey-{uuid4().hex}", TOPICS) as subscription,
    ):
        while True:
            batch = await subscription.take(5_000)
            envelopes = [decode(message.value) for message in batch]
            events += [e for e in envelopes if e.tenantid == tenant_id]
            if not batch and await subscription.is_drained():
                return events


def names(events: Sequence[Envelope], source: str, key: str) -> list[str]:
    """The types of one producer's events about one thing, as they came."""
    return [e.type.split(".")[2] for e in events if (e.source, e.partitionkey) == (source, key)]


async def balances(stack: Stack, schema: str, policy_id: str) -> dict[str, int]:
    """Minor units by account for the policy; each of its transfers sums to zero."""
    connection = await asyncpg.connect(stack.postgres.admin_url)
    try:
        rows = await connection.fetch(
            f"""
            SELECT t.transfer_id, e.account, e.amount_minor FROM {schema}.ledger_transfers t
            JOIN {schema}.ledger_entries e USING (transfer_id) WHERE t.policy_id = $1
            """,
            policy_id,
        )
    finally:
        await connection.close()
    transfers, accounts = defaultdict[str, int](int), defaultdict[str, int](int)
    for row in rows:
        transfers[row["transfer_id"]] += row["amount_minor"]
        accounts[row["account"]] += row["amount_minor"]
    assert not any(transfers.values())
    return {account: minor for account, minor in accounts.items() if minor}


def subjects(shop: Shop) -> list[str]:
    return [str(mail["subject"]) for mail in shop.stack.mailbox.mails(shop.email)]


async def shown(shop: Shop, claim: Json) -> Json:
    return await shop.get("claims", f"/v1/claims/{claim['claim_id']}")


# --- what everybody hears --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    shop: Shop
    ending: Ending
    events: list[Envelope]


@pytest_asyncio.fixture(scope="module")
async def told(stack: Stack) -> AsyncIterator[Told]:
    """The story of the late parcel, told once, and all that was heard of it."""
    shop = Shop(stack, "cssbuy", uuid4().hex[:10], Steps.quiet())
    ending = await cssecure_delay(shop)
    yield Told(shop=shop, ending=ending, events=await heard(stack, shop.tenant_id))
    await shop.close()


async def test_the_late_parcel_is_paid_a_fifth_of_its_freight(told: Told) -> None:
    assert (told.ending.outcome, told.ending.payout) == ("APPROVED", "70.00")

    claim = await told.shop.get("claims", f"/v1/claims/{told.ending.claim_id}")
    assert claim["state"] == "PAID"
    (payout,) = claim["payouts"]
    assert (payout["state"], payout["amount"]["amount_minor"]) == ("CONFIRMED", 7_000)


def test_the_customer_is_told_each_thing_once_and_in_order(told: Told) -> None:
    assert subjects(told.shop) == [
        "Your parcel is insured (order CSS-1001)",
        "We received your claim: delay (order CSS-1001)",
        "Your claim for delay: approved (order CSS-1001)",
        "¥70.00 is on its way to you (order CSS-1001)",
    ]


def test_each_event_is_heard_once(told: Told) -> None:
    ids = [event.id for event in told.events]

    assert len(set(ids)) == len(ids)


def test_each_producer_counts_the_events_of_a_key_without_a_gap(told: Told) -> None:
    counted: dict[tuple[str, str], list[int]] = defaultdict(list)
    for event in told.events:
        counted[event.source, event.partitionkey].append(int(event.sequence))

    for sequences in counted.values():
        assert sequences == list(range(1, len(sequences) + 1))


def test_the_parcels_events_come_in_the_order_of_their_causes(told: Told) -> None:
    policy_id = told.ending.policy_id

    assert names(told.events, "/policy", policy_id) == OF_POLICY
    assert names(told.events, "/claims", policy_id) == OF_CLAIM
    notices = names(told.events, "/notifier", policy_id)
    assert notices == ["NotificationSent"] * len(subjects(told.shop))


def test_business_time_never_runs_back_along_the_parcels_way(told: Told) -> None:
    chain = [
        event.time
        for source in ("/quote", "/policy", "/claims")
        for event in told.events
        if event.source == source and event.partitionkey != told.shop.tenant_id
    ]

    assert chain == sorted(chain)
    assert chain[0] == SUBMITTED


async def test_the_books_of_the_parcel_sum_to_zero(told: Told, stack: Stack) -> None:
    policy_id = told.ending.policy_id

    assert await balances(stack, "policy", policy_id) == {"cash": 3_600, "premium": -3_600}
    assert await balances(stack, "claims", policy_id) == PAID_BOOKS


# --- its twins -------------------------------------------------------------------------------


async def a_paid_policy(shop: Shop) -> Json:
    await shop.at(SUBMITTED)
    quote = await shop.quote(
        asked(
            "cssecure",
            item_class="shoes",
            value=yuan("850.00"),
            shipping_fee=yuan("350.00"),
            insured_value=yuan("1200.00"),
            order={"order_ref": "CSS-1", "submitted_at": SUBMITTED.isoformat()},
        )
    )
    return await bought(shop, quote)


async def a_parcel_on_its_way(shop: Shop) -> Json:
    policy = await a_paid_policy(shop)
    await shop.at(SHIPPED)
    return await shop.dispatch(policy, "EZ1000000001CN")


async def test_a_claim_too_early_is_decided_by_itself_on_day_61_and_paid(
    shop_of: ShopOf, stack: Stack
) -> None:
    shop = shop_of("cssbuy")
    policy = await a_parcel_on_its_way(shop)
    await shop.at(DAY_50)
    claim = await shop.claim(policy, "DELAY")
    decision = claim["decision"]
    assert (claim["state"], decision["eligible_on"]) == ("DEFERRED", "2024-03-02")

    # Nobody files anything any more: time alone passes, three days at once.
    await shop.at(datetime(2024, 3, 4, 12, tzinfo=SHANGHAI))

    claim = await shown(shop, claim)
    decision = claim["decision"]
    assert (decision["outcome"], decision["payout"]["amount_minor"]) == ("APPROVED", 7_000)
    assert datetime.fromisoformat(decision["decided_at"]) == DAY_61
    assert claim["state"] == "PAYING"
    claim = await shop.settle_payout(claim["claim_id"])
    assert claim["state"] == "PAID"
    events = await heard(stack, shop.tenant_id)
    assert names(events, "/claims", policy["policy_id"]) == [
        "ClaimFiled", "ClaimDecided", "ClaimDecided", "PayoutSent", "PayoutSettled",
    ]  # fmt: skip
    assert await balances(stack, "claims", policy["policy_id"]) == PAID_BOOKS


async def test_killed_in_the_middle_the_claims_service_misses_nothing_and_pays_once(
    shop_of: ShopOf, stack: Stack
) -> None:
    """One parcel is between payment and claim when it dies, the other between decision and money."""
    paid_for, decided = shop_of("cssbuy"), shop_of("cssbuy")
    policy = await a_paid_policy(paid_for)
    late = await a_parcel_on_its_way(decided)
    await decided.at(DAY_61)
    early_claim = await decided.claim(late, "DELAY")

    await stack.services["claims"].kill()
    # The parcel doesn't wait: it is shipped while nobody hears of it.
    policy = await paid_for.dispatch(policy, "EZ1000000002CN")
    await stack.services["claims"].run()

    delivered = datetime(2024, 3, 2, 15, tzinfo=SHANGHAI)
    await paid_for.at(delivered)
    await paid_for.scan(policy, "delivered", delivered)
    await paid_for.later(hours=2)
    claim = await paid_for.claim(policy, "DELAY")
    for shop, sold, filed in ((paid_for, policy, claim), (decided, late, early_claim)):
        ended = await shop.settle_payout(filed["claim_id"])
        assert (ended["state"], len(ended["payouts"])) == ("PAID", 1)
        # A crash may send an event twice; it is the same event, and its effect is one.
        events = await heard(stack, shop.tenant_id)
        once = list({event.id: event for event in events}.values())
        assert names(once, "/claims", sold["policy_id"]) == OF_CLAIM
        assert await balances(stack, "claims", sold["policy_id"]) == PAID_BOOKS
