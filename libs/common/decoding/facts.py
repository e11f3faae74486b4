"""What is found out about a file by reading it, and what that may cost."""

from dataclasses import dataclass
from typing import Final

# A request to the helper is a media type, filled up to this.
MEDIA_TYPE_BYTES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the process that reads one file may use."""

    memory_bytes: int = 1_536 * 1024 * 1024
    cpu_seconds: int = 20
    wall_seconds: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """None where its kind has no such thing."""

    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    pages: int | None = None
