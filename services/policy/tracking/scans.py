"""A scan in our words: what it means, whose it is, and the key by which a repeat is known."""

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from services.policy.domain.parcels import carrier_key
from services.policy.tracking.adapter import CarrierScan, Provider
from services.policy.tracking.meaning import Code, StatusMap

CARRIERS: Final = Path(__file__).parent / "carriers.csv"
WITHDRAWN: Final = ("unknown", "carrier_error")
MAX_TEXT: Final = 500
MAX_NUMBER: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class NeutralScan:
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
    carrier = carrier_of(provider.name, scan.carrier)
    status, reason = WITHDRAWN if scan.is_withdrawn else (meaning.status, meaning.reason)
    return NeutralScan(
        key=_key(scan, carrier),
        carrier=carrier,
        number=scan.number.strip()[:MAX_NUMBER],
        status=status,
        reason=reason,
        code="/".join(code for code in (scan.status, scan.sub) if code),
        occurred_at=scan.happened.at,
        time_raw=scan.happened.raw,
        is_zoned=scan.happened.is_zoned,
        is_trusted=provider.is_trusted,
        is_withdrawn=scan.is_withdrawn,
        location=_text(scan.location, scan.country),
        description=_text(scan.description),
        unknown=meaning.unknown,
    )


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


def _key(scan: CarrierScan, carrier: str) -> str:
    """carriers.md 1.3, with the provider's own id: one that it gives twice does not hide a scan."""
    told = (
        carrier,
        scan.number.strip(),
        scan.bearer_id,
        scan.scan_id,
        scan.happened.raw,
        scan.status,
        scan.sub,
        scan.location,
    )
    return hashlib.sha256("\x1f".join(told).encode()).hexdigest()


def _text(*parts: str) -> str:
    """One line that a text column takes."""
    joined = ", ".join(part for part in parts if part)
    return " ".join(joined.replace("\x00", " ").split())[:MAX_TEXT]


@cache
def _carriers() -> Mapping[tuple[str, str], str]:
    with CARRIERS.open(encoding="utf-8", newline="") as opened:
        return {
            (row["provider"], row["name"]): row["carrier"] for row in csv.DictReader(opened)
        }
