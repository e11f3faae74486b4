"""What Parcelcover says on the bus, as an AsyncAPI document: `python -m deploy.asyncapi`."""

import importlib
from importlib.metadata import version
from typing import Any

import yaml

from libs.common import asyncapi
from libs.common.asyncapi import Producer
from libs.common.migrate import SERVICES


def producers() -> list[Producer]:
    """The services with their events, as each one's `events.py` has them."""
    modules = {name: importlib.import_module(f"services.{name}.events") for name in SERVICES}
    return [
        Producer(service=name, says=" ".join(module.__doc__.split()), events=module.EVENTS)
        for name, module in modules.items()
        if module.__doc__
    ]


def document() -> dict[str, Any]:
    return asyncapi.document(producers(), version=version("parcelcover"))


def text() -> str:
    """The document as docs/asyncapi.yaml has it."""
    return yaml.dump(
        document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=96, indent=2
    )


class _Plain(yaml.SafeDumper):
    """Every value written out where it stands, and long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Plain.add_representer(str, _text)


if __name__ == "__main__":
    print(text(), end="")
