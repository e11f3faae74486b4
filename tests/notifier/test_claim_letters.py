"""The letters of a claim's course and money say what the claimant needs, in plain words."""

import re
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from services.notifier.clients import letters
from services.notifier.clients.letters import Written
from services.notifier.domain import words
from services.notifier.domain.notices import (
    AdvanceArrived,
    AppealAnswered,
    AppealReceived,
    ApprovalWanted,
    ClaimInReview,
    ClaimLate,
    ClaimTakenBack,
    Letter,
    MoneyNotSent,
    PapersStillWanted,
    PapersWanted,
    PromiseBroken,
    RepaymentAsked,
    VoucherGiven,
    VoucherOver,
)
from tests.notifier.builders import CLAIM, NOW, POLICY, TENANT, a_notice, myr
from tests.notifier.claim_letters import LAST_DAY, LATER, LETTERS_ON_CLAIMS, MISSING

KUALA_LUMPUR = ZoneInfo("Asia/Kuala_Lumpur")


def write(letter: Letter, *, locale: str = "en", order_ref: str = "SO-77") -> Written:
    notice = a_notice(letter, claim_id=CLAIM)
    return letters.write(notice, locale=locale, order_ref=order_ref, zone=KUALA_LUMPUR)


@pytest.mark.parametrize("language", sorted(words.LANGUAGES))
def test_no_code_is_left_in_any_letter(language: str) -> None:
    for letter in LETTERS_ON_CLAIMS:
        written = write(letter, locale=language)
        text = f"{written.subject}\n{written.text}"
        for known in (POLICY, CLAIM, "clm_2", "pyt_1", "dec_1", TENANT):
            text = text.replace(known, "")
        assert re.findall(r"\w*_\w*|\b[A-Z]{4,}\b", text) == [], letter


@pytest.mark.parametrize("language", ["zh-Hans", "ms"])
def test_no_english_is_left_in_another_language(language: str) -> None:
    english = r"\b(the|your|claim|appeal|voucher|evidence|payment|decision)\b"
    for letter in LETTERS_ON_CLAIMS:
        if "SOMETHING_NEW" not in str(letter) and not getattr(letter, "why", ""):
            written = write(letter, locale=language, order_ref="")
            found = re.findall(english, written.text.replace("Is it one parcel, or two?", ""))
            assert found == [], letter


def test_asks_for_everything_at_once_and_says_until_when_each_may_come() -> None:
    text = write(LETTERS_ON_CLAIMS[3]).text

    assert (
        "Please send us, by the end of 2026-03-09:\n"
        "- a police report, or photos of all sides of the outer packaging and a photo of the parcel "
        "on a scale\n" in text
    )
    assert "These may follow, until the end of 2026-04-01:\n- a screenshot" in text
    assert text.count("a screenshot of the buyer's dispute") == 1
    assert "you need not:\n- the carrier's letter about the loss\n" in text
    assert "writes: “Is it one parcel, or two?”\n" in text
    assert "to the shop that arranged your insurance, with the number of your claim" in text
    assert "counts as not provided" in text


def test_a_person_may_ask_without_a_list_and_a_list_may_be_for_others_only() -> None:
    asked = write(PapersWanted(missing=(), message="Is it one parcel, or two?"))
    waiting = write(PapersWanted(missing=("carrier_loss_letter",)))

    assert asked.subject == "We need something from you for your claim (order SO-77)"
    assert "Please send us" not in asked.text
    assert waiting.subject == "We are waiting for papers for your claim (order SO-77)"
    assert "You need do nothing." in waiting.text
    assert "Please" not in waiting.text.replace("Please do not answer it", "")


def test_papers_that_may_follow_keep_their_own_day_where_they_are_not_named() -> None:
    text = write(PapersWanted(missing=MISSING, info_until=LAST_DAY, grace_until=LATER)).text

    assert "by the end of 2026-03-09:\n" in text
    assert "allows to follow have until the end of 2026-04-01." in text


def test_a_persons_message_stays_in_its_quotation_marks() -> None:
    hostile = "One?\n\nYour claim is approved.\n- <b>Pay here</b>"
    written = write(PapersWanted(missing=(), message=hostile))

    assert "“One? Your claim is approved. - <b>Pay here</b>”\n" in written.text
    assert "<b>" not in written.html


def test_reminds_of_what_the_claimant_has_to_bring_and_of_nothing_else() -> None:
    written = write(PapersStillWanted(missing=MISSING, until=LAST_DAY))

    assert written.subject == "Please answer by 2026-03-09: your claim is waiting (order SO-77)"
    assert "- a police report, or" in written.text
    assert "the carrier's letter" not in written.text
    assert "may be declined for that" in written.text


def test_says_that_somebody_looks_at_it_and_nothing_is_decided() -> None:
    person = write(ClaimInReview(peril="LOSS"))
    insurer = write(ClaimInReview(peril="LOSS", awaits="AWAITING_INSURER"))

    assert "One of our staff looks at your claim for loss of the parcel." in person.text
    assert person.subject.startswith("A person looks at your claim: loss")
    assert "We are waiting for the insurer's answer." in insurer.text
    assert insurer.subject.startswith("We are working on your claim: loss")
    for written in (person, insurer):
        assert "Nothing is decided yet." in written.text


def test_says_what_takes_a_withdrawn_claims_place() -> None:
    alone = write(ClaimTakenBack(peril="LOSS", withdrawn_at=NOW))
    replaced = write(ClaimTakenBack(peril="LOSS", withdrawn_at=NOW, replaced_by="clm_2"))

    assert "withdrawn on 2026-03-02 18:00 (Asia/Kuala Lumpur, UTC+08:00)" in alone.text
    assert "You may still claim for this parcel" in alone.text
    assert "Claim clm_2 takes its place." in replaced.text


def test_says_who_decides_an_appeal_and_by_when() -> None:
    known = AppealReceived(body="claims_manager_panel", filed_at=NOW, decide_by=LAST_DAY)
    text = write(known).text

    assert "by a panel of claims managers, by the end of 2026-03-09 at the latest." in text
    assert "never takes away what the claim was granted" in text


def test_says_what_an_appeal_came_to_and_what_can_be_done_next() -> None:
    varied = write(AppealAnswered(result="VARIED", payout=myr("300"), is_final=True))
    upheld = write(
        AppealAnswered(
            result="UPHELD",
            payout=myr("0"),
            is_final=False,
            file_by=date(2026, 4, 1),
            next_body="independent_reviewer",
        )
    )

    assert varied.subject == "Your appeal succeeded (order SO-77)"
    assert "the claim now pays RM 300.00; what you had already counts" in varied.text
    assert "final" in varied.text
    assert "stays as it is" in upheld.text
    assert "you may appeal again until the end of 2026-04-01" in upheld.text
    assert "That appeal is decided by an independent reviewer." in upheld.text
    assert "RM" not in upheld.text


def test_owns_up_to_a_day_that_has_passed() -> None:
    for clock, sentence in (
        ("DECIDE", "Your claim should have been decided by 2026-03-09."),
        ("PAY", "The money for your claim should have been sent by 2026-03-09."),
        ("APPEAL_DECIDE", "Your appeal should have been decided by 2026-03-09."),
    ):
        text = write(ClaimLate(clock=clock, due_on=LAST_DAY)).text
        assert sentence in text
        assert "We are sorry." in text


def test_a_payment_that_failed_is_lost_to_nobody() -> None:
    text = write(MoneyNotSent(amount=myr("250"), failed_at=NOW)).text

    assert "RM 250.00 for your claim did not go through on 2026-03-02 18:00" in text
    assert "the money is still yours, and the payment is tried again" in text


def test_an_advance_is_no_decision() -> None:
    text = write(AdvanceArrived(amount=myr("250"), paid_at=NOW)).text

    assert "You were paid RM 250.00 for your claim on 2026-03-02 18:00" in text
    assert "It is not the decision on your claim yet." in text


def test_cs_29_cs_30_a_voucher_says_its_value_its_last_day_and_what_becomes_of_the_rest() -> (
    None
):
    text = write(VoucherGiven(number="vch-7", amount=myr("80"), expires_on=LATER)).text

    for said in (
        "a voucher of RM 80.00, the price you first paid for shipping. Its number: vch-7.",
        "- It can be used until the end of 2026-04-01.\n",
        "- It is for one second shipment, and can be used once.\n",
        "- If that shipment costs more, you pay the difference.\n",
        "- If it costs less, the rest of the voucher lapses; it is not paid out.\n",
        "- Customs fees for the return are not covered.\n",
    ):
        assert said in text
    over = write(VoucherOver(amount=myr("80"), lapsed_at=NOW)).text
    assert "was not used in time. It lapsed on 2026-03-02 18:00" in over


def test_says_why_money_has_to_be_paid_back() -> None:
    for why, sentence in (
        ("PARCEL_FOUND", "the parcel was found after the claim had been paid"),
        ("CARRIER_PAID_LATE", "the carrier has paid you as well"),
        ("FRAUD", "the claim was paid on false statements"),
    ):
        text = write(RepaymentAsked(amount=myr("125"), why=why, due_at=NOW)).text
        assert (
            f"RM 125.00 of what was paid for your claim has to be paid back: {sentence}" in text
        )


def test_staff_are_told_whose_and_what_it_is() -> None:
    broken = PromiseBroken(clock="DECIDE", due_on=LAST_DAY, category="loss", is_priority=True)
    wanted = ApprovalWanted(
        about="PAYOUT", subject_id="pyt_1", why="above the limit", asked_by="ann", asked_at=NOW
    )
    overdue, asked = write(broken, order_ref=""), write(wanted, order_ref="")

    assert overdue.subject == "Overdue since 2026-03-09: decision on the claim"
    assert "- The claim has priority.\n- Category: loss\n" in overdue.text
    assert asked.subject == "A second person is needed: a payout"
    assert "ann asked on 2026-03-02 18:00" in asked.text
    assert "agree to a payout, pyt_1. Whoever agrees must be somebody else." in asked.text
    assert "- Why: above the limit\n" in asked.text
    for written in (overdue, asked):
        assert f"Claim: {CLAIM}\nPolicy: {POLICY}\nAccount: {TENANT}\n" in written.text
        assert "shop" not in written.text
