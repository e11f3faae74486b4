"""Appeals through the door: taken in time and tier by tier, heard by others, and never to one's loss."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.common import testclock
from libs.common.auth import CLAIMS_DECIDE, CLAIMS_MANAGE, CLAIMS_READ, CLAIMS_REVIEW
from libs.common.ids import new_id
from libs.common.plans.reading import load
from libs.common.settings import PROGRAMMES
from services.claims import store
from services.claims.usecases import Rules, reconsider
from tests.claims import people
from tests.claims.appealing import (
    BML,
    DELIVERED,
    FILED,
    HALF,
    LAPSED,
    LAST_INSTANT,
    PAPERS,
    SEEN,
    TOO_LATE,
    WHOLE,
    Hearing,
    payouts_of,
    refused,
    told,
)
from tests.claims.desk import Desk, activated, issued, paid, tracked, way_of
from tests.claims.desk import told as message
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import Json, amount, an_offer, at
from tests.policy.serving import fire_due, served

AT_ONCE = 50


@pytest.fixture
async def hearing(
    app_of: AppOf, db_of: DbOf, token: Token, tmp_path: Any
) -> AsyncIterator[Hearing]:
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(
            app_of, db_of, token, tenant=BML, policy_url=url, evidence=str(tmp_path)
        )
        hearing = Hearing(desk)
        await hearing.hears_of_a_parcel()
        yield hearing


# --- won and lost ----------------------------------------------------------------------------


async def test_bm_27_an_appeal_that_is_won_pays_the_difference(hearing: Hearing) -> None:
    desk = hearing.desk
    claim = await hearing.a_half_award()
    assert (claim["state"], payouts_of(claim)) == ("APPROVED", [HALF])
    assert (claim["appeal_until"], claim["appeal_tier"]) == ("2024-03-03", 1)
    assert claim["appeal_body"] == "second_adjudicator"
    claim = await hearing.paid_out(claim, FILED)
    assert claim["state"] == "PAID"

    appeal = await hearing.an_appeal(claim)

    assert (appeal["state"], appeal["tier"], appeal["body"]) == (
        "OPEN",
        1,
        "second_adjudicator",
    )
    assert (appeal["file_by"], appeal["decide_by"]) == ("2024-03-03", "2024-02-07")
    assert appeal["against"] == claim["decision"]["decision_id"]
    shown = await desk.show(claim)
    assert (shown["state"], shown["appeals"]) == ("UNDER_APPEAL", [appeal])
    assert (shown["appeal_until"], shown["appeal_tier"], shown["appeal_body"]) == (None,) * 3
    (appealed,) = await told(desk, "ClaimAppealed")
    assert (appealed["appeal_id"], appealed["decide_by"]) == (appeal["appeal_id"], "2024-02-07")

    decided = await hearing.heard(appeal, grades={"i1": "1"})

    assert (decided["state"], decided["decided_by"]) == ("VARIED", "ben")
    assert (await desk.get(f"/v1/appeals/{appeal['appeal_id']}")).json() == decided
    shown = await desk.show(claim)
    assert shown["decision"]["decision_id"] == decided["decision_id"]
    assert (shown["decision"]["number"], shown["decision"]["is_settled"]) == (3, True)
    assert (shown["state"], payouts_of(shown)) == ("APPROVED", [HALF, WHOLE - HALF])
    assert (shown["appeal_tier"], shown["appeal_body"]) == (2, "claims_manager_panel")
    said = await desk.said()
    assert said[-2:] == ["ClaimDecided", "AppealDecided"]
    (event,) = await told(desk, "AppealDecided")
    assert (event["result"], event["payout"]) == ("VARIED", amount(WHOLE, "USD"))
    assert (event["file_by"], event["is_final"]) == ("2024-03-03", False)
    assert (await hearing.paid_out(claim, FILED))["state"] == "PAID"
    assert await desk.balances() == {"claims": WHOLE, "cash": -WHOLE}


async def test_bm_27_an_appeal_that_is_lost_changes_nothing_and_never_lowers(
    hearing: Hearing,
) -> None:
    desk = hearing.desk
    claim = await hearing.a_half_award()
    appeal = await hearing.an_appeal(claim)

    decided = await hearing.heard(appeal, grades={"i1": "0.1"}, freight_paid=False)

    assert (decided["state"], decided["decision_id"]) == ("UPHELD", None)
    shown = await desk.show(claim)
    assert shown["decision"] == claim["decision"]
    (event,) = await told(desk, "AppealDecided")
    assert (event["result"], event["payout"]) == ("UPHELD", amount(HALF, "USD"))
    # Nor do its findings, when the policy is looked at again before the money goes.
    assert await stands_on_a_fresh_look(desk, claim["payouts"][0]["payout_id"])
    paid = await hearing.paid_out(claim, FILED)
    assert (paid["state"], payouts_of(paid)) == ("PAID", [HALF])
    assert paid["decision"] == claim["decision"]


async def test_bm_27_money_the_carrier_paid_later_is_not_taken_through_an_appeal(
    hearing: Hearing,
) -> None:
    desk = hearing.desk
    claim = await hearing.paid_out(await hearing.a_half_award(), FILED)
    body = {"source": "carrier", "reference": "c-1", "amount": amount(40_000, "USD")}
    response = await desk.post(f"/v1/claims/{claim['claim_id']}/recoveries", body)
    assert response.status_code == 201, response.text
    before = await desk.balances()
    appeal = await hearing.an_appeal(claim)

    decided = await hearing.heard(appeal)

    # Anew it would be 25.00: 425.00 less the carrier's 400.00.
    assert decided["state"] == "UPHELD"
    assert (await desk.show(claim))["decision"] == claim["decision"]
    assert await desk.balances() == before


async def test_a_denial_for_missing_papers_turns_with_the_papers(hearing: Hearing) -> None:
    desk = hearing.desk
    claim = await hearing.a_denial()
    assert claim["state"] == "DENIED"
    assert claim["decision"]["reasons"][0]["code"] == "EVIDENCE_NOT_PROVIDED"

    appeal = await hearing.an_appeal(claim, evidence_ids=await hearing.upload(*PAPERS))
    assert [e["kind"] for e in (await desk.show(claim))["evidence"]] == list(PAPERS)
    decided = await hearing.heard(appeal, video_elements=SEEN)

    assert decided["state"] == "VARIED"
    shown = await desk.show(claim)
    assert (shown["state"], payouts_of(shown)) == ("APPROVED", [WHOLE])
    # Alone the engine would have left it to a person: an appeal is one.
    assert (shown["decision"]["is_settled"], shown["decision"]["decided_by"]) == (True, "ben")


async def test_what_was_told_too_late_stays_denied_whatever_is_on_file(
    hearing: Hearing,
) -> None:
    desk = hearing.desk
    await desk.at("2024-02-09T00:00")
    claim = await hearing.a_damage(evidence_ids=await hearing.upload(PAPERS[1]))
    assert claim["decision"]["reasons"][0]["code"] == "LATE_NOTICE"

    appeal = await hearing.an_appeal(claim, evidence_ids=await hearing.upload(PAPERS[0]))
    decided = await hearing.heard(appeal, video_elements=SEEN)

    assert decided["state"] == "UPHELD"
    shown = await desk.show(claim)
    assert (shown["state"], shown["payouts"]) == ("DENIED", [])


async def test_a_voucher_that_an_appeal_wins_is_a_voucher(
    app_of: AppOf, db_of: DbOf, token: Token
) -> None:
    """Denied on a policy whose cover was not heard of yet."""
    desk = await Desk.open(app_of, db_of, token)
    hearing = Hearing(desk)
    await desk.at("2024-02-20T00:00")
    await desk.hears(message(issued(), 1), message(paid(), 2))
    claim = await desk.a_claim("RETURN")
    assert claim["state"] == "DENIED"
    await desk.hears(message(activated(), 3), message(tracked(), 4))

    await hearing.heard(await hearing.an_appeal(claim))

    shown = await desk.show(claim)
    assert [p["instrument"] for p in shown["payouts"]] == ["voucher"]
    assert await desk.balances() == {"claims": 35_000, "voucher": -35_000}


# --- what is not taken -----------------------------------------------------------------------


async def state_of(desk: Desk) -> list[Any]:
    """All that a refusal must not change."""
    tables = ("claims", "appeals", "appeal_windows", "decisions", "payouts", "evidence")
    rows = [
        await desk.rows(f"SELECT * FROM {table} WHERE tenant_id = $1 ORDER BY 1")
        for table in tables
    ]
    return [*rows, await desk.deadlines(), await desk.said()]


async def test_bm_27_an_appeal_is_in_time_until_the_last_instant_of_its_thirtieth_day(
    hearing: Hearing,
) -> None:
    claim = await hearing.a_denial()
    assert claim["appeal_until"] == "2024-03-11"
    await hearing.desk.at(LAST_INSTANT)

    assert (await hearing.an_appeal(claim))["file_by"] == "2024-03-11"


async def test_bm_27_an_appeal_is_late_an_instant_after(hearing: Hearing) -> None:
    claim = await hearing.a_denial()
    await hearing.desk.at(TOO_LATE)
    assert (await hearing.desk.show(claim))["state"] == "CLOSED"
    files = await hearing.upload(PAPERS[0])
    before = await state_of(hearing.desk)

    problem = refused(await hearing.appeal(claim, evidence_ids=files), 409, "appeal-late")

    assert (problem["reason"], problem["file_by"]) == ("APPEAL_LATE", "2024-03-11")
    assert await state_of(hearing.desk) == before


async def test_an_appeal_is_late_while_the_claim_still_waits_for_its_money(
    hearing: Hearing,
) -> None:
    claim = await hearing.a_half_award()
    await hearing.desk.at("2024-03-04T00:00")
    shown = await hearing.desk.show(claim)
    assert (shown["state"], shown["appeal_until"]) == ("PAYING", None)

    problem = refused(await hearing.appeal(claim), 409, "appeal-late")

    assert problem["file_by"] == "2024-03-03"


async def test_what_is_not_decided_cannot_be_appealed(hearing: Hearing) -> None:
    desk = hearing.desk
    claim = await hearing.a_damage()
    for state in ("INFO_REQUIRED", "REFERRED", "WITHDRAWN"):
        async with desk.db.transaction(desk.tenant) as tx:
            await tx.execute(
                "UPDATE claims SET state = $2 WHERE tenant_id = $1", desk.tenant, state
            )
        before = await state_of(desk)
        refused(await hearing.appeal(claim), 409, "claim-not-decided")
        assert await state_of(desk) == before
    async with desk.db.transaction(desk.tenant) as tx:
        await tx.execute(
            "UPDATE claims SET state = 'NOTIFIED', filed_at = NULL, cause = 'damaged' "
            "WHERE tenant_id = $1",
            desk.tenant,
        )
    refused(await hearing.appeal(claim), 409, "claim-not-decided")
    async with desk.db.transaction(desk.tenant) as tx:
        await tx.execute("UPDATE claims SET state = 'CLOSED' WHERE tenant_id = $1", desk.tenant)
    refused(await hearing.appeal(claim), 409, "claim-not-decided")


async def test_a_second_appeal_waits_for_the_first(hearing: Hearing) -> None:
    claim = await hearing.a_denial()
    appeal = await hearing.an_appeal(claim)
    before = await state_of(hearing.desk)

    for tier in (None, 1, 2):
        problem = refused(await hearing.appeal(claim, tier=tier), 409, "appeal-open")
        assert problem["appeal_id"] == appeal["appeal_id"]

    assert await state_of(hearing.desk) == before


async def test_an_appeal_of_the_wrong_form_is_refused(hearing: Hearing) -> None:
    claim = await hearing.a_denial()
    wrong: tuple[Json, ...] = (
        {"grounds": ""},
        {"grounds": "x" * 4_001},
        {"tier": 0},
        {"tier": "1"},
        {"evidence_ids": ["evd_1"]},
        {"award": amount(1)},
    )
    for body in wrong:
        refused(await hearing.appeal(claim, **body), 422, "invalid-request")
    refused(await hearing.appeal(claim, evidence_ids=[new_id("evd")]), 422, "unknown-evidence")
    assert (await hearing.desk.show(claim))["appeals"] == []

    appeal = await hearing.an_appeal(claim)
    path = f"/v1/appeals/{appeal['appeal_id']}/decision"
    for body in ({}, {"note": " "}, {"note": "x" * 4_001}, {"note": "n", "settles": True}):
        refused(await hearing.post(path, body, by="ben"), 422, "invalid-request")


# --- the tiers -------------------------------------------------------------------------------


async def test_bm_27_three_tiers_are_heard_in_order_each_by_its_own_body(
    hearing: Hearing,
) -> None:
    desk = hearing.desk
    claim = await hearing.a_denial()
    skipped = refused(await hearing.appeal(claim, tier=3), 409, "appeal-tier-skipped")
    assert (skipped["reason"], skipped["next_tier"]) == ("APPEAL_TIER_SKIPPED", 1)
    tiers = (
        (1, "second_adjudicator", CLAIMS_DECIDE, "2024-02-14", "ben"),
        (2, "claims_manager_panel", CLAIMS_MANAGE, "2024-02-20", "cas"),
        (3, "independent_reviewer", CLAIMS_REVIEW, "2024-03-01", "dot"),
    )
    for tier, body, scope, decide_by, decider in tiers:
        appeal = await hearing.an_appeal(claim, tier=tier)
        assert (appeal["body"], appeal["decide_by"]) == (body, decide_by)
        assert appeal["is_final"] == (tier == 3)
        others = {CLAIMS_READ, CLAIMS_DECIDE, CLAIMS_MANAGE, CLAIMS_REVIEW} - {scope}
        poor = await hearing.hear(appeal, by=decider, scopes=others)
        assert refused(poor, 403, "forbidden")["scope"] == scope
        heard = await hearing.hear(appeal, by=decider, scopes={CLAIMS_READ, scope})
        assert heard.json()["state"] == "UPHELD"

    shown = await desk.show(claim)
    assert [appeal["tier"] for appeal in shown["appeals"]] == [1, 2, 3]
    assert [e["is_final"] for e in await told(desk, "AppealDecided")] == [False, False, True]
    # After the last tier it is final, and over at once.
    assert (shown["state"], shown["appeal_until"]) == ("CLOSED", None)
    for tier in (None, 1, 4):
        problem = refused(await hearing.appeal(claim, tier=tier), 409, "appeal-exhausted")
        assert problem["reason"] == "APPEAL_EXHAUSTED"


async def test_the_next_tiers_time_runs_from_the_decision_of_the_one_before(
    hearing: Hearing,
) -> None:
    claim = await hearing.a_denial()
    appeal = await hearing.an_appeal(claim)
    await hearing.desk.at("2024-04-01T12:00")
    decided = await hearing.heard(appeal)
    assert decided["decided_at"] == "2024-04-01T12:00:00Z"
    assert (await hearing.desk.show(claim))["appeal_until"] == "2024-05-01"

    problem = refused(await hearing.appeal(claim, tier=1), 409, "appeal-exhausted")
    assert "tier 2" in problem["detail"]
    await hearing.desk.at("2024-05-01T23:59:59")
    assert (await hearing.an_appeal(claim))["tier"] == 2


async def test_who_decided_before_does_not_hear_the_appeal(hearing: Hearing) -> None:
    claim = await hearing.a_denial()
    first = await hearing.an_appeal(claim)
    before = await state_of(hearing.desk)
    refused(await hearing.hear(first, by="ann"), 403, "decided-before")
    assert await state_of(hearing.desk) == before
    await hearing.heard(first, by="ben")

    second = await hearing.an_appeal(claim)
    for decider in ("ann", "ben"):
        refused(await hearing.hear(second, by=decider), 403, "decided-before")
    assert (await hearing.heard(second, by="cas"))["state"] == "UPHELD"


async def test_an_appeal_is_decided_once(hearing: Hearing) -> None:
    claim = await hearing.a_half_award()
    appeal = await hearing.an_appeal(claim)
    await hearing.heard(appeal, grades={"i1": "1"})
    before = await state_of(hearing.desk)

    for decider in ("ben", "cas"):
        refused(await hearing.hear(appeal, by=decider), 409, "appeal-decided")

    assert await state_of(hearing.desk) == before


async def one_internal_review(desk: Desk, plan: str, zone: str) -> None:
    """File within 14 local days, decide within 10 working days, by another person; then final.

    Denied on 1 March 2024, a Friday, for a peril that the plan has not.
    """
    hearing = Hearing(desk)
    await desk.hears(*way_of(plan=plan, tenant=desk.tenant))
    last_instant, too_late = {
        "Asia/Shanghai": ("2024-03-15T15:59:59.999999", "2024-03-15T16:00:00"),
        "Asia/Kuala_Lumpur": ("2024-03-15T15:59:59.999999", "2024-03-15T16:00:00"),
    }[zone]
    await desk.at("2024-03-01T09:00")
    late, claim = await desk.a_claim("TAX"), await desk.a_claim("TAX")
    assert (claim["state"], claim["appeal_until"]) == ("DENIED", "2024-03-15")
    refused(await hearing.appeal(claim, tier=2), 409, "appeal-exhausted")

    await desk.at(last_instant)
    appeal = await hearing.an_appeal(claim)
    assert (appeal["body"], appeal["decide_by"]) == ("second_adjudicator", "2024-03-29")
    await desk.at(too_late)
    refused(await hearing.appeal(late), 409, "appeal-late")

    await hearing.heard(appeal)
    assert (await desk.show(claim))["state"] == "CLOSED"
    refused(await hearing.appeal(claim), 409, "appeal-exhausted")


async def test_mp_37_one_internal_review_by_another_person(
    app_of: AppOf, db_of: DbOf, token: Token
) -> None:
    desk = await Desk.open(app_of, db_of, token, tenant="sbx-mypoz-tests")
    await one_internal_review(desk, "mypoz-cargo", "Asia/Kuala_Lumpur")


async def test_tk_26_one_internal_review(app_of: AppOf, db_of: DbOf, token: Token) -> None:
    desk = await Desk.open(app_of, db_of, token, tenant="sbx-tks-tests")
    await one_internal_review(desk, "tks-warehouse", "Asia/Shanghai")


async def test_js_33_one_internal_review(app_of: AppOf, db_of: DbOf, token: Token) -> None:
    desk = await Desk.open(app_of, db_of, token, tenant="sbx-jsx-tests")
    await one_internal_review(desk, "jsx-cargo", "Asia/Shanghai")


async def test_cs_40_one_internal_review(app_of: AppOf, db_of: DbOf, token: Token) -> None:
    desk = await Desk.open(app_of, db_of, token)
    await one_internal_review(desk, "cssecure", "Asia/Shanghai")


# --- money meanwhile -------------------------------------------------------------------------


async def test_a_payout_goes_on_while_an_appeal_is_open(hearing: Hearing) -> None:
    desk = hearing.desk
    claim = await hearing.a_half_award()
    appeal = await hearing.an_appeal(claim)

    await fire_due(desk.client, FILED)
    sent = await desk.show(claim)
    assert (sent["state"], [p["state"] for p in sent["payouts"]]) == ("UNDER_APPEAL", ["SENT"])
    await hearing.settled(sent["payouts"][0])
    assert (await desk.show(claim))["state"] == "UNDER_APPEAL"

    await hearing.heard(appeal)
    assert (await desk.show(claim))["state"] == "PAID"


async def test_a_fresh_look_at_the_policy_leaves_to_the_appeal_what_it_may_add(
    hearing: Hearing,
) -> None:
    """On what is known now the engine would pay more: the payout goes out as it was."""
    desk = hearing.desk
    claim = await hearing.a_half_award()
    appeal = await hearing.an_appeal(claim)
    async with desk.db.transaction(desk.tenant) as tx:
        await tx.execute(
            "UPDATE claims SET findings = findings - 'grades' WHERE tenant_id = $1", desk.tenant
        )
    payout_id = claim["payouts"][0]["payout_id"]

    assert await stands_on_a_fresh_look(desk, payout_id)

    assert (await desk.show(claim))["payouts"][0]["state"] == "APPROVED"
    assert (await desk.show(claim))["state"] == "UNDER_APPEAL"
    # What the policy itself takes away is taken, and the appeal waits for what takes its place.
    void = tracked(state="VOID", delivered_at=DELIVERED)
    await desk.hears(message(void, 9, tenant=desk.tenant))
    assert not await stands_on_a_fresh_look(desk, payout_id)
    shown = await desk.show(claim)
    assert (shown["state"], shown["decision"]["outcome"]) == ("UNDER_APPEAL", "DENIED")
    assert [p["state"] for p in shown["payouts"]] == ["VOID"]
    assert (await hearing.heard(appeal))["state"] == "UPHELD"
    assert (await desk.show(claim))["state"] == "DENIED"


async def stands_on_a_fresh_look(desk: Desk, payout_id: str) -> bool:
    running = desk.client.app.state.running
    rules = Rules(plans=running.plans, tenants=running.tenants)
    async with desk.db.transaction(desk.tenant) as tx:
        payout = await store.get_payout(tx, payout_id, tenant_id=desk.tenant)
        now = await testclock.now_in(tx, desk.tenant)
        return await reconsider(tx, rules, payout, tenant_id=desk.tenant, now=now)


async def test_a_payout_that_failed_is_not_paid_a_second_time_by_an_appeal(
    hearing: Hearing,
) -> None:
    desk = hearing.desk
    claim = await hearing.a_half_award()
    await fire_due(desk.client, FILED)
    await hearing.settled((await desk.show(claim))["payouts"][0], "FAILED")

    await hearing.heard(await hearing.an_appeal(claim), grades={"i1": "1"})

    shown = await desk.show(claim)
    assert payouts_of(shown) == [HALF, WHOLE - HALF]
    failed = shown["payouts"][0]
    again = await desk.post(f"/v1/payouts/{failed['payout_id']}/retry", {})
    assert again.status_code == 200
    assert (await hearing.paid_out(claim, FILED))["state"] == "PAID"
    assert await desk.balances() == {"claims": WHOLE, "cash": -WHOLE}


# --- the end of a claim ----------------------------------------------------------------------


async def test_a_paid_claim_closes_when_its_last_day_to_appeal_is_over(
    hearing: Hearing,
) -> None:
    desk = hearing.desk
    claim = await hearing.paid_out(await hearing.a_half_award(), FILED)
    await desk.at("2024-03-03T23:59:59.999999")
    assert (await desk.show(claim))["state"] == "PAID"

    await desk.at("2024-03-05T00:00")

    shown = await desk.show(claim)
    assert (shown["state"], shown["closed_at"]) == ("CLOSED", "2024-03-04T00:00:00Z")
    (closed,) = await told(desk, "ClaimClosed")
    assert (closed["outcome"], closed["paid"]) == ("APPROVED", amount(HALF, "USD"))
    assert closed["closed_at"] == shown["closed_at"]
    assert "close_claim" not in await desk.deadlines()


async def test_a_denied_claim_closes_with_nothing_paid(hearing: Hearing) -> None:
    claim = await hearing.a_denial()
    await hearing.desk.at(TOO_LATE)

    assert (await hearing.desk.show(claim))["state"] == "CLOSED"
    (closed,) = await told(hearing.desk, "ClaimClosed")
    assert (closed["outcome"], closed["paid"]) == ("DENIED", amount(0, "USD"))


async def test_a_claim_whose_money_is_on_its_way_closes_when_that_is_confirmed(
    hearing: Hearing,
) -> None:
    desk = hearing.desk
    claim = await hearing.a_half_award()
    await desk.at("2024-03-06T00:00")
    shown = await desk.show(claim)
    assert (shown["state"], shown["closed_at"]) == ("PAYING", None)
    await hearing.settled(shown["payouts"][0], "FAILED")
    assert (await desk.show(claim))["state"] == "PAYING"
    await desk.post(f"/v1/payouts/{shown['payouts'][0]['payout_id']}/retry", {})

    paid = await hearing.paid_out(claim, "2024-03-06T00:00")

    assert (paid["state"], paid["closed_at"]) == ("CLOSED", "2024-03-06T00:00:00Z")
    assert (await desk.said())[-2:] == ["PayoutSettled", "ClaimClosed"]
    assert len(await told(desk, "ClaimClosed")) == 1


async def test_an_open_appeal_keeps_a_claim_open_whatever_the_day(hearing: Hearing) -> None:
    desk = hearing.desk
    claim = await hearing.a_denial()
    appeal = await hearing.an_appeal(claim)
    await desk.at("2024-06-01T00:00")
    assert (await desk.show(claim))["state"] == "UNDER_APPEAL"

    await hearing.heard(appeal)

    assert (await desk.show(claim))["state"] == "DENIED"
    await desk.at("2024-07-01T23:59:59")
    assert (await desk.show(claim))["state"] == "DENIED"
    await desk.at("2024-07-02T00:00")
    assert (await desk.show(claim))["state"] == "CLOSED"


async def test_a_last_tier_that_wins_closes_when_its_difference_is_confirmed(
    hearing: Hearing,
) -> None:
    desk = hearing.desk
    claim = await hearing.paid_out(await hearing.a_half_award(), FILED)
    for decider in ("ben", "cas"):
        await hearing.heard(await hearing.an_appeal(claim), by=decider)
    await hearing.heard(await hearing.an_appeal(claim), by="dot", grades={"i1": "1"})
    shown = await desk.show(claim)
    assert (shown["state"], shown["appeal_until"]) == ("APPROVED", None)

    assert (await hearing.paid_out(claim, FILED))["state"] == "CLOSED"
    (closed,) = await told(desk, "ClaimClosed")
    assert closed["paid"] == amount(WHOLE, "USD")


async def test_a_plan_without_appeals_closes_a_claim_as_soon_as_its_money_is_settled(
    app_of: AppOf, db_of: DbOf, token: Token, tmp_path: Path
) -> None:
    for file in PROGRAMMES.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    silent = tmp_path / "cssecure.v2.yaml"
    published = silent.read_text()
    silent.write_text(re.sub(r"^(appeal:|  appeal).*\n", "", published, flags=re.MULTILINE))
    pinned = load(tmp_path).newest("cssecure")
    assert pinned.appeal == ()
    pin = replace(an_offer().plan, sha256=pinned.sha256)
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(app_of, db_of, token, policy_url=url, plans=tmp_path)
        sold = [msgspec.structs.replace(event, plan=pin) for event in (issued(), paid())]
        late = tracked(state="RUN_OFF", delivered_at="2024-03-02T07:00")
        events = [*sold, activated(), late]
        await desk.hears(*(message(event, n) for n, event in enumerate(events, start=1)))
        await desk.at("2024-03-02T09:00")

        denied, approved = await desk.a_claim("TAX"), await desk.a_claim("DELAY")

        assert (denied["state"], denied["decision"]["outcome"]) == ("CLOSED", "DENIED")
        refused(await Hearing(desk).appeal(denied), 409, "appeal-exhausted")
        assert (approved["state"], approved["appeal_until"]) == ("APPROVED", None)
        now = "2024-03-02T09:00"
        assert (await Hearing(desk).paid_out(approved, now))["state"] == "CLOSED"


async def test_what_is_withdrawn_or_waits_for_its_claimant_is_not_closed(
    hearing: Hearing,
) -> None:
    desk = hearing.desk
    claim = await hearing.a_denial()
    for state, changes in (
        ("WITHDRAWN", ""),
        ("REFERRED", ""),
        ("NOTIFIED", ", filed_at = NULL, cause = 'damaged'"),
    ):
        async with desk.db.transaction(desk.tenant) as tx:
            await tx.execute(
                f"UPDATE claims SET state = $2{changes} WHERE tenant_id = $1",
                desk.tenant,
                state,
            )
            await tx.execute(
                "INSERT INTO deadlines (tenant_id, kind, subject, due_at) "
                "SELECT tenant_id, 'close_claim', claim_id, closes_at FROM appeal_windows "
                "WHERE tenant_id = $1 ON CONFLICT DO NOTHING",
                desk.tenant,
            )
        await desk.at(TOO_LATE)
        assert (await desk.show(claim))["state"] == state
        assert "close_claim" not in await desk.deadlines()
    assert await told(desk, "ClaimClosed") == []


async def test_a_claim_decided_before_windows_were_kept_gets_its_own(hearing: Hearing) -> None:
    """As migration 0006 leaves it: no window, and a deadline as of the decision."""
    desk = hearing.desk
    claim = await hearing.a_denial()
    async with desk.db.transaction(desk.tenant) as tx:
        await tx.execute("DELETE FROM appeal_windows WHERE tenant_id = $1", desk.tenant)
        await tx.execute(
            "UPDATE deadlines SET due_at = $2 WHERE tenant_id = $1 AND kind = 'close_claim'",
            desk.tenant,
            at(LAPSED),
        )
    assert (await desk.show(claim))["appeal_until"] is None

    await desk.at("2024-02-12T00:00")

    assert (await desk.show(claim))["appeal_until"] == "2024-03-11"
    await desk.at(LAST_INSTANT)
    assert (await desk.show(claim))["state"] == "DENIED"
    await desk.at(TOO_LATE)
    assert (await desk.show(claim))["state"] == "CLOSED"


# --- overdue ---------------------------------------------------------------------------------


async def test_an_appeal_not_decided_by_its_day_is_told_to_staff_once(hearing: Hearing) -> None:
    desk = hearing.desk
    appeal = await hearing.an_appeal(await hearing.a_denial())
    assert appeal["decide_by"] == "2024-02-14"
    await desk.at("2024-02-14T23:59:59.999999")
    assert await told(desk, "ClaimOverdue") == []

    for now in ("2024-02-15T00:00", "2024-02-20T00:00"):
        await desk.at(now)
        (overdue,) = await told(desk, "ClaimOverdue")
    assert (overdue["clock"], overdue["level"]) == ("APPEAL_DECIDE", "BREACH")
    assert overdue["due_on"] == "2024-02-14"
    # It is still to be decided, and can be.
    assert (await hearing.heard(appeal))["state"] == "UPHELD"


async def test_an_appeal_decided_in_time_is_never_overdue(hearing: Hearing) -> None:
    desk = hearing.desk
    appeal = await hearing.an_appeal(await hearing.a_denial())
    assert (await desk.deadlines())["say_appeal_is_overdue"] == at("2024-02-15T00:00")
    await hearing.heard(appeal)
    assert "say_appeal_is_overdue" not in await desk.deadlines()

    await desk.at("2024-02-20T00:00")
    assert await told(desk, "ClaimOverdue") == []


# --- at once ---------------------------------------------------------------------------------


async def test_of_fifty_appeals_at_once_one_is_taken(hearing: Hearing) -> None:
    claim = await hearing.a_denial()

    answers = await asyncio.gather(*(hearing.appeal(claim) for _ in range(AT_ONCE)))

    assert Counter(r.status_code for r in answers) == {201: 1, 409: AT_ONCE - 1}
    assert {r.json()["code"] for r in answers if r.status_code == 409} == {"appeal-open"}
    assert len(await told(hearing.desk, "ClaimAppealed")) == 1
    assert len((await hearing.desk.show(claim))["appeals"]) == 1


async def test_of_fifty_decisions_of_an_appeal_at_once_one_stands_and_pays(
    hearing: Hearing,
) -> None:
    claim = await hearing.paid_out(await hearing.a_half_award(), FILED)
    appeal = await hearing.an_appeal(claim)

    answers = await asyncio.gather(
        *(
            hearing.hear(appeal, by=f"adjudicator-{n}", grades={"i1": "1"})
            for n in range(AT_ONCE)
        )
    )

    assert Counter(r.status_code for r in answers) == {200: 1, 409: AT_ONCE - 1}
    assert {r.json()["code"] for r in answers if r.status_code == 409} == {"appeal-decided"}
    shown = await hearing.desk.show(claim)
    assert (shown["decision"]["number"], payouts_of(shown)) == (3, [HALF, WHOLE - HALF])
    assert len(await told(hearing.desk, "AppealDecided")) == 1


async def test_an_appeal_filed_in_time_is_heard_though_the_claim_closed_before_its_turn(
    hearing: Hearing,
) -> None:
    """It waited for the claim while the window ended: its time is that of its asking."""
    desk = hearing.desk
    claim = await hearing.a_denial()
    await desk.at(TOO_LATE)
    assert (await desk.show(claim))["state"] == "CLOSED"
    async with desk.db.transaction(desk.tenant) as tx:
        await tx.execute(
            "UPDATE test_clocks SET now = $2 WHERE tenant_id = $1",
            desk.tenant,
            at(LAST_INSTANT),
        )

    appeal = await hearing.an_appeal(claim)

    shown = await desk.show(claim)
    assert (shown["state"], shown["closed_at"]) == ("UNDER_APPEAL", None)
    await hearing.heard(appeal)
    assert (await desk.show(claim))["state"] == "DENIED"


async def test_the_same_key_again_is_the_same_appeal_and_the_same_decision(
    hearing: Hearing,
) -> None:
    desk = hearing.desk
    claim = await hearing.a_denial()
    path = f"/v1/claims/{claim['claim_id']}/appeals"
    key = {"idempotency-key": "k-1"}
    first = await desk.post(path, {"grounds": "g"}, **key)
    again = await desk.post(path, {"grounds": "g"}, **key)
    assert (first.status_code, again.content) == (201, first.content)

    path = f"/v1/appeals/{first.json()['appeal_id']}/decision"
    key = {"idempotency-key": "k-2"}
    decided = [await desk.post(path, {"note": "n"}, **key) for _ in range(2)]
    assert (decided[0].status_code, decided[1].content) == (200, decided[0].content)


# --- reasons overridden ----------------------------------------------------------------------


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> Desk:
    """CSSBuy's, whose notices of damage may be late by a person's leave (CS-21)."""
    desk = await Desk.open(app_of, db_of, token)
    await people.deliver_parcel(desk)
    return desk


@pytest.fixture
async def late(desk: Desk) -> Json:
    """Denied by ann as told too late, and appealed against."""
    claim = await people.late_damage(desk)
    denied = people.done(await people.decide(people.adjudicator(desk, "ann"), claim))
    assert (denied["state"], denied["payouts"]) == ("DENIED", [])
    return await Hearing(desk).an_appeal(denied)


async def overriding(desk: Desk, appeal: Json, by: str = "ben", **more: Any) -> Any:
    """Ben would forgive that it was told too late."""
    body = {
        "note": "Nobody could have told it sooner.",
        "findings": people.SEEN,
        "overrides": [people.OVERRIDE],
        **more,
    }
    who = people.manager(desk, by) if appeal["tier"] > 1 else people.adjudicator(desk, by)
    return await who.post(f"/v1/appeals/{appeal['appeal_id']}/decision", body)


async def claim_of(desk: Desk, appeal: Json) -> Json:
    return await desk.show({"claim_id": appeal["claim_id"]})


async def test_g_13_what_an_appeal_overrides_is_proposed_by_one_and_agreed_to_by_another(
    desk: Desk, late: Json
) -> None:
    proposed = people.done(await overriding(desk, late))
    assert (proposed["state"], proposed["proposed_by"]) == ("OPEN", "ben")
    assert (proposed["decided_by"], proposed["note"]) == (None, None)
    shown = await claim_of(desk, late)
    assert (shown["state"], shown["payouts"]) == ("UNDER_APPEAL", [])
    assert shown["decision"]["outcome"] == "DENIED"
    (approval,) = people.done(await desk.get("/v1/approvals?state=OPEN&about=appeal"))["items"]
    assert (approval["subject_id"], approval["scope"]) == (late["appeal_id"], CLAIMS_DECIDE)
    assert approval["why"] == f"LATE_NOTICE: {people.WHY}"
    # Neither who proposes it, nor who decided the claim, nor anybody without the scope.
    before = await state_of(desk)
    for is_granted in (True, False):
        for name, code in (("ben", "same-person"), ("ann", "decided-before")):
            who = people.adjudicator(desk, name)
            refused(await people.answer(who, approval, is_granted), 403, code)
        refused(
            await people.answer(people.cashier(desk), approval, is_granted), 403, "forbidden"
        )
    assert await state_of(desk) == before

    cas = people.adjudicator(desk, "cas")
    answered = people.done(await people.answer(cas, approval))

    assert answered["state"] == "GRANTED"
    assert people.done(await people.answer(cas, approval)) == answered
    shown = await claim_of(desk, late)
    (appeal,) = shown["appeals"]
    assert (appeal["state"], appeal["decided_by"], appeal["proposed_by"]) == (
        "VARIED",
        "ben",
        None,
    )
    decision = shown["decision"]
    assert (decision["decided_by"], decision["approved_by"]) == ("ben", "cas")
    assert decision["overrides"] == [{**people.OVERRIDE, "by": "ben"}]
    assert (shown["state"], payouts_of(shown)) == ("APPROVED", [85_000])
    assert (await desk.said())[-3:] == ["ApprovalAnswered", "ClaimDecided", "AppealDecided"]
    # It stands on a fresh look at the policy too, before the money goes.
    assert await stands_on_a_fresh_look(desk, shown["payouts"][0]["payout_id"])


async def test_a_refused_override_leaves_the_appeal_open_for_another_decision(
    desk: Desk, late: Json
) -> None:
    for second in ("cas", "dot"):
        people.done(await overriding(desk, late))
        (approval,) = await people.open_approvals(desk)
        who = people.adjudicator(desk, second)
        refusal = people.done(await people.answer(who, approval, is_granted=False))
        assert refusal["state"] == "REFUSED"
        shown = await claim_of(desk, late)
        (appeal,) = shown["appeals"]
        assert (shown["state"], appeal["state"], appeal["proposed_by"]) == (
            "UNDER_APPEAL",
            "OPEN",
            None,
        )
    # Who refused had a hand in it.
    people.done(await overriding(desk, late))
    (approval,) = await people.open_approvals(desk)
    cas = people.adjudicator(desk, "cas")
    refused(await people.answer(cas, approval), 403, "decided-before")

    decided = people.done(await overriding(desk, late, overrides=[]))

    assert (decided["state"], decided["decided_by"]) == ("UPHELD", "ben")
    # It was the only tier.
    assert (await claim_of(desk, late))["state"] == "CLOSED"
    assert await people.open_approvals(desk) == []
    eve = people.adjudicator(desk, "eve")
    refused(await people.answer(eve, approval), 409, "approval-answered")


async def test_an_override_that_brings_nothing_more_upholds_and_is_forgotten(
    desk: Desk, late: Json
) -> None:
    """The film does not show all it must."""
    seen = {"video_elements": ["unboxing_shown"]}
    people.done(await overriding(desk, late, findings=seen))
    (approval,) = await people.open_approvals(desk)

    people.done(await people.answer(people.adjudicator(desk, "cas"), approval))

    shown = await claim_of(desk, late)
    assert (shown["state"], shown["appeals"][0]["state"]) == ("CLOSED", "UPHELD")
    assert (shown["payouts"], shown["decision"]["overridden"]) == ([], [])
    (row,) = await desk.rows("SELECT overrides FROM claims WHERE tenant_id = $1")
    assert row["overrides"] == "[]"


async def test_what_is_not_the_answer_any_more_is_not_agreed_to(desk: Desk, late: Json) -> None:
    people.done(await overriding(desk, late))
    (approval,) = await people.open_approvals(desk)
    body = {"source": "carrier", "reference": "c-1", "amount": amount(30_000)}
    path = f"/v1/claims/{late['claim_id']}/recoveries"
    people.done(await desk.post(path, body))

    said = people.done(await people.answer(people.adjudicator(desk, "cas"), approval))

    assert (said["state"], said["void_why"]) == ("VOID", "PROPOSAL_CHANGED")
    shown = await claim_of(desk, late)
    assert (shown["state"], shown["payouts"]) == ("UNDER_APPEAL", [])
    people.done(await overriding(desk, late))
    (approval,) = await people.open_approvals(desk)
    people.done(await people.answer(people.adjudicator(desk, "dot"), approval))
    assert payouts_of(await claim_of(desk, late)) == [55_000]


async def test_only_discretionary_reasons_are_overridden_in_an_appeal(
    desk: Desk, late: Json
) -> None:
    before = await state_of(desk)
    for code in ("NO_RESIDUAL_LOSS", "BIY_NOT_MARKED"):
        asked = [{"code": code, "why": people.WHY}]
        problem = refused(await overriding(desk, late, overrides=asked), 422, "not-overridable")
        assert problem["overridable"] == ["LATE_NOTICE"]
    for why in ("", "too short", "x" * 2_001):
        wordless = [{**people.OVERRIDE, "why": why}]
        refused(await overriding(desk, late, overrides=wordless), 422, "invalid-request")
    refused(await overriding(desk, late, by="ann"), 403, "decided-before")

    assert await state_of(desk) == before
    assert await people.open_approvals(desk) == []


async def test_of_fifty_answers_to_an_appeals_override_at_once_one_counts(
    desk: Desk, late: Json
) -> None:
    people.done(await overriding(desk, late))
    (approval,) = await people.open_approvals(desk)

    answers = await asyncio.gather(
        *(
            people.answer(people.adjudicator(desk, f"person-{n}"), approval, n % 2 == 0)
            for n in range(AT_ONCE)
        )
    )

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: AT_ONCE - 1}
    (said,) = [answer.json() for answer in answers if answer.status_code == 200]
    is_granted = said["state"] == "GRANTED"
    shown = await claim_of(desk, late)
    assert shown["appeals"][0]["state"] == ("VARIED" if is_granted else "OPEN")
    assert payouts_of(shown) == ([85_000] if is_granted else [])


async def test_an_answer_and_another_decision_at_once_decide_the_appeal_once(
    desk: Desk, late: Json
) -> None:
    people.done(await overriding(desk, late))
    (approval,) = await people.open_approvals(desk)

    answered, heard = await asyncio.gather(
        people.answer(people.adjudicator(desk, "cas"), approval),
        overriding(desk, late, overrides=[]),
    )

    assert sorted((answered.status_code, heard.status_code)) == [200, 409]
    shown = await claim_of(desk, late)
    is_granted = answered.status_code == 200
    assert shown["appeals"][0]["state"] == ("VARIED" if is_granted else "UPHELD")
    assert payouts_of(shown) == ([85_000] if is_granted else [])
    assert len(await told(desk, "AppealDecided")) == 1
