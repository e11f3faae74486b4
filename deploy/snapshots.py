"""A tracking snapshot from a file, checked with public keys alone: is it what the service gave?"""

import asyncio
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from libs.common.auth import Keys
from libs.common.errors import Unavailable
from libs.common.snapshots import NotAsTaken, Snapshot, verified

# Whose key it is signed with.
SERVICE: Final = "policy"


def verify(file: Path, jwks: str, *, console: Console) -> int:
    """Exit code: 0 when no byte was changed, 1 when it is not what was given, 2 when we cannot tell."""
    try:
        snapshot = asyncio.run(verified(file.read_bytes(), Keys(jwks), service=SERVICE))
    except NotAsTaken as wrong:
        console.print(f"{file.name} is not as it was given. {wrong}", markup=False)
        return 1
    except Unavailable:
        console.print(f"No public keys can be read from {jwks}.", markup=False)
        return 2
    for line in _told(snapshot):
        console.print(line, markup=False)
    return 0


def _told(snapshot: Snapshot) -> list[str]:
    content: dict[str, Any] = dict(snapshot.content)
    position = content["position"]
    parcel = f"Parcel {content['tracking_number'] or '(no number)'}"
    if content["carrier"]:
        parcel += f" of {content['carrier']}"
    events = len(content["scans"]) + content["scans_left_out"]
    return [
        f"{content['kind']} of policy {content['policy_id']} ({content['tenant_id']}), as it was "
        f"known at {content['as_of']}.",
        f"{parcel}: {position['status']} ({position['reason']}), last moved "
        f"{position['last_update_at'] or 'never'}; events: {events}, messages behind them: "
        f"{len(content['notices'])}.",
        f"SHA-256 {snapshot.sha256}",
        f"Signed with the key {snapshot.kid}: no byte of it was changed.",
    ]
