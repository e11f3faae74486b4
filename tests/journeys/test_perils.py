"""Each peril of each programme on the real stack: covered it is paid, uncovered it is denied.

The table is domain.md 2.2. Covered ones go the whole way: sold, paid, shipped, scanned, claimed with
papers, decided, and the money confirmed; every amount is reckoned here by hand.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from deploy.local.ledgers import sums_to_zero
from deploy.local.shop import Json, yuan
from deploy.local.stack import Stack
from deploy.local.steps import Steps
from libs.common.plans.codes import PERILS
from tests.journeys.conftest import ShopOf
from tests.journeys.parcels import KUALA_LUMPUR, SHANGHAI, SOLD, UTC

BML_VIDEO = ["sealed_six_sides_label", "continuous_in_frame", "damage_shown"]
CSS_VIDEO = ["unboxing_shown", "always_in_frame"]


# --- what happens to them ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """`scans` by status and time, then the claim at `claimed_at`; `payout` in minor units."""

    tenant: str
    peril: str
    claimed_at: datetime
    payout: int
    scans: tuple[tuple[str, datetime], ...] = ()
    papers: tuple[str, ...] = ()
    says: Json = field(default_factory=dict)
    findings: Json | None = None
    is_straight_through: bool = False
    is_voucher: bool = False

    def __str__(self) -> str:
        return f"{self.tenant}-{self.peril}"


def kl(month: int, day: int, hour: int = 9) -> datetime:
    return datetime(2024, month, day, hour, tzinfo=KUALA_LUMPUR)


def sh(month: int, day: int, hour: int = 9) -> datetime:
    return datetime(2024, month, day, hour, tzinfo=SHANGHAI)


def utc(month: int, day: int, hour: int = 9) -> datetime:
    return datetime(2024, month, day, hour, tzinfo=UTC)


ITEM: Json = {"item_ids": ["i1"]}
WHOLE: Json = {"is_whole_parcel": True}
TKS_PAPERS = (
    "delivery_record",
    "proof_of_insured_value",
    "delivery_certificate",
    "dispute_or_refund_screenshot",
)

COVERED = (
    Happening(
        tenant="mypoz",
        peril="LOSS",
        scans=(("lost", kl(6, 3)),),
        claimed_at=kl(6, 4),
        papers=("police_report", "provider_loss_confirmation"),
        says=WHOLE,
        payout=100_000,
        findings={},
    ),
    Happening(
        tenant="mypoz",
        peril="SHORTAGE",
        scans=(("delivered", kl(5, 20)),),
        claimed_at=kl(5, 21),
        papers=("outer_packaging_photos", "weight_photo"),
        says={**ITEM, "exception_noted": True},
        payout=100_000,
        findings={},
    ),
    Happening(
        tenant="mypoz",
        peril="DAMAGE",
        scans=(("delivered", kl(5, 20)),),
        claimed_at=kl(5, 21),
        papers=("outer_packaging_photos", "weight_photo", "damage_photos"),
        says={**ITEM, "exception_noted": True},
        payout=60_000,
        findings={"packing": "repacked", "grades": {"i1": "0.6"}},
    ),
    Happening(
        tenant="bml",
        peril="LOSS",
        scans=(("in_transit", utc(5, 1)),),
        claimed_at=utc(5, 25),
        papers=("carrier_loss_letter", "courier_communication"),
        says=WHOLE,
        payout=60_000,
        findings={},
    ),
    Happening(
        tenant="bml",
        peril="DAMAGE",
        scans=(("delivered", utc(5, 1)),),
        claimed_at=utc(5, 3),
        papers=("unboxing_video", "product_images"),
        says=ITEM,
        payout=30_000,
        findings={"video_elements": BML_VIDEO, "grades": {"i1": "0.5"}},
    ),
    Happening(
        tenant="tks",
        peril="LOSS",
        scans=(("in_transit", sh(5, 8)),),
        claimed_at=sh(5, 20),
        papers=(*TKS_PAPERS, "carrier_loss_letter"),
        says={**WHOLE, "refund_to_buyer": yuan("4000.00")},
        payout=400_000,
        findings={"proven_value": yuan("4200.00")},
    ),
    Happening(
        tenant="tks",
        peril="DAMAGE",
        scans=(("delivered", sh(5, 12)),),
        claimed_at=sh(5, 20),
        papers=(*TKS_PAPERS, "damage_photos", "carrier_damage_report"),
        says={**ITEM, "refund_to_buyer": yuan("4000.00")},
        payout=105_000,
        findings={"proven_value": yuan("4200.00"), "grades": {"i1": "0.25"}},
    ),
    Happening(
        tenant="jsx",
        peril="LOSS",
        scans=(("lost", sh(6, 1)),),
        claimed_at=sh(6, 2),
        papers=("value_document", "logistics_document", "carrier_loss_letter"),
        says=WHOLE,
        payout=180_000,
        findings={"insurer_approved": yuan("1800.00"), "insurer_decided": True},
    ),
    Happening(
        tenant="jsx",
        peril="DAMAGE",
        scans=(("delivered", sh(6, 1)),),
        claimed_at=sh(6, 2),
        papers=("value_document", "logistics_document", "damage_photos"),
        says=ITEM,
        payout=100_000,
        findings={"grades": {"i1": "0.5"}},
    ),
    Happening(
        # EMS has a standard of its own: weeks later the subsidy meets 20 % of ¥2,000.
        tenant="jsx",
        peril="DELAY",
        scans=(("delivered", sh(7, 20)),),
        claimed_at=sh(7, 21),
        papers=("value_document", "logistics_document"),
        payout=40_000,
        is_straight_through=True,
    ),
    Happening(
        tenant="cssbuy",
        peril="LOSS",
        scans=(("in_transit", sh(1, 10)),),
        claimed_at=sh(2, 20),
        papers=("agent_loss_confirmation",),
        says=WHOLE,
        payout=120_000,
        findings={},
    ),
    Happening(
        tenant="cssbuy",
        peril="SEIZURE",
        scans=(("in_transit", sh(1, 10)),),
        claimed_at=sh(2, 20),
        papers=("customs_letter",),
        says=WHOLE,
        payout=120_000,
        findings={},
    ),
    Happening(
        tenant="cssbuy",
        peril="DAMAGE",
        scans=(("delivered", sh(2, 1)),),
        claimed_at=sh(2, 3),
        papers=("unboxing_video", "damage_list", "damage_photos"),
        says=ITEM,
        payout=68_000,
        findings={"video_elements": CSS_VIDEO, "grades": {"i1": "0.8"}},
    ),
    Happening(
        tenant="cssbuy",
        peril="SHORTAGE",
        scans=(("delivered", sh(2, 1)),),
        claimed_at=sh(2, 10),
        papers=("unboxing_video",),
        says=ITEM,
        payout=85_000,
        findings={"video_elements": CSS_VIDEO},
    ),
    Happening(
        tenant="cssbuy",
        peril="DELAY",
        scans=(("delivered", sh(3, 2, 15)),),
        claimed_at=sh(3, 5),
        payout=7_000,
        is_straight_through=True,
    ),
    Happening(
        tenant="cssbuy",
        peril="RETURN",
        scans=(("returned", sh(3, 1)),),
        claimed_at=sh(3, 5),
        payout=35_000,
        is_straight_through=True,
        is_voucher=True,
    ),
)


@pytest.mark.parametrize("what", COVERED, ids=str)
async def test_a_covered_peril_is_paid_what_its_terms_give(
    shop_of: ShopOf, stack: Stack, what: Happening
) -> None:
    shop = shop_of(what.tenant)
    policy = await SOLD[what.tenant](shop)
    for status, at in what.scans:
        await shop.at(at)
        await shop.scan(policy, status, at)
    await shop.at(what.claimed_at)
    papers = await shop.evidence(policy, *what.papers)
    claim = await shop.claim(policy, what.peril, evidence_ids=papers, **what.says)
    assert claim["decision"]["is_settled"] is what.is_straight_through

    if what.findings is not None:
        claim = await shop.decide(claim, findings=what.findings)
    claim = await shop.settle_payout(claim["claim_id"])

    assert claim["decision"]["payout"]["amount_minor"] == what.payout
    assert (claim["decision"]["outcome"], claim["state"]) == ("APPROVED", "PAID")
    assert (claim["decision"]["instrument"] == "voucher") is what.is_voucher
    assert [(p["state"], p["amount"]["amount_minor"]) for p in claim["payouts"]] == [
        ("CONFIRMED", what.payout)
    ]
    assert claim["decision"]["rule_ids"]
    assert await sums_to_zero(stack.postgres.admin_url, Steps.quiet())


@pytest.mark.parametrize("tenant", list(SOLD))
async def test_what_is_not_covered_is_denied_at_once_and_pays_nothing(
    shop_of: ShopOf, tenant: str
) -> None:
    shop = shop_of(tenant)
    policy = await SOLD[tenant](shop)
    await shop.settle()  # the claims service has heard that cover began
    covered = {what.peril for what in COVERED if what.tenant == tenant}
    answers: dict[str, Any] = {}
    for peril in sorted(PERILS - covered):
        claim = await shop.claim(policy, peril)
        decision = claim["decision"]
        answers[peril] = (claim["state"], decision["reasons"][0]["code"], claim["payouts"])

    assert answers == dict.fromkeys(answers, ("DENIED", "PERIL_NOT_COVERED", []))
    path = f"/v1/policies/{policy['policy_id']}/claim-eligibility"
    told = {
        one["peril"]: one["is_covered"] for one in (await shop.get("claims", path))["perils"]
    }
    assert {peril for peril, is_covered in told.items() if is_covered} == covered
