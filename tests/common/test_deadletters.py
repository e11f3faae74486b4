"""Dead letters through the claims service: with their cause, replayed in order, one tenant's only."""

from datetime import UTC, datetime

from libs.common import deadletter
from libs.common.bus import Inbound
from libs.common.consumer import Consumer, deliver
from libs.common.db import Database
from libs.common.deadletter import Parking
from libs.common.events import Announcement, Event, encode, with_sequence
from services.policy.domain.policies import PlanPin
from services.policy.events import PolicyIssued, TrackingUpdated
from tests.claims.builders import BOOK
from tests.conftest import TENANT, AppOf, DbOf, Token
from tests.policy.builders import some_terms

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
POLICY = "pol_01JQZX7Y5V0000000000000000"


def message(offset: int, event: Event, *, sequence: int, tenant_id: str = TENANT) -> Inbound:
    envelope = encode(Announcement(tenant_id=tenant_id, key=POLICY, event=event), NOW)
    return Inbound("policies", 0, offset, POLICY, with_sequence(envelope, sequence))


def issued() -> PolicyIssued:
    plan = BOOK.get("cssecure", 2)
    return PolicyIssued(
        policy_id=POLICY,
        quote_id="quo_1",
        plan=PlanPin(plan=plan.plan, version=plan.version, sha256=plan.sha256),
        terms=some_terms(),
        state="PENDING",
    )


def tracked() -> TrackingUpdated:
    return TrackingUpdated(policy_id=POLICY, state="ACTIVE", status="in_transit")


async def park_tracking_before_its_policy(db: Database, handlers: object) -> None:
    """The news of a parcel whose policy is not known yet: parked, and what follows waits."""
    await deliver(db, "claims", handlers, [message(0, tracked(), sequence=2)])  # type: ignore[arg-type]
    await deliver(db, "claims", handlers, [message(1, tracked(), sequence=3)])  # type: ignore[arg-type]


async def test_what_is_parked_is_listed_with_its_cause_and_replayed_once_it_can_be(
    app_of: AppOf, token: Token
) -> None:
    claims = await app_of("claims")
    running = claims.app.state.running  # type: ignore[attr-defined]
    await park_tracking_before_its_policy(running.db, running.handlers)

    listed = (await claims.get("/v1/dead-letters", headers=token())).json()["items"]
    assert [(x["key"], x["cause"]) for x in listed] == [
        (POLICY, "cover-of-another-tenant"),
        (POLICY, None),
    ]
    still = await claims.post("/v1/dead-letters/replay", json={}, headers=token())
    assert still.json() == {"replayed": 0, "left": 2}

    # Its policy comes in by another consumer's way: what is parked can then take effect, in order.
    await deliver(running.db, "mending", running.handlers, [message(2, issued(), sequence=1)])
    done = await claims.post("/v1/dead-letters/replay", json={"key": POLICY}, headers=token())
    assert done.json() == {"replayed": 2, "left": 0}


async def test_another_tenants_letters_are_not_seen_and_not_replayed(
    app_of: AppOf, token: Token
) -> None:
    claims = await app_of("claims")
    running = claims.app.state.running  # type: ignore[attr-defined]
    await park_tracking_before_its_policy(running.db, running.handlers)

    other = token("sbx-cssbuy-other")
    assert (await claims.get("/v1/dead-letters", headers=other)).json()["items"] == []
    answer = await claims.post("/v1/dead-letters/replay", json={"key": POLICY}, headers=other)
    assert (answer.status_code, answer.json()["code"]) == (404, "no-dead-letters")
    assert len(await deadletter.list_letters(running.db)) == 2


async def test_a_letter_that_waits_for_nothing_any_more_is_released(db_of: DbOf) -> None:
    db = await db_of("claims")
    await deadletter.park(db, "claims", message(0, tracked(), sequence=2), Parking.waiting())
    assert await deadletter.list_released(db, "claims") == [POLICY]

    consumer = Consumer(db, "", "claims", [], {})
    await consumer._release_waiting()
    assert await deadletter.list_letters(db) == []
