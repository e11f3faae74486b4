"""The shipped plans, and how a version is found: by number, by hash and by the day of the sale."""

import hashlib
from datetime import date
from decimal import Decimal

import pytest

from libs.common.errors import NotHereYet
from libs.common.plans.book import PlanBook, UnknownPlan
from libs.common.plans.codes import PERILS
from libs.common.plans.reading import book_of, load
from libs.common.settings import PROGRAMMES
from tests.plans.builders import PLAN, a_plan, with_replaced


@pytest.fixture(scope="module")
def shipped() -> PlanBook:
    return load(PROGRAMMES)


def two_versions() -> PlanBook:
    second = with_replaced(**{"version: 1": "version: 2", "2024-01-01": "2025-03-01"})
    return book_of([a_plan(second), a_plan()])


def test_ships_the_five_programmes_and_cssecures_predecessor(shipped: PlanBook) -> None:
    assert {plan.name for plan in shipped} == {
        "mypoz-cargo v1",
        "bml-shipping v1",
        "tks-warehouse v1",
        "jsx-cargo v1",
        "cssecure v1",
        "cssecure v2",
    }


def test_pins_each_plan_to_the_bytes_of_its_file(shipped: PlanBook) -> None:
    file = PROGRAMMES / "cssecure.v2.yaml"
    plan = shipped.get("cssecure", 2)

    assert plan.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert shipped.by_sha256(plan.sha256) is plan
    assert shipped.pinned(plan.sha256) is plan


def test_says_what_to_wait_for_where_a_pinned_plan_is_not_here(shipped: PlanBook) -> None:
    assert shipped.by_sha256("0" * 64) is None
    with pytest.raises(NotHereYet, match="0000"):
        shipped.pinned("0" * 64)


def test_names_the_versions_there_are_where_one_is_not(shipped: PlanBook) -> None:
    with pytest.raises(
        UnknownPlan, match=r"No plan .cssecure. version 3; there are: .*cssecure v2"
    ):
        shipped.get("cssecure", 3)
    with pytest.raises(UnknownPlan, match="No plan 'nobody'"):
        shipped.newest("nobody")


@pytest.mark.parametrize(
    ("on", "version"),
    [
        (date(2018, 7, 31), None),
        (date(2018, 8, 1), 1),
        (date(2021, 7, 8), 1),
        (date(2021, 7, 9), 2),
        (date(2030, 1, 1), 2),
    ],
)
def test_a_version_ends_where_the_next_begins(
    shipped: PlanBook, on: date, version: int | None
) -> None:
    current = shipped.current("cssecure", on)

    assert (None if current is None else current.version) == version


def test_a_version_is_sold_to_its_last_day_and_not_longer() -> None:
    book = book_of([a_plan(PLAN + 'valid_to: "2024-12-31"\n')])

    assert book.current("test-plan", date(2024, 12, 31)) is not None
    assert book.current("test-plan", date(2025, 1, 1)) is None
    assert book.current("nobody", date(2025, 1, 1)) is None


def test_lists_all_versions_from_the_first_to_the_newest() -> None:
    book = two_versions()

    assert [plan.version for plan in book.versions["test-plan"]] == [1, 2]
    assert book.newest("test-plan").version == 2


def test_a_plan_shows_what_a_service_needs_of_it(shipped: PlanBook) -> None:
    plan = shipped.get("cssecure", 2)

    assert (plan.currency, plan.timezone) == ("CNY", "Asia/Shanghai")
    assert plan.params["rate"] == Decimal("0.03")
    assert set(plan.perils) == PERILS - {"TAX"}
    assert plan.lines["SAL"].tags == ("sal",)
    assert plan.source.startswith("# CSSBuy")


def test_every_shipped_line_tag_that_a_peril_excludes_is_on_a_line(shipped: PlanBook) -> None:
    plan = shipped.get("cssecure", 2)
    tags = {tag for line in plan.lines.values() for tag in line.tags}

    assert all(peril.lines_excluded <= tags for peril in plan.perils.values())


def test_every_part_that_can_decide_names_the_rules_it_applies(shipped: PlanBook) -> None:
    for plan in shipped:
        for peril in plan.perils.values():
            checks = (*peril.gates, *peril.holds, *peril.notes)
            assert all(check.rules for check in checks), (plan.name, peril.peril)
            assert all(cap.rules for cap in peril.caps)
            assert all(deadline.rules for deadline in peril.deadlines)
            assert peril.rules
        assert plan.premium.rules
        assert plan.exclusion_rules


def test_rule_ids_of_the_nearest_place_around_serve_where_a_part_has_none() -> None:
    plan = a_plan(PLAN + "rules: {perils: [XX-01], perils.LOSS.gates: [XX-02]}\n")

    assert plan.perils["LOSS"].gates[0].rules == ("XX-02",)
    assert plan.perils["LOSS"].caps[0].rules == ("XX-01",)
    assert plan.premium.rules == ()


def test_an_excluded_force_majeure_excludes_all_it_includes_and_fraud_is_always_excluded() -> (
    None
):
    assert {"war", "strike", "natural_disaster", "fraud"} <= a_plan().excluded_causes
    none = a_plan(with_replaced(**{"exclusions: [force_majeure]": "exclusions: []"}))
    assert none.excluded_causes == {"fraud"}
