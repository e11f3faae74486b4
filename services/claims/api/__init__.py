"""The claims service's routes: translate, open, call, render."""

from services.claims.api import claims, evidence, money, repayments, vouchers

ROUTERS = (
    claims.router,
    evidence.router,
    evidence.raw,
    money.router,
    vouchers.router,
    repayments.router,
)
