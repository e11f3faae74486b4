"""Vouchers for a second shipment: issued once, used once or lapsed, never cash (CS-29, CS-30)."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from libs.common.errors import Conflict
from libs.common.money import Money, WrongCurrency, zero
from libs.common.plans.clocks import due_on, end_of_day
from libs.common.plans.values import Plan
from services.claims.domain.filing import Payout
from services.claims.domain.settlement import redeem_voucher

VOUCHER: Final = "voucher"


class VoucherExpired(Conflict):
    code = "voucher-expired"
    title = "The voucher has lapsed"


class VoucherUsed(Conflict):
    code = "voucher-used"
    title = "The voucher was used already"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """`expires_on` is its last local day. `reference` names the shipment it was used for."""

    voucher_id: str
    claim_id: str
    payout_id: str
    policy_id: str
    code: str
    value: Money
    state: str
    issued_at: datetime
    expires_on: date | None
    covered: Money
    customer_pays: Money
    lapsed: Money
    used_at: datetime | None = None
    reference: str | None = None
    second_fee: Money | None = None

    @property
    def worth(self) -> Money:
        """What its owner has of it: all until it is used or lapses."""
        return self.value if self.state == "ISSUED" else self.covered


def issue(plan: Plan, payout: Payout, *, voucher_id: str, code: str, now: datetime) -> Voucher:
    """For what the payout owes, as long as the plan says."""
    valid, nothing = plan.voucher_validity, zero(payout.amount.currency)
    return Voucher(
        voucher_id=voucher_id,
        claim_id=payout.claim_id,
        payout_id=payout.payout_id,
        policy_id=payout.policy_id,
        code=code,
        value=payout.amount,
        state="ISSUED",
        issued_at=now,
        expires_on=None if valid is None else due_on(now, valid, plan.zone, plan.calendar),
        covered=nothing,
        customer_pays=nothing,
        lapsed=nothing,
    )


def lapses_at(plan: Plan, voucher: Voucher) -> datetime | None:
    """The first instant at which it is too late to use it."""
    last = voucher.expires_on
    return None if last is None else end_of_day(last, plan.zone)


def redeem(
    plan: Plan, voucher: Voucher, second_fee: Money, reference: str, *, now: datetime
) -> Voucher | None:
    """The voucher used for that shipment; None where it was for this very one."""
    if second_fee.currency != voucher.value.currency:
        raise WrongCurrency(f"The voucher is in {voucher.value.currency}, not {second_fee}.")
    if voucher.state == "USED":
        if (voucher.reference, voucher.second_fee) == (reference, second_fee):
            return None
        raise VoucherUsed(
            f"Voucher {voucher.voucher_id} was used with reference {voucher.reference} for "
            f"{voucher.second_fee}; it is good for one shipment."
        )
    used = redeem_voucher(
        plan,
        {
            "voucher": voucher.value.decimal,
            "second_fee": second_fee.decimal,
            "issued_at": voucher.issued_at,
            "as_of": now,
        },
    )
    if used.is_expired or voucher.state == "EXPIRED":
        raise VoucherExpired(
            f"Voucher {voucher.voucher_id} was good until {voucher.expires_on}."
        )
    return replace(
        voucher,
        state="USED",
        used_at=now,
        reference=reference,
        second_fee=second_fee,
        covered=used.covered,
        customer_pays=used.customer_pays,
        lapsed=used.lapsed,
    )


def lapse(voucher: Voucher) -> Voucher:
    return replace(voucher, state="EXPIRED", lapsed=voucher.value)
