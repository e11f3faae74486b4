"""Examples of each letter on a claim's course and money: with all that can be told, and the least."""

from datetime import date
from typing import Final

from services.notifier.domain.notices import (
    AdvanceArrived,
    AppealAnswered,
    AppealReceived,
    ApprovalWanted,
    ClaimInReview,
    ClaimLate,
    ClaimReceived,
    ClaimTakenBack,
    Letter,
    MoneyNotSent,
    MoneySent,
    PapersStillWanted,
    PapersWanted,
    PromiseBroken,
    RepaymentAsked,
    VoucherGiven,
    VoucherOver,
)
from tests.notifier.builders import NOW, myr

LAST_DAY: Final = date(2026, 3, 9)
LATER: Final = date(2026, 4, 1)
MISSING: Final = (
    "police_report|outer_packaging_photos+weight_photo",
    "dispute_or_refund_screenshot",
    "carrier_loss_letter",
)

LETTERS_ON_CLAIMS: Final[tuple[Letter, ...]] = (
    ClaimReceived(peril="LOSS", filed_at=NOW),
    ClaimInReview(peril="LOSS"),
    ClaimInReview(peril="DAMAGE", awaits="AWAITING_INSURER"),
    PapersWanted(
        missing=MISSING,
        info_until=LAST_DAY,
        grace_until=LATER,
        may_follow=("dispute_or_refund_screenshot",),
        message="Is it one parcel, or two?",
    ),
    PapersWanted(missing=MISSING, grace_until=LATER),
    PapersWanted(missing=("carrier_loss_letter",)),
    PapersWanted(missing=(), message="Is it one parcel, or two?"),
    PapersStillWanted(missing=MISSING, until=LAST_DAY),
    ClaimTakenBack(peril="DELAY", withdrawn_at=NOW),
    ClaimTakenBack(peril="DELAY", withdrawn_at=NOW, replaced_by="clm_2"),
    ClaimLate(clock="DECIDE", due_on=LAST_DAY),
    ClaimLate(clock="PAY", due_on=LAST_DAY),
    ClaimLate(clock="APPEAL_DECIDE", due_on=LAST_DAY),
    AppealReceived(body="claims_manager_panel", filed_at=NOW, decide_by=LAST_DAY),
    AppealReceived(body="something_new", filed_at=NOW),
    AppealAnswered(
        result="UPHELD",
        payout=myr("0"),
        is_final=False,
        file_by=LAST_DAY,
        next_body="independent_reviewer",
    ),
    AppealAnswered(result="VARIED", payout=myr("300"), is_final=True),
    AppealAnswered(result="SOMETHING_NEW", payout=myr("0"), is_final=False),
    MoneySent(amount=myr("250"), instrument="cash", sent_at=NOW),
    MoneyNotSent(amount=myr("250"), failed_at=NOW),
    AdvanceArrived(amount=myr("250"), paid_at=NOW),
    VoucherGiven(number="vch-7", amount=myr("80"), expires_on=LATER),
    VoucherGiven(number="vch-7", amount=myr("80")),
    VoucherOver(amount=myr("80"), lapsed_at=NOW),
    RepaymentAsked(amount=myr("125"), why="PARCEL_FOUND", due_at=NOW),
    RepaymentAsked(amount=myr("125"), why="SOMETHING_NEW", due_at=NOW),
    PromiseBroken(clock="DECIDE", due_on=LAST_DAY, category="loss", is_priority=True),
    PromiseBroken(clock="SOMETHING_NEW", due_on=LAST_DAY),
    ApprovalWanted(
        about="payout",
        subject_id="pyt_1",
        why="above the limit",
        asked_by="ann",
        asked_at=NOW,
    ),
    ApprovalWanted(about="decision", subject_id="dec_1", why="", asked_by="ann", asked_at=NOW),
)
