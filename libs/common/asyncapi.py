"""The AsyncAPI 3.0 document of what is said on the bus, made from the producers' own classes.

Seen from Parcelcover: a service *sends*; whoever reads this document receives. The payload is the
whole CloudEvent (structured mode), its `data` the event's schema.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, Final

import msgspec
from msgspec import inspect

from libs.common.events import (
    CONTENT_TYPE,
    SEQUENCE_DIGITS,
    TYPE_PREFIX,
    Envelope,
    Event,
    wire_type,
)

BINDING_VERSION: Final = "0.5.0"

_SCHEMAS: Final = "#/components/schemas/"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Producer:
    """A service, its events, and a sentence about them that names their key."""

    service: str
    says: str
    events: Sequence[type[Event]]

    @property
    def topic(self) -> str:
        """ValueError where it has not one: a reader subscribes to a service by its topic."""
        topics = {event.topic for event in self.events}
        if len(topics) != 1:
            raise ValueError(f"{self.service} says things on {len(topics)} topics, not on one.")
        return topics.pop()


def document(producers: Sequence[Producer], *, version: str) -> Json:
    """The document as plain JSON values. ValueError where two events share a wire type."""
    events = [event for producer in producers for event in producer.events]
    _must_differ([wire_type(event) for event in events])
    schemas, parts = schemas_of(events, _SCHEMAS)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Parcelcover: events",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "Apache License 2.0"},
        },
        "defaultContentType": _MEDIA_TYPE,
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "variables": {
                    "bootstrap": {
                        "default": "127.0.0.1:9092",
                        "description": "KAFKA_BOOTSTRAP_SERVERS of your installation.",
                    }
                },
            }
        },
        "channels": {producer.topic: _channel(producer) for producer in producers},
        "operations": {
            f"{producer.service}_says": _operation(producer) for producer in producers
        },
        "components": {
            "messages": {
                _name(event): _message(event, schema)
                for event, schema in zip(events, schemas, strict=True)
            },
            "messageTraits": {"cloudEvent": _TRAIT},
            "schemas": {"CloudEvent": _envelope(), **_for_readers(parts)},
        },
    }


_MEDIA_TYPE: Final = CONTENT_TYPE.decode()

_DESCRIPTION: Final = """\
CloudEvents 1.0 in structured mode, one topic a service. Each event is there at least once: drop
repeats by `source` and `id`. Events of one key from one service come in order and are counted by
`sequence`; between services only causes are ordered, so wait for what has not come yet.

An event only ever gains optional members. Ignore those you do not know; what breaks a reader is a
new type (`.v2`), sent beside the old one for a while.
"""

_TRAIT: Final[Json] = {
    "contentType": _MEDIA_TYPE,
    "bindings": {
        "kafka": {
            "key": {
                "type": "string",
                "description": "The same as `partitionkey`, in UTF-8.",
            },
            "bindingVersion": BINDING_VERSION,
        }
    },
}

# What the envelope's types do not say.
_ATTRIBUTES: Final[dict[str, Json]] = {
    "specversion": {"const": "1.0"},
    "id": {"description": "Unique within its source; the same again is a repeat."},
    "source": {"description": "The service that says it.", "format": "uri-reference"},
    "time": {"description": "When it happened, in the tenant's business time."},
    "partitionkey": {"description": "What the event is about; it orders events."},
    "sequence": {
        "description": "The producer's count of the key's events, from 1.",
        "pattern": f"^[0-9]{{{SEQUENCE_DIGITS}}}$",
    },
    "tenantid": {"description": "Whose event it is."},
    "causationid": {"description": "The id of the event that led to this one."},
}


def _must_differ(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Said by two classes: {', '.join(twice)}.")


def _name(event: type[Event]) -> str:
    """`PolicyPaid.v1`: the wire type without what all have in common."""
    return wire_type(event).removeprefix(TYPE_PREFIX)


def _channel(producer: Producer) -> Json:
    names = [_name(event) for event in producer.events]
    return {
        "address": producer.topic,
        "description": producer.says,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {"topic": producer.topic, "bindingVersion": BINDING_VERSION},
        },
    }


def _operation(producer: Producer) -> Json:
    channel = f"#/channels/{producer.topic}"
    return {
        "action": "send",
        "summary": f"What the {producer.service} service says.",
        "channel": {"$ref": channel},
        "messages": [
            {"$ref": f"{channel}/messages/{_name(event)}"} for event in producer.events
        ],
    }


def _message(event: type[Event], schema: Json) -> Json:
    described = {"summary": cleandoc(event.__doc__).split("\n\n")[0]} if event.__doc__ else {}
    return {
        "name": wire_type(event),
        "title": event.__name__,
        **described,
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {
            "allOf": [
                {"$ref": f"{_SCHEMAS}CloudEvent"},
                {
                    "type": "object",
                    "required": ["data"],
                    "properties": {
                        "type": {"const": wire_type(event)},
                        "source": {"const": event.source},
                        "data": schema,
                    },
                },
            ]
        },
    }


def _envelope() -> Json:
    fields = [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(Envelope)
        if field.name != "data"
    ]
    _, parts = schemas_of([msgspec.defstruct("CloudEvent", fields, kw_only=True)], _SCHEMAS)
    envelope = parts["CloudEvent"]
    for name, more in _ATTRIBUTES.items():
        envelope["properties"][name].update(more)
    return envelope


def _for_readers(parts: dict[str, Json]) -> dict[str, Json]:
    """Without our own refusal of unknown members: a reader of today takes tomorrow's events."""
    for schema in parts.values():
        if schema.get("additionalProperties") is False:
            del schema["additionalProperties"]
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
    return parts


# --- schemas ---------------------------------------------------------------------------------


def schemas_of(shapes: Sequence[type], prefix: str) -> tuple[list[Json], dict[str, Json]]:
    """A JSON Schema a shape, and by name the parts they refer to as `prefix` + name.

    msgspec's, except that instants are told from other texts, all values are JSON's own, and parts
    that share a name are told apart by their service: PolicyTerms and QuoteTerms.
    """
    schemas, parts = msgspec.json.schema_components(shapes, ref_template=prefix + "{name}")
    for shape, schema in zip(shapes, schemas, strict=True):
        _mark_instants(
            inspect.type_info(shape), schema, {prefix + n: p for n, p in parts.items()}
        )
    names = _short_names(list(parts))
    text = msgspec.json.encode([schemas, {names[name]: part for name, part in parts.items()}])
    for name, short in names.items():
        text = text.replace(f'"{prefix}{name}"'.encode(), f'"{prefix}{short}"'.encode())
    plain, named = msgspec.json.decode(text)
    return plain, named


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """`services.policy.domain.policies.Terms` as PolicyTerms, where nothing else is called so."""
    short = {name: _of_service(name) for name in names}
    taken = Counter(short.values())
    return {name: one if taken[one] == 1 else name for name, one in short.items()}


def _of_service(name: str) -> str:
    match name.split("."):
        case ["services", service, *_, last]:
            return service.capitalize() + last
    return name


def _mark_instants(kind: inspect.Type, schema: Json, parts: dict[str, Json]) -> None:
    if isinstance(kind, inspect.DateTimeType):
        schema["format"] = "date-time"
    for inner, place in _places(kind, parts.get(schema.get("$ref", ""), schema)):
        _mark_instants(inner, place, parts)


def _places(kind: inspect.Type, schema: Json) -> Iterator[tuple[inspect.Type, Json]]:
    """The types a type is made of, each with its own schema."""
    match kind:
        case inspect.StructType(fields=fields) | inspect.DataclassType(fields=fields):
            for field in fields:
                yield field.type, schema["properties"][field.encode_name]
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            yield item, schema["items"]
        case inspect.DictType(value_type=value) if "additionalProperties" in schema:
            yield value, schema["additionalProperties"]
        case inspect.UnionType(types=types):
            # Several structs stand together as one choice.
            choices = [
                one for any_of in schema["anyOf"] for one in any_of.get("anyOf", [any_of])
            ]
            yield from zip(sorted(types, key=_place_in_union), choices, strict=True)


def _place_in_union(kind: inspect.Type) -> int:
    """msgspec's order: structs behind the others, null last."""
    if isinstance(kind, inspect.NoneType):
        return 2
    return 1 if isinstance(kind, inspect.StructType) else 0
