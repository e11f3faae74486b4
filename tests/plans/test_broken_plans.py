"""A broken plan is refused with its file, line, place and reason, and with what would work."""

from pathlib import Path

import pytest

from libs.common.plans.documents import MAX_BYTES
from libs.common.plans.reading import BrokenPlan, book_of, load, read_plan_bytes
from tests.plans.builders import PLAN, a_plan, with_replaced

NOTICE = "{from: [dispatched_at], days: 60}"
PROOF = "[{evidence: carrier_loss_letter}, {elapsed: {from: dispatched_at, days: 30}}]"


def refusal(text: str) -> str:
    with pytest.raises(BrokenPlan) as refused:
        read_plan_bytes(text.encode(), "test-plan.v1.yaml")
    return refused.value.detail


def test_the_plan_all_cases_here_break_is_valid() -> None:
    assert a_plan().name == "test-plan v1"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        # keys and shapes
        ("limits:", "limts:", ":11 at limts: unknown key 'limts'; did you mean 'limits'?"),
        ("    payout:", "    pay_out:", "at perils.LOSS.pay_out: unknown key 'pay_out'"),
        ("tenant: tester\n", "", "tenant is missing"),
        ('currency: CNY\ntimezone: Asia/Shanghai\n', "", "currency, timezone are missing"),
        ("plan: test-plan", "plan: Test Plan", "'Test Plan' is no plan id"),
        ("version: 1", "version: one", "at version: a whole number is needed, not 'one'"),
        ("version: 1", "version: 0", "0 is not between 1 and 9999"),
        ('"2024-01-01"', '"2024-13-01"', 'a day such as "2024-05-06" is needed'),
        ("currency: CNY", "currency: RMB", "'RMB' is not an ISO 4217 currency"),
        ("Asia/Shanghai", "Asia/Shangai", "'Asia/Shangai' is no time zone"),
        ("Asia/Shanghai", "../etc", "is no time zone"),
        ("[mon, tue, wed, thu, fri]", "[]", "at least one day of the week is worked"),
        ("thu, fri", "thu, fry", "'fry' is not a day of the week; did you mean 'fri'?"),
        ("thu, fri", "fri, fri", "fri stands here twice"),
        ("perils:\n", "perils:\n  THEFT: {payout: loss}\n", "'THEFT' is not a peril"),
        ("claim_rule: per_item", "claim_rule: per_order", "'per_order' is not a claim rule"),
        ("start: on_payment", "start: on_arrival", "'on_arrival' is not a start rule of cover"),
        ("end: delivered_at", "end: delivery", "'delivery' is not a time fact"),
        # vocabulary
        ("[force_majeure]", "[flood]", "at exclusions[0]: 'flood' is not a cause"),
        ("decline: [prohibited]", "decline: [drone]", "'drone' is not an item class"),
        ("accept: []", "accept: [prohibited]", "prohibited cannot be both accepted and declined"),
        ("required: [value_document]", "required: [selfie]", "'selfie' is not an evidence kind"),
        ("evidence: carrier_loss_letter", "evidence: letter", "'letter' is not an evidence kind"),
        ("code: DELIVERED", "code: ARRIVED", "'ARRIVED' is not a code for gates"),
        ("code: FREIGHT_UNPAID", "code: DELIVERED", "'DELIVERED' is not a code for holds"),
        ("code: CAP_INSURED", "code: CAP_NONE", "'CAP_NONE' is not a cap"),
        ("otherwise: ACCEPT", "otherwise: MAYBE", "'MAYBE' is not a verdict"),
        ("[[police_report]]", "[[]]", "any is a list of alternative sets"),
        ("[[police_report]]", "[police_report]", "a list is needed, not 'police_report'"),
        ("kinds: [carrier_damage_report]", "kinds: [value_document]", "value_document stands under"),
        # expressions
        ('base: "insured_value"', 'base: "insured_valu"', "at premium.base: 'insured_valu': column 1"),
        ('"not dispatched"', '"not premium"', "'premium' is a number; true or false is needed"),
        ('"not dispatched"', '"premium"', "'premium' is a number; true or false is needed here"),
        ('"insured_value - paid"', '"insured_value / paid"', "division by 'paid'"),
        ('payout: "loss"', 'payout: "los"', "unknown name 'los'; did you mean 'loss'?"),
        ('payout: "loss"', 'payout: "goods_limit"', "a number that may be unset"),
        ("carrier_paid\"", "delivered_at\"", "delivered_at cannot stand in an expression: it is a time"),
        ("  loss:", "  paid:", "'paid' is already the name of a fact"),
        ("  loss:", "  rate:", "'rate' is already the name of a fact, a function, a param or a let"),
        ("  loss:", "  min:", "'min' is already the name"),
        ("  loss:", "  Loss!:", "'Loss!' is no name"),
        ('loss: "claimed_value', 'loss: "loss + claimed_value', "unknown name 'loss'"),
        ("max: \"10000\"", "max: \"max(10000)\"", "max compares two numbers or more"),
        # numbers
        ('rate: "0.02"', "rate: 0.02", '0.02 without quotes is a binary fraction; write "0.02"'),
        ('rate: "0.02"', "rate: 2e-2", "2e-2 without quotes is a binary fraction"),
        ('minimum: "1.00"', "minimum: 1.00", "1.00 without quotes is a binary fraction"),
        ('minimum: "1.00"', 'minimum: "-1"', "-1 is not between 0 and"),
        ('minimum: "1.00"', 'minimum: "one"', 'a decimal in quotes such as "0.05" is needed'),
        ('minimum: "1.00"', 'minimum: "1000000001"', "is not between 0 and"),
        ('rate: "0.02"', 'rate: "2"', "a rate of 2 is more than the whole base"),
        ("rate_param: rate", "rate_param: rat", "params has no decimal 'rat'"),
        ("rate_param: rate", "rate_param: quiet", "params has no decimal 'quiet'"),
        ("info_days: 7, ", "", "info_days is missing"),
        ("quote_days: 7", "quote_days: 7, reminder_basis: item", "or max_item, not 'item'"),
        ("info_days: 7", 'info_days: "7.5"', "params.info_days is a whole number here"),
        ("info_days: 7", "info_days: true", "a param is a decimal in quotes"),
        ("info_days: 7", "info_days: 99999", "a clock of 99999 days is longer than 3650"),
        ("quiet: {domestic: 7, international: 20}", "quiet: {}", "a table has 1 to 200 rows"),
        # clocks
        (NOTICE, "{from: [dispatched_at]}", "a clock needs one unit"),
        (NOTICE, "{from: [dispatched_at], days: 6, hours: 1}", "found days, hours"),
        (NOTICE, "{from: [dispatched_at], weeks: 6}", "unknown key 'weeks'"),
        (NOTICE, "{days: 60}", "from is missing"),
        (NOTICE, "{from: [dispatched], days: 60}", "'dispatched' is not a time fact"),
        ("days: 60", "days: sixty", "a whole number is needed, not 'sixty'"),
        ("days: 60", "days_param: notice", "params has no 'notice'"),
        ("days: 60", "days_by: {param: quiet, key: scop}", "'scop' is not a code fact; did you mean"),
        ("days: 60", "days_by: {param: rate, key: scope}", "params has no table 'rate' of counts"),
        ("{domestic: 7, international: 20}", "{home: 7}", "at perils"),
        ("from: dispatched_at, days: 30", "from: dispatched_at, hours: 30", "found hours"),
        ("days: 30}}]", "days: 30, until: delivered_at}}]", "until (an event) and stopped (its code)"),
        ("file: {days: 14}", "file: {}", "a clock needs one unit"),
        ("file: {days: 14}", "file: {days_param: rate}", "params.rate is a whole number here"),
        ("tier: 1", "tier: 2", "tiers are counted from 1; this is tier 1"),
        # perils
        ('    payout: "loss"\n', "", "at perils.LOSS: an enabled peril needs a payout"),
        ('payout: "loss"', 'payout: "loss"\n    instrument: voucher', "params needs voucher_months"),
        ('payout: "loss"', 'payout: "loss"\n    instrument: cheque', "'cheque' is not an instrument"),
        ('payout: "loss"', 'payout: "loss"\n    max_uses: 0', "0 is not between 1"),
        (PROOF, "[]", "at least one alternative is needed"),
        ("{evidence: carrier_loss_letter}, ", "{}, ", "an alternative is either"),
        # YAML
        ("exclusions: [force_majeure]", "exclusions: &x []", "anchors and aliases are not read"),
        ("exclusions: [force_majeure]", "exclusions: !!set {}", "is not read"),
        ("claim_rule: per_item", "claim_rule: per_item\nclaim_rule: a", "stands here twice"),
        ("claim_rule: per_item", "claim_rule: [", "test-plan.v1.yaml:"),
        ("claim_rule: per_item", "<<: {}", "merges"),
    ],
)  # fmt: skip
def test_names_the_place_and_the_remedy(old: str, new: str, reason: str) -> None:
    text = with_replaced(PLAN, **{old: new})
    # Only what is used is looked at: a table of counts is checked where a clock reads it.
    text = (
        text.replace("days: 60", "days_by: {param: quiet, key: scope}")
        if "home" in new
        else text
    )

    detail = refusal(text)

    assert detail.startswith("test-plan.v1.yaml:")
    assert reason in detail


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ('offer: {points: [checkout], reminder_when: "point"}', "true or false is needed here"),
        ("offer: {buyers: [robot]}", "'robot' is not a kind of buyer"),
        ("documents: [{kind: proof_of_purchase}]", "must_show is missing"),
        ("verification: {by: staff, lapse: {working_days: 7}}", "state is missing"),
        ("verification: {by: staff, lapse: {working_days: 7, state: GONE}}", "'GONE' is not a state"),
        ('over_value: {warn: "destination"}', "'destination' is a text; a number is needed here"),
        ("undeliverable: {then: destroy}", "instruction is missing"),
        ('priority: {any: [rich], factor: "0.5"}', "'rich' is not a flag"),
        ('priority: {any: [{when: "priority"}], factor: "0.5"}', "would be derived from itself"),
        ('advance: {when: file_complete, fraction: "1.5", due: {days: 3}}', "at most 1.00"),
        ('found_after_payout: {repay: "2"}', "nobody repays more than 1.00"),
        ("lines: [{code: A}, {code: A}]", "the line A stands here twice"),
        ("lines: [{code: A, mode: teleport}]", "'teleport' is not a mode"),
        ('lines: [{code: A, extra_days: [{from: "2024-02-01", to: "2024-01-01", days: 3}]}]', "before"),
        ("holidays: [2024-01-32]", 'a day such as "2024-05-06" is needed'),
        ("holidays: {country: XX}", "no holiday calendar: Country XX not available"),
        ("holidays: {country: MY, subdivision: ZZZ}", "does not have subdivision ZZZ"),
        ('valid_to: "2023-12-31"', "the plan ends on 2023-12-31, before it begins"),
        ("rules: {perils.LOSS.gate: [XX-01]}", "the plan has no place 'perils.LOSS.gate'; did you mean"),
        ("rules: {premium: [rule one]}", "'rule one' is not a rule id such as CS-21"),
        ("params_: {}", "unknown key 'params_'; did you mean 'params'?"),
    ],
)  # fmt: skip
def test_refuses_optional_sections_that_make_no_sense(section: str, reason: str) -> None:
    assert reason in refusal(PLAN + section + "\n")


@pytest.mark.parametrize(
    ("bands", "reason"),
    [
        ('[{upto: "2000", pct: "1"}]', "the last band ends nowhere: write upto: null"),
        ('[{upto: null, pct: "1"}, {upto: null, pct: "0"}]', "only the last band is without an end"),
        ('[{upto: "20", pct: "1"}, {upto: "10", pct: "1"}, {upto: null, pct: "0"}]', "bands rise"),
        ('[{upto: "20"}]', "pct is missing"),
    ],
)  # fmt: skip
def test_refuses_bands_with_gaps_or_overlaps(bands: str, reason: str) -> None:
    assert reason in refusal(with_replaced(**{"info_days: 7": f"info_days: 7, tier: {bands}"}))


def test_refuses_facts_that_would_be_derived_from_themselves() -> None:
    by_base = with_replaced(**{'base: "insured_value"': 'base: "order_insured_value"'})
    by_limit = with_replaced(
        **{'max: "10000"}': 'max: "10000", goods_max: "iff(goods_limit > 1, 1, 2)"}'}
    )

    assert "insured_value would be derived from itself" in refusal(by_base)
    assert "goods_limit would be derived from itself" in refusal(by_limit)


def test_refuses_a_file_that_is_too_large_or_not_text() -> None:
    assert "larger than the" in refusal(PLAN + "#" * MAX_BYTES)
    with pytest.raises(BrokenPlan, match="not UTF-8"):
        read_plan_bytes(b"\xff\xfe", "test-plan.v1.yaml")
    assert "the file is empty" in refusal("")
    assert "one document a file" in refusal(PLAN + "---\n" + PLAN)


def test_refuses_an_alias_bomb_without_opening_it() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [*{before}, *{before}, *{before}, *{before}]\n"
        for before, name in zip("abcdefghijklmno", "bcdefghijklmnop", strict=True)
    )

    assert "anchors and aliases are not read" in refusal(bomb)


def test_refuses_values_nested_too_deeply() -> None:
    assert "16 levels" in refusal("plan: " + "[" * 20 + "]" * 20)
    assert "nesting" in refusal("plan: " + "[" * 50_000)


def test_refuses_two_versions_that_begin_on_one_day() -> None:
    second = with_replaced(**{"version: 1": "version: 2"})

    with pytest.raises(BrokenPlan, match="overlap: both are valid from 2024-01-01"):
        book_of([a_plan(), a_plan(second)])


def test_refuses_a_later_version_that_begins_earlier() -> None:
    second = with_replaced(**{"version: 1": "version: 2", "2024-01-01": "2023-01-01"})

    with pytest.raises(BrokenPlan, match="a later version begins later"):
        book_of([a_plan(), a_plan(second)])


def test_refuses_one_version_published_twice() -> None:
    with pytest.raises(BrokenPlan, match="test-plan v1 is published twice"):
        book_of([a_plan(), a_plan(with_replaced(**{"2024-01-01": "2025-01-01"}))])


def test_names_the_first_fault_of_every_file_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(PLAN)
    (tmp_path / "one.yaml").write_text(with_replaced(**{"limits:": "limts:"}))
    (tmp_path / "two.yaml").write_text(with_replaced(**{"currency: CNY": "currency: RMB"}))

    with pytest.raises(BrokenPlan) as refused:
        load(tmp_path)

    assert [fault.pointer for fault in refused.value.faults] == ["#/limts", "#/currency"]
    assert "one.yaml:11" in refused.value.detail
    assert "two.yaml:5" in refused.value.detail


def test_refuses_a_folder_without_plans(tmp_path: Path) -> None:
    with pytest.raises(BrokenPlan, match=r"no plan file \(\*\.yaml\)"):
        load(tmp_path)
