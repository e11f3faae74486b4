"""What mypoz-cargo says of claims, rule by rule (domain.md 1.1)."""

import pytest

from libs.common.plans.codes import PERILS
from services.claims.domain import advance
from tests.rules.claiming import PLANS, answer, facts_of_claim, missing, open_perils, paid

# Told that it is missing something, as noted at delivery.
ITEMS = (
    {"id": "i1", "class": "phone", "value": 1500},
    {"id": "i2", "class": "phone", "value": 900},
)


def test_mp_29_q6_loss_is_paid_in_full_and_shortage_and_damage_where_noted() -> None:
    assert paid("mypoz", "LOSS") == "1500.00"
    assert paid("mypoz", "SHORTAGE") == "500.00"
    assert paid("mypoz", "DAMAGE") == "500.00"


@pytest.mark.parametrize("peril", sorted(PERILS - {"LOSS", "SHORTAGE", "DAMAGE"}))
def test_mp_29_delay_seizure_return_and_tax_are_not_covered(peril: str) -> None:
    assert answer("mypoz", peril) == ("DENIED", "PERIL_NOT_COVERED")


def test_mp_29_goods_in_the_sellers_own_packing_are_not_paid_when_damaged() -> None:
    assert answer("mypoz", "DAMAGE", packing="seller_original") == (
        "DENIED",
        "ORIGINAL_PACKING",
    )
    assert paid("mypoz", "SHORTAGE", packing="seller_original") == "500.00"


def test_mp_30_a_clean_receipt_ends_it() -> None:
    for peril in ("SHORTAGE", "DAMAGE"):
        assert answer("mypoz", peril, exception_noted=False) == ("DENIED", "CLEAN_RECEIPT")


@pytest.mark.parametrize(
    "cause",
    [
        "war", "hostile_act", "strike", "natural_disaster", "military_action", "riot", "looting",
        "detainment", "human_related", "third_party_act",
    ],
)  # fmt: skip
def test_mp_31_the_listed_causes_are_excluded(cause: str) -> None:
    assert answer("mypoz", "LOSS", causes=(cause,)) == ("DENIED", f"EXCLUDED_CAUSE:{cause}")


def test_mp_31_other_causes_are_not() -> None:
    assert paid("mypoz", "DAMAGE", causes=("crush", "water")) == "500.00"


def test_mp_32_a_loss_is_told_within_48_hours_of_its_confirmation() -> None:
    assert paid("mypoz", "LOSS", notified_at="2024-06-05T09:00") == "1500.00"
    late = answer("mypoz", "LOSS", notified_at="2024-06-05T09:00:01")
    assert late == ("DENIED", "LATE_NOTICE")


def test_mp_32_a_damage_is_told_within_48_hours_of_the_delivery() -> None:
    for peril in ("SHORTAGE", "DAMAGE"):
        assert paid("mypoz", peril, notified_at="2024-06-05T09:00:00") == "500.00"
        late = answer("mypoz", peril, notified_at="2024-06-05T09:00:01")
        assert late == ("DENIED", "LATE_NOTICE")


def test_mp_32_a_police_report_or_packaging_photos_and_weight() -> None:
    for papers in (("police_report",), ("outer_packaging_photos", "weight_photo")):
        evidence = ("proof_of_purchase", *papers)
        assert paid("mypoz", "SHORTAGE", evidence=evidence) == "500.00"
    half = ("proof_of_purchase", "outer_packaging_photos")
    assert missing("mypoz", "SHORTAGE", evidence=half) == ["police_report|weight_photo"]


def test_mp_33_unconfirmed_it_is_lost_15_working_days_after_the_report() -> None:
    unconfirmed = {
        "loss_confirmed_at": None,
        "reported_at": "2024-05-06T09:00",
        "notified_at": "2024-05-06T09:00",
        "evidence": ("proof_of_purchase", "police_report"),
    }
    early = answer("mypoz", "LOSS", **unconfirmed, as_of="2024-05-26T23:59:59")
    assert early == ("DEFERRED", "TOO_EARLY")
    assert paid("mypoz", "LOSS", **unconfirmed, as_of="2024-05-27T00:00") == "1500.00"


def test_mp_34_the_lost_items_up_to_the_sum_insured_less_what_the_carrier_paid() -> None:
    assert paid("mypoz", "LOSS", claimed_value="1499.99") == "1499.99"
    assert paid("mypoz", "LOSS", claimed_value="1500.01") == "1500.00"
    assert paid("mypoz", "LOSS", carrier_paid="200") == "1300.00"
    assert paid("mypoz", "SHORTAGE", claimed_value="1500", paid="400") == "1100.00"


def test_mp_34_freight_is_not_paid_back() -> None:
    assert paid("mypoz", "LOSS", shipping_fee="60") == "1500.00"


def test_mp_35_an_item_is_paid_once_and_another_one_still_is() -> None:
    two = {
        "items": ITEMS,
        "goods_value": "2400",
        "insured_value": "2400",
        "claimed_value": None,
    }
    again = answer("mypoz", "SHORTAGE", **two, claimed_items=("i1",), items_paid=("i1",))
    assert again == ("DENIED", "DUPLICATE_CLAIM")
    other = {**two, "claimed_items": ("i2",), "items_paid": ("i1",), "paid": "1500"}
    assert paid("mypoz", "SHORTAGE", **other) == "900.00"


def test_mp_35_all_claims_together_stay_within_the_sum_insured() -> None:
    assert paid("mypoz", "SHORTAGE", claimed_value="500", paid="1400") == "100.00"


def test_mp_36_nothing_is_advanced() -> None:
    facts = facts_of_claim("mypoz", "LOSS", file_complete=True, assessed_payout="1500")
    assert advance(PLANS["mypoz"], facts).advance.amount_minor == 0


def test_mp_39_g_14_an_uninsured_parcel_is_answered_and_nothing_else_looked_at() -> None:
    assert answer("mypoz", "LOSS", policy_state="NONE") == ("DENIED", "NOT_INSURED")


def test_g_10_carrier_and_insurer_together_never_pay_more_than_the_loss() -> None:
    assert answer("mypoz", "LOSS", carrier_paid="1500") == ("DENIED", "NO_RESIDUAL_LOSS")
    assert paid("mypoz", "LOSS", carrier_paid="1499.99") == "0.01"


def test_mp_32_eligibility_tells_the_deadline_before_the_claim() -> None:
    given = {
        "insured_value": "1500",
        "exception_noted": True,
        "delivered_at": "2024-06-03T09:00",
    }
    on_time = open_perils("mypoz", **given, as_of="2024-06-05T09:00")["SHORTAGE"]
    late = open_perils("mypoz", **given, as_of="2024-06-05T09:00:01")["SHORTAGE"]
    assert (on_time.is_open, late.is_open) == (True, False)
    assert [str(reason) for reason in late.reasons] == ["LATE_NOTICE"]
