"""What the sections of a wording are written with: one plan, one language, its phrases."""

from dataclasses import dataclass
from typing import Any

from libs.common.plans.expressions import Expression
from libs.common.plans.values import Plan
from services.quote.domain.wording.phrases import Phrases, is_plain
from services.quote.domain.wording.speech import Speaker
from services.quote.domain.wording.terms import Reader, Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    heading: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """`reader` knows what is settled in this chapter, such as the peril it is about."""

    plan: Plan
    speaker: Speaker
    reader: Reader

    @property
    def phrases(self) -> Phrases:
        return Phrases(self.speaker, self.plan.currency)

    def section(self, heading: str, sentences: list[str], **parts: str) -> Section:
        template = self.speaker.word("heading", heading)
        return Section(heading=template.format(**parts), sentences=tuple(sentences))

    def say(self, code: str, **parts: str) -> str:
        return self.speaker.sentence(code, **parts)

    def condition(self, expression: Expression[bool]) -> str:
        return self.phrases.condition(self.reader.read(expression))

    def amount(self, expression: Expression[Any]) -> str:
        return self.phrases.amount(self.reader.read(expression))

    def tell(self, code: str, term: Term, **parts: str) -> str:
        """The sentence `code` about an amount, or its twin that calls the amount a formula."""
        form = code if is_plain(term) else f"{code}_formula"
        return self.say(form, amount=self.phrases.amount(term), **parts)

    def time(self, fact: str) -> str:
        return self.speaker.word("time", fact)
