"""A claim decided by its plan: the steps, what a decision carries, and what always holds.

The programmes' own examples are in tests/plans; here is what they don't show.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, given, settings

from libs.common.money import Money, money, zero
from libs.common.plans.clocks import Pause
from libs.common.plans.codes import GOODS_PERILS, Outcome
from libs.common.plans.facts import BadFact, facts_of
from libs.common.plans.reading import load
from libs.common.plans.terms import NO_LIMIT
from libs.common.plans.values import Plan
from libs.common.plans.wire import from_wire, to_wire
from libs.common.settings import PROGRAMMES
from services.claims.domain import (
    Decision,
    Eligibility,
    adjudicate,
    advance,
    appeal,
    eligibility,
    found_after_payout,
    pay_by,
    redeem_voucher,
    settle_advance,
    sla,
    straight_through,
)
from tests.plans.builders import PLAN, a_plan, any_facts, with_replaced

BOOK = load(PROGRAMMES)
MYPOZ, BML = BOOK.get("mypoz-cargo", 1), BOOK.get("bml-shipping", 1)
TKS, JSX = BOOK.get("tks-warehouse", 1), BOOK.get("jsx-cargo", 1)
CSSECURE = BOOK.get("cssecure", 2)
LIMIT = Money(50000, "CNY")


def at(text: str, plan: Plan = CSSECURE) -> datetime:
    """A time local to the plan."""
    return datetime.fromisoformat(text).replace(tzinfo=plan.zone)


def a_loss(**facts: object) -> dict[str, object]:
    """A parcel worth 1000, shipped for 200, insured for 1200, that the agent says is lost."""
    return {
        "line": "EMS",
        "destination": "US",
        "goods_value": Decimal(1000),
        "shipping_fee": Decimal(200),
        "insured_value": Decimal(1200),
        "whole_parcel": True,
        "dispatched_at": at("2024-01-10T10:00:00"),
        "notified_at": at("2024-02-20T10:00:00"),
        "as_of": at("2024-02-20T10:00:00"),
        "evidence": ("agent_loss_confirmation",),
        **facts,
    }


def a_damage(**facts: object) -> dict[str, object]:
    """Goods worth 400 damaged, with all that cssecure asks for."""
    standard: dict[str, object] = {
        "whole_parcel": False,
        "claimed_value": Decimal(400),
        "delivered_at": at("2024-02-19T18:00:00"),
        "evidence": ("unboxing_video", "damage_list", "damage_photos"),
        "video_elements": ("unboxing_shown", "always_in_frame"),
    }
    return a_loss(**{**standard, **facts})


def codes(decision: Decision) -> list[str]:
    return [str(reason) for reason in decision.reasons]


# --- Reasons -----------------------------------------------------------------------------------


def test_an_approval_has_no_reason_and_names_its_plan_and_rules() -> None:
    decision = adjudicate(CSSECURE, "LOSS", a_loss())

    assert decision.outcome is Outcome.APPROVED
    assert decision.reason is None
    assert (decision.plan, decision.version, decision.sha256) == (
        "cssecure",
        2,
        CSSECURE.sha256,
    )
    assert {"CS-14", "CS-15", "CS-38"} <= set(decision.rule_ids)


def test_the_first_failure_decides_and_all_later_ones_stand_beside_it() -> None:
    decision = adjudicate(
        CSSECURE,
        "DAMAGE",
        a_damage(
            policy_state="VOID",
            event_at=at("2024-01-09T00:00:00"),
            notified_at=at("2024-03-01T00:00:00"),
            causes=("water", "fraud"),
            video_elements=(),
            carrier_paid=Decimal(500),
        ),
    )

    assert codes(decision) == [
        "POLICY_VOID",
        "BEFORE_COVER_START",
        "LATE_NOTICE",
        "EXCLUDED_CAUSE:fraud",
        "WATERPROOF_NOT_SELECTED",
        "VIDEO_ELEMENT_MISSING:unboxing_shown",
        "VIDEO_ELEMENT_MISSING:always_in_frame",
        "NO_RESIDUAL_LOSS",
    ]
    assert str(decision.reason) == "POLICY_VOID"
    assert [reason.step for reason in decision.reasons] == [1, 3, 6, 7, 8, 11, 11, 12]
    assert not decision.is_discretionary


def test_a_denial_names_the_rules_of_its_reasons() -> None:
    decision = adjudicate(CSSECURE, "DAMAGE", a_damage(causes=("water",)))

    assert decision.rule_ids == ("CS-24",)


@pytest.mark.parametrize(
    ("state", "peril", "code"),
    [
        ("NONE", "LOSS", "NOT_INSURED"),
        ("PENDING", "LOSS", "NOT_IN_FORCE"),
        ("SCHEDULED", "LOSS", "BEFORE_COVER_START"),
        ("INVALID", "LOSS", "POLICY_INVALID"),
        ("VOID", "LOSS", "POLICY_VOID"),
        ("CANCELLED", "LOSS", "POLICY_CANCELLED"),
        ("LAPSED", "LOSS", "POLICY_CANCELLED"),
        ("EXPIRED", "LOSS", "AFTER_COVER_END"),
        ("EXHAUSTED", "LOSS", "COVER_EXHAUSTED"),
        ("EXHAUSTED", "RETURN", None),
        ("ACTIVE", "LOSS", None),
        ("RUN_OFF", "LOSS", None),
    ],
)
def test_the_state_of_the_policy_at_the_event_comes_first(
    state: str, peril: str, code: str | None
) -> None:
    decision = adjudicate(CSSECURE, peril, a_loss(policy_state=state))

    assert (str(decision.reason) if decision.reason else None) == code


def test_an_uninsured_parcel_is_told_so_and_nothing_else() -> None:
    decision = adjudicate(CSSECURE, "LOSS", {"policy_state": "NONE"})

    assert codes(decision) == ["NOT_INSURED"]
    assert decision.rule_ids == ("G-14",)
    assert decision.assessment is None


def test_a_peril_the_plan_does_not_have_is_not_covered() -> None:
    assert codes(adjudicate(TKS, "SEIZURE", a_loss())) == ["PERIL_NOT_COVERED"]
    assert adjudicate(JSX, "RETURN", {}).rule_ids == ("JS-10", "JS-28")


def test_a_peril_nobody_knows_is_no_fact() -> None:
    with pytest.raises(BadFact, match="peril is a text, not 'THEFT'; one of DAMAGE"):
        adjudicate(CSSECURE, "THEFT", {})


@pytest.mark.parametrize(
    ("claimed", "paid", "code"),
    [
        (("i1",), ("i1",), "DUPLICATE_CLAIM"),
        (("i1", "i2"), ("i1",), "DUPLICATE_CLAIM"),
        (("i2",), ("i1",), None),
    ],
)
def test_an_item_is_paid_once(
    claimed: tuple[str, ...], paid: tuple[str, ...], code: str | None
) -> None:
    decision = adjudicate(CSSECURE, "DAMAGE", a_damage(claimed_items=claimed, items_paid=paid))

    assert (str(decision.reason) if decision.reason else None) == code


def test_a_discretionary_reason_may_be_overridden() -> None:
    decision = adjudicate(CSSECURE, "DAMAGE", a_damage(notified_at=at("2024-02-23T00:00:00")))

    assert codes(decision) == ["LATE_NOTICE"]
    assert decision.is_discretionary
    assert decision.payout == zero("CNY")
    # What a person would approve is reckoned all the same.
    assert decision.assessment is not None
    assert decision.assessment.amount == Money(40000, "CNY")


# --- Too early ---------------------------------------------------------------------------------


def test_a_deferred_claim_says_the_day_and_resumes_at_its_first_instant() -> None:
    facts = a_loss(evidence=())
    decision = adjudicate(CSSECURE, "LOSS", facts)

    assert decision.outcome is Outcome.DEFERRED
    assert decision.eligible_on == date(2024, 6, 10)
    assert decision.resume_at == datetime(2024, 6, 9, 16, tzinfo=UTC)
    assert decision.rule_ids == ("G-12", "CS-14")
    assert adjudicate(CSSECURE, "LOSS", {**facts, "as_of": decision.resume_at}).outcome is (
        Outcome.APPROVED
    )


def test_a_claim_that_waits_for_an_event_names_it_and_promises_no_day() -> None:
    decision = adjudicate(
        JSX, "DELAY", {"insured_value": Decimal(2000), "as_of": at("2024-06-01T00:00:00")}
    )

    assert (decision.outcome, decision.awaits) == (Outcome.DEFERRED, "delivered_at")
    assert (decision.eligible_on, decision.resume_at) == (None, None)


def test_a_known_disruption_of_the_line_lengthens_the_wait() -> None:
    lines = (
        'lines: [{code: E, extra_days: [{from: "2024-05-01", to: "2024-05-31", days: 10}]}]\n'
    )
    plan = a_plan(
        with_replaced(
            PLAN + lines,
            **{
                "proof: [{evidence: carrier_loss_letter}, "
                "{elapsed: {from: dispatched_at, days: 30}}]": (
                    "wait: [{from: dispatched_at, days: 14}]"
                )
            },
        )
    )
    facts = {"line": "E", "dispatched_at": at("2024-05-01T00:00:00")}
    now = {"as_of": at("2024-05-20T00:00:00")}

    assert adjudicate(plan, "LOSS", {**facts, **now}).eligible_on == date(2024, 5, 25)


def test_where_only_a_letter_can_prove_it_the_letter_is_asked_for() -> None:
    decision = adjudicate(
        BML, "LOSS", {"claimed_value": Decimal(10), "goods_value": Decimal(10)}
    )

    assert decision.outcome is Outcome.INFO_REQUIRED
    assert [gap.label for gap in decision.missing] == ["carrier_loss_letter"]


# --- Evidence ----------------------------------------------------------------------------------


def test_a_request_for_evidence_lists_all_gaps_and_until_when() -> None:
    decision = adjudicate(
        TKS,
        "DAMAGE",
        {
            "insured_value": Decimal(900),
            "claimed_value": Decimal(900),
            "proven_value": Decimal(900),
            "refund_to_buyer": Decimal(900),
            "filed_at": at("2024-05-02T08:00:00"),
            "as_of": at("2024-05-03T08:00:00"),
            "evidence": ("delivery_record", "damage_photos"),
        },
    )

    assert decision.outcome is Outcome.INFO_REQUIRED
    assert decision.reason is None
    assert [(gap.label, gap.in_grace, gap.awaits_provider) for gap in decision.missing] == [
        ("proof_of_insured_value", False, False),
        ("delivery_certificate", False, False),
        ("dispute_or_refund_screenshot", True, False),
        ("carrier_damage_report", True, True),
    ]
    assert (decision.info_until, decision.grace_until) == (date(2024, 5, 10), date(2024, 6, 1))
    # The shorter of the two windows ends first.
    assert decision.lapses_at == at("2024-05-11T00:00:00")


def test_the_windows_instant_is_the_first_at_which_it_is_over() -> None:
    facts = a_loss(
        biy_value=Decimal(300),
        biy_weight_kg=Decimal(2),
        info_requested_at=at("2024-02-20T12:00:00"),
    )
    asked = adjudicate(CSSECURE, "LOSS", facts)
    assert asked.lapses_at is not None
    before = adjudicate(
        CSSECURE, "LOSS", {**facts, "as_of": asked.lapses_at - timedelta(microseconds=1)}
    )
    after = adjudicate(CSSECURE, "LOSS", {**facts, "as_of": asked.lapses_at})

    assert before.outcome is Outcome.INFO_REQUIRED
    assert codes(after) == ["EVIDENCE_NOT_PROVIDED:order_value_proof"]


def test_a_provider_paper_that_can_never_be_had_is_still_not_the_claimants_fault() -> None:
    decision = adjudicate(
        CSSECURE,
        "SEIZURE",
        a_loss(evidence=(), evidence_unavailable=("customs_letter", "provider_seizure_query")),
    )

    assert decision.outcome is Outcome.INFO_REQUIRED


def test_alternatives_are_lost_only_when_each_of_them_is() -> None:
    facts: dict[str, object] = {
        "insured_value": Decimal(100),
        "claimed_value": Decimal(100),
        "as_of": at("2024-06-04T09:00:00", MYPOZ),
        "evidence": ("proof_of_purchase", "provider_loss_confirmation"),
    }
    one = adjudicate(MYPOZ, "LOSS", {**facts, "evidence_unavailable": ("police_report",)})
    both = adjudicate(
        MYPOZ, "LOSS", {**facts, "evidence_unavailable": ("police_report", "weight_photo")}
    )

    assert one.outcome is Outcome.INFO_REQUIRED
    assert codes(both) == [
        "EVIDENCE_NOT_PROVIDED:police_report|outer_packaging_photos+weight_photo"
    ]


def test_supporting_evidence_is_asked_for_and_never_decides() -> None:
    facts: dict[str, object] = {
        "goods_value": Decimal(300),
        "claimed_value": Decimal(300),
        "evidence": ("carrier_loss_letter",),
    }
    decision = adjudicate(BML, "LOSS", facts)

    assert decision.outcome is Outcome.APPROVED
    assert decision.supporting == ("courier_communication",)


def test_a_video_that_is_missing_is_asked_for_before_it_is_judged() -> None:
    decision = adjudicate(
        CSSECURE, "DAMAGE", a_damage(video_elements=(), evidence=("damage_list",))
    )

    assert decision.outcome is Outcome.INFO_REQUIRED
    assert decision.reasons == ()


def test_a_claim_on_hold_still_says_what_is_missing() -> None:
    decision = adjudicate(
        JSX,
        "LOSS",
        {"claimed_value": Decimal(9), "insured_value": Decimal(9), "freight_paid": False},
    )

    assert decision.outcome is Outcome.ON_HOLD
    assert [str(gap) for gap in decision.missing] == [
        "value_document",
        "logistics_document",
        "carrier_loss_letter",
    ]


# --- The amount --------------------------------------------------------------------------------


def test_the_arithmetic_shows_each_cap_before_and_after() -> None:
    decision = adjudicate(
        BML,
        "LOSS",
        {
            "goods_value": Decimal(3000),
            "claimed_value": Decimal("3000.005"),
            "carrier_paid": Decimal(100),
            "evidence": ("carrier_loss_letter",),
        },
    )

    assert decision.assessment is not None
    lines = [(one.label, one.before, one.limit, one.after) for one in decision.assessment.lines]
    assert lines == [
        ("GROSS", None, None, Decimal("2900.005")),
        ("CAP_TIER", Decimal("2900.005"), Decimal(2800), Decimal(2800)),
        ("CAP_TOTAL_VALUE", Decimal(2800), Decimal(2900), Decimal(2800)),
        ("CAP_INSURED", Decimal(2800), Decimal(3000), Decimal(2800)),
        ("ROUNDED", Decimal(2800), None, Decimal("2800.00")),
    ]
    assert (decision.caps, decision.is_partial) == (("CAP_TIER",), True)


def test_a_skipped_cap_shows_no_limit() -> None:
    decision = adjudicate(
        JSX, "LOSS", {"claimed_value": Decimal(9), "insured_value": Decimal(9)}
    )

    assert decision.assessment is not None
    assert decision.assessment.lines[2].label == "CAP_INSURER_APPROVED"
    assert decision.assessment.lines[2].limit is None


@pytest.mark.parametrize(
    ("insured", "carrier_paid", "goods", "shipping"),
    [
        (1200, 0, "1000.00", "200.00"),
        (1100, 0, "1000.00", "100.00"),  # of a capped payout the goods count first
        (900, 0, "900.00", "0.00"),
        (1200, 300, "700.00", "200.00"),  # carrier money is for the goods
        (1200, 1100, "0.00", "100.00"),
    ],
)
def test_a_payout_tells_goods_from_shipping(
    insured: int, carrier_paid: int, goods: str, shipping: str
) -> None:
    decision = adjudicate(
        CSSECURE,
        "LOSS",
        a_loss(insured_value=Decimal(insured), carrier_paid=Decimal(carrier_paid)),
    )

    assert decision.assessment is not None
    assert decision.assessment.goods.decimal == Decimal(goods)
    assert decision.assessment.shipping.decimal == Decimal(shipping)


def test_a_payout_tells_its_buy_yourself_part() -> None:
    decision = adjudicate(
        CSSECURE,
        "LOSS",
        a_loss(
            biy_value=Decimal(600),
            biy_weight_kg=Decimal(5),
            evidence=("agent_loss_confirmation", "order_value_proof"),
        ),
    )

    assert decision.payout == Money(80000, "CNY")  # 400 of our own, 200 of 5 kg, 200 of freight
    assert decision.assessment is not None
    assert decision.assessment.goods == Money(60000, "CNY")
    assert decision.assessment.buy_yourself == Money(20000, "CNY")
    assert [str(note) for note in decision.notes] == ["CAP_BIY"]
    assert decision.is_partial


def test_a_delay_refund_and_a_voucher_are_parts_of_their_own() -> None:
    late = a_loss(
        submitted_at=at("2024-01-01T09:00:00"), as_of=at("2024-03-05T09:00:00"), evidence=()
    )

    delay = adjudicate(CSSECURE, "DELAY", late)
    back = adjudicate(CSSECURE, "RETURN", late)

    assert delay.assessment is not None
    assert delay.assessment.delay == delay.payout == Money(4000, "CNY")
    assert back.assessment is not None
    assert back.assessment.other == back.payout == Money(20000, "CNY")
    assert back.instrument == "voucher"


def test_a_wrongly_marked_part_of_a_mixed_parcel_is_noted_for_a_person() -> None:
    facts = a_loss(biy_value=Decimal(300), biy_weight_kg=Decimal(2), biy_misdeclared=True)
    decision = adjudicate(CSSECURE, "LOSS", facts)

    assert [str(note) for note in decision.notes] == ["BIY_NOT_MARKED"]
    assert decision.notes[0].is_discretionary
    assert not straight_through(CSSECURE, decision, facts, LIMIT).settles


# --- Who settles it ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "peril", "facts", "settles", "why"),
    [
        (CSSECURE, "LOSS", a_loss(insured_value=Decimal(500)), True, "within the limit"),
        (CSSECURE, "LOSS", a_loss(insured_value=Decimal("500.01")), False, "more than 500.00 CNY"),
        (CSSECURE, "LOSS", a_loss(insured_value=Decimal(500), evidence=("customer_loss_letter",)),
         False, "the carrier has not confirmed"),
        (CSSECURE, "DAMAGE", a_damage(insured_value=Decimal(100)), False, "a person looks"),
        (CSSECURE, "RETURN", a_loss(shipping_fee=Decimal(900)), True, "a return voucher"),
        (CSSECURE, "LOSS", a_loss(evidence=()), True, "nothing is decided yet"),
        (CSSECURE, "LOSS", {"policy_state": "NONE"}, True, "denied by policy"),
        (CSSECURE, "DELAY", a_loss(line="SEA"), True, "denied by policy"),
        (CSSECURE, "LOSS", a_loss(filed_at=at("2025-02-20T10:00:00")), True, "denied by policy"),
        (CSSECURE, "DAMAGE", a_damage(notified_at=at("2024-02-23T00:00:00")), False, "discretionary"),
        (CSSECURE, "LOSS", a_loss(causes=("fraud",)), False, "denied on merit"),
        (CSSECURE, "LOSS", a_loss(carrier_paid=Decimal(2000)), False, "denied on merit"),
        (JSX, "LOSS",
         {"claimed_value": Decimal(9), "insured_value": Decimal(9), "insurer_decided": False,
          "evidence": ("value_document", "logistics_document", "carrier_loss_letter")},
         False, "it waits for"),
        (BML, "LOSS",
         {"goods_value": Decimal(300), "claimed_value": Decimal(300),
          "evidence": ("carrier_loss_letter",)},
         False, "supporting evidence is missing"),
        (BML, "LOSS",
         {"goods_value": Decimal(300), "claimed_value": Decimal(300),
          "evidence": ("carrier_loss_letter", "courier_communication")},
         True, "within the limit"),
    ],
)  # fmt: skip
def test_only_what_nobody_has_to_judge_is_settled_straight_through(
    plan: Plan, peril: str, facts: Mapping[str, object], settles: bool, why: str
) -> None:
    limit = money(Decimal(500), plan.currency)
    answer = straight_through(plan, adjudicate(plan, peril, facts), facts, limit)

    assert answer.settles is settles
    assert why in answer.why


# --- Eligibility -------------------------------------------------------------------------------


def seen(plan: Plan, peril: str, facts: Mapping[str, object]) -> Eligibility:
    return next(one for one in eligibility(plan, facts) if one.peril == peril)


def test_eligibility_answers_for_every_peril_of_the_plan() -> None:
    assert [one.peril for one in eligibility(JSX, {})] == list(JSX.perils)
    tax = seen(JSX, "TAX", {})
    assert (tax.is_covered, tax.is_open) == (False, False)
    assert [str(reason) for reason in tax.reasons] == ["PERIL_NOT_COVERED"]


def test_a_loss_not_yet_presumed_opens_on_its_day() -> None:
    facts = {"dispatched_at": at("2024-01-31T10:00:00"), "as_of": at("2024-02-20T10:00:00")}

    early = seen(CSSECURE, "LOSS", facts)
    opened = seen(CSSECURE, "LOSS", {**facts, "as_of": early.opens_at})

    assert (early.is_open, early.earliest) == (False, date(2024, 6, 30))
    assert (opened.is_open, opened.earliest) == (True, date(2024, 6, 30))
    assert early.latest == date(2025, 1, 30)
    assert early.closes_at == at("2025-01-31T00:00:00")
    assert not seen(CSSECURE, "LOSS", {**facts, "as_of": early.closes_at}).is_open


def test_a_damage_closes_after_its_days_from_delivery() -> None:
    facts = {"delivered_at": at("2024-02-01T18:00:00"), "as_of": at("2024-02-04T23:59:59")}

    last_day = seen(CSSECURE, "DAMAGE", facts)
    after = seen(CSSECURE, "DAMAGE", {**facts, "as_of": at("2024-02-05T00:00:00")})

    assert (last_day.is_open, last_day.latest) == (True, date(2024, 2, 4))
    assert last_day.closes_at == at("2024-02-05T00:00:00")
    assert not after.is_open
    assert [str(reason) for reason in after.reasons] == ["LATE_NOTICE"]


def test_eligibility_names_what_is_needed_and_what_is_there() -> None:
    damage = seen(
        MYPOZ,
        "DAMAGE",
        {
            "delivered_at": at("2024-02-01T18:00:00", MYPOZ),
            "as_of": at("2024-02-01T19:00:00", MYPOZ),
            "exception_noted": True,
            "evidence": ("proof_of_purchase", "weight_photo"),
        },
    )

    assert damage.is_open
    assert damage.required == (
        "proof_of_purchase",
        "damage_photos",
        "police_report|outer_packaging_photos+weight_photo",
    )
    assert damage.present == ("proof_of_purchase", "weight_photo")
    assert [gap.label for gap in damage.missing] == [
        "damage_photos",
        "police_report|outer_packaging_photos",
    ]


def test_papers_that_may_follow_are_needed_too() -> None:
    loss = seen(TKS, "LOSS", {"as_of": at("2024-05-20T10:00:00")})

    assert loss.required[-2:] == ("dispute_or_refund_screenshot", "carrier_loss_letter")


def test_a_hold_is_told_but_does_not_close() -> None:
    loss = seen(JSX, "LOSS", {"freight_paid": False, "as_of": at("2024-05-20T10:00:00")})

    assert loss.is_open
    assert [str(reason) for reason in loss.reasons] == ["FREIGHT_UNPAID"]


# --- Clocks of the service ---------------------------------------------------------------------


def test_a_decision_clock_stands_still_while_the_claimant_is_asked() -> None:
    complete = at("2024-05-06T09:00:00")
    pause = Pause(since=at("2024-05-07T09:00:00"), until=at("2024-05-09T09:00:00"))

    running = sla(CSSECURE, {"complete_at": complete})
    paused = sla(CSSECURE, {"complete_at": complete}, [pause])

    assert running is not None
    assert paused is not None
    assert (running.due_on, paused.due_on) == (date(2024, 5, 20), date(2024, 5, 22))
    assert running.breaches_at == at("2024-05-21T00:00:00")
    assert running.rule_ids == ("CS-40",)


def test_a_priority_claim_is_decided_in_half_the_time() -> None:
    complete = datetime(2024, 5, 6, 9, tzinfo=UTC)

    hastened = sla(BML, {"peril": "DAMAGE", "vip": True, "complete_at": complete})

    assert hastened is not None
    assert (hastened.is_priority, hastened.due_on) == (True, date(2024, 5, 9))
    assert "BM-26" in hastened.rule_ids


def test_an_insurers_clock_runs_to_the_confirmed_payout() -> None:
    promised = sla(TKS, {"complete_at": at("2024-05-06T16:00:00")})

    assert promised is not None
    assert promised.until == "payout_confirmed"


def test_without_a_start_there_is_no_due_day_and_without_a_promise_no_clock() -> None:
    unknown = sla(CSSECURE, {})
    silent = a_plan(with_replaced(**{"sla: {": "# {"}))

    assert unknown is not None
    assert (unknown.due_on, unknown.breaches_at, unknown.target_on) == (None, None, None)
    assert sla(silent, {"complete_at": at("2024-05-06T16:00:00")}) is None


def test_a_payout_is_promised_within_working_days_where_the_plan_says_so() -> None:
    assert pay_by(MYPOZ, at("2024-05-10T16:00:00", MYPOZ)) == date(2024, 5, 15)
    assert pay_by(CSSECURE, at("2024-05-10T16:00:00")) is None


def test_an_appeal_names_who_decides_it_and_by_when() -> None:
    answer = appeal(
        BML,
        {
            "tier": 3,
            "tiers_exhausted": (1, 2),
            "previous_decided_at": datetime(2024, 5, 1, 9, tzinfo=UTC),
            "filed_at": datetime(2024, 5, 6, 9, tzinfo=UTC),
        },
    )

    assert (answer.accepted, answer.body, answer.is_final) == (
        True,
        "independent_reviewer",
        True,
    )
    assert (answer.file_by, answer.decide_by) == (date(2024, 5, 31), date(2024, 5, 27))


def test_a_plan_without_appeals_takes_none() -> None:
    silent = a_plan(with_replaced(**{"appeal: {": "# {"}))

    assert appeal(silent, {}).reason == "APPEAL_EXHAUSTED"


# --- After the payout --------------------------------------------------------------------------


def test_an_advance_is_paid_only_where_the_plan_has_one_and_the_file_is_complete() -> None:
    facts: dict[str, object] = {"file_complete": True, "assessed_payout": Decimal("10.005")}

    assert advance(TKS, facts).advance == Money(1001, "CNY")
    assert advance(TKS, {**facts, "file_complete": False}).advance == zero("CNY")
    assert advance(CSSECURE, facts).advance == zero("CNY")


def test_an_advance_settles_to_the_cent() -> None:
    for insurer_paid in (0, 1000, 4000, 4400):
        for fraud in (False, True):
            facts = {"advanced": 4000, "insurer_paid": insurer_paid, "fraud": fraud}
            settled = settle_advance(TKS, facts)

            assert settled.to_seller + settled.to_provider == Money(insurer_paid * 100, "CNY")
            covered = settled.to_provider + settled.provider_bears + settled.clawback
            assert covered == Money(400000, "CNY")
            assert not (fraud and settled.provider_bears.amount_minor)


def test_a_voucher_is_used_once_and_says_when_it_lapses() -> None:
    facts: dict[str, object] = {
        "voucher": 300,
        "second_fee": 250,
        "issued_at": at("2024-01-31T10:00:00"),
    }
    used = redeem_voucher(CSSECURE, {**facts, "as_of": at("2025-01-31T23:59:59")})
    late = redeem_voucher(CSSECURE, {**facts, "as_of": at("2025-02-01T00:00:00")})

    assert (used.covered, used.lapsed, used.customer_pays) == (
        Money(25000, "CNY"),
        Money(5000, "CNY"),
        zero("CNY"),
    )
    assert (used.expires_on, used.is_expired) == (date(2025, 1, 31), False)
    assert (late.covered, late.is_expired) == (zero("CNY"), True)


def test_goods_found_after_all_are_repaid_in_part_or_in_full() -> None:
    assert found_after_payout(CSSECURE, {"paid": Decimal("0.01")}) == Money(1, "CNY")
    assert found_after_payout(JSX, {"paid": Decimal(7)}) == Money(700, "CNY")


# --- What always holds -------------------------------------------------------------------------

ANY = [(plan, peril) for plan in BOOK for peril in plan.perils]


@settings(max_examples=150, deadline=None)
@given(facts=any_facts())
def test_no_payout_is_negative_above_a_cap_or_without_an_approval(
    facts: dict[str, Any],
) -> None:
    for plan, peril in ANY:
        decision = adjudicate(plan, peril, facts)
        event(f"{decision.outcome}")
        nothing = zero(plan.currency)
        assert decision.payout >= nothing
        assert (decision.payout > nothing) is (decision.outcome is Outcome.APPROVED)
        if decision.assessment is None:
            continue
        case = facts_of(plan, facts, peril=peril)
        for cap in plan.perils[peril].caps:
            limit = cap.amount.evaluate(case)
            if limit != NO_LIMIT:
                assert decision.assessment.amount <= money(
                    max(Decimal(0), limit), plan.currency
                )


@settings(max_examples=100, deadline=None)
@given(facts=any_facts())
def test_the_parts_of_a_payout_add_up_to_it(facts: dict[str, Any]) -> None:
    for plan, peril in ANY:
        assessed = adjudicate(plan, peril, facts).assessment
        if assessed is None:
            continue
        parts = (assessed.goods, assessed.shipping, assessed.delay, assessed.other)
        assert all(part >= zero(plan.currency) for part in parts)
        assert sum(part.amount_minor for part in parts) == assessed.amount.amount_minor
        assert zero(plan.currency) <= assessed.buy_yourself <= assessed.goods
        assert peril in GOODS_PERILS or assessed.goods == zero(plan.currency)


@settings(max_examples=100, deadline=None)
@given(facts=any_facts())
def test_the_same_facts_are_decided_the_same_again_also_from_storage(
    facts: dict[str, Any],
) -> None:
    for plan, peril in ANY:
        decision = adjudicate(plan, peril, facts)
        stored = from_wire(to_wire(facts), plan.zone)

        assert adjudicate(plan, peril, facts) == decision
        assert adjudicate(plan, peril, stored) == decision
        assert adjudicate(plan, peril, facts_of(plan, facts)) == decision


@settings(max_examples=150, deadline=None)
@given(facts=any_facts())
def test_a_decision_explains_itself(facts: dict[str, Any]) -> None:
    for plan, peril in ANY:
        decision = adjudicate(plan, peril, facts)
        steps = [reason.step for reason in decision.reasons]
        assert steps == sorted(steps)
        match decision.outcome:
            case Outcome.APPROVED:
                assert not decision.reasons
                assert not decision.missing
            case Outcome.INFO_REQUIRED:
                assert decision.reason is None
                assert any(gap.is_open for gap in decision.missing)
            case Outcome.DEFERRED:
                assert (decision.eligible_on is None) is bool(decision.awaits)
            case Outcome.DENIED | Outcome.ON_HOLD | Outcome.REFERRED:
                assert decision.reason is not None
        assert bool(decision.lapses_at) <= (decision.outcome is Outcome.INFO_REQUIRED)
        assert all(reason.rule_ids for reason in decision.reasons) or peril == "TAX"
        straight_through(plan, decision, facts, zero(plan.currency))


@settings(max_examples=150, deadline=None)
@given(facts=any_facts())
def test_at_the_instant_a_decision_names_something_has_changed(facts: dict[str, Any]) -> None:
    for plan, peril in ANY:
        decision = adjudicate(plan, peril, facts)
        if decision.resume_at is not None:
            later = adjudicate(plan, peril, {**facts, "as_of": decision.resume_at})
            assert later.outcome is not Outcome.DEFERRED or later.eligible_on is None
        if decision.lapses_at is not None:
            asked_at = facts.get("info_requested_at", facts.get("as_of"))
            later = adjudicate(
                plan,
                peril,
                {**facts, "info_requested_at": asked_at, "as_of": decision.lapses_at},
            )
            assert later.outcome is not Outcome.INFO_REQUIRED or (
                later.lapses_at is None or later.lapses_at > decision.lapses_at
            )


@settings(max_examples=100, deadline=None)
@given(facts=any_facts())
def test_a_peril_is_open_exactly_when_a_claim_made_now_gets_past_step_ten(
    facts: dict[str, Any],
) -> None:
    made_now = {
        act: facts["as_of"]
        for act in ("notified_at", "filed_at")
        if "as_of" in facts and act not in facts
    }
    for plan in BOOK:
        for answer in eligibility(plan, facts):
            decision = adjudicate(plan, answer.peril, {**facts, **made_now})
            blocked = any(
                reason.step <= 10 and reason.outcome in (Outcome.DENIED, Outcome.DEFERRED)
                for reason in decision.reasons
            )
            assert answer.is_open is not blocked
