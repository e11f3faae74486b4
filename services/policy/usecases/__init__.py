"""What the policy service does: bind, take premiums, follow parcels, end policies."""

from services.policy.usecases.batches import (
    WORK,
    WorkRows,
    cancel_batch,
    find_waiting_rows,
    upload_batch,
    work_rows,
)
from services.policy.usecases.clocks import advance_test_clock, create_test_clock
from services.policy.usecases.cover import ACTIVATE, activate_policy
from services.policy.usecases.endings import (
    CancelPolicy,
    cancel_policy,
    change_address,
    void_policy,
)
from services.policy.usecases.histories import (
    MAX_SCANS,
    ParcelHistory,
    notices_behind,
    parcel_history,
)
from services.policy.usecases.hooks import open_hook, rotate_secret
from services.policy.usecases.notices import KINDS, record_payment, take_notice
from services.policy.usecases.parcels import (
    FOLLOW,
    DispatchParcel,
    ScanOutcome,
    accept_parcel,
    dispatch_parcel,
    follow_parcel,
    name_parcel,
    record_scans,
)
from services.policy.usecases.payments import (
    RecordPayment,
    confirm_amount,
    invalidate_policy,
    lapse_top_up,
    request_documents,
    warn_top_up,
)
from services.policy.usecases.policies import BindPolicy, bind_policy, change_contact
from services.policy.usecases.refunds import LAPSE, WARN, SettleRefund, settle_refund
from services.policy.usecases.stories import PLAY, play_story
from services.policy.usecases.tracking import (
    READ_TRACKING,
    ReadNotice,
    give_up_notice,
    next_notices,
    work_notices,
)
from services.policy.usecases.tracking_hooks import (
    close_tracking_hook,
    open_tracking_hook,
    rotate_tracking_secret,
)

__all__ = [
    "ACTIVATE",
    "FOLLOW",
    "KINDS",
    "LAPSE",
    "MAX_SCANS",
    "PLAY",
    "READ_TRACKING",
    "WARN",
    "WORK",
    "BindPolicy",
    "CancelPolicy",
    "DispatchParcel",
    "ParcelHistory",
    "ReadNotice",
    "RecordPayment",
    "ScanOutcome",
    "SettleRefund",
    "WorkRows",
    "accept_parcel",
    "activate_policy",
    "advance_test_clock",
    "bind_policy",
    "cancel_batch",
    "cancel_policy",
    "change_address",
    "change_contact",
    "close_tracking_hook",
    "confirm_amount",
    "create_test_clock",
    "dispatch_parcel",
    "find_waiting_rows",
    "follow_parcel",
    "give_up_notice",
    "invalidate_policy",
    "lapse_top_up",
    "name_parcel",
    "next_notices",
    "notices_behind",
    "open_hook",
    "open_tracking_hook",
    "parcel_history",
    "play_story",
    "record_payment",
    "record_scans",
    "request_documents",
    "rotate_secret",
    "rotate_tracking_secret",
    "settle_refund",
    "take_notice",
    "upload_batch",
    "void_policy",
    "warn_top_up",
    "work_notices",
    "work_rows",
]
