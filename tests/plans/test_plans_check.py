"""`plans check`: what a plan author sees, and the exit codes a script reads."""

import json
from pathlib import Path

import pytest

from deploy.plans_check import run
from libs.common.settings import PROGRAMMES
from tests.plans.builders import PLAN, with_replaced

GOOD = (
    '- {id: A1, plan: cssecure, ask: premium, given: {insured_value: "200"},'
    ' expect: {premium: "6.00"}}\n'
)
WRONG = GOOD.replace("A1", "A2").replace("6.00", "7.00")


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    return tmp_path / "examples.yaml"


def test_passes_when_all_is_as_expected(
    examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examples.write_text(GOOD)

    assert run([examples], None, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "cssecure" in shown
    assert "expected" not in shown


def test_shows_what_was_expected_and_what_came(
    examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examples.write_text(GOOD + WRONG)

    assert run([examples], None, as_json=False) == 1
    shown = capsys.readouterr().out
    assert "examples.yaml:2 A2 (premium)" in shown
    assert 'premium: expected "7.00", got "6.00"' in shown


def test_prints_one_json_object_an_example_and_the_counts_last(
    examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examples.write_text(GOOD + WRONG)

    assert run([examples], None, as_json=True) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("passed") for line in lines] == [True, False, 1]
    assert lines[1]["differences"] == [{"result": "premium", "expected": "7.00", "got": "6.00"}]
    assert lines[-1] == {"passed": 1, "failed": 1}


def test_an_example_without_caps_or_notes_expects_none(
    examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = '{goods_value: "900", insured_value: "500", whole_parcel: true, evidence: [customs_letter]}'
    examples.write_text(
        "- {id: A1, plan: cssecure, ask: claim, peril: SEIZURE,"
        f' given: {given}, expect: {{outcome: APPROVED, payout: "500.00"}}}}\n'
    )

    assert run([examples], None, as_json=False) == 1
    assert 'caps: expected [], got ["CAP_INSURED"]' in capsys.readouterr().out


def test_overrides_params_for_one_example_only(examples: Path) -> None:
    halved = GOOD.replace("given", 'with: {rate: "0.015"}, given').replace("6.00", "3.00")
    examples.write_text(halved + GOOD.replace("A1", "A3"))

    assert run([examples], None, as_json=False) == 0


def test_checks_an_authors_own_plan(
    examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(PLAN)
    examples.write_text(GOOD.replace("cssecure", "test-plan").replace("6.00", "4.00"))

    assert run([examples], own, as_json=False) == 0
    assert run([examples], None, as_json=False) == 2
    assert "examples.yaml:1 at [0].plan: No plan 'test-plan'" in capsys.readouterr().err


def test_an_authors_own_version_answers_for_the_shipped_one(
    examples: Path, tmp_path: Path
) -> None:
    own = tmp_path / "cssecure.v2.yaml"
    own.write_text((PROGRAMMES / own.name).read_text().replace('rate: "0.03"', 'rate: "0.05"'))
    examples.write_text(GOOD.replace("6.00", "10.00"))

    assert run([examples], own, as_json=False) == 0


def test_other_versions_and_plans_are_still_the_shipped_ones(
    examples: Path, tmp_path: Path
) -> None:
    own = tmp_path / "cssecure.v2.yaml"
    own.write_text((PROGRAMMES / own.name).read_text().replace('rate: "0.03"', 'rate: "0.05"'))
    old = GOOD.replace("ask:", "version: 1, ask:").replace("insured_value", "goods_value")
    examples.write_text(
        old.replace("6.00", "4.00")
        + GOOD.replace("cssecure", "jsx-cargo").replace("6.00", "10.00")
    )

    assert run([examples], own, as_json=False) == 0


def test_names_the_version_it_asks(examples: Path) -> None:
    given = 'version: 1, ask: premium, given: {goods_value: "100"'
    examples.write_text(
        f'- {{id: A1, plan: cssecure, {given}}}, expect: {{premium: "2.00"}}}}\n'
    )

    assert run([examples], None, as_json=False) == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "examples.yaml:1: the file is empty"),
        ("cases: []", "examples.yaml:1: a list is needed, not a mapping"),
        ("- {id: A1}", "plan, ask, given, expect are missing"),
        (GOOD.replace("premium,", "premiums,"), "'premiums' is not an operation; did you mean"),
        (GOOD.replace("{premium:", "{premia:"), "premium has no result 'premia'; did you mean"),
        (GOOD.replace("insured_value", "insured"), "There is no fact 'insured'"),
        (GOOD.replace('"200"', '"many"'), 'insured_value is a decimal such as "12.50"'),
        (GOOD.replace('"200"', "200.0"), "200.0 without quotes is a binary fraction"),
        (GOOD.replace("cssecure", "cssecur"), "No plan 'cssecur'; there are:"),
        (GOOD.replace("ask:", "version: 9, ask:"), "No plan 'cssecure' version 9"),
        (GOOD.replace("given", "with: {rat: '1'}, given"), "'with' names 'rat', which params has not"),
        (GOOD.replace("given", "with: {rate: [a]}, given"), "params has no decimal 'rate'"),
        (GOOD.replace("premium,", "claim,"), "a claim names its peril beside given"),
        (GOOD.replace("{premium:", "{premium: "). replace("expect", "expects"), "unknown key 'expects'"),
        ("- [", "examples.yaml:"),
    ],
)  # fmt: skip
def test_says_what_is_wrong_with_a_file_of_examples(
    examples: Path, capsys: pytest.CaptureFixture[str], text: str, reason: str
) -> None:
    examples.write_text(text)

    assert run([examples], None, as_json=True) == 2
    refused = capsys.readouterr().err
    assert refused.startswith("examples.yaml:")
    assert reason in refused


def test_says_what_is_wrong_with_an_authors_plan(
    examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(with_replaced(**{"currency: CNY": "currency: RMB"}))
    examples.write_text(GOOD)

    assert run([examples], own, as_json=False) == 2
    assert (
        "mine.yaml:5 at currency: 'RMB' is not an ISO 4217 currency" in capsys.readouterr().err
    )


def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([tmp_path / "nowhere.yaml"], None, as_json=False) == 2
    assert (
        "nowhere.yaml:1: cannot be read (No such file or directory)" in capsys.readouterr().err
    )
