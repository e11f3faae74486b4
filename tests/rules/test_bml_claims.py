"""What bml-shipping says of claims, rule by rule (domain.md 1.2)."""

import pytest

from libs.common.plans.codes import PERILS
from services.claims.domain import adjudicate, advance
from tests.rules.claiming import PLANS, answer, decided, facts_of_claim, missing, paid

QUIET_SINCE = {"last_update_at": "2024-05-01T08:00"}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("NONE", "NOT_INSURED"),
        ("PENDING", "NOT_IN_FORCE"),
        ("CANCELLED", "POLICY_CANCELLED"),
        ("VOID", "POLICY_VOID"),
    ],
)
def test_bm_08_q30_it_was_bought_paid_and_in_force_at_the_event(
    state: str, reason: str
) -> None:
    assert answer("bml", "LOSS", policy_state=state) == ("DENIED", reason)


def test_bm_08_what_happened_before_the_payment_is_not_covered() -> None:
    early = {"paid_at": "2024-05-01T08:00", "event_at": "2024-05-01T07:59:59"}
    assert answer("bml", "LOSS", **early) == ("DENIED", "BEFORE_COVER_START")


def test_bm_09_q30_q31_bm_30_lost_or_damaged_and_nothing_else() -> None:
    assert paid("bml", "LOSS") == "2000.00"
    assert paid("bml", "DAMAGE") == "400.00"
    for peril in PERILS - {"LOSS", "DAMAGE"}:
        assert answer("bml", peril) == ("DENIED", "PERIL_NOT_COVERED")


def test_bm_09_the_couriers_word_proves_it_before_it_was_quiet_long_enough() -> None:
    facts = {"as_of": "2024-05-03T08:00", "notified_at": "2024-05-03T08:00"}
    assert answer("bml", "LOSS", **facts) == ("DEFERRED", "TOO_EARLY")
    assert paid("bml", "LOSS", **facts, evidence=("carrier_loss_letter",)) == "2000.00"


@pytest.mark.parametrize(
    ("scope", "day_before", "day"),
    [("domestic", "2024-05-07", "2024-05-08"), ("international", "2024-05-20", "2024-05-21")],
)
def test_bm_10_q18_quiet_for_7_days_at_home_or_20_abroad(
    scope: str, day_before: str, day: str
) -> None:
    def at(time: str) -> dict[str, str]:
        return {"scope": scope, "as_of": time, "notified_at": time}

    assert answer("bml", "LOSS", **at(f"{day_before}T23:59:59")) == ("DEFERRED", "TOO_EARLY")
    assert paid("bml", "LOSS", **at(f"{day}T00:00")) == "2000.00"


def test_bm_11_q18_a_loss_is_claimed_within_60_days_of_the_last_scan() -> None:
    assert paid("bml", "LOSS", as_of="2024-07-01T08:00", notified_at="2024-06-30T23:59") == (
        "2000.00"
    )
    late = answer("bml", "LOSS", as_of="2024-07-01T08:00", notified_at="2024-07-01T00:00")
    assert late == ("DENIED", "LATE_NOTICE")


def test_bm_12_q18_a_damage_is_reported_within_7_days_of_the_delivery() -> None:
    assert paid("bml", "DAMAGE", notified_at="2024-05-08T23:59:59") == "400.00"
    assert answer("bml", "DAMAGE", notified_at="2024-05-09T00:00") == ("DENIED", "LATE_NOTICE")


def test_bm_13_bm_16_k2_the_platforms_own_tracking_is_the_screenshot() -> None:
    assert paid("bml", "LOSS", evidence=()) == "2000.00"


def test_bm_13_bm_15_q32_communication_with_the_courier_is_asked_for_and_never_decides() -> (
    None
):
    decision = decided("bml", "LOSS")
    assert decision.supporting == ("courier_communication",)
    assert decided("bml", "LOSS", evidence=("courier_communication",)).supporting == ()


def test_bm_14_a_damage_needs_the_unboxing_video_and_only_supports_it_with_photos() -> None:
    assert missing("bml", "DAMAGE", evidence=("product_images",)) == ["unboxing_video"]
    assert paid("bml", "DAMAGE", evidence=("unboxing_video",)) == "400.00"


def test_bm_15_a_core_paper_that_does_not_come_denies() -> None:
    asked = {"evidence": ("product_images",), "info_requested_at": "2024-05-02T09:00"}
    assert missing("bml", "DAMAGE", **asked, as_of="2024-05-09T23:59:59") == ["unboxing_video"]
    lapsed = answer("bml", "DAMAGE", **asked, as_of="2024-05-10T00:00")
    assert lapsed == ("DENIED", "EVIDENCE_NOT_PROVIDED:unboxing_video")


@pytest.mark.parametrize(
    "element", ["sealed_six_sides_label", "continuous_in_frame", "damage_shown"]
)
def test_bm_18_q30_the_video_shows_all_three_elements(element: str) -> None:
    shown = tuple(
        one
        for one in ("sealed_six_sides_label", "continuous_in_frame", "damage_shown")
        if one != element
    )
    assert answer("bml", "DAMAGE", video_elements=shown) == (
        "DENIED",
        f"VIDEO_ELEMENT_MISSING:{element}",
    )


@pytest.mark.parametrize(
    "cause",
    [
        "force_majeure", "wrong_address", "recipient_refused", "unclaimed", "customs_act",
        "prohibited_goods", "fraud", "manufacturing_defect", "packaging_only",
        "post_delivery_theft", "customer_damage", "consequential",
    ],
)  # fmt: skip
def test_bm_19_q30_the_listed_causes_are_excluded(cause: str) -> None:
    assert answer("bml", "DAMAGE", causes=(cause,)) == ("DENIED", f"EXCLUDED_CAUSE:{cause}")


def test_bm_19_g_16_a_parcel_with_a_delivery_scan_is_not_lost() -> None:
    delivered = {"delivered_at": "2024-05-01T08:00", "last_update_at": "2024-05-01T08:00"}
    assert answer("bml", "LOSS", **delivered) == ("DENIED", "DELIVERED")


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ("2000", "2000.00"),
        ("2000.01", "2000.01"),
        ("3000", "2800.00"),
        ("5000", "4400.00"),
        ("6000", "4400.00"),
    ],
)
def test_bm_21_q2_2000_in_full_the_next_3000_at_80_percent_and_nothing_above(
    value: str, limit: str
) -> None:
    worth = {"goods_value": value, "claimed_value": value}
    insured = "5000" if value == "6000" else value
    assert paid("bml", "LOSS", **worth, insured_value=insured) == limit


def test_bm_22_q43_the_difference_to_the_courier_never_above_the_product_value() -> None:
    assert paid("bml", "LOSS", carrier_paid="500") == "1500.00"
    assert answer("bml", "LOSS", carrier_paid="2000") == ("DENIED", "NO_RESIDUAL_LOSS")


def test_bm_23_the_least_of_loss_tier_and_what_is_left_of_the_value() -> None:
    of_2500 = {"goods_value": "2500", "insured_value": "2500"}
    assert paid("bml", "DAMAGE", **of_2500, claimed_value="300") == "300.00"
    assert paid("bml", "DAMAGE", **of_2500, claimed_value="2500") == "2400.00"
    earlier = {**of_2500, "paid": "1500", "carrier_paid": "200", "claimed_value": "1100"}
    assert paid("bml", "DAMAGE", **earlier) == "800.00"


def test_bm_25_a_partial_damage_is_worth_its_grade() -> None:
    assert paid("bml", "DAMAGE", claimed_value="160") == "160.00"


def test_bm_28_an_item_has_one_claim_and_all_together_stay_within_value_and_tier() -> None:
    items = ({"id": "i1", "class": "other", "value": 2000},)
    again = {"items": items, "claimed_value": None, "claimed_items": ("i1",)}
    assert answer("bml", "DAMAGE", **again, items_paid=("i1",)) == ("DENIED", "DUPLICATE_CLAIM")
    assert paid("bml", "DAMAGE", paid="1900") == "100.00"


def test_bm_29_nothing_is_advanced() -> None:
    facts = facts_of_claim("bml", "LOSS", file_complete=True, assessed_payout="2000")
    assert advance(PLANS["bml"], facts).advance.amount_minor == 0


def test_bm_17_claim_in_time_then_papers_then_the_decision() -> None:
    """The three steps are one claim that is asked for its papers, then decided on them."""
    asked = decided("bml", "DAMAGE", evidence=())
    facts = facts_of_claim("bml", "DAMAGE", info_requested_at="2024-05-02T08:00")
    answered = adjudicate(PLANS["bml"], "DAMAGE", facts)
    assert [asked.outcome.value, answered.outcome.value] == ["INFO_REQUIRED", "APPROVED"]
