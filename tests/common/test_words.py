"""The words that all services share: complete in each language, and for the reader's language."""

import pytest

from libs.common import words
from libs.common.plans import codes

# Those of the video elements and of who hears appeals are free texts of a plan; words are here for
# the ones in use.
KINDS = {
    "join": frozenset({"and", "or"}),
    "peril": codes.PERILS,
    "cause": codes.CAUSES,
    "evidence": codes.EVIDENCE,
    "item_class": codes.ITEM_CLASSES,
    "mode": frozenset({"air", "sea", "rail", "road"}),
    "body": frozenset(words.LANGUAGES["en"]["body"]),
    "element": frozenset(words.LANGUAGES["en"]["element"]),
    "country": frozenset(words.LANGUAGES["en"]["country"]),
}


@pytest.mark.parametrize("language", sorted(words.LANGUAGES))
def test_every_language_has_words_for_every_code(language: str) -> None:
    assert {kind: frozenset(said) for kind, said in words.LANGUAGES[language].items()} == KINDS


@pytest.mark.parametrize(
    ("locale", "language"),
    [("en-GB", "en"), ("zh", "zh-Hans"), ("zh_CN", "zh-Hans"), ("ms-MY", "ms")],
)
def test_a_locale_asks_for_a_language_that_is_spoken(locale: str, language: str) -> None:
    assert words.spoken(locale) == words.language_of(locale) == language


@pytest.mark.parametrize("locale", ["de", "zh-Hant", "zh-TW", "", "*"])
def test_any_other_locale_asks_for_none_and_is_answered_in_english(locale: str) -> None:
    assert words.spoken(locale) is None
    assert words.language_of(locale) == "en"


def test_a_service_puts_its_own_words_beside_the_shared_ones() -> None:
    own = words.with_own(
        {language: {"greeting": {"hi": language}} for language in words.LANGUAGES}
    )

    assert words.word("greeting", "hi", "ms", own) == "ms"
    assert words.word("peril", "DELAY", "ms", own) == "kelewatan"


def test_what_a_language_lacks_is_said_in_english_and_an_unknown_code_readably() -> None:
    own = words.with_own({"en": {"greeting": {"hi": "hello"}}, "zh-Hans": {}, "ms": {}})

    assert words.word("greeting", "hi", "ms", own) == "hello"
    assert words.word("peril", "SPACE_DEBRIS", "zh-Hans") == "space debris"
