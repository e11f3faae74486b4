"""What a caller would rather have, by its Accept headers (RFC 9110, 12.4 and 12.5)."""

import re
from typing import Final

# Longer lists than any browser sends are not read to their end.
MAX_ENTRIES: Final = 32

_WEIGHT: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


def weights(header: str) -> dict[str, int]:
    """What is named, in lower case, with its weight in thousandths; best first, refusals (0) last.

    An entry that is no entry is passed over; of one that is named twice the first counts.
    """
    found: dict[str, int] = {}
    for entry in header.lower().split(",", MAX_ENTRIES)[:MAX_ENTRIES]:
        name, *parameters = (part.strip() for part in entry.split(";"))
        weight = next((part for part in parameters if part.startswith("q=")), "q=1")
        match = _WEIGHT.fullmatch(weight)
        if name and match:
            found.setdefault(name, _thousandths(match[1]))
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def prefers(header: str, wanted: str, instead_of: str) -> bool:
    """Whether the media type `wanted` is liked better; alike or unsaid, `instead_of` is sent."""
    found = weights(header)
    return _weight_of(wanted, found) > _weight_of(instead_of, found)


def languages(header: str) -> list[str]:
    """The language ranges that are welcome, best first; `*` for any."""
    return [name for name, weight in weights(header).items() if weight]


def _weight_of(media_type: str, found: dict[str, int]) -> int:
    """By the most specific range that is named; 0 where none fits."""
    family = media_type.partition("/")[0]
    ranges = (media_type, f"{family}/*", "*/*")
    return next((found[one] for one in ranges if one in found), 0)


def _thousandths(weight: str) -> int:
    whole, _, part = weight.partition(".")
    return int(whole) * 1000 + int(part.ljust(3, "0"))
