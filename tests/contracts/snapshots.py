"""The schemas of events as they were last agreed on, and as the code has them now."""

import json
from pathlib import Path
from typing import Any

from deploy import asyncapi as published
from libs.common.asyncapi import schemas_of
from libs.common.events import Event, wire_type
from tests.contracts.compatibility import breaks

FOLDER = Path(__file__).parent / "snapshots"
DOCUMENT = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"

REFRESH = "Run `python -m tests.contracts.refresh` and commit what it writes."
HOW_TO_BREAK = (
    "An event only gains optional members. For anything else say a second version beside the first "
    "for a while: turn the service's events.py into a package, leave the class in it as it is, and "
    "declare one of the same name in a module of its own (events/v2.py) with "
    "`version: ClassVar[int] = 2`; list both in EVENTS, announce both, and let each consumer read "
    "v2 before v1 is said no more. Delete the snapshot with the class, in the last of these steps. "
    "(An event that was never released may still change: delete its snapshot and refresh.)"
)

Json = dict[str, Any]


def events() -> dict[str, type[Event]]:
    """Every event of every service, by wire type."""
    return {wire_type(e): e for producer in published.producers() for e in producer.events}


def schema_of(event: type[Event]) -> Json:
    """The event's schema without remarks, so that a better docstring is no change of it."""
    [schema], parts = schemas_of([event], "#/$defs/")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "x-topic": event.topic,
        "x-source": event.source,
        **schema,
        "$defs": {name: _without_remarks(part) for name, part in sorted(parts.items())},
    }


def _without_remarks(part: Json) -> Json:
    return {word: value for word, value in part.items() if word not in ("title", "description")}


def now() -> dict[str, Json]:
    return {name: schema_of(event) for name, event in events().items()}


def kept(folder: Path = FOLDER) -> dict[str, Json]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def broken(before: dict[str, Json], after: dict[str, Json]) -> list[str]:
    """Every breaking change, as `io.parcelcover.PolicyPaid.v1: paid_at is gone`."""
    gone = [f"{name}: nobody says it any more" for name in before.keys() - after.keys()]
    changed = [
        f"{name}: {change}"
        for name in before.keys() & after.keys()
        for change in breaks(before[name], after[name])
    ]
    return sorted(gone + changed)


def write(
    schemas: dict[str, Json], folder: Path = FOLDER, document: Path = DOCUMENT
) -> list[Path]:
    """Keep these schemas and the published document; the files that changed."""
    texts = {
        folder / f"{name}.json": json.dumps(schema, indent=2) + "\n"
        for name, schema in schemas.items()
    }
    texts[document] = published.text()
    changed = [
        path for path, text in texts.items() if not path.exists() or path.read_text() != text
    ]
    for path in changed:
        path.parent.mkdir(exist_ok=True)
        path.write_text(texts[path])
    return changed
