"""The claims service's routes: translate, open, call, render."""

from services.claims.api import appeals, claims, evidence, money

ROUTERS = (claims.router, evidence.router, evidence.raw, money.router, appeals.router)
