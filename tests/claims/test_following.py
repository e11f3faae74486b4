"""Time and requests of claims through the service: asked, reminded, lapsed; promised, paused, missed."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import msgspec
import pytest

from tests.claims.desk import POLICY_ID, Desk, done, refused, told, tracked, way_of
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import Json, amount, at, names, said
from tests.policy.serving import fire_due, served

BML, TKS, JSX = "sbx-bml-tests", "sbx-tks-tests", "sbx-jsx-tests"

# A Monday, 09:00 in Shanghai.
MONDAY = "2024-05-06T01:00"
TUESDAY = "2024-05-07T01:00"
WEDNESDAY = "2024-05-08T01:00"


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> AsyncIterator[Desk]:
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        yield await Desk.open(app_of, db_of, token, policy_url=url)


async def insured(
    desk: Desk,
    plan: str,
    tenant: str,
    now: str = MONDAY,
    policy_id: str = POLICY_ID,
    **more: Any,
) -> Desk:
    """The tenant's desk on that day; its parcel came the day before unless its way is told."""
    theirs = desk.of(tenant)
    way = more.pop("way", {"state": "RUN_OFF", "delivered_at": "2024-05-05T01:00"})
    await theirs.hears(
        *way_of(policy_id, plan, tenant=tenant, tracking=tracked(policy_id, **way), **more)
    )
    await theirs.at(now)
    return theirs


async def add(desk: Desk, claim: Json, *kinds: str, **more: Any) -> Json:
    ids = await desk.papers(*kinds, policy_id=claim["policy_id"])
    return done(
        await desk.post(
            f"/v1/claims/{claim['claim_id']}/evidence", {"evidence_ids": ids, **more}
        )
    )


async def ask(desk: Desk, claim: Json, *kinds: str, message: str = "Please.") -> httpx.Response:
    return await desk.post(
        f"/v1/claims/{claim['claim_id']}/information-requests",
        {"kinds": list(kinds), "message": message},
    )


async def decide(desk: Desk, claim: Json, *, settles: bool = False, **findings: Any) -> Json:
    path = f"/v1/claims/{claim['claim_id']}/decision"
    return done(await desk.post(path, {"findings": findings, "settles": settles}))


def clocks_of(claim: Json) -> dict[str, Json]:
    return {clock["name"]: clock for clock in claim["clocks"]}


async def overdue(desk: Desk) -> list[Json]:
    """What was told of promised days that passed, in its order."""
    return [
        msgspec.json.decode(event.data)
        for event in await said(desk.db, POLICY_ID)
        if names([event]) == ["ClaimOverdue"]
    ]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def a_damage_at_jsx(desk: Desk) -> tuple[Desk, Json]:
    """A complete file that waits for a person; two working days are the target, five the end."""
    jsx = await insured(desk, "jsx-cargo", JSX)
    papers = await jsx.papers("value_document", "logistics_document", "damage_photos")
    claim = await jsx.a_claim("DAMAGE", claimed_value=amount(20_000), evidence_ids=papers)
    assert claim["state"] == "REFERRED", claim
    return jsx, claim


# --- when the file is complete ---------------------------------------------------------------


async def test_the_file_is_complete_when_the_last_gap_is_closed_and_stays_so(
    desk: Desk,
) -> None:
    jsx = await insured(desk, "jsx-cargo", JSX)
    claim = await jsx.a_claim("DAMAGE", claimed_value=amount(20_000))
    assert (claim["state"], claim["complete_at"], claim["clocks"]) == (
        "INFO_REQUIRED",
        None,
        [],
    )
    await jsx.at(TUESDAY)
    claim = await add(jsx, claim, "value_document", "logistics_document")
    assert claim["complete_at"] is None

    claim = await add(jsx, claim, "damage_photos")

    assert moment(claim["complete_at"]) == at(TUESDAY)
    assert clocks_of(claim)["DECIDE"]["due_on"] == "2024-05-14"
    await jsx.at(WEDNESDAY)
    done(await ask(jsx, claim, "product_images"))
    claim = await add(jsx, claim, "product_images")
    assert moment(claim["complete_at"]) == at(TUESDAY)


async def test_bm_26_a_first_complete_claim_of_a_year_comes_first(desk: Desk) -> None:
    lost = {"last_update_at": "2024-05-01T00:00"}
    papers = ("carrier_loss_letter", "courier_communication")
    bml = await insured(
        desk, "bml-shipping", BML, way=lost, scope="domestic", customer_id="ann"
    )
    first = await bml.a_claim("LOSS", evidence_ids=await bml.papers(*papers))
    assert (first["is_priority"], clocks_of(first)["DECIDE"]["due_on"]) == (True, "2024-05-08")

    cases = {
        # The same customer on another parcel; another one; and somebody nobody knows.
        "pol_01JQZX7Y5V0000000000000002": ("ann", False),
        "pol_01JQZX7Y5V0000000000000003": ("bob", True),
        "pol_01JQZX7Y5V0000000000000004": ("", False),
    }
    for policy_id, (customer_id, comes_first) in cases.items():
        terms = {"way": lost, "scope": "domestic", "customer_id": customer_id}
        await insured(desk, "bml-shipping", BML, policy_id=policy_id, **terms)
        ids = await bml.papers(*papers, policy_id=policy_id)
        claim = await bml.a_claim("LOSS", policy_id=policy_id, evidence_ids=ids)
        assert claim["is_priority"] is comes_first, customer_id
        # Never the amount.
        assert claim["decision"]["payout"] == first["decision"]["payout"]

    listed = done(await bml.get("/v1/claims?priority=true"))["items"]
    assert {one["policy_id"] for one in listed} == {
        POLICY_ID,
        "pol_01JQZX7Y5V0000000000000003",
    }


async def test_bm_26_a_year_later_the_earlier_claim_counts_no_more(desk: Desk) -> None:
    """The local day a year before still counts; the day after that one it is past."""
    cases = [
        ("ann", MONDAY, None),
        ("bob", MONDAY, None),
        ("ann", "2025-05-06T01:00", False),
        ("bob", "2025-05-07T01:00", True),
    ]
    for number, (customer_id, now, comes_first) in enumerate(cases):
        policy_id = f"pol_01JQZX7Y5V000000000000000{number}"
        lost = {"last_update_at": now.replace("-05-0", "-04-2")}
        terms = {"way": lost, "scope": "domestic", "customer_id": customer_id}
        bml = await insured(desk, "bml-shipping", BML, now, policy_id, **terms)
        letter = await bml.papers("carrier_loss_letter", policy_id=policy_id)
        claim = await bml.a_claim("LOSS", policy_id=policy_id, evidence_ids=letter)
        assert comes_first in (None, claim["is_priority"]), (customer_id, now)


async def test_bm_26_a_file_with_a_gap_at_first_is_not_clean(desk: Desk) -> None:
    bml = await insured(desk, "bml-shipping", BML, customer_id="ann")
    claim = await bml.a_claim("DAMAGE", claimed_value=amount(20_000, "USD"))
    assert claim["state"] == "INFO_REQUIRED"

    claim = await add(bml, claim, "unboxing_video")

    assert (claim["is_priority"], clocks_of(claim)["DECIDE"]["due_on"]) == (
        False,
        "2024-05-13",
    )


# --- the engine asks -------------------------------------------------------------------------


async def test_g_12_all_that_is_missing_is_asked_for_once(desk: Desk) -> None:
    jsx = await insured(desk, "jsx-cargo", JSX)
    claim = await jsx.a_claim("DAMAGE", claimed_value=amount(20_000))

    assert await jsx.said() == ["ClaimFiled", "ClaimDecided", "EvidenceRequested"]
    event = await jsx.told_last()
    assert event["missing"] == ["value_document", "logistics_document", "damage_photos"]
    assert (event["asked_by"], event["info_until"]) == ("engine", "2024-05-13")
    request = claim["request"]
    assert (request["request_id"], request["missing"]) == (
        event["request_id"],
        event["missing"],
    )

    await jsx.at(TUESDAY)
    claim = await add(jsx, claim, "damage_photos")
    assert claim["request"] == {**request, "missing": ["value_document", "logistics_document"]}
    claim = await add(jsx, claim, "value_document", "logistics_document")
    assert (claim["state"], claim["request"]) == ("REFERRED", None)
    assert (await jsx.said()).count("EvidenceRequested") == 1
    assert "remind_claimant" not in await jsx.deadlines()


async def test_the_claimant_is_reminded_once_and_the_window_lapses(desk: Desk) -> None:
    jsx = await insured(desk, "jsx-cargo", JSX)
    claim = await jsx.a_claim("DAMAGE", claimed_value=amount(20_000))
    assert (await jsx.deadlines())["remind_claimant"] == at("2024-05-11T16:00")

    await jsx.at("2024-05-11T16:00")
    assert await jsx.said() == [
        "ClaimFiled",
        "ClaimDecided",
        "EvidenceRequested",
        "EvidenceReminded",
    ]
    assert (await jsx.told_last())["until"] == "2024-05-13"
    # A paper that comes afterwards asks nobody again.
    claim = await add(jsx, claim, "damage_photos")
    assert "remind_claimant" not in await jsx.deadlines()

    await jsx.at("2024-05-13T16:00")
    claim = await jsx.show(claim)
    assert (claim["state"], claim["request"]) == ("REFERRED", None)
    assert claim["decision"]["outcome"] == "DENIED"
    (row,) = await jsx.rows(
        "SELECT lapsed_at, answered_at FROM information_requests WHERE tenant_id = $1"
    )
    assert (row["lapsed_at"], row["answered_at"]) == (at("2024-05-13T16:00"), None)


async def test_a_claimant_says_that_a_paper_can_never_be_had(desk: Desk) -> None:
    jsx = await insured(desk, "jsx-cargo", JSX)
    claim = await jsx.a_claim("DAMAGE", claimed_value=amount(20_000))
    path = f"/v1/claims/{claim['claim_id']}/evidence"
    refused(await jsx.post(path, {}), 422, "nothing-said")
    refused(await jsx.post(path, {"unavailable_evidence": ["a_dream"]}), 422, "invalid-request")

    claim = done(await jsx.post(path, {"message": "I look for it."}))
    assert (claim["state"], claim["request"]["replies"]) == (
        "INFO_REQUIRED",
        ["I look for it."],
    )
    claim = done(await jsx.post(path, {"unavailable_evidence": ["damage_photos"]}))

    assert claim["decision"]["reasons"][0]["code"] == "EVIDENCE_NOT_PROVIDED"
    assert claim["request"] is None
    # Denied on merit: that waits for a person, and what can't be had stays said.
    claim = await add(jsx, claim, "value_document")
    assert claim["decision"]["reasons"][0]["detail"] == "damage_photos"
    refused(await jsx.post(path, {"message": "Sorry."}), 409, "nothing-asked")


# --- a person asks ---------------------------------------------------------------------------


async def test_mp_11_cs_35_g_08_a_person_asks_for_more_and_the_clock_stands_still(
    desk: Desk,
) -> None:
    jsx, claim = await a_damage_at_jsx(desk)
    assert clocks_of(claim)["DECIDE"]["due_on"] == "2024-05-13"
    await jsx.at(TUESDAY)

    claim = done(await ask(jsx, claim, "product_images", message="From all sides."))

    assert claim["state"] == "INFO_REQUIRED"
    decide = clocks_of(claim)["DECIDE"]
    assert (decide["state"], decide["due_on"]) == ("PAUSED", None)
    event = await jsx.told_last()
    assert (event["missing"], event["message"]) == (["product_images"], "From all sides.")
    assert event["asked_by"] != "engine"
    assert event["info_until"] == claim["request"]["info_until"] == "2024-05-14"
    deadlines = await jsx.deadlines()
    assert deadlines["look_again_at_claim"] == at("2024-05-14T16:00")
    assert "note_overdue" not in deadlines
    refused(await ask(jsx, claim, "weight_photo"), 409, "request-open")
    # News of the parcel decide it anew, and do not take it out of the claimant's hands.
    news = tracked(state="RUN_OFF", delivered_at="2024-05-05T02:00")
    await jsx.hears(told(news, 9, tenant=JSX))
    assert (await jsx.show(claim))["state"] == "INFO_REQUIRED"

    await jsx.at("2024-05-09T01:00")
    claim = await add(jsx, claim, "product_images")

    assert (claim["state"], claim["request"]) == ("REFERRED", None)
    decide = clocks_of(claim)["DECIDE"]
    # Two midnights stood still: from Monday the 13th to Wednesday the 15th.
    assert (decide["state"], decide["due_on"]) == ("RUNNING", "2024-05-15")
    deadlines = await jsx.deadlines()
    assert deadlines["note_overdue"] == at("2024-05-10T16:00")
    assert "look_again_at_claim" not in deadlines
    assert "remind_claimant" not in deadlines
    (row,) = await jsx.rows("SELECT pauses FROM claims WHERE tenant_id = $1")
    assert "2024-05-07T01:00:00Z" in row["pauses"]
    assert "2024-05-09T01:00:00Z" in row["pauses"]


async def test_mp_11_what_a_person_asked_for_in_vain_goes_back_to_them_undecided(
    desk: Desk,
) -> None:
    jsx, claim = await a_damage_at_jsx(desk)
    proposed = claim["decision"]
    done(await ask(jsx, claim, "product_images"))

    await jsx.at("2024-05-13T16:00")

    claim = await jsx.show(claim)
    assert (claim["state"], claim["request"]) == ("REFERRED", None)
    assert claim["decision"] == proposed
    assert "EvidenceReminded" in await jsx.said()
    assert clocks_of(claim)["DECIDE"]["state"] == "RUNNING"
    (row,) = await jsx.rows("SELECT lapsed_at FROM information_requests WHERE tenant_id = $1")
    assert row["lapsed_at"] == at("2024-05-13T16:00")
    # And may be asked for once more.
    assert done(await ask(jsx, claim, "weight_photo"))["state"] == "INFO_REQUIRED"


async def test_a_person_decides_without_what_another_waits_for(desk: Desk) -> None:
    jsx, claim = await a_damage_at_jsx(desk)
    done(await ask(jsx, claim, "product_images"))

    claim = await decide(jsx, claim, settles=True)

    assert (claim["state"], claim["request"]) == ("APPROVED", None)
    decide_clock = clocks_of(claim)["DECIDE"]
    assert decide_clock["state"] == "STOPPED"
    assert set(await jsx.deadlines()).isdisjoint({"note_overdue", "remind_claimant"})


async def test_the_engine_settles_nothing_that_a_person_waits_for(desk: Desk) -> None:
    lost = {"last_update_at": "2024-05-01T00:00"}
    bml = await insured(desk, "bml-shipping", BML, way=lost, scope="domestic")
    letter = await bml.papers("carrier_loss_letter")
    some = amount(20_000, "USD")
    claim = await bml.a_claim("LOSS", evidence_ids=letter, claimed_value=some)
    assert claim["state"] == "REFERRED"
    done(await ask(bml, claim, "product_images"))

    # With its supporting papers it would be paid at once (BM-15).
    claim = await add(bml, claim, "courier_communication")
    assert (claim["state"], claim["payouts"]) == ("INFO_REQUIRED", [])

    claim = await add(bml, claim, "product_images")
    assert claim["state"] == "APPROVED"


async def test_only_a_claim_before_staff_is_asked_for_more(desk: Desk) -> None:
    jsx = await insured(desk, "jsx-cargo", JSX)
    claim = await jsx.a_claim("DAMAGE", claimed_value=amount(20_000))
    refused(await ask(jsx, claim, "weight_photo"), 409, "request-open")
    await add(jsx, claim, "value_document", "logistics_document", "damage_photos")
    refused(await ask(jsx, claim), 422, "invalid-request")
    claim = await decide(jsx, claim, settles=True)
    refused(await ask(jsx, claim, "weight_photo"), 409, "claim-not-open")

    held = await insured(
        desk, "jsx-cargo", JSX, policy_id="pol_01JQZX7Y5V0000000000000002",
        is_freight_paid=False,
    )  # fmt: skip
    papers = await held.papers("value_document", "logistics_document", "damage_photos",
        policy_id="pol_01JQZX7Y5V0000000000000002",
    )  # fmt: skip
    on_hold = await held.a_claim(
        "DAMAGE", policy_id="pol_01JQZX7Y5V0000000000000002",
        claimed_value=amount(20_000), evidence_ids=papers,
    )  # fmt: skip
    assert on_hold["state"] == "ON_HOLD"
    assert done(await ask(held, on_hold, "weight_photo"))["state"] == "INFO_REQUIRED"
    answered = await add(held, on_hold, "weight_photo")
    assert (answered["state"], answered["decision"]["number"]) == ("ON_HOLD", 1)


# --- promised days ---------------------------------------------------------------------------


async def test_js_20_a_target_and_a_breach_are_told_once_each_and_decide_nothing(
    desk: Desk,
) -> None:
    jsx, claim = await a_damage_at_jsx(desk)
    assert (await jsx.deadlines())["note_overdue"] == at("2024-05-08T16:00")

    await jsx.at("2024-05-08T15:59:59")
    assert "ClaimOverdue" not in await jsx.said()
    await jsx.at("2024-05-08T16:00")
    event = await jsx.told_last()
    assert (event["clock"], event["level"], event["due_on"]) == (
        "DECIDE",
        "TARGET",
        "2024-05-08",
    )
    shown = await jsx.show(claim)
    assert shown["escalated_at"] is None
    assert done(await jsx.get("/v1/claims?overdue=true"))["items"] == []

    await jsx.at("2024-05-20T00:00")
    event = await jsx.told_last()
    assert (event["level"], event["due_on"], event["category"]) == (
        "BREACH",
        "2024-05-13",
        "audit",
    )
    assert (await jsx.said()).count("ClaimOverdue") == 2
    shown = await jsx.show(claim)
    assert (shown["state"], shown["decision"]) == ("REFERRED", claim["decision"])
    assert moment(shown["escalated_at"]) == at("2024-05-13T16:00")
    listed = done(await jsx.get("/v1/claims?overdue=true"))["items"]
    assert [one["claim_id"] for one in listed] == [claim["claim_id"]]

    decided = await decide(jsx, claim, settles=True)
    assert decided["escalated_at"] == shown["escalated_at"]
    assert clocks_of(decided)["DECIDE"]["state"] == "STOPPED"
    assert done(await jsx.get("/v1/claims?overdue=true"))["items"] == []
    assert done(await jsx.get("/v1/claims?overdue=false"))["items"] != []
    assert (await jsx.said()).count("ClaimOverdue") == 2


async def test_a_decision_after_the_end_does_not_hide_that_it_was_late(desk: Desk) -> None:
    jsx, claim = await a_damage_at_jsx(desk)
    # The clock is past the end, and the runner has not come by yet.
    async with jsx.db.transaction(JSX) as tx:
        await tx.execute("UPDATE test_clocks SET now = $1", at("2024-05-14T01:00"))

    claim = await decide(jsx, claim, settles=True)

    levels = [name for name in await jsx.said() if name == "ClaimOverdue"]
    assert len(levels) == 2
    assert moment(claim["escalated_at"]) == at("2024-05-13T16:00")
    await fire_due(jsx.client, "2024-05-15T00:00")
    assert (await jsx.said()).count("ClaimOverdue") == 2


async def test_mp_38_money_is_promised_from_the_approval_until_it_has_come(desk: Desk) -> None:
    lost = {"last_update_at": "2024-05-01T00:00"}
    bml = await insured(desk, "bml-shipping", BML, way=lost, scope="domestic")
    papers = await bml.papers("carrier_loss_letter", "courier_communication")
    some = amount(20_000, "USD")
    claim = await bml.a_claim("LOSS", evidence_ids=papers, claimed_value=some)
    assert claim["state"] == "APPROVED"
    pay = clocks_of(claim)["PAY"]
    assert (pay["state"], pay["due_on"]) == ("RUNNING", "2024-05-13")
    await fire_due(bml.client, MONDAY)
    await bml.at("2024-05-14T00:00")
    assert [(one["clock"], one["level"]) for one in await overdue(bml)] == [("PAY", "BREACH")]

    payout = claim["payouts"][0]["payout_id"]
    body = {"state": "CONFIRMED", "reference": "bank-1"}
    done(await bml.post(f"/v1/payouts/{payout}/settlement", body))

    claim = await bml.show(claim)
    assert (claim["state"], clocks_of(claim)["PAY"]["state"]) == ("PAID", "STOPPED")
    assert "note_overdue" not in await bml.deadlines()


# --- the insurer and the carrier -------------------------------------------------------------


async def a_loss_at_tks(desk: Desk, *papers: str) -> tuple[Desk, Json]:
    """A seller's parcel that is lost; the claim has these papers."""
    lost = {"dispatched_at": "2024-04-06T01:00", "last_update_at": "2024-04-06T01:00"}
    tks = await insured(desk, "tks-warehouse", TKS, way=lost)
    ids = await tks.papers(*papers)
    loss = {"claimed_value": amount(50_000), "refund_to_buyer": amount(50_000)}
    return tks, await tks.a_claim("LOSS", evidence_ids=ids, **loss)


OWN_PAPERS = (
    "delivery_record",
    "proof_of_insured_value",
    "delivery_certificate",
    "dispute_or_refund_screenshot",
)


async def test_tk_13_tk_27_a_carrier_that_cannot_say_has_confirmed_the_loss(desk: Desk) -> None:
    tks, claim = await a_loss_at_tks(desk, *OWN_PAPERS)
    assert claim["state"] == "INFO_REQUIRED"
    assert claim["request"]["missing"] == ["carrier_loss_letter"]
    reply = clocks_of(claim)["CARRIER_REPLY"]
    assert (reply["state"], reply["due_on"]) == ("RUNNING", "2024-06-05")
    assert moment(reply["started_at"]) == at(MONDAY)
    assert "remind_claimant" not in await tks.deadlines(), "it is not theirs to bring"

    await tks.at(TUESDAY)
    claim = await add(tks, claim, "carrier_loss_letter")

    assert (claim["state"], moment(claim["complete_at"])) == ("REFERRED", at(TUESDAY))
    assert clocks_of(claim)["CARRIER_REPLY"]["state"] == "STOPPED"
    assert clocks_of(claim)["DECIDE"]["due_on"] == "2024-05-10"


async def test_tk_16_tk_27_no_reply_goes_to_staff_and_is_never_the_claimants_denial(
    desk: Desk,
) -> None:
    tks, claim = await a_loss_at_tks(desk, *OWN_PAPERS)

    await tks.at("2024-06-05T16:00")

    claim = await tks.show(claim)
    assert claim["state"] == "REFERRED"
    assert claim["decision"]["reasons"][0]["code"] == "AWAITING_CARRIER"
    assert [(one["clock"], one["level"]) for one in await overdue(tks)] == [
        ("CARRIER_REPLY", "BREACH")
    ]
    assert claim["escalated_at"] is not None
    assert (claim["complete_at"], "DECIDE" in clocks_of(claim)) == (None, False)

    # Staff issue a substitute letter.
    claim = await add(tks, claim, "carrier_loss_letter")
    assert clocks_of(claim)["CARRIER_REPLY"]["state"] == "STOPPED"
    claim = await decide(tks, claim, settles=True, proven_value=amount(50_000))
    assert claim["decision"]["outcome"] == "APPROVED"
    assert (await tks.said()).count("ClaimOverdue") == 1


async def a_damage_at_tks(desk: Desk) -> tuple[Desk, Json]:
    """A seller's complete file of 500.00, which nobody has assessed."""
    tks = await insured(desk, "tks-warehouse", TKS)
    papers = (*OWN_PAPERS, "damage_photos", "carrier_damage_report")
    loss = {"claimed_value": amount(50_000), "refund_to_buyer": amount(50_000)}
    claim = await tks.a_claim("DAMAGE", evidence_ids=await tks.papers(*papers), **loss)
    return tks, claim


async def confirm(desk: Desk, claim: Json, now: str) -> Json:
    """Its one payout is sent and arrives."""
    await fire_due(desk.client, now)
    (payout,) = claim["payouts"]
    path = f"/v1/payouts/{payout['payout_id']}/settlement"
    done(await desk.post(path, {"state": "CONFIRMED", "reference": "bank-1"}))
    return await desk.show(claim)


async def test_tk_19_the_insurers_clock_runs_from_its_acceptance_to_the_money(
    desk: Desk,
) -> None:
    tks, claim = await a_damage_at_tks(desk)
    assert clocks_of(claim)["DECIDE"]["due_on"] == "2024-05-09"
    await tks.at(TUESDAY)
    accepted = "2024-05-07T00:30:00Z"

    claim = await decide(tks, claim, insurer_accepted_at=accepted)

    clock = clocks_of(claim)["DECIDE"]
    assert (clock["started_at"], clock["due_on"]) == (accepted, "2024-05-10")
    assert "ADVANCE" not in clocks_of(claim), "nothing is assessed yet"
    claim = await decide(tks, claim, settles=True, proven_value=amount(50_000))
    assert (claim["state"], clocks_of(claim)["DECIDE"]["state"]) == ("APPROVED", "RUNNING")
    claim = await confirm(tks, claim, TUESDAY)
    assert (claim["state"], clocks_of(claim)["DECIDE"]["state"]) == ("PAID", "STOPPED")
    assert "note_overdue" not in await tks.deadlines()


async def test_tk_20_the_advance_is_promised_until_it_is_paid(desk: Desk) -> None:
    tks, claim = await a_damage_at_tks(desk)
    await tks.at(TUESDAY)

    claim = await decide(tks, claim, proven_value=amount(50_000))

    clock = clocks_of(claim)["ADVANCE"]
    assert (moment(clock["started_at"]), clock["due_on"]) == (at(MONDAY), "2024-05-09")
    await tks.at("2024-05-09T16:00")
    told_of = [(one["clock"], one["level"]) for one in await overdue(tks)]
    assert told_of == [("ADVANCE", "BREACH"), ("DECIDE", "BREACH")]
    claim = done(await tks.post(f"/v1/claims/{claim['claim_id']}/advance", {}))
    assert clocks_of(claim)["ADVANCE"]["state"] == "RUNNING"

    claim = await confirm(tks, claim, "2024-05-09T16:00")

    found = {name: clock["state"] for name, clock in clocks_of(claim).items()}
    assert found == {"ADVANCE": "STOPPED", "DECIDE": "RUNNING"}


async def test_a_claim_that_is_over_is_promised_nothing_more(desk: Desk) -> None:
    jsx, claim = await a_damage_at_jsx(desk)
    done(await ask(jsx, claim, "product_images"))
    await jsx.at("2024-05-09T01:00")
    claim = await add(jsx, claim, "product_images")
    # However it came to be withdrawn.
    async with jsx.db.transaction(JSX) as tx:
        await tx.execute("UPDATE claims SET state = 'WITHDRAWN'")

    await jsx.at("2024-06-01T00:00")

    assert "ClaimOverdue" not in await jsx.said()
    assert clocks_of(await jsx.show(claim))["DECIDE"]["state"] == "STOPPED"
