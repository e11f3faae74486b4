"""DHL Shipment Tracking Unified, pushed: shipments with all events so far."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading
from services.policy.tracking.reading import decode, place, reading_of, sentence
from services.policy.tracking.signing import SecretUrl
from services.policy.tracking.times import read_time

FAILURE: Final = "failure"

# `failure` has no finer code, so its text is read: the first of these that is in it, as a code of
# the map. Neither loss nor seizure is among them: a word in a text is no carrier's declaration.
_WORDS: Final = (
    ("returning", re.compile(r"\breturn(ed|ing|s)?\b", re.IGNORECASE)),
    ("refused", re.compile(r"\brefus(ed|al)\b", re.IGNORECASE)),
    ("damaged", re.compile(r"\bdamaged\b", re.IGNORECASE)),
    ("customs", re.compile(r"\b(customs|clearance)\b", re.IGNORECASE)),
    ("expired", re.compile(r"\bexpired\b", re.IGNORECASE)),
)


class _Address(msgspec.Struct, rename="camel"):
    address_locality: str | None = None
    country_code: str | None = None


class _Location(msgspec.Struct):
    address: _Address | None = None


class _Event(msgspec.Struct, rename="camel"):
    timestamp: str | None = None
    location: _Location | None = None
    status_code: str | None = None
    status: str | None = None
    description: str | None = None
    remark: str | None = None


class _Shipment(msgspec.Struct):
    id: str
    status: _Event | None = None
    events: Sequence[_Event] | None = None


class _Push(msgspec.Struct):
    shipments: Sequence[_Shipment]


_push = msgspec.json.Decoder(_Push)


def read(body: bytes) -> Reading:
    """`status` is the latest event, told again or told alone."""
    return reading_of(
        _scan(shipment, event)
        for shipment in decode(_push, body).shipments
        for event in [*(shipment.events or ()), *filter(None, [shipment.status])]
    )


def _scan(shipment: _Shipment, event: _Event) -> CarrierScan:
    where = (event.location and event.location.address) or _Address()
    return CarrierScan(
        carrier="dhl",
        number=shipment.id,
        # Where code and text contradict each other, the code is trusted and the text shown.
        status=event.status_code or "",
        sub=_why(event),
        happened=read_time(event.timestamp),
        location=place(where.address_locality),
        country=where.country_code or "",
        description=sentence(event.status, event.description, event.remark),
    )


def _why(event: _Event) -> str:
    if event.status_code != FAILURE:
        return ""
    text = sentence(event.status, event.description, event.remark)
    return next((code for code, words in _WORDS if words.search(text)), "")


# How a push is signed is not known for certain (carriers.md 6.1), so the address is secret.
PROVIDER: Final = Provider(
    name="dhl_unified",
    title="DHL Shipment Tracking Unified",
    schemes={"url": SecretUrl()},
    read=read,
)
