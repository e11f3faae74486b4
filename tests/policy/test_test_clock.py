"""A sandbox's test clock: one, forward only, and `ready` once every service is there."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from libs.common import testclock
from libs.common.db import Database
from libs.common.ids import new_id
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import OTHER_TENANT, TENANT, Json, at, names, relayed, said
from tests.policy.conftest import Serve, SetClock, Shop, answered, refused, shape_of

SERVICES = ("quote", "policy", "claims", "notifier")


def to(now: str) -> Json:
    return {"now": now}


async def a_clock(shop: Shop, now: str = "2024-01-01T01:00:00Z") -> Json:
    return answered(await shop.post("/v1/test-clocks", to(now)), 201)


async def advance(shop: Shop, clock: Json, now: str) -> httpx.Response:
    return await shop.post(f"/v1/test-clocks/{clock['clock_id']}/advance", to(now))


async def test_a_sandboxs_business_time_is_its_clocks(shop: Shop, set_clock: SetClock) -> None:
    clock = await a_clock(shop)
    assert (clock["tenant_id"], clock["now"]) == (TENANT, "2024-01-01T01:00:00Z")
    await set_clock("2024-01-01T01:00:00", services=("quote",))

    policy = await shop.a_policy()
    assert policy["bound_at"] == "2024-01-01T01:00:00Z"
    answered(await advance(shop, clock, "2024-01-02T02:00:00+08:00"), 200)

    assert answered(await shop.pay(policy), 201)["paid_at"] == "2024-01-01T18:00:00Z"


async def test_says_where_the_clock_went_and_when(shop: Shop, db: Database) -> None:
    clock = await a_clock(shop)
    await advance(shop, clock, "2024-03-01T00:00:00Z")

    told = await said(db)
    assert names(told) == ["TestClockMoved", "TestClockMoved"]
    assert [(e.partitionkey, int(e.sequence)) for e in told] == [(TENANT, 1), (TENANT, 2)]
    assert [msgspec.json.decode(e.data) for e in told] == [
        {"clock_id": clock["clock_id"], "now": now}
        for now in ("2024-01-01T01:00:00Z", "2024-03-01T00:00:00Z")
    ]
    # Business time follows at once: the move itself is told at the instant it leads to.
    assert [e.time for e in told] == [at("2024-01-01T01:00"), at("2024-03-01T00:00")]


async def test_only_a_sandbox_has_one(shop_of: Callable[..., Shop], db: Database) -> None:
    response = await shop_of(tenant="cssbuy").post(
        "/v1/test-clocks", to("2024-01-01T00:00:00Z")
    )

    refused(response, 422, "not-a-sandbox")
    assert await said(db) == []


async def test_a_sandbox_has_one(shop: Shop, db: Database) -> None:
    await a_clock(shop)

    second = await shop.post("/v1/test-clocks", to("2025-01-01T00:00:00Z"))

    refused(second, 409, "already-has-clock")
    assert len(await said(db)) == 1


async def test_the_clocks_of_two_sandboxes_are_apart(
    shop: Shop, shop_of: Callable[..., Shop]
) -> None:
    other = shop_of(tenant=OTHER_TENANT)
    mine, theirs = await a_clock(shop), await a_clock(other, "2020-01-01T00:00:00Z")

    unknown = {"clock_id": new_id("clk")}
    later = "2024-02-01T00:00:00Z"
    problems = [
        refused(await advance(shop, clock, later), 404, "unknown-clock")
        for clock in (unknown, theirs)
    ]

    assert shape_of(problems[0], unknown["clock_id"]) == shape_of(
        problems[1], theirs["clock_id"]
    )
    answered(await advance(shop, mine, later), 200)


@pytest.mark.parametrize("now", ["2024-01-01T01:00:00Z", "2024-01-01T00:59:59.999999Z"])
async def test_a_clock_only_goes_forward(shop: Shop, db: Database, now: str) -> None:
    clock = await a_clock(shop)

    refused(await advance(shop, clock, now), 422, "clock-goes-back")

    assert len(await said(db)) == 1


@pytest.mark.parametrize("now", ["2024-01-01T01:00:00", "tomorrow", "9999-01-01T00:00:00Z", 1])
async def test_a_clock_shows_an_instant_of_a_parcels_time(shop: Shop, now: object) -> None:
    refused(await shop.post("/v1/test-clocks", {"now": now}), 422, "invalid-request")


async def test_advancing_twice_with_one_key_advances_once(shop: Shop, db: Database) -> None:
    clock = await a_clock(shop)
    path = f"/v1/test-clocks/{clock['clock_id']}/advance"
    body = to("2024-02-01T00:00:00Z")

    answers = await asyncio.gather(
        *(shop.post(path, body, **{"idempotency-key": "key-1"}) for _ in range(10))
    )

    assert Counter(r.status_code for r in answers).keys() <= {200, 409}
    assert names(await said(db)) == ["TestClockMoved", "TestClockMoved"]


# --- ready -----------------------------------------------------------------------------------


@pytest.fixture
async def clocked(app_of: AppOf, serve: Serve, quote_url: str, token: Token) -> Shop:
    """A shop whose policy service reaches three others by HTTP."""
    urls = {"quote_url": quote_url}
    for service in ("claims", "notifier"):
        client: Any = await app_of(service)
        urls[f"{service}_url"] = await serve(client.app)
    policies = await app_of("policy", **urls)
    return Shop(plan="cssecure", tenant=TENANT, quotes=policies, policies=policies, token=token)


async def seen(shop: Shop, clock: Json) -> tuple[str, list[str]]:
    shown = answered(await shop.get(f"/v1/test-clocks/{clock['clock_id']}"), 200)
    return shown["state"], sorted(one["service"] for one in shown["waiting_for"])


async def hears(db: Database, clock: Json) -> None:
    heard = testclock.TestClock(
        clock_id=clock["clock_id"], tenant_id=TENANT, now=at(clock["now"].rstrip("Z"))
    )
    async with db.transaction(TENANT) as tx:
        await testclock.follow(tx, heard)


async def test_is_ready_once_every_service_has_heard_and_nothing_is_left_to_do(
    clocked: Shop, db_of: DbOf
) -> None:
    clock = await a_clock(clocked)
    policy_db = await db_of("policy")
    assert await seen(clocked, clock) == ("advancing", sorted(SERVICES))

    await relayed(policy_db)
    assert await seen(clocked, clock) == ("advancing", ["claims", "notifier", "quote"])

    for service in ("quote", "claims", "notifier"):
        await hears(await db_of(service), clock)
    assert await seen(clocked, clock) == ("ready", [])


async def test_is_not_ready_while_a_deadline_is_due(clocked: Shop, db_of: DbOf) -> None:
    clock = await a_clock(clocked)
    await relayed(await db_of("policy"))
    for service in ("quote", "claims", "notifier"):
        await hears(await db_of(service), clock)

    async def set_deadline(due_at: str) -> None:
        async with (await db_of("claims")).transaction(TENANT) as tx:
            await tx.execute(
                "INSERT INTO deadlines VALUES ($1, 'look_again_at_claim', $2, $3)",
                TENANT,
                f"clm_{due_at}",
                at(due_at),
            )

    await set_deadline("2024-01-01T01:00:00.000001")
    assert await seen(clocked, clock) == ("ready", [])
    await set_deadline("2024-01-01T01:00:00")
    assert await seen(clocked, clock) == ("advancing", ["claims"])


async def test_a_service_that_is_away_is_said_to_be(shop: Shop) -> None:
    clock = await a_clock(shop)

    response = await shop.get(f"/v1/test-clocks/{clock['clock_id']}")

    refused(response, 503, "temporarily-unavailable")


async def test_of_twenty_making_a_clock_at_once_one_does(shop: Shop, db: Database) -> None:
    answers = await asyncio.gather(
        *(shop.post("/v1/test-clocks", to("2024-01-01T01:00:00Z")) for _ in range(20))
    )

    assert Counter(r.status_code for r in answers) == {201: 1, 409: 19}
    assert len(await said(db)) == 1
