"""All that belongs to a claim, read at once. Every query names its tenant."""

from dataclasses import dataclass
from typing import Final

import msgspec

from libs.common.db import Tx
from libs.common.money import Money
from services.claims.domain.appeals import Appeal, Window
from services.claims.domain.approvals import Approval
from services.claims.domain.clocks import Clock
from services.claims.domain.filing import Payout
from services.claims.domain.money_back import Recovery
from services.claims.domain.repayments import Repayment
from services.claims.domain.requests import InformationRequest
from services.claims.domain.vouchers import Voucher
from services.claims.domain.withdrawals import Withdrawal
from services.claims.store.claims import FiledClaim, KeptDecision
from services.claims.store.evidence import ALSO_IN, Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a claim has: nothing before its first decision, but its papers.

    Each list is in the order of its making.
    """

    latest: KeptDecision | None = None
    evidence: tuple[Evidence, ...] = ()
    payouts: tuple[Payout, ...] = ()
    recoveries: tuple[Recovery, ...] = ()
    # All that a second person was ever asked about it.
    approvals: tuple[Approval, ...] = ()
    appeals: tuple[Appeal, ...] = ()
    clocks: tuple[Clock, ...] = ()
    vouchers: tuple[Voucher, ...] = ()
    repayments: tuple[Repayment, ...] = ()
    # What the claimant is asked for now.
    request: InformationRequest | None = None
    window: Window | None = None
    # What it is expected to cost; None where nothing was ever put by.
    reserve: Money | None = None
    withdrawal: Withdrawal | None = None
    # The claim whose place it took.
    replaces: str | None = None


_beside = msgspec.json.Decoder(Beside)


def _all(table: str, order: str, also: str = "") -> str:
    """The claim's rows of a table; columns are named as the fields, and `also` makes the others."""
    row = f"to_jsonb(r) || jsonb_build_object({also})" if also else "to_jsonb(r)"
    return f"""(
        SELECT coalesce(jsonb_agg({row} ORDER BY {order}), '[]') FROM {table} r
        WHERE r.claim_id = $1 AND r.tenant_id = $2
    )"""


def _one(table: str, where: str = "true") -> str:
    return f"""(
        SELECT to_jsonb(r) FROM {table} r WHERE r.claim_id = $1 AND r.tenant_id = $2 AND {where}
    )"""


def _money(**columns: str) -> str:
    """Fields of money, by the columns that have their minor units."""
    return ", ".join(
        f"'{field}', CASE WHEN r.{column} IS NOT NULL THEN jsonb_build_object("
        f"'amount_minor', r.{column}, 'currency', r.currency) END"
        for field, column in columns.items()
    )


_VOUCHER = _money(
    value="value_minor",
    covered="covered_minor",
    customer_pays="customer_pays_minor",
    lapsed="lapsed_minor",
    second_fee="second_fee_minor",
)
_PAID = _money(payout="payout_minor")
_RECOVERY = _money(amount="amount_minor")
_PAYOUT = f"{_RECOVERY}, 'policy_id', $3::text"
_REPAYMENT = _money(amount="amount_minor", received="received_minor")

# One round trip for a dozen look-ups by index, most of which find nothing.
_BESIDE: Final = f"""
    SELECT jsonb_build_object(
        'latest', (
            -- Those made before anything could be overridden do not name what was.
            SELECT to_jsonb(r) - 'facts' || jsonb_build_object(
                'decision', jsonb_build_object('overridden', '[]'::jsonb) || r.decision, {_PAID})
            FROM decisions r WHERE r.claim_id = $1 AND r.tenant_id = $2
            ORDER BY r.number DESC LIMIT 1
        ),
        'evidence', {_all("evidence", "r.uploaded_at, r.evidence_id", f"'also_in', {ALSO_IN}")},
        'payouts', {_all("payouts", "r.created_at, r.payout_id", _PAYOUT)},
        'recoveries', {_all("recoveries", "r.recorded_at, r.recovery_id", _RECOVERY)},
        'approvals', {_all("approvals", "r.asked_at, r.approval_id")},
        'appeals', {_all("appeals", "r.tier")},
        'clocks', {_all("claim_clocks", "r.started_at, r.name")},
        'vouchers', {_all("vouchers", "r.issued_at, r.voucher_id", _VOUCHER)},
        'repayments', {_all("repayments", "r.due_at, r.repayment_id", _REPAYMENT)},
        'request', {_one("information_requests", "answered_at IS NULL AND lapsed_at IS NULL")},
        'window', {_one("appeal_windows")},
        'reserve', (
            SELECT jsonb_build_object('amount_minor', reserve_minor, 'currency', reserve_currency)
            FROM claims WHERE claim_id = $1 AND tenant_id = $2 AND reserve_currency IS NOT NULL
        ),
        'withdrawal', {_one("withdrawals")},
        'replaces', (SELECT claim_id FROM withdrawals WHERE replaced_by = $1 AND tenant_id = $2)
    )
"""


async def get_beside(tx: Tx, filed: FiledClaim) -> Beside:
    found = await tx.fetchval(_BESIDE, filed.claim_id, filed.tenant_id, filed.policy_id)
    return _beside.decode(found)
