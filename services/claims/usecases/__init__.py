"""What the claims service does: load, decide, save, announce; always inside the door's transaction."""

from services.claims.usecases.advances import PayAdvance, pay_advance
from services.claims.usecases.appeals import (
    APPEAL_OVERDUE,
    DecideAppeal,
    FileAppeal,
    close_claim,
    decide_appeal,
    file_appeal,
    say_appeal_is_overdue,
)
from services.claims.usecases.approvals import AnswerApproval, answer_approval
from services.claims.usecases.claims import (
    CoverOfAnother,
    FileClaim,
    file_claim,
    remember_covers,
    remember_fetched,
)
from services.claims.usecases.closing import CLOSE_CLAIM, FORGET_CLAIMS_FILES
from services.claims.usecases.deciding import DecideClaim, decide_by_person, look_again
from services.claims.usecases.evidence import (
    FORGET_EVIDENCE,
    SCAN_EVIDENCE,
    AddEvidence,
    EvidenceForgotten,
    EvidenceInfected,
    EvidenceNotScanned,
    KeepEvidence,
    NoteScan,
    add_evidence,
    forget_evidence,
    get_openable,
    keep_evidence,
    note_scan,
)
from services.claims.usecases.first_notices import (
    NOTICE_SILENCE,
    GiveNotice,
    give_notice,
    move_covers,
    notice_silence,
)
from services.claims.usecases.following import (
    NOTE_OVERDUE,
    REMIND_CLAIMANT,
    note_overdue,
    remind_claimant,
)
from services.claims.usecases.information import RequestInformation, request_information
from services.claims.usecases.locking import lock_claim
from services.claims.usecases.payments import (
    SettlePayout,
    retry_payout,
    send_payout,
    settle_payout,
)
from services.claims.usecases.payouts import SEND_PAYOUT
from services.claims.usecases.proposing import list_perils
from services.claims.usecases.reconsidering import reconsider
from services.claims.usecases.recording import LOOK_AGAIN
from services.claims.usecases.recoveries import RecordRecovery, record_recovery
from services.claims.usecases.repayments import (
    ShowFound,
    ShowFraud,
    WriteOff,
    show_found,
    show_fraud,
    write_off,
)
from services.claims.usecases.retention import forget_claims_files
from services.claims.usecases.rules import Rules
from services.claims.usecases.trace import ClaimTrace, TracedDecision, trace_claim
from services.claims.usecases.tracking_evidence import (
    ATTACH_TRACKING,
    AttachTracking,
    attach_tracking,
)
from services.claims.usecases.vouchers import (
    LAPSE_VOUCHER,
    RedeemVoucher,
    lapse_voucher,
    redeem_voucher,
)
from services.claims.usecases.withdrawals import (
    SwapClaim,
    WithdrawClaim,
    swap_claim,
    withdraw_claim,
)

__all__ = [
    "APPEAL_OVERDUE",
    "ATTACH_TRACKING",
    "CLOSE_CLAIM",
    "FORGET_CLAIMS_FILES",
    "FORGET_EVIDENCE",
    "LAPSE_VOUCHER",
    "LOOK_AGAIN",
    "NOTE_OVERDUE",
    "NOTICE_SILENCE",
    "REMIND_CLAIMANT",
    "SCAN_EVIDENCE",
    "SEND_PAYOUT",
    "AddEvidence",
    "AnswerApproval",
    "AttachTracking",
    "ClaimTrace",
    "CoverOfAnother",
    "DecideAppeal",
    "DecideClaim",
    "EvidenceForgotten",
    "EvidenceInfected",
    "EvidenceNotScanned",
    "FileAppeal",
    "FileClaim",
    "GiveNotice",
    "KeepEvidence",
    "NoteScan",
    "PayAdvance",
    "RecordRecovery",
    "RedeemVoucher",
    "RequestInformation",
    "Rules",
    "SettlePayout",
    "ShowFound",
    "ShowFraud",
    "SwapClaim",
    "TracedDecision",
    "WithdrawClaim",
    "WriteOff",
    "add_evidence",
    "answer_approval",
    "attach_tracking",
    "close_claim",
    "decide_appeal",
    "decide_by_person",
    "file_appeal",
    "file_claim",
    "forget_claims_files",
    "forget_evidence",
    "get_openable",
    "give_notice",
    "keep_evidence",
    "lapse_voucher",
    "list_perils",
    "lock_claim",
    "look_again",
    "move_covers",
    "note_overdue",
    "note_scan",
    "notice_silence",
    "pay_advance",
    "reconsider",
    "record_recovery",
    "redeem_voucher",
    "remember_covers",
    "remember_fetched",
    "remind_claimant",
    "request_information",
    "retry_payout",
    "say_appeal_is_overdue",
    "send_payout",
    "settle_payout",
    "show_found",
    "show_fraud",
    "swap_claim",
    "trace_claim",
    "withdraw_claim",
    "write_off",
]
