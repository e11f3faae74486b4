"""The claims service's routes: translate, open, call, render."""

from services.claims.api import (
    appeals,
    approvals,
    claims,
    evidence,
    information,
    money,
    repayments,
    trace,
    vouchers,
    withdrawals,
)

ROUTERS = (
    claims.router,
    evidence.router,
    evidence.raw,
    evidence.files,
    information.router,
    withdrawals.router,
    approvals.router,
    appeals.router,
    money.router,
    vouchers.router,
    repayments.router,
    trace.router,
)
