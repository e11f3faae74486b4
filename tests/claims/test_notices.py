"""First notices in the service: made once, taken over by the claimant, over when the parcel comes."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.common.bus import Inbound
from libs.common.consumer import _read
from libs.common.events import wire_type
from libs.common.ids import new_id
from services.claims import store, usecases
from services.claims.consumers import handlers
from services.policy.events import PolicyCancelled, TrackingUpdated
from tests.claims.desk import (
    POLICY_ID,
    Desk,
    activated,
    again,
    issued,
    paid,
    refused,
    told,
    tracked,
)
from tests.claims.test_first_notices import with_jsx_lines
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import OTHER_TENANT, TENANT, Json, at, bound, premium_of, said

BML, TKS, JSX, MYPOZ = "sbx-bml-tests", "sbx-tks-tests", "sbx-jsx-tests", "sbx-mypoz-tests"
TENANTS = (TENANT, BML, TKS, JSX, MYPOZ)
# By the tenant's publisher.
PLANS = {
    "cssbuy": "cssecure",
    "bml": "bml-shipping",
    "tks": "tks-warehouse",
    "jsx": "jsx-cargo",
    "mypoz": "mypoz-cargo",
}
NOW = "2024-01-10T09:00"
SEEN = "2024-01-09T07:00"
ROUNDS = 20
TICK = timedelta(microseconds=1)


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> Desk:
    return await Desk.open(app_of, db_of, token)


def plan_of(tenant: str) -> str:
    return PLANS[tenant.split("-")[1]]


class Parcel:
    """An insured parcel, and what a desk of its tenant hears of it."""

    def __init__(self, desk: Desk, tenant: str = TENANT, policy_id: str = POLICY_ID) -> None:
        self.desk, self.policy_id = desk.of(tenant), policy_id
        self._numbers = count(1)

    async def sold(self, **terms: Any) -> "Parcel":
        """In force on 10 January 2024; nothing was heard of the parcel yet."""
        plan = plan_of(self.desk.tenant)
        events = (
            issued(self.policy_id, plan, **terms),
            paid(self.policy_id, plan, **terms),
            activated(self.policy_id),
        )
        await self.desk.at(NOW)
        await self.desk.hears(*map(self.told, events))
        return self

    def told(self, event: Any) -> Inbound:
        return told(event, next(self._numbers), tenant=self.desk.tenant)

    def update(self, state: str = "ACTIVE", **times: str) -> Inbound:
        """It left on 4 January 2024, and what else is named."""
        return self.told(tracked(self.policy_id, state, **times))

    async def heard(self, state: str = "ACTIVE", **times: str) -> None:
        await self.desk.hears(self.update(state, **times))

    async def claims(self, **wanted: str) -> list[Json]:
        """The newest first."""
        return (await listed(self.desk, policy_id=self.policy_id, **wanted))["items"]

    async def states(self) -> list[tuple[str, str]]:
        """Peril and state of all its claims."""
        return sorted((one["peril"], one["state"]) for one in await self.claims())

    async def notice(self) -> Json:
        """The one that waits."""
        [waiting] = await self.claims(state="NOTIFIED")
        return await self.desk.show(waiting)

    async def file(self, peril: str = "LOSS", **more: Any) -> Json:
        return await self.desk.a_claim(peril, policy_id=self.policy_id, **more)

    async def silent_at(self) -> datetime | None:
        return (await self.desk.deadlines()).get("notice_silence")

    async def said(self) -> list[str]:
        return await self.desk.said(self.policy_id)


async def listed(desk: Desk, **wanted: object) -> Any:
    response = await desk.client.get(
        "/v1/claims", params=wanted, headers=desk.token(desk.tenant)
    )
    assert response.status_code == 200, response.text
    return response.json()


# --- made --------------------------------------------------------------------------------------


async def test_what_a_carrier_says_is_a_first_notice_that_waits(desk: Desk) -> None:
    parcel = await Parcel(desk).sold()

    await parcel.heard(lost_at=SEEN)

    notice = await parcel.notice()
    assert (notice["peril"], notice["cause"], notice["state"]) == ("LOSS", "lost", "NOTIFIED")
    assert (notice["notified_at"], notice["filed_at"]) == ("2024-01-10T09:00:00Z", None)
    assert (notice["filed_by"], notice["decision"]) == ("platform", None)
    assert await parcel.said() == ["ClaimNotified"]
    assert await desk.told_last() == {
        "claim_id": notice["claim_id"],
        "policy_id": POLICY_ID,
        "peril": "LOSS",
        "cause": "lost",
        "seen_at": "2024-01-09T07:00:00Z",
        "notified_at": "2024-01-10T09:00:00Z",
        # CS-14 and CS-38: five months without proof, and a year to file.
        "eligible_on": "2024-06-04",
        "closes_at": "2025-01-03T16:00:00Z",
        "missing": [],
    }


async def test_g_12_a_first_notice_waits_for_its_claimant_and_nothing_decides_it(
    desk: Desk,
) -> None:
    parcel = await Parcel(desk).sold()
    await parcel.heard(lost_at=SEEN)
    await parcel.heard(lost_at=SEEN, loss_confirmed_at=SEEN)
    await desk.at("2024-12-31T00:00")

    claim_id = (await parcel.notice())["claim_id"]
    for path, body in (
        ("evidence", {"evidence_ids": [new_id("evd")]}),
        ("decision", {}),
        ("advance", {}),
    ):
        refused(await desk.post(f"/v1/claims/{claim_id}/{path}", body), 409, "claim-not-filed")

    assert await parcel.said() == ["ClaimNotified"]
    assert await desk.rows("SELECT 1 FROM decisions WHERE tenant_id = $1") == []


@pytest.mark.parametrize("tenant", TENANTS)
async def test_cs_13_only_what_the_plan_covers_is_noticed(desk: Desk, tenant: str) -> None:
    parcel = await Parcel(desk, tenant).sold()

    await parcel.heard(seized_at=SEEN, returned_at=SEEN, destroyed_at=SEEN)

    also = ("RETURN", "SEIZURE") if plan_of(tenant) == "cssecure" else ()
    assert await parcel.states() == [(peril, "NOTIFIED") for peril in ("LOSS", *also)]


async def test_a_policy_that_is_not_in_force_has_no_notice(desk: Desk) -> None:
    parcel = Parcel(desk)
    await desk.at(NOW)
    await desk.hears(parcel.told(issued()), parcel.told(paid()))

    await parcel.heard("SCHEDULED", lost_at=SEEN)

    assert (await parcel.states(), await parcel.silent_at()) == ([], None)


@pytest.mark.parametrize(
    "order",
    [
        lambda messages: [*messages, *map(again, messages)],
        lambda messages: [*reversed(messages), *map(again, messages)],
        lambda messages: [messages[-1], again(messages[-1]), *messages],
    ],
    ids=["twice", "backwards and again", "the last first"],
)
async def test_what_is_told_again_or_late_is_noticed_once(
    desk: Desk, order: Callable[[list[Inbound]], list[Inbound]]
) -> None:
    parcel = await Parcel(desk).sold()
    messages = [
        parcel.update(),
        parcel.update(damaged_at=SEEN),
        parcel.update(damaged_at=SEEN, lost_at=SEEN),
    ]

    for message in order(messages):
        await desk.hears(message)

    assert await parcel.states() == [("DAMAGE", "NOTIFIED"), ("LOSS", "NOTIFIED")]
    assert Counter(await parcel.said()) == {"ClaimNotified": 2}


async def test_of_a_batch_only_its_end_is_noticed(desk: Desk) -> None:
    parcel = await Parcel(desk).sold()

    await desk.hears(
        parcel.update(damaged_at=SEEN, lost_at=SEEN),
        parcel.update("RUN_OFF", damaged_at=SEEN, delivered_at="2024-01-10T07:00"),
    )

    assert await parcel.states() == [("DAMAGE", "NOTIFIED")]
    assert await parcel.said() == ["ClaimNotified"]


async def test_cover_that_begins_with_the_parcel_on_its_way_looks_at_it(desk: Desk) -> None:
    """The premium is paid after the ship-out: no scan need come any more."""
    parcel = Parcel(desk)
    await desk.at(NOW)
    await desk.hears(parcel.told(issued()), parcel.update("PENDING"))
    assert await parcel.silent_at() is None

    await desk.hears(parcel.told(msgspec.structs.replace(paid(), state="ACTIVE")))

    assert await parcel.silent_at() == at("2024-06-03T16:00")


async def test_a_copy_that_was_read_through_is_looked_at_when_its_event_comes(
    desk: Desk,
) -> None:
    parcel = await Parcel(desk).sold()
    lost = parcel.update(lost_at=SEEN)
    async with desk.db.transaction(TENANT) as tx:
        known = await store.get_cover(tx, POLICY_ID, tenant_id=TENANT)
        tracking = replace(known.tracking, lost_at=at(SEEN))
        fetched = replace(known, tracking=tracking, sequence=9)
        await usecases.remember_fetched(tx, fetched)

    await desk.hears(lost)

    assert (await desk.cover()).sequence == 9
    assert await parcel.states() == [("LOSS", "NOTIFIED")]


# --- silence -----------------------------------------------------------------------------------


async def test_bm_10_silence_is_noticed_at_the_instant_the_loss_opens(desk: Desk) -> None:
    parcel = await Parcel(desk, BML).sold(scope="domestic")
    await parcel.heard(last_update_at="2024-01-08T01:00")
    opening = at("2024-01-15T00:00")
    assert await parcel.silent_at() == opening

    await parcel.desk.at("2024-01-14T23:59:59.999999")
    assert await parcel.states() == []
    # However late the clock is looked at.
    await parcel.desk.at("2024-01-19T12:00")

    notice = await parcel.notice()
    assert (notice["peril"], notice["cause"]) == ("LOSS", "silence")
    assert notice["notified_at"] == "2024-01-15T00:00:00Z"
    assert await parcel.silent_at() is None
    event = await parcel.desk.told_last()
    assert (event["seen_at"], event["eligible_on"]) == ("2024-01-08T01:00:00Z", None)


async def test_silence_that_is_broken_moves_its_day(desk: Desk) -> None:
    parcel = await Parcel(desk, BML).sold()
    await parcel.heard(last_update_at="2024-01-08T01:00")
    assert await parcel.silent_at() == at("2024-01-28T00:00")

    await parcel.heard(last_update_at="2024-01-09T23:00")

    assert await parcel.silent_at() == at("2024-01-29T00:00")
    await parcel.desk.at("2024-01-28T12:00")
    assert await parcel.states() == []


@pytest.mark.parametrize(
    "end", ["delivered_at", "returned_at", "seized_at", "destroyed_at", "lost_at"]
)
async def test_silence_is_watched_for_no_more_once_the_way_has_ended(
    desk: Desk, end: str
) -> None:
    parcel = await Parcel(desk, BML).sold()
    await parcel.heard()
    assert await parcel.silent_at() is not None

    await parcel.heard(**{end: SEEN})

    assert await parcel.silent_at() is None


async def test_silence_is_watched_for_no_more_once_the_policy_has_ended(desk: Desk) -> None:
    parcel = await Parcel(desk).sold()
    await parcel.heard()

    await desk.hears(parcel.told(cancelled(parcel)))

    assert await parcel.silent_at() is None


def cancelled(parcel: Parcel) -> PolicyCancelled:
    return PolicyCancelled(
        policy_id=parcel.policy_id,
        reason="CUSTOMER_CANCEL",
        refund=premium_of(bound()),
        cancelled_at=at("2024-01-10T00:00"),
    )


async def test_a_deadline_that_comes_too_soon_asks_again_and_is_moved(desk: Desk) -> None:
    """As after a plan's or a line's correction: what the plan says on the day counts."""
    parcel = await Parcel(desk, BML).sold()
    await parcel.heard(last_update_at="2024-01-08T01:00")
    async with desk.db.transaction(BML) as tx:
        await tx.execute(
            "UPDATE deadlines SET due_at = $2 WHERE tenant_id = $1", BML, at("2024-01-20T00:00")
        )

    await parcel.desk.at("2024-01-20T01:00")

    assert await parcel.states() == []
    assert await parcel.silent_at() == at("2024-01-28T00:00")


async def test_silence_that_is_over_when_it_is_heard_of_is_noticed_at_once(desk: Desk) -> None:
    """The consumer was away: nobody could have been told before."""
    parcel = await Parcel(desk, TKS).sold()
    await parcel.desk.at("2024-02-20T09:00")

    await parcel.heard(last_update_at="2024-01-08T01:00")

    assert (await parcel.notice())["notified_at"] == "2024-02-20T09:00:00Z"


@pytest.mark.parametrize(
    ("line", "silent_at"), [("EMS", "2024-01-17T16:00"), ("SEA", "2024-01-29T16:00")]
)
async def test_tk_12_q26_a_known_disruption_of_the_line_moves_the_day(
    app_of: AppOf, db_of: DbOf, token: Token, tmp_path: Path, line: str, silent_at: str
) -> None:
    plan = with_jsx_lines(tmp_path)
    client: Any = await app_of("claims", plans=tmp_path)
    parcel = Parcel(Desk(client=client, db=await db_of("claims"), token=token), TKS)
    pin = {"plan": plan.plan, "version": plan.version, "sha256": plan.sha256}
    await parcel.desk.at(NOW)
    for event in (
        issued(plan="tks-warehouse", line=line),
        paid(plan="tks-warehouse", line=line),
    ):
        pinned = msgspec.convert({**msgspec.to_builtins(event), "plan": pin}, type(event))
        await parcel.desk.hears(parcel.told(pinned))
    await parcel.desk.hears(parcel.told(activated()))

    await parcel.heard(last_update_at="2024-01-08T01:00")

    assert await parcel.silent_at() == at(silent_at)


# --- taken over --------------------------------------------------------------------------------


async def test_filing_takes_the_notice_over_with_its_id_and_first_contact(desk: Desk) -> None:
    parcel = await Parcel(desk).sold()
    await parcel.heard(lost_at=SEEN)
    notice = await parcel.notice()
    await desk.at("2024-01-20T09:00")

    claim = await parcel.file(is_whole_parcel=True)

    assert claim["claim_id"] == notice["claim_id"]
    assert claim["notified_at"] == notice["notified_at"] == "2024-01-10T09:00:00Z"
    assert (claim["filed_at"], claim["filed_by"]) == ("2024-01-20T09:00:00Z", "tests")
    assert (claim["state"], claim["cause"]) == ("DEFERRED", "lost")
    assert claim["decision"]["eligible_on"] == "2024-06-04"
    assert await parcel.said() == ["ClaimNotified", "ClaimFiled", "ClaimDecided"]
    told_of_it = {
        key: value
        for envelope in await said(desk.db, POLICY_ID)
        for key, value in msgspec.json.decode(envelope.data).items()
        if key in ("claim_id", "notified_at")
    }
    assert told_of_it == {key: claim[key] for key in told_of_it}
    assert await parcel.states() == [("LOSS", "DEFERRED")]


async def test_a_notice_taken_over_is_decided_by_news_as_any_claim(desk: Desk) -> None:
    parcel = await Parcel(desk).sold()
    await parcel.heard(lost_at=SEEN)
    claim = await parcel.file(is_whole_parcel=True)
    assert claim["state"] == "DEFERRED"

    await parcel.heard("RUN_OFF", delivered_at="2024-01-10T07:00")

    assert (await desk.show(claim))["decision"]["reasons"][0]["code"] == "DELIVERED"
    assert await parcel.said() == [
        "ClaimNotified",
        "ClaimFiled",
        "ClaimDecided",
        "ClaimDecided",
    ]


@pytest.mark.parametrize(
    ("is_noticed", "outcome"), [(True, "INFO_REQUIRED"), (False, "DENIED")]
)
async def test_mp_32_a_notice_keeps_the_48_hours_of_a_claimant_who_files_later(
    desk: Desk, is_noticed: bool, outcome: str
) -> None:
    """From the carrier's word on; the search begins with the notice too, so 15 working days are over."""
    parcel = await Parcel(desk, MYPOZ).sold()
    word = {"lost_at": SEEN, "loss_confirmed_at": SEEN}
    if is_noticed:
        await parcel.heard(**word)
    await parcel.desk.at("2024-02-05T09:00")
    if not is_noticed:
        await parcel.heard(**word)

    claim = await parcel.file(is_whole_parcel=True)

    assert claim["decision"]["outcome"] == outcome
    late = [reason["code"] for reason in claim["decision"]["reasons"]]
    assert ("LATE_NOTICE" in late) is not is_noticed


async def test_eligibility_counts_from_the_first_contact_of_the_notice(desk: Desk) -> None:
    parcel = await Parcel(desk, BML).sold()
    await parcel.heard("RUN_OFF", damaged_at=SEEN, delivered_at=SEEN)
    await parcel.desk.at("2024-02-20T09:00")

    response = await parcel.desk.get(f"/v1/policies/{POLICY_ID}/claim-eligibility")

    perils = {peril["peril"]: peril for peril in response.json()["perils"]}
    assert (perils["DAMAGE"]["is_open"], perils["DAMAGE"]["reasons"]) == (True, [])
    claim = await parcel.file("DAMAGE", item_ids=["i1"])
    assert claim["decision"]["outcome"] == "INFO_REQUIRED"


async def test_a_claim_that_was_filed_first_is_not_noticed(desk: Desk) -> None:
    parcel = await Parcel(desk, BML).sold()
    await parcel.heard()
    claim = await parcel.file(is_whole_parcel=True)

    await parcel.heard(lost_at=SEEN)
    await parcel.desk.at("2024-01-26T09:00")

    assert [one["claim_id"] for one in await parcel.claims()] == [claim["claim_id"]]
    assert "ClaimNotified" not in await parcel.said()


@pytest.mark.parametrize("tenant", [TKS, JSX])
async def test_tk_25_js_11_a_notice_stands_in_no_claims_way(desk: Desk, tenant: str) -> None:
    parcel = await Parcel(desk, tenant).sold()
    await parcel.heard(lost_at=SEEN, damaged_at=SEEN)
    assert await parcel.states() == [("DAMAGE", "NOTIFIED"), ("LOSS", "NOTIFIED")]

    claim = await parcel.file("DAMAGE", item_ids=["i1"])

    assert claim["decision"]["outcome"] == "INFO_REQUIRED"
    rows = await parcel.desk.rows("SELECT facts FROM decisions WHERE tenant_id = $1")
    assert [msgspec.json.decode(row["facts"])["prior_claims"] for row in rows] == [[]]


# --- over --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", ["lost", "silence"])
async def test_a_loss_is_over_when_the_parcel_comes_after_all(desk: Desk, cause: str) -> None:
    parcel = await Parcel(desk, BML).sold()
    await parcel.heard(**({"lost_at": SEEN} if cause == "lost" else {}))
    await parcel.desk.at("2024-01-26T09:00")
    notice = await parcel.notice()
    assert notice["cause"] == cause

    await parcel.heard("RUN_OFF", delivered_at="2024-01-26T08:00")

    assert (await parcel.desk.show(notice))["state"] == "CLOSED"
    assert await parcel.said() == ["ClaimNotified", "ClaimNoticeClosed"]
    assert await parcel.desk.told_last() == {
        "claim_id": notice["claim_id"],
        "policy_id": POLICY_ID,
        "peril": "LOSS",
        "cause": cause,
        "reason": "DELIVERED",
        "closed_at": "2024-01-26T09:00:00Z",
    }


async def test_a_claim_after_a_notice_that_is_over_is_a_new_one(desk: Desk) -> None:
    """That notice was answered: the parcel came. Who says now that it did not makes first contact."""
    parcel = await Parcel(desk, BML).sold()
    await parcel.heard(lost_at=SEEN)
    closed = await parcel.notice()
    await parcel.heard("RUN_OFF", delivered_at="2024-01-10T08:00")
    await parcel.desk.at("2024-01-12T09:00")

    claim = await parcel.file(is_whole_parcel=True)

    assert claim["claim_id"] != closed["claim_id"]
    assert claim["notified_at"] == claim["filed_at"] == "2024-01-12T09:00:00Z"
    assert claim["cause"] is None
    # What is over hurts nobody either.
    codes = [reason["code"] for reason in claim["decision"]["reasons"]]
    assert (codes[0], "DUPLICATE_CLAIM" in codes) == ("DELIVERED", False)


async def test_a_parcel_that_is_lost_again_is_noticed_again(desk: Desk) -> None:
    parcel = await Parcel(desk).sold()
    await parcel.heard(lost_at=SEEN)
    await parcel.heard(last_update_at="2024-01-10T07:00")
    assert await parcel.states() == [("LOSS", "CLOSED")]
    assert (await desk.told_last())["reason"] == "PARCEL_FOUND"

    await parcel.heard(lost_at="2024-01-10T08:00")

    assert await parcel.states() == [("LOSS", "CLOSED"), ("LOSS", "NOTIFIED")]


async def test_a_notice_is_over_with_its_policy(desk: Desk) -> None:
    parcel = await Parcel(desk).sold()
    await parcel.heard(damaged_at=SEEN)

    await desk.hears(parcel.told(cancelled(parcel)))

    assert await parcel.states() == [("DAMAGE", "CLOSED")]
    assert (await desk.told_last())["reason"] == "POLICY_CANCELLED"


# --- at once -----------------------------------------------------------------------------------


async def meet(parcel: Parcel, *works: Coroutine[Any, Any, Any]) -> list[Any]:
    """Let them come to the cover's lock one after the other, and go on from there at once."""
    async with asyncio.timeout(20), parcel.desk.db.transaction(parcel.desk.tenant) as tx:
        await store.lock_cover(tx, parcel.policy_id, tenant_id=parcel.desk.tenant)
        tasks = []
        async with parcel.desk.db.worker() as connection:
            for number, work in enumerate(works, start=1):
                tasks.append(asyncio.create_task(work))
                while await connection.fetchval(_WAITING) < number:
                    pass
    return await asyncio.gather(*tasks)


_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


async def test_filed_and_noticed_at_once_are_one_claim(desk: Desk) -> None:
    """Whoever is first: the notice is taken over, or it is not made."""
    for number in range(ROUNDS):
        parcel = await Parcel(desk, policy_id=new_id("pol")).sold(order_ref="")
        works = [parcel.heard(lost_at=SEEN), parcel.file(is_whole_parcel=True)]
        is_filed_first = number % 2 == 1
        await meet(parcel, *(reversed(works) if is_filed_first else works))

        [only] = await parcel.claims()
        assert (only["state"], only["cause"]) == (
            "DEFERRED",
            None if is_filed_first else "lost",
        )
        told_of_it = Counter(await parcel.said())
        assert (told_of_it["ClaimNotified"], told_of_it["ClaimFiled"]) == (
            0 if is_filed_first else 1,
            1,
        )


async def test_filed_and_fallen_silent_at_once_are_one_claim(desk: Desk) -> None:
    for number in range(ROUNDS):
        # A tenant each: its clock is moved, and that only forward.
        parcel = Parcel(desk, f"sbx-bml-round{number}", new_id("pol"))
        await parcel.sold(scope="domestic")
        await parcel.heard(last_update_at="2024-01-09T00:00")
        works = [parcel.desk.at("2024-01-16T00:00"), parcel.file(is_whole_parcel=True)]
        is_filed_first = number % 2 == 1
        await meet(parcel, *(reversed(works) if is_filed_first else works))

        [only] = await parcel.claims()
        assert only["cause"] == (None if is_filed_first else "silence")
        assert only["filed_at"] is not None


async def test_filed_and_noticed_as_it_comes_are_one_claim(desk: Desk) -> None:
    for _ in range(ROUNDS):
        parcel = await Parcel(desk, policy_id=new_id("pol")).sold(order_ref="")
        claim, _ = await asyncio.gather(
            parcel.file(is_whole_parcel=True), parcel.heard(lost_at=SEEN)
        )

        assert [one["claim_id"] for one in await parcel.claims()] == [claim["claim_id"]]


async def test_the_database_holds_one_waiting_notice_a_peril(desk: Desk) -> None:
    parcel = await Parcel(desk).sold()
    await parcel.heard(lost_at=SEEN)

    with pytest.raises(Exception, match="one_waiting_notice"):
        async with desk.db.transaction(TENANT) as tx:
            [waiting] = await store.list_claims(
                tx,
                store.Wanted(),
                tenant_id=TENANT,
                before=(at("2025-01-01T00:00"), ""),
                limit=1,
            )
            twin = replace(waiting, claim=replace(waiting.claim, claim_id=new_id("clm")))
            await store.insert_claim(tx, twin)


# --- what a batch costs ------------------------------------------------------------------------


async def statements_of(desk: Desk, messages: list[Inbound]) -> list[str]:
    """What the handler of TrackingUpdated asks the database about these."""
    known = handlers(desk.client.app.state.running)
    ready = [one for message in messages if (one := _read(message, known)) is not None]
    asked: list[str] = []

    def note(query: Any) -> None:
        asked.append(query.query)

    async with desk.db.transaction(TENANT) as tx:
        tx._connection.add_query_logger(note)
        reader = known[wire_type(TrackingUpdated)]
        await reader.handle(tx, [one.received for one in ready])
        tx._connection.remove_query_logger(note)
    return asked


@pytest.mark.parametrize(
    ("times", "statements"),
    [({}, 5), ({"lost_at": SEEN, "damaged_at": SEEN}, 7), ({"delivered_at": SEEN}, 5)],
    ids=["on their way", "lost", "delivered"],
)
async def test_a_batch_costs_as_many_statements_whether_of_1_or_of_100_policies(
    desk: Desk, times: dict[str, str], statements: int
) -> None:
    parcels = [
        await Parcel(desk, policy_id=new_id("pol")).sold(order_ref="") for _ in range(102)
    ]
    # The driver asks once what the types are that it has not met.
    await statements_of(desk, [parcels[0].update(**times)])

    one = await statements_of(desk, [parcels[1].update(**times)])
    hundred = await statements_of(desk, [parcel.update(**times) for parcel in parcels[2:]])

    assert hundred == one
    assert len(one) == statements
    noticed = await desk.rows("SELECT 1 FROM claims WHERE tenant_id = $1")
    assert len(noticed) == (204 if "lost_at" in times else 0)


async def test_a_batch_that_ends_notices_costs_no_more_for_many(desk: Desk) -> None:
    parcels = [
        await Parcel(desk, policy_id=new_id("pol")).sold(order_ref="") for _ in range(102)
    ]
    await desk.hears(*(parcel.update(lost_at=SEEN) for parcel in parcels))
    found = {"last_update_at": "2024-01-10T07:00"}
    await statements_of(desk, [parcels[0].update(**found)])

    one = await statements_of(desk, [parcels[1].update(**found)])
    hundred = await statements_of(desk, [parcel.update(**found) for parcel in parcels[2:]])

    assert hundred == one
    assert {state for parcel in parcels for _, state in await parcel.states()} == {"CLOSED"}


# --- listed ------------------------------------------------------------------------------------


async def test_lists_claims_by_their_first_contact_the_newest_first(desk: Desk) -> None:
    noticed = await Parcel(desk, policy_id=new_id("pol")).sold(order_ref="")
    await noticed.heard(lost_at=SEEN, damaged_at=SEEN)
    filed = await Parcel(desk, policy_id=new_id("pol")).sold(order_ref="")
    await desk.at("2024-01-12T09:00")
    await filed.file("DELAY")

    def shown(page: Any) -> list[tuple[str, str]]:
        return [(one["peril"], one["state"]) for one in page["items"]]

    everything = shown(await listed(desk))
    assert everything[0] == ("DELAY", "DEFERRED")
    assert sorted(everything[1:]) == [("DAMAGE", "NOTIFIED"), ("LOSS", "NOTIFIED")]
    assert len(shown(await listed(desk, state="NOTIFIED"))) == 2
    assert shown(await listed(desk, peril="LOSS")) == [("LOSS", "NOTIFIED")]
    assert shown(await listed(desk, policy_id=filed.policy_id)) == [("DELAY", "DEFERRED")]
    assert len(shown(await listed(desk, until="2024-01-12T09:00:00Z"))) == 2
    assert shown(await listed(desk, since="2024-01-12T09:00:00Z")) == [("DELAY", "DEFERRED")]


async def test_pages_of_claims_leave_none_out_and_show_none_twice(desk: Desk) -> None:
    parcels = [await Parcel(desk, policy_id=new_id("pol")).sold(order_ref="") for _ in range(5)]
    await desk.hears(*(parcel.update(lost_at=SEEN) for parcel in parcels))

    seen, cursor = [], {}
    while True:
        page = await listed(desk, limit=2, **cursor)
        seen += [one["policy_id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert sorted(seen) == sorted(parcel.policy_id for parcel in parcels)


async def test_lists_only_the_callers_own_and_refuses_what_is_no_filter(desk: Desk) -> None:
    parcel = await Parcel(desk, OTHER_TENANT).sold()
    await parcel.heard(lost_at=SEEN)

    assert (await listed(desk))["items"] == []
    assert len((await listed(parcel.desk))["items"]) == 1
    for query in ("state=WAITING", "peril=BOREDOM", "policy_id=pol_1", "cursor=x", "limit=0"):
        response = await desk.get(f"/v1/claims?{query}")
        assert response.status_code == 422, query
