"""What carriers and aggregators post, in their words, and how that becomes ours.

`adapter` is the face that each of `providers` has, `signing` how they prove themselves, `times` and
`reading` what they share, `meaning` the map from their codes to our statuses, `scans` the neutral scan
with its key.
"""

from services.policy.tracking.adapter import (
    JSON,
    XML,
    CarrierScan,
    Message,
    Provider,
    Reading,
    ScanTime,
    Scheme,
    Signed,
    Unreadable,
)
from services.policy.tracking.meaning import BadStatusMap, Code, Meaning, StatusMap
from services.policy.tracking.providers import PROVIDERS
from services.policy.tracking.scans import (
    NeutralScan,
    carrier_of,
    key_of,
    neutral,
    number_of,
    unknown_in,
)

__all__ = [
    "JSON",
    "PROVIDERS",
    "XML",
    "BadStatusMap",
    "CarrierScan",
    "Code",
    "Meaning",
    "Message",
    "NeutralScan",
    "Provider",
    "Reading",
    "ScanTime",
    "Scheme",
    "Signed",
    "StatusMap",
    "Unreadable",
    "carrier_of",
    "key_of",
    "neutral",
    "number_of",
    "unknown_in",
]
