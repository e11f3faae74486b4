"""Discretionary reasons set aside by two people, in writing (G-13, Q44)."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from libs.common.plans.codes import Outcome
from libs.common.plans.reading import read_plan_bytes
from libs.common.plans.wire import from_wire
from libs.common.settings import PROGRAMMES
from services.claims.domain import adjudicate
from services.policy.events import PolicyVoided
from tests.claims import people
from tests.claims.builders import BOOK, at
from tests.claims.desk import Desk, done, refused, told
from tests.claims.people import PAPERS, adjudicator
from tests.conftest import AppOf, DbOf, Token
from tests.plans.builders import with_replaced
from tests.policy.builders import Json, amount

AT_ONCE = 50
CSSECURE = BOOK.newest("cssecure")
LATE_NOTICE, UNMARKED = frozenset({"LATE_NOTICE"}), frozenset({"BIY_NOT_MARKED"})


# --- deciding --------------------------------------------------------------------------------


def a_damage(**more: Any) -> dict[str, Any]:
    """Told ten days after delivery, with all its papers."""
    return {
        "goods_value": Decimal(900),
        "insured_value": Decimal(900),
        "claimed_value": Decimal(600),
        "dispatched_at": at("2024-01-04T01:00"),
        "delivered_at": at(people.DELIVERED),
        "notified_at": at(people.LATE),
        "as_of": at(people.LATE),
        "evidence": PAPERS,
        "video_elements": ("unboxing_shown", "always_in_frame"),
        **more,
    }


def test_g_13_what_is_overridden_counts_as_if_it_were_not_there_and_is_kept_apart() -> None:
    denied = adjudicate(CSSECURE, "DAMAGE", a_damage())
    decision = adjudicate(CSSECURE, "DAMAGE", a_damage(), LATE_NOTICE)

    assert (denied.outcome, denied.overridden) == (Outcome.DENIED, ())
    assert (decision.outcome, decision.payout.amount_minor) == (Outcome.APPROVED, 60_000)
    assert (decision.reasons, decision.overridden) == ((), denied.reasons)


def test_g_13_only_a_discretionary_reason_gives_way() -> None:
    # Water on a parcel without the waterproof option is a gate that nobody may override.
    wet = a_damage(causes=("water",))
    codes = LATE_NOTICE | {"WATERPROOF_NOT_SELECTED"}
    decision = adjudicate(CSSECURE, "DAMAGE", wet, codes)

    assert str(decision.reason) == "WATERPROOF_NOT_SELECTED"
    assert [str(reason) for reason in decision.overridden] == ["LATE_NOTICE"]
    # With a last day besides, one code is of two deadlines: theirs, and one that nobody moves.
    notice = "notice: {from: [delivered_at], days: 3, discretionary: true}"
    strict = read_plan_bytes(
        with_replaced(
            (PROGRAMMES / "cssecure.v2.yaml").read_text(),
            **{notice: f"{notice}\n    latest: {{from: dispatched_at, days: 20}}"},
        ).encode(),
        "cssecure.v2.yaml",
    )
    late = adjudicate(strict, "DAMAGE", a_damage(), LATE_NOTICE)
    assert (str(late.reason), len(late.reasons), len(late.overridden)) == ("LATE_NOTICE", 1, 1)


def test_cs_34_goods_forgiven_for_not_being_marked_are_worth_something_again() -> None:
    own = {"claimed_biy_value": Decimal(300), "claimed_biy_weight_kg": Decimal(5)}
    papers = (*PAPERS, "order_value_proof")
    mixed = a_damage(
        **own, biy_misdeclared=True, evidence=papers, notified_at=at("2024-02-02T02:00")
    )
    noted = adjudicate(CSSECURE, "DAMAGE", mixed)
    forgiven = adjudicate(CSSECURE, "DAMAGE", mixed, UNMARKED)
    # 600, of which 300 bought by the customer: 300 + nothing, and 300 + 40 a kilogram.
    assert (noted.payout.amount_minor, [str(n) for n in noted.notes]) == (
        30_000,
        ["BIY_NOT_MARKED"],
    )
    assert (forgiven.payout.amount_minor, str(forgiven.overridden[0])) == (
        50_000,
        "BIY_NOT_MARKED",
    )

    only = {**mixed, "claimed_value": Decimal(300)}
    assert str(adjudicate(CSSECURE, "DAMAGE", only).reason) == "BIY_NOT_MARKED"
    assert adjudicate(CSSECURE, "DAMAGE", only, UNMARKED).payout.amount_minor == 20_000


def test_what_an_overridden_reason_had_hidden_may_be_overridden_with_it() -> None:
    """An approval's notes are seen only where it is one."""
    own = {"claimed_biy_value": Decimal(300), "claimed_biy_weight_kg": Decimal(5)}
    late = a_damage(**own, biy_misdeclared=True, evidence=(*PAPERS, "order_value_proof"))

    decision = adjudicate(CSSECURE, "DAMAGE", late, LATE_NOTICE | UNMARKED)

    assert [str(reason) for reason in decision.overridden] == ["LATE_NOTICE", "BIY_NOT_MARKED"]
    assert (decision.payout.amount_minor, [str(n) for n in decision.notes]) == (
        50_000,
        ["CAP_BIY"],
    )


# --- two people ------------------------------------------------------------------------------


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> Desk:
    desk = await Desk.open(app_of, db_of, token)
    await people.deliver_parcel(desk)
    return desk


@pytest.fixture
async def claim(desk: Desk) -> Json:
    return await people.late_damage(desk)


@pytest.fixture
def ada(desk: Desk) -> Desk:
    return adjudicator(desk, "ada")


@pytest.fixture
def bob(desk: Desk) -> Desk:
    return adjudicator(desk, "bob")


async def decisions(desk: Desk) -> list[Any]:
    return await desk.rows("SELECT * FROM decisions WHERE tenant_id = $1 ORDER BY number")


def must_come_out_again(rows: list[Any]) -> None:
    """From the plan, the facts and the overrides that are stored with each."""
    for row in rows:
        facts = from_wire(msgspec.json.decode(row["facts"]), CSSECURE.zone)
        codes = frozenset(one["code"] for one in msgspec.json.decode(row["overrides"]))
        decision = adjudicate(BOOK.pinned(row["plan_sha256"]), "DAMAGE", facts, codes)
        remade = msgspec.json.decode(msgspec.json.encode(decision))
        assert remade == msgspec.json.decode(row["decision"])


async def test_q44_an_override_is_proposed_by_one_and_agreed_to_by_another(
    desk: Desk, claim: Json, ada: Desk, bob: Desk
) -> None:
    proposed = done(await people.override(ada, claim))
    assert (proposed["state"], proposed["payouts"]) == ("REFERRED", [])
    decision = proposed["decision"]
    assert (decision["outcome"], decision["is_settled"]) == ("APPROVED", False)
    assert decision["awaits_approval"] is True
    (approval,) = await people.open_approvals(bob)
    assert approval["subject_id"] == decision["decision_id"]
    assert (approval["scope"], approval["asked_by"]) == ("claims:decide", "ada")
    for is_granted in (True, False):
        refused(await people.answer(ada, approval, is_granted), 403, "same-person")

    assert done(await people.answer(bob, approval, note="Agreed."))["state"] == "GRANTED"

    shown = await desk.show(claim)
    decision = shown["decision"]
    assert (shown["state"], decision["is_settled"]) == ("APPROVED", True)
    assert (decision["decided_by"], decision["approved_by"]) == ("ada", "bob")
    assert decision["overrides"] == [{**people.OVERRIDE, "by": "ada"}]
    assert [reason["code"] for reason in decision["overridden"]] == ["LATE_NOTICE"]
    assert [p["amount"]["amount_minor"] for p in shown["payouts"]] == [85_000]
    assert (await desk.said())[-5:] == [
        "ClaimDecided", "ClaimDecided", "ApprovalRequested", "ApprovalAnswered", "ClaimDecided",
    ]  # fmt: skip


async def test_a_claimant_overrides_nothing_and_agrees_to_nothing(
    desk: Desk, claim: Json, ada: Desk
) -> None:
    shopper = desk.as_("shop", "claims:write", "claims:read")
    refused(await people.override(shopper, claim), 403, "forbidden")
    await people.override(ada, claim)
    (approval,) = await people.open_approvals(shopper)
    refused(await people.answer(shopper, approval), 403, "forbidden")


async def test_g_13_a_reason_that_is_not_discretionary_is_never_overridden(
    desk: Desk, claim: Json, ada: Desk
) -> None:
    before = await desk.show(claim)
    for codes in (["NO_RESIDUAL_LOSS"], ["LATE_NOTICE", "EVIDENCE_NOT_PROVIDED"]):
        asked = [{"code": code, "why": people.WHY} for code in codes]
        problem = refused(await people.override(ada, claim, *asked), 422, "not-overridable")
        assert problem["overridable"] == ["LATE_NOTICE"]
        assert codes[-1] in problem["detail"]

    assert await desk.show(claim) == before
    # Nor is it recorded as a finding alone, nor without a reason that one can read.
    refused(await people.override(ada, claim, settles=False), 422, "override-without-decision")
    for why in ("", "too short", "x" * 2_001):
        wordless = {**people.OVERRIDE, "why": why}
        refused(await people.override(ada, claim, wordless), 422, "invalid-request")
    assert await desk.show(claim) == before


async def test_a_refused_override_leaves_the_engines_proposal(
    desk: Desk, claim: Json, ada: Desk, bob: Desk
) -> None:
    await people.override(ada, claim)
    (approval,) = await people.open_approvals(bob)

    said = done(await people.answer(bob, approval, is_granted=False, note="No letter on file."))

    assert (said["state"], said["note"]) == ("REFUSED", "No letter on file.")
    shown = await desk.show(claim)
    decision = shown["decision"]
    assert (shown["state"], decision["outcome"], decision["overrides"]) == (
        "REFERRED",
        "DENIED",
        [],
    )
    assert (decision["awaits_approval"], decision["decided_by"]) == (False, "engine")
    # A person may let the denial stand then.
    assert done(await people.decide(ada, claim))["state"] == "DENIED"


async def test_what_an_override_brings_about_later_goes_by_it_too(
    desk: Desk, ada: Desk, bob: Desk
) -> None:
    """Late, and without papers: once the lateness is forgiven, the papers are asked for."""
    claim = await desk.a_claim("DAMAGE", claimed_value=amount(85_000))
    proposed = done(await people.override(ada, claim))
    assert (proposed["state"], proposed["decision"]["outcome"]) == ("REFERRED", "INFO_REQUIRED")
    (approval,) = await people.open_approvals(bob)
    # Two days later the window for papers begins later; what is agreed to is the same.
    await desk.at("2024-02-13T09:00")
    assert done(await people.answer(bob, approval))["state"] == "GRANTED"
    asked = await desk.show(claim)
    assert (asked["state"], asked["decision"]["approved_by"]) == ("INFO_REQUIRED", "bob")
    # Seven days from now: nobody was asked before.
    assert asked["decision"]["info_until"] == "2024-02-20"

    papers = await desk.papers(*PAPERS)
    path = f"/v1/claims/{claim['claim_id']}/evidence"
    brought = done(await desk.post(path, {"evidence_ids": papers}))

    assert (brought["state"], brought["decision"]["outcome"]) == ("REFERRED", "APPROVED")
    # Nobody has to agree a second time.
    again = done(await people.override(ada, claim))
    assert (again["state"], again["decision"]["is_settled"]) == ("APPROVED", True)
    must_come_out_again(await decisions(desk))


async def test_an_approval_is_void_once_its_proposal_is_another(
    desk: Desk, claim: Json, ada: Desk, bob: Desk
) -> None:
    await people.override(ada, claim)
    (approval,) = await people.open_approvals(bob)
    # News that changes nothing leaves it open.
    path = f"/v1/claims/{claim['claim_id']}"
    (extra,) = await desk.papers("product_images")
    done(await desk.post(f"{path}/evidence", {"evidence_ids": [extra]}))
    assert await people.open_approvals(bob) == [approval]

    paid = {"source": "carrier", "reference": "c-1", "amount": amount(10_000)}
    done(await ada.post(f"{path}/recoveries", paid))

    shown = await desk.show(claim)
    assert [a["state"] for a in shown["approvals"]] == ["VOID"]
    assert (shown["state"], shown["decision"]["outcome"]) == ("REFERRED", "DENIED")
    refused(await people.answer(bob, approval), 409, "approval-answered")
    assert await people.open_approvals(bob) == []


async def test_what_was_agreed_to_too_late_is_not_paid_but_proposed_anew(
    desk: Desk, claim: Json, ada: Desk, bob: Desk
) -> None:
    """Another claim took most of the cover meanwhile: nothing told this one."""
    await people.override(ada, claim)
    (approval,) = await people.open_approvals(bob)
    papers = await desk.papers("unboxing_video")
    other = await desk.a_claim("SHORTAGE", evidence_ids=papers, claimed_value=amount(80_000))
    done(await people.decide(bob, other, findings=people.SEEN))

    said = done(await people.answer(bob, approval))

    assert (said["state"], said["void_why"]) == ("VOID", "PROPOSAL_CHANGED")
    assert (said["answered_by"], said["answered_at"] is None) == ("bob", False)
    shown = await desk.show(claim)
    assert (shown["state"], shown["payouts"]) == ("REFERRED", [])
    assert shown["decision"]["awaits_approval"] is False
    assert done(await people.answer(bob, approval)) == said


async def test_a_void_policy_ends_what_was_proposed_on_it(
    desk: Desk, claim: Json, ada: Desk, bob: Desk
) -> None:
    await people.override(ada, claim)
    policy_id = claim["policy_id"]
    event = PolicyVoided(policy_id=policy_id, cause="fraud", voided_at=at(people.LATE))
    await desk.hears(told(event, 5))

    shown = await desk.show(claim)
    assert shown["state"] == "DENIED"
    assert [approval["state"] for approval in shown["approvals"]] == ["VOID"]


async def test_a_person_decides_on_the_proposal_they_looked_at(
    desk: Desk, claim: Json, ada: Desk, bob: Desk
) -> None:
    seen = claim["decision"]["decision_id"]
    done(await people.override(ada, claim, decision_id=seen))
    before = await desk.show(claim)

    problem = refused(
        await people.decide(bob, claim, decision_id=seen), 409, "proposal-changed"
    )

    assert problem["decision_id"] == before["decision"]["decision_id"]
    assert await desk.show(claim) == before


async def test_a_claim_is_never_decided_twice(desk: Desk, claim: Json, ada: Desk) -> None:
    decided = done(await people.decide(ada, claim))
    assert decided["state"] == "DENIED"

    refused(await people.decide(ada, claim), 409, "claim-not-open")
    refused(await people.override(ada, claim), 409, "claim-not-open")
    assert await desk.show(claim) == decided


async def test_of_fifty_decisions_at_once_one_stands(
    desk: Desk, claim: Json, ada: Desk
) -> None:
    overrides = await asyncio.gather(*(people.override(ada, claim) for _ in range(AT_ONCE)))
    assert {response.status_code for response in overrides} == {200}
    assert len(await people.open_approvals(desk)) == 1
    assert len(await decisions(desk)) == 2

    answers = await asyncio.gather(*(people.decide(ada, claim) for _ in range(AT_ONCE)))

    assert sorted({r.status_code for r in answers}) == [200, 409]
    assert sum(r.status_code == 200 for r in answers) == 1
    assert [row["is_settled"] for row in await decisions(desk)] == [False, False, True]
    assert await people.open_approvals(desk) == []


async def test_g_13_what_people_overrode_is_made_again_from_what_is_stored(
    desk: Desk, claim: Json, ada: Desk, bob: Desk
) -> None:
    await people.override(ada, claim)
    (approval,) = await people.open_approvals(bob)
    await people.answer(bob, approval)

    rows = await decisions(desk)

    assert [len(msgspec.json.decode(row["overrides"])) for row in rows] == [0, 1, 1]
    must_come_out_again(rows)
