"""What cssecure says of claims, rule by rule (domain.md 1.5)."""

from decimal import Decimal

import pytest

from libs.common.plans.codes import CAUSES, PERILS
from libs.common.plans.reading import read_plan_bytes
from libs.common.plans.values import Plan
from services.claims.domain import (
    Decision,
    adjudicate,
    advance,
    found_after_payout,
    redeem_voucher,
)
from tests.rules.claiming import BOOK, PLANS, answer, decided, facts_of_claim, missing, paid

CSS = PLANS["cssecure"]
COVERED = ("LOSS", "SEIZURE", "DAMAGE", "SHORTAGE", "DELAY", "RETURN")
GOODS = ("LOSS", "SEIZURE", "DAMAGE", "SHORTAGE")
# A parcel that is bought by the customer alone, 2.5 kg and worth 900.
BIY = {
    "goods_value": "900",
    "biy_value": "900",
    "biy_weight_kg": "2.5",
    "shipping_fee": "150",
    "insured_value": "900",
    "evidence": ("agent_loss_confirmation", "order_value_proof"),
}


def notes(decision: Decision) -> list[str]:
    return [str(note) for note in decision.notes]


def other_reading(**params: Decimal) -> Plan:
    return read_plan_bytes(CSS.source.encode(), CSS.name, params)


def test_cs_13_six_perils_are_covered_and_tax_is_not() -> None:
    for peril in COVERED:
        assert decided("cssecure", peril).outcome.value == "APPROVED"
    for peril in PERILS.difference(COVERED):
        assert answer("cssecure", peril) == ("DENIED", "PERIL_NOT_COVERED")


def test_cs_10_under_insured_goods_are_paid_up_to_the_insured_value() -> None:
    assert paid("cssecure", "LOSS", insured_value="500") == "500.00"
    assert paid("cssecure", "DAMAGE", insured_value="500", claimed_value="400") == "400.00"


def test_cs_14_q21_agent_letter_or_five_months_from_the_ship_out() -> None:
    for proof in ("agent_loss_confirmation", "customer_loss_letter"):
        assert paid("cssecure", "LOSS", evidence=(proof,)) == "1200.00"
    early = {"evidence": (), "submitted_at": "2023-12-01T10:00", "as_of": "2024-06-09T23:59:59"}
    decision = decided("cssecure", "LOSS", **early)
    assert (decision.outcome.value, str(decision.eligible_on)) == ("DEFERRED", "2024-06-10")
    assert paid("cssecure", "LOSS", **{**early, "as_of": "2024-06-10T00:00"}) == "1200.00"


def test_cs_15_a_lost_parcel_is_a_whole_parcel_goods_and_shipping_within_the_insured() -> None:
    assert paid("cssecure", "LOSS", whole_parcel=False, claimed_value="1000") == "1200.00"
    assert paid("cssecure", "LOSS", insured_value="1199.99") == "1199.99"


def test_cs_15_q10_cs_09_worth_500_and_insured_for_750_it_is_500() -> None:
    over = {"goods_value": "440", "shipping_fee": "60", "insured_value": "750"}
    decision = decided("cssecure", "LOSS", **over)
    assert (str(decision.payout.decimal), notes(decision)) == ("500.00", ["CAP_ACTUAL_VALUE"])


def test_cs_16_a_customs_letter_or_the_providers_query() -> None:
    for proof in ("customs_letter", "provider_seizure_query"):
        assert paid("cssecure", "SEIZURE", evidence=(proof,)) == "1200.00"
    asked = missing("cssecure", "SEIZURE", evidence=())
    assert asked == ["customs_letter|provider_seizure_query"]


def test_cs_17_k7_a_complete_seizure_pays_shipping_inside_the_insured_value() -> None:
    assert paid("cssecure", "SEIZURE", insured_value="1100") == "1100.00"
    assert paid("cssecure", "SEIZURE") == "1200.00"


def test_cs_18_a_partial_seizure_pays_the_seized_goods_without_shipping() -> None:
    part = {"whole_parcel": False, "claimed_value": "300"}
    assert paid("cssecure", "SEIZURE", **part) == "300.00"


def test_cs_19_k9_a_missing_item_needs_the_video_and_has_no_three_days() -> None:
    assert missing("cssecure", "SHORTAGE", evidence=()) == ["unboxing_video"]
    assert paid("cssecure", "SHORTAGE", notified_at="2024-06-01T10:00") == "120.00"


@pytest.mark.parametrize("kind", ["unboxing_video", "damage_list", "damage_photos"])
def test_cs_20_a_damage_needs_video_list_and_photos(kind: str) -> None:
    have = tuple(k for k in ("unboxing_video", "damage_list", "damage_photos") if k != kind)
    assert missing("cssecure", "DAMAGE", evidence=have) == [kind]


def test_cs_21_q24_g_13_contact_within_three_days_of_delivery_day_or_a_person_decides() -> None:
    assert paid("cssecure", "DAMAGE", notified_at="2024-02-22T23:59:59") == "400.00"
    late = decided("cssecure", "DAMAGE", notified_at="2024-02-23T00:00")
    assert (str(late.reason), late.is_discretionary) == ("LATE_NOTICE", True)


def test_cs_22_q7_a_damage_is_worth_its_grade() -> None:
    assert paid("cssecure", "DAMAGE", claimed_value="200") == "200.00"


def test_cs_23_minor_deformation_without_original_packaging_is_not_covered() -> None:
    creased = {"causes": ("minor_deformation",)}
    bare = answer("cssecure", "DAMAGE", **creased, packing="no_original_packaging")
    assert bare == ("DENIED", "MINOR_DEFORMATION")
    assert paid("cssecure", "DAMAGE", **creased, packing="shoebox") == "400.00"
    other = {"causes": ("crush",), "packing": "no_original_packaging"}
    assert paid("cssecure", "DAMAGE", **other) == "400.00"


def test_cs_24_water_is_covered_where_waterproof_was_chosen() -> None:
    wet = {"causes": ("water",)}
    assert answer("cssecure", "DAMAGE", **wet) == ("DENIED", "WATERPROOF_NOT_SELECTED")
    assert paid("cssecure", "DAMAGE", **wet, options=("waterproof",)) == "400.00"


@pytest.mark.parametrize("element", ["unboxing_shown", "always_in_frame"])
def test_cs_25_the_parcel_is_in_the_frame_at_all_times_weighing_is_not_required(
    element: str,
) -> None:
    for peril in ("DAMAGE", "SHORTAGE"):
        shown = tuple(e for e in ("unboxing_shown", "always_in_frame") if e != element)
        fault = answer("cssecure", peril, video_elements=shown)
        assert fault == ("DENIED", f"VIDEO_ELEMENT_MISSING:{element}")


def test_cs_26_k6_q22_q23_more_than_60_days_from_the_submittance_to_the_delivery() -> None:
    day_60 = {"delivered_at": "2024-03-01T23:59:59", "as_of": "2024-03-05T09:00"}
    assert answer("cssecure", "DELAY", **day_60) == ("DENIED", "NOT_DELAYED")
    day_61 = {"delivered_at": "2024-03-02T00:00", "as_of": "2024-03-05T09:00"}
    assert paid("cssecure", "DELAY", **day_61) == "70.00"
    assert answer("cssecure", "DELAY", as_of="2024-03-01T23:59:59") == ("DEFERRED", "TOO_EARLY")
    assert paid("cssecure", "DELAY", as_of="2024-03-02T00:00") == "70.00"


def test_cs_26_k6_the_other_reading_is_one_number_away() -> None:
    facts = facts_of_claim("cssecure", "DELAY", as_of="2024-03-01T09:00")
    decision = adjudicate(other_reading(delay_min_days=Decimal(60)), "DELAY", facts)
    assert str(decision.payout.decimal) == "70.00"


@pytest.mark.parametrize("tag", ["train", "sea", "sal", "eub"])
def test_cs_27_slow_lines_have_no_delay_cover(tag: str) -> None:
    assert answer("cssecure", "DELAY", line_tags=(tag,)) == ("DENIED", "LINE_EXCLUDED")
    assert paid("cssecure", "LOSS", line_tags=(tag,)) == "1200.00"


def test_cs_28_k10_a_fifth_of_the_freight_without_premium_or_services() -> None:
    assert paid("cssecure", "DELAY", shipping_fee="333.33", premium="36") == "66.67"


def test_cs_29_a_returned_parcel_gets_a_voucher_of_its_shipping_once() -> None:
    decision = decided("cssecure", "RETURN", shipping_fee="300")
    assert (decision.instrument, str(decision.payout.decimal)) == ("voucher", "300.00")
    used = ({"peril": "RETURN", "outcome": "APPROVED"},)
    assert answer("cssecure", "RETURN", prior_claims=used) == ("DENIED", "BENEFIT_USED")


@pytest.mark.parametrize(
    ("fee", "customer_pays", "lapsed"),
    [("300", 0, 0), ("380", 8_000, 0), ("250", 0, 5_000)],
)
def test_cs_29_cs_30_dearer_is_paid_on_top_and_what_is_left_lapses(
    fee: str, customer_pays: int, lapsed: int
) -> None:
    given = facts_of_claim("cssecure", "RETURN", voucher="300", second_fee=fee)
    used = redeem_voucher(CSS, given)
    assert (used.customer_pays.amount_minor, used.lapsed.amount_minor) == (
        customer_pays,
        lapsed,
    )


def test_cs_31_aramex_returns_are_not_covered() -> None:
    assert answer("cssecure", "RETURN", line_tags=("aramex",)) == ("DENIED", "LINE_EXCLUDED")


@pytest.mark.parametrize(
    ("weight", "value", "amount"),
    [("2.5", "900", "100.00"), ("12", "900", "400.00"), ("3", "80", "80.00")],
)
def test_cs_32_k8_the_least_of_40_a_kilogram_400_and_the_order(
    weight: str, value: str, amount: str
) -> None:
    worth = {"biy_weight_kg": weight, "goods_value": value, "biy_value": value}
    assert paid("cssecure", "LOSS", **{**BIY, **worth}) == amount


def test_cs_32_q8_the_400_hold_for_all_claims_on_one_parcel_together() -> None:
    earlier = {**BIY, "biy_weight_kg": "12", "biy_paid": "300", "paid": "300"}
    assert paid("cssecure", "LOSS", **earlier) == "100.00"


def test_cs_33_weight_is_not_rounded_up() -> None:
    assert paid("cssecure", "LOSS", **{**BIY, "biy_weight_kg": "2.501"}) == "100.04"


def test_cs_34_wrongly_marked_goods_may_be_refused_and_in_a_mixed_parcel_count_nothing() -> (
    None
):
    alone = decided("cssecure", "LOSS", **BIY, biy_misdeclared=True)
    assert (str(alone.reason), alone.is_discretionary) == ("BIY_NOT_MARKED", True)
    mixed = {**BIY, "goods_value": "1100", "biy_value": "500", "insured_value": "1250"}
    decision = decided("cssecure", "LOSS", **mixed, biy_misdeclared=True)
    assert (str(decision.payout.decimal), notes(decision)) == ("750.00", ["BIY_NOT_MARKED"])


def test_cs_35_the_order_is_proven_by_a_recording() -> None:
    unproven = {**BIY, "evidence": ("agent_loss_confirmation",)}
    assert missing("cssecure", "LOSS", **unproven) == ["order_value_proof"]
    assert paid("cssecure", "LOSS", evidence=("agent_loss_confirmation",)) == "1200.00"


def test_cs_36_q9_shipping_is_paid_for_a_mixed_parcel_and_not_for_one_wholly_bought_oneself() -> (
    None
):
    assert paid("cssecure", "LOSS", **BIY) == "100.00"
    mixed = {**BIY, "goods_value": "1100", "biy_value": "500", "insured_value": "1250"}
    assert paid("cssecure", "LOSS", **mixed) == "850.00"


def test_cs_37_q38_different_items_up_to_the_insured_value() -> None:
    assert paid("cssecure", "DAMAGE", paid="900", insured_value="1200") == "300.00"
    items = ({"id": "i1", "class": "shoes", "value": 1000},)
    again = {"items": items, "claimed_value": None, "claimed_items": ("i1",)}
    assert answer("cssecure", "DAMAGE", **again, items_paid=("i1",)) == (
        "DENIED",
        "DUPLICATE_CLAIM",
    )


def test_cs_37_delay_and_shipping_together_never_exceed_the_fee_in_either_order() -> None:
    assert paid("cssecure", "LOSS", delay_paid="40") == "1160.00"
    refunded = {"shipping_paid": "350"}
    assert answer("cssecure", "DELAY", **refunded) == ("DENIED", "NO_RESIDUAL_LOSS")
    assert paid("cssecure", "DELAY", shipping_paid="300") == "50.00"


@pytest.mark.parametrize("peril", [peril for peril in COVERED if peril != "DAMAGE"])
def test_cs_38_the_others_are_filed_within_365_days_of_the_ship_out(peril: str) -> None:
    # 2024 is a leap year: day 365 after 10 January is 9 January.
    seen = {"as_of": "2025-02-01T10:00", "notified_at": "2024-02-20T10:00"}
    on_time = decided("cssecure", peril, **seen, filed_at="2025-01-09T23:59:59")
    late = decided("cssecure", peril, **seen, filed_at="2025-01-10T00:00")
    assert (on_time.outcome.value, str(late.reason)) == ("APPROVED", "LATE_NOTICE")


def test_cs_39_q42_half_is_repaid_for_a_parcel_that_is_found_and_elsewhere_all() -> None:
    assert found_after_payout(CSS, {"paid": 1200}).amount_minor == 60_000
    assert found_after_payout(PLANS["mypoz"], {"paid": 1200}).amount_minor == 120_000


def test_cs_40_nothing_is_advanced() -> None:
    facts = facts_of_claim("cssecure", "LOSS", file_complete=True, assessed_payout="1200")
    assert advance(CSS, facts).advance.amount_minor == 0


def test_cs_41_what_the_carrier_paid_for_the_goods_is_deducted() -> None:
    assert paid("cssecure", "LOSS", carrier_paid="200") == "1000.00"


@pytest.mark.parametrize("cause", sorted(CAUSES - {"fraud", "water", "minor_deformation"}))
def test_cs_42_no_cause_is_excluded_but_fraud(cause: str) -> None:
    assert paid("cssecure", "DAMAGE", causes=(cause,)) == "400.00"


def test_cs_42_g_15_fraud_is() -> None:
    for peril in COVERED:
        fraud = answer("cssecure", peril, causes=("fraud",))
        assert fraud == ("DENIED", "EXCLUDED_CAUSE:fraud")


def test_cs_43_the_customer_sends_nothing_for_a_return() -> None:
    assert paid("cssecure", "RETURN", evidence=()) == "200.00"


def test_cs_06_the_goods_of_all_payouts_together_stay_within_2000_on_sal_to_germany() -> None:
    sal = {
        "line_tags": ("sal",),
        "destination": "DE",
        "goods_value": "3500",
        "shipping_fee": "420",
        "insured_value": "2420",
        "claimed_value": "1500",
        "goods_limit": "2000",
    }
    assert paid("cssecure", "SHORTAGE", **sal, paid="1500") == "500.00"
    assert answer("cssecure", "SHORTAGE", **sal, paid="2000") == ("DENIED", "NO_RESIDUAL_LOSS")


def test_cs_02_the_policy_of_2018_pays_two_thirds_of_a_seizure_without_freight() -> None:
    old = BOOK.get("cssecure", 1)
    decision = adjudicate(old, "SEIZURE", facts_of_claim("cssecure", "SEIZURE"))
    assert str(decision.payout.decimal) == "666.67"
