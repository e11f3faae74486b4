"""The plan's terms for a policy: deposit and top-up, cover start, refunds, returned goods."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from libs.common.money import Money, zero
from libs.common.plans.reading import load
from libs.common.settings import PROGRAMMES
from services.policy.domain.terms import effective, refund, top_up, undeliverable
from tests.plans.builders import a_plan, any_facts, with_replaced

BOOK = load(PROGRAMMES)
MYPOZ, BML = BOOK.get("mypoz-cargo", 1), BOOK.get("bml-shipping", 1)
JSX, CSSECURE = BOOK.get("jsx-cargo", 1), BOOK.get("cssecure", 2)

CONFIRMED = datetime(2024, 5, 6, 2, tzinfo=UTC)
DEADLINE = CONFIRMED + timedelta(hours=48)
MOMENT = timedelta(microseconds=1)


def rm(amount: str) -> Money:
    return Money(int(Decimal(amount) * 100), "MYR")


def a_deposit(**facts: object) -> dict[str, object]:
    """RM 25 paid on a premium of RM 38, confirmed and waiting for the rest."""
    return {
        "premium": Decimal(38),
        "deposit_paid": Decimal(25),
        "confirmed_at": CONFIRMED,
        **facts,
    }


@pytest.mark.parametrize(
    ("facts", "state", "refunded"),
    [
        ({"paid_at": DEADLINE}, "PAID", "0"),
        ({"paid_at": DEADLINE + MOMENT}, "CANCELLED", "25"),
        ({"paid_at": DEADLINE + MOMENT, "late_received": Decimal(13)}, "CANCELLED", "38"),
        ({"as_of": DEADLINE}, "TOP_UP_DUE", "0"),
        ({"as_of": DEADLINE + MOMENT}, "CANCELLED", "25"),
        ({}, "TOP_UP_DUE", "0"),
        ({"confirmed_at": None, "as_of": DEADLINE + MOMENT}, "TOP_UP_DUE", "0"),
    ],
)
def test_mp_18_mp_20_a_top_up_comes_within_the_hours_or_everything_goes_back(
    facts: dict[str, object], state: str, refunded: str
) -> None:
    answer = top_up(MYPOZ, a_deposit(**facts))

    assert (answer.due, answer.state, answer.refund) == (rm("13"), state, rm(refunded))
    assert answer.rule_ids == ("MP-18", "MP-19", "MP-20")


def test_the_clock_of_a_top_up_can_be_scheduled() -> None:
    answer = top_up(MYPOZ, a_deposit())

    assert answer.lapses_at == DEADLINE + MOMENT
    assert top_up(MYPOZ, a_deposit(as_of=answer.lapses_at)).state == "CANCELLED"
    assert top_up(MYPOZ, a_deposit(confirmed_at=None)).lapses_at is None


def test_a_deposit_that_covers_the_premium_is_enough_and_more_comes_back() -> None:
    exact = top_up(MYPOZ, {"premium": Decimal(25), "deposit_paid": Decimal(25)})
    over = top_up(MYPOZ, {"premium": Decimal(20), "deposit_paid": Decimal(25)})

    assert (exact.due, exact.state, exact.refund) == (rm("0"), "PAID", rm("0"))
    assert (over.due, over.state, over.refund) == (rm("0"), "PAID", rm("5"))


def test_a_plan_without_a_deposit_has_no_clock_for_its_premium() -> None:
    facts: dict[str, object] = {"premium": Decimal(60), "confirmed_at": CONFIRMED}

    due = top_up(BML, {**facts, "as_of": DEADLINE + timedelta(days=99)})
    paid = top_up(BML, {**facts, "paid_at": DEADLINE})

    assert (due.due, due.state, due.lapses_at) == (Money(6000, "USD"), "TOP_UP_DUE", None)
    assert paid.state == "PAID"


def test_a_plan_may_keep_a_lapsed_deposit() -> None:
    keeps = a_plan(
        with_replaced(
            **{
                'minimum: "1.00"': 'minimum: "1.00", deposit: {amount: "5",'
                " top_up: {from: confirmed_at, days: 2}, on_lapse: {state: LAPSED, refund: none}}"
            }
        )
    )
    facts = a_deposit(as_of=CONFIRMED + timedelta(days=3))

    assert (top_up(keeps, facts).state, top_up(keeps, facts).refund) == ("LAPSED", zero("CNY"))


@pytest.mark.parametrize(
    ("plan", "reason", "facts", "refunded"),
    [
        (BML, "ORDER_CANCELLED", {"premium": 60}, "60"),
        (BML, "ORDER_CANCELLED", {"premium": 60, "dispatched": True}, "0"),
        (BML, "DUPLICATE_CHARGE", {"premium": 60, "premium_charged": 100}, "40"),
        (BML, "DUPLICATE_CHARGE", {"premium": 60, "premium_charged": 50}, "0"),
        (BML, "COVER_NOT_PROVIDED", {"premium": 60, "dispatched": True}, "60"),
        (BML, "CHANGED_MY_MIND", {"premium": 60}, "0"),
        (CSSECURE, "CUSTOMER_CANCEL", {"premium": "22.50"}, "22.50"),
        (CSSECURE, "CUSTOMER_CANCEL", {"premium": "22.50", "dispatched_at": CONFIRMED}, "0"),
        (JSX, "CUSTOMER_CANCEL", {"premium": 30, "dispatched_at": CONFIRMED}, "30"),
        (JSX, "CUSTOMER_CANCEL",
         {"premium": 30, "dispatched_at": CONFIRMED, "paid_at": CONFIRMED}, "0"),
    ],
)  # fmt: skip
def test_a_refund_follows_the_row_of_its_reason(
    plan: Any, reason: str, facts: dict[str, Any], refunded: str
) -> None:
    facts = {**facts, "premium": Decimal(facts["premium"]), "reason": reason}

    answer = refund(plan, facts)

    assert answer.refund.decimal == Decimal(refunded)
    assert answer.is_granted or not answer.refund.amount_minor


def test_cover_starts_when_the_last_time_it_needs_is_known() -> None:
    assert effective(MYPOZ, {"paid_at": CONFIRMED}) is None
    assert effective(MYPOZ, {"paid_at": CONFIRMED, "confirmed_at": DEADLINE}) == DEADLINE


def test_returned_goods_wait_for_an_instruction_until_the_end_of_the_last_day() -> None:
    returned = datetime(2024, 1, 31, 10, tzinfo=JSX.zone)
    last = datetime(2024, 2, 29, 23, 59, 59, tzinfo=JSX.zone)

    waiting = undeliverable(JSX, {"returned_at": returned, "as_of": last})
    assert waiting is not None
    over = undeliverable(JSX, {"returned_at": returned, "as_of": waiting.lapses_at})

    assert (waiting.instruct_by, waiting.state) == (date(2024, 2, 29), "AWAITING_INSTRUCTION")
    assert over is not None
    assert over.state == "DESTROY_OR_STORE"
    assert waiting.lapses_at == last + timedelta(seconds=1)


def test_where_nothing_came_back_or_the_plan_is_silent_there_is_no_instruction() -> None:
    assert undeliverable(JSX, {}) is None
    assert undeliverable(BML, {"returned_at": CONFIRMED}) is None


@settings(max_examples=100, deadline=None)
@given(facts=any_facts())
def test_no_refund_is_negative_and_no_answer_is_missing(facts: dict[str, Any]) -> None:
    for plan in BOOK:
        nothing = zero(plan.currency)
        answer = top_up(plan, facts)
        assert answer.due >= nothing
        assert answer.refund >= nothing
        assert answer.state in {"PAID", "TOP_UP_DUE", "CANCELLED"}
        for row in plan.refunds:
            assert refund(plan, {**facts, "reason": row.reason}).refund >= nothing
        undeliverable(plan, facts)
        effective(plan, facts)
