"""What a plan means for a price: tables for each rule, and that the minimum always holds."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from libs.common.money import Money, money
from libs.common.plans.codes import Verdict
from libs.common.plans.facts import MAX_NUMBER, facts_of, premium_base
from libs.common.plans.reading import load
from libs.common.settings import PROGRAMMES
from services.quote.domain import (
    autopay,
    documents,
    eligibility,
    offer,
    price,
    quote_limit,
)
from tests.plans.builders import a_plan, any_facts, with_replaced

BOOK = load(PROGRAMMES)
MYPOZ, BML = BOOK.get("mypoz-cargo", 1), BOOK.get("bml-shipping", 1)
TKS, JSX = BOOK.get("tks-warehouse", 1), BOOK.get("jsx-cargo", 1)
CSSECURE = BOOK.get("cssecure", 2)
MOMENT = datetime(2024, 5, 6, tzinfo=UTC)


def test_a_price_shows_how_it_came_about() -> None:
    priced = price(MYPOZ, {"eligible_goods_value": Decimal(300)})

    assert priced.premium == Money(2500, "MYR")
    assert priced.raw == Money(1140, "MYR")
    assert (priced.base, priced.rate, priced.is_minimum) == (
        Decimal(300),
        Decimal("0.038"),
        True,
    )
    assert priced.insured_value == Money(30000, "MYR")
    assert priced.rule_ids == ("MP-14", "MP-15", "MP-16", "MP-17")


def test_the_minimum_is_applied_after_rounding() -> None:
    plan = a_plan(with_replaced(**{'minimum: "1.00"': 'minimum: "1.004"'}))

    # 0.02 x 50.19 = 1.0038, which rounds to the minimum's own 1.00.
    assert price(plan, {"insured_value": Decimal("50.19")}).premium == Money(100, "CNY")


def test_a_negative_base_costs_the_minimum() -> None:
    plan = a_plan(with_replaced(**{'base: "insured_value"': 'base: "insured_value - 500"'}))

    assert price(plan, {"insured_value": Decimal(100)}).premium == Money(100, "CNY")


def test_a_base_beyond_all_facts_counts_as_the_largest() -> None:
    plan = a_plan(with_replaced(**{'base: "insured_value"': 'base: "insured_value * 9"'}))

    assert price(plan, {"insured_value": MAX_NUMBER}).base == MAX_NUMBER


@pytest.mark.parametrize(
    ("plan", "given_facts", "available", "reminder"),
    [
        (MYPOZ, {"order_value_usd": Decimal(100)}, True, False),
        (MYPOZ, {"order_value_usd": Decimal("100.01"), "point": "extra_service"}, True, True),
        (MYPOZ, {"point": "telephone"}, False, False),
        (BML, {"point": "checkout"}, True, False),
        (BML, {"point": "after_checkout"}, False, False),
        (TKS, {"registered_user": True, "goods_value": Decimal("700.01")}, True, True),
        (TKS, {"registered_user": True, "goods_value": Decimal(700)}, True, False),
        (TKS, {}, False, False),
        (JSX, {"mode": "sea"}, True, False),
        (JSX, {"line": "TRAIN"}, True, False),
        (JSX, {"mode": "road"}, False, False),
        (CSSECURE, {"items_in_warehouse": True}, True, False),
        (CSSECURE, {"items_in_warehouse": True, "rehearsal": True}, False, False),
        (CSSECURE, {}, False, False),
    ],
)
def test_is_offered_where_the_plan_says(
    plan: Any, given_facts: dict[str, object], available: bool, reminder: bool
) -> None:
    offered = offer(plan, given_facts)

    assert (offered.available, offered.reminder) == (available, reminder)


def test_a_plan_without_an_offer_section_is_always_available_and_never_reminds() -> None:
    assert offer(a_plan(), {}).available
    assert not offer(a_plan(), {}).reminder


@pytest.mark.parametrize(
    ("classes", "order"),
    [
        (["phone", "vase"], Verdict.ACCEPT),
        (["vase", "clothing"], Verdict.REFER),
        (["vase", "prohibited"], Verdict.DECLINE),
        ([], Verdict.ACCEPT),
    ],
)
def test_a_mixed_order_is_insured_for_what_is_accepted(
    classes: list[str], order: Verdict
) -> None:
    items = tuple({"class": one, "value": Decimal(10)} for one in classes)

    goods = eligibility(MYPOZ, {"items": items})

    assert goods.verdict is order
    assert goods.eligible_goods_value == money(Decimal(10 * classes.count("phone")), "MYR")


@pytest.mark.parametrize(
    ("decided", "verdict", "eligible"),
    [
        ("ACCEPT", Verdict.ACCEPT, 30),
        ("DECLINE", Verdict.ACCEPT, 10),
        (None, Verdict.ACCEPT, 10),
    ],
)
def test_mp_28_a_persons_verdict_on_a_line_stands(
    decided: str | None, verdict: Verdict, eligible: int
) -> None:
    items = (
        {"class": "phone", "value": Decimal(10)},
        {"class": "clothing", "value": Decimal(20), "verdict": decided},
    )

    goods = eligibility(MYPOZ, {"items": items})

    assert goods.verdict is verdict
    assert goods.verdicts[1] is Verdict(decided or "REFER")
    assert goods.eligible_goods_value == money(Decimal(eligible), "MYR")


def test_documents_name_the_fields_they_do_not_show() -> None:
    checked = documents(MYPOZ, {"shown": ("price", "picture")})

    assert checked.state == "INFO_REQUIRED"
    assert checked.missing == ("product_name", "quantity", "actual_payment_amount")
    assert documents(BML, {}).state == "PRICED"


@pytest.mark.parametrize(
    ("plan", "state", "charged"),
    [
        (MYPOZ, "DRAFT", False),
        (MYPOZ, "UNDER_VERIFICATION", False),
        (MYPOZ, "INFO_REQUIRED", False),
        (MYPOZ, "PRICED", True),
        (MYPOZ, "BOUND", False),
        (MYPOZ, "DECLINED", False),
        (BML, "DRAFT", True),
        (BML, "BOUND", True),
        (BML, "EXPIRED", False),
        (BML, "CANCELLED", False),
    ],
)
def test_a_blocked_automatic_payment_waits_for_the_confirmed_amount(
    plan: Any, state: str, charged: bool
) -> None:
    assert autopay(plan, {"quote_state": state}) is charged


def test_a_bound_quote_is_charged_once_its_amount_is_confirmed() -> None:
    confirmed = {"quote_state": "BOUND", "confirmed_at": MOMENT, "as_of": MOMENT}

    assert autopay(MYPOZ, confirmed)


def test_a_limit_names_its_goods_part() -> None:
    checked = quote_limit(
        CSSECURE,
        {"line": "SAL", "destination": "DE", "insured_value": 2000, "shipping_fee": 420},
    )

    assert checked.limit == Money(242000, "CNY")
    assert checked.goods_limit == Money(200000, "CNY")


def test_over_the_limit_comes_before_over_the_value() -> None:
    checked = quote_limit(
        CSSECURE, {"insured_value": Decimal(20000), "goods_value": Decimal(10)}
    )

    assert (checked.accepted, checked.reason, checked.warn) == (False, "OVER_LIMIT", "")


def test_a_plan_without_limits_has_none() -> None:
    checked = quote_limit(MYPOZ, {"insured_value": MAX_NUMBER})

    assert checked.accepted
    assert checked.limit is None


@settings(max_examples=150, deadline=None)
@given(given_facts=any_facts())
def test_a_premium_is_the_rounded_rate_and_never_below_the_minimum(
    given_facts: dict[str, Any],
) -> None:
    for plan in BOOK:
        priced = price(plan, given_facts)
        base = premium_base(plan, facts_of(plan, given_facts))
        raw = (base * plan.premium.rate).quantize(Decimal("0.01"), ROUND_HALF_UP)

        assert priced.raw.decimal == raw
        assert priced.premium.decimal == max(raw, plan.premium.minimum)
        assert priced == price(plan, given_facts)


@settings(max_examples=100, deadline=None)
@given(given_facts=any_facts())
def test_every_question_of_a_quote_has_an_answer(given_facts: dict[str, Any]) -> None:
    for plan in BOOK:
        checked = quote_limit(plan, given_facts)
        assert checked.accepted is (checked.reason == "")
        assert checked.accepted or not checked.warn
        offer(plan, given_facts)
        documents(plan, given_facts)
        eligible = eligibility(plan, given_facts)
        assert len(eligible.verdicts) == len(given_facts.get("items") or ())
        assert isinstance(autopay(plan, given_facts), bool)
