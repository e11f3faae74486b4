"""What the claims service does: load, decide, save, announce; always inside the door's transaction."""

from services.claims.usecases.claims import (
    FORGET_EVIDENCE,
    AddEvidence,
    FileClaim,
    KeepEvidence,
    add_evidence,
    file_claim,
    keep_evidence,
    remember_covers,
    remember_fetched,
)
from services.claims.usecases.decisions import (
    LOOK_AGAIN,
    SEND_PAYOUT,
    DecideClaim,
    Rules,
    decide_by_person,
    decide_open_claims,
    look_again,
    reconsider,
)
from services.claims.usecases.payments import (
    PayAdvance,
    RecordRecovery,
    SettlePayout,
    pay_advance,
    record_recovery,
    send_payout,
    settle_payout,
)

__all__ = [
    "FORGET_EVIDENCE",
    "LOOK_AGAIN",
    "SEND_PAYOUT",
    "AddEvidence",
    "DecideClaim",
    "FileClaim",
    "KeepEvidence",
    "PayAdvance",
    "RecordRecovery",
    "Rules",
    "SettlePayout",
    "add_evidence",
    "decide_by_person",
    "decide_open_claims",
    "file_claim",
    "keep_evidence",
    "look_again",
    "pay_advance",
    "reconsider",
    "record_recovery",
    "remember_covers",
    "remember_fetched",
    "send_payout",
    "settle_payout",
]
