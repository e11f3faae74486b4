"""Codes in plain words (domain.md 2.4), by language; what a language lacks is said in English.

What all services say alike stands here; a service puts its own words beside it by `with_own`.
"""

from collections.abc import Mapping
from typing import Final

from libs.common.words import countries
from libs.common.words.chinese import CHINESE
from libs.common.words.english import ENGLISH
from libs.common.words.malay import MALAY

FALLBACK: Final = "en"
# Kind of code -> code -> words.
Words = Mapping[str, Mapping[str, str]]
LANGUAGES: Final[Mapping[str, Words]] = {
    FALLBACK: {**ENGLISH, "country": countries.ENGLISH},
    "zh-Hans": {**CHINESE, "country": countries.CHINESE},
    "ms": {**MALAY, "country": countries.MALAY},
}

# Chinese that is not written in simplified characters.
_TRADITIONAL: Final = frozenset({"hant", "tw", "hk", "mo"})


def language_of(locale: str) -> str:
    """The one of LANGUAGES that a reader of this locale (BCP 47) is written to in."""
    return spoken(locale) or FALLBACK


def spoken(locale: str) -> str | None:
    """The one of LANGUAGES that this locale asks for; None where none of them is its own."""
    primary, *rest = locale.replace("_", "-").lower().split("-")
    if primary == "zh":
        return None if _TRADITIONAL & set(rest) else "zh-Hans"
    return primary if primary in LANGUAGES else None


def with_own(own: Mapping[str, Words]) -> Mapping[str, Words]:
    """The shared words of each language and those of its own that a service has."""
    return {language: {**shared, **own[language]} for language, shared in LANGUAGES.items()}


def find(
    kind: str, code: str, language: str, words: Mapping[str, Words] = LANGUAGES
) -> str | None:
    """The words for a code in that language or else in English; None where neither has any."""
    for one in (language, FALLBACK):
        found = words[one].get(kind, {}).get(code)
        if found is not None:
            return found
    return None


def word(kind: str, code: str, language: str, words: Mapping[str, Words] = LANGUAGES) -> str:
    """The words for a code; a code nobody has words for is shown readably as it is."""
    return find(kind, code, language, words) or code.replace("_", " ").lower()


def evidence(label: str, language: str) -> str:
    """`police_report|outer_packaging_photos+weight_photo` as a phrase."""
    both, either = word("join", "and", language), word("join", "or", language)
    alternatives = [
        both.join(word("evidence", kind, language) for kind in alternative.split("+"))
        for alternative in label.split("|")
    ]
    return either.join(alternatives)
