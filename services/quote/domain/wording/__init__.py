"""What a plan covers and what not, in words a customer understands, and nothing but what it says.

Everything is read off the compiled plan, so that a new plan needs no new words and a changed
number changes the text, and with the text the id that a consent names.
"""

import hashlib
from dataclasses import dataclass

from libs.common.plans.values import Plan
from libs.common.words import language_of
from services.quote.domain.wording import claims, perils, sections
from services.quote.domain.wording.chapter import Chapter, Section
from services.quote.domain.wording.speech import LANGUAGES, Speaker
from services.quote.domain.wording.terms import Reader

_HASH_CHARACTERS = 12

__all__ = ["LANGUAGES", "Section", "Wording", "wording"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A plan version in words. `locale` is the language it is written in, one of LANGUAGES."""

    plan: str
    version: int
    locale: str
    title: str
    sections: tuple[Section, ...]

    @property
    def text(self) -> str:
        """All of it, a sentence a line."""
        parts = ["\n".join((one.heading, *one.sentences)) for one in self.sections]
        return "\n\n".join((self.title, *parts)) + "\n"

    @property
    def wording_id(self) -> str:
        """`cssecure.v2.en.0123456789ab`: another text has another id."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()[:_HASH_CHARACTERS]
        return f"{self.plan}.v{self.version}.{self.locale}.{digest}"


def wording(plan: Plan, locale: str) -> Wording:
    """The plan in the language that a reader of this locale (BCP 47) is written to in."""
    speaker = Speaker(language_of(locale))
    chapter = Chapter(plan, speaker, Reader(plan))
    paid = [perils.of_peril(chapter, peril) for peril in plan.perils.values() if peril.enabled]
    told = (
        sections.goods(chapter),
        sections.value(chapter),
        sections.price(chapter),
        sections.cover(chapter),
        sections.perils(chapter),
        *paid,
        perils.standard_times(chapter),
        sections.never(chapter),
        sections.refunds(chapter),
        sections.void(chapter),
        claims.claims(chapter),
        sections.version(chapter),
    )
    return Wording(
        plan=plan.plan,
        version=plan.version,
        locale=speaker.language,
        title=speaker.word("heading", "title"),
        sections=tuple(section for section in told if section is not None),
    )
