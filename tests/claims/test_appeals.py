"""Appeals through the door: taken in time and tier by tier, heard by others, and never to one's loss."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.claims.appealing import (
    BML,
    HALF,
    LAPSED,
    WHOLE,
    Hearing,
    payouts_of,
)
from tests.claims.desk import Desk
from tests.conftest import AppOf, DbOf, Token
from tests.policy.serving import served


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


async def test_bm_27_an_appeal_that_is_won_pays_the_difference(hearing: Hearing) -> None:
    desk = hearing.desk
    claim = await hearing.a_half_award()
    assert (claim["state"], payouts_of(claim)) == ("APPROVED", [HALF])
    assert (claim["appeal_until"], claim["appeal_tier"]) == ("2024-03-03", 1)
    assert claim["appeal_body"] == "second_adjudicator"
    claim = await hearing.paid_out(claim, LAPSED)
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

    decided = await hearing.heard(appeal, grades={"i1": "1"})

    assert (decided["state"], decided["decided_by"]) == ("VARIED", "ben")
    shown = await desk.show(claim)
    assert shown["decision"]["decision_id"] == decided["decision_id"]
    assert (shown["decision"]["number"], shown["decision"]["is_settled"]) == (3, True)
    assert (shown["state"], payouts_of(shown)) == ("APPROVED", [HALF, WHOLE - HALF])
    assert (shown["appeal_tier"], shown["appeal_body"]) == (2, "claims_manager_panel")
    paid = await hearing.paid_out(claim, LAPSED)
    assert paid["state"] == "PAID"
    assert await desk.balances() == {"claims": WHOLE, "cash": -WHOLE}
