"""A scan in our words: what it means, whose it is, and the key by which a repeat is known."""

import csv
import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import msgspec

from libs.common.carriers import carrier_key
from services.policy.tracking.adapter import CarrierScan, Provider
from services.policy.tracking.meaning import Code, Meaning, StatusMap
from services.policy.tracking.reading import UNSHOWN, plain_number

CARRIERS: Final = Path(__file__).parent / "carriers.csv"
WITHDRAWN: Final = ("unknown", "carrier_error")
MAX_TEXT: Final = 500
KEY_DIGITS: Final = 32
MAX_NUMBER: Final = 64
MAX_CODE: Final = 128
MAX_RAW_TIME: Final = 64


class NeutralScan(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is the provider's, `status/sub`; `key` the same whenever the same thing is told again.

    `occurred_at` None: the provider said no time. `unknown` are its codes that no map has.
    """

    key: str
    carrier: str
    number: str
    status: str
    reason: str
    code: str
    occurred_at: datetime | None
    time_raw: str
    is_zoned: bool
    is_trusted: bool
    is_withdrawn: bool
    location: str
    description: str
    unknown: tuple[Code, ...] = ()


def neutral(scan: CarrierScan, provider: Provider, known: StatusMap) -> NeutralScan:
    meaning = known.meaning(provider.name, scan.status, scan.sub)
    status, reason = WITHDRAWN if scan.is_withdrawn else (meaning.status, meaning.reason)
    return NeutralScan(
        key=key_of(scan, provider.name),
        carrier=carrier_of(provider.name, scan.carrier),
        number=number_of(scan),
        status=status,
        reason=reason,
        code=_text("/".join(code for code in (scan.status, scan.sub) if code))[:MAX_CODE],
        occurred_at=scan.happened.at,
        time_raw=_text(scan.happened.raw)[:MAX_RAW_TIME],
        is_zoned=scan.happened.is_zoned,
        is_trusted=provider.is_trusted,
        is_withdrawn=scan.is_withdrawn,
        location=_text(scan.location, _besides(scan.location, scan.country)),
        description=_text(scan.description),
        unknown=unknown_in(meaning),
    )


def unknown_in(meaning: Meaning) -> tuple[Code, ...]:
    """The codes that no map has, as they are listed."""
    return tuple(Code(code.kind, _text(code.code)[:MAX_CODE]) for code in meaning.unknown)


def number_of(scan: CarrierScan) -> str:
    """The parcel's number as numbers are compared."""
    return plain_number(scan.number)[:MAX_NUMBER]


def key_of(scan: CarrierScan, provider: str) -> str:
    """By what a scan is known when it is told again, by whichever notice."""
    told = "\x1f".join((carrier_of(provider, scan.carrier), *scan.identity))
    return hashlib.sha256(told.encode()).hexdigest()[:KEY_DIGITS]


@lru_cache(maxsize=4096)
def carrier_of(provider: str, name: str) -> str:
    """The carrier's name in letters and digits alone, as all of its names are compared.

    Empty where a provider has numbers for carriers and we do not know this one.
    """
    known = _carriers().get((provider, name.strip()))
    if known is not None:
        return known
    key = carrier_key(name)
    return "" if key.isdigit() else key


def _besides(location: str, country: str) -> str:
    """The country, where the place does not end in it already."""
    return "" if country in location.split(", ") else country


# Carriers say few different things, over and over.
@lru_cache(maxsize=8192)
def _text(*parts: str) -> str:
    """One line that a text column takes, and that shows what it is."""
    joined = ", ".join(part for part in parts if part)
    return " ".join(UNSHOWN.sub(" ", joined).split())[:MAX_TEXT]


@cache
def _carriers() -> Mapping[tuple[str, str], str]:
    with CARRIERS.open(encoding="utf-8", newline="") as opened:
        return {
            (row["provider"], row["name"]): row["carrier"] for row in csv.DictReader(opened)
        }
