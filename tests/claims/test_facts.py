"""Every fact of a claim has the field it comes from: the demo's claims, from event fields to cents."""

from datetime import datetime
from decimal import Decimal

import pytest

from libs.common.money import Money, money
from libs.common.plans.facts import FACTS
from services.claims.domain import Decision, adjudicate
from services.claims.domain.cases import (
    Case,
    Document,
    EarlierClaim,
    Findings,
    OrderPosition,
)
from services.claims.domain.facts_of_claim import facts
from tests.claims.builders import (
    BOOK,
    a_case,
    a_claim,
    a_cover,
    an_item,
    at,
    cny,
    some_terms,
    tracked,
)


def decide(case: Case, now: datetime) -> Decision:
    plan = BOOK.pinned(case.cover.plan_sha256)
    return adjudicate(plan, case.claim.statement.peril, facts(case, now))


def usd(amount: str) -> Money:
    return money(Decimal(amount), "USD")


def myr(amount: str) -> Money:
    return money(Decimal(amount), "MYR")


def test_cssecure_pays_a_fifth_of_the_freight_from_day_61() -> None:
    now = at("2024-03-02T09:00")
    cover = a_cover(
        tracking=tracked(
            dispatched_at="2024-01-04T01:00",
            last_update_at="2024-03-02T07:00",
            delivered_at="2024-03-02T07:00",
        ),
        state="RUN_OFF",
    )
    decision = decide(a_case(cover, a_claim("DELAY", now)), now)

    assert (decision.outcome, decision.payout) == ("APPROVED", cny("70"))


def test_cssecure_answers_a_delay_delivered_on_day_60_with_not_delayed() -> None:
    now = at("2024-03-02T09:00")
    cover = a_cover(
        tracking=tracked(dispatched_at="2024-01-04T01:00", delivered_at="2024-03-01T07:00")
    )
    decision = decide(a_case(cover, a_claim("DELAY", now)), now)

    assert str(decision.reason) == "NOT_DELAYED"


def test_mypoz_pays_a_lost_parcel_its_eligible_goods() -> None:
    now = at("2024-06-05T01:00")
    phone = an_item("i1", item_class="phone", value=myr("1000"))
    vase = an_item("i2", item_class="vase", value=myr("400"), verdict="DECLINE")
    cover = a_cover(
        "mypoz-cargo",
        terms=some_terms(
            "MYR",
            items=(phone, vase),
            insured_value=myr("1000"),
            goods_value=myr("1400"),
            eligible_goods_value=myr("1000"),
            premium=myr("38"),
            documents=(
                Document(kind="proof_of_purchase", sha256="0" * 64, evidence_id="evd_1"),
            ),
        ),
        tracking=tracked(
            dispatched_at="2024-05-20T01:00", loss_confirmed_at="2024-06-04T01:00"
        ),
    )
    claim = a_claim(
        "LOSS",
        now,
        statement={"is_whole_parcel": True},
        evidence=("provider_loss_confirmation", "police_report"),
    )
    decision = decide(a_case(cover, claim), now)

    assert (decision.outcome, decision.payout) == ("APPROVED", myr("1000"))


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [("ACCEPT", "APPROVED"), ("DECLINE", "DENIED"), ("REFER", "DENIED")],
)
@pytest.mark.parametrize("is_whole", [True, False])
def test_mp_28_goods_that_staff_accepted_count_at_a_claim(
    verdict: str, outcome: str, is_whole: bool
) -> None:
    now = at("2024-06-05T01:00")
    coat = an_item("i1", item_class="clothing", value=myr("700"), verdict=verdict)
    cover = a_cover(
        "mypoz-cargo",
        terms=some_terms(
            "MYR",
            items=(coat,),
            insured_value=myr("700"),
            goods_value=myr("700"),
            eligible_goods_value=myr("700"),
            premium=myr("26.60"),
            documents=(
                Document(kind="proof_of_purchase", sha256="0" * 64, evidence_id="evd_1"),
            ),
        ),
        tracking=tracked(
            dispatched_at="2024-05-20T01:00", loss_confirmed_at="2024-06-04T01:00"
        ),
    )
    claim = a_claim(
        "LOSS",
        now,
        statement={"is_whole_parcel": is_whole, "item_ids": () if is_whole else ("i1",)},
        evidence=("provider_loss_confirmation", "police_report"),
    )
    decision = decide(a_case(cover, claim), now)

    assert decision.outcome == outcome
    if outcome == "APPROVED":
        assert decision.payout == myr("700")
    else:
        assert str(decision.reason) == "GOODS_EXCLUDED"


def test_bml_pays_the_difference_to_the_couriers_compensation() -> None:
    now = at("2024-05-25T08:00")
    cover = a_cover(
        "bml-shipping",
        terms=some_terms(
            "USD",
            insured_value=usd("2000"),
            goods_value=usd("2000"),
            eligible_goods_value=usd("2000"),
            shipping_fee=usd("0"),
        ),
        tracking=tracked(dispatched_at="2024-04-28T08:00", last_update_at="2024-05-01T08:00"),
    )
    claim = a_claim(
        "LOSS", now, statement={"is_whole_parcel": True, "carrier_paid": usd("500")}
    )
    decision = decide(a_case(cover, claim), now)

    assert (decision.outcome, decision.payout) == ("APPROVED", usd("1500"))


TKS_PAPERS = (
    "delivery_record",
    "proof_of_insured_value",
    "delivery_certificate",
    "dispute_or_refund_screenshot",
    "carrier_loss_letter",
)


def test_tks_pays_the_lower_of_proven_value_and_refund_to_the_buyer() -> None:
    now = at("2024-05-16T02:00")
    cover = a_cover(
        "tks-warehouse",
        terms=some_terms(insured_value=cny("5000"), goods_value=cny("4200")),
        tracking=tracked(
            accepted_at="2024-05-01T10:00",
            dispatched_at="2024-05-01T14:00",
            last_update_at="2024-05-08T02:00",
        ),
        paid_at=at("2024-05-01T08:00"),
    )
    claim = a_claim(
        "LOSS",
        now,
        statement={"refund_to_buyer": cny("4000"), "claimed_value": cny("4200")},
        evidence=TKS_PAPERS,
        findings=Findings(proven_value=cny("4200")),
    )
    decision = decide(a_case(cover, claim), now)

    assert (decision.outcome, decision.payout) == ("APPROVED", cny("4000"))


def test_jsx_caps_a_late_parcels_subsidy_by_its_order() -> None:
    now = at("2024-06-02T01:00")
    cover = a_cover(
        "jsx-cargo",
        terms=some_terms(insured_value=cny("1000"), order_ref="JSX-1", line="AIR_US"),
        tracking=tracked(dispatched_at="2024-01-04T01:00", delivered_at="2024-06-01T01:00"),
    )
    claim = a_claim("DELAY", now, evidence=("value_document", "logistics_document"))
    order = OrderPosition(insured_value=cny("2000"), delay_paid=cny("300"))
    case = a_case(cover, claim, order=order)
    known = facts(case, now) | {"days_over_standard": 30}
    decision = adjudicate(BOOK.pinned(cover.plan_sha256), "DELAY", known)

    assert (decision.payout, decision.caps) == (cny("100"), ("CAP_DELAY_PCT",))


def test_what_earlier_claims_were_paid_counts_goods_and_shipping_apart() -> None:
    now = at("2024-03-02T09:00")
    earlier = (
        EarlierClaim(
            peril="SHORTAGE",
            outcome="APPROVED",
            item_ids=("i1",),
            goods_paid=cny("300"),
            buy_yourself_paid=cny("100"),
            shipping_paid=cny("0"),
        ),
        EarlierClaim(peril="DELAY", outcome="APPROVED", delay_paid=cny("70")),
        EarlierClaim(peril="DAMAGE", outcome="OPEN", item_ids=("i2",)),
    )
    known = facts(a_case(a_cover(), a_claim("LOSS", now), earlier=earlier), now)

    assert known["paid"] == Decimal("300.00")
    assert known["biy_paid"] == Decimal("100.00")
    assert known["shipping_paid"] == Decimal("0.00")
    assert known["delay_paid"] == Decimal("70.00")
    assert known["items_paid"] == ("i1",)
    assert [claim["outcome"] for claim in known["prior_claims"]] == [
        "APPROVED",
        "APPROVED",
        "OPEN",
    ]


def test_a_policy_whose_goods_were_paid_in_full_is_exhausted() -> None:
    now = at("2024-03-02T09:00")
    spent = (EarlierClaim(peril="LOSS", outcome="APPROVED", goods_paid=cny("1200")),)
    case = a_case(a_cover(), a_claim("DAMAGE", now), earlier=spent)

    assert facts(case, now)["policy_state"] == "EXHAUSTED"
    assert str(decide(case, now).reason) == "COVER_EXHAUSTED"


def test_damage_counts_each_item_at_its_grade_and_declined_items_not_at_all() -> None:
    now = at("2024-03-02T09:00")
    own = an_item("i2", value=cny("200"), source="buy_yourself", weight_kg=Decimal("2.500"))
    barred = an_item("i3", value=cny("900"), verdict="DECLINE")
    cover = a_cover(terms=some_terms(items=(an_item(), own, barred)))
    claim = a_claim(
        "DAMAGE",
        now,
        statement={"item_ids": ("i1", "i2", "i3")},
        findings=Findings(grades={"i1": Decimal("0.5"), "i2": Decimal("0.2")}),
    )
    known = facts(a_case(cover, claim), now)

    assert known["claimed_value"] == Decimal("465.00")
    assert known["claimed_biy_value"] == Decimal("40.00")
    assert known["claimed_biy_weight_kg"] == Decimal("0.5000")


def test_a_loss_that_names_neither_items_nor_a_value_is_of_the_whole_parcel() -> None:
    now = at("2024-03-02T09:00")
    named = {"item_ids": ("i1",)}
    cover = a_cover(terms=some_terms(items=(an_item(),)))

    assert facts(a_case(cover, a_claim("LOSS", now)), now)["whole_parcel"]
    assert not facts(a_case(cover, a_claim("LOSS", now, statement=named)), now)["whole_parcel"]
    assert not facts(a_case(cover, a_claim("DAMAGE", now)), now)["whole_parcel"]


def test_an_adjudicators_word_stands_over_the_claimants() -> None:
    now = at("2024-03-02T09:00")
    claim = a_claim(
        "DAMAGE",
        now,
        statement={"exception_noted": True, "carrier_paid": cny("10")},
        findings=Findings(exception_noted=False, carrier_paid=cny("25")),
    )
    known = facts(a_case(a_cover(), claim), now)

    assert (known["exception_noted"], known["carrier_paid"]) == (False, Decimal("25.00"))


# Facts of other operations: the quote's, the policy's, and later steps of a claim.
ELSEWHERE = """
    advanced assessed_payout cause complete_at deposit_paid file_complete fraud insurer_accepted_at
    insurer_paid issued_at items_in_warehouse late_received order_value_usd packed point
    premium_charged previous_decided_at priority clean_first_submission quote_state reason rehearsal
    second_fee shown tier tiers_exhausted voucher
"""
# Made by the plan language from others.
DERIVED = "cover_started days_over_standard delivered dispatched quiet_days transit_days"


@pytest.mark.parametrize("name", sorted({*FACTS} - {*ELSEWHERE.split()} - {*DERIVED.split()}))
def test_no_fact_is_left_blank(name: str) -> None:
    """A case in which everything is known gives every fact of a claim a value."""
    now = at("2024-03-02T09:00")
    everything = a_case(
        a_cover(
            terms=some_terms(goods_limit=cny("2000"), items=(an_item(),), is_registered=True),
            tracking=tracked(
                accepted_at="2024-01-03T01:00",
                dispatched_at="2024-01-04T01:00",
                last_update_at="2024-02-04T01:00",
                delivered_at="2024-03-01T01:00",
                returned_at="2024-03-01T02:00",
            ),
        ),
        a_claim(
            "DAMAGE",
            now,
            statement={"item_ids": ("i1",), "event_at": now, "refund_to_buyer": cny("1")},
            info_requested_at=now,
            findings=Findings(
                proven_value=cny("1"),
                carrier_paid=cny("1"),
                insurer_approved=cny("1"),
                insurer_decided=True,
                is_misdeclared=True,
                is_investigated=True,
                loss_confirmed_at=now,
            ),
        ),
        order=OrderPosition(insured_value=cny("1200"), delay_paid=cny("0")),
    )
    assert name in facts(everything, now)
