"""Plans in plain words: nothing of a plan is left out, nothing but the plan is said."""

import re
from collections.abc import Iterator
from decimal import Decimal
from string import Formatter

import pytest

from libs.common.plans import codes
from libs.common.plans.clocks import Duration, Unit
from libs.common.plans.compiling import compile_plan
from libs.common.plans.documents import read_document
from libs.common.plans.expressions import Param
from libs.common.plans.facts import START_RULES
from libs.common.plans.reading import load
from libs.common.plans.registry import EXPRESSION_FACTS, FLAG_FACTS, TIME_FACTS
from libs.common.plans.values import Clock, Peril, Plan
from libs.common.settings import PROGRAMMES
from services.quote.domain.wording import LANGUAGES, Wording, wording
from services.quote.domain.wording.speech import Speaker
from tests.plans.builders import PLAN, a_plan
from tests.quote import wordings

BOOK = list(load(PROGRAMMES))

# Names of lines, currencies and clocks, and what is written alike in both languages.
NAMES = {"EMS", "SAL", "EUB", "Aramex", "RM", "UTC"}
ALIKE = {
    *(name.lower() for name in NAMES),
    *("premium", "deposit", "tablet", "video", "vip", "force", "majeure"),
    *("panel", "kilogram", "standard"),
    *("australia", "poland", "united", "kingdom", "saudi", "arab"),
}

plans = pytest.mark.parametrize("plan", BOOK, ids=lambda plan: plan.name)
languages = pytest.mark.parametrize("language", LANGUAGES)


def section(told: Wording, heading: str) -> str:
    title = Speaker(told.locale).word("heading", heading)
    (found,) = [one for one in told.sections if one.heading == title]
    return "\n".join(found.sentences)


def of_peril(told: Wording, peril: Peril) -> str:
    speaker = Speaker(told.locale)
    title = speaker.word("heading", "peril").format(peril=speaker.word("peril", peril.peril))
    (found,) = [one for one in told.sections if one.heading == title]
    return "\n".join(found.sentences)


def enabled(plan: Plan) -> list[Peril]:
    return [peril for peril in plan.perils.values() if peril.enabled]


def headings(told: Wording) -> set[str]:
    return {one.heading for one in told.sections}


# --- nothing is left out ---------------------------------------------------------------------


@plans
@languages
def test_every_peril_is_named_where_it_is_paid_or_where_it_is_not(
    plan: Plan, language: str
) -> None:
    told, speaker = wording(plan, language), Speaker(language)
    paid = {peril.peril for peril in enabled(plan)}

    never = section(told, "never")
    for name in codes.PERILS:
        named = speaker.word("peril", name)
        heading = speaker.word("heading", "peril").format(peril=named)
        assert (heading in headings(told)) is (name in paid)
        assert (named in section(told, "perils")) is (name in paid)
        assert (named in never.partition("\n")[0]) is (name not in paid)


@plans
@languages
def test_every_exclusion_is_named_and_what_force_majeure_includes(
    plan: Plan, language: str
) -> None:
    told = section(wording(plan, language), "never")

    for cause in plan.excluded_causes:
        assert Speaker(language).word("cause", cause) in told


@plans
@languages
def test_every_item_class_of_the_plan_is_named(plan: Plan, language: str) -> None:
    told, speaker = section(wording(plan, language), "goods"), Speaker(language)

    for item_class in plan.goods.accept | plan.goods.decline:
        assert speaker.word("item_class", item_class) in told


@plans
@languages
def test_every_paper_of_a_peril_is_named(plan: Plan, language: str) -> None:
    told, speaker = wording(plan, language), Speaker(language)

    for peril in plan.perils.values():
        if not peril.enabled:
            continue
        title = speaker.word("heading", "peril").format(
            peril=speaker.word("peril", peril.peril)
        )
        (found,) = [one for one in told.sections if one.heading == title]
        text = "\n".join(found.sentences)
        evidence = peril.evidence
        kinds = {
            *evidence.required,
            *evidence.supporting,
            *(kind for one in evidence.any_of for kind in one),
            *(one.kind for one in evidence.conditional),
            *(evidence.grace.kinds if evidence.grace else ()),
            *(peril.proof.kinds if peril.proof else ()),
        }
        for kind in kinds:
            assert speaker.word("evidence", kind) in text
        for element in peril.video:
            assert speaker.word("element", element) in text


@plans
@languages
def test_the_numbers_are_those_of_the_plan(plan: Plan, language: str) -> None:
    text, speaker = wording(plan, language).text, Speaker(language)

    assert speaker.percent(plan.premium.rate) in text
    if plan.premium.minimum:
        assert speaker.money(plan.premium.minimum, plan.currency) in text
    for duration in durations_of(plan):
        assert speaker.duration(duration) in text


def durations_of(plan: Plan) -> Iterator[Duration]:
    yield from (
        length
        for length in (plan.info, plan.quote_validity, plan.carrier_reply)
        if length is not None
    )
    for peril in enabled(plan):
        for deadline in peril.deadlines:
            yield from lengths(deadline.clock)
        for wait in peril.waits:
            if wait.clock is not None:
                yield from lengths(wait.clock)
        for alternative in peril.proof.elapsed if peril.proof else ():
            yield from lengths(alternative.clock)
    for category in plan.sla.categories if plan.sla else ():
        yield category.due
    for tier in plan.appeal:
        yield tier.file
        yield tier.decide


def lengths(clock: Clock) -> Iterator[Duration]:
    counts = clock.table.values() if clock.by else [clock.duration.count]
    for count in counts:
        yield Duration(unit=clock.duration.unit, count=count)


def numbers_of(plan: Plan) -> list[str]:
    return [name for name, value in plan.params.items() if isinstance(value, Decimal)]


@pytest.mark.parametrize(
    ("plan", "param"),
    [(plan, name) for plan in BOOK for name in numbers_of(plan)],
    ids=lambda one: one.name if isinstance(one, Plan) else one,
)
def test_a_changed_number_of_the_plan_changes_the_id(plan: Plan, param: str) -> None:
    number = plan.params[param]
    assert isinstance(number, Decimal)
    other = number + 1 if number == number.to_integral_value() else number / 2

    changed = with_params(plan, {param: other})

    for language in LANGUAGES:
        before, after = wording(plan, language), wording(changed, language)
        assert before.wording_id != after.wording_id
        assert before.text != after.text


def with_params(plan: Plan, params: dict[str, Param]) -> Plan:
    content = (PROGRAMMES / f"{plan.plan}.v{plan.version}.yaml").read_bytes()
    document = read_document(content, plan.source)
    return compile_plan(document, sha256=plan.sha256, source=plan.source, overrides=params)


# --- nothing but words -----------------------------------------------------------------------


@plans
@languages
def test_no_code_name_or_hole_is_left_in_the_text(plan: Plan, language: str) -> None:
    text = wording(plan, language).text

    assert not re.findall(r"\w*_\w*", text)
    assert not re.findall(r"[{}<>|\[\]]|None|True|False", text)
    shouted = set(re.findall(r"\b[A-Z]{4,}\b", text))
    assert not shouted & (codes.PERILS | codes.GATE_CODES | codes.CAP_CODES)
    assert "  " not in text
    assert not re.findall(r"[.。;；,，、]{2,}| [.,;。]", text)


@plans
def test_the_chinese_text_has_no_english_in_it(plan: Plan) -> None:
    text = wording(plan, "zh-Hans").text

    assert set(re.findall("[A-Za-z]+", text)) <= NAMES


@plans
def test_the_malay_text_has_no_english_in_it(plan: Plan) -> None:
    english, malay = (
        set(re.findall("[a-z]+", wording(plan, language).text.lower()))
        for language in ("en", "ms")
    )

    assert english & malay <= ALIKE


@plans
@languages
def test_no_published_plan_needs_a_formula(plan: Plan, language: str) -> None:
    formula = {"en": "by the formula", "zh-Hans": "公式", "ms": "mengikut formula"}[language]

    assert formula not in wording(plan, language).text


# --- the id ----------------------------------------------------------------------------------


def test_the_wordings_are_those_that_were_agreed_on() -> None:
    now = {wordings.name_of(one): wordings.snapshot_of(one) for one in wordings.published()}

    assert now == wordings.kept(), wordings.REFRESH


def test_the_id_names_plan_version_language_and_text() -> None:
    told = wording(a_plan(), "zh-CN")

    assert re.fullmatch(r"test-plan\.v1\.zh-Hans\.[0-9a-f]{12}", told.wording_id)
    assert told.wording_id == wording(a_plan(), "zh").wording_id
    assert told.wording_id != wording(a_plan(**{"days: 60": "days: 61"}), "zh").wording_id


def test_a_plan_of_another_name_reads_the_same() -> None:
    named, renamed = (
        wording(plan, "en")
        for plan in (a_plan(), a_plan(**{"plan: test-plan": "plan: other-plan"}))
    )

    assert named.text == renamed.text
    assert named.wording_id != renamed.wording_id


# --- what a plan may say that no published one does ------------------------------------------


def told_of(**replaced: str) -> str:
    return wording(a_plan(PLAN, **replaced), "en").text


@pytest.mark.parametrize(
    ("replaced", "sentence"),
    [
        (
            {"otherwise: ACCEPT": "otherwise: DECLINE", "accept: []": "accept: [book]"},
            "No other goods are insured.",
        ),
        ({'minimum: "1.00"': 'minimum: "2.50"'}, "It is at least ¥2.50."),
        (
            {'base: "insured_value"': 'base: "goods_value"'},
            "You do not choose the sum insured: it is the value of the goods.",
        ),
        (
            {'base: "insured_value"': 'base: "goods_value * shipping_fee"'},
            "By the formula it is: the value of the goods × the shipping fee.",
        ),
        (
            {'max: "10000"': 'max: "iff(vip, 20000, 10000)"'},
            "It can be at most if you are a VIP customer: ¥20,000.00; otherwise: ¥10,000.00.",
        ),
        (
            {'[{when: "True", max: "10000"}]': '[{when: "vip", max: "5000"}]'},
            "If you are a VIP customer, it can be at most ¥5,000.00.",
        ),
        (
            {
                'when: "not dispatched", amount: "premium"': 'when: "True", amount: "premium / 2"'
            },
            "If you cancel, we give back 1/2 of the premium.",
        ),
        (
            {"exclusions: [force_majeure]": "exclusions: []"},
            "this is the cause: a false declaration.",
        ),
        (
            {"claim_rule: per_item": "claim_rule: one_per_parcel"},
            "claim only once for each parcel.",
        ),
        ({"start: on_payment, end: delivered_at": "start: on_payment"}, "Cover begins when"),
        (
            {"start: on_payment": "start: on_payment, void_on: [parcel_opened]"},
            "The insurance becomes void if parcel opened.",
        ),
        (
            {'payout: "loss"': 'payout: "loss"\n    max_uses: 3'},
            "at most 3 times for each policy.",
        ),
        (
            {'payout: "loss"': 'payout: "loss"\n    instrument: wallet'},
            "We credit it to your account.",
        ),
        ({"days: 30}}]": "months: 1}}]"}, "1 month gone by since dispatch of the parcel."),
        ({"[mon, tue, wed, thu, fri]": "[mon, wed]"}, "working days are Monday and Wednesday."),
        (
            {"timezone: Asia/Shanghai": "timezone: Europe/Berlin"},
            "in the time zone UTC+1/UTC+2;",
        ),
        (
            {'valid_from: "2024-01-01"': 'valid_from: "2024-01-01"\nvalid_to: "2024-12-31"'},
            "on sale from 1 January 2024 to 31 December 2024.",
        ),
        (
            {"working_week:": "holidays: {country: MY}\nworking_week:"},
            "Public holidays are not working days.",
        ),
    ],
)
def test_says_in_words_what_a_plan_says(replaced: dict[str, str], sentence: str) -> None:
    assert sentence in told_of(**replaced)


def test_a_plan_without_appeal_or_refund_says_so() -> None:
    text = re.sub(r"refunds:\n.*\n|appeal:.*\n", "", PLAN)
    told = wording(a_plan(text), "en").text

    assert "The premium is not given back." in told
    assert "The plan provides for no appeal." in told


def test_rows_behind_one_that_always_holds_are_not_told() -> None:
    told = told_of(
        **{'{when: "True", max: "10000"}': '{when: "True", max: "1"}, {when: "vip", max: "2"}'}
    )

    assert "¥1.00" in told
    assert "¥2.00" not in told


# --- the words themselves --------------------------------------------------------------------


@languages
def test_every_language_has_the_same_words_with_the_same_places_in_them(language: str) -> None:
    english, said = LANGUAGES["en"], LANGUAGES[language]

    assert said.keys() == english.keys()
    for kind, mapping in english.items():
        assert said[kind].keys() == mapping.keys(), kind
        for code, text in mapping.items():
            assert places(said[kind][code]) == places(text), (kind, code)


def places(template: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_there_are_words_for_everything_an_expression_or_a_clock_may_name() -> None:
    said = LANGUAGES["en"]

    assert said["flag"].keys() == said["flag_not"].keys() == FLAG_FACTS
    assert said["fact"].keys() == EXPRESSION_FACTS.keys() - FLAG_FACTS
    assert said["time"].keys() == TIME_FACTS
    assert said["start"].keys() == START_RULES
    assert {f"{unit}{form}" for unit in Unit for form in ("", ".1")} == said["unit"].keys()
