"""Nothing but Unreadable comes out of a reader, whatever goes in, and no reader takes too much."""

import copy
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.policy.tracking import JSON, PROVIDERS, XML, StatusMap, Unreadable, neutral
from services.policy.tracking.reading import MAX_SCANS
from tests.policy.tracking.bodies import SAYING
from tests.policy.tracking.fixtures import BODIES, body_of, provider_of

KNOWN = StatusMap.load()
each_provider = pytest.mark.parametrize("provider", PROVIDERS)
SPEAKS_JSON = [name for name, provider in PROVIDERS.items() if JSON in provider.forms]
SPEAKS_XML = [name for name, provider in PROVIDERS.items() if XML in provider.forms]
XML_BODIES = [body for body in BODIES if body.suffix == ".xml"]


def try_to_read(provider: str, body: bytes) -> bool:
    """Whether it could be read; and then each scan is one that can be stored."""
    one = PROVIDERS[provider]
    try:
        reading = one.read(body)
    except Unreadable:
        return False
    for scan in reading.scans:
        told = neutral(scan, one, KNOWN)
        assert told.number
        texts = (told.carrier, told.number, told.code, told.time_raw, told.location, told.description,
                 *(code.code for code in told.unknown))  # fmt: skip
        assert not any("\x00" in text for text in texts)
        "".join(texts).encode()
    return True


def refused(provider: str, body: bytes) -> str:
    with pytest.raises(Unreadable) as unreadable:
        PROVIDERS[provider].read(body)
    return str(unreadable.value)


# --- any bytes, any JSON, and bodies that were right until something became of them ------------------

ANY_TEXT = st.text(max_size=12) | st.sampled_from(
    ["", " ", "\x00", "2026-03-02T09:00:00Z", "true", "DE"]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e308, 1e308) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip

quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to each member of a document."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, member in inner:
        yield (*path, name)
        yield from places(member, (*path, name))


def with_member(document: Any, path: tuple[str | int, ...], value: Any) -> bytes:
    made = copy.deepcopy(document)
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return msgspec.json.encode(made)


@pytest.mark.parametrize("provider", SPEAKS_JSON)
@quick
@given(st.data())
def test_a_body_with_one_member_of_any_kind_is_read_or_unreadable(
    provider: str, data: st.DataObject
) -> None:
    document = msgspec.json.decode(body_of(provider))
    path = data.draw(st.sampled_from(list(places(document))))

    try_to_read(provider, with_member(document, path, data.draw(ANY_JSON)))


@pytest.mark.parametrize("provider", SPEAKS_JSON)
def test_each_member_may_be_null_missing_a_number_or_a_boolean_as_a_text(provider: str) -> None:
    document = msgspec.json.decode(body_of(provider))

    for path in places(document):
        for value in (None, "true", True, 2151, 1e300, -1, "", [], {}, "\x00"):
            try_to_read(provider, with_member(document, path, value))


@each_provider
@quick
@given(st.data())
def test_a_body_with_some_bytes_changed_is_read_or_unreadable(
    provider: str, data: st.DataObject
) -> None:
    body = bytearray(data.draw(st.sampled_from(
        [file for file in BODIES if provider_of(file) == provider])).read_bytes())  # fmt: skip
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))

    try_to_read(provider, bytes(body))


@each_provider
@quick
@given(ANY_JSON.map(msgspec.json.encode) | st.binary(max_size=40))
def test_any_body_at_all_is_read_or_unreadable(provider: str, body: bytes) -> None:
    try_to_read(provider, body)


@each_provider
@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"null", b"[]", b"{}", b'"x"', b"1", b"\x00", b"\xff\xfe", b"{", b"<", b"<a/>",
     b"[" * 100_000, b'{"event":' * 100_000, b"<a>" * 20_000, b"\xef\xbb\xbf"],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_what_is_no_body_of_a_provider_is_unreadable(provider: str, body: bytes) -> None:
    assert refused(provider, body)


@each_provider
def test_another_providers_body_is_unreadable_or_tells_nothing(provider: str) -> None:
    for other in BODIES:
        if provider_of(other) != provider:
            try:
                assert PROVIDERS[provider].read(other.read_bytes()).scans == ()
            except Unreadable:
                continue


@pytest.mark.parametrize("provider", SPEAKS_JSON)
def test_half_a_surrogate_pair_is_no_text(provider: str) -> None:
    """U+D800 alone, escaped or in bytes, would break what stores it."""
    assert refused(
        provider, SAYING[provider]("SURROGATE", "").replace(b"SURROGATE", b"\\ud800")
    )
    assert refused(
        provider, SAYING[provider]("SURROGATE", "").replace(b"SURROGATE", b"\xed\xa0\x80")
    )


@each_provider
def test_a_body_of_scans_without_a_number_alone_is_unreadable(provider: str) -> None:
    number = b"urn:epc:id:sscc:0614141.1234567890" if provider == "epcis" else b"FX1"
    nameless = SAYING[provider]("X", "").replace(number, b" ")

    if provider == "epcis":
        # An event of something else than a parcel.
        assert PROVIDERS[provider].read(nameless).scans == ()
    else:
        assert "tracking number" in refused(provider, nameless)


# --- limits --------------------------------------------------------------------------------------


def of_scans(count: int) -> bytes:
    scan = {
        "carrier": "ems",
        "tracking_number": "EZ1",
        "status": "lost",
        "occurred_at": "2026-03-02",
    }
    return msgspec.json.encode({"scans": [{**scan, "scan_id": f"s-{n}"} for n in range(count)]})


def test_a_body_has_at_most_a_thousand_scans() -> None:
    assert len(PROVIDERS["neutral"].read(of_scans(MAX_SCANS)).scans) == MAX_SCANS
    assert str(MAX_SCANS) in refused("neutral", of_scans(MAX_SCANS + 1))


def test_repeats_count_towards_the_thousand() -> None:
    body = msgspec.json.decode(of_scans(1))

    assert refused("neutral", msgspec.json.encode({"scans": body["scans"] * (MAX_SCANS + 1)}))


def test_scans_of_several_parcels_count_together() -> None:
    tracking = msgspec.json.decode(body_of("ship24"))["trackings"][0]
    many = [
        {**tracking, "tracker": {"trackingNumber": f"FX{number}"}}
        for number in range(MAX_SCANS)
    ]

    assert refused("ship24", msgspec.json.encode({"trackings": many}))


# --- XML -----------------------------------------------------------------------------------------

LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">]>
"""
QUADRATIC = b'<!DOCTYPE a [<!ENTITY a "' + b"a" * 50_000 + b'">]>'
EXTERNAL = b'<!DOCTYPE a [<!ENTITY file SYSTEM "file:///etc/passwd">]>'
PARAMETER = b'<!DOCTYPE a [<!ENTITY % remote SYSTEM "http://127.0.0.1:9/x.dtd"> %remote;]>'
DTD = b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">'
BARE_DTD = b"<!DOCTYPE TrackingResponse>"
TRICKS = {
    "laughs": LAUGHS, "quadratic": QUADRATIC, "external": EXTERNAL, "parameter": PARAMETER, "dtd": DTD,
    "bare": BARE_DTD,
}  # fmt: skip


@pytest.mark.parametrize("body", XML_BODIES, ids=lambda body: body.name)
@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_xml_with_a_dtd_is_unreadable(body: Any, trick: bytes) -> None:
    _, _, plain = body.read_bytes().partition(b"?>")
    assert try_to_read(provider_of(body), plain.lstrip())

    for entity in (b"lol3", b"a", b"file"):
        for inside in (plain, plain.replace(b"7777777771", b"&" + entity + b";"),
                       plain.replace(b"OBSERVE", b"&" + entity + b";")):  # fmt: skip
            assert refused(provider_of(body), trick + inside.lstrip())


@pytest.mark.parametrize("provider", SPEAKS_XML)
def test_an_entity_that_nobody_declared_is_unreadable(provider: str) -> None:
    (body, *_) = [file.read_bytes() for file in XML_BODIES if provider_of(file) == provider]

    for entity in (b"&lol;", b"&#0;", b"&#xD800;", b"&#x0B;"):
        assert refused(
            provider,
            body.replace(b"<Date>", b"<Date>" + entity).replace(
                b"<bizStep>", b"<bizStep>" + entity
            ),
        )


def test_what_xml_asks_to_include_stays_a_name() -> None:
    include = b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>'
    body = body_of("dhl_express").replace(b"<EventCode>PU", b"<EventCode>" + include + b"PU")

    assert PROVIDERS["dhl_express"].read(body).scans[0].status == ""


def test_xml_may_be_written_in_what_the_parser_knows() -> None:
    text = body_of("dhl_express").decode().replace("Barcelona", "Málaga")

    for encoding in ("UTF-8", "iso-8859-1", "utf-16"):
        body = text.replace('"UTF-8"', f'"{encoding}"').encode(encoding)
        assert PROVIDERS["dhl_express"].read(body).scans[0].location == "Málaga - Spain", (
            encoding
        )


@pytest.mark.parametrize(
    "encoding", ["utf-7", "base64", "unicode_escape", "idna", "cp037", "x" * 99, "\u00e9"]
)
def test_xml_in_any_other_encoding_is_unreadable(encoding: str) -> None:
    body = body_of("dhl_express").replace(b'"UTF-8"', f'"{encoding}"'.encode())

    assert refused("dhl_express", body)


@pytest.mark.parametrize("provider", SPEAKS_XML)
def test_xml_of_another_kind_is_unreadable(provider: str) -> None:
    for root in (b"<ErrorResponse/>", b"<html><body/></html>", b'<EPCISBody xmlns="x"/>'):
        assert root.split(b">")[0].strip(b"</").split()[0].decode() in refused(provider, root)
