"""Vouchers for a second shipment: issued instead of a payment, used once, or lapsed."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from libs.common import ledger
from libs.common.db import Tx
from libs.common.deadlines import Deadline, cancel_deadline, set_deadline
from libs.common.ids import new_id
from libs.common.ledger import Account, Transfer, move
from libs.common.money import Money
from services.claims import store
from services.claims.domain import vouchers
from services.claims.domain.cases import Cover
from services.claims.domain.filing import Payout
from services.claims.domain.vouchers import Voucher
from services.claims.events import PayoutSettled, VoucherIssued, VoucherLapsed, VoucherUsed
from services.claims.store import FiledClaim
from services.claims.usecases.announcing import announce
from services.claims.usecases.following import follow_money
from services.claims.usecases.locking import lock_voucher
from services.claims.usecases.rules import Rules
from services.claims.usecases.standing import restand, stand_or_close

LAPSE_VOUCHER: Final = "lapse_voucher"

# Without I, L, O and U, which are misread or read as words; 60 bits that nobody guesses.
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUPS, _GROUP = 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemVoucher:
    """`reference` names the second shipment, which costs `second_fee`."""

    tenant_id: str
    voucher_id: str
    second_fee: Money
    reference: str


async def issue_voucher(
    tx: Tx, rules: Rules, cover: Cover, filed: FiledClaim, payout: Payout, *, now: datetime
) -> None:
    """The payout is settled by it: no payment system is asked."""
    plan = rules.plans.pinned(cover.plan_sha256)
    voucher = vouchers.issue(plan, payout, voucher_id=new_id("vch"), code=_new_code(), now=now)
    await store.insert_voucher(tx, voucher, tenant_id=filed.tenant_id)
    if (lapses_at := vouchers.lapses_at(plan, voucher)) is not None:
        deadline = Deadline(
            tenant_id=filed.tenant_id,
            kind=LAPSE_VOUCHER,
            subject=voucher.voucher_id,
            due_at=lapses_at,
        )
        await set_deadline(tx, deadline)
    settled = replace(
        payout, state="CONFIRMED", reference=voucher.voucher_id, sent_at=now, settled_at=now
    )
    await store.save_payout(tx, settled, tenant_id=filed.tenant_id)
    await follow_money(tx, await restand(tx, filed), now=now)
    await _announce_issued(tx, filed, voucher, now=now)
    await stand_or_close(tx, filed, now=now)


async def redeem_voucher(
    tx: Tx, rules: Rules, command: RedeemVoucher, *, now: datetime
) -> Voucher:
    """Used for one shipment: the customer pays what it does not cover, what is left lapses."""
    cover, filed, voucher = await lock_voucher(
        tx, command.voucher_id, tenant_id=command.tenant_id
    )
    plan = rules.plans.pinned(cover.plan_sha256)
    used = vouchers.redeem(plan, voucher, command.second_fee, command.reference, now=now)
    if used is None:
        return voucher
    await store.save_voucher(tx, used, tenant_id=command.tenant_id)
    await cancel_deadline(tx, command.tenant_id, LAPSE_VOUCHER, used.voucher_id)
    # The second shipment is paid to whoever carries it.
    covered = _left(used, "voucher-used", used.covered, Account.CASH)
    lapsed = _left(used, "voucher-lapsed", used.lapsed, Account.CLAIMS)
    await ledger.book(tx, command.tenant_id, [*covered, *lapsed], now=now)
    event = VoucherUsed(
        claim_id=used.claim_id,
        policy_id=used.policy_id,
        voucher_id=used.voucher_id,
        second_fee=command.second_fee,
        covered=used.covered,
        customer_pays=used.customer_pays,
        lapsed=used.lapsed,
        used_at=now,
    )
    await announce(tx, filed, event, now=now)
    return used


async def lapse_voucher(tx: Tx, voucher_id: str, *, tenant_id: str, now: datetime) -> None:
    """Its last day is over, or it must not be used any more; one that was used stays as it is."""
    _, filed, voucher = await lock_voucher(tx, voucher_id, tenant_id=tenant_id)
    if voucher.state == "ISSUED":
        await lapse(tx, filed, voucher, now=now)


async def lapse(tx: Tx, filed: FiledClaim, voucher: Voucher, *, now: datetime) -> Voucher:
    """What nobody can use costs nothing."""
    lapsed = vouchers.lapse(voucher)
    await store.save_voucher(tx, lapsed, tenant_id=filed.tenant_id)
    await cancel_deadline(tx, filed.tenant_id, LAPSE_VOUCHER, voucher.voucher_id)
    back = _left(lapsed, "voucher-lapsed", lapsed.lapsed, Account.CLAIMS)
    await ledger.book(tx, filed.tenant_id, back, now=now)
    event = VoucherLapsed(
        claim_id=lapsed.claim_id,
        policy_id=lapsed.policy_id,
        voucher_id=lapsed.voucher_id,
        amount=lapsed.value,
        lapsed_at=now,
    )
    await announce(tx, filed, event, now=now)
    return lapsed


def _left(voucher: Voucher, kind: str, amount: Money, to: Account) -> list[Transfer]:
    if not amount.amount_minor:
        return []
    entry = move(
        kind, voucher.voucher_id, voucher.policy_id, amount, debit=Account.VOUCHER, credit=to
    )
    return [entry]


async def _announce_issued(
    tx: Tx, filed: FiledClaim, voucher: Voucher, *, now: datetime
) -> None:
    issued = VoucherIssued(
        claim_id=voucher.claim_id,
        policy_id=voucher.policy_id,
        voucher_id=voucher.voucher_id,
        amount=voucher.value,
        issued_at=now,
        expires_on=voucher.expires_on,
        code=voucher.code,
    )
    settled = PayoutSettled(
        claim_id=voucher.claim_id,
        policy_id=voucher.policy_id,
        payout_id=voucher.payout_id,
        amount=voucher.value,
        state="CONFIRMED",
        settled_at=now,
    )
    await announce(tx, filed, issued, now=now)
    await announce(tx, filed, settled, now=now)


def _new_code() -> str:
    """For people to read out, such as 7Q4K-9XTP-2MRD."""
    return "-".join(
        "".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS)
    )
