"""Bodies as each provider posts them, and the history that each of them tells.

`fixtures/<provider>.json` or `.xml` and `<provider>.history.json`; a second body of one provider has a
word of its own before the ending (`epcis.v1.xml`).
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from services.policy.tracking import PROVIDERS, NeutralScan, StatusMap, neutral

FOLDER: Final = Path(__file__).parent / "fixtures"
BODIES: Final = sorted(
    file for file in FOLDER.iterdir() if not file.name.endswith(".history.json")
)
KNOWN: Final = StatusMap.load()

Json = dict[str, Any]


def provider_of(file: Path) -> str:
    return file.name.partition(".")[0]


def body_of(provider: str) -> bytes:
    """The provider's first body."""
    return next(file for file in BODIES if provider_of(file) == provider).read_bytes()


def history_of(provider: str, body: bytes, known: StatusMap = KNOWN) -> list[NeutralScan]:
    """The body in our words."""
    one = PROVIDERS[provider]
    return [neutral(scan, one, known) for scan in one.read(body).scans]


def shown(scan: NeutralScan) -> Json:
    """As histories are written: what is usual is left out."""
    told: Json = {
        "carrier": scan.carrier,
        "number": scan.number,
        "status": scan.status,
        "reason": scan.reason,
        "occurred_at": instant(scan.occurred_at),
        "is_zoned": scan.is_zoned,
        "code": scan.code,
        "location": scan.location,
        "description": scan.description,
    }
    if scan.is_withdrawn:
        told["is_withdrawn"] = True
    if scan.unknown:
        told["unknown"] = [f"{code.kind} {code.code}" for code in scan.unknown]
    return told


def instant(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None


def written_history(body: Path) -> list[Json]:
    history: list[Json] = msgspec.json.decode(
        body.with_name(f"{body.stem}.history.json").read_bytes()
    )
    return history
