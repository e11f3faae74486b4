"""Each provider's body, read to the history that is written beside it."""

import csv
from pathlib import Path

import pytest

from services.policy.tracking import JSON, PROVIDERS, XML
from services.policy.tracking.meaning import SHIPPED
from tests.policy.tracking.fixtures import (
    BODIES,
    FOLDER,
    body_of,
    history_of,
    provider_of,
    shown,
    written_history,
)

FORMS = {".json": JSON, ".xml": XML}


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_a_body_tells_the_history_that_is_written_beside_it(body: Path) -> None:
    told = [shown(scan) for scan in history_of(provider_of(body), body.read_bytes())]

    assert told == written_history(body)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_has_a_fixture_of_each_form_with_its_history(name: str) -> None:
    bodies = [body for body in BODIES if provider_of(body) == name]

    assert {FORMS[body.suffix] for body in bodies} == PROVIDERS[name].forms
    assert all((FOLDER / f"{body.stem}.history.json").exists() for body in bodies)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_has_a_section_in_the_map(name: str) -> None:
    with SHIPPED.open(encoding="utf-8", newline="") as opened:
        assert name in {row["provider"] for row in csv.DictReader(opened)}


def test_nothing_is_kept_for_a_provider_that_is_not_there() -> None:
    with SHIPPED.open(encoding="utf-8", newline="") as opened:
        mapped = {row["provider"] for row in csv.DictReader(opened)}

    assert {provider_of(body) for body in BODIES} | mapped == set(PROVIDERS)


@pytest.mark.parametrize("name", PROVIDERS)
def test_told_again_a_scan_has_the_key_it_had(name: str) -> None:
    first, again = (history_of(name, body_of(name)) for _ in range(2))

    assert [scan.key for scan in first] == [scan.key for scan in again]


@pytest.mark.parametrize("name", PROVIDERS)
def test_different_scans_have_different_keys(name: str) -> None:
    told = [scan for scan in history_of(name, body_of(name)) if not scan.is_withdrawn]

    assert len({scan.key for scan in told}) == len(told)
