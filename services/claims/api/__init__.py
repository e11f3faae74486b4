"""The claims service's routes: translate, open, call, render."""

from services.claims.api import claims, evidence, information, money

ROUTERS = (
    claims.router,
    evidence.router,
    evidence.raw,
    information.router,
    money.router,
)
