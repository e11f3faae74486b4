"""People at the claims desk: cases that need two of them."""

from decimal import Decimal
from typing import Any

import httpx

from libs.common.auth import CLAIMS_DECIDE, CLAIMS_MANAGE, CLAIMS_READ, PAYOUTS_APPROVE
from libs.common.money import money
from tests.claims.desk import Desk, done, tracked, way_of
from tests.policy.builders import Json, amount

DELIVERED = "2024-02-01T02:00"
# Ten days after delivery: contact was due within three (CS-21).
LATE = "2024-02-11T02:00"
PAPERS = ("unboxing_video", "damage_list", "damage_photos")
SEEN = {"video_elements": ["unboxing_shown", "always_in_frame"]}
WHY = "The customer was in hospital; the discharge letter is on file."
OVERRIDE: Json = {"code": "LATE_NOTICE", "why": WHY}


def adjudicator(desk: Desk, name: str = "ada") -> Desk:
    return desk.as_(name, CLAIMS_READ, CLAIMS_DECIDE)


def manager(desk: Desk, name: str = "mia") -> Desk:
    return desk.as_(name, CLAIMS_READ, CLAIMS_DECIDE, CLAIMS_MANAGE)


def cashier(desk: Desk, name: str = "cai") -> Desk:
    return desk.as_(name, CLAIMS_READ, PAYOUTS_APPROVE)


async def deliver_parcel(desk: Desk, goods: str = "850", now: str = LATE) -> None:
    """A parcel worth `goods`, delivered on 1 February 2024; it is `now`."""
    value = money(Decimal(goods), "CNY")
    delivered = tracked(state="RUN_OFF", delivered_at=DELIVERED)
    terms = {"insured_value": value, "goods_value": value, "eligible_goods_value": value}
    await desk.hears(*way_of(tracking=delivered, **terms))
    await desk.at(now)


async def late_damage(desk: Desk, claimed: int = 85_000) -> Json:
    """A damage told too late, with all its papers: denied, and the reason is discretionary."""
    papers = await desk.papers(*PAPERS)
    claim = await desk.a_claim("DAMAGE", evidence_ids=papers, claimed_value=amount(claimed))
    assert (claim["state"], claim["decision"]["outcome"]) == ("REFERRED", "DENIED")
    first = claim["decision"]["reasons"][0]
    assert (first["code"], first["is_discretionary"]) == ("LATE_NOTICE", True)
    return claim


async def decide(desk: Desk, claim: Json, **body: Any) -> httpx.Response:
    return await desk.post(f"/v1/claims/{claim['claim_id']}/decision", body)


async def override(desk: Desk, claim: Json, *overrides: Json, **body: Any) -> httpx.Response:
    """The late notice is forgiven, unless something else is."""
    body = {"findings": SEEN, **body, "overrides": list(overrides or (OVERRIDE,))}
    return await decide(desk, claim, **body)


async def open_approvals(desk: Desk) -> list[Json]:
    found: list[Json] = done(await desk.get("/v1/approvals?state=OPEN"))["items"]
    return found


async def answer(
    desk: Desk, approval: Json, is_granted: bool = True, **more: Any
) -> httpx.Response:
    path = f"/v1/approvals/{approval['approval_id']}/answer"
    return await desk.post(path, {"is_granted": is_granted, **more})
