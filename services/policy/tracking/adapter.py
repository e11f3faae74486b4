"""A provider's face: how it proves what it posts, and what it means by it.

Every carrier and aggregator is one file of `providers`, which ends in a `Provider`. Reading is pure:
a body in, what happened out, in the provider's own codes; the status map gives them our words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

import msgspec

from libs.common.signatures import Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request as it came.

    `path` as sent, without its query; `query` decoded, all values of each name. Headers by their
    names in lower case.
    """

    body: bytes
    headers: Headers
    path: str = ""
    query: Headers = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a sender adds to its request, and the body it sends: some sign inside of it."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Scheme(Protocol):
    """How a provider's requests are proven. Several secrets are good while one replaces another."""

    def verify(self, secrets: Sequence[str], message: Message, *, now: datetime) -> None:
        """BadSignature unless one of the secrets proves it; over the raw bytes, closed by default."""

    def sign(self, secret: str, body: bytes, *, path: str, now: datetime) -> Signed:
        """The same from the other side, for whoever plays the provider."""

    def url_token(self, secret: str) -> str | None:
        """The part of the address that nobody else knows; None where a signature does its work."""


# What is made for every scan that is told is a struct: made in C, in a tenth of the time.
class ScanTime(msgspec.Struct, frozen=True):
    """When something happened, as far as it was said.

    `at` is our best reading in UTC, None where the text says nothing; `is_zoned` says whether the
    text named its offset. A local time without one is read as if it were UTC.
    """

    raw: str
    at: datetime | None
    is_zoned: bool


class CarrierScan(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a parcel, in the provider's codes.

    `status` is its top-level code and `sub` its finer one, empty where there is none. `carrier` and
    `number` are as the provider writes them.
    """

    carrier: str
    number: str
    status: str
    happened: ScanTime
    sub: str = ""
    # The provider's own id of the scan, and of whoever bears a number that is used again (FedEx).
    scan_id: str = ""
    bearer_id: str = ""
    location: str = ""
    country: str = ""
    description: str = ""
    # The provider takes it back: it has not happened (EPCIS errorDeclaration).
    is_withdrawn: bool = False

    @property
    def identity(self) -> tuple[str, ...]:
        """By what a carrier's scan is known when it is told again (carriers.md 1.3).

        With the provider's own id: one that it gives twice does not hide a scan.
        """
        return (
            self.number.strip(),
            self.bearer_id,
            self.scan_id,
            self.happened.raw,
            self.status,
            self.sub,
            self.location,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A body's meaning. `message_id` and `kind` are the provider's id and name of it, if any.

    `message_id` is the same over all tries to deliver a body, and no other body's; empty where the
    provider has no such id. A body may say nothing of a parcel's way (a label bought, a tracker
    stopped): no scans then.
    """

    scans: tuple[CarrierScan, ...] = ()
    message_id: str = ""
    kind: str = ""


class Unreadable(Exception):
    """The body is not of the provider's shape; the message says where. It is kept all the same."""


def hex_secret(random: bytes) -> str:
    return random.hex()


def accept_secret(secret: str) -> None:
    """Whatever the provider shows in its own pages."""


# A body in, its meaning out; Unreadable where it has none.
Read = Callable[[bytes], Reading]

JSON: Final = "json"
XML: Final = "xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A carrier or aggregator that posts to us.

    `schemes` are the ways it may prove itself, by name, the usual one first. `status` is what it
    wants to be answered. `is_trusted`: its proof covers the body, so that money may follow from it.
    """

    name: str
    title: str
    schemes: Mapping[str, Scheme]
    read: Read
    forms: frozenset[str] = frozenset({JSON})
    status: int = 200
    is_trusted: bool = True
    # A secret of ours, for whoever lets us choose it; and BadSecret where it cannot sign with one.
    secret_of: Callable[[bytes], str] = hex_secret
    check_secret: Callable[[str], None] = accept_secret
