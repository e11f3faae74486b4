"""Letters: every template in every language says its facts, and nothing foreign gets in."""

import html
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jinja2.exceptions import SecurityError

from services.notifier.clients import letters
from services.notifier.clients.letters import TEMPLATES, Written
from services.notifier.domain import words
from services.notifier.domain.notices import (
    LETTERS,
    ClaimEligible,
    ClaimReceived,
    ClaimTold,
    CoverBegan,
    CoverCancelled,
    CoverInvalidated,
    CoverVoided,
    Letter,
    Line,
    NoticeClosed,
    PapersAsked,
    ParcelInterrupted,
    PremiumTakenBack,
    RefundPromised,
    TopUpAsked,
    TopUpLapsed,
    TopUpStillDue,
)
from services.notifier.domain.words import ENGLISH
from tests.notifier.builders import CLAIM, NOW, POLICY, a_notice, an_answer, myr
from tests.notifier.claim_letters import LETTERS_ON_CLAIMS

KUALA_LUMPUR = ZoneInfo("Asia/Kuala_Lumpur")

LINES = (
    Line(label="GROSS", after=Decimal(300)),
    Line(label="CAP_INSURED", before=Decimal(300), after=Decimal(250)),
)
A_DAY = date(2026, 3, 20)
NEEDED = ("police_report|outer_packaging_photos+weight_photo", "carrier_loss_letter")


def a_suggestion(cause: str = "lost", peril: str = "LOSS", **changes: Any) -> ClaimEligible:
    """A first notice: after a scan, or after silence."""
    shape = {"silence": ParcelInterrupted, "told": ClaimTold}.get(cause, ClaimEligible)
    values = {"peril": peril, "cause": cause, "seen_at": NOW, "notified_at": NOW, **changes}
    return shape(**values)


EXAMPLES: list[Letter] = [
    a_suggestion(),
    a_suggestion("damaged", "DAMAGE", closes_at=NOW, missing=NEEDED),
    a_suggestion("something_new", "SEIZURE", eligible_on=date(2026, 3, 20)),
    a_suggestion("silence"),
    a_suggestion("told", "DAMAGE", closes_at=NOW, missing=NEEDED),
    a_suggestion("silence", eligible_on=date(2026, 3, 20), closes_at=NOW, missing=NEEDED),
    NoticeClosed(peril="LOSS", reason="DELIVERED", closed_at=NOW),
    NoticeClosed(peril="LOSS", reason="PARCEL_FOUND", closed_at=NOW),
    NoticeClosed(peril="DAMAGE", reason="SOMETHING_NEW", closed_at=NOW),
    PapersAsked(missing=("price", "picture"), lapses_at=NOW),
    PapersAsked(missing=(), lapses_at=None),
    TopUpAsked(premium=myr("38"), due=myr("13"), lapses_at=NOW),
    TopUpAsked(premium=myr("38"), due=myr("38"), lapses_at=None),
    TopUpStillDue(due=myr("13"), lapses_at=NOW),
    TopUpLapsed(refund=myr("25"), lapsed_at=NOW),
    TopUpLapsed(refund=myr("0"), lapsed_at=NOW),
    CoverInvalidated(cause="DOCUMENTS_LAPSED", refund=myr("25"), invalidated_at=NOW),
    CoverInvalidated(cause="SOMETHING_NEW", refund=myr("0"), invalidated_at=NOW),
    CoverVoided(cause="fraud", voided_at=NOW),
    CoverVoided(cause="something_new", voided_at=NOW),
    RefundPromised(amount=myr("13"), reason="LATE"),
    PremiumTakenBack(
        amount=myr("38"), due=myr("38"), reason="REFUNDED", state="PENDING", reversed_at=NOW
    ),
    PremiumTakenBack(
        amount=myr("38"), due=myr("0"), reason="REFUNDED", state="ACTIVE", reversed_at=NOW
    ),
    CoverBegan(insured_value=myr("1000"), premium=myr("38"), cover_start=NOW),
    CoverCancelled(reason="CUSTOMER_CANCEL", refund=myr("38"), cancelled_at=NOW),
    CoverCancelled(reason="SOMETHING_NEW", refund=myr("0"), cancelled_at=NOW),
    an_answer(),
    an_answer(caps=("CAP_INSURED",), notes=("BIY_NOT_MARKED",), lines=LINES),
    an_answer(instrument="voucher", peril="RETURN"),
    an_answer(
        outcome="DENIED", payout=myr("0"), reasons=("LATE_NOTICE", "EXCLUDED_CAUSE:riot")
    ),
    an_answer(outcome="DENIED", payout=myr("0"), reasons=("NO_RESIDUAL_LOSS",), lines=LINES),
    an_answer(rule_ids=("MP-34",), appeal_until=A_DAY, appeal_body="second_adjudicator"),
    an_answer(outcome="DENIED", payout=myr("0"), appeal_until=A_DAY),
    an_answer(outcome="DEFERRED", payout=myr("0"), eligible_on=date(2026, 3, 20)),
    an_answer(outcome="DEFERRED", payout=myr("0"), reasons=("TOO_EARLY",)),
    an_answer(outcome="ON_HOLD", payout=myr("0"), reasons=("FREIGHT_UNPAID",)),
    *LETTERS_ON_CLAIMS,
]


def write(letter: Letter, **changes: Any) -> Written:
    values = {"locale": "en", "order_ref": "SO-77", "zone": KUALA_LUMPUR, **changes}
    return letters.write(a_notice(letter, claim_id=CLAIM), **values)


@pytest.mark.parametrize("language", sorted(words.LANGUAGES))
@pytest.mark.parametrize("letter", EXAMPLES, ids=lambda letter: letter.template)
def test_every_letter_can_be_written_in_every_language(letter: Letter, language: str) -> None:
    written = write(letter, locale=language)

    assert written.language == language
    assert "SO-77" in written.subject
    assert POLICY in written.text
    assert CLAIM in written.text
    assert f'<html lang="{language}">' in written.html
    for left_over in ("{{", "{%", "{detail}", "None"):
        assert left_over not in written.subject + written.text + written.html


def test_every_template_has_an_example_and_every_language_a_template() -> None:
    assert {letter.template for letter in EXAMPLES} == {shape.template for shape in LETTERS}
    for shape in LETTERS:
        for language in words.LANGUAGES:
            assert (TEMPLATES / f"{shape.template}.{language}.jinja").is_file()


@pytest.mark.parametrize("letter", EXAMPLES, ids=lambda letter: letter.template)
def test_a_letter_without_an_order_number_or_claim_has_no_holes(letter: Letter) -> None:
    written = letters.write(a_notice(letter), locale="en", order_ref="", zone=ZoneInfo("UTC"))

    assert "order" not in written.subject
    assert "()" not in written.subject
    assert "Claim:" not in written.text


@pytest.mark.parametrize("letter", EXAMPLES, ids=lambda letter: letter.template)
def test_the_html_says_what_the_text_says_and_sets_only_the_last_lines_apart(
    letter: Letter,
) -> None:
    written = write(letter)
    whole, foot = written.html.split("<div ")
    shown = html.unescape(re.sub(r"<br>|</li>|</p>|</div>", "\n", whole.split("<body")[1]))
    body, last = re.sub(r"<[^>]*>|^[^>]*>", "", shown), html.unescape(foot)
    *paragraphs, about, automatic = written.text.strip().split("\n\n")

    for line in "\n".join(paragraphs).splitlines():
        assert line.removeprefix("- ") in body
    for line in (*about.splitlines(), automatic):
        assert line in last
        assert line not in body


def test_says_what_is_covered_since_when_on_the_readers_clock() -> None:
    written = write(
        CoverBegan(
            insured_value=myr("1234.56"),
            premium=myr("46.91"),
            cover_start=datetime(2026, 3, 2, 10, tzinfo=UTC),
        )
    )

    assert written.subject == "Your parcel is insured (order SO-77)"
    assert "insured for up to RM 1,234.56" in written.text
    assert "began on 2026-03-02 18:00 (Asia/Kuala Lumpur, UTC+08:00)" in written.text
    assert "premium of RM 46.91" in written.text


def test_says_why_a_claim_is_declined_on_which_clauses_and_how_to_appeal() -> None:
    written = write(
        an_answer(
            outcome="DENIED",
            payout=myr("0"),
            reasons=("LATE_NOTICE", "EXCLUDED_CAUSE:riot"),
            rule_ids=("MP-31", "MP-32"),
            appeal_until=A_DAY,
            appeal_body="second_adjudicator",
        )
    )

    assert written.subject == "Your claim for loss of the parcel: declined (order SO-77)"
    assert "The reason:\n- We were told too late." in written.text
    assert "We also noted:\n- What caused it is not covered: riot." in written.text
    assert "The clauses of your insurance that it rests on: MP-31, MP-32." in written.text
    assert "you may appeal until the end of 2026-03-20: tell the shop" in written.text
    assert "decided by a person who has not decided on it before." in written.text
    assert "RM" not in written.text


def test_promises_no_appeal_that_nobody_told_of() -> None:
    declined, approved = write(an_answer(outcome="DENIED")), write(an_answer())

    assert "ask the shop that arranged your insurance what you can do" in declined.text
    for written in (declined, approved):
        assert "appeal" not in written.text


def test_says_how_the_amount_comes_about() -> None:
    written = write(an_answer(caps=("CAP_INSURED",), lines=LINES))

    assert "partially approved" in written.subject
    assert "In all it pays RM 250.00 (payment)." in written.text
    assert "Please note:\n- No more than the insured value can be paid." in written.text
    assert (
        "- Amount by the plan's formula: RM 300.00\n"
        "- After the limit of the insured value: RM 250.00\n" in written.text
    )


def test_says_what_the_carrier_said_what_is_needed_and_by_when() -> None:
    written = write(
        a_suggestion(
            "damaged",
            "DAMAGE",
            # The end of 11 March there.
            closes_at=datetime(2026, 3, 11, 16, tzinfo=UTC),
            missing=("unboxing_video", "police_report|weight_photo", "carrier_damage_report"),
        )
    )

    assert written.subject == "Your parcel seems to be damaged (order SO-77)"
    assert written.text.startswith(
        "On 2026-03-02 18:00 (Asia/Kuala Lumpur, UTC+08:00) the carrier said that your parcel "
        "seems to be damaged. Your insurance covers damage, so we made a first notice"
    )
    assert "counts as your report since 2026-03-02 18:00" in written.text
    assert (
        "by the end of 2026-03-11 (Asia/Kuala Lumpur, UTC+08:00) at the latest." in written.text
    )
    assert "Nothing is decided or paid before you do." in written.text
    assert (
        "Please have ready:\n"
        "- the unboxing video\n"
        "- a police report, or a photo of the parcel on a scale\n" in written.text
    )
    assert "you need not:\n- the carrier's damage report\n" in written.text
    assert f"Claim: {CLAIM}" in written.text


def test_says_that_nothing_was_heard_of_the_parcel_and_since_when() -> None:
    written = write(a_suggestion("silence"))

    assert written.subject == "Your parcel has not arrived: it may be lost (order SO-77)"
    assert "last told us anything of it on 2026-03-02 18:00" in written.text
    for unknown in ("by the end of", "As things stand", "have ready", "need not:"):
        assert unknown not in written.text


def test_says_from_when_a_first_notice_can_be_decided() -> None:
    written = write(a_suggestion(eligible_on=date(2026, 3, 20)))

    assert "the claim can be decided from 2026-03-20. You may file it earlier" in written.text


def test_says_why_a_first_notice_is_closed() -> None:
    arrived = write(NoticeClosed(peril="LOSS", reason="DELIVERED", closed_at=NOW))
    found = write(NoticeClosed(peril="LOSS", reason="PARCEL_FOUND", closed_at=NOW))

    assert "- The carrier recorded the parcel as delivered.\n" in arrived.text
    assert "- There is news of the parcel: it was heard of again.\n" in found.text
    assert "This decides no claim" in found.text


@pytest.mark.parametrize("language", sorted(words.LANGUAGES))
@pytest.mark.parametrize("cause", [*ENGLISH["scan"], "unheard_of"])
def test_no_code_is_left_in_what_a_carrier_said(cause: str, language: str) -> None:
    written = write(a_suggestion(cause, missing=NEEDED), locale=language)
    text = f"{written.subject}\n{written.text}".replace(POLICY, "").replace(CLAIM, "")

    assert re.findall(r"\w*_\w*|\b[A-Z]{4,}\b", text) == []


def test_says_from_when_it_may_be_claimed() -> None:
    dated = write(an_answer(outcome="DEFERRED", eligible_on=date(2026, 3, 20)))
    undated = write(an_answer(outcome="DEFERRED"))

    assert "It may be claimed from 2026-03-20." in dated.text
    assert "depends on something that has not happened yet" in undated.text


def test_q48_writes_in_the_readers_language() -> None:
    chinese = write(an_answer(), locale="zh-CN")
    malay = write(an_answer(), locale="ms-MY")

    silent_chinese = write(a_suggestion("silence"), locale="zh-CN")
    lost_malay = write(a_suggestion(), locale="ms-MY")

    assert silent_chinese.subject == "您的包裹尚未送达，可能已遗失（订单 SO-77）"
    assert lost_malay.subject == "Bungkusan anda mungkin telah hilang (pesanan SO-77)"
    assert chinese.subject == "您的理赔申请（包裹遗失）：已批准（订单 SO-77）"
    assert (
        malay.subject == "Tuntutan anda untuk kehilangan bungkusan: diluluskan (pesanan SO-77)"
    )


HOSTILE = "7\r\nBcc: eve@example.test\n\n<script>alert(1)</script> {{ 7*7 }} \x00\u202e"


def test_a_hostile_order_number_stays_in_its_place() -> None:
    written = write(ClaimReceived(peril="LOSS", filed_at=NOW), order_ref=HOSTILE)

    assert len(written.subject.splitlines()) == 1
    assert "{{ 7*7 }}" in written.subject
    assert "\x00" not in written.subject
    assert "\u202e" not in written.subject
    assert "<script>" not in written.html
    assert "&lt;script&gt;" in written.html


def test_a_hostile_code_stays_in_its_place() -> None:
    written = write(an_answer(outcome="DENIED", reasons=(f"NEW:{HOSTILE}",), peril=HOSTILE))

    assert "\nBcc" not in written.text
    assert "<script>" not in written.html


def test_the_sandbox_keeps_templates_from_pythons_insides() -> None:
    template = letters._plain.from_string("{{ ''.__class__.__mro__ }}")

    with pytest.raises(SecurityError):
        template.render()
