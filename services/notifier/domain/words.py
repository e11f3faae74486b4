"""Codes in plain words (domain.md 2.4), by language; what a language lacks is said in English."""

from collections.abc import Mapping, Sequence
from typing import Final

from libs.common.plans.codes import Supplier, supplier
from services.notifier.domain.chinese import CHINESE
from services.notifier.domain.english import ENGLISH
from services.notifier.domain.malay import MALAY

FALLBACK: Final = "en"
# Kind of code -> code -> words. Sentences name what they are about as `{detail}`.
Words = Mapping[str, Mapping[str, str]]
LANGUAGES: Final[Mapping[str, Words]] = {FALLBACK: ENGLISH, "zh-Hans": CHINESE, "ms": MALAY}

# Chinese that is not written in simplified characters.
_TRADITIONAL: Final = frozenset({"hant", "tw", "hk", "mo"})
# What the part behind a reason's colon is, such as `riot` in EXCLUDED_CAUSE:riot.
_DETAILS: Final = {"EXCLUDED_CAUSE": "cause", "VIDEO_ELEMENT_MISSING": "element"}


def language_of(locale: str) -> str:
    """The one of LANGUAGES that a reader of this locale (BCP 47) is written to in."""
    primary, *rest = locale.replace("_", "-").lower().split("-")
    if primary == "zh":
        return FALLBACK if _TRADITIONAL & set(rest) else "zh-Hans"
    return primary if primary in LANGUAGES else FALLBACK


def word(kind: str, code: str, language: str) -> str:
    """The words for a code; a code nobody has words for is shown readably as it is."""
    return _find(kind, code, language) or code.replace("_", " ").lower()


def reason(code: str, language: str) -> str:
    """A sentence for a reason, cap or note, such as EVIDENCE_NOT_PROVIDED:unboxing_video."""
    name, _, detail = code.partition(":")
    sentence = _find("reason", name, language)
    if sentence is None:
        return _sentence("OTHER", language).format(detail=code)
    if name == "EVIDENCE_NOT_PROVIDED":
        return sentence.format(detail=evidence(detail, language))
    return sentence.format(detail=word(_DETAILS.get(name, ""), detail, language))


def evidence(label: str, language: str) -> str:
    """`police_report|outer_packaging_photos+weight_photo` as a phrase."""
    both, either = word("join", "and", language), word("join", "or", language)
    alternatives = [
        both.join(word("evidence", kind, language) for kind in alternative.split("+"))
        for alternative in label.split("|")
    ]
    return either.join(alternatives)


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
    return _find("reason", code, language) or ENGLISH["reason"][code]


def _find(kind: str, code: str, language: str) -> str | None:
    for one in (language, FALLBACK):
        words = LANGUAGES[one].get(kind, {}).get(code)
        if words is not None:
            return words
    return None
