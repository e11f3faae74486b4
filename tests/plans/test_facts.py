"""Facts: defaults, what is derived, what overrides it, and what is refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from libs.common.plans.facts import FACTS, FAR, MAX_NUMBER, BadFact, cover_start, facts_of
from libs.common.plans.reading import load
from libs.common.plans.registry import LAST_INSTANT
from libs.common.plans.terms import NO_LIMIT
from libs.common.plans.wire import from_wire, to_wire
from libs.common.settings import PROGRAMMES
from tests.plans.builders import a_plan, any_facts, with_replaced

BOOK = load(PROGRAMMES)
CSSECURE, MYPOZ = BOOK.get("cssecure", 2), BOOK.get("mypoz-cargo", 1)
BML, JSX = BOOK.get("bml-shipping", 1), BOOK.get("jsx-cargo", 1)


def at(day: int, hour: int = 0, month: int = 5) -> datetime:
    """An instant of 2024, local to Shanghai."""
    return datetime(2024, month, day, hour, tzinfo=CSSECURE.zone)


@pytest.mark.parametrize(
    ("fact", "default"),
    [
        ("goods_value", Decimal(0)),
        ("insurer_approved", NO_LIMIT),
        ("goods_limit", NO_LIMIT),
        ("exception_noted", False),
        ("freight_paid", True),
        ("insurer_decided", True),
        ("policy_state", "ACTIVE"),
        ("destination", ""),
        ("options", ()),
        ("delivered_at", None),
        ("items", ()),
        ("as_of", FAR),
        ("quiet_days", Decimal(0)),
        ("transit_days", Decimal(0)),
        ("days_over_standard", Decimal(0)),
        ("delivered", False),
        ("cover_started", False),
        ("priority", False),
        ("causes", ()),
    ],
)
def test_an_unset_fact_has_its_default(fact: str, default: object) -> None:
    assert facts_of(CSSECURE, {})[fact] == default
    assert facts_of(CSSECURE, {fact: None})[fact] == default


@pytest.mark.parametrize("fact", sorted(FACTS))
def test_every_fact_of_the_registry_can_be_read_under_every_plan(fact: str) -> None:
    for plan in BOOK:
        facts_of(plan, {})[fact]


def test_a_fact_that_is_given_stands_against_its_derivation() -> None:
    given: dict[str, object] = {
        "dispatched": True,
        "dispatched_at": at(10),
        "as_of": at(9),
        "line": "SAL",
        "line_tags": ("air",),
        "eligible_goods_value": Decimal(5),
        "goods_value": Decimal(9),
    }
    facts = facts_of(CSSECURE, given)

    assert facts["dispatched"] is True
    assert facts["line_tags"] == ("air",)
    assert facts["eligible_goods_value"] == 5


def test_events_after_now_have_not_happened() -> None:
    facts = facts_of(CSSECURE, {"delivered_at": at(10, 8), "as_of": at(10, 8)})
    earlier = facts_of(
        CSSECURE, {"delivered_at": at(10, 8), "as_of": at(10, 8) - timedelta(microseconds=1)}
    )

    assert facts["delivered"] is True
    assert earlier["delivered"] is False


def test_days_are_counted_between_local_midnights() -> None:
    facts = facts_of(
        CSSECURE,
        {
            "submitted_at": at(1, 23),
            "last_update_at": at(3, 23),
            "as_of": at(4, 1),
        },
    )

    assert facts["transit_days"] == 3
    assert facts["quiet_days"] == 1


def test_transit_ends_at_delivery_once_it_has_happened() -> None:
    given: dict[str, object] = {"submitted_at": at(1), "delivered_at": at(20)}

    assert facts_of(CSSECURE, {**given, "as_of": at(30)})["transit_days"] == 19
    assert facts_of(CSSECURE, {**given, "as_of": at(10)})["transit_days"] == 9


def test_without_a_now_everything_given_lies_in_the_past() -> None:
    facts = facts_of(CSSECURE, {"dispatched_at": at(1), "delivered_at": at(20)})

    assert facts["dispatched"]
    assert facts["delivered"]
    assert not facts.knows_now


def test_the_line_of_the_plan_says_tags_mode_and_standard() -> None:
    sea = facts_of(
        JSX,
        {
            "line": "SEA",
            "destination": "US",
            "dispatched_at": at(1, month=7),
            "delivered_at": at(1, month=9),
        },
    )

    assert (sea["line_tags"], sea["mode"]) == (("sea",), "sea")
    assert sea["days_over_standard"] == 62 - 45


def test_a_known_disruption_lengthens_the_standard() -> None:
    during = facts_of(
        JSX,
        {
            "line": "SEA",
            "destination": "US",
            "dispatched_at": at(1),
            "delivered_at": at(1, month=7),
        },
    )

    assert during["days_over_standard"] == 61 - 45 - 12


def test_an_empty_code_is_an_unset_one() -> None:
    facts = facts_of(JSX, {"line": "SEA", "line_tags": (), "mode": "", "cause": "water"})

    assert facts["line_tags"] == ("sea",)
    assert facts["mode"] == "sea"
    assert facts["causes"] == ("water",)


def test_cause_is_shorthand_and_joins_the_list() -> None:
    facts = facts_of(CSSECURE, {"cause": "water", "causes": ("crush",)})

    assert facts["causes"] == ("crush", "water")


ITEMS = (
    {"id": "i1", "class": "phone", "value": Decimal(1500)},
    {"id": "i2", "class": "vase", "value": Decimal(400)},
    {"id": "i3", "class": "clothing", "value": Decimal(50)},
)
# A person accepted the clothing (MP-28).
ACCEPTED = (*ITEMS[:2], {**ITEMS[2], "verdict": "ACCEPT"})


@pytest.mark.parametrize(
    ("given", "claimed"),
    [
        ({"items": ITEMS, "claimed_items": ("i1", "i2", "i3")}, 1500),
        ({"items": ITEMS, "claimed_items": ("i2",)}, 0),
        ({"items": ITEMS, "claimed_items": ("i1",), "claimed_value": Decimal(700)}, 700),
        ({"items": ITEMS, "whole_parcel": True}, 1500),
        ({"items": ITEMS}, 0),
        ({"items": ACCEPTED, "claimed_items": ("i3",)}, 50),
        ({"items": ACCEPTED, "whole_parcel": True}, 1550),
        ({"whole_parcel": True, "goods_value": Decimal(90)}, 90),
        ({"whole_parcel": True, "goods_value": Decimal(90), "eligible_goods_value": 60}, 60),
        ({"goods_value": Decimal(90)}, 0),
    ],
)
def test_the_claimed_value_is_filled_from_what_the_plan_insures(
    given: dict[str, Any], claimed: int
) -> None:
    assert facts_of(MYPOZ, given)["claimed_value"] == claimed


def test_a_whole_parcel_claims_all_its_buy_yourself_goods() -> None:
    given: dict[str, object] = {"biy_value": Decimal(80), "biy_weight_kg": Decimal("2.5")}

    whole = facts_of(CSSECURE, {**given, "whole_parcel": True})
    part = facts_of(CSSECURE, given)

    assert (whole["claimed_biy_value"], whole["claimed_biy_weight_kg"]) == (80, Decimal("2.5"))
    assert (part["claimed_biy_value"], part["claimed_biy_weight_kg"]) == (0, 0)


def test_the_sum_insured_is_the_premium_base_where_the_plan_does_not_ask_for_it() -> None:
    assert facts_of(BML, {"goods_value": Decimal(6000)})["insured_value"] == 5000
    assert facts_of(BML, {"goods_value": 6000, "insured_value": 70})["insured_value"] == 70
    assert facts_of(CSSECURE, {"goods_value": Decimal(6000)})["insured_value"] == 0
    assert facts_of(JSX, {"insured_value": 20})["order_insured_value"] == 20


def test_the_goods_limit_is_that_of_the_first_matching_row() -> None:
    german = facts_of(CSSECURE, {"line": "SAL", "destination": "DE"})
    french = facts_of(CSSECURE, {"line": "SAL", "destination": "FR"})

    assert german["goods_limit"] == 2000
    assert french["goods_limit"] == NO_LIMIT


@pytest.mark.parametrize(
    "given", [{"vip": True}, {"goods_value": Decimal(1000)}, {"clean_first_submission": True}]
)
def test_priority_is_any_of_the_plans_conditions(given: dict[str, object]) -> None:
    assert facts_of(BML, given)["priority"] is True
    assert facts_of(BML, {**given, "priority": False})["priority"] is False
    assert facts_of(BML, {"goods_value": Decimal("999.99")})["priority"] is False


@pytest.mark.parametrize(
    ("start", "given", "expected"),
    [
        ("on_payment", {"paid_at": at(10, 9)}, at(10, 9)),
        ("on_payment", {}, None),
        ("on_full_premium", {"paid_at": at(10, 9), "confirmed_at": at(11)}, at(11)),
        ("on_full_premium", {"paid_at": at(10, 9)}, None),
        ("on_acceptance", {"paid_at": at(10), "accepted_at": at(9)}, at(10)),
        ("on_acceptance", {"accepted_at": at(9)}, None),
        ("next_local_midnight", {"paid_at": at(10, 0)}, at(11)),
        ("next_local_midnight", {"paid_at": at(10, 23)}, at(11)),
        ("on_dispatch", {"dispatched_at": at(12)}, at(12)),
        ("on_payment, not_before: dispatched_at", {"paid_at": at(9), "dispatched_at": at(8)}, at(9)),
        ("on_payment, not_before: dispatched_at", {"paid_at": at(9), "dispatched_at": at(12)}, at(12)),
        ("on_payment, not_before: dispatched_at", {"paid_at": at(9)}, at(9)),
    ],
)  # fmt: skip
def test_cover_starts_by_the_plans_rule(
    start: str, given: dict[str, object], expected: datetime | None
) -> None:
    plan = a_plan(with_replaced(**{"start: on_payment": f"start: {start}"}))
    facts = facts_of(plan, given)

    assert cover_start(plan, facts) == expected
    assert facts["cover_started"] is (expected is not None)


@pytest.mark.parametrize(
    ("fact", "value", "reason"),
    [
        ("goods_valu", Decimal(1), "There is no fact 'goods_valu'"),
        ("goods_value", 1.5, "goods_value is a decimal, zero or more, not 1.5"),
        ("goods_value", "200", "not '200'"),
        ("goods_value", True, "not True"),
        ("goods_value", Decimal("-0.01"), "not Decimal('-0.01')"),
        ("goods_value", Decimal("NaN"), "not Decimal('NaN')"),
        ("goods_value", Decimal("sNaN"), "not Decimal('sNaN')"),
        ("goods_value", Decimal("Infinity"), "not Decimal('Infinity')"),
        ("goods_value", MAX_NUMBER + 1, "at most 1000000000"),
        ("goods_value", Decimal("1E-13"), "12 decimals"),
        ("insurer_approved", NO_LIMIT, "not Decimal('Infinity')"),
        ("tier", Decimal("1.5"), "tier is a whole number"),
        ("packed", 1, "packed is true or false, not 1"),
        ("packed", "true", "packed is true or false"),
        ("line", 5, "line is a text, not 5"),
        ("line", "x" * 201, "line is a text"),
        ("options", "waterproof", "options is a list of texts, not 'waterproof'"),
        ("options", (1,), "options is a list of texts, not 1"),
        ("options", ("x",) * 1001, "at most 1000 entries"),
        ("causes", ("flood",), "causes is a list of texts, not 'flood'; one of "),
        ("evidence", ("selfie",), "not 'selfie'"),
        ("policy_state", "LOST", "not 'LOST'; one of ACTIVE"),
        ("scope", "galactic", "one of domestic, international"),
        ("tiers_exhausted", (-1,), "tiers_exhausted is a list of numbers"),
        ("as_of", datetime(2024, 1, 1), "as_of is an instant with its zone"),  # noqa: DTZ001
        ("as_of", "2024-01-01", "as_of is an instant with its zone"),
        ("as_of", datetime(1969, 1, 1, tzinfo=UTC), "years 1970 to 2999"),
        ("as_of", LAST_INSTANT + timedelta(seconds=1), "years 1970 to 2999"),
        ("items", ({"id": "a"},), "items is a list of items"),
        ("items", ({"class": "phone", "value": "9"},), "goods_value is a decimal"),
        ("items", ({"class": "bag", "value": MAX_NUMBER},) * 2, "worth more than 1000000000"),
        ("items", ({"class": 1, "value": 9},), "items is a list of items"),
        ("items", ({"class": "phone", "value": 9, "grade": 1},), "items is a list of items"),
        (
            "items",
            ({"class": "bag", "value": 9, "verdict": "MAYBE"},),
            "a verdict is one of ACCEPT",
        ),
        (
            "items",
            ({"class": "bag", "value": 9, "verdict": ["ACCEPT"]},),
            "a verdict is one of",
        ),
        ("prior_claims", ({"peril": "LOSS"},), "prior_claims is a list of claims"),
        ("prior_claims", ({"peril": "THEFT", "outcome": "DENIED"},), "not 'THEFT'"),
        (
            "prior_claims",
            ({"peril": "LOSS", "outcome": 1},),
            "prior_claims is a list of claims",
        ),
    ],
)
def test_refuses_what_is_not_a_fact(fact: str, value: object, reason: str) -> None:
    with pytest.raises(BadFact) as refused:
        facts_of(CSSECURE, {fact: value})

    assert reason in refused.value.detail


def test_facts_are_taken_once_and_again_under_another_peril() -> None:
    facts = facts_of(CSSECURE, {"goods_value": Decimal(5), "whole_parcel": True})
    assert facts["claimed_value"] == 5

    assert facts_of(CSSECURE, facts) is facts
    other = facts_of(CSSECURE, facts, peril="LOSS")
    assert other["peril"] == "LOSS"
    assert facts["peril"] == ""
    assert facts_of(CSSECURE, other, peril="LOSS") is other
    assert facts_of(BML, facts).plan is BML


# --- As JSON -----------------------------------------------------------------------------------


@given(given_facts=any_facts())
def test_facts_come_back_from_json_as_they_were(given_facts: dict[str, Any]) -> None:
    stored = to_wire(given_facts)
    again = from_wire(stored, CSSECURE.zone)

    assert facts_of(CSSECURE, again) == facts_of(CSSECURE, given_facts)
    assert to_wire(again) == stored


def test_facts_taken_in_are_written_as_they_were_given() -> None:
    given_facts: dict[str, object] = {
        "items": ({"id": "i1", "class": "phone", "value": Decimal("10.50")},),
        "prior_claims": ({"peril": "LOSS", "outcome": "DENIED"},),
        "as_of": at(1, 8),
        "tier": 2,
        "options": frozenset({"b", "a"}),
        "packed": None,
    }
    facts = facts_of(CSSECURE, given_facts)

    assert to_wire(given_facts) == {
        "items": [{"id": "i1", "class": "phone", "value": "10.50"}],
        "prior_claims": [{"peril": "LOSS", "outcome": "DENIED"}],
        "as_of": "2024-05-01T00:00:00Z",
        "tier": 2,
        "options": ["a", "b"],
    }
    decided = ({"id": "i2", "class": "toy", "value": Decimal(9), "verdict": "ACCEPT"},)
    assert to_wire({"items": facts_of(CSSECURE, {"items": decided})["items"]}) == {
        "items": [{"id": "i2", "class": "toy", "value": "9", "verdict": "ACCEPT"}]
    }
    assert to_wire({"items": facts["items"], "prior_claims": facts["prior_claims"]}) == {
        "items": [{"id": "i1", "class": "phone", "value": "10.50"}],
        "prior_claims": [{"peril": "LOSS", "outcome": "DENIED"}],
    }


def test_a_time_without_an_offset_is_local_to_the_plan() -> None:
    read = from_wire({"as_of": "2024-05-01T08:00:00"}, CSSECURE.zone)

    assert read["as_of"] == datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ({"nobody": 1}, "There is no fact 'nobody'"),
        ({"paid": "ten"}, 'paid is a decimal such as "12.50"'),
        ({"as_of": "noon"}, 'as_of is a time such as "2024-05-06T10:00:00"'),
        ({"items": [{"class": "phone", "value": "ten"}]}, "items is a decimal"),
    ],
)
def test_refuses_stored_facts_that_cannot_be_read(
    stored: dict[str, object], reason: str
) -> None:
    with pytest.raises(BadFact, match=reason):
        from_wire(stored, CSSECURE.zone)
