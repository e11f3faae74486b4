"""DHL Express: the TrackingResponse of its XML service, each air waybill with all events so far."""

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from services.policy.tracking.adapter import XML, CarrierScan, Provider, Reading, Unreadable
from services.policy.tracking.reading import local_name, parse, place, reading_of
from services.policy.tracking.signing import SecretUrl
from services.policy.tracking.times import read_local

ROOT: Final = "TrackingResponse"


def read(body: bytes) -> Reading:
    """A waybill that DHL does not find has no events."""
    response = parse(body)
    if local_name(response) != ROOT:
        raise Unreadable(f"The root is {local_name(response)}, not {ROOT}.")
    return reading_of(_scans(response), kind=ROOT)


def _scans(response: Element) -> Iterator[CarrierScan]:
    for waybill in response.iterfind("AWBInfo"):
        number = _text(waybill, "AWBNumber")
        for event in waybill.iterfind("ShipmentInfo/ShipmentEvent"):
            yield _scan(number, event)


def _scan(number: str, event: Element) -> CarrierScan:
    return CarrierScan(
        carrier="dhl",
        number=number,
        status=_text(event, "ServiceEvent/EventCode"),
        # Local to the service area; newer answers have its offset.
        happened=read_local(
            f"{_text(event, 'Date')} {_text(event, 'Time')}", _text(event, "GMTOffset")
        ),
        location=place(_text(event, "ServiceArea/Description")),
        description=_text(event, "ServiceEvent/Description"),
    )


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


PROVIDER: Final = Provider(
    name="dhl_express",
    title="DHL Express",
    schemes={"url": SecretUrl()},
    read=read,
    forms=frozenset({XML}),
)
