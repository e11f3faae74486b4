"""What the pages name is there, and what is there for users is named."""

import importlib
import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import typer
import yaml
from pydantic.fields import FieldInfo

from deploy.cli import app as command_line
from deploy.local.stories import STORIES
from libs.common.events import decode, wire_type
from libs.common.migrate import SERVICES
from libs.common.settings import PROGRAMMES, Settings
from services.notifier.consumers import HANDLERS
from services.notifier.domain.notices import LETTERS, StaffLetter
from tests.docs.page import PAGES, ROOT, Page, page, readme

PUBLIC_OF_EACH = {("GET", "/v1/dead-letters"), ("POST", "/v1/dead-letters/replay")}

# Read by commands, not by a service's settings.
COMMANDS_OWN = {
    "PARCELCOVER_ADMIN_URL", "DATABASE_URL", "PARCELCOVER_BROKER", "PARCELCOVER_TOKEN",
    "PARCELCOVER_CARRIER_SECRET",
}  # fmt: skip

# Made while something runs, or by whoever follows the page.
MADE = re.compile(r"\.parcelcover|\.venv|my-plans|bench\.json|uv\.lock")

all_pages = pytest.mark.parametrize("read", [page(name) for name in PAGES], ids=PAGES)

Operation = tuple[str, str, str]


# --- commands and files ------------------------------------------------------------------------


@all_pages
def test_every_make_target_named_is_in_the_makefile(read: Page) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {m[1] for line in read.commands if (m := re.match(r"make ([a-z]+)", line))}

    assert named <= targets


@all_pages
def test_every_parcelcover_command_named_is_one_with_its_options(read: Page) -> None:
    wrong = [
        f"{line}: {why}"
        for line in read.commands
        if (call := re.search(r"(?:^|/|\$\()parcelcover ([^#)]+)", line))
        if (why := _why_unknown(call[1].split()))
    ]

    assert not wrong


@all_pages
def test_every_file_named_is_there(read: Page) -> None:
    missing = [
        path for path in _paths(read) if not MADE.match(path) and not list(ROOT.glob(path))
    ]

    assert not missing


@all_pages
def test_every_function_named_is_in_its_file(read: Page) -> None:
    named = [m for span in read.spans if (m := re.fullmatch(r"([\w/]+\.py):(\w+)", span))]

    assert [m[0] for m in named if not _has_function(ROOT / m[1], m[2])] == []


@all_pages
def test_every_link_leads_somewhere(read: Page) -> None:
    links = re.findall(r"\]\(([^)]+)\)", read.prose)
    broken = [
        link
        for link in links
        if not link.startswith("http")
        if not (link[1:] in read.anchors if link[0] == "#" else (ROOT / link).exists())
    ]

    assert not broken


def _has_function(file: Path, name: str) -> bool:
    return file.exists() and bool(
        re.search(rf"^(?:async )?def {name}\b", file.read_text(), re.MULTILINE)
    )


def _why_unknown(words: list[str]) -> str:
    """Why the command line would not take these words; empty when it would."""
    command: Any = typer.main.get_command(command_line)
    while group := getattr(command, "commands", None):
        if not words:
            return ""
        if words[0] not in group:
            return f"no command {words[0]}"
        command, words = group[words[0]], words[1:]
    options = {name for parameter in command.params for name in parameter.opts}
    unknown = [word for word in words if word.startswith("--") and word not in options]
    return f"no option {', '.join(unknown)}" if unknown else ""


def _paths(read: Page) -> set[str]:
    """Spans and words of shell blocks that look like files of the project."""
    words = {word for line in read.commands for word in line.split()} | set(read.spans)
    tops = "|".join(("libs", "services", "deploy", "tests", "docs", r"\.ci"))
    looks = re.compile(rf"(?:{tops})/[\w./*-]*|[\w.-]+\.(?:md|toml|yml|lock|example)|Makefile")
    return {word.rstrip("/") for word in words if looks.fullmatch(word)}


# --- configuration -----------------------------------------------------------------------------


def test_every_setting_is_in_the_table_with_its_default() -> None:
    named = {
        _code(row[0]): _code(row[1]) for row in readme().rows("Variable", "Default", "Meaning")
    }

    assert {k: v for k, v in named.items() if k not in COMMANDS_OWN} == _settings()
    assert named.keys() >= COMMANDS_OWN


def test_the_commands_own_variables_are_read_by_them() -> None:
    code = "".join(path.read_text() for path in (ROOT / "deploy").rglob("*.py"))

    assert [name for name in COMMANDS_OWN if f'"{name}"' not in code] == []


def _settings() -> dict[str, str]:
    """Every variable of every service, with its default as one would write it."""
    found: dict[str, str] = {}
    for service in SERVICES:
        module = importlib.import_module(f"services.{service}.settings")
        shape: type[Settings] = getattr(module, f"{service.capitalize()}Settings")
        for name, field in shape.model_fields.items():
            variable = str(field.validation_alias or f"PARCELCOVER_{name.upper()}")
            found[variable] = _written(field)
    return found


def _written(field: FieldInfo) -> str:
    default = field.default
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, frozenset):
        order = ("api", "relay", "consumer", "deadlines")
        return "[" + ",".join(f'"{role}"' for role in order if role in default) + "]"
    if isinstance(default, Path) and default.is_absolute():
        return str(default.relative_to(ROOT))
    if isinstance(default, float):
        return f"{default:g}"
    return "" if default is None else str(default)


def _code(cell: str) -> str:
    return cell.strip("`")


# --- what is served and said -------------------------------------------------------------------


def test_every_operation_of_the_services_is_in_the_table_with_its_scope(tmp_path: Path) -> None:
    served = {
        (service, method, path): scope
        for service in SERVICES
        for (method, path, scope) in _operations(service, tmp_path)
    }
    of_each = {
        (service, *operation): "deadletters:write"
        for service in SERVICES
        for operation in PUBLIC_OF_EACH
    }
    named: dict[Operation, str] = {}
    for call, scope, _ in readme().rows("Call", "Scope", "What it does"):
        service, _, rest = call.partition(": ")
        method, path = _code(rest).split()
        for name in SERVICES if service == "each" else [service]:
            assert (name, method, path) not in named
            named[name, method, path] = _code(scope)

    assert served.items() >= of_each.items()
    assert named == served


@all_pages
def test_every_address_named_is_served(read: Page, tmp_path: Path) -> None:
    served = {
        (method, path)
        for service in SERVICES
        for (method, path, _) in _operations(service, tmp_path)
    } | {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")}
    named = {
        (m[1], m[2])
        for span in read.spans
        if (m := re.fullmatch(r"(GET|POST|PUT|DELETE) (/\S*)", span))
    }

    assert named <= served


def test_every_event_is_in_the_table_and_no_other() -> None:
    said = {
        (event.topic, wire_type(event))
        for service in SERVICES
        for event in importlib.import_module(f"services.{service}.events").EVENTS
    }
    rows = readme().rows("Topic", "Type", "When")

    assert sorted((_code(topic), _code(kind)) for topic, kind, _ in rows) == sorted(said)


def test_every_letter_is_in_the_table_with_its_reader_and_an_event_that_is_read() -> None:
    letters = {
        shape.template: "staff" if shape in get_args(StaffLetter) else "customer"
        for shape in LETTERS
    }
    read = {wire.split(".")[2] for wire in HANDLERS}
    rows = readme().rows("Letter", "To", "From", "What it says")

    assert sorted((_code(name), to) for name, to, _, _ in rows) == sorted(letters.items())
    assert {event for _, _, said_by, _ in rows for event in said_by.split(", ")} <= read


def test_the_example_is_an_event_that_a_consumer_would_read() -> None:
    [block] = [b for b in readme().blocks if b.form == "json" and "specversion" in b.text]
    envelope = decode(block.text.encode())

    [shape] = [
        event
        for event in importlib.import_module("services.policy.events").EVENTS
        if wire_type(event) == envelope.type
    ]
    assert msgspec.json.decode(envelope.data, type=shape).policy_id == envelope.partitionkey


def test_every_programme_is_in_the_table_with_its_tenant() -> None:
    rows = readme().rows("File", "Tenant", "Programme")
    files = {
        str(path.relative_to(ROOT)): yaml.safe_load(path.read_text())["tenant"]
        for path in PROGRAMMES.glob("*.yaml")
    }

    assert {_code(file): _code(tenant) for file, tenant, _ in rows} == files


def test_the_demo_shown_has_the_demos_stories() -> None:
    shown = re.findall(r"^│ (\S+) +│ APPROVED │", readme().text, re.MULTILINE)

    assert shown == [story.name for story in STORIES]


def test_the_number_of_worked_examples_is_right() -> None:
    examples = sum(
        len(yaml.safe_load(path.read_text()))
        for path in (ROOT / "tests" / "plans" / "examples").glob("*.yaml")
    )

    assert set(re.findall(r"\b(\d{3})\b(?= examples| of the five)", readme().prose)) == {
        str(examples)
    }


def _operations(service: str, folder: Path) -> list[Operation]:
    """Method, path and scope of what the service's OpenAPI document shows."""
    module = importlib.import_module(f"services.{service}.app")
    settings = importlib.import_module(f"services.{service}.settings")
    shape: type[Settings] = getattr(settings, f"{service.capitalize()}Settings")
    document: dict[str, Any] = module.create_app(shape(evidence=str(folder))).openapi()
    return [
        (method.upper(), path, _scope(operation))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _scope(operation: dict[str, Any]) -> str:
    """The scope, or the scheme where it has none: a body that its sender signs, or a link of ours."""
    if "security" not in operation:
        return "a link"
    ((scheme, scopes),) = operation["security"][0].items()
    return str(scopes[0]) if scopes else str(scheme)
