"""GS1 EPCIS, in JSON or XML: events of logistic units, which are parcels by their SSCC."""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element

import msgspec

from services.policy.tracking.adapter import (
    JSON,
    XML,
    CarrierScan,
    Provider,
    Reading,
    ScanTime,
    Unreadable,
)
from services.policy.tracking.reading import decode, is_xml, local_name, parse, reading_of
from services.policy.tracking.signing import BodyDigest, SecretHeader, check_shown
from services.policy.tracking.times import read_local

RECEIVING: Final = "receiving"
ARRIVING: Final = "arriving"

# The documents that hold events: what is captured, and what a subscription sends.
DOCUMENTS: Final = frozenset({"EPCISDocument", "EPCISQueryDocument"})

# Dispositions that say only that the goods are on their way through a step, whichever it is.
_UNDER_WAY: Final = frozenset({"active", "in_progress", "in_transit"})

_CONSIGNEE: Final = frozenset({"possessing_party", "owning_party", "location"})

# Core Business Vocabulary words, as a URN, a web address, or a compact one.
_CBV: Final = re.compile(
    r"(?:urn:epcglobal:cbv:(?:bizstep|disp|sdt):"
    r"|(?:https?://ref\.gs1\.org/cbv/|cbv:)(?:BizStep|Disp|SDT)-)"
)
_SSCC_URN: Final = re.compile(r"urn:epc:id:sscc:(\d{6,12})\.(\d)(\d{4,10})", re.ASCII)
_SSCC_LINK: Final = re.compile(r"https?://.+/00/(\d{18})(?:[/?#].*)?", re.ASCII)
_GLN_URN: Final = re.compile(r"urn:epc:id:[sp]gln:(\d{6,12})\.(\d{0,6})(?:\..*)?", re.ASCII)
_GLN_LINK: Final = re.compile(r"https?://.+/41[47]/(\d{13})(?:[/?#].*)?", re.ASCII)


class _Place(msgspec.Struct):
    id: str = ""


class _Destination(msgspec.Struct):
    type: str | None = None
    destination: str | None = None


class _Declaration(msgspec.Struct):
    """What is in it does not matter: an event that has one has not happened."""


class _Event(msgspec.Struct, rename="camel"):
    event_id: str | None = msgspec.field(default=None, name="eventID")
    event_time: str | None = None
    event_time_zone_offset: str | None = None
    biz_step: str | None = None
    disposition: str | None = None
    epc_list: Sequence[str] | None = None
    read_point: _Place | None = None
    biz_location: _Place | None = None
    destination_list: Sequence[_Destination] | None = None
    error_declaration: _Declaration | None = None


class _Results(msgspec.Struct, rename="camel"):
    event_list: Sequence[_Event] | None = None


class _Query(msgspec.Struct, rename="camel"):
    results_body: _Results


class _Body(msgspec.Struct, rename="camel"):
    event_list: Sequence[_Event] | None = None
    query_results: _Query | None = None


class _Document(msgspec.Struct, rename="camel"):
    type: str
    epcis_body: _Body


_document = msgspec.json.Decoder(_Document)


def read(body: bytes) -> Reading:
    """Events of goods that are no logistic units say nothing of a parcel's way."""
    kind, events = _of_xml(parse(body)) if is_xml(body) else _of_json(decode(_document, body))
    if kind not in DOCUMENTS:
        raise Unreadable(f"{kind} is none of {', '.join(sorted(DOCUMENTS))}.")
    return reading_of(
        (
            _scan(event, number)
            for event in events
            for number in map(_sscc, event.epc_list or ())
            if number
        ),
        kind=kind,
    )


def _scan(event: _Event, number: str) -> CarrierScan:
    step, disposition = _meant(event)
    return CarrierScan(
        # A logistic unit's number is the world's own, whoever carries it.
        carrier="",
        number=number,
        status=step,
        sub=disposition,
        happened=_time(event),
        scan_id=event.event_id or "",
        location=event.read_point.id if event.read_point else "",
        is_withdrawn=event.error_declaration is not None,
    )


def _meant(event: _Event) -> tuple[str, str]:
    """Step and disposition; to be received is to be delivered at the consignee's alone."""
    step, disposition = _word(event.biz_step), _word(event.disposition)
    if step != RECEIVING:
        return step, disposition
    if not _is_at_consignee(event):
        return ARRIVING, disposition
    return RECEIVING, "" if disposition in _UNDER_WAY else disposition


def _is_at_consignee(event: _Event) -> bool:
    consignee = {
        _gln(destination.destination or "")
        for destination in event.destination_list or ()
        if _word(destination.type) in _CONSIGNEE
    }
    here = {_gln(place.id) for place in (event.read_point, event.biz_location) if place}
    return bool((consignee & here) - {""})


def _time(event: _Event) -> ScanTime:
    """The instant as written; the offset counts only for a time that has none."""
    return read_local(event.event_time or "", event.event_time_zone_offset)


def _word(uri: str | None) -> str:
    """A word of the CBV without its vocabulary's address; another vocabulary's as it is."""
    return _CBV.sub("", uri, count=1) if uri and _CBV.match(uri) else uri or ""


def _sscc(epc: str) -> str:
    """The 18 digits of a logistic unit; empty for anything else."""
    if match := _SSCC_URN.fullmatch(epc):
        prefix, extension, serial = match.groups()
        return _with_check_digit(f"{extension}{prefix}{serial}")
    match = _SSCC_LINK.fullmatch(epc)
    return match[1] if match else ""


def _gln(uri: str) -> str:
    """The 13 digits of a place or party, whatever extension it has; else the URI itself."""
    if match := _GLN_URN.fullmatch(uri):
        return _with_check_digit(f"{match[1]}{match[2]}")
    match = _GLN_LINK.fullmatch(uri)
    return match[1] if match else uri


def _with_check_digit(digits: str) -> str:
    """GS1's check digit: weights 3 and 1 in turn from the right."""
    weighted = sum(
        int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(digits))
    )
    return f"{digits}{-weighted % 10}"


def _of_json(document: _Document) -> tuple[str, Sequence[_Event]]:
    body = document.epcis_body
    found = body.query_results.results_body if body.query_results else body
    return document.type, found.event_list or ()


def _of_xml(root: Element) -> tuple[str, Iterator[_Event]]:
    """EPCIS 1.x wraps what is newer than itself in extension elements, 2.0 does not."""
    events = (
        element
        for events in root.iter("EventList")
        for element in events.iter()
        if local_name(element).endswith("Event")
    )
    return local_name(root), map(_event, events)


def _event(element: Element) -> _Event:
    destinations = [
        _Destination(type=destination.get("type"), destination=_text(destination))
        for destination in element.iterfind(".//destinationList/destination")
    ]
    declared = element.find(".//errorDeclaration")
    return _Event(
        event_id=element.findtext(".//eventID"),
        event_time=element.findtext("eventTime"),
        event_time_zone_offset=element.findtext("eventTimeZoneOffset"),
        biz_step=_text(element.find("bizStep")),
        disposition=_text(element.find("disposition")),
        epc_list=[_text(epc) for epc in element.iterfind("epcList/epc")],
        read_point=_Place(_text(element.find("readPoint/id"))),
        biz_location=_Place(_text(element.find("bizLocation/id"))),
        destination_list=destinations,
        error_declaration=None if declared is None else _Declaration(),
    )


def _text(element: Element | None) -> str:
    return ((element.text if element is not None else "") or "").strip()


PROVIDER: Final = Provider(
    name="epcis",
    title="GS1 EPCIS",
    # GS1 leaves the algorithm to whoever sends.
    schemes={
        "signature": BodyDigest(header="gs1-signature"),
        "bearer": SecretHeader(word="Bearer"),
    },
    read=read,
    check_secret=check_shown,
    forms=frozenset({JSON, XML}),
    status=202,
)
