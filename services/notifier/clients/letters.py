"""Letters in words: a notice's facts put into its template, in the language of its reader.

The words are written once, as text; the HTML alternative is the same text laid out.
"""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import SandboxedEnvironment

from libs.common.money import format_money
from libs.common.plans.clocks import last_in_time
from services.notifier.domain import words
from services.notifier.domain.notices import Notice

TEMPLATES: Final = Path(__file__).parents[1] / "templates"

_BULLET: Final = "- "


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A letter in words. `subject` is one line; `language` is one of words.LANGUAGES."""

    subject: str
    text: str
    html: str
    language: str


def write(notice: Notice, *, locale: str, order_ref: str, zone: ZoneInfo) -> Written:
    """The notice as its recipient reads it, times in `zone`.

    A template that names what the letter lacks raises UndefinedError rather than leave a hole.
    """
    language = words.language_of(locale)
    template = _plain.get_template(f"{notice.letter.template}.{language}.jinja")
    subject, *paragraphs = _paragraphs(
        template.render(
            letter=notice.letter,
            policy_id=notice.policy_id,
            claim_id=notice.claim_id,
            tenant_id=notice.tenant_id,
            order_ref=order_ref,
            language=language,
            zone=zone,
        )
    )
    return Written(
        subject=" ".join(subject),
        text="\n\n".join("\n".join(lines) for lines in paragraphs) + "\n",
        html=_html.get_template("layout.html.jinja").render(
            language=language,
            subject=" ".join(subject),
            blocks=[_block(paragraph) for paragraph in paragraphs],
        ),
        language=language,
    )


def _paragraphs(text: str) -> list[list[str]]:
    """The groups of lines between blank ones; the first is the subject."""
    lines = [line.strip() for line in text.splitlines()]
    return [list(group) for has_text, group in groupby(lines, key=bool) if has_text]


def _block(lines: list[str]) -> dict[str, list[str]]:
    """A paragraph's lines, and the list that follows them."""
    return {
        "lines": [line for line in lines if not line.startswith(_BULLET)],
        "points": [line.removeprefix(_BULLET) for line in lines if line.startswith(_BULLET)],
    }


def _one_line(value: object) -> object:
    """What is put into a template stays on its line and prints: a shop's order number must not
    become a header or a paragraph of ours."""
    if isinstance(value, Undefined):
        return value
    text = "".join(c if c.isprintable() else " " for c in str(value))
    return " ".join(text.split())


@pass_context
def _words(context: Context, code: str, kind: str) -> str:
    return words.word(kind, code, context["language"])


@pass_context
def _reason(context: Context, code: str) -> str:
    return words.reason(code, context["language"])


@pass_context
def _evidence(context: Context, label: str) -> str:
    return words.evidence(label, context["language"])


@pass_context
def _instant(context: Context, at: datetime) -> str:
    """`2026-03-02 18:00 (Asia/Kuala Lumpur, UTC+08:00)`: the plan's clock, and unmistakable."""
    local = at.astimezone(context["zone"])
    return f"{local:%Y-%m-%d %H:%M} ({_zone_name(local, context['zone'])})"


@pass_context
def _last_instant(context: Context, first_late: datetime) -> str:
    """When it still is in time: the minute of the exact hour, 23:59 of a last day."""
    return _instant(context, last_in_time(first_late))


@pass_context
def _last_day(context: Context, first_late: datetime) -> str:
    """`2026-03-11 (Asia/Kuala Lumpur, UTC+08:00)`: the local day that is in time to its end."""
    local = last_in_time(first_late).astimezone(context["zone"])
    return f"{local:%Y-%m-%d} ({_zone_name(local, context['zone'])})"


def _zone_name(local: datetime, zone: ZoneInfo) -> str:
    offset = local.strftime("%z")
    return f"{zone.key.replace('_', ' ')}, UTC{offset[:3]}:{offset[3:5]}"


def _day(day: date) -> str:
    return day.isoformat()


def _environment(**options: Any) -> SandboxedEnvironment:
    return SandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )


_plain: Final = _environment(autoescape=False, finalize=_one_line)
_plain.filters.update(
    {
        "money": format_money,
        "instant": _instant,
        "last_instant": _last_instant,
        "last_day": _last_day,
        "day": _day,
        "words": _words,
        "reason": _reason,
        "evidence": _evidence,
        "from_claimant": words.from_claimant,
        "from_others": words.from_others,
    }
)
_html: Final = _environment(autoescape=True)
