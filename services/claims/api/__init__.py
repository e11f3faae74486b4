"""The claims service's routes: translate, open, call, render."""

from services.claims.api import (
    appeals,
    approvals,
    claims,
    evidence,
    information,
    money,
    withdrawals,
)

ROUTERS = (
    claims.router,
    evidence.router,
    evidence.raw,
    evidence.files,
    information.router,
    money.router,
    approvals.router,
    withdrawals.router,
    appeals.router,
)
