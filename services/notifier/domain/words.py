"""Codes in plain words (domain.md 2.4): those all services share, and those of letters only."""

from collections.abc import Mapping, Sequence
from typing import Final

from libs.common import words as shared
from libs.common.plans.codes import Supplier, supplier
from libs.common.words import FALLBACK, Words, evidence, language_of
from services.notifier.domain.chinese import CHINESE
from services.notifier.domain.english import ENGLISH
from services.notifier.domain.malay import MALAY

# Kind of code -> code -> words. Sentences name what they are about as `{detail}`.
LANGUAGES: Final[Mapping[str, Words]] = shared.with_own(
    {FALLBACK: ENGLISH, "zh-Hans": CHINESE, "ms": MALAY}
)

# What the part behind a reason's colon is, such as `riot` in EXCLUDED_CAUSE:riot.
_DETAILS: Final = {"EXCLUDED_CAUSE": "cause", "VIDEO_ELEMENT_MISSING": "element"}

__all__ = [
    "LANGUAGES",
    "evidence",
    "from_claimant",
    "from_others",
    "language_of",
    "reason",
    "word",
]


def word(kind: str, code: str, language: str) -> str:
    """The words for a code; a code nobody has words for is shown readably as it is."""
    return shared.word(kind, code, language, LANGUAGES)


def reason(code: str, language: str) -> str:
    """A sentence for a reason, cap or note, such as EVIDENCE_NOT_PROVIDED:unboxing_video."""
    name, _, detail = code.partition(":")
    sentence = shared.find("reason", name, language, LANGUAGES)
    if sentence is None:
        return _sentence("OTHER", language).format(detail=code)
    if name == "EVIDENCE_NOT_PROVIDED":
        return sentence.format(detail=evidence(detail, language))
    return sentence.format(detail=word(_DETAILS.get(name, ""), detail, language))


def from_claimant(missing: Sequence[str]) -> list[str]:
    """Those gaps that the claimant can close; the others are asked of carrier or platform."""
    return [label for label in missing if _is_claimants(label)]


def from_others(missing: Sequence[str]) -> list[str]:
    return [label for label in missing if not _is_claimants(label)]


def _is_claimants(label: str) -> bool:
    return any(
        all(supplier(kind) is Supplier.CLAIMANT for kind in alternative.split("+"))
        for alternative in label.split("|")
    )


def _sentence(code: str, language: str) -> str:
    return shared.find("reason", code, language, LANGUAGES) or ENGLISH["reason"][code]
