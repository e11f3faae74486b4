"""A claim's course and money, event by event: which letters it owes, to whom, and never twice."""

from datetime import date, timedelta

from services.notifier.domain.notices import (
    AppealAnswered,
    AppealReceived,
    ApprovalWanted,
    ClaimAnswered,
    ClaimLate,
    ClaimTakenBack,
    PapersWanted,
    PromiseBroken,
    VoucherGiven,
)
from tests.notifier.builders import (
    CLAIM,
    CLAIM_EVENTS,
    NOW,
    POLICY,
    Bus,
    claim_decided,
    myr,
    of_claim,
    payout_sent,
)

# What each event is told as, and to whom.
TOLD = {
    "ClaimWithdrawn": ["claim.withdrawn"],
    "EvidenceRequested": ["claim.info_required"],
    "EvidenceReminded": ["claim.deadline_near"],
    "ClaimAppealed": ["appeal.received"],
    "AppealDecided": ["appeal.decided"],
    "ClaimOverdue": ["sla.breached to staff", "claim.late_warning"],
    "ApprovalRequested": ["approval.requested to staff"],
    # The last letter on the claim has said all of it.
    "ClaimClosed": [],
    "PayoutSettled": ["payout.failed"],
    "AdvancePaid": ["advance.paid"],
    "VoucherIssued": ["voucher.issued"],
    "VoucherLapsed": ["voucher.lapsed"],
    "RepaymentDue": ["repayment.due"],
}


async def told(bus: Bus) -> list[str]:
    return [
        one.notice.letter.template + (" to staff" if one.recipient == "staff" else "")
        for one in await bus.owed()
    ]


async def test_each_event_is_told_as_its_letter(bus: Bus) -> None:
    assert TOLD.keys() == CLAIM_EVENTS.keys()
    before: list[str] = []
    for name, letters in TOLD.items():
        await bus.say(of_claim(name))
        assert await told(bus) == before + letters, name
        before += letters

    for owed in await bus.owed():
        assert (owed.notice.claim_id, owed.notice.policy_id) == (CLAIM, POLICY)
        assert owed.state == "PENDING"


async def test_an_event_that_comes_again_is_told_once(bus: Bus) -> None:
    """The same message, and the same event said anew under another id."""
    events = [of_claim(name) for name in CLAIM_EVENTS]
    messages = [bus.message(event) for event in events]
    await bus.hand_over(*messages, *messages)
    once = await told(bus)

    await bus.hand_over(*messages)
    await bus.say(*events)

    assert await told(bus) == once
    assert len(await bus.deadlines()) == len(once)


async def test_what_comes_about_anew_is_told_anew(bus: Bus) -> None:
    """Under the same id, at another time: it failed twice, it is late again, a second last day."""
    later, day = NOW + timedelta(days=1), date(2026, 4, 1)
    anew = {
        "payout.failed": of_claim("PayoutSettled", settled_at=later),
        "sla.breached to staff": of_claim("ClaimOverdue", due_on=day, clock="ADVANCE"),
        "claim.deadline_near": of_claim("EvidenceReminded", until=day),
        "claim.info_required": of_claim("EvidenceRequested", request_id="req_2"),
        "approval.requested to staff": of_claim("ApprovalRequested", asked_at=later),
        "appeal.received": of_claim("ClaimAppealed", appeal_id="apl_2", tier=2),
        "payout.sent": payout_sent(sent_at=later),
    }
    await bus.say(payout_sent(), *(of_claim(name) for name in CLAIM_EVENTS))
    before = await told(bus)

    for letter, event in anew.items():
        await bus.say(event)
        before.append(letter)
        assert await told(bus) == before


async def test_a_request_is_told_with_all_that_it_asks(bus: Bus) -> None:
    asked = {
        "missing": ("police_report", "carrier_loss_letter"),
        "info_until": date(2026, 3, 9),
        "grace_until": date(2026, 4, 1),
        "may_follow": ("carrier_loss_letter",),
        "message": "One parcel or two?",
    }
    await bus.say(of_claim("EvidenceRequested", **asked))

    [owed] = await bus.owed()
    assert owed.notice.letter == PapersWanted(**asked)


async def test_an_appeal_is_told_with_who_decides_it_and_what_came_of_it(bus: Bus) -> None:
    varied = {
        "result": "VARIED",
        "payout": myr("300"),
        "is_final": False,
        "file_by": date(2026, 4, 1),
        "next_body": "claims_manager_panel",
    }
    await bus.say(of_claim("ClaimAppealed"), of_claim("AppealDecided", **varied))

    received, decided = [owed.notice.letter for owed in await bus.owed()]
    assert received == AppealReceived(
        body="second_adjudicator", filed_at=NOW, decide_by=date(2026, 3, 16)
    )
    assert decided == AppealAnswered(**varied)


async def test_a_decision_is_told_with_its_clauses_and_its_appeal(bus: Bus) -> None:
    day = date(2026, 3, 16)
    await bus.say(
        claim_decided(rule_ids=("MP-34",), appeal_until=day, appeal_body="second_adjudicator")
    )

    [owed] = await bus.owed()
    letter = owed.notice.letter
    assert isinstance(letter, ClaimAnswered)
    assert (letter.rule_ids, letter.appeal_until) == (("MP-34",), day)
    assert letter.appeal_body == "second_adjudicator"


async def test_a_target_that_passed_is_told_to_nobody(bus: Bus) -> None:
    await bus.say(of_claim("ClaimOverdue", level="TARGET"))

    assert await told(bus) == []


async def test_the_claimant_hears_of_the_days_they_count_on_and_staff_of_all(bus: Bus) -> None:
    for clock in ("DECIDE", "PAY", "ADVANCE", "CARRIER_REPLY", "APPEAL_DECIDE"):
        await bus.say(of_claim("ClaimOverdue", clock=clock, category="loss", is_priority=True))

    due = date(2026, 3, 1)
    owed = await bus.owed()
    assert [one.notice.letter for one in owed if one.recipient == "customer"] == [
        ClaimLate(clock=clock, due_on=due) for clock in ("DECIDE", "PAY", "APPEAL_DECIDE")
    ]
    assert [one.notice.letter for one in owed if one.recipient == "staff"] == [
        PromiseBroken(clock=clock, due_on=due, category="loss", is_priority=True)
        for clock in ("DECIDE", "PAY", "ADVANCE", "CARRIER_REPLY", "APPEAL_DECIDE")
    ]


async def test_money_that_arrived_and_what_other_letters_tell_is_no_letter(bus: Bus) -> None:
    """An advance is told when it is there, and a voucher by its issue."""
    await bus.say(
        of_claim("PayoutSettled", state="CONFIRMED"),
        payout_sent(kind="ADVANCE", payout_id="pyt_2"),
        payout_sent(instrument="voucher", payout_id="pyt_3"),
    )

    assert await told(bus) == []


async def test_a_voucher_is_told_by_what_the_customer_shows(bus: Bus) -> None:
    await bus.say(of_claim("VoucherIssued", code="ABCD-2345"))
    await bus.say(of_claim("VoucherIssued", voucher_id="vch_2"))

    letters = [owed.notice.letter for owed in await bus.owed()]
    assert letters == [
        VoucherGiven(number=number, amount=myr("80")) for number in ("ABCD-2345", "vch_2")
    ]


async def test_a_claim_that_is_taken_back_says_which_takes_its_place(bus: Bus) -> None:
    await bus.say(of_claim("ClaimWithdrawn", replaced_by="clm_2"))

    [owed] = await bus.owed()
    assert owed.notice.letter == ClaimTakenBack(
        peril="LOSS", withdrawn_at=NOW, replaced_by="clm_2"
    )


async def test_a_second_person_is_asked_for_with_what_and_why(bus: Bus) -> None:
    await bus.say(of_claim("ApprovalRequested", why="above the limit"))

    [owed] = await bus.owed()
    assert owed.notice.letter == ApprovalWanted(
        about="payout",
        subject_id="pyt_1",
        why="above the limit",
        asked_by="ann",
        asked_at=NOW,
    )
