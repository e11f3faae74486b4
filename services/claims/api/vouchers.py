"""Vouchers for a second shipment: shown, found by their code, used."""

import re
from typing import Annotated

from fastapi import Query, Request, Response

from libs.common import web
from libs.common.auth import CLAIMS_READ, PAYOUTS_SETTLE, Caller, requires
from libs.common.idempotency import key_of
from libs.common.pagination import Page
from libs.common.service import Db, Parts, now_of
from libs.common.wire import OneLine
from services.claims import store, usecases
from services.claims.api.money_views import VoucherView
from services.claims.api.parts import rules_of
from services.claims.api.requests import RedemptionRequest

router = web.api_router(prefix="/v1", tags=["money"])

_GROUP = 4


@router.get("/vouchers")
async def list_vouchers(
    caller: Annotated[Caller, requires(CLAIMS_READ)],
    db: Db,
    code: Annotated[
        Annotated[str, OneLine(40)], Query(description="As its owner says it, in any case.")
    ],
) -> Page[VoucherView]:
    """The voucher with this code, or none."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.find_voucher(tx, _as_issued(code), tenant_id=caller.tenant_id)
    return Page[VoucherView](items=[] if found is None else [VoucherView.of(found)])


@router.get("/vouchers/{voucher_id}")
async def show_voucher(
    voucher_id: str, caller: Annotated[Caller, requires(CLAIMS_READ)], db: Db
) -> VoucherView:
    async with db.transaction(caller.tenant_id) as tx:
        found = await store.get_voucher(tx, voucher_id, tenant_id=caller.tenant_id)
    return VoucherView.of(found)


@router.post("/vouchers/{voucher_id}/redemption", response_model=VoucherView)
async def redeem_voucher(
    voucher_id: str,
    body: RedemptionRequest,
    request: Request,
    caller: Annotated[Caller, requires(PAYOUTS_SETTLE)],
    db: Db,
    parts: Parts,
) -> Response:
    """Use it, once: the customer pays what it does not cover, and what is left of it lapses."""
    key = await key_of(request, caller.tenant_id)
    now = await now_of(db, caller)
    command = usecases.RedeemVoucher(
        tenant_id=caller.tenant_id,
        voucher_id=voucher_id,
        second_fee=body.second_fee.to_money(),
        reference=body.reference,
    )
    async with db.transaction(caller.tenant_id) as tx:
        if (answer := await key.replay(tx)) is not None:
            return answer
        voucher = await usecases.redeem_voucher(tx, rules_of(parts), command, now=now)
        return await key.keep(tx, 200, VoucherView.of(voucher))


def _as_issued(code: str) -> str:
    """In capitals and groups of four, however it was said."""
    letters = re.sub(r"[^0-9A-Z]", "", code.upper())
    groups = (letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))
    return "-".join(groups)
