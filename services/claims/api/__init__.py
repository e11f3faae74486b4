"""The claims service's routes: translate, open, call, render."""

from services.claims.api import appeals, approvals, claims, evidence, money, withdrawals

ROUTERS = (
    claims.router,
    evidence.router,
    evidence.raw,
    evidence.files,
    money.router,
    approvals.router,
    withdrawals.router,
    appeals.router,
)
