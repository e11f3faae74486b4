"""The sections that are about the insurance as a whole, before anything has happened."""

from collections.abc import Iterator

from libs.common.plans.codes import FORCE_MAJEURE, Verdict
from libs.common.plans.values import Deposit, LimitRow, RefundRow, Verification
from services.quote.domain.wording.chapter import Chapter, Section
from services.quote.domain.wording.phrases import is_plain
from services.quote.domain.wording.speech import LANGUAGES
from services.quote.domain.wording.terms import YES

# In the order in which every wording names them.
_PERILS = tuple(LANGUAGES["en"]["peril"])
_ITEM_CLASSES = tuple(LANGUAGES["en"]["item_class"])
_CAUSES = tuple(LANGUAGES["en"]["cause"])


def goods(chapter: Chapter) -> Section:
    terms, speaker = chapter.plan.goods, chapter.speaker

    def named(classes: frozenset[str]) -> str:
        return speaker.listed(
            speaker.word("item_class", one) for one in _ITEM_CLASSES if one in classes
        )

    sentences = []
    if terms.accept:
        sentences.append(chapter.say("accept", goods=named(terms.accept)))
    if terms.decline:
        sentences.append(chapter.say("decline", goods=named(terms.decline)))
    insures_all = not terms.accept | terms.decline and terms.otherwise is Verdict.ACCEPT
    sentences.append(
        chapter.say("all_goods" if insures_all else f"otherwise_{terms.otherwise}")
    )
    if not insures_all:
        sentences.append(chapter.say("only_insured"))
    return chapter.section("goods", sentences)


def value(chapter: Chapter) -> Section:
    plan, base = chapter.plan, chapter.plan.premium.base
    if "insured_value" in base.names:
        sentences = [chapter.say("chosen")]
    else:
        sentences = [chapter.tell("derived", chapter.reader.read(base))]
    sentences += _limits(chapter)
    over = plan.over_value
    if over is not None and over.warn is not None:
        sentences.append(chapter.say("warned", amount=chapter.amount(over.warn)))
    if over is not None and over.reject is not None:
        sentences.append(chapter.say("refused", amount=chapter.amount(over.reject)))
    return chapter.section("value", sentences)


def _limits(chapter: Chapter) -> Iterator[str]:
    """The first row that fits decides; what stands after one that always fits is never read."""
    for place, row in enumerate(chapter.plan.limits):
        always = chapter.reader.read(row.when) == YES
        yield _limit(chapter, row, is_first=place == 0, always=always)
        if always:
            return


def _limit(chapter: Chapter, row: LimitRow, *, is_first: bool, always: bool) -> str:
    amount = chapter.amount(row.maximum)
    if always:
        said = chapter.say("limit" if is_first else "limit_else", amount=amount)
    else:
        code = "limit_first" if is_first else "limit_next"
        said = chapter.say(code, condition=chapter.condition(row.when), amount=amount)
    if row.goods_maximum is not None:
        limit = chapter.amount(row.goods_maximum)
        said += chapter.speaker.say("limit_goods", goods=limit)
    return chapter.say("ended", sentence=said)


def price(chapter: Chapter) -> Section:
    plan, speaker, terms = chapter.plan, chapter.speaker, chapter.plan.premium
    base = chapter.reader.read(terms.base)
    code = "premium" if is_plain(base) else "premium_formula"
    sentences = [
        chapter.say(code, rate=speaker.percent(terms.rate), base=chapter.phrases.amount(base))
    ]
    if terms.minimum > 0:
        sentences.append(
            chapter.say("minimum", amount=speaker.money(terms.minimum, plan.currency))
        )
    for paper in plan.documents:
        sentences.append(chapter.say("paper", paper=speaker.word("evidence", paper.kind)))
        if paper.must_show:
            fields = speaker.listed(speaker.word("shown", field) for field in paper.must_show)
            sentences.append(chapter.say("paper_shows", fields=fields))
    if plan.verification is not None:
        sentences += _verification(chapter, plan.verification)
    if terms.blocks_autopay_before_confirmed:
        sentences.append(chapter.say("autopay"))
    if terms.deposit is not None:
        sentences += _deposit(chapter, terms.deposit)
    if plan.quote_validity is not None:
        length = speaker.duration(plan.quote_validity)
        sentences.append(chapter.say("quote_validity", length=length))
    return chapter.section("price", sentences)


def _verification(chapter: Chapter, terms: Verification) -> Iterator[str]:
    speaker = chapter.speaker
    if terms.target is None:
        yield chapter.say("checked_sometime")
    else:
        yield chapter.say("checked", length=speaker.duration(terms.target))
    if terms.insufficient:
        ask = speaker.find("ask", terms.insufficient) or speaker.word("ask", "")
        yield chapter.say("insufficient", ask=ask)
    if terms.lapse is not None:
        yield chapter.say("lapse", length=speaker.duration(terms.lapse))


def _deposit(chapter: Chapter, terms: Deposit) -> Iterator[str]:
    speaker = chapter.speaker
    yield chapter.say("deposit", amount=speaker.money(terms.amount, chapter.plan.currency))
    yield chapter.say(
        "top_up", length=speaker.duration(terms.top_up), since=chapter.time(terms.top_up_from)
    )
    yield chapter.say("top_up_refunded" if terms.refunds_all else "top_up_kept")


def cover(chapter: Chapter) -> Section:
    terms, speaker = chapter.plan.cover, chapter.speaker
    sentences = [speaker.word("start", terms.start)]
    if terms.not_before:
        sentences.append(chapter.say("not_before", time=chapter.time(terms.not_before)))
    if terms.end:
        sentences.append(chapter.say("end", time=chapter.time(terms.end)))
    sentences.append(chapter.say("outside"))
    return chapter.section("cover", sentences)


def perils(chapter: Chapter) -> Section:
    plan, speaker = chapter.plan, chapter.speaker
    paid = [name for name, peril in plan.perils.items() if peril.enabled]
    named = speaker.listed(speaker.word("peril", name) for name in paid)
    return chapter.section(
        "perils", [chapter.say("pays_for", perils=named), chapter.say(plan.claim_rule)]
    )


def never(chapter: Chapter) -> Section:
    plan, speaker = chapter.plan, chapter.speaker
    closed = [
        name for name in _PERILS if name not in plan.perils or not plan.perils[name].enabled
    ]
    sentences = []
    if closed:
        named = speaker.any_of(speaker.word("peril", name) for name in closed)
        sentences.append(chapter.say("never_perils", perils=named))
    # Those that an excluded force majeure includes are told with it.
    included = FORCE_MAJEURE if "force_majeure" in plan.exclusions else frozenset()
    others = plan.excluded_causes - set(plan.exclusions) - included
    causes = (*plan.exclusions, *(cause for cause in _CAUSES if cause in others))
    named = speaker.itemised(speaker.word("cause", cause) for cause in causes)
    sentences.append(chapter.say("never_causes", causes=named))
    if included:
        named = speaker.listed(
            speaker.word("cause", cause) for cause in _CAUSES if cause in included
        )
        sentences.append(chapter.say("force_majeure", causes=named))
    return chapter.section("never", sentences)


def refunds(chapter: Chapter) -> Section:
    plan, speaker = chapter.plan, chapter.speaker
    sentences = [_refund(chapter, row) for row in plan.refunds]
    sentences.append(chapter.say("no_other_refund" if sentences else "no_refund"))
    returned = plan.undeliverable
    if returned is not None:
        sentences.append(
            chapter.say(
                "instruct",
                length=speaker.duration(returned.length),
                since=chapter.time(returned.since),
                then=speaker.word("then", returned.then),
            )
        )
        if returned.costs:
            sentences.append(chapter.say("costs", who=speaker.word("who", returned.costs)))
    return chapter.section("refunds", sentences)


def _refund(chapter: Chapter, row: RefundRow) -> str:
    reason = chapter.speaker.word("refund", row.reason)
    when, amount = chapter.reader.read(row.when), chapter.reader.read(row.amount)
    if when == YES:
        return chapter.tell("refund", amount, reason=reason)
    condition = chapter.phrases.condition(when, is_inner=True)
    return chapter.tell("refund_if", amount, reason=reason, condition=condition)


def void(chapter: Chapter) -> Section | None:
    terms = chapter.plan.cover
    if not terms.void_on:
        return None
    return chapter.section(
        "void",
        [
            chapter.say("void", event=chapter.speaker.word("void", event))
            for event in terms.void_on
        ],
    )


def version(chapter: Chapter) -> Section:
    plan, speaker = chapter.plan, chapter.speaker
    first, number = speaker.day(plan.valid_from), str(plan.version)
    if plan.valid_to is None:
        said = chapter.say("version", version=number, first=first)
    else:
        last = speaker.day(plan.valid_to)
        said = chapter.say("version_until", version=number, first=first, last=last)
    return chapter.section("version", [said])
