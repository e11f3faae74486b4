"""Discretionary reasons set aside by two people, in writing (G-13, Q44)."""

import pytest

from tests.claims import people
from tests.claims.desk import Desk
from tests.claims.people import adjudicator, done
from tests.conftest import AppOf, DbOf, Token


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> Desk:
    desk = await Desk.open(app_of, db_of, token)
    await people.deliver_parcel(desk)
    return desk


async def test_q44_an_override_is_proposed_by_one_and_agreed_to_by_another(desk: Desk) -> None:
    claim = await people.late_damage(desk)
    ada, bob = adjudicator(desk, "ada"), adjudicator(desk, "bob")

    proposed = done(await people.override(ada, claim))
    assert (proposed["state"], proposed["payouts"]) == ("REFERRED", [])
    decision = proposed["decision"]
    assert (decision["outcome"], decision["is_settled"]) == ("APPROVED", False)
    assert decision["awaits_approval"] is True
    (approval,) = await people.open_approvals(bob)
    assert approval["subject_id"] == decision["decision_id"]
    assert (approval["scope"], approval["asked_by"]) == ("claims:decide", "ada")
    people.refused(await people.answer(ada, approval), 403, "same-person")

    assert done(await people.answer(bob, approval, note="Agreed."))["state"] == "GRANTED"

    shown = await desk.show(claim)
    decision = shown["decision"]
    assert (shown["state"], decision["is_settled"]) == ("APPROVED", True)
    assert (decision["decided_by"], decision["approved_by"]) == ("ada", "bob")
    assert decision["overrides"] == [{**people.OVERRIDE, "by": "ada"}]
    assert [reason["code"] for reason in decision["overridden"]] == ["LATE_NOTICE"]
    assert [p["amount"]["amount_minor"] for p in shown["payouts"]] == [85_000]
    events = await desk.said()
    assert events[-5:] == [
        "ClaimDecided", "ClaimDecided", "ApprovalRequested", "ApprovalAnswered", "ClaimDecided",
    ]  # fmt: skip
