"""The tracking that the platform brings to a claim by itself: from the real policy service, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from structlog.testing import capture_logs

from libs.common import testclock
from libs.common.auth import Keys
from libs.common.deadlines import Deadline, DeadlineRunner, set_deadline
from libs.common.snapshots import verified
from services.claims.usecases import ATTACH_TRACKING
from tests.claims.desk import POLICY_ID, Desk, tracked, way_of
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import PROGRAMMES_BY_PLAN, Json, at, names, said
from tests.policy.conftest import Shop, answered
from tests.policy.posting import Sender, a_detail, a_tracker_event
from tests.policy.serving import served

NUMBER = "EZ6000000006"
SUBMITTED = "2024-01-01T01:00:00"
FILED = "2024-01-20T00:00:00"
LATER = "2024-03-10T00:00:00"
# However long a job was put off for, it is tried again by then.
NEXT_TRY = "2030-01-01T00:00"

ACCEPTED = a_detail("in_transit", "2024-01-04T09:00:00Z", "received_at_origin_facility")
LOST = a_detail("failure", "2024-01-21T09:00:00Z", "lost")


@dataclass(slots=True, kw_only=True)
class House:
    """Quote, policy and claims services of one sandbox; the policy service is on its port or away."""

    shop: Shop
    desk: Desk
    dbs: tuple[Any, ...]
    port: int
    stack: AsyncExitStack
    sender: Sender | None = None

    async def policy_service_comes_back(self) -> None:
        client: Any = self.shop.policies
        await self.stack.enter_async_context(served(client.app, self.port))

    async def now(self, instant: str) -> None:
        tenant = self.shop.tenant
        for db in self.dbs:
            async with db.transaction(tenant) as tx:
                clock = testclock.TestClock(clock_id="clk_1", tenant_id=tenant, now=at(instant))
                await testclock.follow(tx, clock)

    async def a_parcel(self) -> Json:
        """Paid for, and taken by its carrier on 4 January; it is 20 January now."""
        await self.now(SUBMITTED)
        policy = await self.shop.a_paid_policy(carrier="usps", tracking_number=NUMBER)
        await self.now(FILED)
        await self.post(ACCEPTED)
        return policy

    async def post(self, *details: Json) -> None:
        self.sender = self.sender or await Sender.opened(self.shop)
        await self.sender.read(a_tracker_event(NUMBER, *details))

    async def a_claim(self, peril: str, policy: Json) -> Json:
        return await self.desk.a_claim(
            peril, policy_id=policy["policy_id"], is_whole_parcel=True
        )

    async def attach(self) -> None:
        """One round of the claims service's deadlines, those that failed before included."""
        running = self.desk.client.app.state.running
        async with running.db.worker() as connection:
            # A failure is told with its traceback, which takes seconds to lay out.
            with capture_logs():
                await DeadlineRunner(running.jobs).fire_due(connection, at(NEXT_TRY))

    async def attached(self, claim: Json) -> list[Json]:
        shown = await self.desk.show(claim)
        return [one for one in shown["evidence"] if one["submitted_by"] == "platform"]


@pytest.fixture
def plan() -> str:
    return "bml-shipping"


@pytest.fixture
async def house(
    app_of: AppOf, db_of: DbOf, token: Token, tmp_path: Path, plan: str
) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack, AsyncExitStack() as on_port:
        quotes: Any = await app_of("quote")
        quote_url = await stack.enter_async_context(served(quotes.app))
        policies: Any = await app_of("policy", quote_url=quote_url)
        policy_url = await on_port.enter_async_context(served(policies.app))
        tenant = PROGRAMMES_BY_PLAN[plan].tenant
        yield House(
            shop=Shop(plan=plan, tenant=tenant, quotes=quotes, policies=policies, token=token),
            desk=await Desk.open(
                app_of,
                db_of,
                token,
                tenant=tenant,
                policy_url=policy_url,
                evidence=str(tmp_path),
            ),
            dbs=tuple([await db_of(name) for name in ("quote", "policy", "claims")]),
            port=int(policy_url.rpartition(":")[2]),
            stack=on_port,
        )


async def added_to(house: House, claim: Json) -> list[Json]:
    """What the events said of it."""
    told = await said(house.desk.db, claim["policy_id"])
    return [msgspec.json.decode(one.data) for one in told if names([one]) == ["EvidenceAdded"]]


async def content_of(house: House, evidence: Json, keys: Path) -> Json:
    """What was kept, once it is proven."""
    files = house.desk.client.app.state.files
    kept = await files.read(house.desk.tenant, evidence["sha256"])
    assert len(kept) == evidence["size_bytes"]
    snapshot = await verified(kept, Keys(str(keys / "services.jwks.json")), service="policy")
    return dict(snapshot.content)


@pytest.mark.parametrize(
    ("plan", "peril", "kind"),
    [
        ("bml-shipping", "LOSS", "official_tracking_screenshot"),
        ("cssecure", "RETURN", "return_tracking"),
    ],
)
async def test_bm_16_cs_43_a_claim_is_given_the_tracking_that_the_platform_brings(
    house: House, keys: Path, peril: str, kind: str
) -> None:
    policy = await house.a_parcel()
    claim = await house.a_claim(peril, policy)
    assert claim["evidence"] == []

    await house.attach()

    (evidence,) = await house.attached(claim)
    assert evidence["kind"] == kind
    assert evidence["name"] == f"tracking-{policy['policy_id']}-2024-01-20.json"
    assert evidence["media_type"] == "application/json"
    assert (evidence["policy_id"], evidence["claim_id"]) == (
        policy["policy_id"],
        claim["claim_id"],
    )
    content = await content_of(house, evidence, keys)
    assert (content["policy_id"], content["as_of"]) == (
        policy["policy_id"],
        "2024-01-20T00:00:00Z",
    )
    assert [scan["status"] for scan in content["scans"]] == ["in_transit"]
    (added,) = await added_to(house, claim)
    assert (added["kind"], added["sha256"]) == (kind, evidence["sha256"])
    assert ATTACH_TRACKING not in await house.desk.deadlines()


async def test_bm_16_it_is_what_was_known_when_the_claim_was_filed(
    house: House, keys: Path
) -> None:
    claim = await house.a_claim("LOSS", await house.a_parcel())
    await house.now(LATER)
    await house.post(ACCEPTED, LOST)

    await house.attach()

    (evidence,) = await house.attached(claim)
    content = await content_of(house, evidence, keys)
    assert [scan["status"] for scan in content["scans"]] == ["in_transit"]
    assert content["position"]["lost_at"] is None


async def test_the_claim_is_not_decided_anew_for_it_and_the_next_decision_rests_on_it(
    house: House,
) -> None:
    claim = await house.a_claim("LOSS", await house.a_parcel())
    assert (claim["state"], claim["decision"]["missing"]) == ("DEFERRED", [])

    await house.attach()

    assert (await house.desk.show(claim))["decision"] == claim["decision"]
    # Until the plan's days without news are over, and the claim is looked at by itself.
    await house.desk.at("2024-03-10T00:00")
    decisions = await house.desk.rows(
        "SELECT facts FROM decisions WHERE tenant_id = $1 ORDER BY number"
    )
    first, second = [msgspec.json.decode(row["facts"]) for row in decisions]
    assert "official_tracking_screenshot" not in first["evidence"]
    assert "official_tracking_screenshot" in second["evidence"]


async def test_while_the_policy_service_is_away_the_claim_stands_and_waits_for_it(
    house: House,
) -> None:
    claim = await house.a_claim("LOSS", await house.a_parcel())
    await house.stack.aclose()

    for _ in range(2):
        await house.attach()
    assert await house.attached(claim) == []
    assert ATTACH_TRACKING in await house.desk.deadlines()

    await house.policy_service_comes_back()
    await house.attach()
    assert len(await house.attached(claim)) == 1


async def test_a_repeat_attaches_nothing_more(house: House) -> None:
    claim = await house.a_claim("LOSS", await house.a_parcel())
    job = house.desk.client.app.state.running.jobs[ATTACH_TRACKING]
    due = Deadline(
        tenant_id=house.desk.tenant,
        kind=ATTACH_TRACKING,
        subject=claim["claim_id"],
        due_at=at(FILED),
    )

    # Two workers at once, one that is late, and one that was told anew.
    await asyncio.gather(job(due), job(due))
    await job(due)
    async with house.desk.db.transaction(house.desk.tenant) as tx:
        await set_deadline(tx, due)
    await job(due)

    assert len(await house.attached(claim)) == 1
    assert len(await added_to(house, claim)) == 1
    assert ATTACH_TRACKING not in await house.desk.deadlines()


async def test_a_failure_between_bytes_and_row_attaches_once(
    house: House, admin_url: str, tmp_path: Path
) -> None:
    claim = await house.a_claim("LOSS", await house.a_parcel())
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute(
            "ALTER TABLE claims.evidence ADD CONSTRAINT fails CHECK (name = '') NOT VALID"
        )
        await house.attach()
        assert await house.attached(claim) == []
        assert len(kept_in(tmp_path)) == 1

        await admin.execute("ALTER TABLE claims.evidence DROP CONSTRAINT fails")
    finally:
        await admin.close()
    await house.attach()

    (evidence,) = await house.attached(claim)
    assert kept_in(tmp_path) == [evidence["sha256"]]


def kept_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


async def test_nothing_is_attached_where_the_platform_brings_nothing(house: House) -> None:
    policy = await house.a_parcel()
    await house.a_claim("DAMAGE", policy)
    uninsured = {"tracking_number": "NOBODYS1", "peril": "LOSS"}
    response = await house.desk.post("/v1/claims", uninsured)

    assert answered(response, 201)["policy_id"] is None
    assert ATTACH_TRACKING not in await house.desk.deadlines()


async def test_a_claimant_is_not_kept_from_filing_by_a_policy_service_that_is_away(
    app_of: AppOf, db_of: DbOf, token: Token
) -> None:
    tenant = PROGRAMMES_BY_PLAN["bml-shipping"].tenant
    desk = await Desk.open(app_of, db_of, token, tenant=tenant)
    await desk.at("2024-01-20T00:00")
    await desk.hears(*way_of(plan="bml-shipping", tenant=tenant))

    claim = await desk.a_claim("LOSS", is_whole_parcel=True)

    assert (claim["policy_id"], claim["state"]) == (POLICY_ID, "DEFERRED")
    assert (await desk.deadlines())[ATTACH_TRACKING] == at("2024-01-20T00:00")


async def test_a_first_notice_has_its_tracking_once_it_is_filed(
    app_of: AppOf, db_of: DbOf, token: Token
) -> None:
    tenant = PROGRAMMES_BY_PLAN["bml-shipping"].tenant
    desk = await Desk.open(app_of, db_of, token, tenant=tenant)
    await desk.at("2024-01-20T00:00")
    lost = tracked(lost_at="2024-01-19T10:00", last_update_at="2024-01-19T10:00")
    await desk.hears(*way_of(plan="bml-shipping", tenant=tenant, tracking=lost))
    (notice,) = await desk.rows("SELECT claim_id, state FROM claims WHERE tenant_id = $1")
    assert notice["state"] == "NOTIFIED"
    assert ATTACH_TRACKING not in await desk.deadlines()

    claim = await desk.a_claim("LOSS", is_whole_parcel=True)

    assert claim["claim_id"] == notice["claim_id"]
    assert (await desk.deadlines())[ATTACH_TRACKING] == at("2024-01-20T00:00")
