"""A parcel's way in plain words, by language; what a language lacks is said in English."""

from collections.abc import Mapping
from typing import Final

from libs.common import words as shared
from libs.common.words import FALLBACK, Words
from services.policy.domain.words.chinese import CHINESE
from services.policy.domain.words.english import ENGLISH
from services.policy.domain.words.malay import MALAY

# Kind of code -> code -> words. `snapshot` are the headings and sentences of a snapshot's page.
OWN: Final[Mapping[str, Words]] = {FALLBACK: ENGLISH, "zh-Hans": CHINESE, "ms": MALAY}
LANGUAGES: Final[Mapping[str, Words]] = shared.with_own(OWN)


def word(kind: str, code: str, language: str) -> str:
    """The words for a code; a code nobody has words for is shown readably as it is."""
    return shared.word(kind, code, language, LANGUAGES)
