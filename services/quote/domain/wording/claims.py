"""What a wording says of a claim's way: how long it takes, what may come back, how to appeal."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from libs.common.plans.clocks import Duration, Unit
from libs.common.plans.values import AdvanceTerms, AppealTier, Plan, Priority, SlaCategory
from services.quote.domain.wording.chapter import Chapter, Section
from services.quote.domain.wording.terms import YES, either

_WHOLE = Decimal(1)


def claims(chapter: Chapter) -> Section:
    plan, speaker = chapter.plan, chapter.speaker
    sentences = [*_decided(chapter)]
    if plan.info is not None:
        sentences.append(chapter.say("info", length=speaker.duration(plan.info)))
    if plan.carrier_reply is not None:
        length = speaker.duration(plan.carrier_reply)
        sentences.append(chapter.say("carrier_reply", length=length))
    if plan.sla is not None and plan.sla.pay is not None:
        sentences.append(chapter.say("pay_within", length=speaker.duration(plan.sla.pay)))
    if plan.advance is not None:
        sentences += _advance(chapter, plan.advance)
    found = _WHOLE if plan.found_after_payout is None else plan.found_after_payout.repay
    code = "found_all" if found == _WHOLE else "found"
    sentences.append(chapter.say(code, share=speaker.percent(found)))
    sentences += _appeals(chapter, plan.appeal)
    sentences += _counting(chapter)
    return chapter.section("claims", sentences)


def _decided(chapter: Chapter) -> Iterator[str]:
    sla, priority = chapter.plan.sla, chapter.plan.priority
    for place, category in enumerate(() if sla is None else sla.categories):
        always = chapter.reader.read(category.when) == YES
        yield from _category(chapter, category, is_first=place == 0, always=always)
        if always:
            break
    if sla is not None and priority is not None:
        yield _priority(chapter, priority, sla.categories[0].due.unit)


def _category(
    chapter: Chapter, category: SlaCategory, *, is_first: bool, always: bool
) -> Iterator[str]:
    speaker = chapter.speaker
    code = "until_paid" if category.until == "payout_confirmed" else "decide"
    length, since = speaker.duration(category.due), chapter.time(category.since)
    promise = speaker.say(code, length=length, since=since)
    if always:
        yield chapter.say("sla" if is_first else "sla_else", promise=promise)
    else:
        condition = chapter.condition(category.when)
        form = "sla_first" if is_first else "sla_next"
        yield chapter.say(form, condition=condition, promise=promise)
    if category.target is not None:
        yield chapter.say("target", length=speaker.duration(category.target))


def _priority(chapter: Chapter, terms: Priority, unit: Unit) -> str:
    condition = either(chapter.reader.read(when) for when in terms.any_of)
    return chapter.say(
        "priority",
        condition=chapter.phrases.condition(condition),
        share=chapter.speaker.percent(terms.factor),
        least=chapter.speaker.duration(Duration(unit=unit, count=terms.minimum)),
    )


def _advance(chapter: Chapter, terms: AdvanceTerms) -> Iterator[str]:
    yield chapter.say(
        "advance",
        condition=chapter.condition(terms.when),
        share=chapter.speaker.percent(terms.fraction),
        length=chapter.speaker.duration(terms.due),
    )
    yield chapter.say(f"advance_{terms.shortfall}")
    if terms.clawback == "fraud_only":
        yield chapter.say("advance_fraud")


def _appeals(chapter: Chapter, tiers: tuple[AppealTier, ...]) -> Iterator[str]:
    speaker = chapter.speaker
    for tier in tiers:
        yield chapter.say(
            "appeal" if tier.tier == 1 else "appeal_next",
            length=speaker.duration(tier.file),
            body=speaker.word("body", tier.body),
            decide=speaker.duration(tier.decide),
        )
    if tiers:
        yield chapter.say("appeal_final")
    else:
        yield chapter.say("no_appeal")


def _counting(chapter: Chapter) -> Iterator[str]:
    plan, speaker = chapter.plan, chapter.speaker
    week = sorted(plan.calendar.week)
    named = [speaker.word("weekday", str(day)) for day in week]
    is_span = len(week) > 2 and week[-1] - week[0] == len(week) - 1
    days = speaker.say("range", first=named[0], last=named[-1]) if is_span else ""
    days = days or speaker.listed(named)
    yield chapter.say("days", zone=_zone(plan), days=days)
    if plan.calendar.holidays(plan.valid_from.year):
        yield chapter.say("holidays")


def _zone(plan: Plan) -> str:
    """UTC+8; where clocks are changed in summer, both."""
    year = plan.valid_from.year
    offsets = [plan.zone.utcoffset(datetime(year, month, 1, tzinfo=UTC)) for month in (1, 7)]
    return "/".join(dict.fromkeys(_offset(offset or timedelta()) for offset in offsets))


def _offset(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    sign = "+" if minutes > 0 else "-"
    return f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")
