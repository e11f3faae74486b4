"""What jsx-cargo says of claims, rule by rule (domain.md 1.4)."""

import pytest

from libs.common.plans.codes import PERILS
from services.claims.domain import advance
from tests.rules.claiming import PLANS, answer, decided, facts_of_claim, missing, paid

RESPONSIBILITIES = ("LOSS", "DAMAGE", "DELAY")


def test_js_10_k3_loss_damage_and_delay_pay_and_tax_and_return_do_not() -> None:
    assert [paid("jsx", peril) for peril in RESPONSIBILITIES] == ["2500.00", "900.00", "150.00"]
    for peril in PERILS.difference(RESPONSIBILITIES):
        assert answer("jsx", peril) == ("DENIED", "PERIL_NOT_COVERED")


@pytest.mark.parametrize("peril", RESPONSIBILITIES)
def test_js_11_one_of_the_three_may_be_claimed_and_once(peril: str) -> None:
    for earlier in RESPONSIBILITIES:
        code = "DUPLICATE_CLAIM" if earlier == peril else "OTHER_PERIL_CLAIMED"
        claims = ({"peril": earlier, "outcome": "APPROVED"},)
        assert answer("jsx", peril, prior_claims=claims) == ("DENIED", code)


def test_js_12_q35_what_was_withdrawn_or_denied_blocks_nothing() -> None:
    for outcome in ("WITHDRAWN", "DENIED"):
        claims = ({"peril": "DELAY", "outcome": outcome},)
        assert paid("jsx", "LOSS", prior_claims=claims) == "2500.00"


def test_js_13_actual_loss_what_the_insurer_approved_and_the_insured_value() -> None:
    assert paid("jsx", "LOSS", insurer_approved="2200") == "2200.00"
    assert paid("jsx", "LOSS", insurer_approved="9000") == "2500.00"
    assert paid("jsx", "LOSS", claimed_value="3000.01") == "3000.00"
    assert paid("jsx", "DELAY", insurer_approved="50") == "50.00"
    assert answer("jsx", "LOSS", insurer_approved="0") == ("DENIED", "NO_RESIDUAL_LOSS")


def test_js_13_while_it_lies_with_the_insurer_it_waits() -> None:
    for peril in RESPONSIBILITIES:
        waits = answer("jsx", peril, insurer_decided=False)
        assert waits == ("REFERRED", "AWAITING_INSURER")


def test_js_14_a_delay_is_decided_once_the_parcel_has_arrived() -> None:
    on_its_way = {"delivered_at": None, "days_over_standard": 6}
    decision = decided("jsx", "DELAY", **on_its_way)
    assert (decision.outcome.value, decision.awaits) == ("DEFERRED", "delivered_at")
    assert answer("jsx", "DELAY", days_over_standard=0) == ("DENIED", "NOT_DELAYED")
    assert paid("jsx", "DELAY", days_over_standard=1) == "30.00"


def test_js_15_q5_one_percent_of_the_insured_value_a_day() -> None:
    assert [paid("jsx", "DELAY", days_over_standard=days) for days in (2, 7, 20)] == [
        "60.00",
        "210.00",
        "600.00",
    ]


def test_js_16_at_most_20_percent_and_800_of_the_whole_order() -> None:
    assert paid("jsx", "DELAY", days_over_standard=21) == "600.00"
    large = {"insured_value": "6000", "order_insured_value": "6000"}
    assert paid("jsx", "DELAY", **large, days_over_standard=20) == "800.00"
    second = {"order_insured_value": "3000", "order_delay_paid": "500", "days_over_standard": 9}
    assert paid("jsx", "DELAY", **second) == "100.00"
    third = {"order_insured_value": "9000", "order_delay_paid": "700", "days_over_standard": 9}
    assert paid("jsx", "DELAY", **third) == "100.00"


def test_js_18_one_paper_of_the_value_and_one_of_the_carriage() -> None:
    for peril in RESPONSIBILITIES:
        without = [k for k in facts_of_claim("jsx", peril)["evidence"] if "document" not in k]  # type: ignore[attr-defined]
        asked = missing("jsx", peril, evidence=tuple(without))
        assert asked == ["value_document", "logistics_document"]


def test_js_19_photos_for_damage_a_carriers_letter_for_loss_and_nothing_for_delay() -> None:
    papers = ("value_document", "logistics_document")
    assert missing("jsx", "DAMAGE", evidence=papers) == ["damage_photos"]
    assert missing("jsx", "LOSS", evidence=papers) == ["carrier_loss_letter"]
    assert paid("jsx", "DELAY", evidence=papers) == "150.00"


def test_js_21_g_14_an_uninsured_parcel_is_answered() -> None:
    assert answer("jsx", "LOSS", policy_state="NONE") == ("DENIED", "NOT_INSURED")


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        ("JS-22", "force_majeure"), ("JS-22", "natural_disaster"), ("JS-22", "war"),
        ("JS-22", "riot"), ("JS-22", "strike"), ("JS-22", "inherent_vice"),
        ("JS-22", "third_party_act"), ("JS-22", "customs_act"), ("JS-23", "wrong_address"),
        ("JS-23", "bad_documents"), ("JS-24", "electromagnetic"), ("JS-25", "consequential"),
        ("JS-28", "recipient_refused"), ("JS-28", "unclaimed"), ("JS-28", "undeliverable"),
        ("JS-29", "contraband"), ("JS-29", "counterfeit"),
    ],
)  # fmt: skip
def test_js_22_js_23_js_24_js_25_js_28_js_29_js_30_k5_q36_the_carriers_clauses_bind_the_insurance(
    rule: str, cause: str
) -> None:
    decision = decided("jsx", "DAMAGE", causes=(cause,))
    assert (decision.outcome.value, str(decision.reason)) == (
        "DENIED",
        f"EXCLUDED_CAUSE:{cause}",
    )
    assert rule in decision.rule_ids


def test_g_15_fraud_is_excluded_as_well() -> None:
    assert answer("jsx", "DAMAGE", causes=("fraud",)) == ("DENIED", "EXCLUDED_CAUSE:fraud")


def test_js_25_k5_the_damage_itself_is_paid() -> None:
    assert paid("jsx", "DAMAGE", causes=("breakage",)) == "900.00"


def test_js_26_k4_filed_in_writing_within_30_days_of_receipt_or_of_the_loss_confirmed() -> None:
    told = {"notified_at": "2024-06-05T09:00", "as_of": "2024-08-01T09:00"}
    assert paid("jsx", "DAMAGE", **told, filed_at="2024-07-01T23:59:59") == "900.00"
    assert answer("jsx", "DAMAGE", **told, filed_at="2024-07-02T00:00") == (
        "DENIED",
        "LATE_NOTICE",
    )
    assert paid("jsx", "LOSS", **told, filed_at="2024-07-01T23:59:59") == "2500.00"
    assert answer("jsx", "LOSS", **told, filed_at="2024-07-02T00:00") == (
        "DENIED",
        "LATE_NOTICE",
    )


def test_js_27_loss_and_damage_wait_for_the_freight_and_a_delay_does_not() -> None:
    for peril in ("LOSS", "DAMAGE"):
        assert answer("jsx", peril, freight_paid=False) == ("ON_HOLD", "FREIGHT_UNPAID")
    assert paid("jsx", "DELAY", freight_paid=False) == "150.00"


def test_js_31_damage_is_worth_value_by_grade() -> None:
    assert paid("jsx", "DAMAGE", claimed_value="450") == "450.00"


def test_js_32_what_the_carrier_paid_is_deducted() -> None:
    assert paid("jsx", "LOSS", carrier_paid="500") == "2000.00"
    assert answer("jsx", "DAMAGE", carrier_paid="900") == ("DENIED", "NO_RESIDUAL_LOSS")


def test_js_33_nothing_is_advanced() -> None:
    facts = facts_of_claim("jsx", "LOSS", file_complete=True, assessed_payout="2500")
    assert advance(PLANS["jsx"], facts).advance.amount_minor == 0


def test_js_34_g_16_missing_items_are_a_loss_even_of_a_delivered_parcel() -> None:
    some = {"claimed_value": "700", "delivered_at": "2024-06-01T09:00"}
    assert paid("jsx", "LOSS", **some, loss_confirmed_at=None) == "700.00"
    used_up = ({"peril": "LOSS", "outcome": "APPROVED"},)
    again = answer("jsx", "DAMAGE", prior_claims=used_up)
    assert again == ("DENIED", "OTHER_PERIL_CLAIMED")


def test_js_06_q37_what_happens_after_the_arrival_is_not_covered() -> None:
    after = {"event_at": "2024-06-01T09:00:01"}
    assert answer("jsx", "DAMAGE", **after) == ("DENIED", "AFTER_COVER_END")
