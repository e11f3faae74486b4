"""A plan's wordings: put in words once for each language, and kept as long as the process lives."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from libs.common.plans.values import Plan
from libs.common.words import LANGUAGES
from services.quote.domain.wording import Wording, wording

# A process knows a few dozen plan versions; this bounds what is kept, not what is sold.
MAX_PLANS: Final = 1_024


@lru_cache(maxsize=MAX_PLANS * len(LANGUAGES))
def wording_of(plan: Plan, language: str) -> Wording:
    """`language` is one of words.LANGUAGES, so that one text is kept for all its locales."""
    return wording(plan, language)


@lru_cache(maxsize=MAX_PLANS)
def wording_ids(plan: Plan) -> dict[str, str]:
    """By language: what a consent names. It is shown with every offer and never changed."""
    return {language: wording_of(plan, language).wording_id for language in LANGUAGES}


def prepare_wordings(plans: Iterable[Plan]) -> None:
    """Put the plans in words, so that nobody's quote waits for it."""
    for plan in plans:
        wording_ids(plan)
