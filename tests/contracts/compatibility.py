"""What a reader of yesterday's event would stumble over in today's.

An event may only gain optional members: readers ignore what they do not know, and events of
yesterday, which stay in the log, have no members of today.
"""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

# Words that change nothing for a reader: a producer writes every member, defaults too.
_REMARKS = {"title", "description", "default", "examples", "additionalProperties"}
_PARTS = {"$ref", "$defs", "properties", "required", "items", "anyOf"}


def breaks(old: Json, new: Json) -> list[str]:
    """The breaking changes between two schemas of one event, each as a sentence; none when empty."""
    return list(_breaks(_Part(old, old), _Part(new, new), ""))


class _Part:
    """A schema with its references followed; `whole` is where they lead to."""

    def __init__(self, schema: Json, whole: Json) -> None:
        name = schema.get("$ref", "").removeprefix("#/$defs/")
        self.schema: Json = {**schema, **whole["$defs"][name]} if name else schema
        self._whole = whole

    def of(self, schema: Json) -> "_Part":
        return _Part(schema, self._whole)

    @property
    def required(self) -> set[str]:
        return set(self.schema.get("required", ()))

    @property
    def members(self) -> Json:
        members: Json = self.schema.get("properties", {})
        return members

    @property
    def own_words(self) -> Json:
        """What the schema says of its own level: type, format, limits, the topic."""
        return {k: v for k, v in self.schema.items() if k not in _REMARKS | _PARTS}


def _breaks(old: _Part, new: _Part, path: str) -> Iterator[str]:
    if old.own_words != new.own_words:
        yield f"{path or 'the event'} was {_told(old)} and is {_told(new)}"
        return
    yield from _breaks_of_members(old, new, path)
    yield from _breaks_of_choices(old, new, path)
    for word in ("items", "additionalProperties"):
        before, after = old.schema.get(word), new.schema.get(word)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _breaks(old.of(before), new.of(after), f"{path}[]")


def _breaks_of_members(old: _Part, new: _Part, path: str) -> Iterator[str]:
    for name, schema in old.members.items():
        inner = f"{path}.{name}" if path else name
        if name not in new.members:
            yield f"{inner} is gone"
            continue
        yield from _breaks(old.of(schema), new.of(new.members[name]), inner)
        if name in old.required - new.required:
            yield f"{inner} was always there and is now optional"
    for name in sorted(new.required - old.required):
        inner = f"{path}.{name}" if path else name
        was = "was optional" if name in old.members else "is new"
        yield f"{inner} {was} and is required, which events said so far do not have"


def _breaks_of_choices(old: _Part, new: _Part, path: str) -> Iterator[str]:
    before, after = old.schema.get("anyOf", []), new.schema.get("anyOf", [])
    if len(before) != len(after):
        yield f"{path} was {_told(old)} and is {_told(new)}"
        return
    for one, other in zip(before, after, strict=True):
        yield from _breaks(old.of(one), new.of(other), path)


def _told(part: _Part) -> str:
    if choices := part.schema.get("anyOf"):
        return f"one of {len(choices)} kinds"
    return (
        ", ".join(f"{word} {value}" for word, value in sorted(part.own_words.items())) or "free"
    )
