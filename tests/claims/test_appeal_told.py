"""What a decision says of its appeal: until when and to whom, once it stands."""

import msgspec
import pytest

from tests.claims.desk import Desk, tracked, way_of
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import said


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> Desk:
    return await Desk.open(app_of, db_of, token)


async def appeals_told(desk: Desk) -> list[tuple[str, str | None, str]]:
    """Of each decision: its outcome, and until when and to whom it may be appealed."""
    told = []
    for event in await said(desk.db):
        if event.type == "io.parcelcover.ClaimDecided.v1":
            data = msgspec.json.decode(event.data)
            told.append((data["outcome"], data["appeal_until"], data["appeal_body"]))
    return told


async def test_a_decision_that_stands_says_until_when_and_to_whom_it_may_be_appealed(
    desk: Desk,
) -> None:
    """CSSBuy: 14 days after the local day of the decision, which is 3 March in Shanghai."""
    await desk.hears(
        *way_of(tracking=tracked(state="RUN_OFF", delivered_at="2024-03-02T07:00"))
    )
    await desk.at("2024-03-02T17:00")

    await desk.a_claim()

    assert await appeals_told(desk) == [("APPROVED", "2024-03-17", "second_adjudicator")]


async def test_what_is_too_early_promises_no_appeal(desk: Desk) -> None:
    await desk.hears(*way_of())
    await desk.at("2024-02-20T00:00")

    await desk.a_claim()

    assert await appeals_told(desk) == [("DEFERRED", None, "")]


async def test_a_proposal_promises_no_appeal_until_a_person_lets_it_stand(desk: Desk) -> None:
    await desk.hears(
        *way_of(tracking=tracked(state="RUN_OFF", delivered_at="2024-03-01T07:00"))
    )
    await desk.at("2024-03-02T09:00")

    claim = await desk.a_claim()
    response = await desk.post(f"/v1/claims/{claim['claim_id']}/decision", {"settles": True})

    assert response.status_code == 200, response.text
    assert await appeals_told(desk) == [
        ("DENIED", None, ""),
        ("DENIED", "2024-03-16", "second_adjudicator"),
    ]
