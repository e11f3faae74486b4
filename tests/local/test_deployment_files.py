"""The files for machines with a container engine say what our settings understand."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic_settings import BaseSettings

from deploy import cli
from deploy.local import jars
from deploy.local.kafka import PARTITIONS, TOPICS
from deploy.local.services import USUAL_PORTS
from libs.common.migrate import SERVICES
from libs.common.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.mark.parametrize("service", SERVICES)
def test_compose_tells_a_service_only_what_it_understands(service: str) -> None:
    told = set(COMPOSE["services"][service]["environment"])

    assert told <= _variables(_settings_of(service))


@pytest.mark.parametrize("service", SERVICES)
def test_compose_values_are_taken_by_the_settings(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in COMPOSE["services"][service]["environment"].items():
        monkeypatch.setenv(name, value)

    settings = _settings_of(service)()

    assert str(settings.model_dump()["service_key"]).endswith(f"/{service}.jwk.json")


@pytest.mark.parametrize("service", SERVICES)
def test_compose_serves_each_service_where_the_others_look_for_it(service: str) -> None:
    described = COMPOSE["services"][service]
    url = COMPOSE["x-settings"][f"PARCELCOVER_{service.upper()}_URL"]

    assert described["command"][:2] == ["serve", service]
    assert url == f"http://{service}:8000"
    assert described["ports"] == [f"127.0.0.1:{USUAL_PORTS[service]}:8000"]


def test_compose_makes_the_same_topics_on_the_same_kafka() -> None:
    (script,) = COMPOSE["services"]["topics"]["command"]

    assert f"for topic in {' '.join(TOPICS)};" in script
    assert f"--partitions {PARTITIONS}" in script
    assert COMPOSE["services"]["kafka"]["image"] == f"apache/kafka:{_kafka_version()}"
    assert COMPOSE["services"]["topics"]["image"] == f"apache/kafka:{_kafka_version()}"


def test_compose_migrates_with_the_variable_the_command_reads() -> None:
    group: Any = typer.main.get_command(cli.app)
    variables = {parameter.envvar for parameter in group.commands["migrate"].params}

    assert COMPOSE["services"]["migrate"]["command"] == ["migrate"]
    assert set(COMPOSE["services"]["migrate"]["environment"]) <= variables


def test_the_environment_example_names_every_common_setting_with_its_default() -> None:
    lines = [
        line.partition("=")
        for line in (ROOT / ".env.example").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    example = {name: value for name, _, value in lines}
    defaults = {name: field.default for name, field in _fields(Settings).items()}
    # The programmes lie beside the code, wherever that is.
    beside = {"PARCELCOVER_PLANS", "PARCELCOVER_TENANTS"}
    plain = {
        name: str(default)
        for name, default in defaults.items()
        if isinstance(default, str) or type(default) is int
    }

    assert set(defaults) - beside <= set(example)
    assert {name: example[name] for name in plain} == plain
    assert set(example) <= set().union(*(_variables(_settings_of(name)) for name in SERVICES))


def test_one_version_of_uv_installs_everywhere() -> None:
    makefile = (ROOT / "Makefile").read_text()
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    version = re.search(r"UV_VERSION := (\S+)", makefile)

    assert version is not None
    assert f"uv=={version[1]} " in dockerfile


def _settings_of(service: str) -> type[BaseSettings]:
    module = importlib.import_module(f"services.{service}.settings")
    shape: type[BaseSettings] = getattr(module, f"{service.capitalize()}Settings")
    return shape


def _variables(shape: type[BaseSettings]) -> set[str]:
    return set(_fields(shape))


def _fields(shape: type[BaseSettings]) -> dict[str, Any]:
    """The settings by the variable each is read from."""
    return {
        str(field.validation_alias or f"PARCELCOVER_{name.upper()}"): field
        for name, field in shape.model_fields.items()
    }


def _kafka_version() -> str:
    version = re.search(
        r"<artifactId>kafka_2.13</artifactId>\s*<version>(.+)</version>", jars.POM.read_text()
    )
    assert version is not None
    return version[1]
