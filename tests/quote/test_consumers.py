"""What the quote service does about policies' events, through the machinery that delivers them."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from libs.common import consumer
from libs.common.bus import Inbound
from libs.common.clock import system_now
from libs.common.db import Database
from libs.common.events import Announcement, encode, with_sequence
from libs.common.money import Money
from libs.common.testclock import business_now
from services.policy import events as policy
from services.policy.domain.policies import PlanPin, Terms
from services.quote.consumers import handlers
from services.quote.store.quotes import Quote, get_quote, insert_quotes
from tests.conftest import AppOf, DbOf, Token
from tests.quote.builders import BOOK, NOW, TENANT, a_quote, a_request, said_of, wire

_offsets = iter(range(1_000_000))


@pytest.fixture
async def db(db_of: DbOf) -> Database:
    return await db_of("quote")


async def a_stored_quote(db: Database, **changes: Any) -> Quote:
    quote = a_quote(**changes)
    async with db.transaction(quote.tenant_id) as tx:
        await insert_quotes(tx, [quote])
    return quote


async def stored(db: Database, quote: Quote) -> Quote:
    async with db.transaction(quote.tenant_id) as tx:
        return await get_quote(tx, quote.quote_id, tenant_id=quote.tenant_id)


def issued(quote: Quote, policy_id: str, *, tenant_id: str = TENANT) -> Announcement:
    nothing = Money(0, "CNY")
    event = policy.PolicyIssued(
        policy_id=policy_id,
        quote_id=quote.quote_id,
        plan=PlanPin(plan="cssecure", version=2, sha256="0" * 64),
        terms=Terms(
            insured_value=nothing,
            goods_value=nothing,
            eligible_goods_value=nothing,
            shipping_fee=nothing,
            premium=nothing,
            rate="0.03",  # type: ignore[arg-type]
        ),
        state="PENDING",
    )
    return Announcement(tenant_id=tenant_id, key=policy_id, event=event)


def message(announcement: Announcement) -> Inbound:
    """The event as the broker would bring it."""
    return Inbound(
        topic="policies",
        partition=0,
        offset=next(_offsets),
        key=announcement.key,
        value=with_sequence(encode(announcement, NOW), 1),
    )


async def deliver(db: Database, *messages: Inbound) -> None:
    running: Any = SimpleNamespace(plans=BOOK)
    await consumer.deliver(db, "quote", handlers(running), messages)


async def test_a_policys_quote_is_bound(db: Database) -> None:
    ours, other = await a_stored_quote(db), await a_stored_quote(db)

    await deliver(db, message(issued(ours, "pol_1")))

    bound = await stored(db, ours)
    assert (bound.state, bound.policy_id) == ("BOUND", "pol_1")
    assert await stored(db, other) == other


async def test_a_repeated_event_changes_nothing(db: Database, admin_url: str) -> None:
    quote = await a_stored_quote(db)
    event = message(issued(quote, "pol_1"))
    told_again = message(issued(quote, "pol_1"))

    await deliver(db, event, event)
    await deliver(db, event, told_again)

    assert (await stored(db, quote)).policy_id == "pol_1"
    assert await dead_letters(admin_url) == []


async def test_a_quote_is_bound_by_one_policy_and_the_second_is_parked(
    db: Database, admin_url: str
) -> None:
    quote, other = await a_stored_quote(db), await a_stored_quote(db)

    await deliver(db, message(issued(quote, "pol_1")), message(issued(other, "pol_3")))
    await deliver(db, message(issued(quote, "pol_2")))

    assert (await stored(db, quote)).policy_id == "pol_1"
    assert (await stored(db, other)).policy_id == "pol_3"
    assert await dead_letters(admin_url) == [("pol_2", "quote-of-another-policy")]


async def test_an_event_of_another_tenant_is_parked_and_binds_nothing(
    db: Database, admin_url: str
) -> None:
    theirs, ours = await a_stored_quote(db), await a_stored_quote(db, tenant_id="sbx-cssbuy-2")

    await deliver(
        db,
        message(issued(theirs, "pol_1", tenant_id="sbx-cssbuy-2")),
        message(issued(ours, "pol_2", tenant_id="sbx-cssbuy-2")),
    )

    assert (await stored(db, theirs)).state == "PRICED"
    assert (await stored(db, ours)).state == "BOUND"
    assert await dead_letters(admin_url) == [("pol_1", "quote-of-another-policy")]


async def test_the_test_clock_is_followed_and_never_back(db: Database) -> None:
    def moved(now: Any) -> Inbound:
        event = policy.TestClockMoved(clock_id="clk_1", now=now)
        return message(Announcement(tenant_id=TENANT, key=TENANT, event=event))

    await deliver(db, moved(NOW + timedelta(days=5)))
    await deliver(db, moved(NOW))

    assert await business_now(db, TENANT) == NOW + timedelta(days=5)


async def test_a_quote_is_expired_after_its_last_instant_in_the_tenants_time(
    db: Database, app_of: AppOf, token: Token
) -> None:
    client, headers = await app_of("quote"), token(TENANT)

    async def at(now: Any) -> None:
        event = policy.TestClockMoved(clock_id="clk_1", now=now)
        await deliver(db, message(Announcement(tenant_id=TENANT, key=TENANT, event=event)))

    async def state() -> tuple[str, str]:
        shown = await client.get(answer.headers["location"], headers=headers)
        listed = await client.get("/v1/quotes", params={"state": "EXPIRED"}, headers=headers)
        return shown.json()["state"], ",".join(q["state"] for q in listed.json()["items"])

    start = system_now() + timedelta(days=400)
    await at(start)
    answer = await client.post("/v1/quotes", json=a_request(), headers=headers)
    await at(start + timedelta(days=7))
    in_time = await state()
    await at(start + timedelta(days=7, microseconds=1))
    late = await state()

    assert answer.json()["created_at"] == start.isoformat().replace("+00:00", "Z")
    assert (in_time, late) == (("PRICED", ""), ("EXPIRED", "EXPIRED"))


@pytest.mark.parametrize(
    "state", ["DRAFT", "UNDER_VERIFICATION", "INFO_REQUIRED", "DECLINED", "INVALID"]
)
async def test_mp_13_only_a_price_runs_out_by_its_validity(db: Database, state: str) -> None:
    bound, other = await a_stored_quote(db), await a_stored_quote(db, state=state)
    await deliver(db, message(issued(bound, "pol_1")))

    later = NOW + timedelta(days=30)
    assert (await stored(db, bound)).state_at(later) == "BOUND"
    assert (await stored(db, other)).state_at(later) == state


async def test_that_a_quote_is_bound_is_said_once(db: Database) -> None:
    quote = await a_stored_quote(db)

    await deliver(db, message(issued(quote, "pol_1")), message(issued(quote, "pol_1")))
    await deliver(db, message(issued(quote, "pol_1")))

    assert await said_of(db, quote.quote_id) == [
        (
            "QuoteBound",
            {"quote_id": quote.quote_id, "policy_id": "pol_1", "bound_at": wire(NOW)},
        )
    ]


async def dead_letters(admin_url: str) -> list[tuple[str, str]]:
    connection = await asyncpg.connect(admin_url)
    try:
        rows = await connection.fetch("SELECT key, cause FROM quote.dead_letters ORDER BY id")
    finally:
        await connection.close()
    return [(row["key"], row["cause"]) for row in rows]
