"""One language, spoken: codes, amounts, lengths of time and lists as they stand in a sentence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from libs.common import words
from libs.common.money import format_money, money
from libs.common.plans.clocks import Duration
from libs.common.plans.values import Clock, Line
from services.quote.domain.wording.chinese import CHINESE
from services.quote.domain.wording.english import ENGLISH
from services.quote.domain.wording.malay import MALAY

# Those all services share, and the wording's own.
LANGUAGES: Final = words.with_own({words.FALLBACK: ENGLISH, "zh-Hans": CHINESE, "ms": MALAY})

# Which kind of word says what a code fact may be.
_VALUES: Final = {
    "destination": "country",
    "line": "shipping_line",
    "line_tags": "shipping_line",
    "causes": "cause",
    "options": "option",
    "evidence_unavailable": "evidence",
    "video_elements": "element",
}


@dataclass(frozen=True, slots=True)
class Speaker:
    language: str

    def say(self, code: str, **parts: str) -> str:
        """That sentence or phrase, with its parts; a sentence begins with a capital."""
        return LANGUAGES[self.language]["say"][code].format(**parts)

    def sentence(self, code: str, **parts: str) -> str:
        return capital(self.say(code, **parts))

    def find(self, kind: str, code: str) -> str | None:
        return words.find(kind, code, self.language, LANGUAGES)

    def word(self, kind: str, code: str) -> str:
        return words.word(kind, code, self.language, LANGUAGES)

    def value(self, fact: str, code: str) -> str:
        """What a code fact may be, such as the country of `destination`."""
        if not code:
            return self.say("not_stated")
        kind = _VALUES.get(fact, fact)
        return self.line(code) if kind == "shipping_line" else self.word(kind, code)

    def line(self, code: str) -> str:
        """A shipping line: a name in capitals that a customer knows from the checkout."""
        return self.find("shipping_line", code.upper()) or code.replace("_", " ").upper()

    def line_with_mode(self, line: Line) -> str:
        if not line.mode:
            return self.line(line.code)
        mode = self.word("mode", line.mode)
        return self.say("line_with_mode", line=self.line(line.code), mode=mode)

    # --- lists

    def listed(self, phrases: Iterable[str]) -> str:
        """a, b and c"""
        return self._joined(phrases, "and")

    def any_of(self, phrases: Iterable[str]) -> str:
        """a, b or c"""
        return self._joined(phrases, "or")

    def itemised(self, phrases: Iterable[str]) -> str:
        """a; b; c: where the phrases have commas of their own."""
        return self.word("list", "item").join(phrases)

    def clauses(self, phrases: Sequence[str], last: str) -> str:
        """Conditions: a, b and c, or with another `last` word (`all`, `any`)."""
        *first, end = phrases
        return self.word("list", last).join([self.word("list", "clause").join(first), end])

    def together(self, phrases: Iterable[str]) -> str:
        """a together with b: one alternative of several."""
        first, *more = phrases
        for phrase in more:
            first = self.say("and_together", first=first, next=phrase)
        return first

    def bracketed(self, phrase: str) -> str:
        return self.say("bracketed", phrase=phrase)

    def _joined(self, phrases: Iterable[str], last: str) -> str:
        *first, end = phrases
        comma = self.word("list", "comma")
        return self.word("list", last).join([comma.join(first), end]) if first else end

    # --- numbers

    def money(self, amount: Decimal, currency: str) -> str:
        """The amount as it is paid; one finer than the smallest coin is shown as it is."""
        shown = money(amount, currency)
        if shown.decimal != amount:
            return f"{_plain(amount)} {currency}"
        return format_money(shown)

    def number(self, number: Decimal) -> str:
        return _plain(number)

    def percent(self, share: Decimal) -> str:
        return f"{_plain(share * 100)}%"

    # --- time

    def duration(self, duration: Duration) -> str:
        unit = duration.unit.value
        form = f"{unit}.1" if duration.count == 1 else unit
        return self.word("unit", form).format(n=str(duration.count))

    def clock(self, clock: Clock) -> str:
        """The length, or each length with what it goes by: 7 days (domestic) or 20 days (…)."""
        if not clock.by:
            return self.duration(clock.duration)
        lengths: dict[int, list[str]] = {}
        for code, count in clock.table.items():
            lengths.setdefault(count, []).append(self.value(clock.by, code))
        return self.any_of(
            self.say(
                "length_of",
                length=self.duration(Duration(unit=clock.duration.unit, count=count)),
                of=self.listed(of),
            )
            for count, of in lengths.items()
        )

    def day(self, day: date) -> str:
        month = self.word("month", str(day.month))
        return self.say("date", day=str(day.day), month=month, year=str(day.year))


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plain(number: Decimal) -> str:
    """As people write it: no exponent, no zeros at the end."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
