"""Every worked example of every programme, answered to the cent."""

from pathlib import Path

import pytest

from deploy.plans_check import Example, Plans, answer_of, read_examples
from libs.common.plans.reading import load
from libs.common.settings import PROGRAMMES

EXAMPLES = [
    found
    for file in sorted((Path(__file__).parent / "examples").glob("*.yaml"))
    for found in read_examples(file)
]


@pytest.fixture(scope="module")
def plans() -> Plans:
    return Plans(load(PROGRAMMES))


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda example: f"{example.plan}-{example.id}"
)
def test_the_plan_answers_as_the_programme_says(plans: Plans, example: Example) -> None:
    assert answer_of(example, plans).differences == ()


def test_each_example_has_an_id_of_its_own() -> None:
    ids = [(example.plan, example.id) for example in EXAMPLES]

    assert len(ids) == len(set(ids)) >= 209
