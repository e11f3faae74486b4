"""What tks-warehouse says of claims, rule by rule (domain.md 1.3)."""

import pytest

from libs.common.plans.codes import PERILS, Supplier, supplier
from services.claims.domain import advance, settle_advance
from tests.rules.claiming import PLANS, answer, decided, facts_of_claim, missing, paid

CORE = ("delivery_record", "proof_of_insured_value", "delivery_certificate")
ALL = (*CORE, "dispute_or_refund_screenshot", "carrier_loss_letter")


def without(*kinds: str) -> tuple[str, ...]:
    return tuple(kind for kind in ALL if kind not in kinds)


def test_tk_10_loss_and_damage_and_nothing_else() -> None:
    assert paid("tks", "LOSS") == "4000.00"
    assert paid("tks", "DAMAGE") == "800.00"
    for peril in PERILS - {"LOSS", "DAMAGE"}:
        assert answer("tks", peril) == ("DENIED", "PERIL_NOT_COVERED")


def test_tk_11_two_weeks_after_dispatch_and_a_week_without_a_word() -> None:
    early = {"last_update_at": "2024-05-02T10:00", "as_of": "2024-05-14T23:59:59"}
    assert answer("tks", "LOSS", **early) == ("DEFERRED", "TOO_EARLY")
    assert paid("tks", "LOSS", **{**early, "as_of": "2024-05-15T00:00"}) == "4000.00"
    heard = {"last_update_at": "2024-05-14T10:00", "as_of": "2024-05-20T23:59:59"}
    assert answer("tks", "LOSS", **heard) == ("DEFERRED", "TOO_EARLY")
    assert paid("tks", "LOSS", **{**heard, "as_of": "2024-05-21T00:00"}) == "4000.00"


@pytest.mark.parametrize("kind", [*CORE, "dispute_or_refund_screenshot"])
def test_tk_14_the_claimant_brings_four_documents(kind: str) -> None:
    assert supplier(kind) is Supplier.CLAIMANT
    assert missing("tks", "LOSS", evidence=without(kind)) == [kind]


def test_tk_15_tk_13_the_loss_letter_is_the_providers_and_the_claimant_is_told_so() -> None:
    decision = decided("tks", "LOSS", evidence=without("carrier_loss_letter"))
    (gap,) = decision.missing
    assert (gap.label, gap.awaits_provider) == ("carrier_loss_letter", True)


def test_tk_16_q19_two_kinds_have_30_days_from_filing() -> None:
    late = without("dispute_or_refund_screenshot", "carrier_loss_letter")
    decision = decided("tks", "LOSS", evidence=late, as_of="2024-06-19T23:59:59")
    assert [gap.label for gap in decision.missing] == [
        "dispute_or_refund_screenshot",
        "carrier_loss_letter",
    ]
    lapsed = answer("tks", "LOSS", evidence=late, as_of="2024-06-20T00:00")
    assert lapsed == ("DENIED", "EVIDENCE_NOT_PROVIDED:dispute_or_refund_screenshot")


def test_tk_16_tk_27_with_only_the_carriers_letter_missing_it_is_referred_not_denied() -> None:
    facts = {"evidence": without("carrier_loss_letter"), "as_of": "2024-06-20T00:00"}
    assert answer("tks", "LOSS", **facts) == ("REFERRED", "AWAITING_CARRIER")


def test_tk_17_the_other_three_are_due_with_the_claim_and_curable_once() -> None:
    assert missing("tks", "LOSS", evidence=without(*CORE)) == list(CORE)
    asked = {"evidence": without(*CORE), "info_requested_at": "2024-05-20T10:00"}
    lapsed = answer("tks", "LOSS", **asked, as_of="2024-05-28T00:00")
    assert lapsed == ("DENIED", "EVIDENCE_NOT_PROVIDED:delivery_record")


def test_tk_18_a_damage_needs_photos_and_the_carriers_report_in_place_of_the_letter() -> None:
    assert missing("tks", "DAMAGE", evidence=ALL) == ["damage_photos", "carrier_damage_report"]
    assert supplier("carrier_damage_report") is Supplier.PROVIDER


def test_tk_20_a_complete_file_is_advanced_in_full_within_three_working_days() -> None:
    facts = facts_of_claim(
        "tks",
        "LOSS",
        file_complete=True,
        assessed_payout="4000",
        complete_at="2024-05-20T10:00",
    )
    given = advance(PLANS["tks"], facts)
    assert (str(given.advance.decimal), str(given.due_on)) == ("4000.00", "2024-05-23")
    assert advance(PLANS["tks"], {**facts, "file_complete": False}).advance.amount_minor == 0


def test_tk_21_q34_the_provider_bears_what_the_insurer_does_not_pay_but_for_fraud() -> None:
    facts = facts_of_claim("tks", "LOSS", advanced="4000", insurer_paid="3400")
    settled = settle_advance(PLANS["tks"], facts)
    assert (str(settled.to_provider.decimal), str(settled.provider_bears.decimal)) == (
        "3400.00",
        "600.00",
    )
    fraud = settle_advance(PLANS["tks"], {**facts, "fraud": True})
    assert (fraud.provider_bears.amount_minor, fraud.clawback.amount_minor) == (0, 60_000)


def test_tk_21_what_the_insurer_pays_above_the_advance_is_the_sellers() -> None:
    facts = facts_of_claim("tks", "LOSS", advanced="4000", insurer_paid="4200")
    settled = settle_advance(PLANS["tks"], facts)
    assert (settled.to_provider.amount_minor, settled.to_seller.amount_minor) == (
        400_000,
        20_000,
    )


def test_tk_22_q11_q33_the_lower_of_proven_value_and_refund_less_the_carriers_money() -> None:
    assert paid("tks", "LOSS", refund_to_buyer="4300") == "4200.00"
    assert paid("tks", "LOSS", refund_to_buyer="3999.99") == "3999.99"
    assert paid("tks", "LOSS", carrier_paid="600") == "3400.00"
    assert paid("tks", "LOSS", insured_value="3000") == "3000.00"
    assert paid("tks", "LOSS", shipping_fee="180") == "4000.00"


def test_tk_22_a_damage_is_not_paid_above_value_by_grade() -> None:
    assert paid("tks", "DAMAGE", claimed_value="799.99") == "799.99"
    assert paid("tks", "DAMAGE", claimed_value="9000") == "4000.00"


def test_tk_25_a_parcel_has_one_claim() -> None:
    for outcome in ("APPROVED", "OPEN"):
        earlier = ({"peril": "DAMAGE", "outcome": outcome},)
        again = answer("tks", "LOSS", prior_claims=earlier)
        assert again == ("DENIED", "DUPLICATE_CLAIM")
    for outcome in ("WITHDRAWN", "DENIED"):
        earlier = ({"peril": "DAMAGE", "outcome": outcome},)
        assert paid("tks", "LOSS", prior_claims=earlier) == "4000.00"


def test_tk_28_q19_a_damage_within_30_days_a_loss_within_180() -> None:
    damage = {"as_of": "2024-08-01T10:00", "filed_at": "2024-06-11T10:00"}
    assert paid("tks", "DAMAGE", **damage, notified_at="2024-06-11T23:59") == "800.00"
    late = answer("tks", "DAMAGE", **damage, notified_at="2024-06-12T00:00")
    assert late == ("DENIED", "LATE_NOTICE")
    loss = {"as_of": "2024-11-01T10:00", "notified_at": "2024-05-20T10:00"}
    assert paid("tks", "LOSS", **loss, filed_at="2024-10-28T23:59") == "4000.00"
    late = answer("tks", "LOSS", **loss, filed_at="2024-10-29T00:00")
    assert late == ("DENIED", "LATE_NOTICE")


@pytest.mark.parametrize(
    "cause",
    [
        "force_majeure", "wrong_address", "recipient_refused", "prohibited_goods", "customs_act",
        "inherent_vice", "fraud",
    ],
)  # fmt: skip
def test_tk_24_the_usual_causes_are_excluded(cause: str) -> None:
    assert answer("tks", "LOSS", causes=(cause,)) == ("DENIED", f"EXCLUDED_CAUSE:{cause}")
