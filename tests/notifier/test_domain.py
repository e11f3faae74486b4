"""What is told, what is given up, and in which words: tables."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from libs.common.plans import codes
from libs.common.plans.reading import load
from libs.common.plans.values import Plan
from libs.common.settings import PROGRAMMES
from services.notifier.domain import notices, words
from services.notifier.domain.english import ENGLISH
from services.notifier.domain.notices import (
    Attempt,
    Delayed,
    Delivered,
    Line,
    Notification,
    Refused,
    Step,
    UnknownOutcome,
    Unreachable,
)
from tests.notifier.builders import a_notice, an_answer, myr

LATER = datetime(2026, 3, 2, 12, tzinfo=UTC)

# domain.md 2.4, word for word.
REASONS = (
    "NOT_INSURED NOT_IN_FORCE PREMIUM_INCOMPLETE POLICY_INVALID POLICY_VOID POLICY_CANCELLED "
    "BEFORE_COVER_START AFTER_COVER_END PERIL_NOT_COVERED LINE_EXCLUDED MODE_NOT_COVERED "
    "GOODS_EXCLUDED EXCLUDED_CAUSE DUPLICATE_CLAIM OTHER_PERIL_CLAIMED BENEFIT_USED "
    "COVER_EXHAUSTED TOO_EARLY LATE_NOTICE NOT_DELAYED EVIDENCE_NOT_PROVIDED "
    "VIDEO_ELEMENT_MISSING CLEAN_RECEIPT FALSE_EVIDENCE WATERPROOF_NOT_SELECTED "
    "MINOR_DEFORMATION ORIGINAL_PACKING BIY_NOT_MARKED DELIVERED FREIGHT_UNPAID "
    "AWAITING_CARRIER AWAITING_INSURER CAP_INSURED CAP_PROGRAMME CAP_TIER CAP_TOTAL_VALUE "
    "CAP_DELAY_PCT CAP_DELAY_ABS CAP_INSURER_APPROVED CAP_BIY CAP_ACTUAL_VALUE "
    "NO_RESIDUAL_LOSS OVER_LIMIT OVER_VALUE APPEAL_LATE APPEAL_TIER_SKIPPED APPEAL_EXHAUSTED "
)


@pytest.mark.parametrize(
    ("outcome", "is_settled", "told"),
    [
        ("APPROVED", True, "decision"),
        ("APPROVED", False, "review"),
        ("DENIED", True, "decision"),
        ("DENIED", False, "review"),
        ("ON_HOLD", True, "decision"),
        ("ON_HOLD", False, "review"),
        ("INFO_REQUIRED", True, "nothing"),
        ("INFO_REQUIRED", False, "nothing"),
        ("DEFERRED", True, "decision"),
        ("DEFERRED", False, "decision"),
        ("REFERRED", True, "review"),
        ("REFERRED", False, "review"),
    ],
)
def test_tells_what_is_settled_or_dated_and_of_a_proposal_only_that_somebody_looks_at_it(
    outcome: str, is_settled: bool, told: str
) -> None:
    assert notices.is_told(outcome, is_settled=is_settled) is (told == "decision")
    assert notices.is_in_review(outcome, is_settled=is_settled) is (told == "review")


def test_an_outcome_nobody_knows_is_refused_rather_than_told() -> None:
    with pytest.raises(UnknownOutcome):
        notices.is_told("MAYBE", is_settled=True)


@pytest.mark.parametrize("state", sorted(codes.POLICY_STATES))
def test_only_an_active_policy_is_in_force_when_it_is_paid(state: str) -> None:
    assert notices.is_in_force(state) is (state == "ACTIVE")


@pytest.mark.parametrize(
    ("attempt", "attempts_before", "state", "cause"),
    [
        (Delivered(address="ann@example.test"), 0, "SENT", None),
        (Delivered(address="ann@example.test"), 2, "SENT", None),
        (Unreachable(cause="NO_ADDRESS"), 0, "SKIPPED", "NO_ADDRESS"),
        (Refused(cause="smtp: 550"), 0, "FAILED", "smtp: 550"),
        (Delayed(cause="smtp: 451"), 0, "PENDING", "smtp: 451"),
        (Delayed(cause="smtp: 451"), 1, "PENDING", "smtp: 451"),
        (Delayed(cause="smtp: 451"), 2, "FAILED", "smtp: 451"),
    ],
)
def test_settles_an_attempt(
    attempt: Attempt, attempts_before: int, state: str, cause: str | None
) -> None:
    owed = Notification(
        notification_id="ntf_1", notice=a_notice(an_answer()), attempts=attempts_before
    )

    settled = notices.settle(owed, attempt, most_attempts=3, now=LATER)

    assert (settled.state, settled.cause) == (state, cause)
    assert settled.attempts == attempts_before + 1
    assert settled.sent_at == (LATER if state == "SENT" else None)
    assert settled.address == ("ann@example.test" if state == "SENT" else None)


def test_an_events_key_is_the_policys_or_else_the_claims() -> None:
    of_policy = a_notice(an_answer(), policy_id="pol_1", claim_id="clm_1")
    of_claim = a_notice(an_answer(), policy_id=None, claim_id="clm_1")

    assert Notification(notification_id="ntf_1", notice=of_policy).key == "pol_1"
    assert Notification(notification_id="ntf_1", notice=of_claim).key == "clm_1"


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "APPROVED"),
        ({"caps": ("CAP_INSURED",)}, "PARTIAL"),
        ({"notes": ("CAP_BIY",)}, "PARTIAL"),
        ({"notes": ("BIY_NOT_MARKED",)}, "APPROVED"),
        ({"outcome": "DENIED", "caps": ("CAP_INSURED",)}, "DENIED"),
    ],
)
def test_an_approval_with_a_cap_is_shown_as_partial(
    changes: dict[str, object], shown: str
) -> None:
    assert an_answer(**changes).shown == shown


def test_tells_the_steps_of_the_arithmetic_that_changed_something() -> None:
    lines = (
        Line(label="GROSS", after=Decimal("123.4567")),
        Line(label="CAP_TIER", before=Decimal("123.4567"), after=Decimal("123.4567")),
        Line(label="CAP_INSURED", before=Decimal("123.4567"), after=Decimal(100)),
        Line(label="ROUNDED", before=Decimal(100), after=Decimal("100.00")),
    )

    assert an_answer(lines=lines).steps == [
        Step(label="GROSS", amount=myr("123.46")),
        Step(label="CAP_INSURED", amount=myr("100")),
    ]


def test_arithmetic_is_told_only_where_it_explains_the_outcome() -> None:
    lines = (Line(label="GROSS", after=Decimal(0)),)

    assert an_answer(outcome="DENIED", reasons=("NO_RESIDUAL_LOSS",), lines=lines).steps
    assert not an_answer(outcome="DENIED", reasons=("LATE_NOTICE",), lines=lines).steps
    assert not an_answer(outcome="INFO_REQUIRED", lines=lines).steps


# --- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", REASONS.split())
def test_every_reason_of_the_rule_catalogue_has_words(code: str) -> None:
    sentence = ENGLISH["reason"][code]

    assert sentence.endswith(".")
    assert code not in sentence


def in_plans(plan: Plan) -> Iterator[tuple[str, str]]:
    """Kind and code of all that a plan can put into a letter."""
    yield from (("body", tier.body) for tier in plan.appeal)
    for name, peril in plan.perils.items():
        yield "peril", name
        rows = (*peril.gates, *peril.holds, *peril.refers, *peril.notes)
        yield from (("reason", row.code) for row in rows)
        for cap in peril.caps:
            yield from (("reason", cap.code), ("line", cap.code))
        yield "instrument", peril.instrument
        yield from (("element", element) for element in peril.video)
        elapsed = () if peril.proof is None else peril.proof.elapsed
        yield from (("reason", one.stopped) for one in elapsed if one.stopped)


# Kind of words -> the codes that have to have some, in every language.
SPOKEN = {
    "peril": codes.PERILS,
    "cause": codes.CAUSES,
    "evidence": codes.EVIDENCE,
    "reason": {
        *REASONS.split(),
        *codes.NOTE_CODES,
        *codes.HOLD_CODES,
        *codes.REFER_CODES,
        "PARCEL_FOUND",
        "OTHER",
    },
    "outcome": {*codes.Outcome, "PARTIAL"} - {codes.Outcome.REFERRED},
    "line": codes.CAP_CODES | {"GROSS", "ROUNDED"},
    "paper_field": {"product_name", "picture", "price", "quantity", "actual_payment_amount"},
    "invalid_cause": {"DOCUMENTS_LAPSED", "GOODS_DECLINED"},
    "void_cause": {"address_changed", "fraud"},
    "refund_reason": {"OVERPAID", "DUPLICATE_CHARGE", "LATE", "POLICY_ENDED", "NOT_CONFIRMED"},
    "reversal": {"REFUNDED", "DISPUTE_LOST"},
    "scan": {"lost", "destroyed", "damaged", "seized", "returned"},
    "repayment_why": {"CARRIER_PAID_LATE", "PARCEL_FOUND", "FRAUD"},
    "clock": {"DECIDE", "PAY", "ADVANCE", "CARRIER_REPLY", "APPEAL_DECIDE"},
    "approval": {"decision", "payout", "appeal"},
}


@pytest.mark.parametrize("language", sorted(words.LANGUAGES))
@pytest.mark.parametrize("kind", sorted(SPOKEN))
def test_every_code_that_is_told_has_words_in_every_language(kind: str, language: str) -> None:
    assert words.LANGUAGES[language][kind].keys() == set(SPOKEN[kind])


@pytest.mark.parametrize("language", sorted(words.LANGUAGES))
def test_whatever_a_plan_says_has_words_in_every_language(language: str) -> None:
    plans = [plan for versions in load(PROGRAMMES).versions.values() for plan in versions]
    named = {one for plan in plans for one in in_plans(plan)}

    assert len(plans) >= 6
    for kind, code in named:
        assert code in words.LANGUAGES[language][kind], f"{kind} {code}"


@pytest.mark.parametrize("language", sorted(words.LANGUAGES))
def test_a_language_lacks_no_words_that_another_has(language: str) -> None:
    english, other = words.LANGUAGES["en"], words.LANGUAGES[language]

    assert other.keys() == english.keys()
    for kind, mapping in english.items():
        assert other[kind].keys() == mapping.keys(), kind


@pytest.mark.parametrize("language", sorted(words.LANGUAGES))
def test_a_language_has_no_codes_of_its_own(language: str) -> None:
    english = words.LANGUAGES["en"]
    for kind, mapping in words.LANGUAGES[language].items():
        assert mapping.keys() <= english[kind].keys()
        for code, text in mapping.items():
            assert ("{detail}" in text) == ("{detail}" in english[kind][code]), code


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("zh-Hans", "zh-Hans"),
        ("zh-CN", "zh-Hans"),
        ("zh_CN", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("zh-Hant", "en"),
        ("zh-TW", "en"),
        ("ms", "ms"),
        ("MS-my", "ms"),
        ("fr", "en"),
        ("de", "en"),
        ("es", "en"),
        ("", "en"),
        ("../../etc", "en"),
    ],
)
def test_writes_in_the_readers_language_or_else_in_english(locale: str, language: str) -> None:
    assert words.language_of(locale) == language


@pytest.mark.parametrize(
    ("code", "language", "sentence"),
    [
        ("LATE_NOTICE", "en", "We were told too late."),
        ("LATE_NOTICE", "zh-Hans", "超过了通知期限。"),
        ("LATE_NOTICE", "ms", "Kami dimaklumkan terlalu lewat."),
        ("EXCLUDED_CAUSE:riot", "en", "What caused it is not covered: riot."),
        ("EXCLUDED_CAUSE:riot", "zh-Hans", "事件原因不在保障范围内：暴乱。"),
        ("FALSE_EVIDENCE", "ms", "Bukti yang diberikan tidak benar."),
        (
            "EVIDENCE_NOT_PROVIDED:police_report|outer_packaging_photos+weight_photo",
            "en",
            "Evidence that is needed did not come in time: a police report, or photos of all sides "
            "of the outer packaging and a photo of the parcel on a scale.",
        ),
        (
            "VIDEO_ELEMENT_MISSING:damage_shown",
            "en",
            "The unboxing video does not show what it must: the damage, clearly.",
        ),
        ("NEW_CODE:detail", "en", "Another reason applies (NEW_CODE:detail)."),
        ("EXCLUDED_CAUSE:{0.__class__}", "en", "What caused it is not covered: {0.  class  }."),
    ],
)
def test_says_a_reason_in_plain_words(code: str, language: str, sentence: str) -> None:
    assert words.reason(code, language) == sentence


def test_asks_the_claimant_for_nothing_that_others_have_to_bring() -> None:
    missing = ["unboxing_video", "carrier_loss_letter", "customs_letter|provider_seizure_query"]

    assert words.from_claimant(missing) == [
        "unboxing_video",
        "customs_letter|provider_seizure_query",
    ]
    assert words.from_others(missing) == ["carrier_loss_letter"]
