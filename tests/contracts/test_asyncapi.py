"""The published document: as the code has it, whole, and refused where it would mislead."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

import msgspec
import pytest
import yaml

from deploy import asyncapi as published
from libs.common.asyncapi import Producer, document, schemas_of
from libs.common.events import Event
from libs.common.migrate import SERVICES
from tests.contracts import snapshots


class Said(Event, frozen=True, kw_only=True):
    """Something happened."""

    topic: ClassVar[str] = "policies"
    source: ClassVar[str] = "/tests"

    number: int


def said_again(**namespace: Any) -> type[Event]:
    """A class of the same name in another module, as a second version would be."""
    made: Any = msgspec.defstruct(
        "Said",
        [("text", str)],
        bases=(Said,),
        module="tests.v2",
        namespace=namespace,
        frozen=True,
        kw_only=True,
    )
    again: type[Event] = made
    return again


def producer(*events: type[Event]) -> Producer:
    return Producer(service="policy", says="What the tests say.", events=events)


def test_the_published_document_is_as_the_code_has_it() -> None:
    assert snapshots.DOCUMENT.read_text() == published.text(), snapshots.REFRESH


def test_it_reads_back_as_it_was_written() -> None:
    assert yaml.safe_load(published.text()) == published.document()


def test_every_service_sends_each_of_its_events_on_its_own_topic() -> None:
    doc = published.document()
    assert doc["asyncapi"] == "3.0.0"
    assert [operation["action"] for operation in doc["operations"].values()] == ["send"] * 4
    for service, said in zip(SERVICES, published.producers(), strict=True):
        operation = doc["operations"][f"{service}_says"]
        channel = followed(doc, operation["channel"])
        messages = [followed(doc, followed(doc, ref)) for ref in operation["messages"]]
        assert channel["address"] == channel["bindings"]["kafka"]["topic"] == said.topic
        assert [m["title"] for m in messages] == [event.__name__ for event in said.events]


def test_a_message_is_a_cloud_event_of_one_type_keyed_and_described() -> None:
    doc = published.document()
    message = doc["components"]["messages"]["PolicyPaid.v1"]
    (trait,) = [followed(doc, one) for one in message["traits"]]
    envelope, own = message["payload"]["allOf"]

    assert message["name"] == "io.parcelcover.PolicyPaid.v1"
    assert trait["contentType"] == "application/cloudevents+json; charset=UTF-8"
    assert trait["bindings"]["kafka"]["key"]["type"] == "string"
    assert {"id", "source", "specversion", "type"} <= set(followed(doc, envelope)["required"])
    assert own["properties"]["type"] == {"const": message["name"]}
    data = followed(doc, own["properties"]["data"])
    assert data["properties"]["paid_at"] == {"type": "string", "format": "date-time"}


def test_a_reader_of_the_document_may_get_more_members_than_it_says() -> None:
    schemas = published.document()["components"]["schemas"]
    assert all("additionalProperties" not in schema for schema in schemas.values())


def test_every_reference_leads_somewhere() -> None:
    doc = published.document()
    references = list(references_in(doc))
    assert len(references) > 100
    for reference in references:
        assert followed(doc, {"$ref": reference}), reference


def test_two_versions_of_an_event_stand_side_by_side() -> None:
    doc = document([producer(Said, said_again(version=2))], version="1")

    assert list(doc["channels"]["policies"]["messages"]) == ["Said.v1", "Said.v2"]
    first, second = (
        followed(doc, message["payload"]["allOf"][1]["properties"]["data"])["properties"]
        for message in doc["components"]["messages"].values()
    )
    assert (set(first), set(second)) == ({"number"}, {"number", "text"})


def test_two_classes_of_one_wire_type_are_refused() -> None:
    with pytest.raises(ValueError, match=r"io\.parcelcover\.Said\.v1"):
        document([producer(Said, said_again())], version="1")


def test_a_service_on_two_topics_is_refused() -> None:
    with pytest.raises(ValueError, match="2 topics"):
        document([producer(Said, said_again(version=2, topic="claims"))], version="1")


def test_parts_of_one_name_are_told_apart_by_their_service() -> None:
    names = published.document()["components"]["schemas"].keys()
    assert {"PolicyTerms", "QuoteTerms", "Money"} <= names
    assert not [name for name in names if "." in name]


def test_an_instant_is_told_in_every_place_that_may_hold_one() -> None:
    class First(msgspec.Struct, tag=True):
        at: datetime

    class Second(msgspec.Struct, tag=True):
        ats: tuple[datetime, ...]
        by_name: dict[str, datetime]

    class All(msgspec.Struct):
        one: First | Second | str | None
        other: datetime | None = None

    _, parts = schemas_of([All], "#/")

    instant = {"type": "string", "format": "date-time"}
    assert parts["First"]["properties"]["at"] == instant
    assert parts["Second"]["properties"]["ats"]["items"] == instant
    assert parts["Second"]["properties"]["by_name"]["additionalProperties"] == instant
    assert parts["All"]["properties"]["other"]["anyOf"] == [instant, {"type": "null"}]
    assert parts["All"]["properties"]["one"]["anyOf"][0] == {"type": "string"}


def followed(doc: Any, reference: Any) -> Any:
    place = doc
    for step in reference["$ref"].removeprefix("#/").split("/"):
        place = place[step]
    return place


def references_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references_in(inner)
    if isinstance(value, list):
        for inner in value:
            yield from references_in(inner)
