"""Each programme's whole way on the real stack, and its unhappy twin."""

from datetime import datetime
from typing import Any

import pytest

from deploy.local.ledgers import sums_to_zero
from deploy.local.shop import Json, Shop, Surprise, yuan
from deploy.local.stack import Stack
from deploy.local.steps import Steps
from deploy.local.stories import STORIES, Story, asked, bought
from tests.journeys.conftest import ShopOf
from tests.journeys.parcels import SHANGHAI, jsx


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
async def test_each_story_ends_in_the_amount_its_terms_give(
    shop_of: ShopOf, stack: Stack, story: Story
) -> None:
    ending = await story.tell(shop_of(story.tenant))

    assert (ending.outcome, ending.payout) == ("APPROVED", ending.expected)
    assert await sums_to_zero(stack.postgres.admin_url, Steps.quiet())


async def cssecure(shop: Shop, *, line: str = "EMS", **more: Any) -> Json:
    """A paid cssecure policy, shipped on 4 January."""
    policy = await bought(shop, await cssecure_quote(shop, line=line, **more))
    await shop.at(datetime(2024, 1, 4, 9, tzinfo=SHANGHAI))
    return await shop.dispatch(policy, "EZ1")


async def cssecure_quote(shop: Shop, **more: Any) -> Json:
    """Shoes of ¥850 and freight of ¥350, submitted on 1 January."""
    submitted = datetime(2024, 1, 1, 9, tzinfo=SHANGHAI)
    await shop.at(submitted)
    return await shop.quote(
        asked(
            "cssecure",
            item_class="shoes",
            value=yuan("850.00"),
            shipping_fee=yuan("350.00"),
            insured_value=yuan("1200.00"),
            order={"order_ref": "CSS-1", "submitted_at": submitted.isoformat()},
            **more,
        )
    )


async def test_a_delay_on_an_excluded_line_is_denied(shop_of: ShopOf) -> None:
    shop = shop_of("cssbuy")
    policy = await cssecure(shop, line="TRAIN")
    await shop.at(datetime(2024, 4, 20, 9, tzinfo=SHANGHAI))
    claim = await shop.claim(policy, "DELAY")

    assert reason(claim) == ("DENIED", "LINE_EXCLUDED")


async def test_damage_told_on_the_fourth_day_is_late_and_a_person_may_override(
    shop_of: ShopOf,
) -> None:
    shop = shop_of("cssbuy")
    policy = await cssecure(shop)
    delivered = datetime(2024, 2, 1, 18, tzinfo=SHANGHAI)
    await shop.at(delivered)
    await shop.scan(policy, "delivered", delivered)
    await shop.at(datetime(2024, 2, 5, 0, tzinfo=SHANGHAI))
    claim = await shop.claim(policy, "DAMAGE", item_ids=["i1"])

    assert reason(claim) == ("DENIED", "LATE_NOTICE")
    assert claim["decision"]["reasons"][0]["is_discretionary"]
    assert claim["state"] == "REFERRED"


async def test_damage_without_its_video_is_asked_for_once_and_then_denied(
    shop_of: ShopOf,
) -> None:
    shop = shop_of("cssbuy")
    policy = await cssecure(shop)
    delivered = datetime(2024, 2, 1, 18, tzinfo=SHANGHAI)
    await shop.at(delivered)
    await shop.scan(policy, "delivered", delivered)
    await shop.later(hours=10)
    papers = await shop.evidence(policy, "damage_list", "damage_photos")
    claim = await shop.claim(policy, "DAMAGE", item_ids=["i1"], evidence_ids=papers)
    assert claim["state"] == "INFO_REQUIRED"
    assert [gap["label"] for gap in claim["decision"]["missing"]] == ["unboxing_video"]

    await shop.later(days=8)
    claim = await shop.get("claims", f"/v1/claims/{claim['claim_id']}")
    assert reason(claim) == ("DENIED", "EVIDENCE_NOT_PROVIDED")


async def test_a_second_claim_on_one_parcel_with_another_peril_is_denied(
    shop_of: ShopOf,
) -> None:
    """JS-11: one responsibility a parcel."""
    shop = shop_of("jsx")
    policy = await jsx(shop)
    delivered = datetime(2024, 6, 1, 9, tzinfo=SHANGHAI)
    await shop.at(delivered)
    await shop.scan(policy, "delivered", delivered)
    papers = await shop.evidence(
        policy, "value_document", "logistics_document", "damage_photos"
    )
    late = await shop.claim(policy, "DELAY", evidence_ids=papers)
    assert late["decision"]["outcome"] == "APPROVED"

    damaged = await shop.claim(policy, "DAMAGE", item_ids=["i1"])
    assert reason(damaged) == ("DENIED", "OTHER_PERIL_CLAIMED")
    again = await shop.claim(policy, "DELAY")
    assert reason(again) == ("DENIED", "DUPLICATE_CLAIM")


async def test_a_claim_by_a_number_nobody_insured_is_recorded_and_denied(
    shop_of: ShopOf,
) -> None:
    shop = shop_of("cssbuy")
    await shop.at(datetime(2024, 5, 10, 9, tzinfo=SHANGHAI))
    body = {"tracking_number": "NOBODYS1CN", "peril": "LOSS", "is_whole_parcel": True}
    claim = await shop.post("claims", "/v1/claims", body)

    assert claim["policy_id"] is None
    assert reason(claim) == ("DENIED", "NOT_INSURED")


async def test_a_claim_by_tracking_number_finds_its_policy(shop_of: ShopOf) -> None:
    shop = shop_of("cssbuy")
    policy = await cssecure(shop)
    body = {"tracking_number": "EZ1", "peril": "LOSS", "is_whole_parcel": True}
    claim = await shop.post("claims", "/v1/claims", body)

    assert claim["policy_id"] == policy["policy_id"]


async def test_an_advance_is_paid_once_and_the_insurer_answers_once(shop_of: ShopOf) -> None:
    shop = shop_of("tks")
    story = next(story for story in STORIES if story.name == "tks-warehouse")
    ending = await story.tell(shop)
    path = f"/v1/claims/{ending.claim_id}"
    with pytest.raises(Surprise, match="claim-not-open"):
        await shop.post("claims", f"{path}/advance", {})
    with pytest.raises(Surprise, match="insurer-answered-otherwise"):
        body = {"source": "insurer", "reference": "again", "amount": yuan("100.00")}
        await shop.post("claims", f"{path}/recoveries", body)


async def test_a_recovery_above_the_loss_is_refused(shop_of: ShopOf) -> None:
    shop = shop_of("cssbuy")
    policy = await cssecure(shop)
    claim = await shop.claim(policy, "LOSS", is_whole_parcel=True)
    with pytest.raises(Surprise, match="recovery-above-loss"):
        await shop.recover(claim, "carrier", yuan("1200.01"))
    await shop.recover(claim, "carrier", yuan("1200.00"))


async def test_an_appeal_is_heard_by_another_pays_the_difference_and_the_claim_closes(
    shop_of: ShopOf, stack: Stack
) -> None:
    """JS-33: a damage graded at half is appealed, and somebody else sees more of it."""
    shop = shop_of("jsx")
    policy = await jsx(shop)
    delivered = datetime(2024, 6, 1, 9, tzinfo=SHANGHAI)
    await shop.at(delivered)
    await shop.scan(policy, "delivered", delivered)
    papers = await shop.evidence(
        policy, "value_document", "logistics_document", "damage_photos"
    )
    claim = await shop.claim(policy, "DAMAGE", item_ids=["i1"], evidence_ids=papers)
    claim = await shop.decide(claim, findings={"grades": {"i1": "0.5"}})
    claim = await shop.settle_payout(claim["claim_id"])
    assert (claim["state"], claim["decision"]["payout"]["amount_minor"]) == ("PAID", 100_000)

    await shop.later(days=10)
    path = f"/v1/claims/{claim['claim_id']}"
    appeal = await shop.post("claims", f"{path}/appeals", {"grounds": "All of it is torn."})
    heard = {"findings": {"grades": {"i1": "0.8"}}, "note": "Three seams are open."}
    decision = f"/v1/appeals/{appeal['appeal_id']}/decision"
    with pytest.raises(Surprise, match="decided-before"):
        await shop.post("claims", decision, heard)
    other = shop.acting_as("another-adjudicator")
    decided = await other.post("claims", decision, heard)
    assert decided["state"] == "VARIED"
    claim = await shop.settle_payout(claim["claim_id"])
    amounts = [payout["amount"]["amount_minor"] for payout in claim["payouts"]]
    assert (claim["state"], amounts) == ("CLOSED", [100_000, 60_000])

    trace = await shop.get("claims", f"{path}/trace")
    told = [moment["what"] for moment in trace["moments"]]
    assert told[0] == "FirstContact"
    assert {"ClaimAppealed", "AppealDecided", "ClaimClosed"} <= set(told)
    assert await sums_to_zero(stack.postgres.admin_url, Steps.quiet())


@pytest.mark.durable_broker
async def test_a_claim_filed_before_the_policys_event_arrived_is_read_through(
    shop_of: ShopOf, stack: Stack
) -> None:
    shop = shop_of("cssbuy")
    quote = await cssecure_quote(shop)
    if not stack.broker.durable:
        pytest.skip("the broker forgets its events when it stops")
    await stack.broker.stop()
    try:
        policy = await bought(shop, quote)
        # No event can have arrived: the bus is away.
        claim = await shop.claim(policy, "LOSS", is_whole_parcel=True)
    finally:
        await stack.broker.restart()
    await shop.settle()

    assert reason(claim) == ("DENIED", "BEFORE_COVER_START")


def reason(claim: Json) -> tuple[str, str]:
    decision = claim["decision"]
    return decision["outcome"], decision["reasons"][0]["code"]
