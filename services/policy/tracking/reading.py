"""What the adapters share in reading bodies."""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Final, TypeVar
from xml.etree.ElementTree import Element

import msgspec
from defusedxml import ElementTree

from services.policy.tracking.adapter import CarrierScan, Reading, Unreadable

T = TypeVar("T")

MAX_SCANS: Final = 1_000

# What the parser knows by itself; it would ask Python's codecs for any other, some of which run
# more than a table.
_ENCODINGS: Final = frozenset({"utf-8", "utf-16", "iso-8859-1", "us-ascii"})
_DECLARED: Final = re.compile(rb"encoding\s*=\s*[\"']([^\"']*)[\"']")
_DECLARATION_BYTES: Final = 200
_BEFORE_XML: Final = b"\xef\xbb\xbf\xfe\xff\x00 \t\r\n"

# Control characters, line separators, and marks that turn the direction of writing.
UNSHOWN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    """The body as the decoder's shape; Unreadable where it has another."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as wrong:
        raise Unreadable(str(wrong)) from None


def is_xml(body: bytes) -> bool:
    """Whether it begins as XML does, in whichever encoding."""
    return body.lstrip(_BEFORE_XML).startswith(b"<")


def parse(body: bytes) -> Element:
    """The root of an XML body; Unreadable with a DTD, entities, or anything from elsewhere."""
    declared = _DECLARED.search(body, 0, _DECLARATION_BYTES)
    encoding = declared[1].decode(errors="replace") if declared else "utf-8"
    if encoding.lower() not in _ENCODINGS:
        raise Unreadable(f"XML is written in {', '.join(sorted(_ENCODINGS))}.")
    try:
        root: Element = ElementTree.fromstring(body, forbid_dtd=True)
    except (SyntaxError, ValueError, LookupError, RecursionError) as wrong:
        raise Unreadable(str(wrong)) from None
    return root


def local_name(element: Element) -> str:
    """The element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def reading_of(
    scans: Iterable[CarrierScan], *, message_id: str | None = "", kind: str | None = ""
) -> Reading:
    """The body's scans, each once.

    A scan without a number is nobody's: it is left out, so that it takes no other with it. A body of
    such scans alone is Unreadable, so that somebody sees it. So is one of more than MAX_SCANS.
    """
    listed = list(islice(scans, MAX_SCANS + 1))
    if len(listed) > MAX_SCANS:
        raise Unreadable(f"A body has at most {MAX_SCANS} scans.")
    numbered: dict[tuple[str, ...], CarrierScan] = {}
    for scan in listed:
        if plain_number(scan.number):
            # What is taken back is told besides what it takes back.
            told = (scan.carrier, "withdrawn" if scan.is_withdrawn else "", *scan.identity)
            numbered.setdefault(told, scan)
    if listed and not numbered:
        raise Unreadable("No scan has a tracking number.")
    return Reading(scans=tuple(numbered.values()), message_id=message_id or "", kind=kind or "")


def place(*parts: str | None) -> str:
    """Its parts from near to far, those that are told."""
    return ", ".join(part.strip() for part in parts if part and part.strip())


def sentence(*parts: str | None) -> str:
    """What a scan is described by, each part that is told, once."""
    return ": ".join(dict.fromkeys(part.strip() for part in parts if part and part.strip()))


def plain_number(number: str) -> str:
    """A tracking number as it is compared: no blanks around it, nothing in it that is not seen."""
    return number if number.isalnum() else UNSHOWN.sub("", number).strip()
